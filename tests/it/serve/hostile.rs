//! Text of strangers in pages, data, and metrics; and pages as a browser shows them.

use super::{Served, night};
use crate::browser;
use crate::util::Place;
use mailpulse_parsers::harmless::deceives;
use serde_json::Value;
use std::fmt::Write as _;

/// Markup, a handler, a script's end, an attribute's end, a template, a turn of the writing direction, a terminal's colour.
const HOSTILE: &str = "<script>alert(1)</script><img/src=x/onerror=alert(2)>\"'>{{7*7}}&lt;\u{202e}\u{1b}[31m\u{200b}";

/// A day of mail whose every text is hostile, and a name of 64 KiB.
fn place() -> Place {
    let place = Place::new();
    let long = "n".repeat(64 << 10);
    let mut log = String::new();
    for n in 0..200 {
        let time = format!("2018-06-06 {:02}:{:02}", 12 + n / 60, n % 60);
        let id = format!("1fQX{:02}-0001Ab-{:02}", n / 100 + 10, n % 100);
        let name = if n % 50 == 7 { long.as_str() } else { HOSTILE };
        let _ = write!(
            log,
            "{time}:01 {id} <= =x{name}@{HOSTILE}.example.org H=host{HOSTILE}.example.org ({HOSTILE}) [10.0.0.7] \
             P=esmtpsa A=plain:{HOSTILE} S=500 id={id}@example.org\n\
             {time}:02 {id} => you@{HOSTILE}.example.net R=dns T=smtp H=mx{HOSTILE}.example.net [198.51.100.1] C=\"250 ok\"\n\
             {time}:03 {id} == other@example.net R=dnslookup T=remote_smtp defer (-44): SMTP error: 451 {HOSTILE}\n\
             {HOSTILE}{time}:05 nonsense {HOSTILE}\n\
             {time}:06 {id} Completed\n"
        );
    }
    place.write("main.log", log);
    place.backfill_as(&format!("mx{}", HOSTILE.replace('/', "_")), &[&place.path("main.log")]);
    if place.events() == 0 {
        place.backfill(&[&place.path("main.log")]).ends(0);
    }
    assert!(place.events() > 300, "{}", place.events());
    place
}

/// All pages that a page leads to, a few of each kind.
fn crawl(served: &Served) -> Vec<(String, String)> {
    let (mut links, mut pages) = (vec!["/?state=all".to_owned()], Vec::new());
    let mut kinds = std::collections::BTreeMap::new();
    let mut at = 0;
    while at < links.len() {
        let link = links[at].clone();
        at += 1;
        let seen = kinds
            .entry(link.split('?').next().unwrap_or_default().to_owned())
            .or_insert(0);
        *seen += 1;
        if *seen > 3 || link.starts_with("/graph.png") {
            continue;
        }
        let reply = served.settled(&link);
        assert!([200, 404].contains(&reply.status), "{link}: {}", reply.body);
        for next in reply.body.split("href=\"").skip(1) {
            let next = next.split('"').next().unwrap().replace("&amp;", "&");
            if next.starts_with('/') && !links.contains(&next) {
                links.push(next);
            }
        }
        pages.push((link, reply.body));
    }
    pages
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn no_page_and_no_answer_has_what_runs_or_deceives() {
    let place = place();
    let served = Served::start(&place, &[]);
    let mut pages = crawl(&served);
    assert!(pages.len() > 12, "{}", pages.len());
    for path in [
        "/metrics",
        "/api/v1/now",
        "/api/v1/services",
        "/api/v1/providers",
        "/api/v1/rates?from=2018-06-06T12:00Z&to=2018-06-06T16:00Z",
    ] {
        pages.push((path.to_owned(), served.page(path)));
    }
    let mut is_shown = false;
    for (path, body) in &pages {
        let bad = body.chars().find(|c| *c != '\n' && deceives(*c));
        assert!(bad.is_none(), "{path}: {bad:?}");
        is_shown |= body.contains("alert(1)");
        if path.starts_with("/api/") || path.starts_with("/graph.json") {
            let _: Value = serde_json::from_str(body).expect("JSON");
            continue;
        }
        if path == "/metrics" || path.starts_with("/graph.csv") {
            continue;
        }
        assert!(!body.contains("<script>") && !body.contains("<img"), "{path}: {body}");
        assert!(
            !body.contains("javascript:") && !body.contains("n".repeat(1_000).as_str()),
            "{path}"
        );
    }
    assert!(is_shown, "the names are there");
}

#[test]
#[ignore = "lab: needs chromium"]
fn a_browser_shows_each_page_without_a_complaint() {
    let hostile = place();
    let served = Served::start(&hostile, &[]);
    let look = |served: &Served, path: &str, width: u32, dark: bool| {
        // What takes long has been computed before the browser looks.
        served.page(path);
        let shown = browser::open_url(&format!("http://127.0.0.1:{}{path}", served.port), (width, 1600), dark);
        assert!(shown.console.is_empty(), "{path}: {:?}", shown.console);
        assert!(shown.colours() > 40, "{path} was not drawn: {}", shown.colours());
        shown
    };
    for (path, _) in crawl(&served)
        .into_iter()
        .filter(|(path, _)| !path.contains("/graph."))
        .take(4)
    {
        look(&served, &path, 1200, false);
    }
    let served = Served::start(night(), &["--at", "2018-06-06T22:00Z"]);
    look(&served, "/service?name=phabricator", 1200, false);
    look(&served, "/relay?name=mx1001", 1200, true);
    look(&served, "/sources", 390, false);
    let shown = look(&served, "/", 390, true);
    assert!(shown.dom.contains("mx1001 has taken nothing since"), "{}", shown.dom);
}
