//! `generate DIR`: a deterministic tree of legacy files.

use crate::generate::{generate, GenerateError, Options};
use crate::model::RelPath;

use super::args::GenerateArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::human::{bytes, thousands};
use super::print;

/// Runs `generate`.
pub fn run(args: &GenerateArgs) -> Result<Exit, Failure> {
    let options = Options { records: args.records, seed: args.seed, damage: args.damage };
    let made = generate(&args.dir, &options).map_err(|error: GenerateError| {
        let hint = error.hint().map(str::to_owned);
        Failure { hint, ..Failure::new(error) }
    })?;
    print(|out| {
        writeln!(
            out,
            "{}: {} files, {}; {} users, {} chats, {} messages, {} memory entries, {} damaged documents",
            RelPath::new(args.dir.as_path()),
            thousands(made.files),
            bytes(made.bytes),
            thousands(made.users),
            thousands(made.chats),
            thousands(made.messages),
            thousands(made.memory_entries),
            thousands(made.damaged.len() as u64)
        )?;
        for (kind, count) in made.damaged_by_kind() {
            writeln!(out, "  {kind}: {}", thousands(count))?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

/// A share such as `1%` or `0.01`, from nothing to everything.
pub fn share(text: &str) -> Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.trim().parse(),
    };
    share
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "expected a share from 0% to 100%, such as 1% or 0.01".to_owned())
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_share_is_a_percentage_or_a_fraction() {
        assert_eq!(share("1%"), Ok(0.01));
        assert_eq!(share("0.25"), Ok(0.25));
        for wrong in ["", "%", "2", "101%", "-1%", "nan", "inf"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
