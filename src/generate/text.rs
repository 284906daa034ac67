//! What people and assistants write: many scripts, emoji, and text that was encoded twice.
//!
//! Words are drawn at random; the text means nothing, but it has the characters, the lengths and
//! the bytes of real use.

use super::rng::Rng;

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
    SHORTEST + rng.skewed(LONGEST - SHORTEST, if by_assistant { 4 } else { 7 })
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

pub const GIVEN_NAMES: &[&str] = &[
    "Maria",
    "Jonas",
    "Zoë",
    "Łukasz",
    "Søren",
    "Ayşe",
    "Олена",
    "Иван",
    "小林",
    "王芳",
    "민준",
    "فاطمة",
    "Chloé",
    "Nguyễn",
    "Noah",
    "Priya",
];

pub const FAMILY_NAMES: &[&str] = &[
    "Keller",
    "O'Brien",
    "García",
    "Müller",
    "Nowak",
    "Ödegård",
    "Шевченко",
    "Петров",
    "健太",
    "伟",
    "김",
    "علي",
    "d'Été",
    "Smith-Jones",
    "Văn",
    "Sharma",
];

const ENGLISH: &[&str] = &[
    "the",
    "order",
    "and",
    "please",
    "could",
    "you",
    "check",
    "whether",
    "my",
    "invoice",
    "arrived",
    "we",
    "schedule",
    "a",
    "call",
    "with",
    "customer",
    "about",
    "delivery",
    "tomorrow",
    "morning",
    "thanks",
    "it",
    "looks",
    "like",
    "payment",
    "did",
    "not",
    "go",
    "through",
    "website",
    "draft",
    "an",
    "email",
    "for",
    "marketing",
    "campaign",
    "summary",
    "of",
    "last",
    "week",
    "I",
    "don't",
    "know",
    "how",
    "to",
    "export",
    "report",
    "as",
    "spreadsheet",
];

const GERMAN: &[&str] = &[
    "die",
    "Rechnung",
    "für",
    "über",
    "Größe",
    "können",
    "wir",
    "morgen",
    "früh",
    "telefonieren",
    "Straße",
    "und",
    "bitte",
    "prüfen",
    "ob",
    "der",
    "Auftrag",
    "schon",
    "läuft",
    "vielen",
    "Dank",
    "Überweisung",
    "nächste",
    "Woche",
];

const SPANISH: &[&str] = &[
    "¿cuándo",
    "llega",
    "el",
    "pedido",
    "mañana",
    "por",
    "favor",
    "revisa",
    "la",
    "factura",
    "señor",
    "según",
    "años",
    "también",
    "reunión",
    "gracias",
    "dirección",
    "está",
    "lista",
    "para",
    "enviar",
    "¡qué",
    "bien",
    "correo",
];

const FRENCH: &[&str] = &[
    "bonjour",
    "où",
    "est",
    "la",
    "facture",
    "déjà",
    "envoyée",
    "à",
    "l'adresse",
    "française",
    "cœur",
    "été",
    "merci",
    "beaucoup",
    "réunion",
    "demain",
    "matin",
    "ça",
    "va",
    "très",
    "bien",
    "commande",
    "numéro",
    "être",
];

const TURKISH: &[&str] = &[
    "sipariş",
    "ne",
    "zaman",
    "gelecek",
    "lütfen",
    "kontrol",
    "eder",
    "misiniz",
    "teşekkürler",
    "İstanbul",
    "ışık",
    "çok",
    "güzel",
    "fatura",
    "gönderildi",
    "yarın",
];

const RUSSIAN: &[&str] = &[
    "заказ",
    "пришёл",
    "вчера",
    "и",
    "счёт",
    "не",
    "оплачен",
    "пожалуйста",
    "проверьте",
    "адрес",
    "доставки",
    "спасибо",
    "завтра",
    "утром",
    "позвоните",
    "клиенту",
    "їжак",
    "ґанок",
    "письмо",
    "отчёт",
];

const CHINESE: &[&str] = &[
    "请",
    "帮我",
    "检查",
    "订单",
    "什么时候",
    "到",
    "谢谢",
    "明天",
    "早上",
    "发票",
    "已经",
    "付款",
    "了吗",
    "𠮷野家",
    "地址",
    "客户",
];

const JAPANESE: &[&str] = &[
    "注文",
    "は",
    "いつ",
    "届きますか",
    "お願いします",
    "請求書",
    "を",
    "確認",
    "して",
    "ください",
    "ありがとうございます",
    "ﾊﾝｶｸ",
    "が",
    "ガ",
    "明日",
    "会議",
];

const KOREAN: &[&str] = &[
    "주문이",
    "언제",
    "도착하나요",
    "감사합니다",
    "내일",
    "아침에",
    "회의",
    "청구서를",
    "확인해",
    "주세요",
    "한글",
    "배송",
];

const ARABIC: &[&str] = &[
    "متى",
    "يصل",
    "الطلب",
    "من",
    "فضلك",
    "شكرًا",
    "الفاتورة",
    "غدًا",
    "صباحًا",
    "اجتماع",
    "العميل",
    "١٢٣",
    "שלום",
    "עולם",
];

const HINDI: &[&str] =
    &["कृपया", "ऑर्डर", "कब", "आएगा", "धन्यवाद", "क्षत्रिय", "कल", "सुबह", "बैठक", "ชำระเงิน", "แล้ว", "ขอบคุณ"];

/// Letters with marks of their own, joiners, and marks without a letter.
const COMBINED: &[&str] = &[
    "e\u{301}te\u{301}",
    "n\u{303}andu\u{301}",
    "u\u{308}ber",
    "Z\u{351}\u{363}a\u{320}l\u{34e}go",
    "o\u{328}\u{304}",
    "क\u{94d}\u{200d}ष",
    "می\u{200c}خواهم",
    "a\u{308}\u{323}",
    "plain",
    "words",
    "between",
];

const EMOJI: &[&str] = &["😀", "✅", "🎉", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "👨🏿‍🚀", "❤️", "1️⃣", "🧑‍💻", "🫠", "🚀", "☕"];

/// What breaks careless encoders, COPY and shells.
const AWKWARD: &[&str] = &[
    "https://example.com/a/b?c=d&e=f#g",
    "\"quoted\"",
    "C:\\temp\\new",
    "\\N",
    "a\tb",
    "<b>bold</b>",
    "'); DROP TABLE users; --",
    "`code`",
    "{\"json\":[1,2]}",
    "100%",
    "line\u{2028}separator",
    "$1",
    "\u{feff}",
    "a\u{a0}b",
    "\\u0041",
    "\r\n",
    "\u{1}",
];

/// UTF-8 that was read as Windows-1252 and written as UTF-8 again: data, and to stay as it is.
const TWICE_ENCODED: &[&str] = &["âœ…", "donâ€™t", "fÃ¼r", "cafÃ©", "â€œsoâ€\u{9d}", "ðŸ˜€", "Â£20"];

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
