//! The walk over real trees: pairing, order, phases, links, and what cannot be looked at.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use tempfile::TempDir;
use transload::format::donna::tables::{CHAT, MEMORY, USER};
use transload::model::{ids, Class, Document, DocumentKind, FileRole, Membership, Phase, RelPath};
use transload::source::{
    count, Count, Found, Meaning, ProblemKind, Subject, WalkError, WalkOptions, Walker, WarningKind, SPECIAL_FILE,
    SYMBOLIC_LINK,
};

fn member(kind: &'static DocumentKind, key: &str, role: &'static str) -> Membership {
    Membership { kind, key: key.to_owned(), role: FileRole(role) }
}

/// The rules of LAYOUTS.md that matter here.
fn classify(path: &RelPath) -> Class {
    let name = RelPath::new(path.file_name()).to_text();
    let Some(stem) = name.strip_suffix(".json") else { return Class::NotMigrated { layout: "other" } };
    match path.directory() {
        Some("users") => Class::Document(member(&USER, stem, "user")),
        Some("memory") => Class::Document(member(&MEMORY, stem, "memory")),
        Some("chat_sessions") => match stem.strip_suffix("_session") {
            Some(chat) => {
                Class::ByShape { object: member(&CHAT, chat, "session"), otherwise: member(&CHAT, stem, "history") }
            }
            None => Class::Document(member(&CHAT, stem, "history")),
        },
        _ => Class::NotMigrated { layout: "other" },
    }
}

fn phase_of_directory(directory: &RelPath) -> Phase {
    match directory.as_path().to_str() {
        Some("users") => Phase::Users,
        Some("memory") => Phase::Memory,
        _ => Phase::Rest,
    }
}

/// All that the walk gave, a line each, in order: easy to compare and to read.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    lines: Vec<String>,
    documents: Vec<Document>,
    /// Every file once for each time that it was given, and the phase.
    files: Vec<(RelPath, Phase)>,
}

impl Seen {
    fn take(&mut self, found: Found, phase: Phase) {
        self.lines.push(match &found {
            Found::Document(document) => {
                let files = document.files.iter().map(|file| format!("{}={}", file.role.0, file.path));
                format!("{} {}: {}", document.kind.name, document.key, files.collect::<Vec<_>>().join(" "))
            }
            Found::NotMigrated { layout, file } => format!("{layout}: {}", file.path),
            Found::Problem(problem) => {
                format!("{:?} {:?}: {}", problem.kind, problem.subject, problem.path)
            }
            Found::Warning(warning) => format!("warning {}: {}", warning.kind.code(), warning.path),
        });
        match found {
            Found::Document(document) => {
                self.files.extend(document.files.iter().map(|file| (file.path.clone(), phase)));
                self.documents.push(document);
            }
            Found::NotMigrated { file, .. } => self.files.push((file.path, phase)),
            Found::Problem(problem) => self.files.push((problem.path, phase)),
            Found::Warning(_) => {}
        }
    }
}

fn options(root: &Path) -> WalkOptions {
    WalkOptions::new(root, false)
}

fn following(root: &Path) -> WalkOptions {
    WalkOptions::new(root, true)
}

/// Walks all phases; `meanwhile` is called for everything found, before it is noted.
fn walk_and(options: WalkOptions, mut meanwhile: impl FnMut(&Found)) -> Seen {
    let mut walker = Walker::new(options).expect("the root is a directory");
    let meaning = Meaning { classify: &classify, phase_of_directory: &phase_of_directory };
    let mut seen = Seen::default();
    for phase in Phase::ALL {
        let mut each = |found| {
            meanwhile(&found);
            seen.take(found, phase);
            ControlFlow::Continue(())
        };
        walker.walk(&meaning, phase, &mut each).expect("the root stays a directory");
    }
    seen
}

fn walk(options: WalkOptions) -> Seen {
    let counted = count(&options, &|| false).expect("the root can be counted").expect("nobody stops it");
    let seen = walk_and(options, |_| {});
    assert_eq!(counted.files, seen.files.len() as u64, "counted and walked: {:#?}", seen.lines);
    seen
}

fn tree(files: &[(&str, &str)]) -> TempDir {
    let root = TempDir::new().expect("a temporary directory can be made");
    for (path, text) in files {
        put(&root.path().join(path), text);
    }
    root
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file has a directory")).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}

#[test]
fn session_and_history_make_one_document_and_the_shape_decides_between_them() {
    let root = tree(&[
        ("chat_sessions/a.json", "[]"),
        ("chat_sessions/a0.json", "[]"),
        ("chat_sessions/a_session.json", "\u{feff} {}"),
        ("chat_sessions/b_session.json", "{}"),
        // A history of a chat whose name ends in _session, and that chat's session.
        ("chat_sessions/x.json", "[]"),
        ("chat_sessions/x_session.json", "\n [1]"),
        ("chat_sessions/x_session_session.json", "{}"),
        // Nothing in it says what it is.
        ("chat_sessions/y_session.json", ""),
    ]);
    let seen = walk(options(root.path()));
    assert_eq!(
        seen.lines,
        [
            "chats a: history=chat_sessions/a.json session=chat_sessions/a_session.json",
            "chats a0: history=chat_sessions/a0.json",
            "chats b: session=chat_sessions/b_session.json",
            "chats x: history=chat_sessions/x.json",
            "chats x_session: history=chat_sessions/x_session.json session=chat_sessions/x_session_session.json",
            "chats y: session=chat_sessions/y_session.json",
        ]
    );
    let first = &seen.documents[0];
    assert_eq!(first.id, ids::document("chats", "a"));
    assert_eq!(first.files.iter().map(|file| file.size).collect::<Vec<_>>(), [2, 6]);
    let modified = fs::metadata(root.path().join("chat_sessions/a.json")).unwrap().modified().unwrap();
    assert_eq!(first.files[0].modified, transload::model::Instant::from_system_time(modified));
}

#[test]
fn documents_come_in_path_order_whatever_the_number_of_threads() {
    let root = TempDir::new().unwrap();
    for number in 0..3000 {
        put(&root.path().join(format!("chat_sessions/c{number}.json")), "[]");
        put(&root.path().join(format!("chat_sessions/c{number}_session.json")), "{}");
    }
    // Directories stand among the files, in the order of names.
    put(&root.path().join("chat_sessions/c2/deep.json"), "[]");
    put(&root.path().join("chat_sessions/c2.d/deep.json"), "[]");
    let walks: Vec<Seen> = [1, 2, 7]
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| walk(options(root.path())))
        })
        .into();
    assert_eq!(walks[0].documents.len(), 3000);
    let firsts: Vec<&RelPath> = walks[0].documents.iter().map(Document::path).collect();
    assert!(firsts.is_sorted());
    let place = |text: &str| walks[0].lines.iter().position(|line| line.contains(text)).expect(text);
    assert!(place("chat_sessions/c1999.json") < place("c2/deep.json"));
    assert!(place("c2/deep.json") < place("c2.d/deep.json"));
    assert!(place("c2.d/deep.json") < place("chat_sessions/c2.json"));
    assert!(walks.iter().all(|walk| walk == &walks[0]));
}

#[test]
fn every_phase_gives_the_files_of_its_own_directories() {
    let root = tree(&[
        ("users/1.json", "{}"),
        ("users/old/2.json", "{}"),
        ("users/old/users/3.json", "{}"),
        ("memory/1.json", "{}"),
        ("memory/backup/1.json", "{}"),
        ("chat_sessions/a.json", "[]"),
        ("top.json", "{}"),
    ]);
    let seen = walk(options(root.path()));
    let in_phase = |phase| {
        let files = seen.files.iter().filter(|file| file.1 == phase);
        files.map(|file| file.0.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(in_phase(Phase::Users), ["users/1.json"]);
    assert_eq!(in_phase(Phase::Memory), ["memory/1.json"]);
    assert_eq!(
        in_phase(Phase::Rest),
        ["chat_sessions/a.json", "memory/backup/1.json", "top.json", "users/old/2.json", "users/old/users/3.json"]
    );
}

#[test]
fn odd_names_are_names_like_others() {
    let root = TempDir::new().unwrap();
    let names: [&[u8]; 5] = [b".hidden.json", b"a\xFFb.json", b"new\nline.json", b"quo'te\".json", b"\x1b[31m.json"];
    for name in names {
        put(&root.path().join("users").join(OsStr::from_bytes(name)), "{}");
    }
    let seen = walk(options(root.path()));
    let mut found: Vec<&[u8]> = seen.files.iter().map(|file| file.0.file_name().as_bytes()).collect();
    found.sort_unstable();
    let mut expected = names;
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(seen.lines.contains(&"users a\\xFFb: user=users/a\\xFFb.json".to_owned()), "{:?}", seen.lines);
}

#[test]
fn links_are_counted_and_not_followed_unless_asked_for() {
    let outside = tree(&[("secret.json", "{}"), ("dir/deep.json", "[]")]);
    let root = tree(&[("chat_sessions/a.json", "[]"), ("users/1.json", "{}")]);
    let link = |target: &Path, path: &str| symlink(target, root.path().join(path)).unwrap();
    link(Path::new("a.json"), "chat_sessions/b.json");
    link(&outside.path().join("secret.json"), "chat_sessions/c_session.json");
    link(Path::new("nowhere"), "chat_sessions/d.json");
    link(Path::new("e.json"), "chat_sessions/e.json");
    link(Path::new(".."), "chat_sessions/loop");
    link(&outside.path().join("dir"), "chat_sessions/out");
    link(Path::new("users"), "more_users");
    assert_eq!(
        walk(options(root.path())).lines,
        [
            "users 1: user=users/1.json",
            "chats a: history=chat_sessions/a.json",
            "warning symbolic_link: chat_sessions/b.json",
            "symbolic link: chat_sessions/b.json",
            "warning symbolic_link: chat_sessions/c_session.json",
            "symbolic link: chat_sessions/c_session.json",
            "warning symbolic_link: chat_sessions/d.json",
            "symbolic link: chat_sessions/d.json",
            "warning symbolic_link: chat_sessions/e.json",
            "symbolic link: chat_sessions/e.json",
            "warning symbolic_link: chat_sessions/loop",
            "symbolic link: chat_sessions/loop",
            "warning symbolic_link: chat_sessions/out",
            "symbolic link: chat_sessions/out",
            "warning symbolic_link: more_users",
            "symbolic link: more_users",
        ]
    );
    assert_eq!(
        walk(following(root.path())).lines,
        [
            "users 1: user=users/1.json",
            "chats a: history=chat_sessions/a.json",
            "chats b: history=chat_sessions/b.json",
            "warning link_outside: chat_sessions/c_session.json",
            "chats c: session=chat_sessions/c_session.json",
            "Unreadable File: chat_sessions/d.json",
            "warning link_loop: chat_sessions/e.json",
            "symbolic link: chat_sessions/e.json",
            "warning link_loop: chat_sessions/loop",
            "symbolic link: chat_sessions/loop",
            "warning link_outside: chat_sessions/out",
            "other: chat_sessions/out/deep.json",
            "other: more_users/1.json",
        ]
    );
}

#[test]
fn the_root_may_be_a_link() {
    let root = tree(&[("users/1.json", "{}")]);
    let place = TempDir::new().unwrap();
    symlink(root.path(), place.path().join("data")).unwrap();
    assert_eq!(walk(options(&place.path().join("data"))).lines, ["users 1: user=users/1.json"]);
}

#[test]
fn special_files_are_counted_and_never_opened() {
    let root = tree(&[("chat_sessions/a.json", "[]")]);
    let socket = UnixListener::bind(root.path().join("chat_sessions/b_session.json")).unwrap();
    // Opening it for reading would wait for a writer for ever.
    let pipe = root.path().join("chat_sessions/c_session.json");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is a part of every Unix").success());
    symlink("c_session.json", root.path().join("chat_sessions/d_session.json")).unwrap();
    let expected = ["chats a: history=chat_sessions/a.json", "special file: chat_sessions/b_session.json"];
    let seen = walk(options(root.path()));
    assert_eq!(seen.lines[..2], expected);
    assert_eq!(seen.lines[2], format!("{SPECIAL_FILE}: chat_sessions/c_session.json"));
    assert_eq!(seen.lines[4], format!("{SYMBOLIC_LINK}: chat_sessions/d_session.json"));
    let seen = walk(following(root.path()));
    assert_eq!(seen.lines.last().unwrap(), "special file: chat_sessions/d_session.json");
    drop(socket);
}

#[test]
fn files_that_everybody_may_write_are_warned_of() {
    let root = tree(&[("users/1.json", "{}"), ("users/2.json", "{}")]);
    fs::set_permissions(root.path().join("users/2.json"), fs::Permissions::from_mode(0o666)).unwrap();
    let mut kinds = Vec::new();
    walk_and(options(root.path()), |found| {
        if let Found::Warning(warning) = found {
            kinds.push((warning.path.to_string(), warning.kind));
        }
    });
    assert_eq!(kinds, [("users/2.json".to_owned(), WarningKind::WorldWritable)]);
}

#[test]
fn files_that_are_read_next_are_not_looked_at() {
    let root = tree(&[("users/1.json", "{}"), ("chat_sessions/a.json", "[1]"), ("chat_sessions/note.txt", "12345")]);
    fs::set_permissions(root.path().join("chat_sessions/a.json"), fs::Permissions::from_mode(0o666)).unwrap();
    symlink("a.json", root.path().join("chat_sessions/b.json")).unwrap();
    let mut sizes = Vec::new();
    let options = WalkOptions { read_next: vec![&CHAT], ..following(root.path()) };
    let seen = walk_and(options, |found| match found {
        Found::Document(document) => sizes.extend(document.files.iter().map(|file| (file.path.to_string(), file.size))),
        Found::NotMigrated { file, .. } => sizes.push((file.path.to_string(), file.size)),
        Found::Warning(_) | Found::Problem(_) => {}
    });
    // A followed link is looked at, because of where it may lead.
    let expected =
        [("chat_sessions/a.json", 0), ("chat_sessions/b.json", 3), ("chat_sessions/note.txt", 5), ("users/1.json", 2)];
    sizes.sort();
    assert_eq!(sizes, expected.map(|(path, size)| (path.to_owned(), size)));
    let warned = seen.lines.iter().filter(|line| line.starts_with("warning")).collect::<Vec<_>>();
    assert_eq!(warned, ["warning world_writable: chat_sessions/b.json"]);
}

/// A directory that nobody can list by its path, not even root: the path is longer than a path
/// may be. It is made by moving a long piece to the end of another.
fn unlistable(root: &Path) {
    let piece = |top: &str| {
        let mut path = PathBuf::from(top);
        path.extend((0..12).map(|_| "d".repeat(200)));
        path
    };
    let (upper, lower) = (root.join(piece("upper")), root.join(piece("lower")));
    fs::create_dir_all(&upper).unwrap();
    fs::create_dir_all(&lower).unwrap();
    fs::rename(root.join("lower"), upper.join("lower")).unwrap();
}

#[test]
fn a_directory_that_cannot_be_listed_is_one_problem_over_all_phases() {
    let root = tree(&[("users/1.json", "{}"), ("zzz.json", "{}")]);
    unlistable(root.path());
    let mut problems = Vec::new();
    let seen = walk_and(options(root.path()), |found| {
        if let Found::Problem(problem) = found {
            problems.push((problem.kind, problem.subject, problem.to_string()));
        }
    });
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].0, problems[0].1), (ProblemKind::Unreadable, Subject::Directory));
    assert!(problems[0].2.starts_with("cannot list the directory `upper/d"), "{}", problems[0].2);
    assert_eq!(seen.files.len(), 3);
    assert_eq!(seen.lines.last().unwrap(), "other: zzz.json");
}

#[test]
fn what_goes_away_during_the_walk_has_vanished() {
    let root = tree(&[
        ("chat_sessions/a/first.txt", ""),
        ("chat_sessions/b/gone.txt", ""),
        ("chat_sessions/c/replaced.txt", ""),
        ("chat_sessions/x.json", "[]"),
        ("chat_sessions/x_session.json", "{}"),
        ("chat_sessions/y.json", "[]"),
        ("chat_sessions/z.json", "[]"),
    ]);
    let chats = root.path().join("chat_sessions");
    let seen = walk_and(options(root.path()), |found| {
        if matches!(found, Found::NotMigrated { file, .. } if file.path.file_name() == "first.txt") {
            fs::remove_dir_all(chats.join("b")).unwrap();
            fs::remove_dir_all(chats.join("c")).unwrap();
            fs::write(chats.join("c"), "").unwrap();
            fs::remove_file(chats.join("x.json")).unwrap();
            fs::remove_file(chats.join("y.json")).unwrap();
            fs::create_dir(chats.join("y.json")).unwrap();
        }
    });
    assert_eq!(
        seen.lines,
        [
            "other: chat_sessions/a/first.txt",
            "Vanished Directory: chat_sessions/b",
            "Unreadable Directory: chat_sessions/c",
            "Vanished File: chat_sessions/x.json",
            "chats x: session=chat_sessions/x_session.json",
            "Vanished File: chat_sessions/y.json",
            "chats z: history=chat_sessions/z.json",
        ]
    );
}

#[test]
fn a_break_ends_the_walk() {
    let root = tree(&[("users/1.json", "{}"), ("users/2.json", "{}"), ("users/3.json", "{}")]);
    let mut walker = Walker::new(options(root.path())).unwrap();
    let meaning = Meaning { classify: &classify, phase_of_directory: &phase_of_directory };
    let mut calls = 0;
    let mut each = |_| {
        calls += 1;
        if calls == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    walker.walk(&meaning, Phase::Users, &mut each).unwrap();
    assert_eq!(calls, 2);
}

#[test]
fn a_root_that_is_no_directory_is_an_error_with_a_hint() {
    let root = tree(&[("file", "")]);
    let missing = Walker::new(options(&root.path().join("no\nwhere"))).unwrap_err();
    assert!(matches!(missing, WalkError::Missing { .. }));
    assert!(missing.to_string().ends_with("/no\\nwhere` does not exist"), "{missing}");
    let file = Walker::new(options(&root.path().join("file"))).unwrap_err();
    assert!(matches!(file, WalkError::NotADirectory { .. }), "{file:?}");
    assert!(!file.hint().is_empty());
    let long = Walker::new(options(&root.path().join("d".repeat(5000)))).unwrap_err();
    assert!(matches!(long, WalkError::Unreadable { .. }), "{long:?}");
}

#[test]
fn counting_adds_up_and_can_be_stopped() {
    let root = tree(&[("users/1.json", "{}"), ("a/b/c.json", "12345"), ("d", "")]);
    symlink("d", root.path().join("link")).unwrap();
    let counted = count(&options(root.path()), &|| false).unwrap();
    assert_eq!(counted, Some(Count { files: 4, bytes: 7 }));
    let followed = count(&following(root.path()), &|| false).unwrap();
    assert_eq!(followed, Some(Count { files: 4, bytes: 7 }));
    assert_eq!(count(&options(root.path()), &|| true).unwrap(), None);
}

#[test]
fn the_size_of_many_files_is_estimated_closely_and_their_number_is_exact() {
    let root = tree(&[]);
    let mut bytes = 0;
    for number in 0..6_000_usize {
        let size = number * 7919 % 300;
        fs::write(root.path().join(format!("{number}.json")), vec![b' '; size]).unwrap();
        bytes += size as u64;
    }
    let counted = count(&options(root.path()), &|| false).unwrap().expect("nobody stops it");
    assert_eq!(counted.files, 6_000);
    assert!(counted.bytes.abs_diff(bytes) < bytes / 10, "{} for {bytes}", counted.bytes);
}

/// Every name below `directory` that is not a directory's, by plain listing.
fn list_all(root: &Path, directory: &Path, names: &mut BTreeMap<PathBuf, usize>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            list_all(root, &entry.path(), names);
        } else {
            *names.entry(entry.path().strip_prefix(root).unwrap().to_owned()).or_default() += 1;
        }
    }
}

fn any_file() -> impl Strategy<Value = (Vec<Vec<u8>>, u8)> {
    let directory = prop::sample::select(vec!["users", "memory", "chat_sessions", "a", "logs", ".x"]);
    let stem = prop::collection::vec(prop::sample::select(b"ab_.\xC3\n-0".to_vec()), 1..4);
    let end = prop::sample::select(vec!["", ".json", "_session.json", "_session_session.json", ".log"]);
    let name = (stem, end).prop_map(|(stem, end)| [stem.as_slice(), end.as_bytes()].concat());
    (prop::collection::vec(directory.prop_map(|name| name.as_bytes().to_vec()), 0..4), name, 0..8u8)
        .prop_map(|(mut path, name, content)| {
            path.push(name);
            (path, content)
        })
        .prop_filter("`.` and `..` are no names", |(path, _)| !path.iter().any(|name| name == b"." || name == b".."))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_file_of_any_tree_is_given_exactly_once(files in prop::collection::vec(any_file(), 0..60)) {
        let root = TempDir::new().unwrap();
        for (path, content) in &files {
            let path = path.iter().fold(root.path().to_owned(), |path, name| path.join(OsStr::from_bytes(name)));
            // Where a file of that name stands already, one of the two is enough.
            if fs::create_dir_all(path.parent().unwrap()).is_err() || path.exists() {
                continue;
            }
            match content {
                0 => symlink("users", &path).unwrap_or_default(),
                1 => symlink("nowhere", &path).unwrap_or_default(),
                2 => fs::write(&path, "").unwrap(),
                content => fs::write(&path, if content % 2 == 0 { "[]" } else { " {}" }).unwrap(),
            }
        }
        let mut expected = BTreeMap::new();
        list_all(root.path(), root.path(), &mut expected);
        let seen = walk(options(root.path()));
        let mut given: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for (path, phase) in &seen.files {
            *given.entry(path.as_path().to_owned()).or_default() += 1;
            let parent = RelPath::new(path.as_path().parent().unwrap());
            prop_assert_eq!(*phase, phase_of_directory(&parent));
        }
        prop_assert_eq!(given, expected);
        for document in &seen.documents {
            prop_assert!(document.files.is_sorted_by(|a, b| a.path < b.path && a.role != b.role));
            prop_assert_eq!(document.id, ids::document(document.kind.name, &document.key));
        }
        for phase in Phase::ALL {
            let of_phase = seen.documents.iter().filter(|document| document.kind.phase == phase);
            prop_assert!(of_phase.map(Document::path).is_sorted());
        }
    }
}
