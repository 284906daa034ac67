//! Changes to a tree as an application makes them, always the same ones.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{json, Value};

/// Every so manieth file changes: 5%.
const EVERY: usize = 20;

/// Edits every twentieth file in path order: messages are edited, added and removed, users renamed
/// and given other clerk ids, files removed and added. Returns how many changed.
pub fn edit(tree: &Path) -> usize {
    let files: Vec<PathBuf> = walkdir::WalkDir::new(tree)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.expect("the tree can be read"))
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        // Some of the damage is that a file cannot be read.
        .filter(|path| File::open(path).is_ok())
        .collect();
    let chosen: Vec<&PathBuf> = files.iter().step_by(EVERY).collect();
    for (number, path) in chosen.iter().enumerate() {
        edit_file(path, number);
    }
    chosen.len()
}

fn edit_file(path: &Path, number: usize) {
    let bytes = fs::read(path).expect("the file can be read");
    let modified = fs::metadata(path).and_then(|found| found.modified()).expect("the file is there");
    // What was broken is mended: a reject becomes a document.
    let mut content: Value = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!([]));
    match &mut content {
        Value::Array(messages) => edit_list(messages, number),
        Value::Object(map) if number % 7 == 3 && path.parent().is_some_and(|parent| parent.ends_with("memory")) => {
            map.clear();
        }
        Value::Object(map) => {
            map.insert("name".into(), json!(format!("somebody else {number}")));
            if map.contains_key("clerk_id") {
                map.insert("clerk_id".into(), json!(format!("clerk_changed_{number}")));
            }
        }
        _ => {}
    }
    if number % 11 == 5 {
        fs::remove_file(path).expect("the file can be removed");
        return;
    }
    write(path, &content, modified);
    if number % 11 == 7 {
        let beside = path.with_file_name(format!("added_{number}.json"));
        write(&beside, &content, modified);
    }
}

fn edit_list(messages: &mut Vec<Value>, number: usize) {
    match number % 4 {
        0 => messages.push(json!({"role": "user", "content": format!("one more, {number}")})),
        1 => {
            messages.pop();
        }
        2 => messages.rotate_left(1),
        _ => {
            if let Some(Value::Object(message)) = messages.first_mut() {
                message.insert("content".into(), json!(format!("edited, {number}")));
            }
        }
    }
}

/// The time is fixed: what is derived from it must not depend on when the test runs.
fn write(path: &Path, content: &Value, modified: SystemTime) {
    fs::write(path, content.to_string()).expect("the file can be written");
    let later = modified + Duration::from_secs(3_600);
    File::options().append(true).open(path).and_then(|file| file.set_modified(later)).expect("the file is ours");
}
