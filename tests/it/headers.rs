//! One log in every form that Exim's headers can have gives the same events (tests/lab/header_variants.py).
//!
//! What may differ, and is left out of the comparison: `event_id` (offsets and lines differ), parts of a second in `ts`,
//! and `queue_ms`, `delivery_ms` where the log does not print them and they are made of such times.

use crate::lab::{lab, program};
use crate::logs::{root, run, text};
use crate::util::Place;
use mailpulse::query::{self, Window};
use mailpulse::store::columnar::{Table, Values};
use std::path::PathBuf;
use std::sync::OnceLock;
use tempfile::TempDir;

const FORMS: [&str; 16] = [
    "plain",
    "ms",
    "zone",
    "pid",
    "all",
    "docker",
    "cri",
    "compose",
    "dated",
    "composedated",
    "dockercompose",
    "dockersyslog",
    "crisyslog",
    "composesyslog",
    "syslog",
    "rfc3339",
];

/// Heads around the line as Exim gives it to syslog, and what they are told apart by.
const HEADS: [&str; 17] = [
    "rfc5424",
    "busybox",
    "precise",
    "shortfull",
    "shortunix",
    "year",
    "nohost",
    "level",
    "freebsd",
    "aix",
    "solaris",
    "forwarded",
    "spaced",
    "tag",
    "nested",
    "nestedtag",
    "journal",
];

/// Everything but what a header decides; to the second.
const COLUMNS: &str = "host, source, kind, service, hostgroup, relay, first_hop, destination, queue_id, message_key, \
    client, client_ip, sender, recipient, remote_host, remote_ip, bytes, messages, recipients, smtp_code, \
    enhanced_code, reason";

fn variants(ids: &str) -> PathBuf {
    static DIR: OnceLock<TempDir> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let script = root().join("tests/lab/header_variants.py");
        let log = lab("all").join("mainlog");
        for ids in ["old", "new"] {
            let out = dir.path().join(ids);
            run(program("python3").args([text(&script), text(&log), text(&out), "--ids", ids]));
        }
        dir
    });
    dir.path().join(ids)
}

/// The rows of a form, and how many lines were read.
fn rows(ids: &str, form: &str) -> (Table, u64) {
    let place = Place::new();
    let run = place.backfill(&[&variants(ids).join(format!("{form}.log"))]).ends(0);
    let totals = run.totals();
    assert_eq!(totals.unparsed, 0, "{form}: {}", run.out);
    assert_eq!(place.events() as u64, totals.events, "{form}");
    let sql = format!("SELECT ts_ms - ts_ms % 1000 AS second, {COLUMNS} FROM events ORDER BY log_offset");
    (
        query::select(&place.store(), &sql, Window::ALL).expect("rows"),
        totals.lines,
    )
}

#[track_caller]
fn same(form: &str, left: &Table, right: &Table, but: &[&str]) {
    assert_eq!(left.rows(), right.rows(), "{form}");
    for (a, b) in left.columns.iter().zip(&right.columns) {
        if !but.contains(&a.name.as_str()) && a.values != b.values {
            let (a_text, b_text) = (format!("{:?}", a.values), format!("{:?}", b.values));
            let at = a_text
                .bytes()
                .zip(b_text.bytes())
                .take_while(|(a, b)| a == b)
                .count()
                .saturating_sub(40);
            panic!(
                "{form}: {} differs:\n{:.200}\n{:.200}",
                a.name,
                &a_text[at..],
                &b_text[at..]
            );
        }
    }
}

#[test]
#[ignore = "lab: needs root and exim4"]
fn every_form_of_header_gives_the_same_events() {
    let (plain, lines) = rows("old", "plain");
    assert!(plain.rows() > 300, "{}", plain.rows());
    for form in FORMS[1..].iter().chain(&HEADS) {
        let (other, other_lines) = rows("old", form);
        same(form, &plain, &other, &[]);
        // Syslog cuts long lines, so its files have more of them.
        let cut = form.ends_with("syslog") || *form == "rfc3339" || HEADS.contains(form);
        assert_eq!(other_lines > lines, cut, "{form}");
        assert!(cut || other_lines == lines, "{form}");
    }
}

#[test]
#[ignore = "lab: needs root and exim4"]
fn milliseconds_of_the_header_are_kept() {
    let place = Place::new();
    place.backfill(&[&variants("old").join("ms.log")]).ends(0);
    assert!(place.number("SELECT COUNT(*) AS n FROM events WHERE ts_ms % 1000 <> 0") > 100);
    let place = Place::new();
    place.backfill(&[&variants("old").join("plain.log")]).ends(0);
    assert_eq!(
        place.number("SELECT COUNT(*) AS n FROM events WHERE ts_ms % 1000 <> 0"),
        0
    );
}

#[test]
#[ignore = "lab: needs root and exim4"]
fn long_message_ids_give_the_same_events_but_for_the_id() {
    let (old, old_lines) = rows("old", "all");
    for form in ["all", "rfc3339"] {
        let (new, _) = rows("new", form);
        // Message-IDs that Exim makes hold its own.
        same(form, &old, &new, &["queue_id", "message_key"]);
        let ids = |table: &Table| match &table
            .columns
            .iter()
            .find(|column| column.name == "queue_id")
            .unwrap()
            .values
        {
            Values::Text(ids) => ids.iter().flatten().map(String::len).max().unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!((ids(&old), ids(&new)), (16, 23));
    }
    assert_eq!(old_lines, rows("new", "all").1);
}
