//! An application that writes to both stores, one side of a change after the other, and that makes
//! mistakes when it is told to.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::records::{Change, Chat, Entry, Half, Message, User};
use crate::store::{put, Store};
use crate::support::chance::Chance;

/// A mistake of the application's: one side only, or another value.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    RowContent,
    RowGone,
    RowMore,
    FileContent,
    MessageInFileOnly,
    Title,
    Email,
    EntryValue,
    EntryGone,
    ChatInFilesOnly,
    ChatInDatabaseOnly,
}

pub const FAULTS: [Fault; 11] = [
    Fault::RowContent,
    Fault::MessageInFileOnly,
    Fault::EntryValue,
    Fault::RowGone,
    Fault::ChatInFilesOnly,
    Fault::Email,
    Fault::RowMore,
    Fault::Title,
    Fault::FileContent,
    Fault::ChatInDatabaseOnly,
    Fault::EntryGone,
];

/// A fault that was made.
#[derive(Clone, Debug)]
pub struct Planted {
    pub fault: Fault,
    pub document: Uuid,
    /// The row that is told, where that is known.
    pub row: Option<Uuid>,
    /// Whether the document went on being written.
    pub busy: bool,
    pub at: Instant,
}

/// What all writers share.
pub struct Shared {
    pub root: PathBuf,
    pub url: String,
    pub stop: AtomicBool,
    pub changes: AtomicU64,
    pub planted: Mutex<Vec<Planted>>,
    /// The longest pause between the two sides of a change.
    pub gap: Duration,
    /// Between two changes of one writer.
    pub every: Duration,
}

pub enum Record {
    Chat(Chat),
    User(User),
}

struct Slot {
    record: Record,
    /// A side of a change is still to be written.
    is_pending: bool,
    /// Nobody writes it any more.
    is_frozen: bool,
    /// A fault is in it.
    is_spoiled: bool,
    /// It was made on both sides after the migration, and may be removed again.
    is_new: bool,
}

struct Pending {
    due: Instant,
    slot: usize,
    half: Half,
}

/// One of the application's threads, with documents of its own.
pub struct Writer<'a> {
    shared: &'a Shared,
    store: Store,
    slots: Vec<Slot>,
    pending: Vec<Pending>,
    chance: Chance,
    /// Users that stay, for new chats.
    owners: Vec<(String, Uuid)>,
    number: u64,
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs() as i64
}

impl<'a> Writer<'a> {
    pub fn new(
        shared: &'a Shared,
        records: Vec<Record>,
        owners: Vec<(String, Uuid)>,
        seed: u64,
        number: u64,
    ) -> Writer<'a> {
        let slot = |record| Slot { record, is_pending: false, is_frozen: false, is_spoiled: false, is_new: false };
        let slots = records.into_iter().map(slot).collect();
        let store = Store::open(&shared.url);
        Writer { shared, store, slots, pending: Vec::new(), chance: Chance::from(seed), owners, number: number << 32 }
    }

    /// Writes until it is told to stop, and then what is still to be written.
    pub fn run(mut self, faults: &Receiver<(Fault, bool)>) {
        let mut next = Instant::now();
        let mut asked: Option<(Fault, bool)> = None;
        while !self.shared.stop.load(Ordering::Relaxed) {
            self.write_due(Instant::now());
            asked = asked.or_else(|| faults.try_recv().ok());
            asked = asked.filter(|(fault, busy)| !self.plant(*fault, *busy));
            if Instant::now() >= next {
                next += self.shared.every;
                self.change();
            }
            sleep(Duration::from_millis(1));
        }
        self.write_due(Instant::now() + self.shared.gap * 2);
    }

    fn write_due(&mut self, until: Instant) {
        while let Some(at) = self.pending.iter().position(|pending| pending.due <= until) {
            let Pending { slot, half, .. } = self.pending.remove(at);
            self.write(half);
            self.slots[slot].is_pending = false;
        }
    }

    fn write(&mut self, half: Half) {
        match half {
            Half::Files(files) => {
                files.iter().for_each(|(path, content)| put(&self.shared.root, path, content.as_deref()));
            }
            Half::Rows(statements) => self.store.write(&statements),
        }
    }

    /// Writes one side now, and the other one a moment later.
    fn begin(&mut self, slot: usize, change: Change) {
        let (first, second) = match self.chance.below(2) {
            0 => (change.files, change.rows),
            _ => (change.rows, change.files),
        };
        self.write(first);
        self.shared.changes.fetch_add(1, Ordering::Relaxed);
        let gap = match self.chance.below(3) {
            0 => Duration::ZERO,
            _ => self.shared.gap.mul_f64(self.chance.fraction()),
        };
        self.slots[slot].is_pending = true;
        self.pending.push(Pending { due: Instant::now() + gap, slot, half: second });
    }

    /// Changes some document. A few are changed most of the time.
    fn change(&mut self) {
        if self.chance.below(20) == 0 {
            return self.make();
        }
        let few = (self.slots.len() as u64 / 8).max(1);
        let limit = if self.chance.below(3) > 0 { few } else { self.slots.len() as u64 };
        let at = self.chance.below(limit) as usize;
        let slot = &self.slots[at];
        if slot.is_pending || slot.is_frozen {
            return;
        }
        let (time, kind, number) = (now(), self.chance.below(10), self.next_number());
        let slot = &mut self.slots[at];
        if slot.is_new && !slot.is_spoiled && kind == 0 {
            slot.is_frozen = true;
            let change = match &slot.record {
                Record::Chat(chat) => chat.removed(),
                Record::User(user) => user.removed(),
            };
            return self.begin(at, change);
        }
        let change = match &mut slot.record {
            // Faults stay what they are.
            Record::Chat(chat) if kind < 2 && !slot.is_spoiled => chat.retitle(format!("Titel № {number}"), time),
            Record::Chat(chat) => chat.append(message(number, time)),
            Record::User(user) if kind < 5 => {
                let key = if slot.is_spoiled { 100 } else { number % 7 };
                user.remember(format!("key {key}"), format!("value {number}"), time)
            }
            Record::User(user) if kind == 5 && !slot.is_spoiled => match user.forget() {
                Some(change) => change,
                None => return,
            },
            Record::User(user) => user.touch(time),
        };
        self.begin(at, change);
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// A new document on both sides.
    fn make(&mut self) {
        let record = self.new_record(self.number.is_multiple_of(3));
        let change = match &record {
            Record::Chat(chat) => chat.made(),
            Record::User(user) => user.made(),
        };
        self.slots.push(Slot { record, is_pending: false, is_frozen: false, is_spoiled: false, is_new: true });
        self.begin(self.slots.len() - 1, change);
    }

    fn new_record(&mut self, is_user: bool) -> Record {
        let (number, time) = (self.next_number(), now());
        if is_user {
            let id = Uuid::new_v4();
            // Where it is to be found by both sides: by its id, or by its clerk id.
            let (legacy, clerk) = match number % 2 {
                0 => (id.to_string(), None),
                _ => (format!("new_{number}"), Some(format!("clerk_new_{number}"))),
            };
            let entry = Entry { key: "color".into(), id: Uuid::new_v4(), value: "blue".into(), time };
            let email = format!("{number}@example.com");
            return Record::User(User { legacy, id, clerk, email, created: time, updated: time, entries: vec![entry] });
        }
        let owner = self.owners[self.chance.below(self.owners.len() as u64) as usize].clone();
        Record::Chat(Chat {
            key: format!("new_{number}"),
            id: Uuid::new_v4(),
            owner: (number % 4 > 0).then_some(owner),
            title: format!("New {number}"),
            retitled: false,
            created: time,
            updated: time,
            messages: (0..3).map(|at| message(number * 10 + at, time)).collect(),
        })
    }

    /// Makes a mistake in some document that has none; `false` if there is none at the moment.
    fn plant(&mut self, fault: Fault, busy: bool) -> bool {
        if let Fault::ChatInFilesOnly | Fault::ChatInDatabaseOnly = fault {
            let record = self.new_record(false);
            let Record::Chat(chat) = &record else { unreachable!("a chat was asked for") };
            let (document, change) = (chat.document(), chat.made());
            let half = if matches!(fault, Fault::ChatInFilesOnly) { change.files } else { change.rows };
            self.slots.push(Slot { record, is_pending: false, is_frozen: true, is_spoiled: true, is_new: true });
            self.write(half);
            self.note(Planted { fault, document, row: None, busy: false, at: Instant::now() });
            return true;
        }
        let few = (self.slots.len() / 8).max(1);
        let is_user = matches!(fault, Fault::Email | Fault::EntryValue | Fault::EntryGone);
        let fits = |(at, slot): &(usize, &Slot)| {
            let of_kind = match &slot.record {
                Record::Chat(chat) => !is_user && chat.messages.len() >= 3,
                Record::User(user) => is_user && !user.entries.is_empty(),
            };
            of_kind && (*at < few) == busy && !slot.is_pending && !slot.is_frozen && !slot.is_spoiled
        };
        let found: Vec<usize> = self.slots.iter().enumerate().filter(fits).map(|(at, _)| at).collect();
        if found.is_empty() {
            return false;
        }
        let at = found[self.chance.below(found.len() as u64) as usize];
        let number = self.next_number();
        self.slots[at].is_spoiled = true;
        self.slots[at].is_frozen = !busy;
        let (half, document, row) = spoil(&mut self.slots[at].record, fault, number);
        // Of a row that is gone, and that transload never wrote, nobody knows the id any more.
        let is_unknown = self.slots[at].is_new && matches!(fault, Fault::RowGone | Fault::EntryGone);
        let row = row.filter(|_| !is_unknown);
        self.write(half);
        self.note(Planted { fault, document, row, busy, at: Instant::now() });
        true
    }

    fn note(&self, planted: Planted) {
        self.shared.planted.lock().expect("nobody panicked").push(planted);
    }
}

fn message(number: u64, time: i64) -> Message {
    Message {
        legacy: format!("live_{number}"),
        id: Uuid::new_v4(),
        role: ["user", "assistant"][(number % 2) as usize],
        content: format!("No. {number}: größer/schöner\n✓"),
        time,
    }
}

/// What one side gets that the other one does not.
fn spoil(record: &mut Record, fault: Fault, number: u64) -> (Half, Uuid, Option<Uuid>) {
    match record {
        Record::Chat(chat) => {
            let (document, first) = (chat.document(), chat.messages[0].id);
            let half = |sql: String| Half::Rows(vec![sql]);
            match fault {
                Fault::RowContent => {
                    let sql = format!("UPDATE messages SET content = content || '.' WHERE id = '{first}'");
                    (half(sql), document, Some(first))
                }
                Fault::RowGone => (half(format!("DELETE FROM messages WHERE id = '{first}'")), document, Some(first)),
                Fault::RowMore => {
                    let more = message(number, chat.updated);
                    (half(chat.message_row(9_998, &more)), document, Some(more.id))
                }
                Fault::FileContent => {
                    chat.messages[0].content.push('.');
                    (Half::Files(chat.files()), document, Some(first))
                }
                Fault::MessageInFileOnly => {
                    let change = chat.append(message(number, chat.updated));
                    (change.files, document, None)
                }
                _ => {
                    let sql = format!("UPDATE chat_sessions SET title = 'x' WHERE id = '{}'", chat.id);
                    (half(sql), document, Some(chat.id))
                }
            }
        }
        Record::User(user) => {
            let entry = user.entries[0].id;
            let (sql, document, row) = match fault {
                Fault::Email => {
                    let sql = format!("UPDATE users SET email = 'x' WHERE id = '{}'", user.id);
                    (sql, user.document(), user.id)
                }
                Fault::EntryValue => {
                    let sql = format!("UPDATE user_memory SET value = '\"x\"' WHERE id = '{entry}'");
                    (sql, user.memory_document(), entry)
                }
                _ => (format!("DELETE FROM user_memory WHERE id = '{entry}'"), user.memory_document(), entry),
            };
            (Half::Rows(vec![sql]), document, Some(row))
        }
    }
}
