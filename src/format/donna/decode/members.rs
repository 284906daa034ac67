//! Taking an object's members into columns, so that what is not taken ends in the residue.

use crate::format::DecodeContext;
use crate::json::{self, Member, Value};
use crate::model::{Flaw, Instant, Note, Place, Reason};

use super::residue::{respelling, RowResidue, Shape};
use super::time::{self, Spelling};

/// One step from the file's root to the object being read.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// Where the object stands, and whether its keys may be shown.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// Position in the document's files.
    pub file: usize,
    pub steps: &'a [Step<'a>],
}

impl Origin<'_> {
    pub fn pointer(&self, last: Option<&str>) -> String {
        let mut pointer = String::new();
        for step in self.steps {
            match step {
                Step::Key(key) => json::push_pointer(&mut pointer, key),
                Step::Index(index) => json::push_pointer(&mut pointer, &index.to_string()),
            }
        }
        if let Some(last) = last {
            json::push_pointer(&mut pointer, last);
        }
        pointer
    }

    pub fn flaw(&self, reason: Reason, last: Option<&str>, detail: impl Into<String>) -> Flaw {
        Flaw::new(reason, self.file, Place::at_pointer(self.pointer(last)), detail)
    }

    pub fn wrong_type(&self, last: Option<&str>, expected: &str, found: &Value) -> Flaw {
        self.flaw(Reason::WrongType, last, format!("expected {expected}, found {}", found.type_name()))
    }
}

/// An object whose members go to columns, or stay in the residue.
pub struct Members<'a, 'o> {
    members: &'a [Member<'a>],
    taken: Taken,
    origin: Origin<'o>,
    context: &'o DecodeContext,
    residue: RowResidue<'a>,
    pub notes: Vec<Note>,
}

/// Which members were taken: every message has this, so the first of them need no memory.
struct Taken {
    first: u64,
    others: Vec<bool>,
}

impl Taken {
    fn none_of(count: usize) -> Taken {
        Taken { first: 0, others: vec![false; count.saturating_sub(64)] }
    }

    fn take(&mut self, at: usize) {
        match at.checked_sub(64) {
            None => self.first |= 1 << at,
            Some(at) => self.others[at] = true,
        }
    }

    fn has(&self, at: usize) -> bool {
        match at.checked_sub(64) {
            None => self.first & (1 << at) != 0,
            Some(at) => self.others[at],
        }
    }
}

impl<'a, 'o> Members<'a, 'o> {
    /// # Errors
    /// A flaw if the value is no object; an empty list is an empty object, as PHP writes it.
    pub fn of(value: &'a Value<'a>, origin: Origin<'o>, context: &'o DecodeContext) -> Result<Members<'a, 'o>, Flaw> {
        let members: &[Member] = match value {
            Value::Object(members) => members,
            Value::Array([]) => &[],
            other => return Err(origin.wrong_type(None, "an object", other)),
        };
        let residue = RowResidue { shape: Shape::Members(members), ..RowResidue::default() };
        let taken = Taken::none_of(members.len());
        Ok(Members { members, taken, origin, context, residue, notes: Vec::new() })
    }

    pub fn origin(&self) -> Origin<'o> {
        self.origin
    }

    /// The member, which the caller now answers for.
    pub fn take(&mut self, name: &str) -> Option<&'a Value<'a>> {
        let at = self.members.iter().position(|(member, _)| *member == name)?;
        self.taken.take(at);
        Some(&self.members[at].1)
    }

    /// The member without answering for it.
    pub fn peek(&self, name: &str) -> Option<&'a Value<'a>> {
        self.members.iter().find(|(member, _)| *member == name).map(|(_, value)| value)
    }

    /// Keeps a member whole in the residue.
    pub fn keep(&mut self, name: &str) {
        if let Some((name, value)) = self.members.iter().find(|(member, _)| *member == name) {
            if !self.residue.kept.iter().any(|(kept, _)| kept == name) {
                self.residue.kept.push((name, json::to_compact(value)));
            }
        }
    }

    /// Text for a column of at most `longest` characters: what is longer is cut at a character
    /// boundary and kept whole. `None` for an absent member and for null.
    pub fn text(&mut self, name: &str, longest: usize) -> Result<Option<String>, Flaw> {
        let Some(text) = self.string(name)? else { return Ok(None) };
        Ok(Some(match text.char_indices().nth(longest) {
            None => text.to_owned(),
            Some((end, _)) => {
                self.keep(name);
                self.note("cut", name);
                text[..end].to_owned()
            }
        }))
    }

    /// Text that identifies something: never cut.
    pub fn key_text(&mut self, name: &str, longest: usize) -> Result<Option<String>, Flaw> {
        let Some(text) = self.string(name)? else { return Ok(None) };
        check_key(text, longest, self.origin, Some(name))?;
        Ok(Some(text.to_owned()))
    }

    /// Text of any length that the database holds.
    pub fn string(&mut self, name: &str) -> Result<Option<&'a str>, Flaw> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => {
                if text.len() > self.context.limits.text_bytes {
                    let detail = "longer than any text that the database holds";
                    return Err(self.origin.flaw(Reason::TextTooLong, Some(name), detail));
                }
                Ok(Some(text))
            }
            Some(other) => Err(self.origin.wrong_type(Some(name), "a string", other)),
        }
    }

    /// A time; `usual` is how the layout spells an instant: any other spelling is kept.
    pub fn time(&mut self, name: &str, usual: Spelling) -> Result<Option<Instant>, Flaw> {
        let value = match self.take(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(value @ (Value::String(_) | Value::Number(_))) => value,
            Some(other) => return Err(self.origin.wrong_type(Some(name), "a time", other)),
        };
        let Some(instant) = time::instant(value, &self.context.zone) else {
            return Err(self.origin.flaw(Reason::BadTime, Some(name), "this is no date and time"));
        };
        // A number is never the usual spelling, also where that cannot say the instant at all.
        if usual(instant).is_none_or(|usual| value.as_str().map(str::as_bytes) != Some(usual.as_bytes())) {
            self.keep(name);
        }
        Ok(Some(instant))
    }

    /// A map for a JSON column. PHP writes an empty map as `[]` and one with the keys 0 to n as a
    /// list, so a list is taken as it is and an empty one becomes `{}`. `None` for an absent
    /// member; null stays null.
    pub fn map(&mut self, name: &'static str) -> Result<Option<Option<String>>, Flaw> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value {
            Value::Null => Ok(Some(None)),
            Value::Array([]) => Ok(Some(Some("{}".into()))),
            Value::Object([]) => {
                // The usual spelling of an empty map is `[]`.
                self.keep(name);
                Ok(Some(Some("{}".into())))
            }
            Value::Object(_) | Value::Array(_) => {
                if matches!(value, Value::Array(_)) {
                    self.note("list_for_map", name);
                }
                Ok(Some(Some(self.json(name, value)?)))
            }
            other => Err(self.origin.wrong_type(Some(name), "an object", other)),
        }
    }

    /// Any JSON for a JSON column.
    pub fn any_json(&mut self, name: &'static str) -> Result<Option<String>, Flaw> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => Ok(Some(self.json(name, value)?)),
        }
    }

    fn json(&mut self, name: &'static str, value: &Value) -> Result<String, Flaw> {
        let text = json_column(value, self.origin, Some(name), self.context)?;
        if let Some(difference) = respelling(value) {
            self.residue.respelled.push((name, difference));
        }
        Ok(text)
    }

    pub fn note(&mut self, code: &'static str, name: &str) {
        self.notes.push(Note { code, pointer: self.origin.pointer(Some(name)) });
    }

    /// The legacy id: always residue, because the row's own id is derived from it.
    pub fn legacy_id(&mut self) -> Result<Option<&'a str>, Flaw> {
        let value = self.take("id");
        self.residue.id = value;
        match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(spelling)) => Ok(Some(spelling)),
            Some(other) => Err(self.origin.wrong_type(Some("id"), "a string or a number", other)),
        }
    }

    /// The residue: what was kept, and every member that nobody took.
    pub fn finish(mut self) -> (RowResidue<'a>, Vec<Note>) {
        let members = self.members;
        for (at, (name, _)) in members.iter().enumerate() {
            if !self.taken.has(at) {
                self.keep(name);
            }
        }
        (self.residue, self.notes)
    }
}

/// A key is never cut to fit its column.
pub fn check_key(text: &str, longest: usize, origin: Origin, last: Option<&str>) -> Result<(), Flaw> {
    if text.chars().nth(longest).is_none() {
        return Ok(());
    }
    let length = text.chars().count();
    let detail = format!("a key of {length} characters; its column holds {longest}, and keys are never cut");
    Err(origin.flaw(Reason::KeyTooLong, last, detail))
}

/// Compact text for a JSON column, checked against what the database can hold.
pub fn json_column(value: &Value, origin: Origin, last: Option<&str>, context: &DecodeContext) -> Result<String, Flaw> {
    if !is_within_limits(value, context) {
        check_limits(value, &mut origin.pointer(last), origin.file, context)?;
    }
    let text = json::to_compact(value);
    if text.len() > context.limits.json_bytes {
        return Err(origin.flaw(Reason::TextTooLong, last, "larger than any JSON that the database holds"));
    }
    Ok(text)
}

/// Whether all is well, without a pointer to what is not.
fn is_within_limits(value: &Value, context: &DecodeContext) -> bool {
    let limits = &context.limits;
    let is_short = |text: &str| text.len() <= limits.json_string_bytes;
    match value {
        Value::Number(spelling) => {
            limits.json_number_digits.is_none_or(|(before, after)| json::fits_digits(spelling, before, after))
        }
        Value::String(text) => is_short(text),
        Value::Array(items) => items.iter().all(|item| is_within_limits(item, context)),
        Value::Object(members) => {
            members.iter().all(|(key, member)| is_short(key) && is_within_limits(member, context))
        }
        Value::Null | Value::Bool(_) => true,
    }
}

/// The first value that is beyond a limit, as a flaw with its place.
fn check_limits(value: &Value, pointer: &mut String, file: usize, context: &DecodeContext) -> Result<(), Flaw> {
    let limits = &context.limits;
    let too_long = |pointer: &str| {
        let detail = "a string longer than the database holds inside JSON";
        Flaw::new(Reason::TextTooLong, file, Place::at_pointer(pointer), detail)
    };
    let length = pointer.len();
    match value {
        Value::Number(spelling) => {
            if let Some((before, after)) = limits.json_number_digits {
                if !json::fits_digits(spelling, before, after) {
                    let detail = "a number with more digits than the database holds inside JSON";
                    return Err(Flaw::new(Reason::NumberOutOfRange, file, Place::at_pointer(&*pointer), detail));
                }
            }
        }
        Value::String(text) if text.len() > limits.json_string_bytes => return Err(too_long(pointer)),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                json::push_pointer(pointer, &at.to_string());
                check_limits(item, pointer, file, context)?;
                pointer.truncate(length);
            }
        }
        Value::Object(members) => {
            for (key, member) in *members {
                if key.len() > limits.json_string_bytes {
                    return Err(too_long(pointer));
                }
                json::push_pointer(pointer, key);
                check_limits(member, pointer, file, context)?;
                pointer.truncate(length);
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::model::Limits;

    #[test]
    fn what_no_json_column_holds_is_refused_at_its_place() {
        let limits =
            Limits { json_number_digits: Some((5, 2)), json_string_bytes: 4, json_bytes: 30, text_bytes: 1 << 20 };
        let base_time = Instant(0);
        let context = DecodeContext { zone: TimeZone::UTC, limits, base_time, part_rows: 1, part_bytes: 1 };
        let steps = [Step::Index(2)];
        let refused = |text: &str| {
            let arena = json::Arena::new();
            let value = json::parse(text.as_bytes(), &arena).unwrap();
            let flaw = json_column(&value, Origin { file: 0, steps: &steps }, Some("metadata"), &context).err()?;
            Some((flaw.reason, flaw.place.pointer.unwrap()))
        };
        let at = |reason, pointer: &str| Some((reason, format!("/2/metadata{pointer}")));
        assert_eq!(refused("{\"a\":[12345.25,\"four\"],\"b\":\"é€\"}"), at(Reason::TextTooLong, "/b"));
        assert_eq!(refused("{\"a\":[12345.25,\"four\"]}"), None);
        assert_eq!(refused("{\"a\":[1,1e5]}"), at(Reason::NumberOutOfRange, "/a/1"));
        assert_eq!(refused("{\"a\":0.125}"), at(Reason::NumberOutOfRange, "/a"));
        assert_eq!(refused("{\"a\":{\"fives\":1}}"), at(Reason::TextTooLong, "/a"));
        assert_eq!(refused("[1,2,3,4,5,6,7,8,9,10,11,12,13,14]"), at(Reason::TextTooLong, ""));
    }
}
