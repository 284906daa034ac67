//! Which of a database's types holds which kind of value: the only list of them.
//!
//! Tables that an application made itself are checked against it, so it also knows the other
//! types that do as well. Lengths are not compared: a column too short refuses its value.

use crate::model::Kind;

/// The type that our own migrations give a column of this kind.
pub fn expected(dialect: &str, kind: Kind) -> &'static str {
    match (dialect, kind) {
        ("sqlite", Kind::Int | Kind::BigInt | Kind::Bool) => "INTEGER",
        ("sqlite", Kind::Bytes) => "BLOB",
        ("sqlite", _) => "TEXT",
        (_, Kind::Uuid) => "uuid",
        (_, Kind::Text) => "text or character varying",
        (_, Kind::Json) => "jsonb",
        (_, Kind::Int) => "integer",
        (_, Kind::BigInt) => "bigint",
        (_, Kind::Bool) => "boolean",
        (_, Kind::Time) => "timestamp with time zone",
        (_, Kind::Inet) => "inet",
        (_, Kind::Bytes) => "bytea",
    }
}

/// Whether a column of this type gives back what is written into it.
pub fn accepts(dialect: &str, kind: Kind, type_name: &str) -> bool {
    match dialect {
        "sqlite" => accepts_sqlite(kind, type_name),
        _ => accepts_postgres(kind, type_name),
    }
}

/// SQLite goes by affinity (its documentation, "Determination Of Column Affinity"): one that is
/// neither text's nor a blob's turns a text such as `007` into a number.
fn accepts_sqlite(kind: Kind, type_name: &str) -> bool {
    let name = type_name.to_ascii_uppercase();
    let integer = name.contains("INT");
    let text = !integer && ["CHAR", "CLOB", "TEXT"].iter().any(|part| name.contains(part));
    match kind {
        Kind::Int | Kind::BigInt => integer,
        Kind::Bool => integer || name == "BOOLEAN",
        Kind::Bytes => !integer && !text && (name.contains("BLOB") || name.is_empty()),
        Kind::Uuid | Kind::Text | Kind::Json | Kind::Time | Kind::Inet => text,
    }
}

/// Rows travel in binary, where nothing is converted: a type fits exactly or not at all. A time
/// with fewer digits (`timestamp(3) with time zone`) would round.
fn accepts_postgres(kind: Kind, type_name: &str) -> bool {
    match kind {
        Kind::Text => {
            let length = type_name.strip_prefix("character varying");
            type_name == "text" || length.is_some_and(|length| length.is_empty() || length.starts_with('('))
        }
        kind => type_name == expected("postgres", kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 9] =
        [Kind::Uuid, Kind::Text, Kind::Json, Kind::Int, Kind::BigInt, Kind::Bool, Kind::Time, Kind::Inet, Kind::Bytes];

    #[test]
    fn what_is_expected_is_accepted() {
        for kind in KINDS {
            assert!(accepts("sqlite", kind, expected("sqlite", kind)), "{kind:?}");
            for name in expected("postgres", kind).split(" or ") {
                assert!(accepts("postgres", kind, name), "{kind:?}");
            }
        }
    }

    #[test]
    fn what_would_change_a_value_is_not_accepted() {
        let sqlite = [
            (Kind::Text, "JSON"),
            (Kind::Text, "INTEGER"),
            (Kind::Uuid, "UUID"),
            (Kind::Int, "TEXT"),
            (Kind::Bytes, "TEXT"),
        ];
        for (kind, name) in sqlite {
            assert!(!accepts("sqlite", kind, name), "{name}");
        }
        assert!(accepts("sqlite", Kind::Text, "varchar(255)"));
        let postgres = [
            (Kind::Json, "json"),
            (Kind::Int, "bigint"),
            (Kind::Time, "timestamp without time zone"),
            (Kind::Time, "timestamp(3) with time zone"),
            (Kind::Text, "character(10)"),
            (Kind::Uuid, "character varying(36)"),
        ];
        for (kind, name) in postgres {
            assert!(!accepts("postgres", kind, name), "{name}");
        }
        assert!(accepts("postgres", Kind::Text, "character varying(255)"));
    }
}
