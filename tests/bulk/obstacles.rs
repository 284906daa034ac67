//! What keeps a load from going in bulk: each is told, and nothing is touched.

use crate::shape::{assert_shape, shape};
use crate::support::postgres::{self, PrivatePostgres};
use crate::world::{Ran, World};
use crate::{make_large, BULK};

fn prepared() -> World {
    let world = World::postgres();
    world.seed();
    assert_eq!(world.run(&["schema", "apply"]).code, 0);
    world
}

#[track_caller]
fn assert_refused(ran: &Ran, why: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{why}: {}", ran.stderr);
    assert!(ran.stderr.contains(&format!("error: the load cannot go in bulk: {why}")), "{why}: {}", ran.stderr);
    assert!(ran.stderr.contains("\nhint: remove what is in the way, or leave `--mode bulk` out"), "{}", ran.stderr);
}

#[test]
fn what_depends_on_a_table_is_told() {
    let world = prepared();
    let cases = [
        ("CREATE TABLE other (id UUID REFERENCES users)", "DROP TABLE other", "public.other refers to public.users"),
        ("CREATE VIEW v AS SELECT id FROM messages", "DROP VIEW v", "the view public.v reads public.messages"),
        (
            "CREATE MATERIALIZED VIEW v AS SELECT id FROM messages",
            "DROP MATERIALIZED VIEW v",
            "the view public.v reads public.messages",
        ),
        ("CREATE RULE r AS ON DELETE TO users DO ALSO NOTHING", "DROP RULE r ON users", "a rule rewrites public.users"),
        (
            "CREATE PUBLICATION p FOR TABLE chat_sessions",
            "DROP PUBLICATION p",
            "the publication p publishes public.chat_sessions",
        ),
        ("CREATE PUBLICATION p FOR ALL TABLES", "DROP PUBLICATION p", "the publication p publishes"),
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION f()",
            "DROP FUNCTION f CASCADE",
            "public.users has the trigger t",
        ),
        ("ALTER TABLE messages DISABLE TRIGGER ALL", "ALTER TABLE messages ENABLE TRIGGER ALL", "triggers of public."),
        (
            "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
            "public.users has row security",
        ),
        ("CREATE TABLE child () INHERITS (messages)", "DROP TABLE child", "public.messages is no plain table"),
        (
            "ALTER TABLE messages ADD CONSTRAINT x EXCLUDE USING hash (role WITH =)",
            "ALTER TABLE messages DROP CONSTRAINT x",
            "public.messages has an exclusion constraint",
        ),
        (
            "ALTER TABLE messages CLUSTER ON idx_messages_role",
            "ALTER TABLE messages SET WITHOUT CLUSTER",
            "the index public.idx_messages_role is clustered by",
        ),
        (
            "ALTER TABLE messages REPLICA IDENTITY USING INDEX messages_pkey",
            "ALTER TABLE messages REPLICA IDENTITY DEFAULT",
            "the index public.messages_pkey is clustered by, or identifies rows",
        ),
        (
            "CREATE INDEX x ON messages (lower(role)); ALTER INDEX x ALTER COLUMN 1 SET STATISTICS 7",
            "DROP INDEX x",
            "the index public.x stands in a tablespace of its own, or has statistics of its own",
        ),
        ("INSERT INTO users (name) VALUES ('theirs')", "DELETE FROM users", "the tables hold rows"),
    ];
    let before = shape(&world);
    for (make, undo, why) in cases {
        world.execute(make);
        let made = shape(&world);
        assert_refused(&world.migrate(&BULK), why);
        assert_shape(&world, &made, make);
        world.execute(undo);
    }
    assert_shape(&world, &before, "after all was undone");
    assert_eq!(world.value("SELECT count(*) FROM transload.documents"), "0");
    assert_eq!(world.migrate(&BULK).summary()["mode"], "bulk");
}

#[test]
fn by_itself_the_load_goes_another_way_and_says_why() {
    let world = prepared();
    make_large(&world);
    world.execute("CREATE VIEW v AS SELECT id FROM messages");
    let summary = world.migrate(&[]).summary();
    assert_eq!(
        (&summary["mode"], &summary["mode_reason"]),
        (&"online".into(), &"the view public.v reads public.messages".into())
    );
    assert_eq!(world.values("SELECT mode FROM transload.runs WHERE state = 'done'"), ["online"]);
}

#[test]
fn tables_that_somebody_uses_are_left_alone() {
    let world = prepared();
    let mut reader = postgres::connect(&world.url());
    reader.batch_execute("BEGIN; SELECT count(*) FROM messages").expect("a look is allowed");
    assert_refused(&world.migrate(&BULK), "somebody else uses the tables");
    reader.batch_execute("ROLLBACK").expect("it was begun");
    assert_eq!(world.migrate(&BULK).said(), "0: 7 loaded; 16 rows");
}

#[test]
fn tables_of_somebody_else_are_left_alone() {
    let server = PrivatePostgres::start();
    let url = server.create_database("theirs");
    let world = World::postgres();
    world.seed();
    let run = |url: &str, arguments: &[&str]| {
        let all = [&["--db", url][..], arguments].concat();
        Ran::of(world.bare_command(&all).output().expect("the program starts"))
    };
    assert_eq!(run(&url, &["schema", "apply"]).code, 0);
    postgres::execute(
        &url,
        "CREATE ROLE app LOGIN; GRANT ALL ON SCHEMA public, transload TO app;
         GRANT ALL ON ALL TABLES IN SCHEMA public TO app; GRANT ALL ON ALL TABLES IN SCHEMA transload TO app",
    );
    let as_app = server.url_as("app", "theirs");
    let refused = run(&as_app, &["migrate", "source", "--quiet", "--mode", "bulk"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("the load cannot go in bulk"), "{}", refused.stderr);
    assert!(refused.stderr.contains("permission") || refused.stderr.contains("belongs to"), "{}", refused.stderr);
    assert_eq!(run(&as_app, &["migrate", "source", "--quiet"]).code, 0);
}

#[test]
fn a_role_with_rights_on_its_own_schemas_only_is_enough() {
    let server = PrivatePostgres::start();
    let url = server.create_database("ours");
    postgres::execute(
        &url,
        "CREATE ROLE app LOGIN; REVOKE ALL ON SCHEMA public FROM public; CREATE SCHEMA app AUTHORIZATION app;
         CREATE SCHEMA transload AUTHORIZATION app",
    );
    let world = World::postgres();
    world.seed();
    let as_app = server.url_as("app", "ours");
    let arguments = ["migrate", "source", "--json", "--quiet", "--mode", "bulk", "--db", &as_app];
    let ran = Ran::of(world.bare_command(&arguments).output().expect("the program starts"));
    assert_eq!(ran.said(), "0: 7 loaded; 16 rows", "{}", ran.stderr);
    assert_eq!(ran.summary()["mode"], "bulk");
}

#[test]
fn everything_comes_back_as_it_was() {
    let world = prepared();
    world.execute(
        "ALTER TABLE messages ADD CONSTRAINT \"Odd \"\"name\"\"\" UNIQUE (id, role) DEFERRABLE INITIALLY DEFERRED;
         COMMENT ON CONSTRAINT \"Odd \"\"name\"\"\" ON messages IS 'it''s \\ odd';
         COMMENT ON CONSTRAINT messages_pkey ON messages IS 'the key';
         COMMENT ON INDEX messages_pkey IS 'its index';
         COMMENT ON INDEX idx_messages_role IS 'by role
and more';
         COMMENT ON CONSTRAINT messages_chat_session_id_fkey ON messages IS 'whose it is';
         COMMENT ON TABLE messages IS 'a table';
         CREATE UNIQUE INDEX partly ON messages (chat_session_id, sequence_number DESC NULLS LAST) INCLUDE (role)
             WHERE sequence_number > 1000;
         CREATE UNIQUE INDEX one_null ON messages (id, token_count) NULLS NOT DISTINCT;
         CREATE INDEX by_expression ON messages USING hash (lower(content));
         CREATE INDEX filled ON messages (role COLLATE \"C\" text_pattern_ops) WITH (fillfactor = 50);
         CREATE INDEX words ON messages USING gin (to_tsvector('simple', \"left\"(content, 100)));
         ALTER TABLE user_memory ADD CONSTRAINT later FOREIGN KEY (user_id) REFERENCES users (id) MATCH FULL
             ON UPDATE CASCADE DEFERRABLE NOT VALID;
         CREATE STATISTICS stats ON role, abuse_flagged FROM messages;
         ALTER TABLE messages ALTER COLUMN role SET STATISTICS 50;
         GRANT SELECT ON messages TO PUBLIC",
    );
    let before = shape(&world);
    let ran = world.migrate(&BULK);
    assert_eq!(ran.said(), "0: 7 loaded; 16 rows", "{}", ran.stderr);
    assert_eq!(ran.summary()["mode"], "bulk");
    assert_shape(&world, &before, "after the load");
    // The planner knows the rows.
    assert_eq!(world.value("SELECT reltuples FROM pg_class WHERE relname = 'messages'"), "8");
}
