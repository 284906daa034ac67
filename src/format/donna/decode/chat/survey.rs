//! The first pass over a history: what the session row needs to know of all messages.

use crate::format::{DecodeContext, Open};
use crate::json::Value as Json;
use crate::model::{DecodeError, Instant};

use super::super::content::{each_element, List};
use super::super::time;
use super::{map_role, Dialect};

/// A system message that begins so flags the user's message before it.
const FLAG: &str = "🚩 Conversation flagged";

/// What the session row needs to know of all messages.
#[derive(Default)]
pub struct Survey {
    pub count: u64,
    /// The first time that a message gives.
    pub first_given: Option<Instant>,
    /// From the first message's id.
    pub first_uniqid: Option<Instant>,
    /// The last message's time, given or derived; `None` if no message has one before it.
    pub last: Option<Instant>,
    /// Positions of flagged messages, ascending.
    pub flagged: Vec<usize>,
    /// Whether the first message has none of the new layout's members.
    pub is_old: bool,
}

pub fn survey(
    list: &List,
    open: &Open,
    file: usize,
    dialect: &Dialect,
    context: &DecodeContext,
) -> Result<Survey, DecodeError> {
    let mut survey = Survey::default();
    let mut last_user = None;
    each_element::<DecodeError>(list, open, file, &mut |at, value| {
        let given = dialect.times.iter().find_map(|(name, _)| {
            value.get(name).filter(|value| **value != Json::Null).and_then(|value| time::instant(value, &context.zone))
        });
        let uniqid = value.get("id").and_then(Json::as_str).and_then(time::from_uniqid);
        if at == 0 {
            survey.first_uniqid = uniqid;
            survey.is_old = value.get("sequence_number").is_none() && value.get("metadata").is_none();
        }
        survey.count += 1;
        survey.first_given = survey.first_given.or(given);
        survey.last = given.or(uniqid).or(survey.last);
        let role = dialect.role.and_then(|role| value.get(role)).and_then(Json::as_str).map(map_role);
        match role {
            Some("user") => last_user = Some(at),
            Some("system") => {
                let content = value.get(dialect.content).and_then(Json::as_str);
                if content.is_some_and(|content| content.starts_with(FLAG)) {
                    // Two flags in a row flag the same message.
                    survey.flagged.extend(last_user.filter(|at| survey.flagged.last() != Some(at)));
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(survey)
}
