//! transload's own schemas: what they declare, and what `migrate` makes of a database that is behind
//! or was changed.
//!
//! `TRANSLOAD_TEST_WRITE=1` writes the declared schemas anew.

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use support::content;
use support::schema::Site;
use transload::exec::Stop;
use transload::format::donna::tables::WITHOUT_LOGS;
use transload::model::Owner;
use transload::schema::build::build;
use transload::schema::files::MigrationSet;
use transload::schema::plan::Allowed;
use transload::schema::run::{self, Job};
use transload::schema::snapshot::Snapshot;
use transload::schema::sql::Dialect;
use transload::schema::{self, migration_set, migrations};

/// The schemas with their owners.
const OWN: [(&str, Owner); 2] = [("donna", Owner::Application), ("transload", Owner::Ledger)];

fn set(site: &Site, name: &str) -> MigrationSet {
    migration_set(name, Dialect::by_name(site.dialect).expect("a dialect")).expect("it is built in")
}

/// Compares a declared schema with its file, or writes it.
fn declare(site: &Site, name: &str, file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(name).join(site.dialect).join(file);
    if support::chance::number("TRANSLOAD_TEST_WRITE").is_some() {
        fs::write(&path, text).expect("it can be written");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "{path:?} is not what its migrations make; TRANSLOAD_TEST_WRITE=1 writes it");
}

fn job<'a>(set: &'a MigrationSet, target: &'a dyn transload::target::Target, owner: Owner, stop: &'a Stop) -> Job<'a> {
    let with =
        set.files.iter().filter_map(|file| file.header.optional.as_ref()).map(|part| part.text.clone()).collect();
    Job {
        target,
        set,
        name: "own",
        owner,
        allowed: Allowed { with, ..Allowed::default() },
        wait: Duration::from_secs(10),
        lock_timeout: Duration::from_secs(10),
        pauses: &[],
        lint: true,
        by: "a test",
        stop,
        tell: &|_| {},
    }
}

fn the_declared_schemas_are_what_the_migrations_make(site: &Site) {
    let target = content::target(&site.url);
    for (name, owner) in OWN {
        let built = build(&*target, &set(site, name), owner, "a test").expect("it can be built");
        assert!(built.len() >= 2);
        for one in built {
            declare(site, name, &one.file, &one.text);
        }
    }
    // The history makes itself, before any other migration.
    site.files("app", &[("0001_a.sql", "-- WHY: x\nCREATE TABLE a (id INTEGER);")]);
    site.run(&["apply", "app"]).expect(0);
    let history = set(site, "history");
    let made = target.schema_reader().expect("a reader").catalogue(Owner::Ledger).expect("it can be read");
    let last = history.files.last().expect("there are some");
    let file = format!("{:04}.json", last.number);
    declare(site, "history", &file, &Snapshot::of(last, made, Vec::new()).to_text());
}

fn the_runner_takes_them_like_any_others(site: &Site) {
    let target = content::target(&site.url);
    let stop = Stop::new();
    for (name, owner) in OWN {
        let set = set(site, name);
        let outcome = run::apply(&Job { name, ..job(&set, &*target, owner, &stop) })
            .unwrap_or_else(|error| panic!("{name}: {}", error.to_lines()));
        assert_eq!(outcome.done.len(), set.files.len());
        for done in outcome.done {
            assert_eq!(done.validated, "post-conditions, declared schema", "{name}/{}", done.file);
        }
    }
}

/// The newest versions that every database gets, of the ledger and of donna.
fn newest(site: &Site) -> [i64; 2] {
    ["transload", "donna"].map(|schema| {
        let all = migrations(schema, site.dialect).expect("there are some");
        all.iter().rfind(|file| file.parsed().header.optional.is_none()).expect("one is for all").number()
    })
}

fn declares(schema: &str, version: i64) -> String {
    format!("`{schema}` is what version {version:04} declares\n")
}

/// What `migrate` said when it had to refuse.
fn refused(site: &Site) -> String {
    let finished = site.place.run(&["migrate", "data", "--quiet", "--db", &site.url]).expect(2);
    finished.stderr
}

fn migrate_makes_its_tables_in_an_empty_database_only(site: &Site) {
    site.place.copy_fixture("donna");
    let migrate = || site.place.run(&["migrate", "data", "--quiet", "--db", &site.url]);
    let first = migrate();
    assert!(matches!(first.code, Some(0 | 1)), "{}", first.stderr);
    let validated = site.run(&["validate"]).expect(0);
    let [ledger, donna] = newest(site);
    let (first_line, last_line) = (declares("transload", ledger), declares("donna", donna));
    assert!(validated.stdout.starts_with(&first_line), "{}", validated.stdout);
    assert!(validated.stdout.ends_with(&last_line), "{}", validated.stdout);
    let versions = if site.dialect == "sqlite" { "transload_versions" } else { "transload.versions" };
    let indexes = migrations("donna", site.dialect).expect("there are some")[1].sql;
    let drops = indexes.lines().filter_map(|line| line.strip_prefix("CREATE INDEX ")?.split(' ').next());
    let drops: String = drops.map(|index| format!("DROP INDEX {index};")).collect();
    site.execute(&format!("DELETE FROM {versions} WHERE schema_name = 'donna' AND number > 1; {drops}"));
    let said = refused(site);
    assert!(said.contains("`donna/0002_indexes.sql` was not applied yet"), "{said}");
    assert!(said.contains("`transload schema apply`, without a directory"), "{said}");
    assert_eq!(site.run(&["validate"]).expect(1).stdout.matches("not applied yet: donna/0002_indexes.sql").count(), 1);
    let applied = site.run(&["apply"]).expect(0);
    assert!(applied.stdout.starts_with("applied donna/0002_indexes.sql\n"), "{}", applied.stdout);
    assert_eq!(site.run(&["apply"]).expect(0).stdout, "nothing to do: transload's tables are up to date\n");
    assert_eq!(migrate().code, first.code);
}

fn migrate_refuses_tables_that_were_changed_by_hand(site: &Site) {
    site.place.copy_fixture("donna");
    let migrate = || site.place.run(&["migrate", "data", "--quiet", "--db", &site.url]);
    let first = migrate();
    site.execute("DROP INDEX idx_messages_role");
    let said = refused(site);
    let drift =
        format!("is not what its version {} declares: index `messages.idx_messages_role` is missing", newest(site)[1]);
    assert!(said.contains(&drift), "{said}");
    assert!(said.contains("`transload schema validate`, without a directory"), "{said}");
    let validated = site.run(&["validate"]).expect(1);
    assert!(
        validated.stdout.contains("difference: index `messages.idx_messages_role` is missing"),
        "{}",
        validated.stdout
    );
    // What is there beyond what is declared is the application's business.
    site.execute("CREATE INDEX idx_messages_role ON messages (role); CREATE INDEX theirs ON messages (content); ALTER TABLE users ADD COLUMN theirs TEXT;");
    assert_eq!(migrate().code, first.code);
}

fn tables_that_an_application_made_need_not_be_ours_to_the_last_index(site: &Site) {
    let target = content::target(&site.url);
    let dialect = site.dialect;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/donna").join(dialect);
    {
        let mut connection = target.connect(transload::target::Durability::Full).expect("a connection");
        let script = fs::read_to_string(folder.join("0001_core_tables.sql")).expect("a file");
        connection.run_script(Owner::Application, &script).expect("it runs");
        let prepared = schema::prepare(&mut *connection, dialect, "donna", &WITHOUT_LOGS).expect("it is adopted");
        assert_eq!(prepared.adopted.len(), if dialect == "sqlite" { 3 } else { 2 });
        schema::prepare(&mut *connection, dialect, "donna", &WITHOUT_LOGS).expect("it stays adopted");
    }
    let validated = site.run(&["validate"]).expect(0);
    assert!(validated.stdout.contains("warning: index `users.idx_users_email` is missing"), "{}", validated.stdout);
}

on_both!(
    the_declared_schemas_are_what_the_migrations_make,
    the_runner_takes_them_like_any_others,
    migrate_makes_its_tables_in_an_empty_database_only,
    migrate_refuses_tables_that_were_changed_by_hand,
    tables_that_an_application_made_need_not_be_ours_to_the_last_index,
);
