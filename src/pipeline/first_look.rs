//! Whether a directory is one of the format's at all: somebody may have named another one.

use std::ops::ControlFlow;

use crate::model::{Class, Membership, Phase, RelPath};
use crate::source::{self, WalkError, WalkOptions, Walker};

use super::phase::{walk_phase, Met};
use super::run::Job;

/// Whether there is anything to load at all.
pub fn has_documents(job: &Job) -> Result<bool, WalkError> {
    let (format, options) = (job.format, job.options);
    let is_asked_for = |member: &Membership| options.kinds.contains(&member.kind);
    let is_document = |path: &RelPath| match format.classify(path) {
        Class::Document(member) => is_asked_for(&member),
        Class::ByShape { object, otherwise } => is_asked_for(&object) && is_asked_for(&otherwise),
        Class::NotMigrated { .. } => false,
    };
    let source = WalkOptions::new(job.source, options.follow_links);
    // Nearly always a name says it at once. Only the walk finds what is not so plain.
    let mut found = options.is_narrowed() || source::has_file(&source, is_document)?;
    // Not the run's: what this one has told of is not told again.
    let mut walker = Walker::new(source)?;
    for phase in Phase::ALL {
        if found {
            break;
        }
        walk_phase(format, options, phase, &mut walker, &mut |met| match met {
            Met::Document(_) => {
                found = true;
                ControlFlow::Break(())
            }
            Met::Other { .. } => ControlFlow::Continue(()),
        })?;
    }
    Ok(found)
}
