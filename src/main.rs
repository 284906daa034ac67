//! Parses, runs, prints the causes and a hint, returns the exit code.

use std::process::ExitCode;

use transload::cli::{self, Environment, Exit};

/// Documents are many small strings that live as long as their batch; the system's allocator spends
/// twice as long on them (docs/decisions/0001-crates.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    give_back_huge_pages();
    let exit = match cli::parse(std::env::args_os()) {
        Ok(cli) => match cli::run(&cli, &Environment::of_process()) {
            Ok(exit) => exit,
            Err(failure) => failure.report(),
        },
        Err(error) => {
            // clap's own text; nobody is left to tell if it cannot be written.
            let _ = error.print();
            Exit::of_parser(&error)
        }
    };
    exit.into()
}

/// The allocator asks for pages of 2 MiB, each of which is cleared and counts in full once a byte of it
/// is used: with a heap for each thread that doubles what a run holds, and no run was faster by it.
fn give_back_huge_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        // Only memory is at stake.
        tracing::debug!(%error, "huge pages stay as they are");
    }
}
