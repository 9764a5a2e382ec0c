//! An Exim in the foreground prints no times: with one around each line it is read, without it is told why not.

use super::{backfill, input, kinds, reads};
use crate::util::Place;
use std::fs;

const CASE: &str = "03-exim-container-stdout";
const EVENTS: &str = "accepted 1, completed 1, delivered 1, rejected 1";

#[test]
fn without_times_it_is_told_in_words() {
    for kind in [Some("exim"), None] {
        let place = Place::new();
        let run = backfill(&place, &input(CASE, "input.log"), kind, "2025").ends(2);
        let said = format!("{}{}", run.out, run.err);
        for word in ["has no times", "exim -bd -v", "docker logs --timestamps"] {
            assert!(said.contains(word), "{said}");
        }
        assert!(!said.contains("no mail log that is known"), "{said}");
        assert_eq!(place.events(), 0);
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn with_times_around_it_every_line_is_read() {
    let log = fs::read_to_string(input(CASE, "input.log")).unwrap();
    let each = |head: &dyn Fn(&str) -> String| log.lines().map(|line| head(line) + "\n").collect::<String>();
    for (name, text) in [
        (
            "docker logs --timestamps",
            each(&|line| format!("2025-11-19T13:39:04.123456789Z {line}")),
        ),
        (
            "json-file",
            each(&|line| {
                let entry = serde_json::json!({"log": format!("{line}\n"), "stream": "stderr", "time": "2025-11-19T13:39:04.1Z"});
                entry.to_string()
            }),
        ),
        ("CRI", each(&|line| format!("2025-11-19T13:39:04.1Z stderr F {line}"))),
        (
            "compose",
            each(&|line| format!("exim-1  | 2025-11-19T13:39:04.123456789Z {line}")),
        ),
        ("syslog", each(&|line| format!("Nov 19 13:39:04 mx1 exim[7]: {line}"))),
        (
            "container's syslog",
            each(&|line| format!("Nov 19 13:39:04 mx1 3f2e1d0c9b8a[7]: {line}")),
        ),
    ] {
        for kind in [Some("exim"), None] {
            let place = Place::new();
            let log = place.write("log", &text);
            let run = backfill(&place, &log, kind, "2025").ends(0);
            assert_eq!(
                (kinds(&place).as_str(), run.totals().unparsed),
                (EVENTS, 0),
                "{name}: {}",
                run.out
            );
            let remote = "SELECT COUNT(*) AS n FROM events WHERE kind = 'delivered' AND destination = 'remote'";
            assert_eq!(place.number(remote), 1, "{name}");
            // One mail: its delivery has its sender.
            let one = "SELECT COUNT(DISTINCT queue_id) AS n FROM events WHERE kind <> 'rejected'";
            assert_eq!(place.number(one), 1, "{name}");
            let at = place.sql("SELECT DISTINCT ts FROM events");
            assert!(
                at.iter()
                    .all(|row| row["ts"].as_str().unwrap().starts_with("2025-11-19T13:39:04")),
                "{at:?}"
            );
        }
    }
}

#[test]
fn it_is_read_while_it_grows_too() {
    let log = fs::read_to_string(input(CASE, "input.log")).unwrap();
    let place = Place::new();
    let path = place.write("log", "");
    let mut grown = String::new();
    for line in log.lines() {
        grown += &format!("2025-11-19T13:39:04.123456789Z {line}\n");
        fs::write(&path, &grown).unwrap();
        backfill(&place, &path, Some("exim"), "2025").ends(0);
    }
    assert_eq!(kinds(&place), EVENTS);
    let parsed = place.run(&["parse", path.to_str().unwrap()]).ends(0).out;
    assert_eq!(parsed.matches("\"status\":\"event\"").count(), 4, "{parsed}");
}

#[test]
fn a_main_log_beside_it_goes_before_it() {
    let place = Place::new();
    let mail = "2025-11-19 13:39:04 1vLh1s-00000001AbC-2DeF <= a@example.org H=h [10.0.0.5] P=esmtp S=900";
    let text = format!(
        "exim-1  | {mail}\nexim-1  |     9 LOG: MAIN\nexim-1  |     9   <= a@example.org H=h [10.0.0.5] P=esmtp S=900\n"
    );
    let log = place.write("log", text);
    backfill(&place, &log, Some("exim"), "2025").ends(0);
    assert_eq!(kinds(&place), "accepted 1");
}

#[test]
fn reads_is_strict() {
    // The helper of these modules says so when something differs.
    let wrong = std::panic::catch_unwind(|| {
        reads(
            "15-postfix-no-host-in-the-head",
            "input.log",
            "postfix",
            "2025",
            "accepted 9",
        )
    });
    assert!(wrong.is_err());
}
