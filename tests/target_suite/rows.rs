//! Inserting, updating, deleting and finding rows.

use std::ops::ControlFlow;

use transload::format::donna::tables::{CHAT_SESSIONS, MESSAGES, USERS, USER_MEMORY};
use transload::model::ledger::VERSIONS;
use transload::model::{Row, Value};
use transload::target::{Filter, Piece, Target, TargetErrorKind};

use super::fixtures::*;

/// A fixed order that is not sorted: 7919 is prime to every count used here.
fn shuffled(count: u128) -> impl Iterator<Item = u128> {
    (0..count).map(move |at| at * 7919 % count + 1)
}

pub fn inserting_nothing_is_fine(target: &dyn Target) {
    let mut connection = connect(target);
    connection.insert(&USERS, &[]).unwrap();
    assert_eq!(connection.update(&USERS, &[]).unwrap(), 0);
    assert!(connection.is_empty(&USERS).unwrap());
}

pub fn rows_made_ready_elsewhere_are_what_they_were(target: &dyn Target) {
    let mut connection = connect(target);
    let users: Vec<Row> =
        (1..=40).map(|number| named_user(number, &"größer \u{1F6A9}".repeat(number as usize % 20))).collect();
    let chats: Vec<Row> = (1..=3).map(|number| chat(number, id(number))).collect();
    let mut messages: Vec<Row> = (1..=2_000).map(|number| message(number, number % 3 + 1)).collect();
    // Larger than what goes to the server at a time.
    messages[7].0[3] = Value::Text("long ".repeat(100_000));
    messages[8].0[3] = Value::Text(String::new());
    for (table, rows) in [(&USERS, &users), (&CHAT_SESSIONS, &chats), (&MESSAGES, &messages)] {
        let (first, rest) = rows.split_at(1);
        let (middle, last) = rest.split_at(rest.len() / 2);
        let Some(encoder) = target.encoder() else {
            let pieces = [first, &[], middle, last].map(Piece::Rows);
            connection.insert_pieces(table, &pieces).unwrap();
            assert_eq!(all(&mut *connection, table), *rows);
            continue;
        };
        let mut bytes = Vec::new();
        assert!(encoder.encode(table, middle, &mut bytes));
        let pieces = [Piece::Rows(first), Piece::Encoded(&[]), Piece::Encoded(&bytes), Piece::Rows(last)];
        connection.insert_pieces(table, &pieces).unwrap();
        assert_eq!(all(&mut *connection, table), *rows);

        // What the table does not take is left to those who say why.
        let mut wrong = first.to_vec();
        wrong[0].0[1] = Value::Bool(true);
        let before = bytes.clone();
        assert!(!encoder.encode(table, &[first, &wrong].concat(), &mut bytes));
        assert_eq!(bytes, before);
    }
}

pub fn rows_come_in_the_order_of_the_primary_key(target: &dyn Target) {
    let mut connection = connect(target);
    // Ids that differ in their first bytes, in the sign bit of any half, and in their last bytes.
    let numbers: Vec<u128> =
        shuffled(1000).map(|n| n.wrapping_mul(0x0123_4567_89ab_cdef_fedc_ba98_7654_3211)).collect();
    let users: Vec<Row> = numbers.iter().map(|&number| user(number)).collect();
    connection.insert(&USERS, &users).unwrap();
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    assert_eq!(ids(&mut *connection, &USERS), sorted);

    // By another column than the key, too.
    let wanted: Vec<Value> = numbers.iter().map(|number| text(&format!("clerk_{number}"))).collect();
    let found = find(&mut *connection, &USERS, &Filter::In { column: 1, values: &wanted });
    assert_eq!(found.iter().map(|row| row.id().as_u128()).collect::<Vec<_>>(), sorted);
}

pub fn a_key_of_two_columns_orders_by_both(target: &dyn Target) {
    let mut connection = connect(target);
    let rows = [version("zz", 2), version("zz", 10), version("yy", 3), version("zz", 1)];
    connection.insert(&VERSIONS, &rows).unwrap();
    let filter = Filter::In { column: 0, values: &[text("zz"), text("yy")] };
    let found = find(&mut *connection, &VERSIONS, &filter);
    assert_eq!(found, [version("yy", 3), version("zz", 1), version("zz", 2), version("zz", 10)]);
    let both = Filter::Both { first: (0, &[text("zz"), text("yy")]), second: (1, &[Value::Int(3), Value::Int(10)]) };
    assert_eq!(find(&mut *connection, &VERSIONS, &both), [version("yy", 3), version("zz", 10)]);

    let mut changed = version("zz", 2);
    changed.0[2] = text("changed");
    assert_eq!(connection.update(&VERSIONS, std::slice::from_ref(&changed)).unwrap(), 1);
    let found = find(&mut *connection, &VERSIONS, &filter);
    assert_eq!(found, [version("yy", 3), version("zz", 1), changed, version("zz", 10)]);
}

pub fn a_filter_takes_ten_thousand_values(target: &dyn Target) {
    let mut connection = connect(target);
    let users: Vec<Row> = (1..=12_000).map(user).collect();
    connection.insert(&USERS, &users).unwrap();
    // Half of them exist, some are named twice, and they come in no order.
    let wanted: Vec<Value> =
        shuffled(10_000).map(|number| id(number + 7_000)).chain([id(7_001), Value::Null]).collect();
    let filter = Filter::In { column: 0, values: &wanted };
    let found = find(&mut *connection, &USERS, &filter);
    assert_eq!(found, users[7_000..]);
    assert_eq!(connection.delete(&USERS, &filter).unwrap(), 5_000);
    assert_eq!(ids(&mut *connection, &USERS), (1..=7_000).collect::<Vec<_>>());
}

pub fn a_filter_without_values_finds_nothing(target: &dyn Target) {
    let mut connection = connect(target);
    connection.insert(&USERS, &[user(1)]).unwrap();
    for values in [&[][..], &[Value::Null]] {
        // A user's email is NULL, and NULL equals nothing.
        let filter = Filter::In { column: 2, values };
        assert_eq!(find(&mut *connection, &USERS, &filter), []);
        assert_eq!(connection.delete(&USERS, &filter).unwrap(), 0);
    }
    assert_eq!(ids(&mut *connection, &USERS), [1]);
}

pub fn a_reader_may_stop_early(target: &dyn Target) {
    let mut connection = connect(target);
    connection.insert(&USERS, &(1..=500).map(user).collect::<Vec<_>>()).unwrap();
    let mut seen = Vec::new();
    let each = &mut |row: Row| {
        seen.push(row.id().as_u128());
        if seen.len() < 3 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    connection.select(&USERS, &Filter::All, each).unwrap();
    assert_eq!(seen, [1, 2, 3]);
    // The connection goes on as if nothing had happened.
    assert_eq!(connection.delete(&USERS, &Filter::All).unwrap(), 500);
}

pub fn updates_touch_only_the_rows_named(target: &dyn Target) {
    let mut connection = connect(target);
    connection.insert(&USERS, &(1..=5).map(user).collect::<Vec<_>>()).unwrap();
    let changed = [named_user(2, "two"), named_user(4, "four"), named_user(9, "nobody")];
    assert_eq!(connection.update(&USERS, &changed).unwrap(), 2);
    let expected = [user(1), named_user(2, "two"), user(3), named_user(4, "four"), user(5)];
    assert_eq!(all(&mut *connection, &USERS), expected);
    // The same once more, within a transaction, and twice in it.
    connection.begin().unwrap();
    assert_eq!(connection.update(&USERS, &[user(2)]).unwrap(), 1);
    assert_eq!(connection.update(&USERS, &[user(4)]).unwrap(), 1);
    connection.commit().unwrap();
    assert_eq!(all(&mut *connection, &USERS), (1..=5).map(user).collect::<Vec<_>>());
}

/// Few rows and many may go different ways into the table.
pub fn updates_say_the_same_however_many_rows_there_are(target: &dyn Target) {
    let mut connection = connect(target);
    connection.insert(&USERS, &(1..=100).map(user).collect::<Vec<_>>()).unwrap();
    let mut expected: Vec<Row> = (1..=100).map(user).collect();
    for (count, name) in [(1, "one"), (4, "four"), (5, "five"), (60, "sixty"), (2, "two")] {
        let changed: Vec<Row> = (1..=count).map(|number| named_user(number, name)).collect();
        assert_eq!(connection.update(&USERS, &changed).unwrap(), count as u64, "{name}");
        expected.splice(..changed.len(), changed);
        assert_eq!(all(&mut *connection, &USERS), expected, "{name}");
    }
    // More bytes than go at once.
    let large = |number| {
        Row(named_user(number, "large")
            .0
            .into_iter()
            .map(|value| match value {
                Value::Json(_) => Value::Json(format!("\"{}\"", "x".repeat(1 << 20))),
                value => value,
            })
            .collect())
    };
    let changed: Vec<Row> = (1..=10).map(large).collect();
    assert_eq!(connection.update(&USERS, &changed).unwrap(), 10);
    expected.splice(..10, changed);
    assert_eq!(all(&mut *connection, &USERS), expected);
}

pub fn updates_leave_children_in_place(target: &dyn Target) {
    let mut connection = connect(target);
    connection.insert(&USERS, &[user(1)]).unwrap();
    connection.insert(&CHAT_SESSIONS, &[chat(2, id(1))]).unwrap();
    connection.insert(&MESSAGES, &[message(3, 2)]).unwrap();
    connection.insert(&USER_MEMORY, &[memory(4, 1)]).unwrap();
    assert_eq!(connection.update(&USERS, &[named_user(1, "new")]).unwrap(), 1);
    assert_eq!(connection.update(&CHAT_SESSIONS, &[chat(2, id(1))]).unwrap(), 1);
    assert_eq!(all(&mut *connection, &CHAT_SESSIONS), [chat(2, id(1))]);
    assert_eq!(all(&mut *connection, &MESSAGES), [message(3, 2)]);
    assert_eq!(all(&mut *connection, &USER_MEMORY), [memory(4, 1)]);
}

pub fn deletes_count_and_filter(target: &dyn Target) {
    let mut connection = connect(target);
    connection.insert(&USERS, &[user(1), user(2), user(3)]).unwrap();
    connection.insert(&USER_MEMORY, &(10..20).map(|number| memory(number, 1)).collect::<Vec<_>>()).unwrap();
    let filter = Filter::In { column: 0, values: &[id(1), id(3), id(7)] };
    // Rows that go along are not counted.
    assert_eq!(connection.delete(&USERS, &filter).unwrap(), 2);
    assert_eq!(ids(&mut *connection, &USERS), [2]);
    assert_eq!(connection.delete(&USERS, &filter).unwrap(), 0);
    assert_eq!(connection.delete(&USERS, &Filter::All).unwrap(), 1);
}

pub fn emptiness_is_known(target: &dyn Target) {
    let mut connection = connect(target);
    assert!(connection.is_empty(&USERS).unwrap());
    connection.insert(&USERS, &[user(1)]).unwrap();
    assert!(!connection.is_empty(&USERS).unwrap());
    assert!(connection.is_empty(&MESSAGES).unwrap());
}

pub fn a_batch_outside_of_a_transaction_is_whole_or_nothing(target: &dyn Target) {
    let mut connection = connect(target);
    let error = connection.insert(&USERS, &[user(1), user(2), user(1)]).unwrap_err();
    assert_eq!(error.kind, TargetErrorKind::Data);
    assert!(connection.is_empty(&USERS).unwrap());

    connection.insert(&USERS, &[user(1), user(2)]).unwrap();
    let mut claims_the_same = user(2);
    claims_the_same.0[1] = text("clerk_1");
    connection.update(&USERS, &[named_user(1, "changed"), claims_the_same]).unwrap_err();
    assert_eq!(all(&mut *connection, &USERS), [user(1), user(2)]);
}

pub fn rows_come_in_the_order_asked_for(target: &dyn Target) {
    let mut connection = connect(target);
    connection.insert(&CHAT_SESSIONS, &[chat(1, Value::Null), chat(2, Value::Null)]).unwrap();
    // Chat, sequence number and id of each, as they are to come.
    let expected = [(1, 1, 9), (1, 2, 4), (1, 2, 7), (1, 10, 3), (2, 1, 8), (2, 3, 1)];
    let rows = expected.map(|(chat, sequence, number)| {
        let mut row = message(number, chat);
        row.0[6] = Value::Int(sequence);
        row
    });
    let mixed = [3, 0, 5, 2, 4, 1].map(|at: usize| rows[at].clone());
    connection.insert(&MESSAGES, &mixed).unwrap();
    let mut found = Vec::new();
    let each = &mut |row| {
        found.push(row);
        ControlFlow::Continue(())
    };
    connection.select_ordered(&MESSAGES, &Filter::All, &[1, 6, 0], each).unwrap();
    assert_eq!(found, rows);

    let filter = Filter::In { column: 1, values: &[id(2)] };
    let mut found = Vec::new();
    let each = &mut |row| {
        found.push(row);
        ControlFlow::Break(())
    };
    connection.select_ordered(&MESSAGES, &filter, &[6], each).unwrap();
    assert_eq!(found, rows[4..5]);

    // Text by its bytes, whatever the database's language would say.
    let names = ["", " a", "A", "B", "_", "a", "ab", "b", "\u{e4}", "\u{1f6a9}"];
    let users: Vec<Row> = (1..).zip(names).map(|(number, name)| named_user(number, name)).collect();
    connection.insert(&USERS, &users.iter().rev().cloned().collect::<Vec<_>>()).unwrap();
    let mut found = Vec::new();
    let each = &mut |row: Row| {
        found.push(row.0[3].as_text().unwrap().to_owned());
        ControlFlow::Continue(())
    };
    connection.select_ordered(&USERS, &Filter::All, &[3], each).unwrap();
    assert_eq!(found, names);
}

pub fn a_scan_gives_the_columns_asked_for(target: &dyn Target) {
    let mut connection = connect(target);
    connection.insert(&CHAT_SESSIONS, &[chat(1, Value::Null)]).unwrap();
    connection.insert(&MESSAGES, &(1..=1000).map(|number| message(number, 1)).collect::<Vec<_>>()).unwrap();
    let mut scan = |columns: &[usize]| {
        let mut found = Vec::new();
        let each = &mut |values: &[Value]| {
            found.push(values.to_vec());
            ControlFlow::Continue(())
        };
        connection.scan(&MESSAGES, columns, &Filter::All, each).unwrap();
        // The tests' ids are counted up.
        let at = columns.iter().position(|column| *column == 0).unwrap();
        found.sort_by_key(|values| values[at].as_uuid());
        found
    };
    let rows: Vec<Row> = (1..=1000).map(|number| message(number, 1)).collect();
    for columns in [&[0][..], &[3, 0], &[0, 1, 2, 3, 4, 5, 6, 7, 8]] {
        let expected: Vec<Vec<Value>> =
            rows.iter().map(|row| columns.iter().map(|at| row.0[*at].clone()).collect()).collect();
        assert_eq!(scan(columns), expected, "{columns:?}");
    }
    let mut seen = 0;
    let each = &mut |_: &[Value]| {
        seen += 1;
        ControlFlow::Continue(())
    };
    connection.scan(&USERS, &[0], &Filter::All, each).unwrap();
    assert_eq!(seen, 0);
}

pub fn a_scan_may_stop_early(target: &dyn Target) {
    let mut connection = connect(target);
    connection.insert(&USERS, &(1..=5000).map(user).collect::<Vec<_>>()).unwrap();
    for _ in 0..3 {
        let mut seen = 0;
        let each = &mut |_: &[Value]| {
            seen += 1;
            if seen < 3 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        connection.scan(&USERS, &[0, 3], &Filter::All, each).unwrap();
        assert_eq!(seen, 3);
    }
    // The connection goes on as if nothing had happened.
    assert_eq!(connection.delete(&USERS, &Filter::All).unwrap(), 5000);
}
