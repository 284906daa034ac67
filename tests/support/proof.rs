//! Verifications as a library call: what the program asks for by default, but for its patience.

use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use transload::exec::{Progress, Stop};
use transload::format::donna::tables::{KINDS, SYSTEM_LOGS};
use transload::format::donna::Donna;
use transload::format::Format;
use transload::model::Table;
use transload::target::Target;
use transload::verify::outcome::Outcome;
use transload::verify::waivers::Waivers;
use transload::verify::{Job, Options, VerifyError};

/// All kinds of documents, every difference kept, and no waiting for what might still come.
pub fn options() -> Options {
    Options {
        kinds: KINDS.to_vec(),
        zone: TimeZone::UTC,
        follow_links: false,
        whole_bytes: 4 << 20,
        threads: 2,
        sample: None,
        changed_since: None,
        max_differences: 1_000_000,
        max_lag: Duration::from_millis(50),
        max_unsettled: 0.005,
        tries: 4,
        waivers: Waivers::default(),
        receipt: false,
        guards: false,
    }
}

/// With the tables that the database has.
fn format_of(target: &dyn Target) -> &'static dyn Format {
    let mut readers = target.readers(1).expect("the database answers");
    let logs = readers[0].live_columns(&SYSTEM_LOGS).expect("the schema can be read");
    let lacking: &[&'static Table] = &[&SYSTEM_LOGS];
    Donna.lacking(if logs.is_some() { &[] } else { lacking })
}

pub fn try_verify(source: &Path, target: &dyn Target, options: &Options) -> Result<Outcome, VerifyError> {
    let (stop, progress) = (Stop::new(), Progress::new());
    let format = format_of(target);
    let job = Job { format, source, target, options, stop: &stop, progress: &progress, tick: &|_| {} };
    transload::verify::verify(&job)
}

pub fn verify(source: &Path, target: &dyn Target, options: &Options) -> Outcome {
    try_verify(source, target, options).expect("the verification comes to its end")
}
