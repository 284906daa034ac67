//! Setting plain indexes aside, and building them over all rows at once.
//!
//! What is unique, and every foreign key, is part of its table here and stays. So nothing that others
//! write meanwhile can stand in the way, and nobody is kept out.

use uuid::Uuid;

use super::connection::SqliteConnection;
use crate::model::ledger::SET_ASIDE;
use crate::model::{Row, Value};
use crate::target::bulk::{BulkSession, Outcome, Piece, SetAside, Step};
use crate::target::{Connection, TargetError, TargetErrorKind};

use super::sql::stored_name;

/// Every index that has a statement of its own and refuses nothing.
const INDEXES: &str = "SELECT s.name, s.tbl_name, s.sql FROM sqlite_schema s, pragma_index_list(s.tbl_name) l
    WHERE s.type = 'index' AND s.sql IS NOT NULL AND l.name = s.name AND l.\"unique\" = 0
          AND s.tbl_name = ?1 COLLATE NOCASE ORDER BY s.name";

/// Triggers run for every row, and might look for rows by what is set aside.
const TRIGGERS: &str =
    "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE ORDER BY name LIMIT 1";

/// How an index's row in the schema is spelled after its statement was run again.
const DEFINITION: &str = "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?1";

impl SqliteConnection {
    fn set_all_aside(&mut self, wanted: &SetAside) -> Result<Outcome, TargetError> {
        const CONTEXT: &str = "cannot set indexes aside";
        let mut rows = Vec::new();
        for (table, _) in wanted.tables {
            if self.live_columns(table)?.is_none() {
                continue;
            }
            if !self.is_empty(table)? {
                return Ok(Outcome::Refused(format!("`{}` holds rows", table.name)));
            }
            let stored = stored_name(table);
            let trigger = self.run(CONTEXT, |db| {
                let mut statement = db.prepare(TRIGGERS)?;
                let mut found = statement.query_map([&stored], |row| row.get::<_, String>(0))?;
                found.next().transpose()
            })?;
            if let Some(trigger) = trigger {
                return Ok(Outcome::Refused(format!("`{}` has the trigger `{trigger}`", table.name)));
            }
            let found = self.run(CONTEXT, |db| {
                let mut statement = db.prepare(INDEXES)?;
                let found = statement.query_map([&stored], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
                })?;
                found.collect::<rusqlite::Result<Vec<_>>>()
            })?;
            for (name, table, definition) in found {
                self.execute(CONTEXT, &format!("DROP INDEX \"{}\"", name.replace('"', "\"\"")))?;
                let position = i64::try_from(rows.len() + 1).expect("fewer indexes than 2^63");
                rows.push(Row(vec![
                    Value::Int(position),
                    Value::Uuid(wanted.run),
                    Value::Text(Step::Index.name().into()),
                    Value::Text(table),
                    Value::Text(name),
                    Value::Text(definition),
                    Value::Null,
                ]));
            }
        }
        self.insert(&SET_ASIDE, &rows)?;
        Ok(Outcome::Done)
    }

    fn build(&mut self, piece: &Piece) -> Result<(), TargetError> {
        let context = format!("cannot put the index `{}` back", piece.name);
        if piece.step == Step::Index {
            self.execute(&context, &piece.definition)?;
            let made: String = self.run(&context, |db| db.query_row(DEFINITION, [&piece.name], |row| row.get(0)))?;
            if made != piece.definition {
                return Err(TargetError::new(TargetErrorKind::Other, context).because("it is not what it was before"));
            }
        }
        let forget = format!("DELETE FROM transload_set_aside WHERE position = {}", piece.position);
        match self.run(&context, |db| db.execute(&forget, []))? {
            1 => Ok(()),
            _ => Err(TargetError::new(TargetErrorKind::Other, context).because("somebody else has put it back")),
        }
    }

    fn whole(
        &mut self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<(), TargetError>,
    ) -> Result<(), TargetError> {
        self.begin()?;
        match work(self) {
            Ok(()) => self.commit(),
            Err(error) => {
                // The first error is the one to report.
                let _ = self.rollback();
                Err(error)
            }
        }
    }
}

impl BulkSession for SqliteConnection {
    fn set_aside(&mut self, wanted: &SetAside) -> Result<Outcome, TargetError> {
        match self.begin() {
            Ok(()) => {}
            Err(error) if error.kind == TargetErrorKind::Transient => {
                return Ok(Outcome::Refused("somebody else writes to the file".into()))
            }
            Err(error) => return Err(error),
        }
        match self.set_all_aside(wanted) {
            Ok(Outcome::Done) => self.commit().map(|()| Outcome::Done),
            Ok(refused) => self.rollback().map(|()| refused),
            Err(error) => {
                let _ = self.rollback();
                Err(error)
            }
        }
    }

    fn put_back(&mut self, piece: &Piece, _side_by_side: usize) -> Result<(), TargetError> {
        self.whole(|connection| connection.build(piece))
    }

    /// Indexes are built one after the other, so their order makes no difference.
    fn sizes(&mut self, tables: &[&str]) -> Result<Vec<u64>, TargetError> {
        Ok(vec![0; tables.len()])
    }

    /// Nothing unique was set aside.
    fn in_the_way(&mut self, _: &Piece) -> Result<Vec<Vec<Uuid>>, TargetError> {
        Ok(Vec::new())
    }

    fn finish(&mut self, rest: &[Piece]) -> Result<(), TargetError> {
        self.whole(|connection| rest.iter().try_for_each(|piece| connection.build(piece)))
    }
}
