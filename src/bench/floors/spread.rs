//! Jobs for several sessions at once: each takes the next one until none is left.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::bench::error::BenchError;
use crate::bench::psql::Psql;
use crate::exec::crew::{self, CrewError};

pub enum Job {
    /// A file's rows into a table.
    Copy(&'static str, PathBuf),
    Run(String),
}

pub fn spread(sessions: &mut [Psql], jobs: Vec<Job>) -> Result<(), BenchError> {
    let queue = Mutex::new(VecDeque::from(jobs));
    let result = crew::run(|crew| {
        for (number, session) in sessions.iter_mut().enumerate() {
            let queue = &queue;
            let halt = crew.halt();
            crew.spawn(format!("floor-{}", number + 1), move || {
                while !halt.is_set() {
                    let job = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    match job {
                        Some(Job::Copy(table, file)) => session.copy_in(table, &file)?,
                        Some(Job::Run(statement)) => drop(session.run(&statement)?),
                        None => break,
                    }
                }
                Ok(())
            });
        }
        Ok(())
    });
    result.map_err(|error| match error {
        CrewError::Failed(error) => error,
        error => BenchError::Broken(Box::new(error)),
    })
}
