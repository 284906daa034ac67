//! The record of what was applied: a table of transload's own, one for any number of sets, which has
//! migrations itself.

use std::time::Duration;

use crate::model::table::{Column, Kind as ColumnKind, Owner, Row, Table, Value};
use crate::model::Instant;
use crate::target::{select_all, Begin, Connection, Filter, LiveColumn, SchemaSession, TargetError};

use super::files::{MigrationFile, MigrationSet};
use super::log::Anchor;
use super::migrations::migration_set;
use super::sql::Dialect;

/// The set whose migrations make the table itself.
pub const OWN: &str = "history";

const COLUMNS: [Column; 13] = [
    Column::new("set_name", ColumnKind::Text),
    Column::new("number", ColumnKind::Int),
    Column::new("file", ColumnKind::Text),
    // applied, baseline
    Column::new("kind", ColumnKind::Text),
    Column::new("raw_checksum", ColumnKind::Bytes),
    Column::new("token_checksum", ColumnKind::Bytes),
    // Against what it was checked before it was recorded.
    Column::new("validated", ColumnKind::Text),
    Column::new("applied_at", ColumnKind::Time),
    Column::new("milliseconds", ColumnKind::BigInt),
    Column::new("applied_by", ColumnKind::Text),
    Column::new("version", ColumnKind::Text),
    // How far the log of attempts had come.
    Column::new("log_entries", ColumnKind::BigInt),
    Column::new("log_head", ColumnKind::Text),
];

/// How many of them the first version of the table has.
const WITHOUT_ANCHOR: usize = 11;

static HISTORY: Table = with_columns(&COLUMNS);

/// The table as its first version made it.
static FIRST: Table = with_columns(COLUMNS.split_at(WITHOUT_ANCHOR).0);

const fn with_columns(columns: &'static [Column]) -> Table {
    Table {
        name: "schema_history",
        owner: Owner::Ledger,
        columns,
        key: &[0, 1],
        natural_key: &[],
        parent: None,
        twin_key: &[],
    }
}

/// The table as this database has it; `None` where there is none.
fn live(connection: &mut dyn Connection) -> Result<Option<&'static Table>, TargetError> {
    let columns = connection.live_columns(&HISTORY)?;
    let has_anchors = |live: &Vec<LiveColumn>| live.iter().any(|column| column.name == COLUMNS[WITHOUT_ANCHOR].name);
    Ok(columns.map(|live| if has_anchors(&live) { &HISTORY } else { &FIRST }))
}

/// How a version came to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its file was run.
    Applied,
    /// The database was found to have it.
    Baseline,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Applied => "applied",
            Kind::Baseline => "baseline",
        }
    }
}

/// One recorded version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub number: u32,
    pub file: String,
    pub kind: Kind,
    pub raw: [u8; 32],
    pub tokens: [u8; 32],
    pub validated: String,
    pub at: Instant,
    pub milliseconds: i64,
    pub by: String,
    /// Of transload.
    pub version: String,
    /// How far the log of attempts had come; unknown where an earlier transload recorded it.
    pub anchor: Option<Anchor>,
}

impl Recorded {
    /// What is to be recorded of a file.
    pub fn of(file: &MigrationFile, kind: Kind, validated: &str, time: Duration, by: &str) -> Recorded {
        Recorded {
            number: file.number,
            file: file.file.clone(),
            kind,
            raw: file.raw_checksum(),
            tokens: file.token_checksum(),
            validated: validated.to_owned(),
            at: Instant::now(),
            milliseconds: i64::try_from(time.as_millis()).unwrap_or(i64::MAX),
            by: by.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            anchor: None,
        }
    }

    pub fn anchored(self, anchor: Option<Anchor>) -> Recorded {
        Recorded { anchor, ..self }
    }

    fn to_row(&self, set: &str, table: &Table) -> Row {
        let entries = |anchor: &Anchor| Value::Int(i64::try_from(anchor.entries).unwrap_or(i64::MAX));
        let mut values = vec![
            Value::Text(set.to_owned()),
            Value::Int(i64::from(self.number)),
            Value::Text(self.file.clone()),
            Value::Text(self.kind.name().to_owned()),
            Value::Bytes(self.raw.to_vec()),
            Value::Bytes(self.tokens.to_vec()),
            Value::Text(self.validated.clone()),
            Value::Time(self.at),
            Value::Int(self.milliseconds),
            Value::Text(self.by.clone()),
            Value::Text(self.version.clone()),
            self.anchor.as_ref().map_or(Value::Null, entries),
            Value::text_or_null(self.anchor.as_ref().map(|anchor| anchor.head.clone())),
        ];
        values.truncate(table.columns.len());
        Row(values)
    }

    fn from_row(row: &Row) -> Option<(String, Recorded)> {
        let text = |at: usize| row.0[at].as_text().map(str::to_owned);
        let sum = |at: usize| row.0[at].as_bytes().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let recorded = Recorded {
            number: u32::try_from(row.0[1].as_int()?).ok()?,
            file: text(2)?,
            kind: if text(3)? == Kind::Baseline.name() { Kind::Baseline } else { Kind::Applied },
            raw: sum(4)?,
            tokens: sum(5)?,
            validated: text(6)?,
            at: row.0[7].as_time()?,
            milliseconds: row.0[8].as_int()?,
            by: text(9)?,
            version: text(10)?,
            anchor: match (row.0.get(11).and_then(Value::as_int), row.0.get(12).and_then(Value::as_text)) {
                (Some(entries), Some(head)) => {
                    Some(Anchor { entries: usize::try_from(entries).ok()?, head: head.to_owned() })
                }
                _ => None,
            },
        };
        Some((text(0)?, recorded))
    }
}

/// What is recorded in a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// By set and number.
    rows: Vec<(String, Recorded)>,
}

#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("cannot use the record of schema changes")]
    Target(#[from] TargetError),
    #[error("the record of schema changes has the form {found}, and this transload knows {known}")]
    Ahead { found: u32, known: u32 },
    #[error("row {row} of the record of schema changes cannot be read")]
    Broken { row: usize },
}

impl History {
    /// Reads it; an empty one where there is no table.
    pub fn read(connection: &mut dyn Connection, dialect: Dialect) -> Result<History, HistoryError> {
        let Some(table) = live(connection)? else { return Ok(History::default()) };
        let mut history = History::default();
        for (at, row) in select_all(connection, table, &Filter::All)?.iter().enumerate() {
            history.rows.push(Recorded::from_row(row).ok_or(HistoryError::Broken { row: at + 1 })?);
        }
        let known = own(dialect).files.last().map_or(0, |file| file.number);
        match history.of(OWN).last() {
            Some(last) if last.number > known => Err(HistoryError::Ahead { found: last.number, known }),
            _ => Ok(history),
        }
    }

    /// What is recorded of a set, in order.
    pub fn of(&self, set: &str) -> Vec<Recorded> {
        self.rows.iter().filter(|(of, _)| of == set).map(|(_, recorded)| recorded.clone()).collect()
    }

    /// What its rows say of the log, of all sets.
    pub fn anchors(&self) -> impl Iterator<Item = &Anchor> {
        self.rows.iter().filter_map(|(_, recorded)| recorded.anchor.as_ref())
    }

    /// Another set under which this file is recorded.
    pub fn other_name(&self, set: &str, file: &MigrationFile) -> Option<&str> {
        let same = |recorded: &Recorded| recorded.file == file.file && recorded.tokens == file.token_checksum();
        self.rows.iter().find(|(of, recorded)| of != set && same(recorded)).map(|(of, _)| of.as_str())
    }
}

fn own(dialect: Dialect) -> MigrationSet {
    migration_set(OWN, dialect).expect("a test checks that every database has them")
}

/// Makes the table where there is none. Each of its migrations and its row are one transaction.
pub fn prepare(
    session: &mut dyn SchemaSession,
    dialect: Dialect,
    wait: Duration,
    lock_timeout: Duration,
    by: &str,
) -> Result<(), HistoryError> {
    let done = |history: &History, number: u32| history.of(OWN).iter().any(|recorded| recorded.number == number);
    let begin = Begin { owner: Owner::Ledger, wait, lock_timeout, drops: Vec::new() };
    for file in &own(dialect).files {
        if done(&History::read(session, dialect)?, file.number) {
            continue;
        }
        session.begin_migration(&begin)?;
        // Where another run was quicker there is nothing left to do.
        let result = History::read(session, dialect).and_then(|history| match done(&history, file.number) {
            true => Ok(()),
            false => {
                session.run_script(Owner::Ledger, &file.text)?;
                record(session, OWN, &Recorded::of(file, Kind::Applied, "nothing", Duration::ZERO, by))?;
                Ok(())
            }
        });
        match result {
            Ok(()) => session.commit_migration()?,
            Err(error) => {
                // The first error is the one to report.
                let _ = session.abort_migration();
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Adds a row.
pub fn record(connection: &mut dyn Connection, set: &str, recorded: &Recorded) -> Result<(), TargetError> {
    let table = live(connection)?.unwrap_or(&HISTORY);
    connection.insert(table, &[recorded.to_row(set, table)])
}

/// Puts a row in the place of the one with its number.
pub fn replace(connection: &mut dyn Connection, set: &str, recorded: &Recorded) -> Result<(), TargetError> {
    let table = live(connection)?.unwrap_or(&HISTORY);
    connection.update(table, &[recorded.to_row(set, table)]).map(drop)
}
