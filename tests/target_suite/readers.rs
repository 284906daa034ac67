//! Connections that only read, all of them one state of the database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use transload::format::donna::tables::{CHAT_SESSIONS, MESSAGES, USERS};
use transload::model::{Column, Kind, Owner, Table, Value};
use transload::target::{Connection, Filter, Target, TargetError};

use super::fixtures::*;

static MISSING: Table = Table {
    name: "no such table",
    owner: Owner::Application,
    columns: &[Column::new("id", Kind::Uuid)],
    key: &[0],
    natural_key: &[],
    parent: None,
    twin_key: &[],
};

pub fn readers_see_one_state_and_keep_it(target: &dyn Target) {
    let mut writer = connect(target);
    writer.insert(&USERS, &[user(1)]).unwrap();
    let mut readers = target.readers(3).unwrap();
    assert_eq!(readers.len(), 3);
    writer.insert(&USERS, &[user(2)]).unwrap();
    for reader in &mut readers {
        assert_eq!(ids(&mut **reader, &USERS), [1]);
    }
    writer.delete(&USERS, &Filter::All).unwrap();
    // In another order, from other threads, by another way, and with the first one gone.
    readers.remove(0);
    thread::scope(|scope| {
        for reader in &mut readers {
            scope.spawn(|| {
                assert_eq!(all(&mut **reader, &USERS), [user(1)]);
                assert!(!reader.is_empty(&USERS).unwrap());
                reader.ping().unwrap();
            });
        }
    });
    assert!(writer.is_empty(&USERS).unwrap());
}

pub fn a_refreshed_reader_sees_what_is_there_now(target: &dyn Target) {
    let mut writer = connect(target);
    let mut readers = target.readers(2).unwrap();
    writer.insert(&USERS, &[user(1)]).unwrap();
    readers[0].refresh().unwrap();
    // What comes after is not seen, although nothing was read in between.
    writer.insert(&USERS, &[user(2)]).unwrap();
    assert_eq!(ids(&mut *readers[0], &USERS), [1]);
    assert_eq!(ids(&mut *readers[1], &USERS), []);
    readers[0].refresh().unwrap();
    assert_eq!(ids(&mut *readers[0], &USERS), [1, 2]);
}

pub fn readers_see_the_same_while_somebody_writes(target: &dyn Target) {
    let mut writer = connect(target);
    writer.insert(&USERS, &[user(1)]).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 2.. {
                writer.insert(&USERS, &[user(number)]).unwrap();
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let mut counts = Vec::new();
        while counts.len() < 20 || counts.first() == counts.last() {
            let mut readers = target.readers(3).unwrap();
            let seen: Vec<usize> = readers.iter_mut().map(|reader| ids(&mut **reader, &USERS).len()).collect();
            assert!(seen.iter().all(|count| *count == seen[0]), "{seen:?}");
            counts.push(seen[0]);
        }
        stop.store(true, Ordering::Relaxed);
        assert!(counts.is_sorted(), "{counts:?}");
    });
}

pub fn nothing_is_written_through_a_reader(target: &dyn Target) {
    connect(target).insert(&USERS, &[user(1)]).unwrap();
    let mut readers = target.readers(1).unwrap();
    let reader = &mut *readers[0];
    type Attempt = fn(&mut dyn Connection) -> Result<(), TargetError>;
    let attempts: [(&str, Attempt); 5] = [
        ("insert", |reader| reader.insert(&USERS, &[user(2)])),
        ("update", |reader| reader.update(&USERS, &[named_user(1, "x")]).map(drop)),
        ("delete", |reader| reader.delete(&USERS, &Filter::All).map(drop)),
        ("script", |reader| reader.run_script(Owner::Application, "COMMIT; DELETE FROM users")),
        ("ledger's script", |reader| reader.run_script(Owner::Ledger, "CREATE TABLE x (y INTEGER)")),
    ];
    for within in [false, true] {
        for (name, attempt) in &attempts {
            if within {
                reader.begin().unwrap();
            }
            attempt(reader).expect_err(name);
            if within {
                reader.rollback().unwrap();
            }
            assert_eq!(all(reader, &USERS), [user(1)], "{name}");
        }
    }
    reader.refresh().unwrap();
    assert_eq!(all(reader, &USERS), [user(1)]);
}

pub fn transactions_nest_in_a_readers_own(target: &dyn Target) {
    let mut writer = connect(target);
    writer.insert(&USERS, &[user(1)]).unwrap();
    let mut readers = target.readers(1).unwrap();
    let reader = &mut *readers[0];
    reader.commit().unwrap_err();
    reader.rollback().unwrap_err();
    reader.begin().unwrap();
    writer.insert(&USERS, &[user(2)]).unwrap();
    assert_eq!(ids(reader, &USERS), [1]);
    reader.commit().unwrap();
    reader.begin().unwrap();
    reader.is_empty(&MISSING).unwrap_err();
    reader.is_empty(&USERS).unwrap_err();
    reader.rollback().unwrap();
    assert_eq!(ids(reader, &USERS), [1]);
    reader.commit().unwrap_err();
    assert_eq!(ids(reader, &USERS), [1]);
}

pub fn a_failed_reader_works_again_when_refreshed(target: &dyn Target) {
    let mut writer = connect(target);
    let mut readers = target.readers(2).unwrap();
    let reader = &mut *readers[1];
    reader.is_empty(&MISSING).unwrap_err();
    writer.insert(&USERS, &[user(1)]).unwrap();
    reader.refresh().unwrap();
    assert_eq!(ids(reader, &USERS), [1]);
}

pub fn there_is_always_a_reader(target: &dyn Target) {
    let mut writer = connect(target);
    writer.insert(&CHAT_SESSIONS, &[chat(1, Value::Null)]).unwrap();
    writer.insert(&MESSAGES, &[message(2, 1)]).unwrap();
    let mut readers = target.readers(0).unwrap();
    assert_eq!(readers.len(), 1);
    assert_eq!(all(&mut *readers[0], &MESSAGES), [message(2, 1)]);
    drop(readers);
    let mut many = target.readers(1000).unwrap();
    assert!(many.len() > 1);
    let last = many.last_mut().unwrap();
    assert_eq!(all(&mut **last, &MESSAGES), [message(2, 1)]);
    // There is room for who writes.
    writer.delete(&MESSAGES, &Filter::All).unwrap();
}

pub fn only_a_reader_is_refreshed(target: &dyn Target) {
    let mut connection = connect(target);
    connection.begin().unwrap();
    connection.insert(&USERS, &[user(1)]).unwrap();
    connection.refresh().unwrap_err();
    connection.commit().unwrap();
    assert_eq!(ids(&mut *connection, &USERS), [1]);
}
