//! What a file says, whichever way it is written.

use std::io::Read;

use crate::node::Node;

/// What a file says: JSON, or JSON by lines, without the spelling of strings and blanks.
pub fn said(path: &str, bytes: &[u8]) -> (bool, Vec<Option<Node>>) {
    let mut plain = Vec::new();
    let bytes = match path.ends_with(".gz") {
        true => {
            flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain).expect("it is compressed");
            &plain[..]
        }
        false => bytes,
    };
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let (text, marked) = text.strip_prefix('\u{feff}').map_or((text, false), |text| (text, true));
    let lines = match path.contains("logs/") {
        // A mark alone is a line with nothing in it.
        true if marked && text.is_empty() => vec![None],
        true => text.lines().map(|line| (!line.trim().is_empty()).then(|| Node::parse(line))).collect(),
        false => vec![Some(Node::parse(text))],
    };
    (marked, lines)
}
