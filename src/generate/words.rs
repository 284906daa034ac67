//! The words that texts are made of. A table: nothing is decided here, and its lines are filled by
//! hand rather than one word each.

pub const GIVEN_NAMES: &[&str] = &[
    "Maria", "Jonas", "Zoë", "Łukasz", "Søren", "Ayşe", "Олена", "Иван", "小林", "王芳", "민준", "فاطمة", "Chloé",
    "Nguyễn", "Noah", "Priya",
];

pub const FAMILY_NAMES: &[&str] = &[
    "Keller", "O'Brien", "García", "Müller", "Nowak", "Ödegård", "Шевченко", "Петров", "健太", "伟", "김", "علي",
    "d'Été", "Smith-Jones", "Văn", "Sharma",
];

pub const ENGLISH: &[&str] = &[
    "the", "order", "and", "please", "could", "you", "check", "whether", "my", "invoice", "arrived", "we",
    "schedule", "a", "call", "with", "customer", "about", "delivery", "tomorrow", "morning", "thanks", "it",
    "looks", "like", "payment", "did", "not", "go", "through", "website", "draft", "an", "email", "for",
    "marketing", "campaign", "summary", "of", "last", "week", "I", "don't", "know", "how", "to", "export",
    "report", "as", "spreadsheet",
];

pub const GERMAN: &[&str] = &[
    "die", "Rechnung", "für", "über", "Größe", "können", "wir", "morgen", "früh", "telefonieren", "Straße",
    "und", "bitte", "prüfen", "ob", "der", "Auftrag", "schon", "läuft", "vielen", "Dank", "Überweisung",
    "nächste", "Woche",
];

pub const SPANISH: &[&str] = &[
    "¿cuándo", "llega", "el", "pedido", "mañana", "por", "favor", "revisa", "la", "factura", "señor", "según",
    "años", "también", "reunión", "gracias", "dirección", "está", "lista", "para", "enviar", "¡qué", "bien",
    "correo",
];

pub const FRENCH: &[&str] = &[
    "bonjour", "où", "est", "la", "facture", "déjà", "envoyée", "à", "l'adresse", "française", "cœur", "été",
    "merci", "beaucoup", "réunion", "demain", "matin", "ça", "va", "très", "bien", "commande", "numéro",
    "être",
];

pub const TURKISH: &[&str] = &[
    "sipariş", "ne", "zaman", "gelecek", "lütfen", "kontrol", "eder", "misiniz", "teşekkürler", "İstanbul",
    "ışık", "çok", "güzel", "fatura", "gönderildi", "yarın",
];

pub const RUSSIAN: &[&str] = &[
    "заказ", "пришёл", "вчера", "и", "счёт", "не", "оплачен", "пожалуйста", "проверьте", "адрес", "доставки",
    "спасибо", "завтра", "утром", "позвоните", "клиенту", "їжак", "ґанок", "письмо", "отчёт",
];

pub const CHINESE: &[&str] = &[
    "请", "帮我", "检查", "订单", "什么时候", "到", "谢谢", "明天", "早上", "发票", "已经", "付款", "了吗", "𠮷野家", "地址", "客户",
];

pub const JAPANESE: &[&str] = &[
    "注文", "は", "いつ", "届きますか", "お願いします", "請求書", "を", "確認", "して", "ください", "ありがとうございます", "ﾊﾝｶｸ", "が", "ガ", "明日",
    "会議",
];

pub const KOREAN: &[&str] = &[
    "주문이", "언제", "도착하나요", "감사합니다", "내일", "아침에", "회의", "청구서를", "확인해", "주세요", "한글", "배송",
];

pub const ARABIC: &[&str] = &[
    "متى", "يصل", "الطلب", "من", "فضلك", "شكرًا", "الفاتورة", "غدًا", "صباحًا", "اجتماع", "العميل", "١٢٣",
    "שלום", "עולם",
];

pub const HINDI: &[&str] = &[
    "कृपया", "ऑर्डर", "कब", "आएगा", "धन्यवाद", "क्षत्रिय", "कल", "सुबह", "बैठक", "ชำระเงิน", "แล้ว", "ขอบคุณ",
];

/// Letters with marks of their own, joiners, and marks without a letter.
pub const COMBINED: &[&str] = &[
    "e\u{301}te\u{301}", "n\u{303}andu\u{301}", "u\u{308}ber", "Z\u{351}\u{363}a\u{320}l\u{34e}go",
    "o\u{328}\u{304}", "क\u{94d}\u{200d}ष", "می\u{200c}خواهم", "a\u{308}\u{323}", "plain", "words", "between",
];

pub const EMOJI: &[&str] = &[
    "😀", "✅", "🎉", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "👨🏿‍🚀", "❤️", "1️⃣", "🧑‍💻", "🫠", "🚀", "☕",
];

/// What breaks careless encoders, COPY and shells.
pub const AWKWARD: &[&str] = &[
    "https://example.com/a/b?c=d&e=f#g", "\"quoted\"", "C:\\temp\\new", "\\N", "a\tb", "<b>bold</b>",
    "'); DROP TABLE users; --", "`code`", "{\"json\":[1,2]}", "100%", "line\u{2028}separator", "$1",
    "\u{feff}", "a\u{a0}b", "\\u0041", "\r\n", "\u{1}",
];

/// UTF-8 that was read as Windows-1252 and written as UTF-8 again: data, and to stay as it is.
pub const TWICE_ENCODED: &[&str] = &[
    "âœ…", "donâ€™t", "fÃ¼r", "cafÃ©", "â€œsoâ€\u{9d}", "ðŸ˜€", "Â£20",
];
