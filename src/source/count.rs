//! Looks at the whole source that need no order and hold nothing: how much there is, whether there is
//! enough, whether there is anything.

use std::path::Path;

use walkdir::{DirEntry, WalkDir};

use crate::model::RelPath;

use super::walk::{WalkError, WalkOptions, Walker};

/// Up to so many files, each is asked for its size.
const MEASURED: u64 = 4096;
/// Of those after them, every so-manieth is, and stands for the others: asking costs as much as
/// opening, and who waits for a million files can do with an estimate.
const SAMPLE: u64 = 16;

/// How much there is, for the total of a progress bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// As many as the phases of a walk give together, as long as nothing changes.
    pub files: u64,
    /// An estimate where there are many files.
    pub bytes: u64,
}

/// Counts files and bytes; `None` if `stopped` said so before the end.
pub fn count(options: &WalkOptions, stopped: &dyn Fn() -> bool) -> Result<Option<Count>, WalkError> {
    let root = Walker::new(options.clone())?.root;
    let mut count = Count::default();
    for item in everything(&root, options) {
        if stopped() {
            return Ok(None);
        }
        match item {
            Ok(item) if item.file_type().is_dir() => {}
            Ok(item) => {
                count.files += 1;
                let weight = if count.files <= MEASURED { 1 } else { SAMPLE };
                if item.file_type().is_file() && count.files % weight == 0 {
                    count.bytes += item.metadata().map_or(0, |metadata| metadata.len()) * weight;
                }
            }
            // A loop, a directory that cannot be listed: the walk gives each as one file, too.
            Err(_) => count.files += 1,
        }
    }
    Ok(Some(count))
}

/// Whether there are so many files, or so many bytes; looks no further than it must. Names are counted
/// first: to ask each file for its size takes several times as long.
pub fn has_at_least(options: &WalkOptions, files: u64, bytes: u64) -> Result<bool, WalkError> {
    let root = Walker::new(options.clone())?.root;
    let found = || everything(&root, options).flatten().filter(|item| item.file_type().is_file());
    let many = usize::try_from(files).unwrap_or(usize::MAX);
    if found().take(many).count() == many {
        return Ok(true);
    }
    let mut seen = 0;
    Ok(found().any(|item| {
        seen += item.metadata().map_or(0, |metadata| metadata.len());
        seen >= bytes
    }))
}

/// Whether there is a file that `is_wanted`, as far as can be seen without looking closely: what cannot be
/// listed is passed over.
pub fn has_file(options: &WalkOptions, is_wanted: impl Fn(&RelPath) -> bool) -> Result<bool, WalkError> {
    let root = Walker::new(options.clone())?.root;
    let path = |item: DirEntry| item.path().strip_prefix(&root).ok().map(RelPath::new);
    let files = everything(&root, options).flatten().filter(|item| item.file_type().is_file());
    let found = files.filter_map(path).any(|path| is_wanted(&path));
    Ok(found)
}

fn everything(root: &Path, options: &WalkOptions) -> walkdir::IntoIter {
    WalkDir::new(root).min_depth(1).follow_links(options.follow_links).into_iter()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tree() -> (tempfile::TempDir, WalkOptions) {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        fs::create_dir_all(root.path().join("a/b")).expect("a directory can be made");
        for (path, size) in [("1", 10), ("a/2", 20), ("a/b/3", 30)] {
            fs::write(root.path().join(path), vec![b' '; size]).expect("a file can be written");
        }
        let options = WalkOptions::new(root.path(), false);
        (root, options)
    }

    #[test]
    fn enough_is_so_many_files_or_so_many_bytes() {
        let (_root, options) = tree();
        let has = |files, bytes| has_at_least(&options, files, bytes).expect("it can be listed");
        assert!(has(3, 1000) && has(100, 60) && has(100, 1));
        assert!(!has(4, 61));
        assert_eq!(count(&options, &|| false).expect("it can be listed"), Some(Count { files: 3, bytes: 60 }));
    }

    #[test]
    fn a_file_is_known_by_its_path_below_the_source() {
        let (_root, options) = tree();
        let has = |wanted: &str| has_file(&options, |path| path.to_text() == wanted).expect("it can be listed");
        assert!(has("1") && has("a/b/3"));
        assert!(!has("3") && !has("a") && !has("a/b"));
    }
}
