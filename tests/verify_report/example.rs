//! Outcomes to be rendered: one that agrees, one with every cause and hostile values, one that
//! could not be checked.

use transload::model::summary::FileTally;
use transload::model::Instant;
use transload::verify::outcome::{
    Cause, Conclusion, Difference, Documents, Listed, Moved, Outcome, PastRun, TableCount, Verdict, WaiverUse,
};
use transload::verify::receipt::{Root, Roots};
use uuid::Uuid;

/// 2026-06-30T03:15:00Z.
const NIGHT: i64 = 1_782_789_300_000_000;
const DAY: i64 = 86_400_000_000;

/// What a planted difference says, and no template does.
pub const PLANTED: &str = "the planted word is quince";

/// Values that try to leave their place. Each would set `window.hostile`, load something, or turn
/// the page around.
pub const HOSTILE: [&str; 12] = [
    "<script>window.hostile=1;top.hostile=1</script>",
    "\"><img src=x onerror=\"top.hostile=2\">",
    "' onmouseover='top.hostile=3' autofocus onfocus='top.hostile=3",
    "</style></title></textarea></pre></svg><script>top.hostile=4</script>",
    "<svg onload=top.hostile=5><a href=\"javascript:top.hostile=5\">x</a></svg>",
    "<!--<script>top.hostile=6//--></script>",
    "<iframe srcdoc=\"<script>top.hostile=7</script>\"></iframe><object data=javascript:top.hostile=7>",
    "<base href=//evil.example/><link rel=stylesheet href=//evil.example/a.css><style>*{display:none}</style>",
    "invoice\u{202e}fdp.exe\u{2066}\u{200b}\u{feff}",
    "\u{1b}[31mred\u{7}\u{9b}31m\u{0}\r\n",
    "{{constructor.constructor('top.hostile=8')()}}${top.hostile=9}&lt;b&gt;&#x3c;",
    "]]><!ENTITY x SYSTEM \"file:///etc/passwd\">\u{2028}\u{ffff}",
];

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

/// All agrees.
pub fn agreeing() -> Outcome {
    let mut users = Documents::default();
    let mut chats = Documents::default();
    (0..200).for_each(|_| users.count(Verdict::Agreed));
    (0..1010).for_each(|_| chats.count(Verdict::Agreed));
    let documents = Documents { found: 1210, agreed: 1210, ..Documents::default() };
    let table = |rows, values| TableCount { rows, values, differences: 0 };
    Outcome {
        source: "/srv/donna/data".to_owned(),
        target: "postgres://donna@db.example/donna".to_owned(),
        version: "0.1.0",
        started: Instant(NIGHT),
        seconds: 12.4,
        files: FileTally { found: 1217, in_documents: 1214, not_migrated: 3, unreadable: 0, vanished: 0 },
        documents,
        kinds: [("users", users), ("chats", chats)].into(),
        tables: [
            ("users", table(200, 2000)),
            ("chat_sessions", table(1010, 11_110)),
            ("messages", table(23_800, 214_200)),
        ]
        .into(),
        by_columns: 4,
        accepted: 0,
        differences: 0,
        waived: 0,
        waived_documents: 0,
        causes: [].into(),
        listed_differences: Vec::new(),
        listed: Vec::new(),
        waivers: Vec::new(),
        not_looked_at: Vec::new(),
        narrowed: false,
        skipped: 0,
        history: (1..=30).map(night).collect(),
        receipt: Some((root(1210), root(1210))),
        guards: Vec::new(),
        conclusion: Conclusion::Agree,
    }
}

fn root(documents: u64) -> Roots {
    Roots { all: Root { documents, hash: [0xA7; 32] }, kinds: [].into() }
}

/// A run some nights ago; in one of them something was wrong, one was stopped.
fn night(at: i64) -> PastRun {
    let stopped = at == 17;
    PastRun {
        id: Uuid::from_u128(at as u128),
        command: if at == 3 { "migrate" } else { "verify" }.to_owned(),
        state: if stopped { "stopped" } else { "done" }.to_owned(),
        started: Instant(NIGHT - (31 - at) * DAY),
        seconds: (!stopped).then_some(11),
        documents: (!stopped).then_some(1100 + at as u64 * 4),
        rows: (!stopped).then_some(20_000 + at as u64 * 130),
        differences: (!stopped).then_some(if at == 11 { 40 } else { at as u64 % 7 / 6 }),
    }
}

/// The check could not be done.
pub fn unchecked() -> Outcome {
    let mut outcome = agreeing();
    outcome.conclusion =
        Conclusion::NotChecked("nothing was compared: the source holds no file of a known layout".into());
    outcome.documents = Documents::default();
    outcome.receipt = None;
    outcome.kinds.clear();
    outcome.tables.clear();
    outcome.by_columns = 0;
    outcome.files = FileTally { found: 3, not_migrated: 3, ..FileTally::default() };
    outcome.history.clear();
    outcome
}

/// Every cause, every verdict, and values that want to break out.
pub fn differing() -> Outcome {
    let mut outcome = agreeing();
    outcome.conclusion = Conclusion::Differ;
    let mut chats = Documents::default();
    for (verdict, count) in [
        (Verdict::Agreed, 950),
        (Verdict::Different, 38),
        (Verdict::Missing, 5),
        (Verdict::OnlyInDatabase, 4),
        (Verdict::Rejected, 6),
        (Verdict::Stale, 2),
        (Verdict::Unsettled, 3),
        (Verdict::Unreadable, 2),
    ] {
        (0..count).for_each(|_| chats.count(verdict));
    }
    outcome.documents = Documents { found: chats.found + 200, agreed: chats.agreed + 200, ..chats.clone() };
    outcome.kinds.insert("chats", chats);
    outcome.files.in_documents = 1212;
    outcome.files.unreadable = 1;
    outcome.files.vanished = 1;
    outcome.accepted = 1;
    outcome.waived = 2;
    outcome.waived_documents = 1;
    outcome.listed_differences = differences();
    outcome.causes = Cause::ALL.iter().enumerate().map(|(at, cause)| (cause.code(), count_of(at))).collect();
    outcome.differences = outcome.causes.values().sum();
    outcome.tables.entry("messages").and_modify(|table| table.differences = outcome.differences + 2);
    outcome.listed = listed();
    outcome.waivers = vec![
        waiver("chat_sessions/old.json", "2026-12-31", "the old importer cut it, ticket 4711", false, 2),
        waiver("chat_sessions/gone.json", "2026-06-29", "until the next release", true, 0),
        waiver(HOSTILE[1], "2026-12-31", HOSTILE[3], false, 0),
    ];
    outcome.not_looked_at = vec!["logs: not asked for (--only users,chats,memory)".to_owned(), HOSTILE[5].to_owned()];
    outcome.skipped = 12;
    outcome
}

fn waiver(document: &str, until: &str, reason: &str, expired: bool, covered: u64) -> WaiverUse {
    WaiverUse {
        cause: "truncated",
        document: document.to_owned(),
        until: until.to_owned(),
        reason: reason.to_owned(),
        expired,
        covered,
    }
}

/// A count a cause, a few of them large.
fn count_of(at: usize) -> u64 {
    [40, 1, 2, 17, 1, 1234][at % 6] + HOSTILE.len() as u64
}

fn listed() -> Vec<Listed> {
    let one = |verdict, file: &str, text: &str, accepted| Listed {
        document: Uuid::from_u128(99),
        kind: "chats",
        file: file.to_owned(),
        verdict,
        text: text.to_owned(),
        accepted,
    };
    vec![
        one(Verdict::Rejected, "chat_sessions/a.json", "truncated: line 3 column 9: the file ends in a value", false),
        one(Verdict::Rejected, "chat_sessions/test.json", "empty: accepted: \"test data\"", true),
        one(Verdict::Stale, "chat_sessions/b.json", "the database holds the file as it was 42 s ago", false),
        one(Verdict::Unsettled, "chat_sessions/c.json", "changed during each of 5 tries", false),
        one(Verdict::Unreadable, "chat_sessions/d.json", "cannot read: permission denied", false),
        one(Verdict::Unreadable, HOSTILE[0], HOSTILE[4], false),
    ]
}

fn differences() -> Vec<Difference> {
    let mut all = Vec::new();
    for (at, cause) in Cause::ALL.into_iter().enumerate() {
        let (in_file, in_database) = pair(cause);
        let moved = [Moved::File, Moved::Database, Moved::Both, Moved::Neither, Moved::Unknown][at % 5];
        all.push(Difference {
            document: Uuid::from_u128(at as u128 + 1),
            kind: "chats",
            cause,
            moved,
            file: match cause {
                Cause::OnlyInDatabase | Cause::ExtraRow => String::new(),
                _ => format!("chat_sessions/guest-17327889{at:02}.json"),
            },
            pointer: format!("/{at}/content"),
            table: Some("messages".to_owned()),
            row: Some(Uuid::from_u128(at as u128 + 1000)),
            column: Some("content".to_owned()),
            in_file,
            in_database,
            detail: (cause == Cause::Dangling).then(|| "users has no such row".to_owned()),
            secret: false,
            waived: None,
        });
    }
    let template = all[0].clone();
    for (at, hostile) in HOSTILE.into_iter().enumerate() {
        all.push(Difference {
            cause: Cause::ALL[at % Cause::ALL.len()],
            file: format!("chat_sessions/{hostile}.json"),
            pointer: format!("/{hostile}"),
            column: Some(hostile.to_owned()),
            table: Some(hostile.to_owned()),
            // Once as text alone, once as engines give it.
            in_file: Some(hostile.to_owned()),
            in_database: Some(json(hostile)),
            detail: Some(hostile.to_owned()),
            ..template.clone()
        });
    }
    let huge = "long ".repeat(250_000);
    all.push(Difference {
        cause: Cause::Unknown,
        in_file: Some(json(&format!("{huge}{PLANTED}{huge}"))),
        in_database: Some(json(&format!("{huge}{huge}"))),
        detail: Some("d".repeat(1_000_000)),
        file: format!("chat_sessions/{}.json", "f".repeat(100_000)),
        pointer: format!("/{}", "p".repeat(100_000)),
        ..template.clone()
    });
    all.push(Difference {
        cause: Cause::Unknown,
        secret: true,
        file: "memory/system_oauth.json".to_owned(),
        pointer: "/ya29.secret-token/0".to_owned(),
        in_file: Some(json("secret-payload")),
        in_database: Some(json("secret-payloads")),
        ..template.clone()
    });
    for _ in 0..2 {
        all.push(Difference {
            cause: Cause::Truncated,
            file: "chat_sessions/old.json".to_owned(),
            in_file: Some(json("a long title that was cut")),
            in_database: Some(json("a long title")),
            waived: Some("the old importer cut it, ticket 4711".to_owned()),
            ..template.clone()
        });
    }
    all
}

fn pair(cause: Cause) -> (Option<String>, Option<String>) {
    let both = |file: &str, database: &str| (Some(file.to_owned()), Some(database.to_owned()));
    match cause {
        Cause::MissingDocument => (None, None),
        Cause::OnlyInDatabase => (None, Some("{\"chat_id\":\"guest-1\",\"title\":null}".to_owned())),
        Cause::MissingRow => (Some(json("Is anybody there?")), None),
        Cause::ExtraRow => (None, Some(json("I was never in a file."))),
        Cause::Reordered => both("3", "4"),
        Cause::Precision => both("0.10000000000000000001", "0.1"),
        Cause::Timezone => both("\"2025-11-28T10:15:30+00:00\"", "\"2025-11-28T09:15:30.000000Z\""),
        Cause::PhpEmpty => both("{}", "[]"),
        Cause::Truncated => both("\"The last word was quite long\"", "\"The last word was\""),
        Cause::Encoding => both("\"Grüße aus Köln ✅\"", "\"GrÃ¼ÃŸe aus KÃ¶ln âœ…\""),
        Cause::Blanks => both("\"Hello\"", "\"Hello  \""),
        Cause::Case => both("\"Ada@example.org\"", "\"ada@example.org\""),
        Cause::Null => both("\"null\"", "null"),
        Cause::EditedInDatabase => both("\"caf\u{e9}\"", "\"cafe\u{301}\""),
        Cause::Unreadable => (Some("unreadable".to_owned()), Some("{}".to_owned())),
        _ => both("\"one side says this, at some length\"", "\"one side says that, at some length\""),
    }
}
