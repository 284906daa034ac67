//! Parses, runs, prints the causes and a hint, returns the exit code.

use std::process::ExitCode;

use transload::cli::{self, Command, Environment, Exit};

/// Documents are many small strings that live as long as their batch; the system's allocator spends
/// twice as long on them (docs/decisions/0001-crates.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`, which the bindings have no name for.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

const GIVE_BACK_MILLISECONDS: std::ffi::c_long = 50;

/// `verify` fills and empties the same memory once a batch. To give it back to the system in between,
/// and to have it zeroed and mapped anew each time, is a tenth of its work. Of others the memory is given
/// back sooner than the allocator would by itself (a second): a run holds a tenth less, at no cost that
/// stands out.
fn set_delay_of_giving_back(keep: bool) {
    // SAFETY: an option takes effect for what is freed from now on; there is nothing to be kept to but
    // that the number is an option's.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, if keep { -1 } else { GIVE_BACK_MILLISECONDS }) };
}

fn main() -> ExitCode {
    give_back_huge_pages();
    share_one_heap();
    let exit = match cli::parse(std::env::args_os()) {
        Ok(cli) => {
            set_delay_of_giving_back(matches!(cli.command, Some(Command::Verify(_))));
            run(&cli)
        }
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

/// SQLite has its memory from the C library, which gives threads heaps of their own and keeps what is freed in
/// them. A connection that goes from one thread to the next, as each phase has its own, would leave its
/// pages' room behind in every heap: up to 25 MiB of a load (`tests/memory.rs` sees that there is one heap).
fn share_one_heap() {
    // SAFETY: it sets a number that counts when a thread first asks for memory, and no other thread is there.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1)
    };
}

fn run(cli: &cli::Cli) -> Exit {
    match cli::run(cli, &Environment::of_process()) {
        Ok(exit) => exit,
        Err(failure) => failure.report(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_about_giving_memory_back() {
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert!((1..=1000).contains(&delay()), "{} ms is not the delay that is documented", delay());
        set_delay_of_giving_back(true);
        assert_eq!(delay(), -1);
        set_delay_of_giving_back(false);
        assert_eq!(delay(), GIVE_BACK_MILLISECONDS);
    }
}
