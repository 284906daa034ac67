//! Crews of threads, and what signals do to a process.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use transload::exec::crew::{self, CrewError};
use transload::exec::{watch_signals, Signal, Stop};

type Outcome<T> = Result<T, CrewError<String>>;

#[test]
fn all_threads_are_joined_and_the_body_gives_the_result() {
    let done = AtomicUsize::new(0);
    let outcome: Outcome<&str> = crew::run(|crew| {
        for number in 0..4 {
            let done = &done;
            crew.spawn(format!("worker-{number}"), move || {
                thread::sleep(Duration::from_millis(20 * number));
                done.fetch_add(1, Ordering::SeqCst);
                Ok(())
            });
        }
        Ok("wired")
    });
    assert_eq!(outcome.unwrap(), "wired");
    assert_eq!(done.load(Ordering::SeqCst), 4);
}

#[test]
fn threads_bear_their_names() {
    let outcome: Outcome<()> = crew::run(|crew| {
        crew.spawn("reader-1", || match thread::current().name() {
            Some("reader-1") => Ok(()),
            other => Err(format!("{other:?}")),
        });
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn the_first_error_in_time_wins() {
    let (early, late) = crossbeam_channel::bounded::<()>(0);
    let outcome: Outcome<()> = crew::run(|crew| {
        let halt = crew.halt();
        crew.spawn("late", move || {
            // Closed by the early one's end; then wait until its error has been noted.
            assert!(late.recv().is_err());
            while !halt.is_set() {
                thread::yield_now();
            }
            Err("the second".to_owned())
        });
        crew.spawn("early", move || {
            drop(early);
            Err("the first".to_owned())
        });
        Ok(())
    });
    assert!(matches!(outcome, Err(CrewError::Failed(message)) if message == "the first"));
}

#[test]
fn a_panic_stops_all_and_is_reported_with_its_thread() {
    let (sender, receiver) = crossbeam_channel::bounded::<u32>(1);
    let outcome: Outcome<()> = crew::run(|crew| {
        let halt = crew.halt();
        crew.spawn("loop", move || {
            while !halt.is_set() {
                thread::yield_now();
            }
            Ok(())
        });
        crew.spawn("feeder", move || {
            // Ends because the consumer is gone, not because it runs out.
            while sender.send(1).is_ok() {}
            Ok(())
        });
        crew.spawn("consumer", move || {
            let first = receiver.recv().expect("the feeder feeds");
            panic!("cannot stand {first}");
        });
        Ok(())
    });
    match outcome {
        Err(CrewError::Panicked { thread, message }) => {
            assert_eq!((thread.as_str(), message.as_str()), ("consumer", "cannot stand 1"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_error_or_a_panic_of_the_body_stops_the_threads_too() {
    let wait_for_halt = |crew: &crew::Crew<'_, '_, String>| {
        let halt = crew.halt();
        crew.spawn("loop", move || {
            while !halt.is_set() {
                thread::yield_now();
            }
            Ok(())
        });
    };
    let outcome: Outcome<()> = crew::run(|crew| {
        wait_for_halt(crew);
        Err("no plan".to_owned())
    });
    assert!(matches!(outcome, Err(CrewError::Failed(message)) if message == "no plan"));
    let outcome: Outcome<()> = crew::run(|crew| {
        wait_for_halt(crew);
        panic!("no hands");
    });
    assert!(matches!(outcome, Err(CrewError::Panicked { message, .. }) if message == "no hands"));
}

#[test]
fn the_first_signal_asks_and_the_second_ends_the_process() {
    for (first, second, code) in [("INT", "TERM", 143), ("TERM", "INT", 130), ("INT", "INT", 130)] {
        let mut child = watching_child();
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        await_line(&mut output, "watching");
        send(&child, first);
        await_line(&mut output, &format!("asked to stop by SIG{first}"));
        send(&child, second);
        let status = child.wait().expect("the child can be waited for");
        assert_eq!(status.code(), Some(code), "after {first}, {second}");
    }
}

fn watching_child() -> Child {
    Command::new(std::env::current_exe().expect("a test knows its program"))
        .args(["--exact", "is_the_process_that_watches_signals", "--nocapture"])
        .env("TRANSLOAD_TEST_WATCH", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a test can start itself")
}

fn send(child: &Child, signal: &str) {
    let status = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status();
    assert!(status.expect("kill is a part of every Unix").success());
}

fn await_line(output: &mut impl BufRead, expected: &str) {
    // The test runner's own lines come before, and its name of the test on the same line.
    let mut line = String::new();
    while !line.trim_end().ends_with(expected) {
        line.clear();
        assert!(output.read_line(&mut line).expect("the child writes text") > 0, "no line {expected:?}");
    }
}

/// The other half of the test above, which runs it in a process of its own; nothing otherwise.
#[test]
fn is_the_process_that_watches_signals() {
    if std::env::var_os("TRANSLOAD_TEST_WATCH").is_none() {
        return;
    }
    let stop = Stop::new();
    watch_signals(&stop).expect("signals can be watched");
    println!("watching");
    let signal: Signal = loop {
        match stop.requested() {
            Some(signal) => break signal,
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    println!("asked to stop by {}", signal.name());
    // Until the second signal, or until the parent is gone.
    let _ = std::io::stdin().read(&mut [0]);
}
