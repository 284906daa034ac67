//! A repair that is killed leaves each document as it was or as it is to be.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;
use transload::pipeline::{Options, Repair};

use crate::bench::{guards, options, run, Bench, Reading};
use crate::support::content;
use crate::world::{history, user};

/// In a process of its own, this test is what is killed: the directory, and the database's URL.
const PLACE: &str = "TRANSLOAD_TEST_REPAIR";

/// The cheapest one to run again, whatever the database.
const ROLE: &str = "sqlite::kills::a_kill_in_the_middle_leaves_either_state";

const DOCUMENTS: usize = 60;
const ROUNDS: u64 = 6;

pub fn a_kill_in_the_middle_leaves_either_state(bench: &Bench) {
    if let Ok(place) = env::var(PLACE) {
        return repair_in(&place);
    }
    for number in 0..DOCUMENTS {
        bench.world.json(&format!("users/u{number}.json"), &user(&format!("u{number}"), json!({"name": "right"})));
        bench.world.json(&format!("chat_sessions/k{number}.json"), &history(&["right", "right", "right"]));
    }
    bench.migrate();
    let before = bench.content();
    let (mut killed, mut begun) = (0, 0);
    for round in 0..ROUNDS {
        bench.world.execute("UPDATE users SET name = 'wrong'");
        bench.world.execute("DELETE FROM messages WHERE sequence_number = 2");
        bench.world.execute("UPDATE messages SET content = 'wrong'");
        let mut child = Command::new(env::current_exe().expect("this test runs"))
            .args([ROLE, "--exact", "--nocapture"])
            .env(PLACE, format!("{}\n{}", bench.world.directory().display(), bench.url()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("this test can be run again");
        let wrong = || bench.world.value("SELECT count(*) FROM users WHERE name = 'wrong'").parse::<usize>().unwrap();
        // Killed at different moments of its work, which begins with the first user.
        while wrong() == DOCUMENTS && child.try_wait().expect("it is our child").is_none() {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(20 * round));
        killed += usize::from(child.try_wait().expect("it is our child").is_none());
        child.kill().expect("it is our child");
        child.wait().expect("it is our child");
        begun += usize::from(wrong() < DOCUMENTS);
        // A server goes on for a moment with what it was told last.
        sleep(Duration::from_millis(100));
        let halves = "SELECT count(*) FROM (SELECT chat_session_id FROM messages GROUP BY chat_session_id
                      HAVING NOT (count(*) = 3 AND min(content) = 'right' AND max(content) = 'right')
                         AND NOT (count(*) = 2 AND min(content) = 'wrong' AND max(content) = 'wrong')) AS h";
        assert_eq!(bench.world.value(halves), "0", "round {round}");
        // What is left is put right by the same command.
        bench.repair();
        bench.content().assert_is(&before, &format!("round {round}"));
    }
    assert!(killed > 0 && begun > 0, "{killed} of {ROUNDS} killed, {begun} begun");
}

fn repair_in(place: &str) {
    let (directory, url) = place.split_once('\n').expect("a directory and a URL");
    let directory = PathBuf::from(directory);
    let target = content::target(url);
    let source = directory.join("source");
    let repair = Repair { documents: guards(&source, &*target), directory: directory.join("replaced") };
    let options = Options { repair: Some(repair), ..options(Path::new(&directory), Reading::Whole) };
    run(&source, &*target, &options).expect("the repair runs to its end");
}
