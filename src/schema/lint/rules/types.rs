//! PostgreSQL's types: from which to which a column can go.

/// A type's usual name and its numbers: `varchar(20)` is `character varying` and 20.
fn parsed(type_name: &str) -> (String, Vec<u32>) {
    let (before, numbers, after) = match type_name.split_once('(') {
        Some((before, rest)) => {
            let (numbers, after) = rest.split_once(')').unwrap_or((rest, ""));
            (before, numbers, after)
        }
        None => (type_name, "", ""),
    };
    let name = format!("{} {}", before.trim(), after.trim());
    let name = match name.trim() {
        "varchar" => "character varying",
        "char" | "bpchar" => "character",
        "int" | "int4" | "serial" => "integer",
        "int8" | "bigserial" => "bigint",
        "int2" | "smallserial" => "smallint",
        "decimal" => "numeric",
        "float8" | "float" => "double precision",
        "float4" => "real",
        "bool" => "boolean",
        "timestamptz" => "timestamp with time zone",
        "timestamp" => "timestamp without time zone",
        other => other,
    };
    (name.to_owned(), numbers.split(',').filter_map(|number| number.trim().parse().ok()).collect())
}

fn is_unbounded_text(name: &str, numbers: &[u32]) -> bool {
    name == "text" || (name == "character varying" && numbers.is_empty())
}

/// Whether every value of the old type has its place in the new one. The old one may not be known.
pub fn keeps_values(old: Option<&str>, new: &str) -> bool {
    let (new_name, new_numbers) = parsed(new);
    if is_unbounded_text(&new_name, &new_numbers) {
        return true;
    }
    let Some((old_name, old_numbers)) = old.map(parsed) else { return false };
    if (&old_name, &old_numbers) == (&new_name, &new_numbers) {
        return true;
    }
    match (old_name.as_str(), new_name.as_str()) {
        ("smallint", "integer" | "bigint") | ("integer", "bigint") => true,
        ("smallint" | "integer" | "bigint" | "numeric", "numeric") if new_numbers.is_empty() => true,
        ("numeric", "numeric") => {
            let digits = |numbers: &[u32]| Some((*numbers.first()?, numbers.get(1).copied().unwrap_or(0)));
            let (Some((old, old_scale)), Some((new, new_scale))) = (digits(&old_numbers), digits(&new_numbers)) else {
                return false;
            };
            new_scale >= old_scale && new.saturating_sub(new_scale) >= old.saturating_sub(old_scale)
        }
        ("smallint" | "integer" | "real", "double precision") | ("smallint", "real") => true,
        ("character" | "character varying", "character varying") => {
            let width = |name: &str, numbers: &[u32]| match (name, numbers.first()) {
                (_, Some(width)) => Some(*width),
                ("character", None) => Some(1),
                _ => None,
            };
            matches!((width(&old_name, &old_numbers), new_numbers.first()), (Some(old), Some(new)) if *new >= old)
        }
        ("date", "timestamp without time zone" | "timestamp with time zone") if new_numbers.is_empty() => true,
        ("timestamp without time zone", "timestamp with time zone") if new_numbers.is_empty() => true,
        ("cidr", "inet") => true,
        _ => false,
    }
}

/// Whether PostgreSQL changes the type without writing the table anew.
pub fn stays_in_place(old: Option<&str>, new: &str) -> bool {
    let Some(old) = old else { return false };
    let ((old_name, old_numbers), (new_name, new_numbers)) = (parsed(old), parsed(new));
    match (old_name.as_str(), new_name.as_str()) {
        ("text" | "character varying", _) if is_unbounded_text(&new_name, &new_numbers) => true,
        ("character varying", "character varying") => {
            matches!((old_numbers.first(), new_numbers.first()), (Some(old), Some(new)) if new >= old)
        }
        ("numeric", "numeric") => match (old_numbers.as_slice(), new_numbers.as_slice()) {
            (_, []) => true,
            ([old, scale @ ..], [new, new_scale @ ..]) => {
                new >= old && scale.first().unwrap_or(&0) == new_scale.first().unwrap_or(&0)
            }
            ([], _) => false,
        },
        ("cidr", "inet") => true,
        (old, new) => old == new && old_numbers == new_numbers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_type_keeps_all_values_and_a_narrower_one_does_not() {
        for (old, new) in [
            ("integer", "bigint"),
            ("int4", "int8"),
            ("varchar(20)", "character varying(40)"),
            ("varchar(20)", "text"),
            ("uuid", "text"),
            ("numeric(10,2)", "numeric(12,2)"),
            ("bigint", "numeric"),
            ("date", "timestamptz"),
        ] {
            assert!(keeps_values(Some(old), new), "{old} to {new}");
        }
        for (old, new) in [
            ("bigint", "integer"),
            ("text", "varchar(20)"),
            ("varchar(40)", "varchar(20)"),
            ("numeric(10,2)", "numeric(10,4)"),
            ("text", "jsonb"),
            ("json", "jsonb"),
            ("timestamptz", "date"),
            ("double precision", "numeric(10,2)"),
        ] {
            assert!(!keeps_values(Some(old), new), "{old} to {new}");
        }
        assert!(keeps_values(None, "text") && !keeps_values(None, "bigint"));
    }

    #[test]
    fn a_longer_text_stays_in_place_and_a_longer_number_does_not() {
        assert!(stays_in_place(Some("varchar(20)"), "varchar(40)"));
        assert!(stays_in_place(Some("varchar(20)"), "text"));
        assert!(stays_in_place(Some("numeric(10,2)"), "numeric(12,2)"));
        assert!(!stays_in_place(Some("integer"), "bigint"));
        assert!(!stays_in_place(Some("char(3)"), "text"));
        assert!(!stays_in_place(None, "text"));
    }
}
