//! Text of strangers in every answer: nothing that steers a terminal, on a terminal and off it. And what is secret of the
//! configuration stays out of all that is printed and kept.

use crate::util::{Place, Run};
use mailpulse_parsers::harmless::deceives;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

/// A colour, a title, a link of a terminal, C1 controls, a turn of the writing direction, what nobody sees.
const HOSTILE: &str =
    "\u{1b}[31m\u{1b}]0;title\u{7}\u{1b}]8;;http://evil\u{7}\u{9b}2J\u{9d}x\u{202e}gnp\u{200b}\u{feff}\u{2066}\u{7f}";

/// Three hours of mail whose every text is hostile, and lines that are none.
fn hostile_log() -> String {
    let mut log = String::new();
    for n in 0..180 {
        let time = format!("2018-06-06 {:02}:{:02}", 12 + n / 60, n % 60);
        let id = format!("1fQX{:02}-0001Ab-{:02}", n / 100 + 10, n % 100);
        let _ = write!(
            log,
            "{time}:01 {id} <= =cmd{HOSTILE}@{HOSTILE}.example.org H=host{HOSTILE}.example.org ({HOSTILE}) [192.0.2.7] \
             P=esmtpsa A=plain:{HOSTILE} S=5x{HOSTILE} id={HOSTILE}@{HOSTILE}.example.org\n\
             {time}:02 {id} => you{HOSTILE}@{HOSTILE}.example.net R=dns{HOSTILE} T=smtp{HOSTILE} H=mx{HOSTILE}.net \
             [198.51.100.1] C=\"250 {HOSTILE}\"\n\
             {time}:03 {id} == other@example.net R=dnslookup T=remote_smtp defer (-44): SMTP error: 451 {HOSTILE}\n\
             {time}:04 {id} <={HOSTILE}\n\
             {HOSTILE}{time}:05 nonsense {HOSTILE}\n\
             {time}:06 {id} Completed\n"
        );
    }
    log
}

#[track_caller]
fn assert_harmless(what: &str, run: &Run) {
    for (name, text) in [("stdout", &run.out), ("stderr", &run.err)] {
        let bad = text.lines().find(|line| line.chars().any(deceives));
        assert!(bad.is_none(), "{what}: {name}: {bad:?}");
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn no_answer_in_any_form_has_what_steers_a_terminal() {
    let place = Place::new();
    let log = place.write(&format!("main{HOSTILE}log").replace('/', "_"), hostile_log());
    let run = place.backfill(&[&log]);
    assert_harmless("backfill", &run);
    run.ends(0);
    assert!(place.events() > 500);
    let names = place.run(&[
        "query",
        "--sql",
        "SELECT DISTINCT client FROM events",
        "--format",
        "csv",
    ]);
    assert!(names.out.contains("\\u{1b}]8;;http://evil"), "{}", names.out);
    let mut asked: Vec<Vec<&str>> = Vec::new();
    for form in ["table", "json", "csv"] {
        for question in [
            &["query", "--sql", "SELECT * FROM events"][..],
            &["query", "top_services"],
            &["query", "--list"],
            &["detect"],
            &["routes", "--check"],
            &["services"],
            &["status"],
            &["status", "--limits"],
            &["trace", "1fQX10-0001Ab-07"],
        ] {
            asked.push([question, &["--format", form]].concat());
        }
    }
    let window = ["--since", "2018-06-06 12:00", "--until", "2018-06-06 15:00"];
    for form in ["json", "markdown", "html"] {
        asked.push([&["incident", "--format", form][..], &window].concat());
        asked.push([&["report", "--format", form][..], &window].concat());
    }
    for more in [
        &["graph"][..],
        &["graph", "--service", "unattributed"],
        &["services", "discover"],
        &["status", "--nagios"],
        &["store", "verify"],
        &["query", "--sql", "SELECT '\u{9b}' FROM nowhere"],
        &["query", "nosuch\u{1b}[31m"],
    ] {
        asked.push(more.to_vec());
    }
    for args in asked {
        let run = place.run(&args);
        assert_harmless(&args.join(" "), &run);
        if args.contains(&"json") {
            let _: Value = serde_json::from_str(&run.out).expect("JSON");
        }
    }
    let path = log.to_str().unwrap();
    for explain in [&["parse", path][..], &["parse", "--explain", path]] {
        let run = place.run(explain).ends(0);
        assert_harmless("parse", &run);
        let first: Value = serde_json::from_str(run.out.lines().next().unwrap()).unwrap();
        assert!(first["sender"].as_str().unwrap().contains(HOSTILE), "{first}");
    }
    let picture = place.path("rates.svg");
    place.run(&["graph", "--out", picture.to_str().unwrap()]).ends(0);
    let drawn = fs::read_to_string(picture).unwrap();
    assert!(!drawn.chars().any(|c| c != '\n' && deceives(c)));
}

/// A server that refuses everything, and repeats the address as many do; what it was sent last.
fn refusing(answers: usize) -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let mut last = String::new();
        for stream in listener.incoming().take(answers) {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            while !String::from_utf8(request.clone()).unwrap().contains("\"summary\"") {
                let n = stream.read(&mut piece).unwrap();
                assert!(n > 0, "no body");
                request.extend_from_slice(&piece[..n]);
            }
            last = String::from_utf8(request).unwrap();
            let path = last.split(' ').nth(1).unwrap();
            let body = format!("{{\"message\":\"Cannot POST {path}\"}}");
            let head = format!(
                "HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).unwrap();
        }
        last
    });
    (port, thread)
}

#[test]
fn the_secret_of_a_webhook_stays_in_the_configuration() {
    const SECRET: &str = "T024BE7LD/B03HOOK/XyZ0123456789abcdef";
    let place = Place::new();
    let log = place.write("mainlog", hostile_log());
    place.backfill(&[&log]).ends(0);
    let (port, server) = refusing(1);
    let config = fs::read_to_string(place.path("mailpulse.toml")).unwrap();
    let alert = format!(
        "[[alert]]\nkind = \"webhook\"\nurl = \"http://user:hunter2hunter2@127.0.0.1:{port}/{SECRET}?token=abc12345\"\n"
    );
    place.write("mailpulse.toml", format!("{config}\n{alert}"));
    // Nothing has come into the store for years: that is an alarm, which is refused.
    let watched = place.run(&["-vv", "watch", "--once"]).ends(1);
    let sent = server.join().unwrap();
    assert!(sent.contains(SECRET), "{sent}");
    assert!(
        watched.err.contains(&format!("http://127.0.0.1:{port}: answered 404")),
        "{}",
        watched.err
    );
    assert!(watched.err.contains("Cannot POST"), "{}", watched.err);
    let state = fs::read_to_string(place.path("store/alerts.json")).unwrap();
    // The server is gone: the client's own words.
    let again = place.run(&["watch", "--once"]).ends(1);
    let mut told = vec![watched.err, state, again.err];
    for args in [
        &["status"][..],
        &["status", "--nagios"],
        &["check"],
        &["status", "--format", "json"],
    ] {
        let run = place.run(args);
        told.extend([run.out, run.err]);
    }
    let broken = alert.replace("http://", "htp://");
    place.write("mailpulse.toml", format!("{config}\n{broken}"));
    let checked = place.run(&["check"]).ends(2);
    assert!(checked.err.contains("is not a URL"), "{}", checked.err);
    told.push(checked.err);
    for text in told {
        for secret in ["T024BE7LD", "B03HOOK", "XyZ0123456789", "abc12345", "hunter2"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
