//! What is not what was compared is left alone.

use transload::pipeline::{Mode, RepairOutcome};

use crate::bench::{told, Bench};
use crate::world::{assert_same, history};

pub fn rows_that_changed_since_are_left_alone(bench: &Bench) {
    let before = bench.migrated();
    let chat = "(SELECT id FROM chat_sessions WHERE chat_id = 'c1')";
    for later in [
        "UPDATE messages SET content = 'ONE' WHERE content = 'one'".to_owned(),
        "DELETE FROM messages WHERE content = 'three'".to_owned(),
        format!(
            "INSERT INTO messages (chat_session_id, role, content, sequence_number) VALUES ({chat}, 'user', 'x', 9)"
        ),
        "UPDATE chat_sessions SET title = 'x' WHERE chat_id = 'c1'".to_owned(),
        format!("UPDATE messages SET chat_session_id = {chat} WHERE content = 'alone'"),
        "DELETE FROM chat_sessions WHERE chat_id = 'c1'".to_owned(),
        "UPDATE ledger.documents SET bytes = 1 WHERE doc_key = 'c1'".to_owned(),
        "DELETE FROM ledger.residue WHERE document_id = (SELECT id FROM ledger.documents WHERE doc_key = 'c1')"
            .to_owned(),
    ] {
        bench.world.execute("UPDATE messages SET content = 'TWO' WHERE content = 'two'");
        bench.world.execute("UPDATE users SET name = 'x' WHERE name = 'Bob'");
        let mut guards = bench.guards();
        guards.remove(&transload::model::ids::document("chats", "c2"));
        bench.world.execute(&later);
        let messages = bench.world.content()["messages"].clone();
        let report = bench.repair_with(guards, Mode::Real);
        assert_eq!(told(&report), ["chat_sessions/c1.json: changed", "users/bob.json: repaired"], "{later}");
        assert_eq!(bench.world.content()["messages"], messages);
        assert_eq!(report.account.summary.documents.conflicts, 1);
        assert!(report.account.repairs.iter().any(|it| {
            it.outcome == RepairOutcome::Changed
                && it.detail.as_deref() == Some("its rows changed since it was compared")
        }));
        // Compared again, it can be repaired.
        bench.repair();
        bench.content().assert_is(&before, &later);
    }
}

pub fn files_that_changed_since_are_left_alone(bench: &Bench) {
    bench.migrated();
    bench.world.execute("UPDATE messages SET content = 'x' WHERE content IN ('two', 'alone')");
    let guards = bench.guards();
    bench.world.json("chat_sessions/c1.json", &history(&["one", "two", "three", "four"]));
    let report = bench.repair_with(guards, Mode::Real);
    assert_eq!(told(&report), ["chat_sessions/c1.json: changed", "chat_sessions/c2.json: repaired"]);
    assert_eq!(bench.world.value("SELECT count(*) FROM messages WHERE content = 'x'"), "1");
    bench.repair();
    assert_eq!(bench.verify().differences, 0);
}

pub fn a_file_that_is_gone_is_told(bench: &Bench) {
    bench.migrated();
    let guards = bench.guards();
    bench.world.remove("users/bob.json");
    let before = bench.world.dump();
    let report = bench.repair_with(guards, Mode::Real);
    assert_eq!(told(&report), [": unread"]);
    assert_same(&bench.world.dump(), &before);
}

/// A repair of what was never loaded, or is behind its file, is what a migration would do.
pub fn files_that_changed_before_they_were_compared_are_loaded(bench: &Bench) {
    bench.migrated();
    bench.world.json("chat_sessions/c1.json", &history(&["one", "2", "three", "four"]));
    bench.world.json("chat_sessions/new.json", &history(&["first"]));
    bench.world.execute("UPDATE messages SET content = 'x' WHERE content = 'three'");
    let report = bench.repair();
    assert_eq!(told(&report), ["chat_sessions/c1.json: repaired", "chat_sessions/new.json: repaired"]);
    let documents = &report.account.summary.documents;
    assert_eq!((documents.loaded, documents.updated), (1, 1));
    let outcome = bench.verify();
    assert_eq!(outcome.differences, 0, "{:?}", outcome.listed_differences);
}
