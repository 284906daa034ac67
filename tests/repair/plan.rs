//! A repair that is only planned, and one that has nothing to do.

use transload::pipeline::{Action, Mode, RepairOutcome};

use crate::bench::{told, Bench};
use crate::world::assert_same;

pub fn a_plan_changes_nothing_and_says_what_would_be_done(bench: &Bench) {
    bench.migrated();
    bench.world.execute("UPDATE messages SET content = 'x' WHERE content = 'two'");
    bench.world.execute("DELETE FROM messages WHERE content = 'three'");
    bench.world.execute(
        "INSERT INTO messages (chat_session_id, role, content, sequence_number)
         SELECT id, 'user', 'y', 9 FROM chat_sessions WHERE chat_id = 'c1'",
    );
    bench.world.execute("DELETE FROM users WHERE name = 'Bob'");
    let (rows, guards) = (bench.world.dump(), bench.guards());
    let files = bench.world.listing("");
    let plan = bench.repair_with(guards.clone(), Mode::DryRun);
    assert_same(&bench.world.dump(), &rows);
    assert_eq!((plan.dry_run, &plan.saved), (true, &None));
    let names = |lines: Vec<String>| -> Vec<String> {
        // Times and sizes of the database's own files are its business.
        lines.into_iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names(bench.world.listing("")), names(files));

    let real = bench.repair_with(guards, Mode::Real);
    assert_eq!(told(&plan), ["chat_sessions/c1.json: repaired", "users/bob.json: repaired"]);
    assert_eq!(plan.account.repairs, real.account.repairs);
    let c1 = plan.account.repairs.iter().find(|it| it.file == "chat_sessions/c1.json").unwrap();
    let rows: Vec<_> = c1.rows.iter().map(|it| (it.table, it.action, it.rows)).collect();
    let messages = |action| ("messages", action, 1);
    assert_eq!(rows, [messages(Action::Insert), messages(Action::Update), messages(Action::Delete)]);
    assert_eq!(c1.changes.len(), 3);
    assert_eq!(bench.saved(&real).len(), 2);
}

pub fn a_second_repair_does_nothing(bench: &Bench) {
    bench.migrated();
    bench.world.execute("UPDATE messages SET content = 'x' WHERE content = 'two'");
    bench.world.execute("DELETE FROM users WHERE name = 'Ada'");
    let stale = bench.guards();
    let told_first = told(&bench.repair());
    assert_eq!(told_first.len(), 4);
    let before = bench.world.dump();
    let second = bench.repair_with(bench.guards(), Mode::Real);
    assert_eq!(told(&second), [""; 0]);
    assert!(second.account.repairs.len() > 10);
    assert_eq!((second.account.summary.rows, &second.saved), (0, &None));
    assert_same(&bench.world.dump(), &before);
    // With the guards of the first comparison, too. By now this chat has its user again.
    let third = bench.repair_with(stale, Mode::Real);
    let mut changed: Vec<String> = told_first.iter().map(|told| told.replace("repaired", "changed")).collect();
    changed.insert(1, "chat_sessions/c3.json: changed".into());
    assert_eq!(told(&third), changed);
    assert!(third.account.repairs.iter().all(|it| it.outcome != RepairOutcome::Repaired));
    assert_same(&bench.world.dump(), &before);
}
