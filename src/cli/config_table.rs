//! What `--print-config` shows: key, value, origin.

use std::io::{self, Write};

use crate::config::Config;
use crate::model::path::escape_controls;

use super::human::{columns, Side};

pub fn write(out: &mut dyn Write, config: &Config) -> io::Result<()> {
    let mut lines = vec![["key", "value", "origin"].map(str::to_owned).to_vec()];
    for shown in config.shown() {
        let value = if shown.value.is_empty() { "(none)" } else { &shown.value };
        lines.push(vec![shown.key.to_owned(), escape_controls(value), shown.origin.to_string()]);
        if shown.key == "db" && shown.value == "env" {
            let database = config.database().map_or_else(|_| "(incomplete)".to_owned(), |database| database.name());
            lines.push(vec!["db (made of DB_*)".to_owned(), escape_controls(&database), shown.origin.to_string()]);
        }
    }
    out.write_all(columns(&[Side::Left, Side::Left, Side::Left], &lines).as_bytes())
}
