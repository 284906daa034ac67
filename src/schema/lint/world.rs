//! The tables that the files up to some point have made.

use super::shape::{Action, AlterTable, Column, Name, Shape, Shaped};

/// Tables, and the names of everything else.
#[derive(Clone, Default)]
pub struct World {
    tables: Vec<Table>,
    others: Vec<Name>,
}

#[derive(Clone)]
pub struct Table {
    pub name: Name,
    /// Names and types.
    columns: Vec<(String, String)>,
    /// Columns with a check that they are not NULL, by the check's name, and whether it was validated.
    checks: Vec<(String, String, bool)>,
}

impl Table {
    pub fn column_type(&self, column: &str) -> Option<&str> {
        self.columns.iter().find(|(name, _)| name == column).map(|(_, type_name)| type_name.as_str())
    }

    /// Whether a validated check says so already, which spares PostgreSQL the scan.
    pub fn is_known_not_null(&self, column: &str) -> bool {
        self.checks.iter().any(|(_, of, validated)| of == column && *validated)
    }
}

impl World {
    pub fn table(&self, name: &Name) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.is(name))
    }

    /// Whether anything of this name was made.
    pub fn knows(&self, name: &Name) -> bool {
        self.table(name).is_some() || self.others.iter().any(|other| other.is(name))
    }

    pub fn apply(&mut self, statements: &[Shaped<'_>]) {
        statements.iter().for_each(|statement| self.apply_one(statement));
    }

    pub fn apply_one(&mut self, statement: &Shaped<'_>) {
        match &statement.shape {
            Shape::Create(create) => {
                let Some(name) = &create.name else { return };
                if !matches!(create.kind.as_str(), "TABLE" | "FOREIGN TABLE") {
                    self.others.push(name.clone());
                } else if self.table(name).is_none() {
                    let columns = create.columns.iter().map(typed).collect();
                    self.tables.push(Table { name: name.clone(), columns, checks: Vec::new() });
                }
            }
            Shape::AlterTable(alter) => self.alter(alter),
            Shape::Drop(drop) => {
                self.tables.retain(|table| !drop.names.iter().any(|name| table.name.is(name)));
                self.others.retain(|other| !drop.names.iter().any(|name| other.is(name)));
            }
            _ => {}
        }
    }

    fn alter(&mut self, alter: &AlterTable) {
        let Some(table) = self.tables.iter_mut().find(|table| table.name.is(&alter.table)) else { return };
        for (action, _) in &alter.actions {
            match action {
                Action::AddColumn { column, .. } if table.column_type(&column.name.name).is_none() => {
                    table.columns.push(typed(column));
                }
                Action::DropColumn { name, .. } => table.columns.retain(|(column, _)| *column != name.name),
                Action::SetType { column, type_name, .. } => {
                    for known in table.columns.iter_mut().filter(|(name, _)| *name == column.name) {
                        known.1.clone_from(type_name);
                    }
                }
                Action::RenameColumn { from, to } => {
                    for known in table.columns.iter_mut().filter(|(name, _)| *name == from.name) {
                        known.0.clone_from(&to.name);
                    }
                }
                Action::RenameTo(to) => table.name = Name { schema: table.name.schema.clone(), ..to.clone() },
                Action::AddConstraint { constraint, .. } => {
                    if let (Some(name), Some(column)) = (&constraint.name, &constraint.not_null) {
                        table.checks.push((name.name.clone(), column.name.clone(), !constraint.not_valid));
                    }
                }
                Action::Validate(name) => {
                    for check in table.checks.iter_mut().filter(|(check, ..)| *check == name.name) {
                        check.2 = true;
                    }
                }
                Action::DropConstraint { name, .. } => table.checks.retain(|(check, ..)| *check != name.name),
                _ => {}
            }
        }
    }
}

/// The tables that the statements of one file so far have made: they are empty, and nobody waits
/// for them.
#[derive(Default)]
pub struct Fresh(Vec<Name>);

impl Fresh {
    pub fn has(&self, table: &Name) -> bool {
        self.0.iter().any(|fresh| fresh.is(table))
    }

    /// Goes past a statement. A table that an earlier file made is not fresh, even if it is made
    /// again where there is none.
    pub fn apply(&mut self, statement: &Shaped<'_>, world: &World) {
        match &statement.shape {
            Shape::Create(create) if matches!(create.kind.as_str(), "TABLE" | "MATERIALIZED VIEW") => {
                self.0.extend(create.name.clone().filter(|name| create.temporary || world.table(name).is_none()));
            }
            Shape::AlterTable(alter) => {
                for (action, _) in &alter.actions {
                    if let Action::RenameTo(to) = action {
                        for fresh in self.0.iter_mut().filter(|fresh| fresh.is(&alter.table)) {
                            *fresh = Name { schema: fresh.schema.clone(), ..to.clone() };
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

fn typed(column: &Column) -> (String, String) {
    (column.name.name.clone(), column.type_name.clone())
}
