//! What verdicts and causes mean and what to do about them, in words for whoever is woken by them.
//! `docs/verifying.md` says the same at greater length.

use crate::model::figures::thousands;
use crate::verify::outcome::{Cause, Conclusion, Moved, Outcome, Verdict};

/// A cause in words.
pub struct Explained {
    pub title: &'static str,
    pub means: &'static str,
    pub to_do: &'static str,
}

pub fn cause(cause: Cause) -> Explained {
    let (title, means, to_do) = match cause {
        Cause::MissingDocument => (
            "Document missing in the database",
            "There is a file, and no table holds anything of it.",
            "Run `transload migrate`. If the document stays missing, `transload rejects list` says why it is refused.",
        ),
        Cause::OnlyInDatabase => (
            "Only in the database",
            "There are rows of a document that has no file: the file was deleted, or the application wrote to the \
             database alone.",
            "Deleted on purpose: `transload migrate --prune` takes the rows out. Written by the application after the \
             cut-over: expected, no file is needed any more. Neither: restore the file from a backup.",
        ),
        Cause::MissingRow => (
            "Row missing",
            "The file has a message, an entry or a line for which there is no row.",
            "Find out who deletes rows. `transload verify --repair=plan` shows what would be put back.",
        ),
        Cause::ExtraRow => (
            "Row too many",
            "The database has a row below this document that the file does not have.",
            "If the application wrote it to the database alone, the file is behind and the row is worth keeping. If not, \
             `transload verify --repair` takes it out and keeps a copy.",
        ),
        Cause::Reordered => (
            "Other order",
            "Both sides have the same rows, in another order.",
            "Look for what changes `sequence_number`. `transload verify --repair` restores the file's order.",
        ),
        Cause::Precision => (
            "Number of less precision",
            "The two numbers are the same only in double precision: some program read the number as floating point and \
             wrote it back.",
            "The longer number is usually the true one. Find the program that rewrote it, then repair.",
        ),
        Cause::Timezone => (
            "Other time zone",
            "The two times are apart by whole quarters of an hour: the same clock, read in another time zone.",
            "Check the setting `timezone` against the zone of the server that wrote the files, and who writes times to \
             the database without a zone.",
        ),
        Cause::PhpEmpty => (
            "Empty list for empty map",
            "`[]` on one side, `{}` on the other. PHP writes an empty map as an empty list.",
            "PHP reads both alike; a stricter reader may not. Repair it, or waive it if nothing else reads it.",
        ),
        Cause::Truncated => (
            "Cut short",
            "One text is the beginning of the other, or the file ends in the middle.",
            "If the file is the shorter one, keep the database's rows and restore the file from a backup first: a \
             migration or repair now would lose the rest. If the row is shorter, repair.",
        ),
        Cause::Encoding => (
            "Wrong character encoding",
            "One text is the other, decoded as another encoding: `ä` has become `Ã¤`.",
            "Find the program or connection that does not use UTF-8, then repair.",
        ),
        Cause::Blanks => (
            "Blanks at the ends",
            "The texts are the same but for blanks at the beginning or the end.",
            "Something trims or pads: a form, a script, a column of fixed width. Repair it, or waive it.",
        ),
        Cause::Case => (
            "Upper and lower case",
            "The texts are the same but for the case of letters.",
            "Something normalises addresses or names. Decide which side is right, then repair or change the file.",
        ),
        Cause::Null => (
            "NULL, empty or the word null",
            "One side has no value; the other has an empty text, or the word `null`.",
            "Find the program that writes one for the other, then repair.",
        ),
        Cause::ForeignId => (
            "Unknown id",
            "A row stands under an id that transload neither derived nor adopted, or refers to another row than the file \
             says.",
            "Somebody inserted or re-linked rows by hand. `transload verify --repair=plan` shows what would change.",
        ),
        Cause::Dangling => (
            "Reference to nothing",
            "A row refers to a row that is not there. The database's constraints were off at some time.",
            "Find out who switched constraints off and what was deleted then. Restore the missing row, or repair.",
        ),
        Cause::EditedInDatabase => (
            "Edited in the database",
            "The row is not what was written when the document was loaded; the file still is.",
            "If the application now writes to the database, the file is out of date and the row is right. If not, \
             `transload verify --repair` writes the file's value back and keeps a copy.",
        ),
        Cause::EditedInFile => (
            "Edited in the file",
            "The file is not the one that was loaded; the row still is.",
            "Run `transload migrate`: it brings over exactly what changed.",
        ),
        Cause::EditedInBoth => (
            "Edited on both sides",
            "File and row have both changed since the document was loaded.",
            "Only somebody who knows the data can decide. `transload migrate --prefer file` takes the file's side.",
        ),
        Cause::LedgerMissing => (
            "Bookkeeping lost",
            "The rows are there, but transload's own tables do not know the document, or a part of it.",
            "Was only a part of the database restored? `transload migrate` recognises the rows and writes the \
             bookkeeping again.",
        ),
        Cause::LedgerForged => (
            "Bookkeeping contradicts itself",
            "transload's own tables say something that cannot be: somebody else wrote to them.",
            "Find out who may write to the schema `transload`, and take that right away. Then repair.",
        ),
        Cause::Unreadable => (
            "Unreadable file",
            "The file could not be read, or is not JSON of a known shape any more.",
            "The message says what is wrong with it. Mend its rights, or restore it from a backup.",
        ),
        Cause::Unknown => (
            "Different for no known reason",
            "The values differ, and no pattern was recognised.",
            "Look at both values below. If neither side should have changed, find out who did before repairing.",
        ),
    };
    Explained { title, means, to_do }
}

/// A verdict as a label, and what it means.
pub fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Agreed => ("agreed", "file and database say the same"),
        Verdict::Different => ("different", "file and database do not say the same"),
        Verdict::Missing => ("missing", "there is a file, and nothing of it in the database"),
        Verdict::OnlyInDatabase => ("only in database", "there are rows, and no file"),
        Verdict::Rejected => ("rejected", "refused when it was to be loaded, so not in the database"),
        Verdict::Stale => {
            ("stale", "the file has changed since it was loaded, and the database holds the version before")
        }
        Verdict::Unsettled => ("unsettled", "it kept changing while it was compared, so nothing can be said"),
        Verdict::Unreadable => ("unreadable", "a file of it could not be read"),
    }
}

/// Which side moved, as a sentence.
pub fn moved(moved: Moved) -> &'static str {
    match moved {
        Moved::File => "The file has changed since it was loaded; the database has not.",
        Moved::Database => "The database has changed since the file was loaded; the file has not.",
        Moved::Both => "Both sides have changed since the file was loaded.",
        Moved::Neither => {
            "Neither side has changed since the file was loaded: it was loaded wrongly, or the bookkeeping was changed."
        }
        Moved::Unknown => "The bookkeeping does not say which side has changed.",
    }
}

/// The verdict in a few words.
pub fn title(outcome: &Outcome) -> &'static str {
    match &outcome.conclusion {
        Conclusion::Agree if outcome.narrowed => "What was compared agrees",
        Conclusion::Agree if outcome.waived > 0 => "Files and database agree, but for what is waived",
        Conclusion::Agree => "Files and database agree",
        Conclusion::Differ => "Files and database differ",
        Conclusion::NotChecked(_) => "The check could not be done",
    }
}

/// The verdict in sentences: what it rests on, and what was let pass.
pub fn sentences(outcome: &Outcome) -> Vec<String> {
    let documents = &outcome.documents;
    let mut said = Vec::new();
    match &outcome.conclusion {
        Conclusion::NotChecked(why) => {
            said.push(sentence(why));
            said.push("Whether files and database agree is not known: this is neither good news nor bad.".to_owned());
        }
        Conclusion::Agree => said.push(format!(
            "{} compared value by value, and {}.",
            were(documents.agreed + documents.different),
            if outcome.waived > 0 { "nothing differs that is not waived" } else { "nothing differs" }
        )),
        Conclusion::Differ => {
            let parts: Vec<String> = Verdict::ALL
                .into_iter()
                .filter(|verdict| *verdict != Verdict::Agreed && documents.of(*verdict) > 0)
                .map(|one| format!("{} {}", thousands(documents.of(one)), verdict(one).0))
                .collect();
            let found = documents_of(documents.found);
            said.push(match parts.as_slice() {
                [] => format!("Of {found}, all agree, but the files are not all accounted for."),
                parts => format!("Of {found}, {} agree. The others: {}.", thousands(documents.agreed), listed(parts)),
            });
        }
    }
    if outcome.waived > 0 {
        said.push(format!(
            "Waivers cover {} in {}.",
            count(outcome.waived, "difference", "differences"),
            documents_of(outcome.waived_documents)
        ));
    }
    if outcome.accepted > 0 {
        said.push(format!("{} rejected, and somebody has accepted that with a reason.", were(outcome.accepted)));
    }
    if !outcome.not_looked_at.is_empty() {
        said.push(format!("Not looked at: {}.", outcome.not_looked_at.join("; ")));
    }
    said
}

/// A message as a sentence: a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.trim().chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    let whole = first + chars.as_str();
    let stop = if whole.ends_with(['.', '!', '?']) { "" } else { "." };
    whole + stop
}

/// `1 row`, `1,234 rows`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

fn documents_of(number: u64) -> String {
    count(number, "document", "documents")
}

fn were(number: u64) -> String {
    format!("{} {}", documents_of(number), if number == 1 { "was" } else { "were" })
}

/// `a, b and c`.
fn listed(parts: &[String]) -> String {
    match parts {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        parts => parts.concat(),
    }
}
