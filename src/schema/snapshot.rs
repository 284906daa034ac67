//! The declared schema of a version: `NNNN.json`, a file that a person reviews.

use serde::{Deserialize, Serialize};

use crate::model::Catalogue;

use super::catalogue::{names, Scope};
use super::files::{MigrationFile, MigrationSet};

/// The version of the file's form.
pub const FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    pub format: u32,
    pub number: u32,
    /// `postgres` or `sqlite`.
    pub dialect: String,
    /// The token checksum of the migration that it was made from, in hexadecimal digits.
    pub tokens: String,
    /// Names, with `*` for anything, of objects that belong to the schema even if no version declares
    /// them: one that is there all the same is a difference. Written by hand, kept by later versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
    pub schema: Catalogue,
}

/// Why the declared schemas of a directory cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    #[error("`{file}` is no declared schema: {problem}")]
    Unreadable { file: String, problem: String },
    #[error("the schema of version {number:04} is not declared, although those of other versions are")]
    Missing { number: u32 },
    #[error("`{file}` was made from another `{migration}` than the one that is there")]
    Stale { file: String, migration: String },
    #[error("`{file}` declares the schema of a version that there is no migration for")]
    Orphan { file: String },
    #[error("version {number:04} is declared twice, by `{first}` and `{second}`")]
    Twice { number: u32, first: String, second: String },
}

impl Snapshot {
    pub fn of(migration: &MigrationFile, schema: Catalogue, scope: Vec<String>) -> Snapshot {
        Snapshot {
            format: FORMAT,
            number: migration.number,
            dialect: migration.dialect.name().to_owned(),
            tokens: hex(&migration.token_checksum()),
            scope,
            schema,
        }
    }

    /// Of no version: nothing is there.
    pub fn empty() -> Snapshot {
        let (dialect, tokens) = (String::new(), String::new());
        Snapshot { format: FORMAT, number: 0, dialect, tokens, scope: Vec::new(), schema: Catalogue::default() }
    }

    /// As it stands in the file.
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts and numbers can always be written") + "\n"
    }

    pub fn parse(file: &str, bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
        let unreadable = |problem: String| SnapshotError::Unreadable { file: file.to_owned(), problem };
        let snapshot: Snapshot = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
        match snapshot.format {
            FORMAT => Ok(snapshot),
            other => Err(unreadable(format!("its form has the version {other}, which this transload does not know"))),
        }
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The declared schemas of a directory, each beside its migration; none where it declares none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    pub snapshots: Vec<Snapshot>,
    pub scope: Scope,
}

impl Declared {
    /// # Errors
    /// When a directory declares some versions and not others, or what it declares is of another
    /// text than the migrations that are there.
    pub fn of(set: &MigrationSet) -> Result<Declared, SnapshotError> {
        let mut declared = Declared::default();
        for file in &set.snapshots {
            let snapshot = Snapshot::parse(&file.file, &file.bytes)?;
            let problem = if snapshot.number != file.number {
                Some(format!("it is of version {:04}", snapshot.number))
            } else if snapshot.dialect != set.dialect.name() {
                Some(format!("it is of {}, and this is {}", snapshot.dialect, set.dialect))
            } else {
                None
            };
            if let Some(problem) = problem {
                return Err(SnapshotError::Unreadable { file: file.file.clone(), problem });
            }
            let Some(migration) = set.by_number(file.number) else {
                return Err(SnapshotError::Orphan { file: file.file.clone() });
            };
            if hex(&migration.token_checksum()) != snapshot.tokens {
                return Err(SnapshotError::Stale { file: file.file.clone(), migration: migration.file.clone() });
            }
            let before = set.snapshots.iter().find(|other| other.number == file.number).filter(|other| *other != file);
            if let Some(other) = before {
                let (first, second) = (other.file.clone(), file.file.clone());
                return Err(SnapshotError::Twice { number: file.number, first, second });
            }
            declared.scope.known.extend(names(&snapshot.schema));
            declared.scope.patterns = snapshot.scope.clone();
            declared.snapshots.push(snapshot);
        }
        if !declared.snapshots.is_empty() {
            let lacks = |file: &&MigrationFile| declared.at(file.number).is_none();
            if let Some(file) = set.files.iter().find(lacks) {
                return Err(SnapshotError::Missing { number: file.number });
            }
        }
        Ok(declared)
    }

    pub fn at(&self, number: u32) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.number == number)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sql::Dialect;
    use super::*;

    const FIRST: &str = "CREATE TABLE t (id INTEGER);";

    fn set(files: &[(&str, &[u8])]) -> MigrationSet {
        MigrationSet::embedded("test", Dialect::Sqlite, files.iter().copied())
    }

    fn snapshot_of(number: u32, sql: &str) -> Vec<u8> {
        let name = format!("{number:04}_x.sql");
        let file = MigrationFile::parse(&name, sql.to_owned(), Dialect::Sqlite).expect("a good name");
        Snapshot::of(&file, Catalogue::default(), Vec::new()).to_text().into_bytes()
    }

    fn problem(files: &[(&str, &[u8])]) -> String {
        Declared::of(&set(files)).expect_err("something is wrong").to_string()
    }

    #[test]
    fn what_is_written_reads_back() {
        let bytes = snapshot_of(1, FIRST);
        let snapshot = Snapshot::parse("0001.json", &bytes).unwrap();
        assert_eq!(snapshot.to_text().into_bytes(), bytes);
    }

    #[test]
    fn all_versions_are_declared_or_none() {
        let (first, second) = (snapshot_of(1, FIRST), snapshot_of(2, "SELECT 2"));
        let sql: [(&str, &[u8]); 2] = [("0001_x.sql", FIRST.as_bytes()), ("0002_x.sql", b"SELECT 2 -- two")];
        assert_eq!(Declared::of(&set(&sql)), Ok(Declared::default()));
        let with = |more: &[(&'static str, &Vec<u8>)]| {
            let more = more.iter().map(|(name, bytes)| (*name, bytes.as_slice()));
            sql.iter().copied().chain(more).map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect::<Vec<_>>()
        };
        let read = |files: &[(String, Vec<u8>)]| {
            Declared::of(&set(&files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect::<Vec<_>>()))
        };
        assert!(read(&with(&[("0001.json", &first), ("snapshots/0002.json", &second)])).is_ok());
        assert_eq!(read(&with(&[("0001.json", &first)])), Err(SnapshotError::Missing { number: 2 }));
        let stale = read(&with(&[("0001.json", &first), ("0002.json", &snapshot_of(2, "SELECT 3"))]));
        assert!(matches!(stale, Err(SnapshotError::Stale { .. })), "{stale:?}");
        assert!(problem(&[("0001.json", &first)]).contains("no migration for"));
        assert!(problem(&[("0001_x.sql", FIRST.as_bytes()), ("0001.json", b"{}")]).contains("no declared schema"));
        let twice = read(&with(&[("0001.json", &first), ("snapshots/0001.json", &first), ("0002.json", &second)]));
        assert!(matches!(twice, Err(SnapshotError::Twice { .. })), "{twice:?}");
    }
}
