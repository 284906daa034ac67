//! Any number of records in the order of their ids, within bounded memory.
//!
//! What does not fit is sorted and put into a temporary file, run after run, and the runs are merged
//! at the end. The file has no name, is readable by nobody else and goes with the process, however
//! that ends.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};

use uuid::Uuid;

/// In the order of their ids; the rest only makes that order a definite one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    pub id: Uuid,
    pub hash: [u8; 32],
    pub kind: u8,
}

/// A record's bytes in the file.
const WIDTH: usize = 49;
/// Records of a run that are read at a time.
const READ: u64 = 512;

impl Record {
    fn to_bytes(self) -> [u8; WIDTH] {
        let mut bytes = [0; WIDTH];
        bytes[..16].copy_from_slice(self.id.as_bytes());
        bytes[16..48].copy_from_slice(&self.hash);
        bytes[48] = self.kind;
        bytes
    }

    fn from_bytes(bytes: &[u8; WIDTH]) -> Record {
        let (id, rest) = bytes.split_first_chunk().expect("a record has 49 bytes");
        let (hash, kind) = rest.split_first_chunk().expect("a record has 49 bytes");
        Record { id: Uuid::from_bytes(*id), hash: *hash, kind: kind[0] }
    }
}

pub struct Sorted {
    limit: usize,
    held: Vec<Record>,
    spilled: Option<Spilled>,
}

struct Spilled {
    file: File,
    /// Where each run begins and ends, in records.
    runs: Vec<(u64, u64)>,
}

impl Sorted {
    /// `limit`: the records that are held in memory.
    pub fn new(limit: usize) -> Sorted {
        Sorted { limit: limit.max(1), held: Vec::new(), spilled: None }
    }

    pub fn push(&mut self, record: Record) -> io::Result<()> {
        if self.held.len() >= self.limit {
            self.spill()?;
        }
        self.held.push(record);
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        self.held.sort_unstable();
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            None => self.spilled.insert(Spilled { file: nameless()?, runs: Vec::new() }),
        };
        let start = spilled.runs.last().map_or(0, |(_, end)| *end);
        spilled.runs.push((start, start + self.held.len() as u64));
        // Nothing else writes or seeks, so a run begins where the one before ended.
        let mut out = BufWriter::new(&spilled.file);
        for record in self.held.drain(..) {
            out.write_all(&record.to_bytes())?;
        }
        out.flush()
    }

    /// Gives all records in their order.
    pub fn each(mut self, each: &mut dyn FnMut(Record)) -> io::Result<()> {
        if self.spilled.is_some() {
            self.spill()?;
        }
        match self.spilled {
            None => {
                self.held.sort_unstable();
                self.held.into_iter().for_each(each);
                Ok(())
            }
            Some(spilled) => spilled.merge(each),
        }
    }
}

impl Spilled {
    fn merge(self, each: &mut dyn FnMut(Record)) -> io::Result<()> {
        let mut runs: Vec<Run> =
            self.runs.iter().map(|(start, end)| Run { next: *start, end: *end, read: Vec::new() }).collect();
        let mut firsts = BinaryHeap::with_capacity(runs.len());
        for (at, run) in runs.iter_mut().enumerate() {
            firsts.extend(run.next(&self.file)?.map(|record| Reverse((record, at))));
        }
        while let Some(Reverse((record, at))) = firsts.pop() {
            each(record);
            firsts.extend(runs[at].next(&self.file)?.map(|record| Reverse((record, at))));
        }
        Ok(())
    }
}

/// A file without a name. Its mode follows the umask, until it is set.
fn nameless() -> io::Result<File> {
    let file = tempfile::tempfile()?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// A run that is being read.
struct Run {
    /// The first record that was not read yet.
    next: u64,
    end: u64,
    /// Records that were read, the last one first.
    read: Vec<Record>,
}

impl Run {
    fn next(&mut self, file: &File) -> io::Result<Option<Record>> {
        if self.read.is_empty() {
            let count = READ.min(self.end - self.next);
            let mut bytes = vec![0; count as usize * WIDTH];
            file.read_exact_at(&mut bytes, self.next * WIDTH as u64)?;
            let (records, _) = bytes.as_chunks::<WIDTH>();
            self.read.extend(records.iter().rev().map(Record::from_bytes));
            self.next += count;
        }
        Ok(self.read.pop())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_record_is_the_same_from_the_file() {
        let record = Record { id: Uuid::from_u128(7), hash: [9; 32], kind: 3 };
        assert_eq!(Record::from_bytes(&record.to_bytes()), record);
    }

    #[test]
    fn runs_are_merged_in_the_order_of_ids() {
        for (limit, count) in [(1, 5), (3, 3), (3, 4), (700, 5_000), (5_000, 5_000)] {
            let mut sorted = Sorted::new(limit);
            let id = |number: u128| Uuid::from_u128((number * 7_919) % 5_003);
            for number in 0..count {
                sorted
                    .push(Record { id: id(number), hash: [number as u8; 32], kind: 0 })
                    .expect("a file can be written");
                assert!(sorted.held.len() <= limit);
            }
            let mut seen = Vec::new();
            sorted.each(&mut |record| seen.push(record)).expect("a file can be read");
            assert_eq!(seen.len(), count as usize);
            assert!(seen.is_sorted());
        }
    }

    #[test]
    fn nobody_else_reads_the_file_and_it_has_no_name() {
        let mut sorted = Sorted::new(1);
        for number in 0..3 {
            sorted.push(Record { id: Uuid::from_u128(number), hash: [0; 32], kind: 0 }).expect("a file can be written");
        }
        let metadata = sorted.spilled.expect("there is a file").file.metadata().expect("it can be looked at");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(metadata.nlink(), 0);
        assert_eq!(metadata.len(), 2 * WIDTH as u64);
    }
}
