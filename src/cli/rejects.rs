//! `rejects list|show|export|retry|accept`: how rejects are shown.

use std::io::{self, Write};

use serde::Serialize;

use crate::model::ledger::rejects as at;
use crate::model::path::escape_controls;
use crate::model::{Reason, Reject, RelPath, Row, Value};

use super::human::{bytes, columns, Side};

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
    pub reason: &'static str,
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
            reason: reject.flaw.reason.code(),
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
    /// From a row of the ledger's table `rejects`; `None` if it is no such row.
    pub fn from_row(row: &Row) -> Option<RejectView> {
        let value = |column: usize| row.0.get(column);
        let text = |column| value(column).and_then(Value::as_text).map(str::to_owned);
        let count = |column| value(column).and_then(Value::as_int).and_then(|count| u64::try_from(count).ok());
        Some(RejectView {
            id: value(at::DOCUMENT_ID)?.as_uuid()?.to_string(),
            kind: text(at::KIND)?,
            key: text(at::DOC_KEY)?,
            file: text(at::FILE)?,
            bytes: count(at::BYTES)?,
            reason: Reason::from_code(&text(at::REASON)?)?.code(),
            line: count(at::LINE),
            column: count(at::COL),
            pointer: text(at::POINTER),
            detail: text(at::DETAIL)?,
            run: value(at::RUN_ID)?.as_uuid().map(|run| run.to_string()),
            accepted_because: text(at::ACCEPTED_BECAUSE),
            accepted_at: value(at::ACCEPTED_AT).and_then(Value::as_time).map(|instant| instant.to_fixed()),
        })
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
    serde_json::to_writer(&mut *out, reject)?;
    writeln!(out)
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
    use crate::model::ledger::REJECTS;
    use crate::model::{Flaw, Instant, Place};
    use uuid::Uuid;

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
    fn a_ledger_row_is_read_by_its_columns() {
        let mut row = Row(vec![Value::Null; REJECTS.columns.len()]);
        row.0[at::DOCUMENT_ID] = Value::Uuid(Uuid::nil());
        row.0[at::RUN_ID] = Value::Uuid(Uuid::max());
        row.0[at::BYTES] = Value::Int(12);
        row.0[at::LINE] = Value::Int(3);
        for (column, value) in [
            (at::KIND, "chats"),
            (at::DOC_KEY, "a"),
            (at::FILE, "chat_sessions/a.json"),
            (at::REASON, "truncated"),
            (at::DETAIL, "the file ends"),
            (at::ACCEPTED_BECAUSE, "spam"),
        ] {
            row.0[column] = Value::Text(value.into());
        }
        row.0[at::ACCEPTED_AT] = Value::Time(Instant(0));
        let view = RejectView::from_row(&row).expect("a reject");
        assert_eq!((view.reason, view.line, view.run.clone()), ("truncated", Some(3), Some(Uuid::max().to_string())));
        assert!(text(|out| write_one(out, &view)).contains("accepted  1970-01-01T00:00:00.000000Z: spam\n"));
        assert!(text(|out| write_list(out, &[view])).contains("(accepted)"));
        assert_eq!(RejectView::from_row(&Row(Vec::new())), None);
    }
}
