//! Transactions nest, and a failed one can only be undone.

use transload::format::donna::tables::USERS;
use transload::target::{in_transaction, Target, TargetError, TargetErrorKind};

use super::fixtures::*;

pub fn a_rollback_undoes_and_a_commit_keeps(target: &dyn Target) {
    let mut connection = connect(target);
    connection.begin().unwrap();
    connection.insert(&USERS, &[user(1)]).unwrap();
    assert_eq!(ids(&mut *connection, &USERS), [1]);
    connection.rollback().unwrap();
    assert_eq!(ids(&mut *connection, &USERS), []);
    connection.begin().unwrap();
    connection.insert(&USERS, &[user(2)]).unwrap();
    connection.commit().unwrap();
    assert_eq!(ids(&mut *connection, &USERS), [2]);
    connection.ping().unwrap();
}

pub fn an_inner_rollback_keeps_the_outer_work(target: &dyn Target) {
    let mut connection = connect(target);
    connection.begin().unwrap();
    connection.insert(&USERS, &[user(1)]).unwrap();
    for _ in 0..3 {
        connection.begin().unwrap();
        connection.insert(&USERS, &[user(2)]).unwrap();
        connection.begin().unwrap();
        connection.insert(&USERS, &[user(3)]).unwrap();
        connection.commit().unwrap();
        assert_eq!(ids(&mut *connection, &USERS), [1, 2, 3]);
        connection.rollback().unwrap();
        assert_eq!(ids(&mut *connection, &USERS), [1]);
    }
    connection.insert(&USERS, &[user(4)]).unwrap();
    connection.commit().unwrap();
    assert_eq!(ids(&mut *connection, &USERS), [1, 4]);
}

pub fn an_outer_rollback_undoes_inner_commits(target: &dyn Target) {
    let mut connection = connect(target);
    connection.begin().unwrap();
    connection.begin().unwrap();
    connection.insert(&USERS, &[user(1)]).unwrap();
    connection.commit().unwrap();
    connection.rollback().unwrap();
    assert_eq!(ids(&mut *connection, &USERS), []);
}

pub fn after_an_inner_failure_the_outer_work_commits(target: &dyn Target) {
    let mut connection = connect(target);
    connection.begin().unwrap();
    connection.insert(&USERS, &[user(1)]).unwrap();
    connection.begin().unwrap();
    connection.insert(&USERS, &[user(2)]).unwrap();
    let error = connection.insert(&USERS, &[user(3), user(1)]).unwrap_err();
    assert_eq!(error.kind, TargetErrorKind::Data);
    connection.rollback().unwrap();
    connection.begin().unwrap();
    connection.insert(&USERS, &[user(4)]).unwrap();
    connection.commit().unwrap();
    connection.commit().unwrap();
    assert_eq!(ids(&mut *connection, &USERS), [1, 4]);
}

pub fn a_failed_transaction_takes_no_more_statements(target: &dyn Target) {
    let mut connection = connect(target);
    connection.begin().unwrap();
    connection.insert(&USERS, &[user(1), user(1)]).unwrap_err();
    connection.insert(&USERS, &[user(2)]).unwrap_err();
    connection.is_empty(&USERS).unwrap_err();
    connection.rollback().unwrap();
    connection.insert(&USERS, &[user(3)]).unwrap();
    assert_eq!(ids(&mut *connection, &USERS), [3]);
}

pub fn a_failed_transaction_is_not_committed(target: &dyn Target) {
    let mut connection = connect(target);
    // A commit that fails has ended what it was to commit, at any depth.
    connection.begin().unwrap();
    connection.insert(&USERS, &[user(1)]).unwrap();
    connection.insert(&USERS, &[user(1)]).unwrap_err();
    connection.commit().unwrap_err();
    assert_eq!(ids(&mut *connection, &USERS), []);

    connection.begin().unwrap();
    connection.insert(&USERS, &[user(2)]).unwrap();
    connection.begin().unwrap();
    connection.insert(&USERS, &[user(3)]).unwrap();
    connection.insert(&USERS, &[user(2)]).unwrap_err();
    connection.commit().unwrap_err();
    connection.commit().unwrap();
    assert_eq!(ids(&mut *connection, &USERS), [2]);
}

pub fn a_dropped_connection_rolls_back(target: &dyn Target) {
    let mut connection = connect(target);
    connection.begin().unwrap();
    connection.insert(&USERS, &[user(1)]).unwrap();
    drop(connection);
    let mut other = connect(target);
    assert_eq!(ids(&mut *other, &USERS), []);
    other.insert(&USERS, &[user(1)]).unwrap();
}

pub fn connections_see_each_others_commits(target: &dyn Target) {
    let (mut writer, mut reader) = (connect(target), connect(target));
    writer.begin().unwrap();
    writer.insert(&USERS, &[user(1)]).unwrap();
    assert_eq!(ids(&mut *reader, &USERS), []);
    writer.commit().unwrap();
    assert_eq!(ids(&mut *reader, &USERS), [1]);
    reader.insert(&USERS, &[user(2)]).unwrap();
    assert_eq!(ids(&mut *writer, &USERS), [1, 2]);
}

pub fn in_transaction_rolls_back_what_failed(target: &dyn Target) {
    let mut connection = connect(target);
    let failed: Result<(), TargetError> = in_transaction(&mut *connection, |connection| {
        connection.insert(&USERS, &[user(1)])?;
        connection.insert(&USERS, &[user(1)])
    });
    assert_eq!(failed.unwrap_err().kind, TargetErrorKind::Data);
    let worked: Result<u64, TargetError> = in_transaction(&mut *connection, |connection| {
        connection.insert(&USERS, &[user(2)])?;
        connection.update(&USERS, &[user(2)])
    });
    assert_eq!(worked.unwrap(), 1);
    assert_eq!(ids(&mut *connection, &USERS), [2]);
}

pub fn a_guarded_transaction_is_one_like_any_other(target: &dyn Target) {
    let mut connection = connect(target);
    connection.begin_guarded().unwrap();
    connection.insert(&USERS, &[user(1)]).unwrap();
    connection.begin_guarded().unwrap();
    connection.insert(&USERS, &[user(2)]).unwrap();
    connection.rollback().unwrap();
    assert_eq!(connection.update(&USERS, &[user(1)]).unwrap(), 1);
    connection.commit().unwrap();
    assert_eq!(ids(&mut *connection, &USERS), [1]);
    connection.begin_guarded().unwrap();
    connection.insert(&USERS, &[user(1)]).unwrap_err();
    connection.commit().unwrap_err();
    connection.insert(&USERS, &[user(3)]).unwrap();
    assert_eq!(ids(&mut *connect(target), &USERS), [1, 3]);
}
