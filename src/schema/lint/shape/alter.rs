//! `ALTER TABLE ...`

use super::create::{begins_constraint, column, type_name};
use super::{has, Column, Cursor, Name};
use crate::schema::sql::{Place, Token};

/// A table and what is done to it.
pub struct AlterTable {
    pub table: Name,
    pub if_exists: bool,
    pub actions: Vec<(Action, Place)>,
}

/// One of the things that a statement does to a table.
pub enum Action {
    AddColumn {
        column: Column,
        if_not_exists: bool,
    },
    AddConstraint {
        constraint: NewConstraint,
        if_not_exists: bool,
    },
    DropColumn {
        name: Name,
        if_exists: bool,
    },
    DropConstraint {
        name: Name,
        if_exists: bool,
    },
    SetType {
        column: Name,
        type_name: String,
        using: bool,
    },
    SetNotNull(Name),
    RenameTo(Name),
    RenameColumn {
        from: Name,
        to: Name,
    },
    Validate(Name),
    AttachPartition,
    DetachConcurrently,
    /// SET LOGGED, SET TABLESPACE and the like, in capitals.
    Rewrite(String),
    Other,
}

pub struct NewConstraint {
    pub name: Option<Name>,
    /// `CHECK`, `UNIQUE`, `PRIMARY KEY`, `FOREIGN KEY`, `EXCLUDE`, `NOT NULL`
    pub kind: &'static str,
    pub not_valid: bool,
    pub using_index: bool,
    /// The column of which a check says `IS NOT NULL`, if that is all it says.
    pub not_null: Option<Name>,
}

pub fn alter_table(cursor: &mut Cursor<'_>) -> Option<AlterTable> {
    cursor.eat("FOREIGN");
    if !cursor.eat("TABLE") {
        return None;
    }
    let if_exists = cursor.eat_all(&["IF", "EXISTS"]);
    cursor.eat("ONLY");
    let table = cursor.name()?;
    let mut actions = Vec::new();
    while !cursor.is_at_end() {
        let place = cursor.place();
        let mut item = cursor.within(cursor.clone().item());
        actions.push((action(&mut item).unwrap_or(Action::Other), place));
        cursor.item();
    }
    Some(AlterTable { table, if_exists, actions })
}

fn action(cursor: &mut Cursor<'_>) -> Option<Action> {
    match cursor.eat_any(&["ADD", "DROP", "ALTER", "RENAME", "SET", "VALIDATE", "ATTACH", "DETACH"])? {
        "ADD" => add(cursor),
        "DROP" => drop_part(cursor),
        "ALTER" => alter_column(cursor),
        "RENAME" => rename(cursor),
        "SET" => {
            let what = cursor.eat_any(&["LOGGED", "UNLOGGED", "TABLESPACE"]).map(str::to_owned);
            let what = what.or_else(|| cursor.eat_all(&["ACCESS", "METHOD"]).then(|| "ACCESS METHOD".to_owned()));
            what.map(|what| Action::Rewrite(format!("SET {what}")))
        }
        "VALIDATE" => cursor.eat("CONSTRAINT").then(|| cursor.name())?.map(Action::Validate),
        "ATTACH" => Some(Action::AttachPartition),
        _ => has(cursor.text, cursor.rest(), &["CONCURRENTLY"]).then_some(Action::DetachConcurrently),
    }
}

fn add(cursor: &mut Cursor<'_>) -> Option<Action> {
    if begins_constraint(cursor) {
        let mut name = None;
        let mut if_not_exists = false;
        if cursor.eat("CONSTRAINT") {
            if_not_exists = cursor.eat_all(&["IF", "NOT", "EXISTS"]);
            name = cursor.name();
        }
        return Some(Action::AddConstraint { constraint: constraint(cursor, name)?, if_not_exists });
    }
    cursor.eat("COLUMN");
    let if_not_exists = cursor.eat_all(&["IF", "NOT", "EXISTS"]);
    Some(Action::AddColumn { column: column(cursor)?, if_not_exists })
}

fn constraint(cursor: &mut Cursor<'_>, name: Option<Name>) -> Option<NewConstraint> {
    let kind = match cursor.eat_any(&["CHECK", "UNIQUE", "PRIMARY", "FOREIGN", "EXCLUDE", "NOT"])? {
        "PRIMARY" => "PRIMARY KEY",
        "FOREIGN" => "FOREIGN KEY",
        "NOT" => "NOT NULL",
        kind => kind,
    };
    let rest = cursor.rest();
    let not_null = match (kind, cursor.parenthesised()) {
        ("CHECK", Some(inside)) => is_not_null(cursor, inside),
        _ => None,
    };
    Some(NewConstraint {
        name,
        kind,
        not_valid: has(cursor.text, rest, &["NOT", "VALID"]),
        using_index: has(cursor.text, rest, &["USING", "INDEX"]) && matches!(kind, "UNIQUE" | "PRIMARY KEY"),
        not_null,
    })
}

fn is_not_null<'t>(cursor: &Cursor<'t>, inside: &'t [Token]) -> Option<Name> {
    let mut check = cursor.within(inside);
    let column = check.identifier()?;
    (check.eat_all(&["IS", "NOT", "NULL"]) && check.is_at_end()).then_some(column)
}

fn drop_part(cursor: &mut Cursor<'_>) -> Option<Action> {
    let of_constraint = cursor.eat("CONSTRAINT");
    if !of_constraint {
        cursor.eat("COLUMN");
    }
    let if_exists = cursor.eat_all(&["IF", "EXISTS"]);
    let name = cursor.name()?;
    Some(match of_constraint {
        true => Action::DropConstraint { name, if_exists },
        false => Action::DropColumn { name, if_exists },
    })
}

fn alter_column(cursor: &mut Cursor<'_>) -> Option<Action> {
    if cursor.sees("CONSTRAINT") {
        return None;
    }
    cursor.eat("COLUMN");
    let column = cursor.identifier()?;
    if cursor.eat("TYPE") || cursor.eat_all(&["SET", "DATA", "TYPE"]) {
        let type_name = type_name(cursor, &["USING", "COLLATE"]);
        let using = has(cursor.text, cursor.rest(), &["USING"]);
        return Some(Action::SetType { column, type_name, using });
    }
    cursor.eat_all(&["SET", "NOT", "NULL"]).then_some(Action::SetNotNull(column))
}

fn rename(cursor: &mut Cursor<'_>) -> Option<Action> {
    if cursor.eat("TO") {
        return cursor.name().map(Action::RenameTo);
    }
    if cursor.sees("CONSTRAINT") {
        return None;
    }
    cursor.eat("COLUMN");
    let from = cursor.identifier()?;
    let to = cursor.eat("TO").then(|| cursor.identifier())??;
    Some(Action::RenameColumn { from, to })
}
