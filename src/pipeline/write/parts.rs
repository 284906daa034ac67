//! A document's parts with their rows, wherever those are: held, or to be decoded again from its files,
//! because the rows were encoded at once or are too many to be held.

use std::ops::ControlFlow;

use crate::model::{Decoded, Part};
use crate::pipeline::examine::{Examiner, Undecoded};
use crate::pipeline::item::{Item, Ready, Source};
use crate::source::{self, ReadProblem, Reading};
use crate::target::TargetError;

use super::replace::ReplaceError;
use super::Env;

/// Why not all parts were given, or taken.
pub enum Stopped {
    Replace(ReplaceError),
    Undecoded(Undecoded),
}

impl From<ReplaceError> for Stopped {
    fn from(error: ReplaceError) -> Stopped {
        Stopped::Replace(error)
    }
}

impl From<TargetError> for Stopped {
    fn from(error: TargetError) -> Stopped {
        Stopped::Replace(error.into())
    }
}

/// Whether the parts come from held rows, whose references are resolved already.
pub fn are_held(item: &Item) -> bool {
    matches!(item, Item::Load(loaded) if loaded.holds_rows())
}

/// Gives the document's parts to `each`, as often as it is called.
pub fn each_part(
    env: &Env,
    item: &Item,
    each: &mut dyn FnMut(&Part) -> Result<(), ReplaceError>,
) -> Result<Decoded, Stopped> {
    match item {
        Item::Load(loaded) if loaded.holds_rows() => {
            for part in &loaded.parts {
                let Ready::Plain(part) = part else { unreachable!("all rows are held") };
                each(part)?;
            }
            Ok(loaded.decoded.clone())
        }
        Item::Load(loaded) => decode(env, &loaded.source, &read_again(env, &loaded.source)?, each),
        Item::Stream(streamed) => decode(env, &streamed.source, &streamed.reading, each),
        Item::Reject(_) | Item::Touch(_) => unreachable!("it has no parts"),
    }
}

/// The document's files, if they still say what they said.
fn read_again(env: &Env, source: &Source) -> Result<Reading, Stopped> {
    let Examiner { root, read, .. } = env.examiner;
    let reading =
        source::read(root, &source.document, read).map_err(|problem| Stopped::Undecoded(Undecoded::Read(problem)))?;
    if reading.digest != source.digest {
        let problem = ReadProblem::Changed { file: 0, path: source.document.path().clone() };
        return Err(Stopped::Undecoded(Undecoded::Read(problem)));
    }
    Ok(reading)
}

fn decode(
    env: &Env,
    source: &Source,
    reading: &Reading,
    each: &mut dyn FnMut(&Part) -> Result<(), ReplaceError>,
) -> Result<Decoded, Stopped> {
    let mut failure = None;
    let decoded = env.examiner.decode(source, reading, &mut |part| match each(&part) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failure = Some(error);
            ControlFlow::Break(())
        }
    });
    match failure {
        Some(failure) => Err(failure.into()),
        None => decoded.map_err(Stopped::Undecoded),
    }
}
