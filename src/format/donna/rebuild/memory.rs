//! Layouts 5 and 6: `memory/<user>.json`: types with entries, flat members, or both.

use std::collections::HashSet;

use crate::format::proof::{Held, HeldRow, Piece, RebuildError, TakePiece};
use crate::model::{ids, Row, Value};
use crate::node::{Node, Text};

use super::layout::{Gives, Shape, ENTRY};
use super::memory_file::{flat_type, File};
use super::object::from_column;
use super::parts::{used_up, Part, Parts, Place, Said};
use super::respell::Fit;
use super::{column, edited, object, roles};

/// Columns of `user_memory`.
const TYPE: usize = 2;
const KEY: usize = 3;
const VALUE: usize = 4;

pub fn rebuild(held: &Held, parts: &mut Parts, take: &mut TakePiece) -> Result<(), RebuildError> {
    let mut part = parts.first(&ENTRY)?;
    let place = part.place;
    if held.files.len() != 1 {
        return Err(place.bad("a memory file is one file"));
    }
    let outline = part.about.take("members").map(|items| outline(items, place)).transpose()?;
    for file in part.about.take_marks(&roles(held))? {
        take(Piece::Mark { file })?;
    }
    let (mut known, mut added) = (Vec::new(), Vec::new());
    let mut shapes = Vec::new();
    loop {
        part.about.finish()?;
        if part.rows.is_empty() && part.place.part > 0 {
            return Err(part.place.bad("a part without rows"));
        }
        let Part { place, added: is_added, shapes: of_part, rows, .. } = part;
        let list = if is_added { &mut added } else { &mut known };
        list.extend(rows.into_iter().map(|(row, said)| Entry::of(row, said, shapes.len(), is_added, place)));
        shapes.push(of_part);
        match parts.next(&ENTRY)? {
            Some(next) => part = next,
            None => break,
        }
    }
    let rows = Rows { held, shapes: &shapes };
    let mut file = File::default();
    let was_map = match outline {
        None => {
            for entry in known {
                rows.put(entry, &mut file)?;
            }
            false
        }
        Some(items) => {
            let moved = rows.follow(&items, known, &mut file, place)?;
            moved.into_iter().try_for_each(|entry| rows.put(entry, &mut file))?;
            items.is_empty()
        }
    };
    added.into_iter().try_for_each(|entry| rows.put(entry, &mut file))?;
    Ok(take(Piece::Whole { file: 0, value: file.finish(was_map) })?)
}

/// A member of the file, as the residue's outline has it.
enum Item {
    Typed(Text),
    /// Written as a list.
    Listed(Text),
    /// Without entries.
    Empty(Text),
    Flat(Text),
}

fn outline(items: Node, place: Place) -> Result<Vec<Item>, RebuildError> {
    let Node::List(items) = items else { return Err(place.bad("`members` is no list")) };
    let read = |item: Node| match item {
        Node::Text(name) => Some(Item::Typed(name)),
        Node::List(name) => match <[Node; 1]>::try_from(name) {
            Ok([Node::Text(name)]) => Some(Item::Flat(name)),
            _ => None,
        },
        Node::Map(written) => match <[(Text, Node); 1]>::try_from(written) {
            Ok([(name, Node::List(list))]) if list.is_empty() => Some(Item::Listed(name)),
            Ok([(name, Node::Map(map))]) if map.is_empty() => Some(Item::Empty(name)),
            _ => None,
        },
        _ => None,
    };
    let items = items.into_iter().map(read).collect::<Option<Vec<Item>>>();
    let items = items.ok_or_else(|| place.bad("`members` has an item of no meaning"))?;
    let names: HashSet<&str> = items.iter().map(Item::name).collect();
    match names.len() == items.len() {
        true => Ok(items),
        false => Err(place.bad("`members` has one name twice")),
    }
}

impl Item {
    fn name(&self) -> &str {
        match self {
            Item::Typed(name) | Item::Listed(name) | Item::Empty(name) | Item::Flat(name) => name,
        }
    }
}

/// A row with what the residue says about it.
struct Entry<'a> {
    row: HeldRow<'a>,
    said: Said,
    /// Whose shapes it has.
    part: usize,
    added: bool,
    place: Place,
    kind: String,
    key: String,
}

impl<'a> Entry<'a> {
    fn of(row: HeldRow<'a>, said: Said, part: usize, added: bool, place: Place) -> Entry<'a> {
        let text = |at: usize| match row.row.as_ref().and_then(|row| row.0.get(at)) {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let (kind, key) = (text(TYPE), text(KEY));
        Entry { place: place.of(row.id), row, said, part, added, kind, key }
    }

    fn is_missing(&self) -> bool {
        self.row.row.is_none()
    }
}

struct Rows<'a> {
    held: &'a Held,
    shapes: &'a [Vec<Shape>],
}

impl Rows<'_> {
    /// Gives the known rows to the outline's members, in the order of both; returns the rows that
    /// somebody gave another type or key.
    fn follow<'e>(
        &self,
        items: &[Item],
        known: Vec<Entry<'e>>,
        file: &mut File,
        place: Place,
    ) -> Result<Vec<Entry<'e>>, RebuildError> {
        let is_flat = |item: &Item| matches!(item, Item::Flat(_));
        let flat: HashSet<&str> = items.iter().filter(|item| is_flat(item)).map(Item::name).collect();
        let is_flat = |entry: &Entry| flat.contains(entry.key.as_str()) && flat_type(&entry.key) == entry.kind;
        let mut moved = Vec::new();
        let (mut missing, mut lacking) = (0usize, 0usize);
        let mut rows = known.into_iter().peekable();
        for item in items {
            let name = item.name();
            let fits = |entry: &Entry| match item {
                Item::Flat(_) => entry.key == name && is_flat(entry),
                Item::Empty(_) => false,
                _ => entry.kind == name && !is_flat(entry),
            };
            let mut entries = Vec::new();
            while let Some(entry) = rows.peek() {
                let is_full = matches!(item, Item::Flat(_)) && !entries.is_empty();
                if entry.is_missing() {
                    missing += 1;
                    rows.next();
                } else if !is_full && fits(entry) {
                    entries.extend(rows.next());
                } else if self.has_moved(entry) {
                    moved.extend(rows.next());
                } else {
                    break;
                }
            }
            match item {
                Item::Empty(_) => file.typed(name),
                Item::Listed(_) => {
                    file.typed(name);
                    let in_order = entries.iter().enumerate().all(|(at, entry)| entry.key == at.to_string());
                    if !in_order && missing == 0 && moved.is_empty() {
                        return Err(place.bad("a list whose keys are no positions"));
                    }
                    entries.into_iter().try_for_each(|entry| self.put(entry, file))?;
                    file.list(name);
                }
                Item::Typed(_) if !entries.is_empty() => {
                    entries.into_iter().try_for_each(|entry| self.put(entry, file))?;
                }
                Item::Flat(_) if !entries.is_empty() => {
                    entries.into_iter().try_for_each(|entry| self.flat(entry, file))?;
                }
                Item::Typed(_) | Item::Flat(_) => lacking += 1,
            }
        }
        if let Some(entry) = rows.find(|entry| !entry.is_missing()) {
            return Err(entry.place.bad("a row of no member"));
        }
        match lacking <= missing + moved.len() {
            true => Ok(moved),
            false => Err(place.bad("a member of no row")),
        }
    }

    /// Whether type or key of an edited row are others than those that its id was derived from.
    fn has_moved(&self, entry: &Entry) -> bool {
        entry.row.edited && entry.row.id != ids::derive(&["user_memory", &self.held.key, &entry.kind, &entry.key])
    }

    /// An entry under its type and key.
    fn put(&self, entry: Entry, file: &mut File) -> Result<(), RebuildError> {
        let Entry { row, said, part, added, place, kind, key } = entry;
        let Some(data) = row.row else { return Ok(()) };
        let shape = &self.shapes[part][said.shape];
        let value = if row.edited || added {
            let absent = |name: &str| match name {
                "created_at" => Value::Time(self.held.base_time),
                _ => Value::Null,
            };
            edited::object(&ENTRY, shape, said, &data, None, &absent, place)?
        } else {
            object::object(shape, said, &data, None, place)?
        };
        file.put(kind.into(), key.into(), value);
        Ok(())
    }

    /// A member that is the value itself.
    fn flat(&self, entry: Entry, file: &mut File) -> Result<(), RebuildError> {
        let Entry { row, mut said, place, key, .. } = entry;
        let Some(data) = row.row else { return Ok(()) };
        let how = said.respelled.take("value");
        used_up(&said, place)?;
        let fit = if row.edited { Fit::Loose } else { Fit::Exact };
        let give = |row: &Row, how| from_column(&column(row, VALUE), Gives::Any, how, fit);
        let value = give(&data, how).map_err(|why| place.bad(why))?;
        let typed = Rows::standard_entry(&data, &value, place)?;
        file.flat(key.into(), value, typed);
        Ok(())
    }

    /// What a flat value is as an entry, should its type need the name.
    fn standard_entry(row: &Row, value: &Node, place: Place) -> Result<Node, RebuildError> {
        let mut members = vec![("value".into(), value.clone())];
        for member in &ENTRY.members[1..] {
            let at = ENTRY.table.column(member.column).unwrap_or_default();
            let time = from_column(&column(row, at), member.gives, None, Fit::Loose).map_err(|why| place.bad(why))?;
            members.push((member.name.into(), time));
        }
        Ok(Node::Map(members))
    }
}
