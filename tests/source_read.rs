//! Reading: what is read is what was there, or it is said that it was not; and the source is left
//! as it was.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use transload::format::donna::tables::{CHAT, USER};
use transload::model::{self, ids, Class, Document, FileRole, Membership, Phase, RelPath, SourceFile};
use transload::source::{
    document_digest, open_stream, read, ChangedWhileRead, FileContent, Found, Meaning, ReadOptions, ReadProblem,
    Reading, Share, WalkOptions, Walker,
};

const WHOLE: u64 = 1024;

fn options() -> ReadOptions {
    ReadOptions { whole_bytes: WHOLE, lock_patience: Duration::from_secs(60), follow_links: false }
}

/// A document of these files, in this order; what the walk would know of sizes is wrong on purpose.
fn document(files: &[(&str, &'static str)]) -> Document {
    let source_file = |(path, role): &(&str, &'static str)| SourceFile {
        path: RelPath::new(*path),
        role: FileRole(role),
        size: 999_999,
        modified: model::Instant(0),
    };
    let files = files.iter().map(source_file).collect();
    Document { kind: &CHAT, key: "a".into(), id: ids::document("chats", "a"), files }
}

fn one_file(content: &[u8]) -> (TempDir, Document, PathBuf) {
    let root = TempDir::new().unwrap();
    let path = root.path().join("a.json");
    fs::write(&path, content).unwrap();
    (root, document(&[("a.json", "history")]), path)
}

fn large() -> Vec<u8> {
    (0..300_000u32).flat_map(|number| number.to_le_bytes()).collect()
}

/// What a consumer gets that reads to the end in steps of its own.
fn drain(mut stream: impl Read, step: usize) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = vec![0; step];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(all),
            read => all.extend_from_slice(&buffer[..read]),
        }
    }
}

fn is_changed(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::InvalidData
        && error.get_ref().is_some_and(|cause| cause.is::<ChangedWhileRead>())
}

#[test]
fn small_files_are_held_and_large_ones_are_streamed_with_the_same_digest() {
    let root = TempDir::new().unwrap();
    let (history, session) = (large(), b"{}".to_vec());
    fs::write(root.path().join("a.json"), &history).unwrap();
    fs::write(root.path().join("a_session.json"), &session).unwrap();
    let document = document(&[("a.json", "history"), ("a_session.json", "session")]);
    let reading = read(root.path(), &document, &options()).unwrap();
    assert_eq!(reading.files.len(), 2);
    assert_eq!(reading.files[0].content, FileContent::Large);
    assert_eq!(reading.files[1].content, FileContent::Whole(session.clone()));
    assert_eq!((reading.files[0].size, reading.files[1].size), (history.len() as u64, 2));
    assert_eq!(reading.files[0].blake3, *blake3::hash(&history).as_bytes());
    let modified = fs::metadata(root.path().join("a.json")).unwrap().modified().unwrap();
    assert_eq!(reading.files[0].modified, model::Instant::from_system_time(modified));
    let shares = [("history", &history), ("session", &session)].map(|(role, bytes)| (role, bytes, blake3::hash(bytes)));
    let digest = document_digest(shares.iter().map(|(role, bytes, hash)| Share {
        role,
        size: bytes.len() as u64,
        blake3: hash.as_bytes(),
    }));
    assert_eq!(reading.digest, digest);

    let all_whole = ReadOptions { whole_bytes: u64::from(u32::MAX), ..options() };
    assert_eq!(read(root.path(), &document, &all_whole).unwrap().digest, digest);
    for step in [1000, 4096, history.len(), history.len() * 2] {
        let stream = open_stream(root.path(), &document, &reading, 0, &options()).unwrap();
        assert!(drain(stream, step).unwrap() == history, "in steps of {step}");
    }
    open_stream(root.path(), &document, &reading, 0, &options()).unwrap().finish().unwrap();
}

#[test]
fn an_empty_file_is_read_whatever_may_be_held() {
    let (root, document, _) = one_file(b"");
    let nothing_held = ReadOptions { whole_bytes: 0, ..options() };
    assert_eq!(read(root.path(), &document, &nothing_held).unwrap().files[0].content, FileContent::Whole(vec![]));
}

#[test]
fn a_file_that_is_not_there_has_vanished() {
    let (root, document, path) = one_file(b"[]");
    fs::remove_file(path).unwrap();
    let problem = read(root.path(), &document, &options()).unwrap_err();
    assert!(matches!(problem, ReadProblem::Vanished { file: 0, .. }), "{problem:?}");
    assert_eq!(problem.to_string(), "`a.json` vanished after it was found");
}

#[test]
fn what_has_become_a_pipe_a_link_or_a_directory_is_unreadable_and_does_not_hang() {
    let (root, document, path) = one_file(b"[]");
    let expect_unreadable = |what: &str| {
        let problem = read(root.path(), &document, &options()).unwrap_err();
        assert!(matches!(problem, ReadProblem::Unreadable { file: 0, .. }), "{what}: {problem:?}");
    };
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo is a part of every Unix").success());
    expect_unreadable("a pipe");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    expect_unreadable("a directory");
    fs::remove_dir(&path).unwrap();
    fs::write(root.path().join("other"), "[]").unwrap();
    symlink("other", &path).unwrap();
    expect_unreadable("a link");
    let following = ReadOptions { follow_links: true, ..options() };
    let reading = read(root.path(), &document, &following).unwrap();
    assert_eq!(reading.files[0].content, FileContent::Whole(b"[]".to_vec()));
}

/// Reads a large file, lets `change` happen, and streams it.
fn stream_after(change: impl FnOnce(&Path)) -> std::io::Result<Vec<u8>> {
    let (root, document, path) = one_file(&large());
    let reading = read(root.path(), &document, &options()).unwrap();
    change(&path);
    drain(open_stream(root.path(), &document, &reading, 0, &options())?, 4096)
}

#[test]
fn a_file_that_was_replaced_grown_or_cut_between_two_passes_has_changed() {
    let replaced = stream_after(|path| {
        let mut other = large();
        *other.last_mut().unwrap() ^= 1;
        let aside = path.with_extension("new");
        fs::write(&aside, other).unwrap();
        fs::rename(aside, path).unwrap();
    });
    assert!(is_changed(&replaced.unwrap_err()));
    let grown = stream_after(|path| {
        OpenOptions::new().append(true).open(path).unwrap().write_all(b"]").unwrap();
    });
    assert!(is_changed(&grown.unwrap_err()));
    let cut = stream_after(|path| OpenOptions::new().write(true).open(path).unwrap().set_len(5000).unwrap());
    assert!(is_changed(&cut.unwrap_err()));
    // The same bytes in another file are the same bytes.
    let moved = stream_after(|path| {
        let aside = path.with_extension("new");
        fs::copy(path, &aside).unwrap();
        fs::rename(aside, path).unwrap();
    });
    assert!(moved.unwrap() == large());
}

#[test]
fn a_change_behind_the_reader_is_found_before_the_last_bytes_are_given() {
    type Change = fn(&File);
    let changes: [(&str, Change); 3] = [
        ("cut", |file| file.set_len(100_000).unwrap()),
        ("grown", |mut file| {
            file.seek_to_end();
            file.write_all(b"]").unwrap();
        }),
        ("edited", |file| std::os::unix::fs::FileExt::write_all_at(file, b"X", 1_000_000).unwrap()),
    ];
    for (what, change) in changes {
        let (root, document, path) = one_file(&large());
        let reading = read(root.path(), &document, &options()).unwrap();
        let mut stream = open_stream(root.path(), &document, &reading, 0, &options()).unwrap();
        let mut start = vec![0; 50_000];
        stream.read_exact(&mut start).unwrap();
        change(&OpenOptions::new().write(true).open(&path).unwrap());
        // A consumer that counts the bytes and would not ask for more than there should be.
        let mut rest = vec![0; large().len() - start.len()];
        let error = stream.read_exact(&mut rest).unwrap_err();
        assert!(is_changed(&error), "{what}: {error:?}");
        assert!(is_changed(&stream.read(&mut rest).unwrap_err()), "{what}: it must not look like an end");
        let problem = ReadProblem::of_stream(&document, 0, &options(), error);
        assert!(matches!(problem, ReadProblem::Changed { file: 0, .. }), "{what}: {problem:?}");
        assert!(is_changed(&stream.finish().unwrap_err()), "{what}");
    }
}

trait SeekToEnd {
    fn seek_to_end(&mut self);
}

impl SeekToEnd for &File {
    fn seek_to_end(&mut self) {
        std::io::Seek::seek(self, std::io::SeekFrom::End(0)).unwrap();
    }
}

/// Another process that holds an exclusive lock on the file until its standard input ends.
struct Writer(Child);

impl Writer {
    fn lock(path: &Path) -> Writer {
        let mut child = Command::new(std::env::current_exe().expect("a test knows its program"))
            .args(["--exact", "is_the_process_that_holds_a_lock", "--nocapture"])
            .env("TRANSLOAD_TEST_LOCK", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a test can start itself");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        while !line.trim_end().ends_with("locked") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "the lock was not granted");
        }
        // Kept open, so that the test runner's closing lines find a reader.
        thread::spawn(move || output.read_to_end(&mut Vec::new()));
        Writer(child)
    }

    fn release(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

/// The other half of the tests on locks, in a process of its own; nothing otherwise.
#[test]
fn is_the_process_that_holds_a_lock() {
    let Some(path) = std::env::var_os("TRANSLOAD_TEST_LOCK") else { return };
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    file.lock().unwrap();
    println!("locked");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    (&file).write_all(b"[2]").unwrap();
}

#[test]
fn a_writer_that_holds_its_lock_is_waited_for() {
    let (root, document, path) = one_file(b"[1]");
    let writer = Writer::lock(&path);
    let begin = Instant::now();
    let reading = thread::scope(|scope| {
        let reader = scope.spawn(|| read(root.path(), &document, &options()));
        thread::sleep(Duration::from_millis(200));
        assert!(!reader.is_finished());
        writer.release();
        reader.join().unwrap().unwrap()
    });
    assert_eq!(reading.files[0].content, FileContent::Whole(b"[2]".to_vec()));
    assert!(begin.elapsed() < Duration::from_secs(30), "the lock's end was not noticed");
}

#[test]
fn a_writer_that_never_lets_go_is_reported() {
    let (root, document, path) = one_file(&large());
    let reading = read(root.path(), &document, &options()).unwrap();
    let writer = Writer::lock(&path);
    let impatient = ReadOptions { lock_patience: Duration::from_millis(50), ..options() };
    let problem = read(root.path(), &document, &impatient).unwrap_err();
    assert!(matches!(problem, ReadProblem::Locked { file: 0, .. }), "{problem:?}");
    assert_eq!(problem.to_string(), "`a.json` is locked by another program, for longer than 50ms");
    let error = open_stream(root.path(), &document, &reading, 0, &impatient).unwrap_err();
    let problem = ReadProblem::of_stream(&document, 0, &impatient, error);
    assert!(matches!(problem, ReadProblem::Locked { file: 0, .. }), "{problem:?}");
    writer.release();
}

#[test]
fn a_stream_keeps_writers_out_until_it_is_dropped() {
    let (root, document, path) = one_file(&large());
    let reading = read(root.path(), &document, &options()).unwrap();
    let stream = open_stream(root.path(), &document, &reading, 0, &options()).unwrap();
    let writer = OpenOptions::new().write(true).open(&path).unwrap();
    assert!(matches!(writer.try_lock(), Err(fs::TryLockError::WouldBlock)));
    drop(stream);
    writer.try_lock().unwrap();
}

/// All that can be seen of a tree without reading it changing anything.
/// Path, inode, mode, seconds and nanoseconds of both times, and content.
type Portrait = Vec<(PathBuf, u64, u32, i64, i64, i64, i64, Option<Vec<u8>>)>;

fn portrait(path: &Path) -> Portrait {
    let metadata = fs::symlink_metadata(path).unwrap();
    let content = metadata.is_file().then(|| fs::read(path).unwrap());
    let mut all = vec![(
        path.to_owned(),
        metadata.ino(),
        metadata.mode(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
        content,
    )];
    if metadata.is_dir() {
        let mut names: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        all.extend(names.iter().flat_map(|name| portrait(name)));
    }
    all
}

fn set_modes(path: &Path, directories: u32, files: u32) {
    if path.is_dir() {
        fs::set_permissions(path, fs::Permissions::from_mode(directories | 0o700)).unwrap();
        fs::read_dir(path).unwrap().for_each(|entry| set_modes(&entry.unwrap().path(), directories, files));
        fs::set_permissions(path, fs::Permissions::from_mode(directories)).unwrap();
    } else {
        fs::set_permissions(path, fs::Permissions::from_mode(files)).unwrap();
    }
}

#[test]
fn a_read_only_source_is_read_in_full_and_left_as_it_was() {
    let root = TempDir::new().unwrap();
    for (path, content) in [("users/1.json", b"{}".to_vec()), ("users/2.json", large()), ("other", b"x".to_vec())] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    set_modes(root.path(), 0o555, 0o444);
    let before = portrait(root.path());
    let readings = read_everything(root.path());
    let after = portrait(root.path());
    set_modes(root.path(), 0o755, 0o644);
    assert_eq!(readings.len(), 2);
    assert_eq!(before.len(), 5);
    assert!(before == after, "the source has changed");
}

fn read_everything(root: &Path) -> Vec<Reading> {
    let classify = |path: &RelPath| {
        if path.directory() == Some("users") {
            Class::ByShape { object: member(path), otherwise: member(path) }
        } else {
            Class::NotMigrated { layout: "other" }
        }
    };
    let meaning = Meaning { classify: &classify, phase_of_directory: &|_| Phase::Rest };
    let mut walker = Walker::new(WalkOptions::new(root, false)).unwrap();
    let mut readings = Vec::new();
    let mut each = |found| {
        if let Found::Document(document) = found {
            let reading = read(root, &document, &options()).unwrap();
            if reading.files[0].content == FileContent::Large {
                open_stream(root, &document, &reading, 0, &options()).unwrap().finish().unwrap();
            }
            readings.push(reading);
        }
        ControlFlow::Continue(())
    };
    walker.walk(&meaning, Phase::Rest, &mut each).unwrap();
    readings
}

fn member(path: &RelPath) -> Membership {
    Membership { kind: &USER, key: path.to_text(), role: FileRole("user") }
}
