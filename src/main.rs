//! Parses, runs, prints the causes and a hint, returns the exit code.

use std::process::ExitCode;

use transload::cli::{self, Environment, Exit};

/// Documents are many small strings that live as long as their batch; the system's allocator spends
/// twice as long on them (docs/decisions/0001-crates.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
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
