//! The result as a person reads it on a terminal: the verdict, the account, the first differences.

use std::io::{self, Write};
use std::time::Duration;

use crate::cli::human::{columns, duration, thousands, Side};
use crate::model::path::escape_controls;
use crate::verify::outcome::{Cause, Difference, Documents, Listed, Outcome, Verdict};
use crate::verify::report::values::{self, Piece, Room};
use crate::verify::report::words;

/// How many differences and how many documents are written out.
const SHOWN: usize = 20;

/// A value on one line of a terminal.
const ROOM: Room = Room { differs: 72, around: 24, ends: 12 };

/// The longest name, pointer or message.
const LONGEST: usize = 200;

/// Writes the result; `outcome` is masked already where it is to be.
pub fn write(out: &mut dyn Write, outcome: &Outcome, masked: bool) -> io::Result<()> {
    writeln!(out, "{}", words::title(outcome).to_uppercase())?;
    for sentence in words::sentences(outcome) {
        writeln!(out, "  {}", short(&sentence))?;
    }
    kinds(out, outcome)?;
    tables(out, outcome)?;
    equations(out, outcome)?;
    causes(out, outcome)?;
    differences(out, outcome, masked)?;
    listed(out, outcome)?;
    waivers(out, outcome)?;
    let took = Duration::try_from_secs_f64(outcome.seconds).unwrap_or_default();
    let rows: u64 = outcome.tables.values().map(|table| table.rows).sum();
    writeln!(out, "\nsource     {}", short(&outcome.source))?;
    writeln!(out, "target     {}", short(&outcome.target))?;
    writeln!(out, "time       {} for {} rows", duration(took), thousands(rows))
}

fn kinds(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    if outcome.kinds.is_empty() {
        return Ok(());
    }
    let shown: Vec<Verdict> = Verdict::ALL
        .into_iter()
        .filter(|verdict| *verdict == Verdict::Agreed || outcome.documents.of(*verdict) > 0)
        .collect();
    let labels = shown.iter().map(|verdict| words::verdict(*verdict).0.to_owned());
    let mut lines: Vec<Vec<String>> = vec![["kind".into(), "documents".into()].into_iter().chain(labels).collect()];
    let line = |name: &str, documents: &Documents| {
        let counts = shown.iter().map(|verdict| thousands(documents.of(*verdict)));
        [name.to_owned(), thousands(documents.found)].into_iter().chain(counts).collect()
    };
    lines.extend(outcome.kinds.iter().map(|(kind, documents)| line(kind, documents)));
    lines.push(line("total", &outcome.documents));
    let sides = [&[Side::Left][..], &vec![Side::Right; shown.len() + 1]].concat();
    write!(out, "\n{}", columns(&sides, &lines))
}

fn tables(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    if outcome.tables.is_empty() {
        return Ok(());
    }
    let mut lines = vec![["table", "rows", "values", "differences"].map(str::to_owned).to_vec()];
    for (table, count) in &outcome.tables {
        let counts = [count.rows, count.values, count.differences].map(thousands);
        lines.push([&[(*table).to_owned()][..], &counts].concat());
    }
    write!(out, "\n{}", columns(&[Side::Left, Side::Right, Side::Right, Side::Right], &lines))?;
    match outcome.waived {
        0 => Ok(()),
        _ => writeln!(out, "(with the waived differences)"),
    }
}

fn equations(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let files = &outcome.files;
    writeln!(
        out,
        "\nfiles      {} found = {} in documents + {} not migrated + {} unreadable + {} vanished",
        thousands(files.found),
        thousands(files.in_documents),
        thousands(files.not_migrated),
        thousands(files.unreadable),
        thousands(files.vanished)
    )?;
    let documents = &outcome.documents;
    let term = |verdict: Verdict| format!("{} {}", thousands(documents.of(verdict)), words::verdict(verdict).0);
    writeln!(out, "documents  {} = {}", thousands(documents.found), Verdict::ALL.map(term).join(" + "))?;
    if !outcome.is_balanced() {
        writeln!(out, "THE COUNTS DO NOT ADD UP: this is a mistake of transload's own, please report it")?;
    }
    Ok(())
}

fn causes(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let count = |cause: Cause| outcome.causes.get(cause.code()).copied().unwrap_or(0);
    let mut found: Vec<Cause> = Cause::ALL.into_iter().filter(|cause| count(*cause) > 0).collect();
    found.sort_by_key(|cause| std::cmp::Reverse(count(*cause)));
    if found.is_empty() {
        return Ok(());
    }
    let line = |cause: &Cause| {
        let means = words::cause(*cause).means.to_owned();
        vec![format!("  {}", cause.code()), thousands(count(*cause)), means]
    };
    let lines: Vec<Vec<String>> = found.iter().map(line).collect();
    write!(out, "\ndifferences by cause\n{}", columns(&[Side::Left, Side::Right, Side::Left], &lines))
}

fn differences(out: &mut dyn Write, outcome: &Outcome, masked: bool) -> io::Result<()> {
    let open = || outcome.listed_differences.iter().filter(|difference| difference.waived.is_none());
    if open().next().is_none() {
        return Ok(());
    }
    writeln!(out, "\nthe first differences")?;
    for difference in open().take(SHOWN) {
        one(out, difference, masked || difference.secret)?;
    }
    match open().count().checked_sub(SHOWN) {
        Some(more) if more > 0 => writeln!(out, "  and {} more (--json, or --report FILE)", thousands(more as u64)),
        _ => Ok(()),
    }
}

fn one(out: &mut dyn Write, difference: &Difference, masked: bool) -> io::Result<()> {
    let file = if difference.file.is_empty() { "no file".to_owned() } else { format!("`{}`", short(&difference.file)) };
    let pointer = if difference.pointer.is_empty() { "" } else { " at " };
    writeln!(out, "  {}: {file}{pointer}{}", difference.cause.code(), short(&difference.pointer))?;
    let mut place: Vec<String> = Vec::new();
    if let Some(table) = &difference.table {
        let column = difference.column.iter().map(|column| format!(".{}", short(column)));
        place.push(format!("{}{}", short(table), column.collect::<String>()));
    }
    place.extend(difference.row.map(|row| format!("row {row}")));
    if place.is_empty() {
        place.push(format!("document {}", difference.document));
    }
    writeln!(out, "    {}: {}", place.join(", "), said(difference))?;
    let (file, database) = (difference.in_file.as_deref(), difference.in_database.as_deref());
    let whole = |text| values::cut(text, ROOM.differs);
    let (file, database) = match (file, database) {
        (None, None) => return Ok(()),
        (Some(file), Some(database)) if !masked => {
            let (file, database) = values::beside(file, database, ROOM);
            (Some(file), Some(database))
        }
        (file, database) => (file.map(whole), database.map(whole)),
    };
    writeln!(out, "    file      {}", value(file))?;
    writeln!(out, "    database  {}", value(database))
}

/// What else there is to say, in one line: the detail, and which side moved.
fn said(difference: &Difference) -> String {
    let moved = words::moved(difference.moved);
    match &difference.detail {
        Some(detail) => format!("{}. {moved}", short(detail)),
        None => moved.to_owned(),
    }
}

fn value(pieces: Option<Vec<Piece>>) -> String {
    let Some(pieces) = pieces else { return "(nothing)".to_owned() };
    let shown = |piece: Piece| match piece {
        Piece::Same(text) | Piece::Differs(text) => escape_controls(text),
        Piece::Cut(count) => format!(" …{} more… ", thousands(count as u64)),
    };
    pieces.into_iter().map(shown).collect()
}

fn short(text: &str) -> String {
    value(Some(values::cut(text, LONGEST)))
}

fn listed(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let open: Vec<&Listed> = outcome.listed.iter().filter(|listed| !listed.accepted).collect();
    if open.is_empty() {
        return Ok(());
    }
    writeln!(out, "\ndocuments to look at")?;
    for listed in open.iter().take(SHOWN) {
        let label = words::verdict(listed.verdict).0;
        match listed.file.as_str() {
            "" => writeln!(out, "  {label}: {} {}: {}", listed.kind, listed.document, short(&listed.text))?,
            file => writeln!(out, "  {label}: `{}`: {}", short(file), short(&listed.text))?,
        }
    }
    match open.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => writeln!(out, "  and {} more (--json, or --report FILE)", thousands(more as u64)),
        _ => Ok(()),
    }
}

/// Waivers are never silent: what each covers, and which no longer do anything.
fn waivers(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    if outcome.waivers.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nwaivers")?;
    for waiver in &outcome.waivers {
        let state = match (waiver.expired, waiver.covered) {
            (true, _) => format!("EXPIRED after {}, covers nothing", waiver.until),
            (false, 0) => format!("UNUSED, until {}", waiver.until),
            (false, covered) => format!("covers {}, until {}", thousands(covered), waiver.until),
        };
        writeln!(out, "  {}: `{}`: {state}: {}", waiver.cause, short(&waiver.document), short(&waiver.reason))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::verify::example;
    use crate::verify::report;

    fn text(outcome: &Outcome, redact: bool) -> String {
        let mut out = Vec::new();
        write(&mut out, &report::masked(outcome, redact), redact).expect("a vector takes all");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn people_get_the_verdict_the_account_and_the_first_differences() {
        assert_eq!(
            text(&example::differing(), false),
            "\
FILES AND DATABASE DIFFER
  Of 1,213 documents, 1,209 agree. The others: 2 different, 1 rejected and 1 unsettled.
  Waivers cover 1 difference in 1 document.
  1 document was rejected, and somebody has accepted that with a reason.
  Not looked at: documents of the kinds logs.

kind   documents  agreed  different  rejected  unsettled
chats      1,013   1,009          2         1          1
users        200     200          0         0          0
total      1,213   1,209          2         1          1

table       rows   values  differences
messages  23,800  214,200            2
users        200    2,000            0
(with the waived differences)

files      1,217 found = 1,214 in documents + 3 not migrated + 0 unreadable + 0 vanished
documents  1,213 = 1,209 agreed + 2 different + 0 missing + 0 only in database + 1 rejected + 0 stale + 1 unsettled \
+ 0 unreadable

differences by cause
  edited_in_database  1  The row is not what was written when the document was loaded; the file still is.

the first differences
  edited_in_database: `chat_sessions/a\\u{1b}.json` at /3/content
    messages.content, row 00000000-0000-0000-0000-000000000002: The database has changed since the file was loaded; the file has not.
    file      \"Is anybody there?\"
    database  \"Is anybody here?\\u{202e}\"

documents to look at
  unsettled: `chat_sessions/busy.json`: it changed during each of 5 tries

waivers
  missing_row: `chat_sessions/old.json`: covers 1, until 2026-12-31: lost in 2024, ticket 12
  missing_row: `chat_sessions/gone.json`: EXPIRED after 2026-06-29, covers nothing: lost in 2024, ticket 12

source     data
target     sqlite:a.db
time       12.50 s for 24,000 rows
"
        );
    }

    #[test]
    fn a_redacted_result_has_types_and_lengths() {
        let text = text(&example::differing(), true);
        assert!(text.contains("    file      text of 17 characters\n    database  text of 17 characters\n"), "{text}");
        assert!(!text.contains("anybody"), "{text}");
    }

    #[test]
    fn a_long_value_is_cut_around_what_differs() {
        let mut outcome = example::differing();
        let long = "x".repeat(1_000_000);
        outcome.listed_differences[0].in_file = Some(format!("\"{long}a{long}\""));
        outcome.listed_differences[0].in_database = Some(format!("\"{long}b{long}\""));
        let text = text(&outcome, false);
        assert!(text.lines().all(|line| line.chars().count() < 200), "{text}");
        let shown = format!(" …999,965 more… {}b{} …999,965 more… ", "x".repeat(24), "x".repeat(24));
        assert!(text.contains(&shown), "{text}");
    }
}
