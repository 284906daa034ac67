//! Files that claim the same key: the first in path order loads, however the work is divided, and
//! keeps its claim from run to run.

use serde_json::json;

use crate::world::{assert_same, history, memory, session, user, World};

const LOWER: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

const DIVISIONS: [[&str; 6]; 4] = [
    ["--threads", "1", "--connections", "1", "--batch-rows", "1"],
    ["--threads", "8", "--connections", "4", "--batch-rows", "1"],
    ["--threads", "1", "--connections", "4", "--batch-rows", "2"],
    ["--threads", "8", "--connections", "1", "--batch-rows", "1000"],
];

/// One pair for each kind of claim, with documents in between.
fn rivals(world: &World) {
    world.seed();
    for number in 0..20 {
        world.json(&format!("users/m{number:02}.json"), &user(&format!("m{number:02}"), json!({})));
    }
    world.json("users/zoe.json", &user("zoe", json!({"clerk_id": "clerk_ada", "name": "Zoe"})));
    world.json(&format!("users/{}.json", LOWER.to_uppercase()), &user(LOWER, json!({"name": "upper"})));
    world.json(&format!("users/{LOWER}.json"), &user(LOWER, json!({"name": "lower"})));
    world.json("data/users/bob.json", &user("bob", json!({"name": "first Bob"})));
    world.json("data/chat_sessions/c1.json", &history(&["another"]));
    world.json("memory/clerk_ada.json", &memory(&[("shape", "round"), ("city", "Paris")]));
}

const REJECTS: [&str; 5] = [
    "rejected data/chat_sessions/c1.json: `data/chat_sessions/c1.json`: `chat_sessions/c1.json` claims the same id and \
     came first (duplicate_claim)",
    "rejected memory/clerk_ada.json: `memory/clerk_ada.json`: `memory/ada.json` claims the same user_id, memory_type, \
     key and came first (duplicate_claim)",
    "rejected users/67e55044-10b1-426f-9247-bb680e5fe0c8.json: `users/67e55044-10b1-426f-9247-bb680e5fe0c8.json`: \
     `users/67E55044-10B1-426F-9247-BB680E5FE0C8.json` claims the same id and came first (duplicate_claim)",
    "rejected users/bob.json: `users/bob.json`: `data/users/bob.json` claims the same id and came first \
     (duplicate_claim)",
    "rejected users/zoe.json: `users/zoe.json`: `users/ada.json` claims the same clerk_id and came first \
     (duplicate_claim)",
];

fn the_first_in_path_order_loads_however_the_work_is_divided(world: &World) {
    rivals(world);
    let mut first = None;
    for (number, division) in DIVISIONS.iter().enumerate() {
        let other = world.with_another_database(&format!("other{number}"));
        let run = other.migrate(division);
        assert_eq!(run.said(), "1: 28 loaded, 5 rejected; 37 rows", "{division:?}");
        assert_eq!(run.findings(), REJECTS, "{division:?}");
        let content = other.content();
        // How a document's rows are divided into parts does depend on the size of batches.
        let mut rows = content.clone();
        rows.remove("ledger.residue");
        assert_same(&rows, first.get_or_insert(rows.clone()));
        // And again, now that the database decides.
        let again = other.migrate(division);
        assert_eq!(again.said(), "1: 28 unchanged, 5 rejected; 0 rows", "{division:?}");
        assert_eq!(again.findings(), REJECTS, "{division:?}");
        assert_same(&other.content(), &content);
    }
}

fn the_first_in_path_order_loads_when_a_placeholder_stands_in_for_it(world: &World) {
    rivals(world);
    let whole = world.with_another_database("whole");
    assert_eq!(whole.migrate(&[]).code, 1);
    // Now the first one replaces a row, and the second would be a new one.
    assert_eq!(world.migrate(&["--only", "memory"]).code, 0);
    assert_eq!(world.migrate(&["--only", "users"]).findings(), REJECTS[2..]);
    // The second memory file was loaded while nobody knew that both are of one user. It stays as
    // it is, whole, and is a reject from now on.
    for _ in 0..2 {
        let run = world.migrate(&[]);
        assert_eq!((run.code, run.findings()), (1, REJECTS.map(str::to_owned).to_vec()));
    }
    assert_eq!(world.migrate(&[]).summary()["rows"], 0);
    let of_clerk = "SELECT m.key, u.status FROM user_memory m JOIN users u ON u.id = m.user_id
                    WHERE u.name IS NULL ORDER BY m.key";
    assert_eq!(world.query(of_clerk), [["city", "placeholder"], ["shape", "placeholder"]]);
    let (left, right) = (world.content(), whole.content());
    for table in ["chat_sessions", "messages", "ledger.rejects"] {
        assert_eq!(left[table], right[table], "{table}");
    }
    assert_eq!(world.values("SELECT name FROM users WHERE clerk_id = 'clerk_ada'"), ["Ada"]);
}

fn a_scan_foretells_the_claims(world: &World) {
    rivals(world);
    let scan = world.bare_command(&["scan", "source", "--quiet"]).output().expect("the program starts");
    let text = String::from_utf8(scan.stdout).expect("text");
    // Whose memory clerk_ada.json is only a database can tell.
    assert_eq!(text.matches("and came first").count(), 4, "{text}");
}

fn what_is_loaded_keeps_its_claim_when_an_earlier_file_appears(world: &World) {
    world.seed();
    assert_eq!(world.migrate(&[]).code, 0);
    let before = world.dump();
    world.json("data/users/bob.json", &user("bob", json!({"name": "another Bob"})));
    world.json("data/chat_sessions/c1.json", &history(&["another"]));
    world.json("users/aaa.json", &user("aaa", json!({"clerk_id": "clerk_ada"})));
    let run = world.migrate(&[]);
    assert_eq!(run.said(), "1: 7 unchanged, 3 rejected; 0 rows");
    let ends = [
        "`chat_sessions/c1.json` claims the same id",
        "`users/bob.json` claims the same id",
        "`users/ada.json` claims the same clerk_id",
    ];
    for (finding, end) in run.findings().iter().zip(ends) {
        assert!(finding.contains(end), "{finding}");
    }
    let after = world.dump();
    for table in ["users", "chat_sessions", "messages", "ledger.documents", "ledger.residue"] {
        assert_eq!(after[table], before[table], "{table}");
    }
    // Also when the loaded one is edited.
    world.json("users/ada.json", &user("ada", json!({"clerk_id": "clerk_ada", "name": "Ada L."})));
    world.json("users/bob.json", &user("bob", json!({"name": "Bob B."})));
    assert_eq!(world.migrate(&[]).said(), "1: 2 updated, 5 unchanged, 3 rejected; 2 rows");
    assert_eq!(world.values("SELECT name FROM users ORDER BY name"), ["Ada L.", "Bob B."]);
}

fn a_copy_of_a_loaded_file_is_a_reject(world: &World) {
    world.seed();
    assert_eq!(world.migrate(&[]).code, 0);
    world.json("data/users/bob.json", &user("bob", json!({"name": "Bob"})));
    assert_eq!(world.migrate(&[]).said(), "1: 7 unchanged, 1 rejected; 0 rows");
    assert_eq!(world.migrate(&[]).said(), "1: 7 unchanged, 1 rejected; 0 rows");
}

fn the_second_takes_the_place_of_a_first_that_is_removed(world: &World) {
    rivals(world);
    assert_eq!(world.migrate(&[]).code, 1);
    world.remove("data/users/bob.json");
    world.remove("chat_sessions/c1.json");
    world.remove("chat_sessions/c1_session.json");
    world.remove(&format!("users/{}.json", LOWER.to_uppercase()));
    world.remove("memory/ada.json");
    let run = world.migrate(&["--prune"]);
    assert_eq!(run.said(), "1: 3 updated, 24 unchanged, 2 rejected, 1 removed, 1 pruned; 8 rows");
    world.remove("users/ada.json");
    assert_eq!(world.migrate(&["--prune"]).summary()["pruned"], 1);
    let last = world.migrate(&[]);
    assert_eq!(last.code, 0, "{:?}", last.findings());
    assert_eq!(world.value("SELECT count(*) FROM ledger.rejects"), "0");
    let names = world.values("SELECT name FROM users WHERE name IS NOT NULL ORDER BY name");
    assert_eq!(names, ["Bob", "Zoe", "lower"]);
}

fn a_broken_second_file_keeps_its_own_reason(world: &World) {
    world.seed();
    world.write("data/chat_sessions/c1.json", "[");
    world.json("data/chat_sessions/c2.json", &history(&["the second file, but a good one"]));
    world.write("chat_sessions/c2.json", "[");
    world.remove("chat_sessions/c1_session.json");
    for _ in 0..2 {
        let run = world.migrate(&[]);
        assert_eq!(run.summary()["reasons"], json!({"duplicate_claim": 1, "truncated": 2}));
    }
    assert_eq!(world.value("SELECT count(*) FROM ledger.rejects"), "3");
    // The list can be worked on one by one.
    let ids = world.values("SELECT document_id FROM ledger.rejects ORDER BY file");
    let arguments: Vec<&str> =
        ["rejects", "accept", "--reason", "known"].into_iter().chain(ids.iter().map(String::as_str)).collect();
    assert_eq!(world.run(&arguments).code, 0);
    assert_eq!(world.migrate(&[]).said(), "0: 6 unchanged, 3 rejected, 3 accepted; 0 rows");
}

fn a_name_that_is_no_document_of_its_own_claims_nothing(world: &World) {
    world.seed();
    // The session file of chat c9 is not the history of a chat `c9_session`.
    world.json("data/chat_sessions/c9_session.json", &session("c9", json!("ada")));
    world.json("chat_sessions/c9_session.json", &history(&["of the chat named c9_session"]));
    // A link that is not followed is not a file.
    std::os::unix::fs::symlink("../../chatbot_settings.json", world.source().join("data/chat_sessions/c2.json"))
        .expect("linked");
    assert_eq!(world.migrate(&[]).said(), "0: 9 loaded; 19 rows");
}

on_every_target!(
    the_first_in_path_order_loads_however_the_work_is_divided,
    the_first_in_path_order_loads_when_a_placeholder_stands_in_for_it,
    a_scan_foretells_the_claims,
    what_is_loaded_keeps_its_claim_when_an_earlier_file_appears,
    a_copy_of_a_loaded_file_is_a_reject,
    the_second_takes_the_place_of_a_first_that_is_removed,
    a_broken_second_file_keeps_its_own_reason,
    a_name_that_is_no_document_of_its_own_claims_nothing,
);
