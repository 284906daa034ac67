//! A document's parts as they come, each with its residue read: who said what about which row.
//!
//! The residue may be anybody's text. What is not exactly of the form that `docs/residue.md` gives
//! is [`BadResidue`], with the part and the row.

use uuid::Uuid;

use crate::format::proof::{BadResidue, HeldPart, HeldRow, NextPart, RebuildError};
use crate::model::FileRole;
use crate::node::{self, Node, Text};

use super::layout::{Layout, Shape};

/// Gives the parts of a document, in their order.
pub struct Parts<'a, 'n> {
    next: &'a mut NextPart<'n>,
    /// How many were given.
    count: usize,
}

/// One part with its residue.
pub struct Part<'n> {
    pub place: Place,
    pub about: About,
    /// Whether the residue says anything of the rows.
    pub says_rows: bool,
    pub added: bool,
    pub shapes: Vec<Shape>,
    pub rows: Vec<(HeldRow<'n>, Said)>,
}

/// What the residue says about one row.
#[derive(Debug, Default)]
pub struct Said {
    /// Index into the part's shapes.
    pub shape: usize,
    pub id: Option<Node>,
    pub line: Option<u64>,
    /// `x`
    pub kept: Named,
    /// `j`
    pub respelled: Named,
}

/// Values by name, each to be taken once. They mostly come in the order in which they are asked
/// for, so looking for one does not take longer the more there are.
#[derive(Debug, Default)]
pub struct Named {
    values: Vec<Option<(Text, Node)>>,
    next: usize,
    left: usize,
}

impl Named {
    fn of(values: Vec<(Text, Node)>) -> Named {
        Named { left: values.len(), values: values.into_iter().map(Some).collect(), next: 0 }
    }

    pub fn get(&self, name: &str) -> Option<&Node> {
        self.values.iter().flatten().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub fn take(&mut self, name: &str) -> Option<Node> {
        if self.left == 0 {
            return None;
        }
        let is_it = |slot: &Option<(Text, Node)>| slot.as_ref().is_some_and(|(known, _)| known == name);
        let at = match self.values.get(self.next).is_some_and(is_it) {
            true => self.next,
            false => self.values.iter().position(is_it)?,
        };
        self.next = self.next.max(at + 1);
        self.left -= 1;
        self.values[at].take().map(|(_, value)| value)
    }

    pub fn is_empty(&self) -> bool {
        self.left == 0
    }
}

/// Where in a document something is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub part: usize,
    pub row: Option<Uuid>,
}

impl Place {
    pub fn bad(self, detail: impl Into<String>) -> RebuildError {
        BadResidue { part: self.part, row: self.row, detail: detail.into() }.into()
    }

    pub fn of(self, row: Uuid) -> Place {
        Place { row: Some(row), ..self }
    }
}

impl<'a, 'n> Parts<'a, 'n> {
    pub fn new(next: &'a mut NextPart<'n>) -> Parts<'a, 'n> {
        Parts { next, count: 0 }
    }

    /// The next part, which must be of the layout's table; `None` after the last.
    pub fn next(&mut self, layout: &Layout) -> Result<Option<Part<'n>>, RebuildError> {
        let Some(held) = (self.next)()? else { return Ok(None) };
        let place = Place { part: self.count, row: None };
        self.count += 1;
        read(held, place, layout).map(Some)
    }

    /// As [`Parts::next`], for the first part: every document has one.
    pub fn first(&mut self, layout: &Layout) -> Result<Part<'n>, RebuildError> {
        self.next(layout)?.ok_or_else(|| Place { part: 0, row: None }.bad("the document has no part"))
    }

    /// That there is nothing more.
    pub fn end(&mut self) -> Result<(), RebuildError> {
        match (self.next)()? {
            None => Ok(()),
            Some(_) => Err(Place { part: self.count, row: None }.bad("a part too many")),
        }
    }
}

fn read<'n>(held: HeldPart<'n>, place: Place, layout: &Layout) -> Result<Part<'n>, RebuildError> {
    if *held.table != *layout.table {
        return Err(place.bad(format!("rows of `{}` where those of `{}` are due", held.table.name, layout.table.name)));
    }
    let data = match &held.residue {
        None => Vec::new(),
        Some(text) => match node::parse(text.as_bytes()) {
            Ok((Node::Map(members), false)) => members,
            _ => return Err(place.bad("the residue is no JSON object")),
        },
    };
    let (mut about, mut shapes, mut entries) = (None, None, None);
    for (name, value) in data {
        let slot = match name.as_str() {
            "document" => &mut about,
            "shapes" => &mut shapes,
            "rows" => &mut entries,
            _ => return Err(place.bad("the residue has a member of no meaning")),
        };
        if slot.replace(value).is_some() {
            return Err(place.bad(format!("the residue says `{name}` twice")));
        }
    }
    let says_rows = shapes.is_some() || entries.is_some();
    let mut shapes = read_shapes(shapes, place, layout)?;
    let rows = match entries {
        None => held.rows.into_iter().map(|row| (row, Said::default())).collect::<Vec<_>>(),
        Some(Node::List(entries)) if entries.len() == held.rows.len() => {
            let pairs = held.rows.into_iter().zip(entries);
            pairs.map(|(row, entry)| said(entry, place.of(row.id)).map(|said| (row, said))).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(place.bad("the residue's rows are not as many as the part's")),
    };
    for (row, said) in &rows {
        match shapes.get_mut(said.shape) {
            Some(shape) => shape.used = true,
            None => return Err(place.of(row.id).bad("a shape that the residue does not have")),
        }
        if said.line.is_some() && !layout.has_lines {
            return Err(place.of(row.id).bad("a line's number in a file without lines"));
        }
    }
    if says_rows && !shapes.iter().all(|shape| shape.used) {
        return Err(place.bad("a shape of no row"));
    }
    Ok(Part { place, about: About::of(about, place)?, says_rows, added: held.added, shapes, rows })
}

fn read_shapes(shapes: Option<Node>, place: Place, layout: &Layout) -> Result<Vec<Shape>, RebuildError> {
    let Some(shapes) = shapes else {
        let standard = layout.standard.iter().map(|name| (*name).into()).collect();
        return Ok(vec![Shape::of(standard, layout)]);
    };
    let Node::List(shapes) = shapes else { return Err(place.bad("`shapes` is no list")) };
    let read = |shape: Node| {
        let Node::List(items) = shape else { return None };
        let name = |item: Node| match item {
            Node::Text(name) => Some(name),
            _ => None,
        };
        let names = items.into_iter().map(name).collect::<Option<Vec<Text>>>()?;
        let mut sorted: Vec<&Text> = names.iter().collect();
        sorted.sort_unstable();
        let repeats = sorted.windows(2).any(|pair| pair[0] == pair[1]);
        (!repeats).then(|| Shape::of(names, layout))
    };
    let shapes = shapes.into_iter().map(read).collect::<Option<Vec<Shape>>>();
    shapes.ok_or_else(|| place.bad("a shape is no list of different names"))
}

fn said(entry: Node, place: Place) -> Result<Said, RebuildError> {
    let mut said = Said::default();
    let members = match entry {
        Node::Null => return Ok(said),
        Node::Text(_) => {
            said.id = Some(entry);
            return Ok(said);
        }
        Node::Map(members) => members,
        _ => return Err(place.bad("a row's entry is no entry")),
    };
    let mut seen: Vec<Text> = Vec::with_capacity(members.len());
    for (name, value) in members {
        match (name.as_str(), value) {
            _ if seen.contains(&name) => return Err(place.bad("a row's entry says something twice")),
            ("s", Node::Number(number)) => {
                said.shape = number.parse().map_err(|_| place.bad("`s` is no number of a shape"))?;
            }
            ("id", id @ (Node::Text(_) | Node::Number(_) | Node::Null)) => said.id = Some(id),
            ("l", Node::Number(number)) => {
                said.line = Some(number.parse().map_err(|_| place.bad("`l` is no number of a line"))?);
            }
            ("x", Node::Map(kept)) => said.kept = Named::of(kept),
            ("j", Node::Map(respelled)) => said.respelled = Named::of(respelled),
            _ => return Err(place.bad("a row's entry has a member of no meaning")),
        }
        seen.push(name);
    }
    Ok(said)
}

/// What the residue says about the document as a whole.
pub struct About {
    members: Vec<(Text, Node)>,
    place: Place,
}

impl About {
    fn of(about: Option<Node>, place: Place) -> Result<About, RebuildError> {
        match about {
            None => Ok(About { members: Vec::new(), place }),
            Some(Node::Map(members)) => Ok(About { members, place }),
            Some(_) => Err(place.bad("`document` is no map")),
        }
    }

    pub fn take(&mut self, name: &str) -> Option<Node> {
        let at = self.members.iter().position(|(member, _)| member == name)?;
        Some(self.members.swap_remove(at).1)
    }

    /// Where a time is from; one of `sources`.
    pub fn take_source(&mut self, sources: &[&'static str]) -> Result<Option<&'static str>, RebuildError> {
        let Some(said) = self.take("created_at") else { return Ok(None) };
        let source = sources.iter().find(|source| said.as_text() == Some(source));
        source.copied().map(Some).ok_or_else(|| self.place.bad("`created_at` is from nowhere that is known"))
    }

    /// Positions of the files that begin with a byte order mark.
    pub fn take_marks(&mut self, roles: &[FileRole]) -> Result<Vec<usize>, RebuildError> {
        let Some(said) = self.take("bom") else { return Ok(Vec::new()) };
        let find = |role: &Node| roles.iter().position(|known| role.as_text() == Some(known.0));
        let marks = said.items().iter().map(find).collect::<Option<Vec<usize>>>();
        let marks =
            marks.filter(|marks| !marks.is_empty() && (1..marks.len()).all(|at| !marks[..at].contains(&marks[at])));
        marks.ok_or_else(|| self.place.bad("`bom` is no list of the document's files"))
    }

    /// That nothing is left.
    pub fn finish(&self) -> Result<(), RebuildError> {
        match self.members.is_empty() {
            true => Ok(()),
            false => Err(self.place.bad("`document` says something of no meaning here")),
        }
    }
}

/// That everything of the residue about a row was used.
pub fn used_up(said: &Said, place: Place) -> Result<(), RebuildError> {
    if !said.kept.is_empty() {
        return Err(place.bad("`x` keeps a member that is not in the shape"));
    }
    if !said.respelled.is_empty() {
        return Err(place.bad("`j` respells a member that no JSON column gives"));
    }
    match said.id {
        None => Ok(()),
        Some(_) => Err(place.bad("an `id` that is not in the shape")),
    }
}
