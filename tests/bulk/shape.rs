//! Everything that is built in a database, as text: by pg_dump, and by SQLite's own table.

use std::process::Command;

use crate::support::postgres::program;
use crate::world::World;

/// The schema as text, in an order of its own.
pub fn shape(world: &World) -> String {
    if world.is_sqlite() {
        return world
            .values("SELECT type || ' ' || name || ': ' || sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY 1")
            .join("\n");
    }
    let dumped = Command::new(program("pg_dump")).args(["--schema-only", "--dbname", &world.url()]).output();
    let dumped = dumped.expect("pg_dump comes with the server");
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    let text = String::from_utf8(dumped.stdout).expect("it is UTF-8");
    // Newer ones write a random word for psql.
    let lines = text.lines().filter(|line| !line.starts_with('\\'));
    // What pg_dump does not say: whether the planner may use them, and whether rows were checked.
    let more = "SELECT indexrelid::regclass || ' ' || indisvalid || indisready || indisprimary || indimmediate \
                FROM pg_index WHERE indrelid::regclass::text !~ '^pg_' \
                UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || convalidated FROM pg_constraint ORDER BY 1";
    lines.map(str::to_owned).chain(world.values(more)).collect::<Vec<_>>().join("\n")
}

#[track_caller]
pub fn assert_shape(world: &World, expected: &str, when: &str) {
    let found = shape(world);
    let only = |of: &str, other: &str| -> Vec<String> {
        of.lines().filter(|line| !other.lines().any(|it| it == *line)).map(str::to_owned).collect()
    };
    assert!(found == expected, "{when}: missing {:?}, new {:?}", only(expected, &found), only(&found, expected));
}
