//! Postfix's queue IDs over time: used again, lost on the way into the queue, known only from an older archive.

use crate::lab::postfix_lab;
use crate::util::{Place, assert_same_rows};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// Lines of one host's Postfix, from 2018-06-06 18:00 UTC; a number is the second, a word the program.
pub fn log(host: &str, lines: &[(u32, &str, &str)]) -> String {
    let mut log = String::new();
    for (second, program, text) in lines {
        let (day, hour) = (6 + second / 86_400, second / 3600 % 24);
        let (minute, second) = (second / 60 % 60, second % 60);
        writeln!(
            log,
            "2018-06-{day:02}T{hour:02}:{minute:02}:{second:02}.000000+00:00 {host} postfix/{program}[77]: {text}"
        )
        .unwrap();
    }
    log
}

/// 18:00:00.
pub const T: u32 = 18 * 3600;

fn backfill(place: &Place, log: &Path) {
    let run = place.backfill_as("mx1", &[log]).ends(0);
    assert_eq!(run.totals().unparsed, 0, "{}", run.out);
}

/// `kind sender messages` of all events.
fn told(place: &Place) -> Vec<String> {
    place
        .sql("SELECT kind, sender, COUNT(*) AS n FROM events GROUP BY kind, sender ORDER BY kind, sender")
        .iter()
        .map(|row| {
            format!(
                "{} {} {}",
                row["kind"].as_str().unwrap(),
                row["sender"].as_str().unwrap(),
                row["n"]
            )
        })
        .collect()
}

const OUT: &str = "relay=mx.example.com[192.0.2.1]:25, delay=1, delays=0.1/0/0.2/0.7, dsn=2.0.0, status=sent (250 ok)";
const LATER: &str = "relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (connect to mx.example.com[192.0.2.1]:25: Connection timed out)";

/// Two messages under one ID; without `removed` of the first if `lost`.
fn twice(lost: bool) -> String {
    let sent = format!("3F2A31C0: to=<x@example.com>, {OUT}");
    let deferred = format!("3F2A31C0: to=<x@example.com>, {LATER}");
    let mut lines = vec![
        (T, "smtpd", "3F2A31C0: client=web1.example.org[192.0.2.8]"),
        (T, "cleanup", "3F2A31C0: message-id=<1@web1.example.org>"),
        (
            T,
            "qmgr",
            "3F2A31C0: from=<gerrit@example.org>, size=900, nrcpt=1 (queue active)",
        ),
        (T + 1, "smtp", &deferred),
        (T + 60, "qmgr", "3F2A31C0: removed"),
        (T + 61, "smtpd", "3F2A31C0: client=web2.example.org[192.0.2.9]"),
        (T + 61, "cleanup", "3F2A31C0: message-id=<2@web2.example.org>"),
        (
            T + 61,
            "qmgr",
            "3F2A31C0: from=<hue@example.org>, size=800, nrcpt=1 (queue active)",
        ),
        (T + 62, "smtp", &sent),
        (T + 62, "qmgr", "3F2A31C0: removed"),
    ];
    if lost {
        lines.remove(4);
    }
    log("mx1", &lines)
}

#[test]
fn an_id_that_is_used_again_is_another_message() {
    for lost in [false, true] {
        let whole = Place::new();
        backfill(&whole, &whole.write("mail.log", twice(lost)));
        let mut expected = vec![
            "accepted gerrit@example.org 1",
            "accepted hue@example.org 1",
            "completed gerrit@example.org 1",
            "completed hue@example.org 1",
            "deferred gerrit@example.org 1",
            "delivered hue@example.org 1",
        ];
        if lost {
            expected.remove(2);
        }
        assert_eq!(told(&whole), expected, "lost: {lost}");
        assert_eq!(
            whole.number("SELECT SUM(bytes) AS n FROM events WHERE kind = 'delivered'"),
            800
        );
        // The same, cut anywhere into two runs: what a run that was killed knew is what it committed.
        let lines: Vec<String> = twice(lost).lines().map(|line| format!("{line}\n")).collect();
        for at in 1..lines.len() {
            let place = Place::new();
            let path = place.write("mail.log", lines[..at].concat());
            backfill(&place, &path);
            append(&path, &lines[at..].concat());
            backfill(&place, &path);
            assert_same_rows(&whole.rows(), &place.rows());
        }
    }
}

#[test]
fn an_id_that_is_freed_and_used_again_between_two_commits_is_not_lost() {
    let lines: Vec<String> = twice(false).lines().map(|line| format!("{line}\n")).collect();
    let place = Place::new();
    let path = place.write("mail.log", lines[..4].concat());
    backfill(&place, &path);
    // `removed` of the one and `client=` of the other stand in one commit.
    append(&path, &lines[4..6].concat());
    backfill(&place, &path);
    append(&path, &lines[6..].concat());
    backfill(&place, &path);
    let whole = Place::new();
    backfill(&whole, &whole.write("mail.log", twice(false)));
    assert_same_rows(&whole.rows(), &place.rows());
}

fn append(path: &Path, text: &str) {
    let mut file = fs::File::options().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_real_log_read_in_pieces_gives_the_same_rows() {
    for ids in ["short", "long"] {
        let text = fs::read_to_string(postfix_lab(ids).join("mail.rfc3339.log")).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let whole = Place::new();
        backfill(&whole, &whole.write("mail.log", &text));
        let place = Place::new();
        let path = place.write("mail.log", "");
        for piece in lines.chunks(37) {
            append(&path, &piece.concat());
            backfill(&place, &path);
        }
        assert_same_rows(&whole.rows(), &place.rows());
    }
}

#[test]
fn a_retry_gets_its_sender_from_an_older_archive_that_comes_later() {
    let deferred = format!("3F2A31C0: to=<x@example.com>, {LATER}");
    let sent = format!("3F2A31C0: to=<x@example.com>, {OUT}");
    let older = log(
        "mx1",
        &[
            (T, "smtpd", "3F2A31C0: client=web1.example.org[192.0.2.8]"),
            (T, "cleanup", "3F2A31C0: message-id=<1@web1.example.org>"),
            (
                T,
                "qmgr",
                "3F2A31C0: from=<gerrit@example.org>, size=900, nrcpt=1 (queue active)",
            ),
            (T + 1, "smtp", &deferred),
        ],
    );
    for qmgr in [true, false] {
        let mut lines = vec![
            (
                T + 90_000,
                "qmgr",
                "3F2A31C0: from=<gerrit@example.org>, size=900, nrcpt=1 (queue active)",
            ),
            (T + 90_001, "smtp", &*deferred),
            (T + 96_000, "smtp", &*sent),
            (T + 96_000, "qmgr", "3F2A31C0: removed"),
        ];
        if !qmgr {
            lines.remove(0);
        }
        let newer = log("mx1", &lines);
        let rows =
            "SELECT ts_ms, kind, sender, client, service, queue_id, bytes, first_hop FROM events ORDER BY ts_ms, kind";
        let in_order = Place::new();
        backfill(&in_order, &in_order.write("mail.log.1", &older));
        backfill(&in_order, &in_order.write("mail.log", &newer));
        let late = Place::new();
        backfill(&late, &late.write("mail.log", &newer));
        assert_eq!(
            late.number("SELECT COUNT(*) AS n FROM events WHERE kind = 'accepted'"),
            0
        );
        backfill(&late, &late.write("mail.log.1", &older));
        let told = late.sql(rows);
        assert_eq!(told.len(), 5);
        for row in &told {
            assert_eq!(
                (row["sender"].as_str(), row["client"].as_str()),
                (Some("gerrit@example.org"), Some("web1.example.org")),
                "{row}"
            );
        }
        // The size stands in the arrival's line alone, which the delivery's row no longer sees.
        let but_size = rows.replace("bytes, ", "");
        crate::util::assert_same_answers(&in_order.sql(&but_size), &late.sql(&but_size));
        for sum in ["messages", "recipients"] {
            let by_kind = format!("SELECT kind, SUM({sum}) AS n FROM events GROUP BY kind ORDER BY kind");
            assert_eq!(in_order.sql(&by_kind), late.sql(&by_kind), "{sum}");
        }
    }
}

#[test]
fn the_turn_of_the_year_in_a_log_without_years() {
    let line = |date: &str, id: &str, text: &str| format!("{date} mx1 postfix/{id}: {text}\n");
    let december = [
        line(
            "Dec 31 23:59:58",
            "smtpd[1]",
            "3F2A31C0: client=web1.example.org[192.0.2.8]",
        ),
        line(
            "Dec 31 23:59:58",
            "cleanup[1]",
            "3F2A31C0: message-id=<1@web1.example.org>",
        ),
        line(
            "Dec 31 23:59:59",
            "qmgr[1]",
            "3F2A31C0: from=<gerrit@example.org>, size=900, nrcpt=1 (queue active)",
        ),
    ]
    .concat();
    let january = [
        line(
            "Jan  1 00:00:01",
            "smtp[1]",
            &format!("3F2A31C0: to=<x@example.com>, {OUT}"),
        ),
        line("Jan  1 00:00:01", "qmgr[1]", "3F2A31C0: removed"),
    ]
    .concat();
    let at = |path: &Path, time: &str| {
        let time: jiff::Timestamp = time.parse().unwrap();
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(time.into()).unwrap();
    };
    let dates = |place: &Place| -> Vec<String> {
        let rows = place.sql("SELECT ts FROM events ORDER BY ts");
        rows.iter().map(|row| row["ts"].as_str().unwrap().to_owned()).collect()
    };
    let expected = ["2018-12-31T23:59:59Z", "2019-01-01T00:00:01Z", "2019-01-01T00:00:01Z"];
    // In one file.
    let one = Place::new();
    let path = one.write("mail.log", format!("{december}{january}"));
    at(&path, "2019-01-01T00:00:02Z");
    backfill(&one, &path);
    assert_eq!(dates(&one), expected);
    // Over rotated files, read together, and years later.
    let two = Place::new();
    let paths = [two.write("mail.log.1", &december), two.write("mail.log", &january)];
    at(&paths[0], "2018-12-31T23:59:59Z");
    at(&paths[1], "2019-01-01T00:00:02Z");
    two.backfill_as("mx1", &[&paths[0], &paths[1]]).ends(0);
    assert_eq!(dates(&two), expected);
    assert_eq!(
        two.number("SELECT COUNT(*) AS n FROM events WHERE sender = 'gerrit@example.org'"),
        3
    );
}
