//! `rejects list|show|export|retry|accept`: how rejects are shown.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use uuid::Uuid;

use crate::config::Config;
use crate::ledger::{self, LedgerReject};
use crate::model::ledger::REJECTS;
use crate::model::path::escape_controls;
use crate::model::{Instant, Reject, RelPath, Row};
use crate::pipeline;
use crate::target::Connection;

use super::args::{RejectsAction, RejectsArgs};
use super::engine;
use super::exit::Exit;
use super::failure::Failure;
use super::migrate::{migrate, MigrateOptions};

use super::human::{bytes, columns, Side};
use super::json;
use super::print;

/// Runs `rejects`.
pub fn run(args: &RejectsArgs, config: &Config, quiet: bool) -> Result<Exit, Failure> {
    let format = engine::format(config)?;
    let target = engine::target(config)?;
    let mut connection = engine::ledger(&*target, format)?;
    let mut held = ledger::all_rejects(&mut *connection).map_err(Failure::new)?;
    held.sort_by(|a, b| a.file.cmp(&b.file));
    match &args.action {
        RejectsAction::List { all, json, redact } => {
            let views: Vec<RejectView> = held
                .iter()
                .filter(|reject| *all || reject.accepted.is_none())
                .map(|reject| RejectView::of_ledger(reject, *redact))
                .collect();
            print(|out| if *json { write_list_json(out, &views) } else { write_list(out, &views) })?;
            Ok(Exit::Done)
        }
        RejectsAction::Show { id, json, redact } => {
            let reject = held.iter().find(|reject| reject.document == *id).ok_or_else(|| unknown(*id))?;
            let view = RejectView::of_ledger(reject, *redact);
            print(|out| if *json { write_one_json(out, &view) } else { write_one(out, &view) })?;
            Ok(Exit::Done)
        }
        RejectsAction::Export { dir, .. } => export(dir, &held, config),
        RejectsAction::Retry { json, .. } => {
            drop(connection);
            retry(&held, config, *json, quiet)
        }
        RejectsAction::Accept { ids, reason } => accept(&mut *connection, held, ids, reason),
    }
}

fn unknown(id: Uuid) -> Failure {
    Failure::new(anyhow::Error::msg(format!("there is no reject {id}")))
        .with_hint("`transload rejects list` shows their ids")
}

/// Tries the open ones again, and only them.
fn retry(held: &[LedgerReject], config: &Config, json: bool, quiet: bool) -> Result<Exit, Failure> {
    let open: HashSet<Uuid> =
        held.iter().filter(|reject| reject.accepted.is_none()).map(|reject| reject.document).collect();
    if open.is_empty() {
        print(|out| writeln!(out, "no rejects"))?;
        return Ok(Exit::Done);
    }
    let options = MigrateOptions { json, ..MigrateOptions::default() };
    migrate(config, &options, Some(open), "rejects retry", quiet)
}

/// From now on these no longer count as left over, as long as their files stay as they are.
fn accept(
    connection: &mut dyn Connection,
    held: Vec<LedgerReject>,
    ids: &[Uuid],
    reason: &str,
) -> Result<Exit, Failure> {
    let mut accepted = Vec::new();
    for id in ids {
        let reject = held.iter().find(|reject| reject.document == *id).ok_or_else(|| unknown(*id))?;
        accepted.push(LedgerReject { accepted: Some((reason.to_owned(), Instant::now())), ..reject.clone() });
    }
    let rows: Vec<Row> = accepted.iter().map(LedgerReject::to_row).collect();
    connection.update(&REJECTS, &rows).map_err(Failure::new)?;
    print(|out| writeln!(out, "{} accepted: {}", accepted.len(), escape_controls(reason)))?;
    Ok(Exit::Done)
}

/// The files as they are now, beside the reasons, for whoever mends them elsewhere.
fn export(directory: &Path, held: &[LedgerReject], config: &Config) -> Result<Exit, Failure> {
    let source = config.source()?;
    config.check_output(directory, "the directory to export to")?;
    let open: Vec<&LedgerReject> = held.iter().filter(|reject| reject.accepted.is_none()).collect();
    let exported = pipeline::export_rejects(directory, source, &config.rejects, &open).map_err(Failure::new)?;
    print(|out| {
        writeln!(out, "{} rejects, {} files in {}", open.len(), exported.files, RelPath::new(directory))?;
        exported
            .missing
            .iter()
            .try_for_each(|path| writeln!(out, "  not to be had any more: `{}`", escape_controls(path)))
    })?;
    Ok(Exit::of_leftovers(!exported.missing.is_empty()))
}

/// What stands for a name or key that is not to be seen.
const MASK: &str = "***";

/// A reject as it is shown, whether it comes from the ledger or from a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectView {
    /// The document's id, a UUID.
    pub id: String,
    pub kind: String,
    pub key: String,
    /// The file that the flaw is in, as `RelPath::to_text` gives it.
    pub file: String,
    pub bytes: u64,
    /// The reason's code.
    pub reason: String,
    pub line: Option<u64>,
    pub column: Option<u64>,
    pub pointer: Option<String>,
    pub detail: String,
    /// The run that found it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Why it was accepted, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_because: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<String>,
}

impl From<&Reject> for RejectView {
    fn from(reject: &Reject) -> RejectView {
        let place = &reject.flaw.place;
        RejectView {
            id: reject.document.to_string(),
            kind: reject.kind.to_owned(),
            key: reject.key.clone(),
            file: reject.file().to_text(),
            bytes: reject.bytes,
            reason: reject.flaw.reason.code().to_owned(),
            line: place.line,
            column: place.column,
            pointer: place.pointer.clone(),
            detail: reject.flaw.detail.clone(),
            run: None,
            accepted_because: None,
            accepted_at: None,
        }
    }
}

impl RejectView {
    /// A reject of the ledger.
    pub fn of_ledger(reject: &LedgerReject, redact: bool) -> RejectView {
        let (accepted_because, accepted_at) = reject.accepted.clone().unzip();
        let view = RejectView {
            id: reject.document.to_string(),
            kind: reject.kind.clone(),
            key: reject.key.clone(),
            file: reject.file.clone(),
            bytes: reject.bytes,
            reason: reject.reason.clone(),
            line: reject.place.line,
            column: reject.place.column,
            pointer: reject.place.pointer.clone(),
            detail: reject.detail.clone(),
            run: Some(reject.run.to_string()),
            accepted_because,
            accepted_at: accepted_at.map(Instant::to_fixed),
        };
        if redact {
            view.redacted()
        } else {
            view
        }
    }

    /// Without names and keys: what is left can be shown to somebody who must not see the data.
    pub fn redacted(mut self) -> RejectView {
        self.key = MASK.to_owned();
        self.file = redacted_path(&self.file);
        self.pointer = self.pointer.map(|pointer| redacted_pointer(&pointer));
        self
    }

    fn place(&self) -> String {
        let mut place = String::new();
        if let (Some(line), Some(column)) = (self.line, self.column) {
            place += &format!(" line {line} column {column}");
        }
        if let Some(pointer) = self.pointer.as_deref().filter(|pointer| !pointer.is_empty()) {
            place += &format!(" at {}", escape_controls(pointer));
        }
        place
    }

    /// Reason, file, place and detail on one line.
    pub fn line(&self) -> String {
        let file = escape_controls(&self.file);
        format!("{}: `{file}`{}: {}", self.reason, self.place(), escape_controls(&self.detail))
    }
}

/// A path whose directory and extension are left: `users/***.json`.
pub(super) fn redacted_path(path: &str) -> String {
    let path = RelPath::from_text(path);
    let extension = path.as_path().extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let dot = if extension.is_empty() { "" } else { "." };
    match path.directory() {
        Some("") => format!("{MASK}{dot}{extension}"),
        Some(directory) => {
            // Only the first directory is the layout's own; deeper ones are named after people.
            let (first, deeper) = directory.split_once('/').map_or((directory, ""), |(first, _)| (first, "/***"));
            format!("{first}{deeper}/{MASK}{dot}{extension}")
        }
        None => format!("{MASK}{dot}{extension}"),
    }
}

/// A pointer of which only the positions in arrays are left: `/***/3/***`.
fn redacted_pointer(pointer: &str) -> String {
    let shown = |step: &str| match !step.is_empty() && step.len() < 10 && step.bytes().all(|byte| byte.is_ascii_digit())
    {
        true => step.to_owned(),
        false => MASK.to_owned(),
    };
    let mut steps = pointer.split('/');
    // What stands before the first slash is empty.
    steps.next();
    steps.map(|step| format!("/{}", shown(step))).collect()
}

pub fn write_list(out: &mut dyn Write, rejects: &[RejectView]) -> io::Result<()> {
    if rejects.is_empty() {
        return writeln!(out, "no rejects");
    }
    for reject in rejects {
        let accepted = if reject.accepted_because.is_some() { " (accepted)" } else { "" };
        writeln!(out, "{}  {}{accepted}", reject.id, reject.line())?;
    }
    Ok(())
}

/// One object a line.
pub fn write_list_json(out: &mut dyn Write, rejects: &[RejectView]) -> io::Result<()> {
    for reject in rejects {
        write_one_json(out, reject)?;
    }
    Ok(())
}

pub fn write_one_json(out: &mut dyn Write, reject: &RejectView) -> io::Result<()> {
    json::write_line(out, reject)
}

/// Everything about one reject.
pub fn write_one(out: &mut dyn Write, reject: &RejectView) -> io::Result<()> {
    let mut lines = vec![
        ("id", reject.id.clone()),
        ("document", format!("{} {}", reject.kind, escape_controls(&reject.key))),
        ("file", format!("`{}`{}", escape_controls(&reject.file), reject.place())),
        ("bytes", bytes(reject.bytes)),
        ("reason", format!("{}: {}", reject.reason, escape_controls(&reject.detail))),
    ];
    if let Some(run) = &reject.run {
        lines.push(("found by", format!("run {run}")));
    }
    if let Some(because) = &reject.accepted_because {
        let when = reject.accepted_at.as_deref().unwrap_or("at an unknown time");
        lines.push(("accepted", format!("{when}: {}", escape_controls(because))));
    }
    let lines: Vec<Vec<String>> = lines.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    out.write_all(columns(&[Side::Left, Side::Left], &lines).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Flaw, Place, Reason};

    fn reject() -> Reject {
        let place = Place { line: Some(3), column: Some(9), pointer: Some("/profile/color/0".into()) };
        Reject {
            document: Uuid::nil(),
            kind: "memory",
            key: "ada@example.org".into(),
            files: vec![RelPath::new("memory/ada@example.org.json")],
            bytes: 12,
            digest: [0; 32],
            flaw: Flaw::new(Reason::WrongType, 0, place, "expected an object"),
        }
    }

    fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).expect("a vector takes all");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_reject_is_listed_with_its_place_and_reason() {
        let view = RejectView::from(&reject());
        assert_eq!(
            text(|out| write_list(out, &[view])),
            "00000000-0000-0000-0000-000000000000  wrong_type: `memory/ada@example.org.json` line 3 column 9 \
             at /profile/color/0: expected an object\n"
        );
    }

    #[test]
    fn a_redacted_reject_names_nobody() {
        let view = RejectView::from(&reject()).redacted();
        let all = text(|out| write_one(out, &view)) + &text(|out| write_one_json(out, &view));
        assert!(!all.contains("ada") && !all.contains("color"), "{all}");
        assert!(all.contains("`memory/***.json` line 3 column 9 at /***/***/0"), "{all}");
        assert_eq!(redacted_path("email_logs/ada/thread.json"), "email_logs/***/***.json");
        assert_eq!(redacted_path("ada"), "***");
    }

    #[test]
    fn an_accepted_reject_says_why_and_when() {
        let mut held = LedgerReject::new(&reject(), Uuid::max());
        held.accepted = Some(("spam".to_owned(), Instant(0)));
        let view = RejectView::of_ledger(&held, false);
        assert_eq!(view.run.clone(), Some(Uuid::max().to_string()));
        assert!(text(|out| write_one(out, &view)).contains("accepted  1970-01-01T00:00:00.000000Z: spam\n"));
        assert!(text(|out| write_list(out, &[view])).contains("(accepted)"));
    }
}
