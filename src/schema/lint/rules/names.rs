//! The directory: names, numbers, and files that are never run.

use std::collections::BTreeSet;

use crate::schema::files::{leading_number, MigrationSet, NameFlaw, StrayReason};
use crate::schema::lint::rule::{BAD_NAME, GAP, NOT_TEXT, OTHER_ENDING, RETIRED_WITHOUT_REASON, SAME_NUMBER};
use crate::schema::lint::Finding;

pub fn check(set: &MigrationSet, findings: &mut Vec<Finding>) {
    for stray in &set.strays {
        let (rule, message) = match &stray.reason {
            StrayReason::BadName(flaw) => (&BAD_NAME, said(*flaw)),
            StrayReason::OtherEnding(ending) if ending.is_empty() => (&OTHER_ENDING, "it is never run".to_owned()),
            StrayReason::OtherEnding(ending) => (&OTHER_ENDING, format!("what ends in `{ending}` is never run")),
            StrayReason::NotText { at } => (&NOT_TEXT, format!("it is not UTF-8 from byte {at} on")),
            StrayReason::Folder => (&OTHER_ENDING, "the migrations in this folder are never run".to_owned()),
        };
        let finding = Finding::new(rule, &stray.file, None, message);
        findings.push(match stray.reason {
            StrayReason::Folder => finding.with_help("name this folder itself to check it, or move its files up"),
            _ => finding,
        });
    }
    for pair in set.files.windows(2) {
        if pair[0].number == pair[1].number {
            let message = format!("`{}` has the same number", pair[0].file);
            findings.push(Finding::new(&SAME_NUMBER, &pair[1].file, None, message));
        }
    }
    gaps(set, findings);
    for retired in set.retired.iter().filter(|retired| retired.reason.is_none()) {
        findings.push(Finding::new(&RETIRED_WITHOUT_REASON, &retired.file, None, "it does not say why it was retired"));
    }
}

/// Retired files and those with a bad name keep their numbers.
fn gaps(set: &MigrationSet, findings: &mut Vec<Finding>) {
    let strays = set.strays.iter().filter_map(|stray| leading_number(&stray.file));
    let retired = set.retired.iter().filter_map(|retired| retired.number);
    let taken: BTreeSet<u32> = set.files.iter().map(|file| file.number).chain(strays).chain(retired).collect();
    for file in &set.files {
        let Some(before) = taken.range(..file.number).next_back() else { continue };
        let first = taken.contains(&file.number) && set.by_number(file.number).is_some_and(|it| it.file == file.file);
        if first && file.number - before > 1 {
            let message = match file.number - before {
                2 => format!("there is no file {:04}", before + 1),
                _ => format!("there are no files {:04} to {:04}", before + 1, file.number - 1),
            };
            findings.push(Finding::new(&GAP, &file.file, None, message));
        }
    }
}

/// What is wrong with a name.
pub fn said(flaw: NameFlaw) -> String {
    match flaw {
        NameFlaw::Number => "its name does not begin with four digits and an underscore".to_owned(),
        NameFlaw::Empty => "its name says nothing behind the number".to_owned(),
        NameFlaw::Hyphen => "there is a hyphen in its name".to_owned(),
        NameFlaw::Capital => "there is a capital letter in its name".to_owned(),
        NameFlaw::Character(c) => format!("there is a {c:?} in its name"),
    }
}
