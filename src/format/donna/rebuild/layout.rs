//! The layouts of `docs/residue.md` as data: which member is from which column, and how.

use crate::model::Table;
use crate::node::Text;

use super::super::tables::{CHAT_SESSIONS, MESSAGES, SYSTEM_LOGS, USERS, USER_MEMORY};
use super::spelling::Spelling;

/// How the objects of one layout follow from rows of one table.
#[derive(Debug)]
pub struct Layout {
    pub table: &'static Table,
    /// The names that an object has where the residue does not say.
    pub standard: &'static [&'static str],
    /// In the order in which the application would add them to an object.
    pub members: &'static [Member],
    /// Whether rows have lines of their own.
    pub has_lines: bool,
}

/// A member that a column gives.
#[derive(Debug)]
pub struct Member {
    pub name: &'static str,
    pub column: &'static str,
    pub gives: Gives,
}

/// What a column gives as a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    Text,
    /// A map; an empty one as PHP writes it.
    Map,
    Any,
    Number,
    Time(Spelling),
    Address,
    /// A message's role, as layout 8 calls it.
    From,
    /// Nothing but `null`: a reference that is named is kept.
    Reference,
}

/// Where a shape's member is from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The member `id`.
    Id,
    /// A column of the row, by its position.
    Column(usize, Gives),
    /// Nothing gives it, so it must be kept.
    Kept,
}

/// The members of one or more objects, in their order.
#[derive(Debug)]
pub struct Shape {
    pub members: Vec<(Text, Source)>,
    pub used: bool,
}

impl Shape {
    pub fn of(names: Vec<Text>, layout: &Layout) -> Shape {
        let source = |name: &str| match layout.members.iter().find(|member| member.name == name) {
            Some(member) => layout.source(member),
            None if name == "id" => Source::Id,
            None => Source::Kept,
        };
        let members =
            names.into_iter().map(|name| (source(&name), name)).map(|(source, name)| (name, source)).collect();
        Shape { members, used: false }
    }

    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(member, _)| member == name)
    }
}

impl Layout {
    /// The column that gives a member.
    ///
    /// # Panics
    /// If the tables below name a column that their table does not have; a test looks at each.
    pub fn source(&self, member: &Member) -> Source {
        let column = self.table.column(member.column).expect("the layouts name columns that there are");
        Source::Column(column, member.gives)
    }
}

const fn member(name: &'static str, gives: Gives) -> Member {
    Member { name, column: name, gives }
}

const fn from(name: &'static str, column: &'static str, gives: Gives) -> Member {
    Member { name, column, gives }
}

const PHP: Gives = Gives::Time(Spelling::Php);
const ZULU: Gives = Gives::Time(Spelling::Zulu);
const PLAIN: Gives = Gives::Time(Spelling::Plain);

/// Layout 4.
pub static USER: Layout = Layout {
    table: &USERS,
    standard: &["id", "created_at", "updated_at"],
    members: &[
        member("clerk_id", Gives::Text),
        member("email", Gives::Text),
        member("name", Gives::Text),
        member("profile", Gives::Map),
        member("preferences", Gives::Map),
        member("status", Gives::Text),
        member("created_at", PHP),
        member("updated_at", PHP),
        member("last_active_at", PHP),
    ],
    has_lines: false,
};

/// Layout 3.
pub static SESSION: Layout = Layout {
    table: &CHAT_SESSIONS,
    standard: &["id", "chat_id", "user_id", "created_at", "updated_at", "last_message_at", "message_count", "metadata"],
    members: &[
        member("chat_id", Gives::Text),
        member("user_id", Gives::Reference),
        member("created_at", PHP),
        member("updated_at", PHP),
        member("last_message_at", PHP),
        member("message_count", Gives::Number),
        member("metadata", Gives::Map),
        member("title", Gives::Text),
        member("profile", Gives::Text),
        member("status", Gives::Text),
    ],
    has_lines: false,
};

/// Layouts 1 and 2.
pub static MESSAGE: Layout = Layout {
    table: &MESSAGES,
    standard: &["id", "role", "content", "metadata", "created_at", "sequence_number"],
    members: &[
        member("role", Gives::Text),
        member("content", Gives::Text),
        member("metadata", Gives::Map),
        member("created_at", PHP),
        from("timestamp", "created_at", ZULU),
        member("sequence_number", Gives::Number),
        member("token_count", Gives::Number),
    ],
    has_lines: false,
};

/// Layout 8.
pub static LEAD: Layout = Layout {
    table: &MESSAGES,
    standard: &["from", "content"],
    members: &[
        from("from", "role", Gives::From),
        member("content", Gives::Text),
        member("metadata", Gives::Map),
        member("created_at", PHP),
        from("timestamp", "created_at", ZULU),
        member("sequence_number", Gives::Number),
        member("token_count", Gives::Number),
    ],
    has_lines: false,
};

/// Layout 9.
pub static REPLY: Layout = Layout {
    table: &MESSAGES,
    standard: &["original", "reply", "timestamp", "session_id"],
    members: &[
        from("original", "metadata", Gives::Map),
        from("reply", "content", Gives::Text),
        from("timestamp", "created_at", PLAIN),
        member("created_at", PHP),
        member("sequence_number", Gives::Number),
        member("token_count", Gives::Number),
    ],
    has_lines: false,
};

/// An entry of layout 6.
pub static ENTRY: Layout = Layout {
    table: &USER_MEMORY,
    standard: &["value", "created_at", "expires_at"],
    members: &[member("value", Gives::Any), member("created_at", PHP), member("expires_at", PHP)],
    has_lines: false,
};

/// Layout 12.
pub static LINE: Layout = Layout {
    table: &SYSTEM_LOGS,
    standard: &["timestamp", "level", "message", "trace_id", "context", "ip", "user_agent"],
    members: &[
        from("timestamp", "created_at", PHP),
        member("level", Gives::Text),
        member("message", Gives::Text),
        member("trace_id", Gives::Text),
        member("context", Gives::Map),
        from("ip", "ip_address", Gives::Address),
        member("user_agent", Gives::Text),
        member("request_uri", Gives::Text),
    ],
    has_lines: true,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    #[test]
    fn every_member_is_from_a_column_of_its_kind() {
        let mut seen = 0;
        for layout in [&USER, &SESSION, &MESSAGE, &LEAD, &REPLY, &ENTRY, &LINE] {
            for member in layout.members {
                let Source::Column(at, gives) = layout.source(member) else { panic!("{}", member.name) };
                let expected = match gives {
                    Gives::Text | Gives::From => Kind::Text,
                    Gives::Map | Gives::Any => Kind::Json,
                    Gives::Number => Kind::Int,
                    Gives::Time(_) => Kind::Time,
                    Gives::Address => Kind::Inet,
                    Gives::Reference => Kind::Uuid,
                };
                assert_eq!(layout.table.columns[at].kind, expected, "{}", member.name);
                seen += 1;
            }
        }
        assert_eq!(seen, 50);
    }
}
