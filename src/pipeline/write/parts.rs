//! A document's parts with their rows, wherever those are: held, to be decoded again from the bytes
//! that were read, or from a file too large to be held.

use std::ops::ControlFlow;

use crate::model::{Decoded, Part};
use crate::pipeline::examine::Undecoded;
use crate::pipeline::item::{Item, Ready, Source};
use crate::source::Reading;
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
    matches!(item, Item::Load(loaded) if loaded.reading.is_none())
}

/// Gives the document's parts to `each`, as often as it is called.
pub fn each_part(
    env: &Env,
    item: &Item,
    each: &mut dyn FnMut(&Part) -> Result<(), ReplaceError>,
) -> Result<Decoded, Stopped> {
    match item {
        Item::Load(loaded) => match &loaded.reading {
            Some(reading) => decode(env, &loaded.source, reading, each),
            None => {
                for part in &loaded.parts {
                    let Ready::Plain(part) = part else { unreachable!("what is encoded can be decoded again") };
                    each(part)?;
                }
                Ok(loaded.decoded.clone())
            }
        },
        Item::Stream(streamed) => decode(env, &streamed.source, &streamed.reading, each),
        Item::Reject(_) | Item::Touch(_) => unreachable!("it has no parts"),
    }
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
