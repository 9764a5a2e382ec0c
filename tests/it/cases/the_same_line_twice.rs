//! 34: a logging daemon writes each line twice, or into two files. Each mail counts once.

use super::input;
use crate::util::{Place, Run, Totals, assert_same_rows};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const CASE: &str = "34-the-same-line-twice";

/// Reads files of a host mx1 as logs of a kind.
fn read(place: &Place, kind: &str, year: &str, paths: &[&Path]) -> Run {
    let mut command = place.command();
    command.args(["backfill", "--host", "mx1", "--kind", kind, "--year", year]);
    Run::of(command.args(paths).output().expect("the program starts")).ends(0)
}

fn sum(place: &Place, what: &str, kind: &str) -> i64 {
    place.number(&format!("SELECT SUM({what}) AS n FROM events WHERE kind = '{kind}'"))
}

/// Lines that the balance of a backfill calls written twice.
fn duplicates(run: &Run) -> u64 {
    let before = " of them written twice";
    let at = run
        .out
        .find(before)
        .unwrap_or_else(|| panic!("no word of repeated lines:\n{}", run.out));
    let word = run.out[..at].rsplit(['(', ' ']).next().unwrap_or_default();
    word.parse().unwrap_or_else(|_| panic!("a number in:\n{}", run.out))
}

fn copy(place: &Place, name: &str) -> PathBuf {
    place.write(&format!("logs/{name}"), std::fs::read(input(CASE, name)).unwrap())
}

#[test]
fn postfix_with_each_line_twice() {
    let place = Place::new();
    let run = read(&place, "postfix", "2018", &[&input(CASE, "input.log")]);
    let Totals {
        lines,
        events,
        ignored,
        unparsed,
    } = run.totals();
    assert_eq!((lines, events, ignored, unparsed), (10, 3, 7, 0), "{}", run.out);
    assert_eq!(duplicates(&run), 3);
    assert_eq!(
        (
            sum(&place, "recipients", "delivered"),
            sum(&place, "messages", "accepted")
        ),
        (1, 1)
    );
    assert_eq!(sum(&place, "messages", "completed"), 1);
    assert_eq!(place.number("SELECT COUNT(*) AS n FROM events WHERE service = ''"), 0);
}

#[test]
fn exim_by_syslog_with_each_line_twice() {
    let place = Place::new();
    let run = read(&place, "exim", "2025", &[&input(CASE, "exim.log")]);
    assert_eq!((run.totals().events, duplicates(&run)), (3, 3));
    assert_eq!(
        (
            sum(&place, "recipients", "delivered"),
            sum(&place, "messages", "accepted")
        ),
        (1, 1)
    );
}

#[test]
fn exim_that_writes_refusals_at_two_priorities() {
    let place = Place::new();
    let run = read(&place, "exim", "2025", &[&input(CASE, "syslog_duplication.log")]);
    assert_eq!(
        place.number("SELECT COUNT(*) AS n FROM events WHERE kind = 'rejected'"),
        2,
        "{}",
        run.out
    );
    // Of the second, four lines of syslog are one of Exim's.
    assert_eq!(duplicates(&run), 5);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn one_line_in_two_files_counts_once_in_either_order_and_in_two_runs() {
    let alone = Place::new();
    let only = copy(&alone, "mail.log");
    read(&alone, "postfix", "2025", &[&only]);
    let wanted = |place: &Place| {
        assert_eq!(
            (
                sum(place, "recipients", "accepted"),
                sum(place, "recipients", "delivered")
            ),
            (3, 3)
        );
        assert_eq!(
            (sum(place, "messages", "accepted"), place.events()),
            (1, alone.events())
        );
    };
    wanted(&alone);
    for orders in [["mail.log", "syslog"], ["syslog", "mail.log"]] {
        let at_once = Place::new();
        let paths = orders.map(|name| copy(&at_once, name));
        let run = read(&at_once, "postfix", "2025", &[&paths[0], &paths[1]]);
        wanted(&at_once);
        // And the line that says that it is tried again.
        assert_eq!(duplicates(&run), alone.events() as u64 + 1, "{}", run.out);
        let apart = Place::new();
        for name in orders {
            read(&apart, "postfix", "2025", &[&copy(&apart, name)]);
        }
        wanted(&apart);
        // Read once more: nothing is new.
        let again = read(
            &apart,
            "postfix",
            "2025",
            &[&copy(&apart, "mail.log"), &copy(&apart, "syslog")],
        );
        assert_eq!(again.totals().events, 0, "{}", again.out);
        wanted(&apart);
        apart.verify();
    }
}

/// A busy Postfix: each message has two recipients of one domain, delivered in the same second.
fn busy(messages: u64) -> String {
    let mut log = String::new();
    for n in 0..messages {
        let (minute, second) = (n / 60 % 60, n % 60);
        let head = format!(
            "Nov {:02} {:02}:{minute:02}:{second:02} mx1",
            1 + n / 86_400,
            n / 3_600 % 24
        );
        let id = format!("{:010X}", 0x3A_0000_0000_u64 + n);
        let _ = writeln!(log, "{head} postfix/smtpd[9]: {id}: client=app1.example.org[10.0.0.5]");
        let _ = writeln!(
            log,
            "{head} postfix/cleanup[8]: {id}: message-id=<{n}@app1.example.org>"
        );
        let _ = writeln!(
            log,
            "{head} postfix/qmgr[1]: {id}: from=<app@example.org>, size=500, nrcpt=2 (queue active)"
        );
        for to in ["a", "b"] {
            let _ = writeln!(
                log,
                "{head} postfix/smtp[3]: {id}: to=<{to}{n}@example.net>, relay=mx.example.net[192.0.2.77]:25, delay=1, \
                 delays=0.1/0/0.4/0.5, dsn=2.0.0, status=sent (250 ok)"
            );
        }
        let _ = writeln!(log, "{head} postfix/qmgr[1]: {id}: removed");
        // Strangers who are refused alike, twice a second by two processes.
        for pid in [21, 22] {
            let _ = writeln!(
                log,
                "{head} postfix/smtpd[{pid}]: NOQUEUE: reject: RCPT from unknown[198.51.100.9]: 554 5.7.1 <x@example.com>: \
                 Relay access denied; from=<s@example.com> to=<x@example.com> proto=ESMTP helo=<h>"
            );
        }
    }
    log
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_large_copy_is_known_long_after_its_messages_have_left_and_whatever_is_kept_of_addresses() {
    for local_parts in ["keep", "hash", "drop"] {
        let config =
            format!("[store]\nurl = \"store\"\nsegment_rows_max = 1000\n[privacy]\nlocal_parts = \"{local_parts}\"\n");
        // More than the join keeps of messages that have left.
        let log = busy(1_200);
        let (one, two) = (Place::with(&config), Place::with(&config));
        let a = one.write("mail.log", &log);
        read(&one, "postfix", "2025", &[&a]);
        assert_eq!(sum(&one, "recipients", "delivered"), 2_400);
        assert_eq!(sum(&one, "messages", "rejected"), 2_400);
        let a = two.write("mail.log", &log);
        // Another head of the file: it is no copy of the first.
        let b = two.write("syslog", format!("Nov  1 00:00:00 mx1 kernel: hello\n{log}"));
        let run = read(&two, "postfix", "2025", &[&a, &b]);
        assert_eq!(two.events(), one.events(), "{local_parts}: {}", run.out);
        assert_eq!(duplicates(&run) as i64, one.events());
        for what in ["messages", "recipients", "bytes"] {
            for kind in ["accepted", "delivered", "completed", "rejected"] {
                assert_eq!(sum(&two, what, kind), sum(&one, what, kind), "{what} {kind}");
            }
        }
        assert_eq!(
            two.number("SELECT COUNT(*) AS n FROM events WHERE first_hop = false"),
            0
        );
    }
}

#[test]
fn a_batch_that_is_written_again_within_one_file_adds_nothing() {
    let log = busy(100);
    // rsyslog with two rules writes a batch by the first, and the same batch by the second.
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let batches: String = lines
        .chunks(128)
        .flat_map(|batch| [batch.concat(), batch.concat()])
        .collect();
    let (one, two) = (Place::new(), Place::new());
    read(&one, "postfix", "2025", &[&one.write("mail.log", &log)]);
    read(&two, "postfix", "2025", &[&two.write("mail.log", &batches)]);
    let without_place = |place: &Place| {
        place.sql(
            "SELECT ts_ms, kind, service, queue_id, sender, recipient, messages, recipients, first_hop FROM events \
             ORDER BY ts_ms, queue_id, kind, recipient",
        )
    };
    assert_eq!(without_place(&one), without_place(&two));
}

#[test]
fn two_logs_of_one_time_with_different_mail_are_both_read() {
    let place = Place::new();
    let log = busy(500);
    let other = log
        .replace(": 3A", ": 4B")
        .replace("198.51.100.9", "198.51.100.10")
        .replace("to=<x@", "to=<y@");
    let (a, b) = (place.write("mail.log", &log), place.write("out.log", &other));
    let run = read(&place, "postfix", "2025", &[&a, &b]);
    assert_eq!(sum(&place, "recipients", "delivered"), 2_000, "{}", run.out);
    assert_eq!(sum(&place, "messages", "rejected"), 2_000);
    assert!(!run.out.contains("written twice"), "{}", run.out);
}

#[test]
fn different_deliveries_that_look_alike_are_not_merged() {
    let place = Place::with("[store]\nurl = \"store\"\n[privacy]\nlocal_parts = \"drop\"\n");
    let log = place.write(
        "mainlog",
        "2025-03-17 13:32:25 1tu9kb-00000000AbC-0A1b <= shop@example.com U=www-data P=local S=512 id=a@example.com for b@example.net c@example.net\n\
         2025-03-17 13:32:26 1tu9kb-00000000AbC-0A1b => b@example.net R=dnslookup T=remote_smtp H=mx.example.net [192.0.2.1] C=\"250 OK\"\n\
         2025-03-17 13:32:26 1tu9kb-00000000AbC-0A1b -> c@example.net R=dnslookup T=remote_smtp H=mx.example.net [192.0.2.1] C=\"250 OK\"\n\
         2025-03-17 13:32:26 1tu9kb-00000000AbC-0A1b => b@example.net R=dnslookup T=remote_smtp H=mx2.example.net [192.0.2.2] C=\"250 OK\"\n\
         2025-03-17 13:32:26 1tu9kb-00000000AbC-0A1b => |/usr/bin/one <d@example.net> R=pipes T=pipe\n\
         2025-03-17 13:32:26 1tu9kb-00000000AbC-0A1b => |/usr/bin/two <d@example.net> R=pipes T=pipe\n\
         2025-03-17 13:32:27 1tu9kb-00000000AbC-0A1b == e@example.net R=dnslookup T=remote_smtp defer (-44) H=mx.example.net [192.0.2.1]: SMTP error from remote mail server after RCPT TO:<e@example.net>: 451 later\n\
         2025-03-17 13:47:27 1tu9kb-00000000AbC-0A1b == e@example.net R=dnslookup T=remote_smtp defer (-44) H=mx.example.net [192.0.2.1]: SMTP error from remote mail server after RCPT TO:<e@example.net>: 451 later\n\
         2025-03-17 13:50:00 H=(x) [198.51.100.29] F=<a@b.example> rejected RCPT <c@d.example>: relay not permitted\n\
         2025-03-17 13:50:00 H=(x) [198.51.100.29] F=<a@b.example> rejected RCPT <c@d.example>: relay not permitted\n",
    );
    let run = read(&place, "exim", "2025", &[&log]);
    assert_eq!(
        (run.totals().events, sum(&place, "recipients", "delivered")),
        (10, 5),
        "{}",
        run.out
    );
    assert_eq!(
        place.number("SELECT COUNT(*) AS n FROM events WHERE kind = 'deferred'"),
        2
    );
    assert_eq!(
        place.number("SELECT COUNT(*) AS n FROM events WHERE kind = 'rejected'"),
        2
    );
}

#[test]
fn doubled_arrivals_make_no_second_hop() {
    let log = |host: &str, id: &str, client: &str| {
        format!(
            "Nov 22 10:00:00 {host} postfix/smtpd[1]: {id}: client={client}[10.0.0.5]\n\
             Nov 22 10:00:00 {host} postfix/cleanup[2]: {id}: message-id=<1@app1.example.org>\n\
             Nov 22 10:00:00 {host} postfix/qmgr[3]: {id}: from=<app@example.org>, size=500, nrcpt=1 (queue active)\n\
             Nov 22 10:00:01 {host} postfix/smtp[4]: {id}: to=<a@example.net>, relay=mx.example.net[192.0.2.77]:25, \
             delay=1, delays=0.1/0/0.4/0.5, dsn=2.0.0, status=sent (250 ok)\n\
             Nov 22 10:00:01 {host} postfix/qmgr[3]: {id}: removed\n"
        )
    };
    let (one, two) = (Place::new(), Place::new());
    for (place, times) in [(&one, 1), (&two, 2)] {
        for (host, id, client) in [
            ("mx1", "3A3D26C44CC", "app1.example.org"),
            ("mx2", "4B3D26C44CC", "mx1"),
        ] {
            let twice: String = log(host, id, client)
                .lines()
                .flat_map(|line| vec![format!("{line}\n"); times])
                .collect();
            let path = place.write(&format!("{host}.log"), twice);
            let mut command = place.command();
            command
                .args(["backfill", "--host", host, "--kind", "postfix", "--year", "2025"])
                .arg(path);
            Run::of(command.output().unwrap()).ends(0);
        }
    }
    assert_eq!(
        two.number("SELECT SUM(messages) AS n FROM events WHERE kind = 'accepted' AND first_hop"),
        1
    );
    let rows = |place: &Place| {
        place.sql("SELECT host, kind, messages, first_hop, destination, service FROM events ORDER BY host, kind")
    };
    assert_eq!(rows(&one), rows(&two));
}

#[test]
fn status_names_the_logging_fault() {
    let place = Place::new();
    read(&place, "postfix", "2018", &[&input(CASE, "input.log")]);
    let json = place.run(&["status", "--format", "json"]).ends(0);
    let answer: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let rows = &answer["sources"];
    assert_eq!(
        (rows[0]["duplicates"].as_u64(), rows[0]["ignored"].as_u64()),
        (Some(3), Some(7)),
        "{}",
        json.out
    );
    let table = place.run(&["status"]).ends(0).out;
    assert!(table.contains("written twice") && table.contains("rsyslog"), "{table}");
}

#[test]
fn a_copy_in_another_format_gives_the_rows_of_the_first() {
    let (one, two) = (Place::new(), Place::new());
    let log = crate::logs::simulated(300_000, 7);
    let in_syslog: String = std::str::from_utf8(&log)
        .unwrap()
        .lines()
        .map(|line| {
            format!(
                "{}T{}.123456+00:00 mx1001 exim[7]: {line}\n",
                &line[..10],
                &line[11..19]
            )
        })
        .collect();
    one.backfill(&[&one.write("mainlog", &log)]).ends(0);
    let paths = [two.write("mainlog", &log), two.write("syslog", &in_syslog)];
    two.backfill(&[&paths[0], &paths[1]]).ends(0);
    assert_same_rows(&one.rows(), &two.rows());
}

#[test]
fn a_line_whose_first_copy_an_earlier_run_has_read_is_known() {
    for (name, kind, year) in [("input.log", "postfix", "2018"), ("exim.log", "exim", "2025")] {
        let text = std::fs::read_to_string(input(CASE, name)).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for cut in (1..lines.len()).step_by(2) {
            let place = Place::new();
            let path = place.write(name, lines[..cut].concat());
            read(&place, kind, year, &[&path]);
            let path = place.write(name, &text);
            read(&place, kind, year, &[&path]);
            let rows = place.sql("SELECT kind, COUNT(*) AS n FROM events GROUP BY kind ORDER BY kind");
            let counts: Vec<i64> = rows.iter().map(|row| row["n"].as_i64().unwrap()).collect();
            assert_eq!(counts, [1, 1, 1], "{name} cut after line {cut}: {rows:?}");
        }
    }
}

/// A segment of either file breaks, or all of them: what comes back is what was there, and no copy.
#[test]
#[ignore = "slow: tests/run runs it"]
fn copies_stay_left_out_when_their_rows_are_read_again() {
    let log = busy(600);
    let other = log.replace(": 3A", ": 4B").replace("198.51.100.9", "198.51.100.10");
    // A tenth of the second file's mail is its own.
    let pairs = log.split_inclusive('\n').zip(other.split_inclusive('\n'));
    let mixed: String = pairs
        .enumerate()
        .flat_map(|(at, (line, own))| if at / 9 % 10 == 0 { [line, own] } else { [line, ""] })
        .collect();
    let place = Place::with("[store]\nurl = \"store\"\n[privacy]\nlocal_parts = \"keep\"\n");
    // Without a catalogue logs with an equal first line are told apart by the order of reading alone.
    let mixed = format!("Nov  1 00:00:00 mx1 kernel: hello\n{mixed}");
    let paths = [place.write("mail.log", &log), place.write("syslog", &mixed)];
    for path in &paths {
        read(&place, "postfix", "2025", &[path]);
    }
    let before = place.rows();
    let segments = || -> Vec<PathBuf> {
        let entries = std::fs::read_dir(place.path("store/segments")).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.to_str().unwrap().ends_with(".events.parquet"));
        paths.sort();
        paths
    };
    assert_eq!(segments().len(), 2);
    for broken in [&[0][..], &[1], &[0, 1]] {
        let files = segments();
        // The newest two have what was read again, in the order of the files.
        for at in broken {
            std::fs::write(&files[*at], "broken").unwrap();
        }
        place.run(&["store", "repair"]).ends(0);
        read(&place, "postfix", "2025", &[&paths[0], &paths[1]]);
        assert_same_rows(&before, &place.rows());
        place.verify();
    }
    // A catalogue of which nothing is left, and the second file is read before the first.
    for order in [[0, 1], [1, 0]] {
        std::fs::remove_dir_all(place.path("store/copies")).unwrap();
        std::fs::remove_file(place.path("store/catalogue.sqlite")).unwrap();
        place.run(&["store", "repair"]).ends(0);
        for at in order {
            read(&place, "postfix", "2025", &[&paths[at]]);
        }
        assert_same_rows(&before, &place.rows());
        place.verify();
    }
}
