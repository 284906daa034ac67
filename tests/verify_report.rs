//! The report as a browser shows it: on a phone and on a desk, in light and dark, printed, and with
//! values that would rather be markup.

#[path = "verify_report/example.rs"]
mod example;
mod support;

use std::fs;

use serde_json::Value;
use transload::verify::outcome::Outcome;
use transload::verify::report;

use example::{agreeing, differing, unchecked, HOSTILE, PLANTED};
use support::chromium::{Browser, Looked};

const PROBE: &str = include_str!("verify_report/probe.html");
const DARK: &str = "--blink-settings=preferredColorScheme=0";
const LIGHT: &str = "--blink-settings=preferredColorScheme=1";

/// What the probe found in its two frames, phone and desk, once nothing was said on the console and
/// nothing hostile has run.
fn probe(browser: &Browser, planted: &str, scheme: &str) -> [Value; 2] {
    let (found, console) = probe_any(browser, planted, scheme);
    assert!(console.is_empty(), "{console:#?}");
    assert_eq!(found["hostile"], Value::Null);
    match found["frames"].as_array().map(Vec::as_slice) {
        Some([phone, desk]) => [phone.clone(), desk.clone()],
        _ => panic!("two frames were to be looked at: {found}"),
    }
}

fn probe_any(browser: &Browser, planted: &str, scheme: &str) -> (Value, Vec<String>) {
    browser.write("probe.html", &PROBE.replace("PAGE", "report.html").replace("PLANTED", planted));
    let Looked { stdout, console } = browser.open("probe.html", &[scheme, "--window-size=1300,900", "--dump-dom"]);
    let json = stdout.split("<pre id=\"found\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let json = decoded(json.unwrap_or_else(|| panic!("not the probe's page: {stdout:?}")));
    (serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json:?} {console:#?}")), console)
}

/// The inverse of JavaScript's `encodeURIComponent`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).expect("two digits follow");
        bytes.push(if byte == b'%' { (digit() * 16 + digit()) as u8 } else { byte });
    }
    String::from_utf8(bytes).expect("the probe writes UTF-8")
}

/// What every report must be, whatever it says.
fn assert_sound(frame: &Value) {
    let is = |member: &str, expected: Value| assert_eq!(frame[member], expected, "{member}");
    is("overflow", 0.into());
    is("title_visible", true.into());
    is("styled", true.into());
    is("hostile", Value::Null);
    is("links", Value::Array(Vec::new()));
    is("ids_twice", Value::Array(Vec::new()));
    is("labels_lost", 0.into());
    is("h1", 1.into());
    is("levels_skipped", 0.into());
    is("landmarks", ["header", "main", "footer"].map(Value::from).to_vec().into());
    is("tables_bare", 0.into());
    is("pictures", 0.into());
    is("directions", 0.into());
    for (member, known) in [("elements", ELEMENTS), ("attributes", ATTRIBUTES)] {
        let found = frame[member].as_array().expect("a list of names");
        assert!(found.len() > 10, "{member}: {found:?}");
        for name in found {
            assert!(known.split(' ').any(|known| name == known), "{member}: {name}");
        }
    }
    // WCAG 2 asks for 4.5 with text of ordinary size.
    assert!(frame["contrast"]["ratio"].as_f64() >= Some(4.5), "{}", frame["contrast"]);
}

/// The markup that a report is made of. Nothing here runs, loads or leads elsewhere.
const ELEMENTS: &str = "a article b body caption circle code dd div dl dt figcaption figure footer h1 h2 h3 h4 head \
                        header html i li main mark meta p path rect section span strong style svg table tbody td tfoot \
                        th thead time title tr ul";
const ATTRIBUTES: &str = "aria-hidden aria-labelledby charset class colspan content cx cy d datetime height href \
                          http-equiv id lang name preserveAspectRatio r role rx scope tabindex viewBox width x y";

fn text(frame: &Value) -> &str {
    frame["text"].as_str().expect("the page's text")
}

fn render(browser: &Browser, outcome: &Outcome, redact: bool) -> String {
    let html = report::html(outcome, redact);
    browser.write("report.html", &html);
    html
}

#[test]
fn a_report_that_agrees_says_so_first_on_a_phone_and_on_a_desk_in_light_and_dark() {
    let browser = Browser::new();
    render(&browser, &agreeing(), false);
    for (scheme, dark) in [(LIGHT, false), (DARK, true)] {
        for frame in probe(&browser, PLANTED, scheme) {
            assert_sound(&frame);
            assert_eq!(frame["dark"], dark);
            assert_eq!(frame["title"], "Files and database agree");
            assert!(text(&frame).contains("1,210 documents were compared value by value, and nothing differs."));
        }
    }
}

#[test]
fn a_report_of_differences_shows_the_planted_one_and_hostile_values_do_not_run() {
    let browser = Browser::new();
    let html = render(&browser, &differing(), false);
    assert!(html.len() < 1 << 20, "{} bytes, though single values have a megabyte", html.len());
    for scheme in [LIGHT, DARK] {
        for frame in probe(&browser, PLANTED, scheme) {
            assert_sound(&frame);
            assert_eq!(frame["title"], "Files and database differ");
            assert_eq!((&frame["planted"], &frame["planted_visible"]), (&Value::from(1), &Value::from(true)));
            // They are there to be read, as the text that they are.
            for hostile in HOSTILE.iter().filter(|hostile| !hostile.contains(|c: char| !(' '..='~').contains(&c))) {
                assert!(text(&frame).contains(hostile), "{hostile}");
            }
            for shown in ["U+202E", "U+2066", "U+001B", "U+0000", "U+2028", "… 999,600 more …"] {
                assert!(text(&frame).contains(shown), "{shown}");
            }
        }
    }
}

#[test]
fn a_check_that_could_not_be_done_does_not_look_like_agreement() {
    let browser = Browser::new();
    render(&browser, &unchecked(), false);
    for frame in probe(&browser, PLANTED, LIGHT) {
        assert_sound(&frame);
        assert_eq!(frame["title"], "The check could not be done");
        assert!(text(&frame).contains("Nothing was compared: the source holds no file of a known layout."));
    }
}

#[test]
fn a_redacted_report_holds_no_value_and_a_secret_is_never_shown() {
    let browser = Browser::new();
    let open = render(&browser, &differing(), false);
    let redacted = render(&browser, &differing(), true);
    for secret in ["secret-payload", "ya29.secret-token"] {
        assert!(!open.contains(secret) && !redacted.contains(secret), "{secret}");
    }
    for value in ["da@example.org", PLANTED, "The last word", "0000000000000000001", "a long title"] {
        assert!(open.contains(value), "{value}");
        assert!(!redacted.contains(value), "{value}");
    }
    for frame in probe(&browser, PLANTED, LIGHT) {
        assert_sound(&frame);
        assert_eq!(frame["marks"], 0);
        assert!(text(&frame).contains("text of 15 characters"), "the type and length of an address");
    }
}

#[test]
fn the_pages_policy_stops_what_escaping_would_let_pass_and_the_probe_sees_it() {
    let browser = Browser::new();
    let html = report::html(&agreeing(), false);
    let broken = html.replace("<main id=main>", "<main id=main><img src=x onerror=top.hostile=1><style>*{}</style>");
    browser.write("report.html", &broken);
    let (found, console) = probe_any(&browser, PLANTED, LIGHT);
    assert_eq!(found["hostile"], Value::Null);
    assert!(console.iter().any(|line| line.contains("Content Security Policy")), "{console:#?}");
    let unguarded = broken.replace("Content-Security-Policy", "x");
    assert_ne!(unguarded, broken);
    browser.write("report.html", &unguarded);
    assert_eq!(probe_any(&browser, PLANTED, LIGHT).0["hostile"], 1);
}

#[test]
fn a_report_prints_and_gives_a_picture() {
    let browser = Browser::new();
    render(&browser, &differing(), false);
    let (pdf, png) = (browser.path("report.pdf"), browser.path("report.png"));
    let looked = browser.open("report.html", &["--no-pdf-header-footer", &format!("--print-to-pdf={}", pdf.display())]);
    assert!(looked.console.is_empty(), "{:#?}", looked.console);
    let pdf = fs::read(pdf).expect("a PDF was made");
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 50_000, "{} bytes", pdf.len());
    let looked = browser.open("report.html", &["--window-size=1280,900", &format!("--screenshot={}", png.display())]);
    assert!(looked.console.is_empty(), "{:#?}", looked.console);
    let png = fs::read(png).expect("a picture was made");
    // An empty sheet of this size takes a tenth of it.
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() > 40_000, "{} bytes", png.len());
}

#[test]
fn the_same_outcome_is_the_same_page() {
    assert_eq!(report::html(&differing(), false), report::html(&differing(), false));
}
