//! HTML that is safe by construction: what is markup is known when this is compiled, and what is
//! known only when it runs is text.
//!
//! Characters that cannot be seen, or that turn the writing direction, are shown by their number.

use crate::model::figures::thousands;
use crate::model::path::is_hostile;

use super::values::Piece;

/// HTML as it is being written.
#[derive(Default)]
pub struct Html(String);

/// The longest text that is shown whole where a text is not itself what the report is about: a
/// path, a reason, a message.
const LONGEST: usize = 400;

impl Html {
    pub fn finish(self) -> String {
        self.0
    }

    /// Markup. Not for anything that comes from a file, a database or a setting.
    pub fn raw(&mut self, markup: &'static str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// Text, cut in the middle if it is very long.
    pub fn text(&mut self, text: &str) -> &mut Html {
        for piece in super::values::cut(text, LONGEST) {
            match piece {
                Piece::Same(text) | Piece::Differs(text) => self.escaped(text, Unseen::Few),
                Piece::Cut(count) => self.raw("<i class=cut>… ").number(count as u64).raw(" more …</i>"),
            };
        }
        self
    }

    /// Text in full, with what cannot be seen made visible.
    pub fn escaped(&mut self, text: &str, unseen: Unseen) -> &mut Html {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c if unseen.includes(c) => {
                    self.raw("<span class=code>U+").hex(u32::from(c)).raw("</span>");
                }
                c => self.0.push(c),
            }
        }
        self
    }

    /// An attribute's value, quotes included.
    pub fn quoted(&mut self, text: &str) -> &mut Html {
        self.raw("\"").escaped(text, Unseen::Few).raw("\"")
    }

    pub fn number(&mut self, number: u64) -> &mut Html {
        self.0.push_str(&thousands(number));
        self
    }

    /// A coordinate.
    pub fn float(&mut self, number: f64) -> &mut Html {
        self.0.push_str(&format!("{number:.2}"));
        self
    }

    /// A code point's number, at least four digits.
    pub fn hex(&mut self, number: u32) -> &mut Html {
        self.0.push_str(&format!("{number:04X}"));
        self
    }

    /// What a function adds.
    pub fn with(&mut self, add: impl FnOnce(&mut Html)) -> &mut Html {
        add(self);
        self
    }
}

/// Which characters are shown by their number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unseen {
    /// Those that no honest text needs.
    Few,
    /// Also joiners and odd blanks, which are ordinary in text but matter where it differs.
    All,
}

impl Unseen {
    fn includes(self, c: char) -> bool {
        match c {
            // Marks of direction, soft hyphens, invisible operators, byte order marks, tags.
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' => true,
            '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' => true,
            '\u{E0000}'..='\u{E007F}' => true,
            // Joiners, variation selectors, blanks of other widths.
            '\u{A0}' | '\u{200C}' | '\u{200D}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => {
                self == Unseen::All
            }
            '\u{FE00}'..='\u{FE0F}' => self == Unseen::All,
            // No characters at all.
            '\u{FDD0}'..='\u{FDEF}' => true,
            c => u32::from(c) & 0xFFFE == 0xFFFE || is_hostile(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        let mut html = Html::default();
        html.text(text);
        html.finish()
    }

    #[test]
    fn no_text_is_markup() {
        assert_eq!(
            text("\"><img src=x onerror='a()'>&</style>"),
            "&quot;&gt;&lt;img src=x onerror=&#39;a()&#39;&gt;&amp;&lt;/style&gt;"
        );
    }

    #[test]
    fn what_cannot_be_seen_is_shown_by_its_number() {
        assert_eq!(
            text("a\u{202e}b\u{1b}\u{200b}"),
            "a<span class=code>U+202E</span>b<span class=code>U+001B</span><span class=code>U+200B</span>"
        );
        let family = "👩\u{200d}💻";
        assert_eq!(text(family), family);
        let mut html = Html::default();
        html.escaped("\u{200d}\u{a0}", Unseen::All);
        assert_eq!(html.finish(), "<span class=code>U+200D</span><span class=code>U+00A0</span>");
    }

    #[test]
    fn a_very_long_text_is_cut_in_the_middle() {
        let long = text(&"x".repeat(1_000_000));
        assert!(long.len() < 1000 && long.contains("<i class=cut>… 999,600 more …</i>"), "{long}");
    }
}
