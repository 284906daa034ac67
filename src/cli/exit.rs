//! Exit codes, the same for every command.

use std::process::ExitCode;

use crate::exec::Signal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, and all agrees.
    Done,
    /// Done, with rejects, conflicts, differences or lint errors left.
    Leftovers,
    /// Could not be done, or could not be checked.
    Failed,
    /// Wrong usage.
    Usage,
    /// Stopped by SIGINT after finishing the batches under way.
    Interrupted,
    /// Stopped by SIGTERM, in the same way.
    Terminated,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Leftovers => 1,
            Exit::Failed => 2,
            Exit::Usage => 64,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }

    /// [`Exit::Leftovers`] if anything is left to look at.
    pub fn of_leftovers(leftovers: bool) -> Exit {
        if leftovers {
            Exit::Leftovers
        } else {
            Exit::Done
        }
    }

    /// After a run that a signal asked to stop.
    pub fn of_signal(signal: Signal) -> Exit {
        match signal {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        }
    }

    /// For what the argument parser returns instead of arguments: `--help` and `--version`, too.
    pub fn of_parser(error: &clap::Error) -> Exit {
        if error.use_stderr() {
            Exit::Usage
        } else {
            Exit::Done
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
