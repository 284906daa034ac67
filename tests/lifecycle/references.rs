//! References between documents, in whatever order these are loaded.

use serde_json::{json, Value};

use crate::world::{assert_same, history, memory, session, user, World, NULL};

const UPPER: &str = "67E55044-10B1-426F-9247-BB680E5FE0C8";

/// Every way to refer to a user: by id, by clerk id, by number, by a UUID in either case, and to
/// nobody.
fn many_references(world: &World) {
    world.seed();
    world.json("users/7.json", &user("7", json!({"name": "Seven"})));
    world.json(&format!("users/{UPPER}.json"), &user(UPPER, json!({"name": "Grace"})));
    world.json("memory/7.json", &memory(&[("color", "green")]));
    world.json("memory/clerk_ada.json", &memory(&[("by", "clerk id")]));
    world.json("memory/ghost.json", &memory(&[("color", "white")]));
    world.json(&format!("memory/{}.json", UPPER.to_lowercase()), &memory(&[("color", "grey")]));
    let users: [(&str, Value); 6] = [
        ("number", json!(7)),
        ("text", json!("7")),
        ("upper", json!(UPPER)),
        ("lower", json!(UPPER.to_lowercase())),
        ("ghost", json!("ghost")),
        ("nobody", json!("unknown")),
    ];
    for (chat, user) in users {
        world.json(&format!("chat_sessions/{chat}.json"), &history(&["hello"]));
        world.json(&format!("chat_sessions/{chat}_session.json"), &session(chat, user));
    }
}

fn owner(world: &World, chat: &str) -> String {
    let sql = "SELECT u.name FROM chat_sessions s LEFT JOIN users u ON u.id = s.user_id WHERE s.chat_id = ";
    world.value(&format!("{sql}'{chat}'"))
}

fn every_spelling_of_a_reference_finds_its_user(world: &World) {
    many_references(world);
    assert_eq!(world.migrate(&[]).code, 0);
    let owners = [
        ("c1", "Ada"),
        ("c2", NULL),
        ("c3", "Ada"),
        ("number", "Seven"),
        ("text", "Seven"),
        ("upper", "Grace"),
        ("lower", "Grace"),
        ("ghost", NULL),
        ("nobody", NULL),
    ];
    for (chat, name) in owners {
        assert_eq!(owner(world, chat), name, "{chat}");
    }
    let of_memory = "SELECT m.key, m.value, u.name, u.status FROM user_memory m JOIN users u ON u.id = m.user_id
                     ORDER BY m.key, m.value";
    let expected = [
        ["by", "\"clerk id\"", "Ada", "active"],
        ["city", "\"London\"", "Ada", "active"],
        ["color", "\"blue\"", "Ada", "active"],
        ["color", "\"green\"", "Seven", "active"],
        ["color", "\"grey\"", "Grace", "active"],
        ["color", "\"white\"", NULL, "placeholder"],
    ];
    assert_eq!(world.query(of_memory), expected);
    let ghost = world.value("SELECT id FROM users WHERE status = 'placeholder'");
    assert_eq!(world.values("SELECT user_id FROM chat_sessions WHERE chat_id = 'ghost'"), [ghost]);
}

fn the_order_in_which_kinds_are_loaded_makes_no_difference(world: &World) {
    many_references(world);
    assert_eq!(world.migrate(&[]).code, 0);
    let orders: [&[&str]; 5] = [
        &["chats,conversations", "memory", "users"],
        &["memory", "chats,conversations", "users"],
        &["chats", "users", "memory"],
        &["memory", "users", "chats"],
        &["users", "chats", "memory"],
    ];
    for (number, order) in orders.into_iter().enumerate() {
        let other = world.with_another_database(&format!("other{number}"));
        for kinds in order {
            assert_eq!(other.migrate(&["--only", kinds]).code, 0, "{order:?}");
        }
        assert_eq!(other.migrate(&[]).code, 0, "{order:?}");
        assert_eq!(other.migrate(&[]).summary()["rows"], 0, "{order:?}");
        println!("{order:?}");
        assert_same(&other.content(), &world.content());
    }
}

fn a_placeholder_becomes_the_real_user_in_place(world: &World) {
    many_references(world);
    world.remove("users/ada.json");
    assert_eq!(world.migrate(&[]).code, 0);
    let placeholder = world.value("SELECT user_id FROM chat_sessions WHERE chat_id = 'c1'");
    world.watch();
    world.json("users/ada.json", &user("ada", json!({"name": "Ada"})));
    assert_eq!(world.migrate(&[]).summary()["documents"]["loaded"], 1);
    // Chat c1 and the memory of ada stay as they are.
    assert_eq!(world.touched(), ["1 update users"]);
    assert_eq!(world.values("SELECT id FROM users WHERE name = 'Ada'"), [placeholder]);
}

fn a_placeholder_made_for_a_clerk_id_gives_way_to_the_real_user(world: &World) {
    many_references(world);
    world.remove("users/ada.json");
    assert_eq!(world.migrate(&[]).code, 0);
    assert_eq!(world.value("SELECT count(*) FROM users WHERE status = 'placeholder'"), "3");
    world.watch();
    world.json("users/ada.json", &user("ada", json!({"clerk_id": "clerk_ada", "name": "Ada"})));
    assert_eq!(world.migrate(&[]).summary()["documents"]["loaded"], 1);
    // memory/clerk_ada.json and chat c3 move over; the placeholder of `ada` becomes the user.
    let touched = ["1 delete users", "1 update chat_sessions", "1 update user_memory", "1 update users"];
    assert_eq!(world.touched(), touched);
    assert_eq!(owner(world, "c3"), "Ada");
    assert_eq!(world.value("SELECT count(*) FROM users WHERE status = 'placeholder'"), "1");
    let fresh = world.with_another_database("fresh");
    assert_eq!(fresh.migrate(&[]).code, 0);
    assert_same(&world.content(), &fresh.content());
}

fn a_clerk_id_that_changes_takes_its_references_along(world: &World) {
    many_references(world);
    world.json("chat_sessions/new.json", &history(&["hello"]));
    world.json("chat_sessions/new_session.json", &session("new", json!("clerk_new")));
    assert_eq!(world.migrate(&[]).code, 0);
    assert_eq!([owner(world, "c3"), owner(world, "new")], ["Ada", NULL]);
    world.json("users/ada.json", &user("ada", json!({"clerk_id": "clerk_new", "name": "Ada"})));
    assert_eq!(world.migrate(&[]).summary()["documents"]["updated"], 1);
    assert_eq!([owner(world, "c1"), owner(world, "c3"), owner(world, "new")], ["Ada", NULL, "Ada"]);
    let fresh = world.with_another_database("fresh");
    assert_eq!(fresh.migrate(&[]).code, 0);
    assert_same(&world.content(), &fresh.content());
}

fn a_clerk_id_that_moves_to_another_user_takes_its_references_there(world: &World) {
    many_references(world);
    assert_eq!(world.migrate(&[]).code, 0);
    world.json("users/ada.json", &user("ada", json!({"name": "Ada"})));
    world.json("users/bob.json", &user("bob", json!({"clerk_id": "clerk_ada", "name": "Bob"})));
    assert_eq!(world.migrate(&[]).summary()["documents"]["updated"], 2);
    assert_eq!([owner(world, "c1"), owner(world, "c3")], ["Ada", "Bob"]);
    assert_eq!(
        world.values("SELECT u.name FROM user_memory m JOIN users u ON u.id = m.user_id WHERE key = 'by'"),
        ["Bob"]
    );
    let fresh = world.with_another_database("fresh");
    assert_eq!(fresh.migrate(&[]).code, 0);
    assert_same(&world.content(), &fresh.content());
}

fn a_chat_that_changes_its_user_is_settled_anew(world: &World) {
    many_references(world);
    assert_eq!(world.migrate(&[]).code, 0);
    world.json("chat_sessions/c1_session.json", &session("c1", json!("later")));
    assert_eq!(world.migrate(&[]).code, 0);
    assert_eq!(owner(world, "c1"), NULL);
    world.json("users/later.json", &user("later", json!({"name": "Later"})));
    assert_eq!(world.migrate(&[]).code, 0);
    assert_eq!(owner(world, "c1"), "Later");
}

/// The ledger still has the user's document; what counts is the row.
fn a_user_whose_row_was_deleted_is_nobody(world: &World) {
    world.seed();
    assert_eq!(world.migrate(&[]).code, 0);
    world.execute("DELETE FROM users WHERE name = 'Bob'");
    world.json("chat_sessions/c4.json", &history(&["of bob"]));
    world.json("chat_sessions/c4_session.json", &session("c4", json!("bob")));
    world.json("memory/bob.json", &memory(&[("color", "red")]));
    let ran = world.migrate(&[]);
    let documents = &ran.summary()["documents"];
    assert_eq!((&documents["rejected"], &documents["loaded"]), (&json!(0), &json!(2)), "{documents}");
    assert_eq!(owner(world, "c4"), NULL);
    let stand_in = "SELECT u.status FROM user_memory m JOIN users u ON u.id = m.user_id WHERE m.value = '\"red\"'";
    assert_eq!(world.value(stand_in), "placeholder");
}

fn an_edited_chat_is_not_settled(world: &World) {
    many_references(world);
    assert_eq!(world.migrate(&["--only", "chats"]).code, 0);
    world.execute("UPDATE chat_sessions SET title = 'edited' WHERE chat_id = 'c1'");
    assert_eq!(world.migrate(&[]).code, 0);
    assert_eq!([owner(world, "c1"), owner(world, "c3")], [NULL, "Ada"]);
    assert_eq!(world.value("SELECT title FROM chat_sessions WHERE chat_id = 'c1'"), "edited");
}

on_every_target!(
    every_spelling_of_a_reference_finds_its_user,
    the_order_in_which_kinds_are_loaded_makes_no_difference,
    a_placeholder_becomes_the_real_user_in_place,
    a_placeholder_made_for_a_clerk_id_gives_way_to_the_real_user,
    a_clerk_id_that_changes_takes_its_references_along,
    a_clerk_id_that_moves_to_another_user_takes_its_references_there,
    a_chat_that_changes_its_user_is_settled_anew,
    a_user_whose_row_was_deleted_is_nobody,
    an_edited_chat_is_not_settled,
);
