//! Verifications as a library call: what the program asks for by default, but for its patience.

use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use transload::exec::{Progress, Stop};
use transload::format::donna::tables::KINDS;
use transload::format::donna::Donna;
use transload::target::Target;
use transload::verify::outcome::Outcome;
use transload::verify::waivers::Waivers;
use transload::verify::{Job, Options, VerifyError};

static DONNA: Donna = Donna;

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

pub fn try_verify(source: &Path, target: &dyn Target, options: &Options) -> Result<Outcome, VerifyError> {
    let (stop, progress) = (Stop::new(), Progress::new());
    let job = Job { format: &DONNA, source, target, options, stop: &stop, progress: &progress, tick: &|_| {} };
    transload::verify::verify(&job)
}

pub fn verify(source: &Path, target: &dyn Target, options: &Options) -> Outcome {
    try_verify(source, target, options).expect("the verification comes to its end")
}
