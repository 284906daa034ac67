//! Any document decodes to rows and residue that their columns can hold, or to a flaw.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use transload::format::donna::tables::{MESSAGES, SYSTEM_LOGS, USERS, USER_MEMORY};
use transload::format::donna::Donna;
use transload::format::{DecodeContext, Format};
use transload::json;
use transload::model::{
    ids, Class, Content, DecodeError, Decoded, Document, Flaw, Instant, Kind, Limits, Part, Reason, RelPath,
    SourceFile, Value,
};
use transload::target::postgres::{Parameters, PostgresOptions, PostgresTarget};
use transload::target::sqlite::SqliteTarget;
use transload::target::Target;

use crate::cases;
use crate::maker::Maker;

/// Documents by the paths of their files.
const DOCUMENTS: [&[&str]; 9] = [
    &["chat_sessions/a.json"],
    &["chat_sessions/a.json", "chat_sessions/a_session.json"],
    &["chat_sessions/6929774277a1b1.12345678_0123456789abcdef_session.json"],
    &["users/u1.json"],
    &["memory/u1.json"],
    &["memory/system_oauth.json"],
    &["conversations/somebody@example.com.json"],
    &["mcp/storage/conversations/d41d8.json"],
    &["logs/error.log"],
];

/// A document with its files' bytes.
struct Made {
    document: Document,
    contents: Vec<Vec<u8>>,
}

fn make(paths: &[&str], seed: u64, size: u64, noise: u64) -> Made {
    let mut maker = Maker::new(seed, noise);
    let mut files = Vec::new();
    let mut contents = Vec::new();
    let mut of = None;
    for path in paths {
        let member = match Donna.classify(&RelPath::new(path)) {
            Class::Document(member) => member,
            Class::ByShape { object, .. } => object,
            Class::NotMigrated { layout } => panic!("{path} is no document but {layout}"),
        };
        let content = maker.content(member.kind, path, size);
        let (size, modified) = (content.len() as u64, Instant(1_764_547_200_000_000));
        files.push(SourceFile { path: RelPath::new(path), role: member.role, size, modified });
        contents.push(content);
        of = Some((member.kind, member.key));
    }
    let (kind, key) = of.expect("a document has a file");
    let id = ids::document(kind.name, &key);
    Made { document: Document { kind, key, id, files }, contents }
}

fn limits(of_postgres: bool) -> Limits {
    let target: Box<dyn Target> = match of_postgres {
        true => Box::new(PostgresTarget::new(PostgresOptions::new(
            Parameters::from_url("postgres://nobody@localhost/none").expect("a URL"),
        ))),
        false => Box::new(SqliteTarget::new("none.db".into())),
    };
    target.capabilities().limits
}

/// How the files are held.
#[derive(Clone, Copy, PartialEq)]
enum Held {
    Whole,
    /// What comes in a list is streamed.
    Streamed,
}

fn decode(made: &Made, held: Held, of_postgres: bool, part_rows: usize) -> Result<(Vec<Part>, Decoded), Flaw> {
    let open = |file: usize| {
        let bytes = made.contents[file].as_slice();
        let is_session = made.document.files[file].role.0 == "session";
        Ok(match held {
            Held::Streamed if !is_session => Content::Stream(Box::new(bytes)),
            _ => Content::Whole(bytes),
        })
    };
    let context = DecodeContext {
        zone: TimeZone::get("America/Toronto").expect("a zone"),
        limits: limits(of_postgres),
        base_time: Instant(1_764_547_200_000_000),
        part_rows,
        part_bytes: 4_000,
    };
    let mut parts = Vec::new();
    let result = Donna.decode(&made.document, &open, &context, &mut |part| {
        parts.push(part);
        ControlFlow::Continue(())
    });
    match result {
        Ok(decoded) => Ok((parts, decoded)),
        Err(DecodeError::Flaw(flaw)) => Err(flaw),
        Err(other) => panic!("nothing keeps it from being read: {other:?}"),
    }
}

fn shown(made: &Made) -> String {
    made.contents.iter().map(|bytes| String::from_utf8_lossy(bytes).chars().take(3_000).collect::<String>()).collect()
}

/// Whether the column can hold the value.
fn fits(kind: Kind, max_chars: Option<usize>, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null) => true,
        (Kind::Uuid, Value::Uuid(_)) | (Kind::Bool, Value::Bool(_)) | (Kind::Inet, Value::Inet(_)) => true,
        (Kind::Uuid, Value::Reference(text)) => !text.is_empty() && !text.contains('\0'),
        (Kind::Text, Value::Text(text)) => {
            !text.contains('\0') && max_chars.is_none_or(|longest| text.chars().count() <= longest)
        }
        (Kind::Json, Value::Json(text)) => {
            json::parse(text.as_bytes(), &json::Arena::new()).is_ok_and(|value| json::to_compact(&value) == *text)
        }
        (Kind::Int, Value::Int(number)) => i32::try_from(*number).is_ok(),
        (Kind::BigInt, Value::Int(_)) => true,
        (Kind::Time, Value::Time(instant)) => (Instant::MIN..=Instant::MAX).contains(instant),
        _ => false,
    }
}

fn check(made: &Made, parts: &[Part], decoded: &Decoded, part_rows: usize) -> Result<(), TestCaseError> {
    let mut ids = HashSet::new();
    let mut rows: BTreeMap<&str, u64> = BTreeMap::new();
    for part in parts {
        prop_assert!(part.rows.len() <= part_rows);
        *rows.entry(part.table.name).or_default() += part.rows.len() as u64;
        if let Some(residue) = &part.residue {
            prop_assert!(json::parse(residue.as_bytes(), &json::Arena::new()).is_ok(), "residue is no JSON: {residue}");
        }
        for row in &part.rows {
            prop_assert_eq!(row.0.len(), part.table.columns.len());
            prop_assert!(ids.insert(row.id()), "an id comes twice: {:?}", row);
            for (column, value) in part.table.columns.iter().zip(&row.0) {
                let context = format!("`{}` cannot hold {value:?}", column.name);
                prop_assert!(fits(column.kind, column.max_chars, value), "{}", context);
            }
        }
    }
    prop_assert_eq!(decoded.files.len(), made.document.files.len());
    let of_table = |name: &str| rows.get(name).copied().unwrap_or_default();
    let records: u64 = made
        .document
        .files
        .iter()
        .zip(&decoded.files)
        .filter(|(file, _)| file.role.0 != "session")
        .map(|(_, layout)| layout.records)
        .sum();
    let children =
        [&MESSAGES, &SYSTEM_LOGS, &USERS, &USER_MEMORY].iter().map(|table| of_table(table.name)).sum::<u64>();
    prop_assert_eq!(records, children);
    Ok(())
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn any_document_decodes_to_rows_that_fit_or_to_a_flaw(
        paths in proptest::sample::select(&DOCUMENTS[..]),
        seed in any::<u64>(),
        size in 0u64..12,
        noise in prop_oneof![Just(0u64), Just(20), Just(300)],
        of_postgres in any::<bool>(),
        part_rows in 1usize..9,
    ) {
        let made = make(paths, seed, size, noise);
        match decode(&made, Held::Whole, of_postgres, part_rows) {
            Ok((parts, decoded)) => {
                check(&made, &parts, &decoded, part_rows)?;
                // Again, and beside others: the same.
                let again = std::thread::scope(|scope| {
                    let threads = [(); 2].map(|()| scope.spawn(|| decode(&made, Held::Whole, of_postgres, part_rows)));
                    threads.map(|thread| thread.join().expect("it does not panic").expect("it decodes again"))
                });
                for (parts_again, decoded_again) in again {
                    prop_assert_eq!(&parts, &parts_again);
                    prop_assert_eq!(&decoded, &decoded_again);
                }
            }
            Err(flaw) => {
                prop_assert!(flaw.file < made.document.files.len());
                prop_assert!(!flaw.detail.is_empty());
                prop_assert_eq!(decode(&made, Held::Whole, of_postgres, part_rows), Err(flaw));
            }
        }
    }

    #[test]
    fn parts_are_cut_without_changing_a_row(
        paths in proptest::sample::select(&DOCUMENTS[..]),
        seed in any::<u64>(),
        size in 0u64..30,
    ) {
        let made = make(paths, seed, size, 0);
        let rows = |part_rows| decode(&made, Held::Whole, false, part_rows)
            .map(|(parts, decoded)| (parts.into_iter().flat_map(|part| part.rows).collect::<Vec<_>>(), decoded));
        prop_assert_eq!(rows(1), rows(1_000));
        prop_assert_eq!(rows(7), rows(1_000));
    }

    #[test]
    fn a_streamed_document_is_the_same_as_one_that_is_held_whole(
        paths in proptest::sample::select(&[DOCUMENTS[0], DOCUMENTS[1], DOCUMENTS[6], DOCUMENTS[7], DOCUMENTS[8]][..]),
        seed in any::<u64>(),
        size in 0u64..12,
        noise in prop_oneof![Just(0u64), Just(20), Just(300)],
        part_rows in 1usize..9,
    ) {
        let made = make(paths, seed, size, noise);
        let whole = decode(&made, Held::Whole, true, part_rows);
        let streamed = decode(&made, Held::Streamed, true, part_rows);
        match (&whole, &streamed) {
            (Ok(whole), Ok(streamed)) => prop_assert_eq!(whole, streamed, "{}", shown(&made)),
            (Err(whole), Err(streamed)) => {
                // What is wrong with the JSON is found at once by one and in its turn by the other.
                let of_json = |flaw: &Flaw| matches!(
                    flaw.reason,
                    Reason::Empty | Reason::Truncated | Reason::InvalidJson | Reason::InvalidUtf8
                        | Reason::LoneSurrogate | Reason::NulCharacter | Reason::DuplicateKey | Reason::TooDeep
                );
                if !of_json(whole) && !of_json(streamed) {
                    prop_assert_eq!(whole, streamed, "{}", shown(&made));
                }
            }
            _ => prop_assert!(false, "whole: {:?}\nstreamed: {:?}\n{}", whole.is_ok(), streamed, shown(&made)),
        }
    }
}

#[test]
fn enough_of_what_is_made_loads_and_enough_does_not() {
    for paths in DOCUMENTS.iter().filter(|paths| !paths[0].contains("system_oauth")) {
        let loads = |noise| {
            (0..200).filter(|&seed| decode(&make(paths, seed, 5, noise), Held::Whole, false, 9).is_ok()).count()
        };
        let (clean, noisy) = (loads(0), loads(300));
        assert!(clean >= 100 && noisy <= 180, "{paths:?}: {clean} and {noisy} of 200");
    }
}
