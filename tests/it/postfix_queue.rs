//! Postfix's queue IDs over time: used again, lost on the way into the queue, known only from an older archive.

use crate::logs::root;
use crate::util::{Place, assert_same_rows};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// Lines of one host's Postfix, from 2018-06-06 18:00 UTC; a number is the second, a word the program.
pub(crate) fn log(host: &str, lines: &[(u32, &str, &str)]) -> String {
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
pub(crate) const T: u32 = 18 * 3600;

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
#[ignore = "slow: tests/run runs it"]
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
#[ignore = "slow: tests/run runs it"]
fn a_real_log_read_in_pieces_gives_the_same_rows() {
    for ids in ["short", "long"] {
        let text = fs::read_to_string(root().join(format!("parsers/corpus/postfix/real-{ids}.log"))).unwrap();
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
#[ignore = "slow: tests/run runs it"]
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

/// A message that a check holds, and that somebody removes from the hold queue.
fn held() -> [String; 2] {
    let before = log(
        "mx1",
        &[
            (T, "smtpd", "3F2A31C0: client=web1.example.org[192.0.2.8]"),
            (T, "cleanup", "3F2A31C0: message-id=<1@web1.example.org>"),
            (
                T,
                "smtpd",
                "3F2A31C0: hold: RCPT from web1.example.org[192.0.2.8]: <x@example.com>: Recipient address triggers HOLD action; \
                 from=<gerrit@example.org> to=<x@example.com> proto=ESMTP helo=<web1>",
            ),
        ],
    );
    [before, log("mx1", &[(T + 60, "postsuper", "3F2A31C0: removed")])]
}

#[test]
fn a_message_that_is_removed_from_the_hold_queue_is_its_senders() {
    let rows = "SELECT ts, kind, service, sender, client, messages, queue_id FROM events ORDER BY ts, kind";
    let [before, after] = held();
    let whole = Place::new();
    backfill(&whole, &whole.write("mail.log", format!("{before}{after}")));
    let expected = whole.sql(rows);
    assert_eq!(expected.len(), 2);
    for row in &expected {
        assert_eq!(row["sender"], "gerrit@example.org", "{row}");
        assert_eq!(row["client"], "web1.example.org", "{row}");
        assert_ne!(row["service"], "", "no event without a service: {row}");
    }
    // In two runs, and with the removal read first: an older archive brings the arrival.
    for order in [[&before, &after], [&after, &before]] {
        let place = Place::new();
        for (at, text) in order.into_iter().enumerate() {
            backfill(&place, &place.write(&format!("mail{at}.log"), text));
        }
        crate::util::assert_same_answers(&expected, &place.sql(rows));
    }
}

#[test]
fn a_message_that_is_removed_before_anything_named_its_sender_has_a_service() {
    for last in ["postsuper", "qmgr"] {
        let place = Place::new();
        let text = log(
            "mx1",
            &[
                (T, "smtpd", "3F2A31C0: client=web1.example.org[192.0.2.8]"),
                (T, "cleanup", "3F2A31C0: message-id=<1@web1.example.org>"),
                (T + 60, last, "3F2A31C0: removed"),
            ],
        );
        backfill(&place, &place.write("mail.log", text));
        let rows = place.sql("SELECT service, client FROM events");
        assert_eq!(rows.len(), 1, "{last}");
        assert_eq!(
            (&rows[0]["service"], &rows[0]["client"]),
            (&"web".into(), &"web1.example.org".into())
        );
    }
}

#[test]
fn an_unknown_sender_is_not_the_null_sender() {
    // A bounce makes the null sender's service known; then a message goes whose arrival stands in an older archive.
    let sent = format!("5F2A31C0: to=<x@example.com>, {OUT}");
    let newer = log(
        "mx1",
        &[
            (T + 90_000, "cleanup", "4F2A31C0: message-id=<2@mx1.example.org>"),
            (
                T + 90_000,
                "qmgr",
                "4F2A31C0: from=<>, size=900, nrcpt=1 (queue active)",
            ),
            (T + 90_001, "smtp", &sent),
            (T + 90_002, "qmgr", "5F2A31C0: removed"),
        ],
    );
    let older = log(
        "mx1",
        &[
            (T, "smtpd", "5F2A31C0: client=web1.example.org[192.0.2.8]"),
            (T, "cleanup", "5F2A31C0: message-id=<1@web1.example.org>"),
            (
                T,
                "qmgr",
                "5F2A31C0: from=<gerrit@example.org>, size=900, nrcpt=1 (queue active)",
            ),
        ],
    );
    let services = "SELECT kind, service, sender FROM events WHERE queue_id = '5F2A31C0' ORDER BY ts, kind";
    for rule in ["", "[[service]]\nname = \"bounces\"\nmatch = [{ sender = \"<>\" }]\n"] {
        let place = Place::with(&format!("{}{rule}", crate::util::KEEP));
        backfill(&place, &place.write("mail.log", &newer));
        let bounces = place.number("SELECT COUNT(*) AS n FROM events WHERE service = 'bounces'");
        assert_eq!(bounces, 1, "the bounce alone: {rule}");
        for row in place.sql(services) {
            assert_eq!(row["service"], "unattributed", "{row}");
        }
        backfill(&place, &place.write("mail.log.1", &older));
        let rows = place.sql(services);
        assert_eq!(rows.len(), 3);
        let in_order = Place::with(&format!("{}{rule}", crate::util::KEEP));
        backfill(&in_order, &in_order.write("mail.log.1", &older));
        backfill(&in_order, &in_order.write("mail.log", &newer));
        crate::util::assert_same_answers(&in_order.sql(services), &rows);
    }
}

#[test]
fn an_unknown_sender_of_exim_is_not_the_null_sender() {
    let newer = "2018-06-07 09:00:00 1fQdLN-0001Ab-Bb <= <> R=1fQdLN-0001Ab-Aa U=Debian-exim P=local S=900\n\
        2018-06-07 09:00:01 1fQdLN-0001Ab-Cd => x@example.com R=r T=remote_smtp H=mx.example.com [192.0.2.1]\n\
        2018-06-07 09:00:02 1fQdLN-0001Ab-Ef => y@example.com P=<> R=r T=remote_smtp H=mx.example.com [192.0.2.1]\n";
    let older =
        "2018-06-06 09:00:00 1fQdLN-0001Ab-Cd <= gerrit@example.org H=web1.example.org [192.0.2.8] P=esmtp S=900\n";
    let services = "SELECT kind, service, sender FROM events WHERE queue_id = '1fQdLN-0001Ab-Cd' ORDER BY ts";
    let place = Place::new();
    place.backfill(&[&place.write("mainlog", newer)]).ends(0);
    assert_eq!(place.sql(services)[0]["service"], "unattributed");
    assert_eq!(
        place.number("SELECT COUNT(*) AS n FROM events WHERE service = 'bounces'"),
        2,
        "the return path says who the other one is"
    );
    place.backfill(&[&place.write("mainlog.1", older)]).ends(0);
    for row in place.sql(services) {
        assert_eq!(
            (&row["service"], &row["sender"]),
            (&"gerrit".into(), &"gerrit@example.org".into()),
            "{row}"
        );
    }
}
