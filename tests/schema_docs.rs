//! The guides of `docs/schema.md`, run as they stand there.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::schema::Site;

/// A block of the document: what stands behind the three marks, and its lines.
struct Block {
    info: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema.md");
    let text = fs::read_to_string(path).expect("the document is there");
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some(Block { info: info.to_owned(), text: String::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    blocks
}

/// Runs the commands of a block, and looks for the lines below each in what it prints.
fn run_console(site: &Site, text: &str) -> usize {
    let mut lines = text.lines().peekable();
    let mut commands = 0;
    while let Some(line) = lines.next() {
        let command = line.strip_prefix("$ ").unwrap_or_else(|| panic!("{line:?} is no command"));
        let (command, code) = command.split_once(" # exit ").unwrap_or((command, "0"));
        let arguments: Vec<&str> = command.split(' ').collect();
        assert_eq!(arguments[0], "transload", "{command}");
        let finished = run(site, &arguments[1..]);
        assert_eq!(finished.0.to_string(), code, "{command}:\n{}", finished.1);
        while let Some(expected) = lines.next_if(|line| !line.starts_with("$ ")) {
            assert!(finished.1.contains(expected), "{command}: {expected:?} is missing in:\n{}", finished.1);
        }
        commands += 1;
    }
    commands
}

fn run(site: &Site, arguments: &[&str]) -> (i32, String) {
    let mut command: Command = site.place.command(arguments);
    let output = command.env("TRANSLOAD_DB", &site.url).output().expect("the program starts");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8")).concat();
    (output.status.code().expect("no signal ended it"), text)
}

fn the_guides_do_what_they_say(site: &Site) {
    let mut site = Site { place: support::cli::Workplace::new(), url: site.another(), dialect: site.dialect };
    let (mut commands, mut files) = (0, 0);
    for block in blocks() {
        match block.info.as_str() {
            "console" => commands += run_console(&site, &block.text),
            "sql by hand" => site.execute(&block.text),
            "sql by hand, in a new database" => {
                let place = site.place;
                let other = if site.dialect == "sqlite" { Site::sqlite() } else { Site::postgres() };
                if site.dialect == "sqlite" {
                    // The files stay where they are.
                    site =
                        Site { url: format!("sqlite:{}", place.path("second.db").display()), place, dialect: "sqlite" };
                } else {
                    site = Site { url: other.url, place, dialect: "postgres" };
                }
                site.execute(&block.text);
            }
            info => {
                let file = info.strip_prefix("sql file=").unwrap_or_else(|| panic!("what is {info:?}?"));
                let (directory, name) = file.split_once('/').expect("a file in a directory");
                site.files(directory, &[(name, &block.text)]);
                files += 1;
            }
        }
    }
    assert!(commands > 15 && files > 4, "{commands} commands and {files} files");
}

on_both!(the_guides_do_what_they_say);
