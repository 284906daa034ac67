//! The receipt as a short text: for people to keep, and for programs to read line by line.

use std::fmt::Write;

use crate::model::path::escape_controls;
use crate::verify::outcome::{Conclusion, Outcome, Verdict};

use super::{Root, Roots};

/// The version of the rule by which roots are made, and of the text.
pub const VERSION: u32 = 1;

/// A verification's outcome with what both sides came to.
pub struct Receipt<'a> {
    pub outcome: &'a Outcome,
    pub file: Roots,
    pub database: Roots,
}

impl Receipt<'_> {
    /// Whether both sides say the same.
    pub fn is_equal(&self) -> bool {
        self.file == self.database
    }

    /// The text, as `docs/receipts.md` describes it. Only `started` and `seconds` differ between two
    /// receipts of the same state.
    pub fn text(&self) -> String {
        let outcome = self.outcome;
        let verdict = match &outcome.conclusion {
            Conclusion::Agree => "agree".to_owned(),
            Conclusion::Differ => "differ".to_owned(),
            Conclusion::NotChecked(why) => format!("not checked: {why}"),
        };
        let counts: Vec<String> = std::iter::once(format!("{} found", outcome.documents.found))
            .chain(Verdict::ALL.map(|verdict| format!("{} {}", outcome.documents.of(verdict), verdict.code())))
            .collect();
        let mut text = format!("transload receipt {VERSION}\n");
        let mut line = |name: &str, value: &str| {
            // Whatever a path or a reason holds, it stays on its line.
            writeln!(text, "{name:<12}{}", escape_controls(value)).expect("memory takes all");
        };
        line("program", &format!("transload {}", outcome.version));
        line("source", &outcome.source);
        line("database", &outcome.target);
        line("started", &outcome.started.to_fixed());
        line("seconds", &format!("{:.3}", outcome.seconds));
        line("verdict", &verdict);
        line("documents", &counts.join(", "));
        line("differences", &format!("{}, {} waived", outcome.differences, outcome.waived));
        outcome.not_looked_at.iter().for_each(|what| line("left out", what));
        let none = Root { documents: 0, hash: *blake3::hash(b"").as_bytes() };
        let mut names: Vec<&str> = self.file.kinds.keys().chain(self.database.kinds.keys()).copied().collect();
        names.sort_unstable();
        names.dedup();
        let kinds = names.into_iter().map(|name| {
            let of = |roots: &Roots| roots.kinds.get(name).copied().unwrap_or(none);
            (name, of(&self.file), of(&self.database))
        });
        for (name, file, database) in kinds.chain([("all", self.file.all, self.database.all)]) {
            let side = |root: Root| format!("{name} {} {}", root.documents, blake3::Hash::from_bytes(root.hash));
            line("files", &side(file));
            line("rows", &side(database));
        }
        line("roots", if self.is_equal() { "equal" } else { "different" });
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DocumentHash, Leaves, Side};
    use super::*;
    use crate::model::Instant;
    use crate::node::Node;
    use crate::verify::outcome::Documents;

    fn outcome() -> Outcome {
        let (source, target) = ("data\n/x".into(), "sqlite:app.db".into());
        let blank = Outcome::not_done(source, target, Instant(0), 1.25, String::new());
        Outcome {
            version: "1.2.3",
            documents: Documents { found: 3, agreed: 2, different: 1, ..Documents::default() },
            differences: 4,
            not_looked_at: vec!["kind logs".into()],
            conclusion: Conclusion::Differ,
            ..blank
        }
    }

    fn leaves(of_database: &[&'static str]) -> (Roots, Roots) {
        let leaves = Leaves::new();
        let documents = [(Side::File, &["users", "chats"][..]), (Side::Database, of_database)];
        for (side, kinds) in documents {
            for kind in kinds {
                let mut document = DocumentHash::new(uuid::Uuid::nil(), kind, "k");
                let file = document.file("a.json", "whole");
                document.whole(file, &Node::Null);
                leaves.add(side, document.finish()).expect("all is in memory");
            }
        }
        leaves.finish().expect("all is in memory")
    }

    #[test]
    fn a_receipt_is_a_few_lines_that_stay_lines() {
        let outcome = outcome();
        let (file, database) = leaves(&["chats"]);
        let receipt = Receipt { outcome: &outcome, file, database };
        let text = receipt.text();
        let hash = |root: Root| blake3::Hash::from_bytes(root.hash).to_string();
        let expected = [
            "transload receipt 1".to_owned(),
            "program     transload 1.2.3".to_owned(),
            "source      data\\n/x".to_owned(),
            "database    sqlite:app.db".to_owned(),
            "started     1970-01-01T00:00:00.000000Z".to_owned(),
            "seconds     1.250".to_owned(),
            "verdict     differ".to_owned(),
            "documents   3 found, 2 agreed, 1 different, 0 missing, 0 only_in_database, 0 rejected, 0 stale, 0 unsettled, \
             0 unreadable"
                .to_owned(),
            "differences 4, 0 waived".to_owned(),
            "left out    kind logs".to_owned(),
            format!("files       chats 1 {}", hash(receipt.file.kinds["chats"])),
            format!("rows        chats 1 {}", hash(receipt.file.kinds["chats"])),
            format!("files       users 1 {}", hash(receipt.file.kinds["users"])),
            format!("rows        users 0 {}", blake3::hash(b"")),
            format!("files       all 2 {}", hash(receipt.file.all)),
            format!("rows        all 1 {}", hash(receipt.database.all)),
            "roots       different".to_owned(),
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        assert_eq!(text, receipt.text());
    }

    #[test]
    fn roots_are_equal_exactly_if_both_sides_say_the_same() {
        let outcome = outcome();
        for (kinds, expected) in [(&["chats", "users"][..], true), (&["users"], false), (&["users", "memory"], false)] {
            let (file, database) = leaves(kinds);
            let receipt = Receipt { outcome: &outcome, file, database };
            assert_eq!(receipt.is_equal(), expected);
            assert_eq!(receipt.text().ends_with("roots       equal\n"), expected);
        }
    }
}
