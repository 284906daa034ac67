//! The lock that keeps a second run away.

use std::thread;
use std::time::{Duration, Instant as Clock};

use transload::format::donna::tables::USERS;
use transload::model::Instant;
use transload::target::{Durability, Holder, Lock, LockError, Target};

use super::fixtures::*;

fn holder(name: &str) -> Holder {
    Holder { name: name.to_owned(), since: Instant::now() }
}

pub fn the_second_one_is_told_who_and_since_when(target: &dyn Target) {
    // A server gives the time by its own clock and in its own spelling, so only the date is
    // compared; midnight may pass meanwhile.
    let today = || Instant::now().to_fixed()[..10].to_owned();
    let before = today();
    let mut lock = target.lock(&holder("migrate, process 4711 on host db1")).unwrap();
    lock.check().unwrap();
    for _ in 0..2 {
        match target.lock(&holder("another")).err() {
            Some(LockError::Held { holder, since }) => {
                assert!(holder.contains("migrate, process 4711 on host db1"), "{holder}");
                assert!(since.starts_with(&before) || since.starts_with(&today()), "{since}");
            }
            other => panic!("{other:?}"),
        }
    }
    lock.check().unwrap();
}

/// A server may take a moment to notice that the holder's connection is gone.
fn take_soon(target: &dyn Target) -> Box<dyn Lock> {
    let deadline = Clock::now() + Duration::from_secs(10);
    loop {
        match target.lock(&holder("another")) {
            Ok(lock) => return lock,
            Err(LockError::Held { .. }) if Clock::now() < deadline => thread::sleep(Duration::from_millis(10)),
            Err(error) => panic!("{error:?}"),
        }
    }
}

pub fn a_dropped_lock_is_free_again(target: &dyn Target) {
    for _ in 0..3 {
        let mut lock = take_soon(target);
        lock.check().unwrap();
        drop(lock);
    }
}

pub fn a_lock_does_not_keep_connections_away(target: &dyn Target) {
    let _lock = target.lock(&holder("migrate")).unwrap();
    let mut connection = connect(target);
    connection.insert(&USERS, &[user(1)]).unwrap();
    let mut full = target.connect(Durability::Full).unwrap();
    full.insert(&USERS, &[user(2)]).unwrap();
    assert_eq!(ids(&mut *connection, &USERS), [1, 2]);
}

pub fn an_existing_database_rehearses_on_itself(target: &dyn Target) {
    assert!(target.exists());
    assert!(target.rehearsal().unwrap().is_none());
}
