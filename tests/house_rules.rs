//! Holds the layering of `docs/architecture.md` over `src/`, by reading it as text.
//!
//! A small tokenizer is enough: paths after `use`, paths that begin with `crate::`, and the names
//! of a few macros, functions and crates. It does not resolve re-exports, and needs not to: the
//! layers are the first segments of paths.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// From the top down. A module may import what stands in a lower line.
const LAYERS: [&[&str]; 7] = [
    &["cli"],
    &["config"],
    &["pipeline", "export", "verify", "schema", "bench", "generate"],
    &["ledger"],
    &["exec", "format", "source", "target"],
    &["model"],
    &["json", "node"],
];

/// Crates that talk to a database.
const DATABASE_CRATES: [&str; 7] =
    ["postgres", "r2d2", "r2d2_postgres", "rusqlite", "tokio_postgres", "tokio_postgres_rustls", "postgres_types"];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// Rust source as its tokens: identifiers, and every other character by itself. Comments, strings
/// and characters are left out; a string becomes one `"`.
fn tokens(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let next = chars.get(at + 1).copied();
        match chars[at] {
            '/' if next == Some('/') => at = line_end(&chars, at),
            '/' if next == Some('*') => at = comment_end(&chars, at),
            '"' => {
                at = string_end(&chars, at);
                tokens.push("\"".to_owned());
            }
            '\'' => at = after_quote(&chars, at),
            c if c.is_alphanumeric() || c == '_' => {
                let start = at;
                while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                    at += 1;
                }
                let word: String = chars[start..at].iter().collect();
                match raw_string_end(&chars, &word, at) {
                    Some(end) => {
                        at = end;
                        tokens.push("\"".to_owned());
                    }
                    None => tokens.push(word),
                }
            }
            c if c.is_whitespace() => at += 1,
            c => {
                tokens.push(c.to_string());
                at += 1;
            }
        }
    }
    tokens
}

fn line_end(chars: &[char], from: usize) -> usize {
    chars[from..].iter().position(|c| *c == '\n').map_or(chars.len(), |length| from + length)
}

/// Block comments nest.
fn comment_end(chars: &[char], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// `r"..."`, `br#"..."#`: where it ends, if `word` begins one.
fn raw_string_end(chars: &[char], word: &str, after: usize) -> Option<usize> {
    if !["r", "br", "cr"].contains(&word) {
        return None;
    }
    let hashes = chars[after..].iter().take_while(|c| **c == '#').count();
    if chars.get(after + hashes) != Some(&'"') {
        return None;
    }
    let mut at = after + hashes + 1;
    while at < chars.len() {
        let closes = chars[at] == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        at += 1;
        if closes {
            break;
        }
    }
    Some(at + hashes)
}

/// A lifetime is one quote, a character two.
fn after_quote(chars: &[char], at: usize) -> usize {
    match chars.get(at + 1) {
        Some('\\') => {
            let rest = chars.get(at + 3..).unwrap_or_default();
            rest.iter().position(|c| *c == '\'').map_or(chars.len(), |length| at + 4 + length)
        }
        _ if chars.get(at + 2) == Some(&'\'') => at + 3,
        _ => at + 1,
    }
}

/// Every path of the source, `use` trees spread out, with `self` and `super` resolved against
/// `module`, e.g. `crate::model::Row`, `std::fs::read`.
fn paths(tokens: &[String], module: &[String]) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "use" {
            at = use_tree(tokens, at + 1, &[], module, &mut found);
        } else if is_word(&tokens[at]) && is_path_step(tokens, at + 1) {
            let (path, end) = plain_path(tokens, at);
            found.insert(resolved(&path, module));
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn is_path_step(tokens: &[String], at: usize) -> bool {
    tokens.get(at).is_some_and(|token| token == ":") && tokens.get(at + 1).is_some_and(|token| token == ":")
}

fn plain_path(tokens: &[String], from: usize) -> (Vec<String>, usize) {
    let mut path = vec![tokens[from].clone()];
    let mut at = from + 1;
    while is_path_step(tokens, at) && tokens.get(at + 2).is_some_and(|token| is_word(token)) {
        path.push(tokens[at + 2].clone());
        at += 3;
    }
    (path, at)
}

/// `a::{b, c::d as e}`: adds what it names; returns where it ends.
fn use_tree(
    tokens: &[String],
    from: usize,
    prefix: &[String],
    module: &[String],
    found: &mut BTreeSet<Vec<String>>,
) -> usize {
    let mut path = prefix.to_vec();
    let mut at = from;
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = use_tree(tokens, at, &path, module, found);
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            "as" => at += 2,
            ":" => at += 1,
            // `a::{self}` is `a`.
            "self" if !path.is_empty() => at += 1,
            "," | "}" | ";" => break,
            word => {
                path.push(word.to_owned());
                at += 1;
            }
        }
    }
    found.insert(resolved(&path, module));
    at
}

fn resolved(path: &[String], module: &[String]) -> Vec<String> {
    let crate_name = || vec!["crate".to_owned()];
    let mut whole = match path.first().map(String::as_str) {
        Some("self") => [crate_name(), module.to_vec()].concat(),
        Some("super") => [crate_name(), module.to_vec()].concat(),
        Some("transload") => crate_name(),
        _ => return path.to_vec(),
    };
    for step in path {
        match step.as_str() {
            "self" | "transload" => {}
            "super" => {
                whole.pop();
            }
            step => whole.push(step.to_owned()),
        }
    }
    whole
}

/// Without the modules that only tests have.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    const MARK: [&str; 8] = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let marked = tokens[at..].iter().map(String::as_str).take(MARK.len()).eq(MARK);
        if !marked || tokens.get(at + MARK.len() + 1).is_none_or(|token| token != "{") {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += MARK.len() + 1;
        let mut depth = 0;
        while at < tokens.len() {
            depth += i32::from(tokens[at] == "{") - i32::from(tokens[at] == "}");
            at += 1;
            if depth == 0 {
                break;
            }
        }
    }
    kept
}

/// The names of the macros that are called: `name!`.
fn macros(tokens: &[String]) -> impl Iterator<Item = &str> {
    let called = |pair: &&[String]| is_word(&pair[0]) && pair[1] == "!";
    tokens.windows(2).filter(called).map(|pair| pair[0].as_str())
}

/// `src/format/donna/mod.rs` is the module `format::donna`.
fn module_of(file: &Path) -> Vec<String> {
    let mut steps: Vec<String> =
        file.with_extension("").iter().map(|step| step.to_string_lossy().into_owned()).collect();
    if matches!(steps.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        steps.pop();
    }
    steps
}

/// What a file (its path relative to `src/`) does against the rules of the house.
fn violations(file: &Path, source: &str) -> Vec<String> {
    let module = module_of(file);
    let tokens = tokens(source);
    let own = module.first().map(String::as_str);
    let within = |path: &[&str]| module.iter().map(String::as_str).take(path.len()).eq(path.iter().copied());
    let mut wrong = Vec::new();
    if let Some(own) = own {
        if layer(own).is_none() {
            wrong.push(format!("`{own}` stands in no layer"));
        }
    }
    for path in paths(&tokens, &module) {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let ["crate", other, ..] = names.as_slice() else { continue };
        let found = own.and_then(|own| import(own, other)).into_iter();
        let found = found.chain(shares(&module, &names)).chain(other_reader(&module, other));
        wrong.extend(found.map(|why| format!("{why}: {}", names.join("::"))));
    }
    // Tests may hold a lock from a second thread, or read a file; what they import counts, too.
    if module.last().is_some_and(|last| last == "tests") {
        return wrong;
    }
    let tokens = without_tests(tokens);
    let may_print = own.is_none_or(|own| own == "cli");
    for name in macros(&tokens) {
        if ["print", "println", "eprint", "eprintln", "dbg"].contains(&name) && !may_print {
            wrong.push(format!("only cli prints, this calls {name}!"));
        }
    }
    let paths = paths(&tokens, &module);
    // `use crate::target::postgres` makes `postgres::` a name of our own.
    let is_ours =
        |name: &str| paths.iter().any(|path| path[0] == "crate" && path.last().is_some_and(|last| last == name));
    for path in &paths {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let rule = match names.as_slice() {
            [name, ..] if DATABASE_CRATES.contains(name) && !within(&["target"]) && !is_ours(name) => {
                "only target names a database crate"
            }
            ["std", "io", "stdout" | "stderr", ..] | ["io", "stdout" | "stderr", ..] if !may_print => "only cli prints",
            ["std", "thread", "spawn" | "Builder" | "scope", ..] | ["thread", "spawn" | "Builder" | "scope", ..]
                if !within(&["exec"]) =>
            {
                "only exec starts threads"
            }
            ["std", "env", "var" | "var_os" | "vars" | "vars_os", ..]
            | ["env", "var" | "var_os" | "vars" | "vars_os", ..]
                if !["cli", "config"].contains(&own.unwrap_or("cli")) =>
            {
                "nothing below config reads the environment"
            }
            ["std", "fs" | "net" | "env" | "process", ..] if is_pure(&module) => "decoding and rebuilding do no I/O",
            _ => continue,
        };
        wrong.push(format!("{rule}: {}", names.join("::")));
    }
    wrong
}

/// Whether a module of one folder may import one of another.
fn import(own: &str, other: &str) -> Option<String> {
    if own == other {
        return None;
    }
    let (Some(from), Some(to)) = (layer(own), layer(other)) else { return None };
    match from.cmp(&to) {
        std::cmp::Ordering::Less => None,
        // Measuring means to call what is measured.
        std::cmp::Ordering::Equal if own == "bench" => None,
        std::cmp::Ordering::Equal => Some(format!("{own} imports its neighbour {other}")),
        std::cmp::Ordering::Greater => Some(format!("{own} imports {other}, which stands above it")),
    }
}

/// Which share in a format a module has, or is part of: `decode`, `rebuild` or `expect`.
fn share(module: &[&str]) -> Option<(String, &'static str)> {
    match module {
        ["format", format, rest @ ..] => {
            let shares = ["decode", "rebuild", "expect"];
            let found = rest.iter().find_map(|step| shares.into_iter().find(|share| share == step));
            found.map(|share| ((*format).to_owned(), share))
        }
        _ => None,
    }
}

/// The proof that rebuilding and expecting agree with decoding is worth nothing if they share code.
fn shares(module: &[String], path: &[&str]) -> Option<String> {
    let module: Vec<&str> = module.iter().map(String::as_str).collect();
    let (own, other) = (share(&module)?, share(&path[1..])?);
    (own.0 == other.0 && own.1 != other.1).then(|| format!("{} imports {}", own.1, other.1))
}

/// What loads reads with `json`, what proves with `node`, so that a mistake of one is seen by the other.
fn other_reader(module: &[String], reader: &str) -> Option<String> {
    let steps: Vec<&str> = module.iter().map(String::as_str).collect();
    let proves = match share(&steps) {
        Some((_, share)) => share != "decode",
        None => matches!(steps.first(), Some(&("verify" | "export" | "node"))),
    };
    let decodes = share(&steps).is_some_and(|(_, share)| share == "decode");
    match reader {
        "json" if proves => Some("the proof reads with the decoder's reader".to_owned()),
        "node" if decodes || steps.first() == Some(&"json") => {
            Some("decoding reads with the proof's reader".to_owned())
        }
        _ => None,
    }
}

/// Everything of a format but its registry.
fn is_pure(module: &[String]) -> bool {
    module.len() > 1 && module[0] == "format"
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_source_keeps_the_rules_of_the_house() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.sort();
    // Fewer would mean that the walk above went wrong.
    assert!(files.len() > 30, "only {} files were looked at", files.len());
    let mut paths_seen = 0;
    let mut wrong = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).expect("a source is UTF-8");
        let relative = file.strip_prefix(&root).expect("it was found below the root");
        paths_seen += paths(&tokens(&text), &module_of(relative)).len();
        wrong.extend(violations(relative, &text).into_iter().map(|what| format!("src/{}: {what}", relative.display())));
    }
    assert!(paths_seen > 300, "only {paths_seen} paths were seen");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The one thing that `source` does wrong in `file`.
fn only_violation(file: &str, source: &str) -> String {
    let mut wrong = violations(Path::new(file), source);
    assert_eq!(wrong.len(), 1, "{file}: {wrong:?}");
    wrong.remove(0)
}

#[test]
fn each_rule_catches_what_it_forbids() {
    for (file, source, expected) in [
        (
            "model/row.rs",
            "use crate::json::x;\nuse crate::target::Connection;",
            "model imports target, which stands above",
        ),
        ("target/mod.rs", "use crate::{model::Row, format::{self}};", "target imports its neighbour format"),
        ("verify/mod.rs", "fn f() { crate::export::run() }", "verify imports its neighbour export"),
        ("format/donna/mod.rs", "use super::super::source::Walk;", "format imports its neighbour source"),
        ("format/mod.rs", "use super::config::Config;", "format imports config, which stands above"),
        ("pipeline/mod.rs", "fn f(e: rusqlite::Error) {}", "names a database crate"),
        ("cli/mod.rs", "use postgres::Client;", "names a database crate"),
        ("model/a.rs", "#[cfg(test)] mod tests { use crate::cli::x; }", "model imports cli"),
        ("model/a.rs", "#[cfg(test)] mod tests { fn f() { {} } } fn g() { println!() }", "only cli prints"),
        ("model/mod.rs", "fn f() { println!(\"x\") }", "only cli prints"),
        ("config/mod.rs", "fn f() { dbg!(1); }", "only cli prints"),
        ("exec/mod.rs", "use std::io::{self, stderr};", "only cli prints"),
        ("pipeline/mod.rs", "use std::thread;\nfn f() { thread::spawn(|| ()); }", "only exec starts threads"),
        ("source/walk.rs", "use std::thread::Builder;", "only exec starts threads"),
        ("cli/mod.rs", "fn f() { std::thread::scope(|_| ()); }", "only exec starts threads"),
        ("format/donna/decode/chat.rs", "use std::{fmt, fs};", "do no I/O"),
        ("format/donna/rebuild.rs", "use super::decode::Chat;", "rebuild imports decode"),
        ("format/donna/decode/chat.rs", "use crate::format::donna::rebuild::x;", "decode imports rebuild"),
        ("format/donna/expect/chat.rs", "use super::super::decode::time;", "expect imports decode"),
        ("format/donna/rebuild/mod.rs", "use super::expect::chat;", "rebuild imports expect"),
        ("format/donna/decode/mod.rs", "fn f() { super::expect::x() }", "decode imports expect"),
        ("format/donna/expect/mod.rs", "use crate::json;", "reads with the decoder's reader"),
        ("format/donna/rebuild/user.rs", "fn f() { crate::json::parse() }", "reads with the decoder's reader"),
        ("verify/compare.rs", "use crate::{json::Value, model::Row};", "reads with the decoder's reader"),
        ("export/mod.rs", "use crate::json::Value;", "reads with the decoder's reader"),
        ("format/donna/decode/user.rs", "use crate::node::Node;", "reads with the proof's reader"),
        ("schema/mod.rs", "fn f() { std::env::var(\"HOME\"); }", "nothing below config reads the environment"),
        ("surprise/mod.rs", "fn f() {}", "stands in no layer"),
    ] {
        let found = only_violation(file, source);
        assert!(found.contains(expected), "{file}: {found}");
    }
}

#[test]
fn what_is_allowed_and_what_is_only_text_is_let_pass() {
    for (file, source) in [
        ("cli/mod.rs", "use crate::{config, pipeline::run, model};\nfn f() { println!(\"x\"); std::io::stdout(); }"),
        ("main.rs", "use transload::cli;\nfn main() { eprintln!(\"x\") }"),
        ("bench/mod.rs", "use crate::verify;"),
        ("target/sqlite/mod.rs", "use rusqlite::Connection; use super::Target;"),
        ("exec/crew.rs", "fn f() { std::thread::Builder::new(); }"),
        ("config/environment.rs", "fn f() { std::env::vars_os(); }"),
        ("format/plum/rebuild.rs", "use crate::format::donna::decode::x;"),
        ("format/donna/mod.rs", "use self::{decode::x, expect::y}; use crate::{json, node};"),
        ("format/donna/decode/mod.rs", "use crate::json;"),
        ("format/donna/expect/mod.rs", "use crate::node;"),
        ("pipeline/mod.rs", "fn f(v: Vec<u8>) { use rayon::prelude::*; v.par_iter(); }"),
        ("cli/open.rs", "use crate::target::postgres::{self, Parameters}; fn f() { postgres::open() }"),
        ("target/mod.rs", "pub mod postgres; fn f() { postgres::open() }"),
        ("source/lock.rs", "#[cfg(test)] mod tests { fn f() { std::thread::spawn(|| println!()); } }"),
        ("model/a.rs", "// println!(\"x\") /* \nfn f<'a>(c: &'a str) -> char { '\"' } // crate::cli::x"),
        ("model/b.rs", "/* a /* println!() */ crate::cli::x */ const A: &str = \"println!() \\\" crate::cli::x\";"),
        ("model/c.rs", "const A: &str = r#\"use crate::cli; \" println!()\"#; const B: char = '\\'';"),
    ] {
        assert_eq!(violations(Path::new(file), source), Vec::<String>::new(), "{file}");
    }
    // Nothing after a quote, a lifetime or a raw string is swallowed.
    for source in [
        "const A: char = '\\''; use crate::cli::x;",
        "fn f<'a>(x: &'a str) { crate::cli::x() }",
        "const A: &str = r##\"a\"# b\"##; use crate::cli::x;",
        "const A: &[u8] = b\"\\\\\"; use crate::cli::x;",
        "const A: char = '\\u{2028}'; const B: u8 = b'\"'; use crate::cli::x;",
    ] {
        assert!(only_violation("model/a.rs", source).contains("model imports cli"), "{source}");
    }
}
