//! The second pass over a history: the messages' rows, cut into parts.

use std::collections::HashMap;

use uuid::Uuid;

use crate::format::{DecodeContext, Emit};
use crate::json::Value as Json;
use crate::model::{ids, DecodeError, Flaw, Instant, Note, Part, Reason, Row, Value};

use super::super::super::tables::MESSAGES;
use super::super::content::send;
use super::super::members::{Members, Origin, Step};
use super::super::residue::{PartResidue, RowResidue};
use super::super::time;
use super::super::user::map_column;
use super::survey::Survey;
use super::{map_role, unmapped, Chat, Dialect};

/// Notes are for people: after so many of one document the rest is only counted by its rows.
const MOST_NOTES: usize = 100;

/// Makes the rows of the messages and cuts them into parts.
pub struct Messages<'a, 'e> {
    chat: &'a Chat<'a>,
    dialect: &'static Dialect,
    survey: &'a Survey,
    file: usize,
    context: &'a DecodeContext,
    emit: &'a mut Emit<'e>,
    /// How often an id was used so far in this chat. Keyed by the id's derived UUID, so that a
    /// huge chat costs 20 bytes a message here.
    occurrences: HashMap<Uuid, u32>,
    before: Instant,
    rows: Vec<Row>,
    weight: usize,
    residue: PartResidue,
    notes: Vec<Note>,
    /// Index into `survey.flagged`.
    next_flag: usize,
}

impl<'a, 'e> Messages<'a, 'e> {
    pub fn new(
        chat: &'a Chat,
        dialect: &'static Dialect,
        survey: &'a Survey,
        file: usize,
        context: &'a DecodeContext,
        emit: &'a mut Emit<'e>,
    ) -> Messages<'a, 'e> {
        Messages {
            chat,
            dialect,
            survey,
            file,
            context,
            emit,
            occurrences: HashMap::new(),
            before: chat.created,
            rows: Vec::new(),
            weight: 0,
            residue: PartResidue::new(dialect.shape),
            notes: Vec::new(),
            next_flag: 0,
        }
    }

    pub fn message(&mut self, at: usize, value: &Json) -> Result<(), DecodeError> {
        let steps = [Step::Index(at)];
        let origin = Origin { file: self.file, steps: &steps };
        if !matches!(value, Json::Object(_)) {
            return Err(origin.wrong_type(None, "an object", value).into());
        }
        let mut members = Members::of(value, origin, self.context)?;
        let legacy_id = members.legacy_id()?;
        let role = self.role(&mut members)?;
        let Some(content) = members.string(self.dialect.content)? else {
            return Err(missing(&members, self.dialect.content).into());
        };
        let metadata = members.map(self.dialect.metadata)?;
        let given = self.given_time(&mut members)?;
        let created = given.or_else(|| legacy_id.and_then(time::from_uniqid)).unwrap_or(self.before);
        self.before = created;
        let position = i64::try_from(at + 1).expect("fewer messages than 2^63");
        if position > i64::from(i32::MAX) {
            return Err(origin.flaw(Reason::NumberOutOfRange, None, "more messages than the column counts").into());
        }
        // JSON spells a whole number in one way only, as long as it has no exponent.
        let claims = |claim: &Json| matches!(claim, Json::Number(spelling) if spelling.parse() == Ok(position));
        if members.take("sequence_number").is_some_and(|claim| !claims(claim)) {
            members.keep("sequence_number");
        }
        let tokens = members.peek("token_count").and_then(small_int);
        if tokens.is_some() {
            members.take("token_count");
        }
        let flagged = self.survey.flagged.get(self.next_flag) == Some(&at);
        self.next_flag += usize::from(flagged);
        let row = Row(vec![
            Value::Uuid(self.id(legacy_id, at)),
            Value::Uuid(self.chat.row),
            Value::Text(role),
            Value::Text(content.to_owned()),
            map_column(metadata),
            Value::Time(created),
            Value::Int(position),
            tokens.map_or(Value::Null, Value::Int),
            Value::Bool(flagged),
        ]);
        let (residue, notes) = members.finish();
        self.notes.extend(notes.into_iter().take(MOST_NOTES.saturating_sub(self.notes.len())));
        self.push(row, residue)
    }

    fn role(&self, members: &mut Members) -> Result<String, Flaw> {
        let Some(name) = self.dialect.role else { return Ok("assistant".into()) };
        let Some(role) = members.text(name, 50)? else { return Err(missing(members, name)) };
        if name == "from" {
            // Only `lead` and `bot` come back from the roles that they become.
            if !matches!(role.as_str(), "lead" | "bot") && unmapped(map_role(&role)) != role {
                members.keep(name);
            }
        }
        Ok(match name {
            "from" => map_role(&role).to_owned(),
            _ => role,
        })
    }

    /// The first time that the message gives; others stay residue.
    fn given_time(&self, members: &mut Members) -> Result<Option<Instant>, Flaw> {
        for (name, usual) in self.dialect.times {
            match members.peek(name) {
                None => {}
                Some(Json::Null) => members.keep(name),
                Some(_) => return members.time(name, *usual),
            }
        }
        Ok(None)
    }

    fn id(&mut self, legacy: Option<&str>, at: usize) -> Uuid {
        let Some(legacy) = legacy else {
            return ids::derive(&["messages", self.chat.id, "position", &(at + 1).to_string()]);
        };
        let first = ids::derive(&["messages", self.chat.id, "id", legacy, "0"]);
        let count = self.occurrences.entry(first).or_insert(0);
        let occurrence = *count;
        *count += 1;
        match occurrence {
            0 => first,
            n => ids::derive(&["messages", self.chat.id, "id", legacy, &n.to_string()]),
        }
    }

    fn push(&mut self, row: Row, residue: RowResidue) -> Result<(), DecodeError> {
        self.weight += row.weight();
        self.rows.push(row);
        self.residue.push(residue);
        match self.rows.len() >= self.context.part_rows || self.weight >= self.context.part_bytes {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), DecodeError> {
        let residue = std::mem::replace(&mut self.residue, PartResidue::new(self.dialect.shape)).finish();
        let rows = std::mem::take(&mut self.rows);
        self.weight = 0;
        send(self.emit, Part { table: &MESSAGES, rows, residue })
    }

    pub fn finish(mut self) -> Result<Vec<Note>, DecodeError> {
        if !self.rows.is_empty() {
            self.flush()?;
        }
        Ok(self.notes)
    }
}

fn missing(members: &Members, name: &str) -> Flaw {
    let detail = format!("expected a string as `{name}`");
    match members.peek(name) {
        // null where text is due
        Some(value) => members.origin().wrong_type(Some(name), "a string", value),
        None => members.origin().flaw(Reason::MissingMember, None, detail),
    }
}

fn small_int(value: &Json) -> Option<i64> {
    match value {
        Json::Number(spelling) => spelling.parse::<i32>().ok().filter(|_| *spelling != "-0").map(i64::from),
        _ => None,
    }
}
