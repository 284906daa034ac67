//! Chats (layouts 1, 2 and 3) and the two kinds of conversations (8 and 9): the session's row first,
//! then the messages.
//!
//! A history that is held whole is parsed once; a stream is passed over twice, because the session
//! comes first and needs to know all messages.

use std::ops::ControlFlow;

use crate::format::proof::{Expected, Facts, TakeExpected};
use crate::format::Open;
use crate::model::Content;
use crate::node::{self, Node, ReadError};

use super::super::layout::SESSION;
use super::super::tables::{CHAT_SESSIONS, CONVERSATION};
use super::message::{Messages, Survey, CHAT, LEAD, REPLY};
use super::object::check_key;
use super::session::session;
use super::{give, opened, whole_value, Halt, Trouble};

pub fn expect(facts: &Facts, open: &Open, take: &mut TakeExpected) -> Result<(), Halt> {
    check_key(facts.key, 255, "").map_err(|trouble| trouble.halt(0))?;
    let dialect = match facts.key {
        _ if *facts.kind != CONVERSATION => &CHAT,
        key if key.starts_with("mcp/") => &REPLY,
        _ => &LEAD,
    };
    let said = match facts.files.iter().position(|(_, role)| *role == SESSION) {
        None => None,
        Some(file) => match whole_value(open, file)? {
            source @ Node::Map(_) => Some((file, source)),
            _ => return Err(Trouble::shape("", "expected a map").halt(file)),
        },
    };
    let mut survey = Survey::new(dialect, &facts.zone);
    let history = match facts.files.iter().position(|(_, role)| *role != SESSION) {
        None => None,
        Some(file) => {
            let history = History::read(open, file)?;
            history.survey(open, file, &mut survey)?;
            Some((file, history))
        }
    };
    // Without a session file, the history stands for it.
    let (file, source) = said.unwrap_or((history.as_ref().map_or(0, |(file, _)| *file), Node::Map(Vec::new())));
    let session = session(&source, facts, &survey.summary, dialect).map_err(|trouble| trouble.halt(file))?;
    let messages = history.map(|(file, history)| {
        (file, history, Messages::new(facts, &session, dialect, file, std::mem::take(&mut survey.summary.flagged)))
    });
    let (id, cells) = (session.id, session.cells);
    give(take, Expected { table: &CHAT_SESSIONS, id, cells, file, pointer: String::new(), source })?;
    match messages {
        None => Ok(()),
        Some((file, history, messages)) => history.give(open, file, messages, take),
    }
}

/// A list of messages.
enum History {
    Whole(Vec<Node>),
    /// To be opened for each pass.
    Stream,
}

impl History {
    fn read(open: &Open, file: usize) -> Result<History, Halt> {
        let Content::Whole(bytes) = opened(open, file)? else { return Ok(History::Stream) };
        // Whether a table can hold what a message says is asked when its turn comes.
        match node::parse(bytes) {
            Ok((Node::List(items), _)) => Ok(History::Whole(items)),
            Ok(_) => Err(Trouble::shape("", "expected a list").halt(file)),
            Err(error) => Err(Trouble::Json(error).halt(file)),
        }
    }

    fn survey(&self, open: &Open, file: usize, survey: &mut Survey) -> Result<(), Halt> {
        match self {
            History::Whole(items) => {
                items.iter().enumerate().for_each(|(at, item)| survey.message(at, item));
                Ok(())
            }
            History::Stream => stream(open, file, &mut |at, item| {
                survey.message(at, &item);
                Ok(())
            }),
        }
    }

    fn give(self, open: &Open, file: usize, mut messages: Messages, take: &mut TakeExpected) -> Result<(), Halt> {
        let mut each = |at, item| give(take, messages.message(at, item).map_err(|trouble| trouble.halt(file))?);
        match self {
            History::Whole(items) => items.into_iter().enumerate().try_for_each(|(at, item)| each(at, item)),
            History::Stream => stream(open, file, &mut each),
        }
    }
}

/// What ends a pass over a stream: the list itself, or what is done with its elements.
enum End {
    List(ReadError),
    Halt(Halt),
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> End {
        End::List(error)
    }
}

/// One pass over a stream.
fn stream(open: &Open, file: usize, each: &mut dyn FnMut(usize, Node) -> Result<(), Halt>) -> Result<(), Halt> {
    let Content::Stream(reader) = opened(open, file)? else {
        unreachable!("a file that was streamed once is streamed again");
    };
    let passed = node::each_element(reader, &mut |at, item| match each(at, item) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(halt) => Err(End::Halt(halt)),
    });
    match passed {
        Ok(_) => Ok(()),
        Err(End::List(error)) => Err(Trouble::Json(error).halt(file)),
        Err(End::Halt(halt)) => Err(halt),
    }
}
