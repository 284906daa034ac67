//! Seeing who is in the way: a second connection asks while the first one waits.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::exec::crew::{self, CrewError};
use crate::target::Watch;

/// How often to ask; the first time after as long.
const INTERVAL: Duration = Duration::from_millis(200);

/// How often whoever is in the way is told of again.
const AGAIN: Duration = Duration::from_secs(10);

/// How soon the end of the work is noticed.
const NOTICE: Duration = Duration::from_millis(5);

/// Does `work`, and returns whom it was last seen to wait for, too. Meanwhile `tell` is told, at first
/// sight and now and then.
pub fn watched<T>(
    watch: Option<&mut Box<dyn Watch>>,
    process: i64,
    tell: &(dyn Fn(&[String]) + Sync),
    work: impl FnOnce() -> T,
) -> (T, Vec<String>) {
    let Some(watch) = watch else { return (work(), Vec::new()) };
    let seen = Mutex::new(Vec::new());
    let result = crew::run::<_, Infallible>(|crew| {
        let (halt, seen) = (crew.halt(), &seen);
        crew.spawn("blockers", move || {
            let mut asked = Instant::now();
            let mut told: Option<Instant> = None;
            while !halt.is_set() {
                thread::sleep(NOTICE);
                if asked.elapsed() < INTERVAL {
                    continue;
                }
                // Who cannot be asked names nobody.
                if let Ok(blockers) = watch.blockers(process) {
                    if !blockers.is_empty() {
                        if told.is_none_or(|told| told.elapsed() >= AGAIN) {
                            tell(&blockers);
                            told = Some(Instant::now());
                        }
                        *seen.lock().unwrap_or_else(PoisonError::into_inner) = blockers;
                    }
                }
                asked = Instant::now();
            }
            Ok(())
        });
        let value = work();
        crew.halt().set();
        Ok(value)
    });
    let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    match result {
        Ok(value) => (value, seen),
        Err(CrewError::Failed(never)) => match never {},
        Err(error) => panic!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::TargetError;

    struct Sees;

    impl Watch for Sees {
        fn blockers(&mut self, process: i64) -> Result<Vec<String>, TargetError> {
            Ok(vec![format!("whoever blocks {process}")])
        }
    }

    #[test]
    fn who_is_in_the_way_is_seen_while_it_lasts() {
        let told = Mutex::new(0);
        let tell = |blockers: &[String]| *told.lock().unwrap() += blockers.len();
        let (value, seen) = watched(Some(&mut (Box::new(Sees) as Box<dyn Watch>)), 7, &tell, || {
            thread::sleep(INTERVAL * 3);
            1
        });
        assert_eq!((value, seen), (1, vec!["whoever blocks 7".to_owned()]));
        let (value, seen) = watched(Some(&mut (Box::new(Sees) as Box<dyn Watch>)), 7, &tell, || 2);
        assert_eq!((value, seen.len()), (2, 0));
        assert_eq!(*told.lock().unwrap(), 1, "once, for the time was short");
    }
}
