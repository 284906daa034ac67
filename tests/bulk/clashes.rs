//! Rows that stand in the way of a key when it is put back.

use serde_json::json;

use crate::shape::{assert_shape, shape};
use crate::world::{history, memory, session, until, user, World};
use crate::{outcome, BULK, ONLINE};

fn with_a_key(sql: &str) -> World {
    let world = World::postgres();
    world.seed();
    assert_eq!(world.run(&["schema", "apply"]).code, 0);
    world.execute(sql);
    world
}

#[test]
fn a_document_that_clashes_with_itself_becomes_a_reject() {
    let key = "ALTER TABLE messages ADD CONSTRAINT once_a_chat UNIQUE (chat_session_id, content)";
    let world = with_a_key(key);
    world.json("chat_sessions/c2.json", &history(&["the same", "the same"]));
    let other = world.with_another_database("other");
    assert_eq!(other.run(&["schema", "apply"]).code, 0);
    other.execute(key);
    let before = shape(&world);
    let (bulk, online) = (world.migrate(&BULK), other.migrate(&ONLINE));
    assert_eq!(bulk.said(), "1: 6 loaded, 1 rejected; 13 rows", "{}", bulk.stderr);
    assert_eq!(outcome(&bulk), outcome(&online));
    assert_eq!(bulk.summary()["mode"], "bulk");
    assert_shape(&world, &before, "after a reject");
    crate::assert_same(&world.content(), &other.content());
    assert_eq!(world.values("SELECT reason FROM transload.rejects"), ["refused_by_database"]);
    // Again: nothing changes.
    assert_eq!(world.migrate(&BULK).said(), "1: 6 unchanged, 1 rejected; 0 rows");
}

#[test]
fn of_two_documents_the_first_in_path_order_stays() {
    let world = with_a_key("CREATE UNIQUE INDEX once ON messages (md5(content))");
    world.json("chat_sessions/a9.json", &history(&["the same"]));
    world.json("chat_sessions/c9.json", &history(&["the same"]));
    world.json("chat_sessions/c9_session.json", &session("c9", json!("ada")));
    let ran = world.migrate(&BULK);
    assert_eq!(ran.said(), "1: 8 loaded, 1 rejected; 18 rows", "{}", ran.stderr);
    assert_eq!(world.values("SELECT doc_key FROM transload.rejects"), ["c9"]);
    assert_eq!(world.value("SELECT count(*) FROM chat_sessions WHERE chat_id = 'c9'"), "0");
    assert_eq!(world.value("SELECT count(*) FROM messages WHERE content = 'the same'"), "1");
    assert_eq!(world.value("SELECT count(*) FROM transload.set_aside"), "0");
}

/// Only a superuser gets past the guard, in a session in which no trigger fires.
#[test]
fn rows_that_lost_what_they_refer_to_are_sent_once_more() {
    let world = with_a_key("SELECT");
    world.json("users/eve.json", &user("eve", json!({})));
    world.json("memory/eve.json", &memory(&[("color", "red")]));
    let held = world.hold("chat_sessions/c1.json");
    let running = world.start_migrate(&BULK);
    until("the load", || world.value("SELECT count(*) FROM transload.documents") == "5");
    let eve = world.value("SELECT row_id FROM transload.documents WHERE kind = 'users' AND doc_key = 'eve'");
    world.execute(&format!("SET session_replication_role = replica; DELETE FROM users WHERE id = '{eve}'"));
    held.release();
    let ran = running.wait();
    // By the ledger eve is there; by her row she is not, and her memory gets a placeholder.
    assert_eq!(ran.said(), "0: 9 loaded; 19 rows", "{}", ran.stderr);
    let of_memory =
        "SELECT u.id, u.status FROM user_memory m JOIN users u ON u.id = m.user_id WHERE m.value = '\"red\"'";
    assert_eq!(world.query(of_memory), [[eve.as_str(), "placeholder"]]);
    assert_eq!(world.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated"), "0");
}

#[test]
fn a_row_that_no_document_made_is_never_taken_out() {
    let world = with_a_key("CREATE UNIQUE INDEX once ON messages (md5(content))");
    let held = world.hold("chat_sessions/c1.json");
    let running = world.start_migrate(&BULK);
    until("the load", || world.value("SELECT count(*) FROM transload.documents") == "3");
    world.execute(
        "SET session_replication_role = replica;
         INSERT INTO messages (chat_session_id, role, content, sequence_number)
         SELECT gen_random_uuid(), 'user', 'theirs', n FROM generate_series(1, 2) AS n",
    );
    held.release();
    let ran = running.wait();
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(ran.stderr.contains("`once` cannot be put back: 1 rows of \"public\".\"messages\""), "{}", ran.stderr);
    assert_eq!(world.value("SELECT count(*) FROM messages WHERE content = 'theirs'"), "2");
    assert_eq!(world.run(&["status"]).code, 2);
    // Once they are gone, the same command goes on.
    world.execute("SET session_replication_role = replica; DELETE FROM messages WHERE content = 'theirs'");
    let again = world.migrate(&BULK);
    assert_eq!(again.said(), "0: 7 unchanged; 0 rows", "{}", again.stderr);
}
