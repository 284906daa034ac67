//! What a database holds, to be compared with what another one holds.

use std::path::PathBuf;

use transload::format::donna::tables::TABLES;
use transload::model::ledger::{documents, rejects, DOCUMENTS, REJECTS, RESIDUE, RUNS};
use transload::model::{Row, Table, Value};
use transload::target::postgres::{Parameters, PostgresOptions, PostgresTarget};
use transload::target::sqlite::SqliteTarget;
use transload::target::{select_all, Durability, Filter, Target};

/// All rows of all target tables and of the ledger in key order, save for which run wrote them and
/// the seals over that.
#[derive(PartialEq)]
pub struct Content(Vec<(&'static str, Vec<Row>)>);

impl Content {
    pub fn of(target: &dyn Target) -> Content {
        let mut connection = target.connect(Durability::Relaxed).expect("the database answers");
        let ledger: [(&Table, &[usize]); 3] = [
            (&DOCUMENTS, &[documents::RUN_ID, documents::SEAL]),
            (&RESIDUE, &[]),
            (&REJECTS, &[rejects::RUN_ID, rejects::SEAL]),
        ];
        let tables = TABLES.into_iter().map(|table| (table, &[][..])).chain(ledger);
        let read = |(table, without): (&'static Table, &[usize])| {
            // An optional table that nobody asked for has no rows.
            let is_there = connection.live_columns(table).expect("the schema can be read").is_some();
            let mut rows = match is_there {
                true => select_all(&mut *connection, table, &Filter::All).expect("the table can be read"),
                false => Vec::new(),
            };
            for row in &mut rows {
                without.iter().for_each(|at| row.0[*at] = Value::Null);
            }
            (table.name, rows)
        };
        Content(tables.map(read).collect())
    }

    pub fn rows(&self, table: &str) -> &[Row] {
        &self.0.iter().find(|(name, _)| *name == table).expect("a known table").1
    }

    /// # Panics
    /// With the first difference, if there is one.
    pub fn assert_is(&self, expected: &Content, when: &str) {
        for ((table, found), (_, expected)) in self.0.iter().zip(&expected.0) {
            if found == expected {
                continue;
            }
            let at = found.iter().zip(expected).position(|(found, expected)| found != expected);
            let at = at.unwrap_or(found.len().min(expected.len()));
            panic!(
                "{when}: `{table}` has {} rows, expected {}; row {at} is {}, expected {}",
                found.len(),
                expected.len(),
                shown(found.get(at)),
                shown(expected.get(at))
            );
        }
    }
}

fn shown(row: Option<&Row>) -> String {
    format!("{row:?}").chars().take(2_000).collect()
}

/// The states of all runs, oldest first.
pub fn run_states(target: &dyn Target) -> Vec<String> {
    let mut connection = target.connect(Durability::Relaxed).expect("the database answers");
    let mut runs = select_all(&mut *connection, &RUNS, &Filter::All).expect("the runs can be read");
    let column = |name| RUNS.column(name).expect("a column of the ledger");
    let (state, started) = (column("state"), column("started_at"));
    runs.sort_by_key(|run| run.0[started].as_time());
    runs.iter().map(|run| run.0[state].as_text().expect("a state").to_owned()).collect()
}

/// The target that a URL names, as the program takes it.
pub fn target(url: &str) -> Box<dyn Target> {
    match url.strip_prefix("sqlite:") {
        Some(path) => Box::new(SqliteTarget::new(PathBuf::from(path))),
        None => {
            let parameters = Parameters::from_url(url).expect("a URL");
            Box::new(PostgresTarget::new(PostgresOptions::new(parameters)))
        }
    }
}
