//! What only a server can do to a run: refuse it, drop it, disappear; and how it is reached.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::postgres::{self, execute, Options, PrivatePostgres};
use crate::world::{assert_same, history, until, Ran, World};

const SECRET: &str = "s3cret-p@ss/word";
const SECRET_IN_URL: &str = "s3cret-p%40ss%2Fword";

/// The program with these arguments and variables; no other database is named.
fn run(world: &World, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = world.bare_command(&[&["migrate", "source", "--json", "--quiet"], arguments].concat());
    Ran::of(command.envs(variables.iter().copied()).output().expect("the program starts"))
}

fn failed(run: &Ran, what: &str) {
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
    assert!(run.stderr.contains(what), "{what:?} is not in: {}", run.stderr);
    assert!(run.stderr.contains("\nhint: "), "no hint: {}", run.stderr);
    assert!(!run.stderr.contains("s3cret"), "{}", run.stderr);
}

/// A server that asks the role `app` for a password, and the role's own database `app`.
fn server_with_a_role() -> PrivatePostgres {
    let server = PrivatePostgres::start_with(&Options {
        hba: &["host all app 127.0.0.1/32 scram-sha-256"],
        ..Options::default()
    });
    execute(&server.url(), &format!("CREATE ROLE app LOGIN PASSWORD '{SECRET}'"));
    server.create_database("app");
    // No rights but on a schema of its own, and to make the ledger's.
    execute(
        &server.url_for("app"),
        "REVOKE ALL ON DATABASE app FROM public; REVOKE ALL ON SCHEMA public FROM public;
         CREATE SCHEMA app AUTHORIZATION app; CREATE SCHEMA transload AUTHORIZATION app;
         GRANT CONNECT ON DATABASE app TO app",
    );
    server
}

#[test]
fn a_role_with_rights_on_its_own_schemas_only_is_enough() {
    let server = server_with_a_role();
    let world = World::postgres();
    world.seed();
    let url = format!("postgres://app:{SECRET_IN_URL}@127.0.0.1:{}/app", server.port());
    assert_eq!(run(&world, &["--db", &url, "--dry-run"], &[]).said(), "0: 7 loaded; 16 rows");
    assert_eq!(run(&world, &["--db", &url], &[]).said(), "0: 7 loaded; 16 rows");
    world.json("chat_sessions/c1.json", &history(&["one", "two, edited"]));
    world.remove("users/bob.json");
    let arguments = ["--db", url.as_str(), "--prune"];
    assert_eq!(run(&world, &arguments, &[]).said(), "0: 1 updated, 5 unchanged, 1 removed, 1 pruned; 4 rows");
    let status = world.bare_command(&["status", "--db", &url]).output().expect("the program starts");
    let status = Ran::of(status);
    assert_eq!(status.code, 0, "{}", status.stderr);
    assert!(!(status.stdout + &status.stderr).contains("s3cret"));
    let owners =
        "SELECT DISTINCT schemaname || ' ' || tableowner FROM pg_tables WHERE tableowner <> 'postgres' ORDER BY 1";
    assert_eq!(
        postgres::query(&server.url_for("app"), owners).concat(),
        [Some("app app".into()), Some("transload app".into())]
    );
    assert_eq!(postgres::value(&server.url_for("app"), "SELECT count(*) FROM app.messages"), "7");
}

#[test]
fn the_variables_make_the_database_and_no_other_one_redirects_a_run() {
    let server = server_with_a_role();
    let world = World::postgres();
    world.seed();
    let port = server.port().to_string();
    let variables = [
        ("DB_HOST", "127.0.0.1"),
        ("DB_PORT", port.as_str()),
        ("DB_NAME", "app"),
        ("DB_USER", "app"),
        ("DB_PASSWORD", SECRET),
        ("DATABASE_URL", "postgres://elsewhere.invalid/nothing"),
        ("PGHOST", "elsewhere.invalid"),
        ("PGDATABASE", "nothing"),
    ];
    let by_flag = run(&world, &["--db", "env", "--only", "users"], &variables);
    assert_eq!(by_flag.said(), "0: 2 loaded; 2 rows");
    assert_eq!(by_flag.summary()["target"], format!("postgres://app@127.0.0.1:{port}/app"));
    let mut by_variable = variables.to_vec();
    by_variable.push(("TRANSLOAD_DB", "env"));
    assert_eq!(run(&world, &[], &by_variable).said(), "0: 5 loaded, 2 unchanged; 14 rows");
    // A flag goes before the variable.
    let by_flag = run(&world, &["--db", "sqlite:other.db"], &by_variable);
    assert_eq!(by_flag.summary()["target"], "sqlite:other.db");
    // The password may come from libpq's places, and is said nowhere.
    let url = format!("postgres://app@127.0.0.1:{port}/app");
    let by_pgpassword = run(&world, &["-vv", "--db", &url], &[("PGPASSWORD", SECRET)]);
    assert_eq!(by_pgpassword.said(), "0: 7 unchanged; 0 rows");
    assert!(!by_pgpassword.stderr.contains("s3cret"), "{}", by_pgpassword.stderr);
    let missing = run(&world, &["--db", "env"], &variables[1..5]);
    failed(&missing, "DB_HOST is not set");
}

#[test]
fn a_password_that_is_wrong_is_told_and_not_shown() {
    let server = server_with_a_role();
    let world = World::postgres();
    world.seed();
    let port = server.port();
    let refused = run(&world, &["--db", &format!("postgres://app:s3cret-wrong@127.0.0.1:{port}/app")], &[]);
    failed(&refused, &format!("cannot connect to PostgreSQL at 127.0.0.1:{port}"));
    failed(&run(&world, &["--db", &format!("postgres://app@127.0.0.1:{port}/app")], &[]), "password");
    let nowhere = run(&world, &["--db", &format!("postgres://postgres@127.0.0.1:{port}/nowhere")], &[]);
    failed(&nowhere, "nowhere");
    // Nor in what is printed on a run that succeeds, or in the ledger.
    let url = format!("postgres://app:{SECRET_IN_URL}@127.0.0.1:{port}/app");
    let fine = world.bare_command(&["migrate", "source", "-vv", "--db", &url]).output().expect("the program starts");
    let fine = Ran::of(fine);
    assert_eq!(fine.code, 0);
    assert!(!(fine.stdout + &fine.stderr).contains("s3cret"));
    let runs = postgres::query(&server.url_for("app"), "SELECT * FROM transload.runs");
    assert!(!format!("{runs:?}").contains("s3cret"));
}

#[test]
fn a_database_that_is_not_utf8_is_refused() {
    let server = postgres::shared();
    execute(&server.url(), "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
    let world = World::postgres();
    world.seed();
    failed(&run(&world, &["--db", &server.url_for("latin")], &[]), "LATIN1");
}

#[test]
fn a_server_that_is_down_is_named() {
    let world = World::postgres();
    world.seed();
    let server = PrivatePostgres::start();
    let port = server.port();
    drop(server);
    let url = format!("postgres://app:{SECRET_IN_URL}@127.0.0.1:{port}/app");
    let down = run(&world, &["--db", &url], &[]);
    failed(&down, &format!("cannot connect to PostgreSQL at 127.0.0.1:{port}"));
    let resume = format!("transload migrate source --json --quiet --db postgres://app@127.0.0.1:{port}/app");
    assert!(down.stderr.contains(&resume), "{}", down.stderr);
}

/// A world with more chats than the reader takes at a time.
fn many(world: &World) {
    world.seed();
    for number in 0..1_500 {
        world.json(&format!("chat_sessions/n{number:05}.json"), &history(&["one", "two"]));
    }
}

fn some_are_loaded(url: &str) -> bool {
    postgres::value(url, "SELECT to_regclass('transload.documents') IS NOT NULL") == "t"
        && postgres::value(url, "SELECT count(*) > 300 FROM transload.documents") == "t"
}

#[test]
fn connections_that_are_lost_in_the_middle_are_made_again() {
    let world = World::postgres();
    many(&world);
    let held = world.hold("chat_sessions/n00800.json");
    let running = world.start_migrate(&["--batch-rows", "100"]);
    until("the first chats are loaded", || some_are_loaded(&world.url()));
    let all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_ne!(postgres::value(&world.url(), all), "0");
    held.release();
    let ran = running.wait();
    assert_eq!(ran.said(), "0: 1507 loaded; 4516 rows", "{:?} {}", ran.findings(), ran.stderr);
    assert_eq!(world.migrate(&[]).said(), "0: 1507 unchanged; 0 rows");
    let whole = world.with_another_database("whole");
    assert_eq!(whole.migrate(&["--batch-rows", "100"]).code, 0);
    assert_same(&world.content(), &whole.content());
    assert_eq!(world.values("SELECT state FROM ledger.runs"), ["done", "done"]);
}

#[test]
fn a_server_that_stops_for_good_stops_the_run_which_can_go_on_later() {
    let world = World::postgres();
    many(&world);
    let server = PrivatePostgres::start();
    let url = server.create_database("target");
    let arguments = ["--batch-rows", "100", "--db", url.as_str()];
    let held = world.hold("chat_sessions/n00800.json");
    let mut command = world.bare_command(&[&["migrate", "source", "--json", "--quiet"], &arguments[..]].concat());
    let running = crate::world::Running::start(&mut command);
    until("the first chats are loaded", || some_are_loaded(&url));
    server.stop_immediate();
    held.release();
    let ran = running.wait();
    failed(&ran, "PostgreSQL");
    assert!(
        ran.stderr.contains("this goes on: transload migrate source --json --quiet --batch-rows 100"),
        "{}",
        ran.stderr
    );
    server.restart();
    let rest = run(&world, &arguments, &[]);
    assert_eq!(rest.code, 0, "{}", rest.stderr);
    assert_eq!(rest.summary()["documents"]["updated"], 0);
    assert_eq!(run(&world, &arguments, &[]).said(), "0: 1507 unchanged; 0 rows");
    let states = postgres::query(&url, "SELECT state FROM transload.runs ORDER BY started_at").concat();
    assert_eq!(states, ["interrupted", "done", "done"].map(|state| Some(state.to_owned())));
}

#[test]
fn a_run_goes_over_tls_that_is_verified_in_full() {
    let authority = {
        let mut parameters = CertificateParams::new(Vec::<String>::new()).expect("no names");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(parameters, KeyPair::generate().expect("a key")).expect("a certificate")
    };
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name").signed_by(&key, &authority);
    let server = PrivatePostgres::start_with(&Options {
        conf: &["ssl = on"],
        files: &[("server.crt", &certificate.expect("a certificate").pem()), ("server.key", &key.serialize_pem())],
        hba: &["hostssl all app all scram-sha-256", "hostnossl all all all reject"],
        ..Options::default()
    });
    execute(&server.url(), &format!("CREATE ROLE app LOGIN PASSWORD '{SECRET}'"));
    execute(&server.url(), "CREATE DATABASE app OWNER app");
    let world = World::postgres();
    world.seed();
    std::fs::write(world.directory().join("root.pem"), authority.pem()).expect("written");
    let url = |host: &str, mode: &str| {
        format!("postgres://app@{host}:{}/app?sslmode={mode}&sslrootcert=root.pem", server.port())
    };
    let password = [("PGPASSWORD", SECRET)];
    let full = run(&world, &["--db", &url("localhost", "verify-full")], &password);
    assert_eq!(full.code, 0, "{}", full.stderr);
    assert_eq!(full.said(), "0: 7 loaded; 16 rows");
    failed(&run(&world, &["--db", &url("127.0.0.1", "verify-full")], &password), "hint: connect by a name");
    assert_eq!(run(&world, &["--db", &url("127.0.0.1", "verify-ca")], &password).said(), "0: 7 unchanged; 0 rows");
    failed(&run(&world, &["--db", &url("localhost", "disable")], &password), "cannot connect");
}
