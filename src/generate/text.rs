//! What people and assistants write: many scripts, emoji, and text that was encoded twice.
//!
//! Words are drawn at random; the text means nothing, but it has the characters, the lengths and
//! the bytes of real use.

use super::rng::Rng;
use super::words::*;

/// The shortest and longest message in characters.
pub const SHORTEST: u64 = 20;
pub const LONGEST: u64 = 2_000;

/// Words of one language and what stands between them.
#[derive(Clone, Copy)]
pub struct Language {
    words: &'static [&'static str],
    gap: &'static str,
    stop: &'static str,
}

/// The language of a chat, English for one in two.
pub fn language(rng: &mut Rng) -> Language {
    let (words, gap, stop) = match rng.below(100) {
        0..=49 => (ENGLISH, " ", ". "),
        50..=59 => (GERMAN, " ", ". "),
        60..=67 => (SPANISH, " ", ". "),
        68..=75 => (FRENCH, " ", " ! "),
        76..=78 => (TURKISH, " ", ". "),
        79..=86 => (RUSSIAN, " ", ". "),
        87..=90 => (CHINESE, "", "。"),
        91..=93 => (JAPANESE, "", "。"),
        94..=95 => (KOREAN, " ", ". "),
        96..=97 => (ARABIC, " ", "، "),
        98 => (HINDI, " ", "। "),
        _ => (COMBINED, " ", "… "),
    };
    Language { words, gap, stop }
}

/// How long a message is, in characters: people write a line, assistants a paragraph, few write a
/// page.
pub fn length(rng: &mut Rng, by_assistant: bool) -> u64 {
    SHORTEST + rng.skewed(LONGEST - SHORTEST, if by_assistant { 4 } else { 8 })
}

/// About `length` characters, never fewer than [`SHORTEST`] nor more than `length`.
pub fn message(rng: &mut Rng, language: Language, length: u64) -> String {
    let mut text = String::with_capacity(length as usize * 2);
    let mut count = 0;
    loop {
        let (gap, word) = match rng.below(1000) {
            0..=19 => (language.gap, rng.pick(EMOJI)),
            20..=34 => (" ", rng.pick(AWKWARD)),
            35..=37 => (" ", rng.pick(TWICE_ENCODED)),
            38..=45 => ("\n\n", rng.pick(language.words)),
            46..=130 => (language.stop, rng.pick(language.words)),
            _ => (language.gap, rng.pick(language.words)),
        };
        let gap = if count == 0 { "" } else { gap };
        let longer = count + characters(gap) + characters(word);
        if longer > length {
            break;
        }
        text.push_str(gap);
        text.push_str(word);
        count = longer;
    }
    text.extend((count..SHORTEST).map(|_| '.'));
    text
}

/// A few words, for titles and names.
pub fn title(rng: &mut Rng, language: Language) -> String {
    let words = 2 + rng.below(5);
    let words: Vec<&str> = (0..words).map(|_| rng.pick(language.words)).collect();
    words.join(language.gap)
}

fn characters(text: &str) -> u64 {
    // A character begins at every byte that does not continue one.
    text.bytes().filter(|byte| byte & 0xC0 != 0x80).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_their_bounds_in_every_language() {
        let mut rng = Rng::new(7, 0, 0);
        let mut bytes = 0;
        for _ in 0..5_000 {
            let language = language(&mut rng);
            let by_assistant = rng.percent(50);
            let length = length(&mut rng, by_assistant);
            let text = message(&mut rng, language, length);
            let count = text.chars().count() as u64;
            assert!((SHORTEST..=LONGEST).contains(&count), "{count} characters");
            assert!(!text.contains('\0'));
            bytes += text.len();
        }
        let mean = bytes / 5_000;
        assert!((400..=600).contains(&mean), "a message has {mean} bytes");
    }
}
