//! Logs of central servers: each line is the host's that it names.

use crate::util::{KEEP, Place, Run, assert_same_answers};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

/// A mail of a host: under the same queue ID on each. With times of a minute.
fn mail(host: &str, minute: u32, id: &str, sender: &str, ends: bool) -> Vec<String> {
    let line = |second: u32, program: &str, text: &str| {
        format!("2018-06-06T18:{minute:02}:{second:02}.000000+00:00 {host} postfix/{program}[77]: {id}: {text}\n")
    };
    let mut lines = vec![
        line(1, "smtpd", "client=web1.example.org[10.0.0.8]"),
        line(1, "cleanup", &format!("message-id=<{minute}.{id}@{host}>")),
        line(1, "qmgr", &format!("from=<{sender}>, size=900, nrcpt=1 (queue active)")),
        line(
            2,
            "smtp",
            "to=<x@example.com>, relay=mx.example.com[192.0.2.1]:25, delay=1, delays=0.1/0/0.2/0.7, dsn=2.0.0, status=sent (250 ok)",
        ),
    ];
    if ends {
        lines.push(line(2, "qmgr", "removed"));
    }
    lines
}

/// Lines of several mails, mixed.
fn mixed(mails: Vec<Vec<String>>) -> String {
    let longest = mails.iter().map(Vec::len).max().unwrap_or(0);
    let mut log = String::new();
    for at in 0..longest {
        mails
            .iter()
            .filter_map(|mail| mail.get(at))
            .for_each(|line| log.push_str(line));
    }
    log
}

/// Two relays, one of them under three spellings, that give out the same queue IDs; and a switch.
fn central() -> String {
    let first = mixed(vec![
        mail("mx1", 0, "3F2A31C0", "gerrit@example.org", true),
        mail("mx2.example.org", 0, "3F2A31C0", "hue@example.org", true),
    ]);
    let second = mixed(vec![
        mail("MX1.example.org", 1, "4F2A31C0", "gerrit@example.org", true),
        mail("10.64.0.5", 2, "5F2A31C0", "gerrit@example.org", false),
        mail("mx2", 2, "5F2A31C0", "hue@example.org", true),
    ]);
    let last = "2018-06-06T18:02:03.000000+00:00 mx1 postfix/qmgr[77]: 5F2A31C0: removed\n";
    let foreign = "2018-06-06T18:02:04.000000+00:00 switch7 kernel: link is up\n";
    format!("{first}{second}{last}{foreign}")
}

const ALIAS: &str = "[[host_alias]]\nname = \"mx1\"\nalso = [\"10.64.0.5\"]\n";

const ROWS: &str =
    "SELECT host, relay, kind, service, sender, queue_id, first_hop, ts, log_offset FROM events ORDER BY log_offset";

/// A backfill that names no host.
fn unnamed(place: &Place, path: &Path) -> Run {
    place.run(&["backfill", path.to_str().unwrap()])
}

/// `host kind sender` → rows.
fn told(place: &Place) -> BTreeMap<String, i64> {
    let rows =
        place.sql("SELECT host, relay, kind, sender, COUNT(*) AS n FROM events GROUP BY host, relay, kind, sender");
    let word = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| {
            assert_eq!(row["host"], row["relay"], "{row}");
            (
                format!("{} {} {}", word(row, "host"), word(row, "kind"), word(row, "sender")),
                row["n"].as_i64().unwrap(),
            )
        })
        .collect()
}

fn expected() -> BTreeMap<String, i64> {
    let of = |host: &str, sender: &str, n: i64| {
        ["accepted", "delivered", "completed"].map(|kind| (format!("{host} {kind} {sender}"), n))
    };
    of("mx1", "gerrit@example.org", 3)
        .into_iter()
        .chain(of("mx2.example.org", "hue@example.org", 2))
        .collect()
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_line_is_the_hosts_that_it_names_under_any_spelling() {
    let place = Place::with(&format!("{KEEP}{ALIAS}"));
    let path = place.write("mail.log", central());
    // A log of several hosts is read so by itself.
    let run = unnamed(&place, &path).ends(0);
    let totals = run.totals();
    assert_eq!(
        (totals.lines, totals.events, totals.unparsed),
        (26, 15, 0),
        "{}",
        run.out
    );
    assert_eq!(told(&place), expected());
    place.verify();
    // A second run adds nothing, and no pieces change anything.
    unnamed(&place, &path).ends(0);
    assert_eq!(told(&place), expected());
    let lines: Vec<String> = central().lines().map(|line| format!("{line}\n")).collect();
    for at in [3, 7, 11, 16, 21] {
        let other = Place::with(&format!("{KEEP}{ALIAS}"));
        let path = other.write("mail.log", lines[..at].concat());
        other.backfill_as("from-log", &[&path]).ends(0);
        other.write("mail.log", central());
        other.backfill_as("from-log", &[&path]).ends(0);
        assert_same_answers(&place.sql(ROWS), &other.sql(ROWS));
    }
    // By standard input; and by a source that says so.
    let piped = Place::with(&format!("{KEEP}{ALIAS}"));
    let mut child = piped
        .command()
        .args(["backfill", "--host", "from-log", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(central().as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_same_answers(&place.sql(ROWS), &piped.sql(ROWS));
    // Whoever names a host means it.
    let named = Place::with(KEEP);
    named
        .backfill_as("loghost", &[&named.write("mail.log", central())])
        .ends(0);
    assert_eq!(
        named.number("SELECT COUNT(*) AS n FROM events WHERE host <> 'loghost'"),
        0
    );
}

/// So many lines of four hosts; each says by its sender which line it is.
fn numbered(lines: u32) -> String {
    let mut log = String::new();
    for number in 0..lines {
        let (minute, second, host) = (number / 60 % 60, number % 60, number * 7 % 11 % 4);
        writeln!(
            log,
            "2018-06-06T18:{minute:02}:{second:02}Z mx{host}.example.org exim[{number}]: 2018-06-06 18:{minute:02}:{second:02} \
             H=relay.example.org [192.0.2.9] F=<line-{number}@example.org> rejected RCPT <someone-{number}@example.net>: \
             relay not permitted"
        )
        .unwrap();
    }
    log
}

/// Many lines are sorted by host at once.
#[test]
#[ignore = "slow: tests/run runs it"]
fn a_long_central_log_has_the_rows_of_its_hosts_logs_in_their_order() {
    const LINES: u32 = 80_000;
    let log = numbered(LINES);
    let central = Place::with(KEEP);
    let path = central.write("mail.log", &log);
    unnamed(&central, &path).ends(0);
    central.verify();
    let counted = central.sql("SELECT sender, log_offset, host FROM events ORDER BY log_offset");
    let mut offset = 0;
    assert_eq!(counted.len(), LINES as usize);
    for ((number, line), row) in log.lines().enumerate().zip(&counted) {
        let host = line.split(' ').nth(1).unwrap();
        assert_eq!(
            (row["host"].as_str(), row["log_offset"].as_u64()),
            (Some(host), Some(offset)),
            "{line}"
        );
        assert_eq!(row["sender"], format!("line-{number}@example.org"));
        offset += line.len() as u64 + 1;
    }
    // A hundred thousand rows at once, and a few at a time.
    let all = Place::with(
        "[store]\nurl = \"store\"\n[privacy]\nlocal_parts = \"keep\"\n[ours]\nnetworks = [\"192.0.2.0/24\"]\n",
    );
    let path = all.write("mail.log", &log);
    unnamed(&all, &path).ends(0);
    let rows = "SELECT host, service, kind, recipient, reason, direction, provider, log_offset FROM events ORDER BY log_offset";
    assert_same_answers(&central.sql(rows), &all.sql(rows));
}

#[test]
fn a_log_of_one_host_and_one_that_the_store_knows_keep_the_sources_host() {
    let place = Place::with(&format!("{KEEP}{ALIAS}"));
    let one = mixed(vec![mail("mx1", 0, "3F2A31C0", "gerrit@example.org", true)]);
    let path = place.write("mail.log", &one);
    unnamed(&place, &path).ends(0);
    let hosts = "SELECT COUNT(*) AS n FROM events WHERE host = 'mx1'";
    assert_eq!(
        place.number(hosts),
        0,
        "one host in a file is this host, whatever it calls itself"
    );
    // The log goes on with another host's lines: it is known, and stays this host's.
    let two = mixed(vec![mail("mx2", 5, "4F2A31C0", "hue@example.org", true)]);
    place.write("mail.log", format!("{one}{two}"));
    unnamed(&place, &path).ends(0);
    assert_eq!(place.number("SELECT COUNT(*) AS n FROM events WHERE host = 'mx2'"), 0);
    // Unless somebody says so: from here on, each line is its host's.
    let three = mixed(vec![mail("mx2", 6, "5F2A31C0", "hue@example.org", true)]);
    place.write("mail.log", format!("{one}{two}{three}"));
    place.backfill_as("from-log", &[&path]).ends(0);
    assert_eq!(place.number("SELECT COUNT(*) AS n FROM events WHERE host = 'mx2'"), 3);
}

#[test]
fn forged_hosts_are_bounded_and_more_than_the_limit_are_the_readers() {
    let place = Place::with(&KEEP.replace("[store]\n", "[store]\nhosts_max = 3\n"));
    let mut log = String::new();
    for number in 0..20 {
        log.push_str(&mail(&format!("relay{number}"), number, "3F2A31C0", "shop@example.org", true).concat());
    }
    for forged in ["..", "mx1;rm", &"a".repeat(300)] {
        writeln!(
            log,
            "2018-06-06T18:30:01.000000+00:00 {forged} postfix/qmgr[77]: 4F2A31C0: removed"
        )
        .unwrap();
    }
    let run = place.backfill_as("from-log", &[&place.write("mail.log", log)]).ends(0);
    assert!(
        format!("{}{}", run.out, run.err).contains("names more than 3 hosts"),
        "{}{}",
        run.out,
        run.err
    );
    let hosts = place.sql("SELECT host, COUNT(*) AS n FROM events GROUP BY host ORDER BY host");
    let named: Vec<&str> = hosts.iter().map(|row| row["host"].as_str().unwrap()).collect();
    assert_eq!(
        named.iter().filter(|host| host.starts_with("relay")).count(),
        3,
        "{hosts:?}"
    );
    assert_eq!(named.len(), 4, "the rest is the reader's: {hosts:?}");
    place.verify();
}

#[test]
fn each_host_has_its_lines_and_its_log_is_read_while_any_line_of_the_file_comes() {
    let place = Place::with(&format!("{KEEP}{ALIAS}"));
    let odd = "2018-06-06T18:01:30.000000+00:00 mx1 postfix/smtp[77]: 4F2A31C0: to=<x@example.com>, status=nonsense\n";
    let path = place.write("mail.log", format!("{}{odd}", central()));
    place.backfill_as("from-log", &[&path]).ends(0);
    let status: Value = serde_json::from_str(
        &place
            .run(&["status", "--format", "json", "--stale-after", "99999d"])
            .out,
    )
    .unwrap();
    let sources = status["sources"].as_array().unwrap();
    let of = |host: &str| {
        sources
            .iter()
            .find(|row| row["host"] == host)
            .unwrap_or_else(|| panic!("{host}: {status}"))
    };
    assert_eq!(
        (&of("mx1")["lines"], &of("mx1")["events"]),
        (&15.into(), &9.into()),
        "{status:#}"
    );
    assert_eq!(
        (&of("mx2.example.org")["lines"], &of("mx2.example.org")["events"]),
        (&10.into(), &6.into())
    );
    // What does not parse, and what is no mail system's, is the reader's.
    let freshness = place.run(&["query", "freshness", "--format", "json"]).ends(0);
    let rows: Vec<Value> = serde_json::from_str(&freshness.out).unwrap();
    let lines: i64 = rows.iter().map(|row| row["lines"].as_i64().unwrap()).sum();
    assert_eq!(lines, 27, "{rows:?}");
    let unparsed: i64 = rows
        .iter()
        .filter(|row| row["host"] != "mx1")
        .map(|row| row["unparsed"].as_i64().unwrap())
        .sum();
    assert_eq!(unparsed, 1, "{rows:?}");
}

/// Three weeks of two relays' lines in one file, a mail every five minutes each; `mx1` falls silent for the last hours but
/// one, with a last line that says whether its log goes on.
fn weeks(goes_on: bool) -> String {
    let mut log = String::new();
    let start = 1_526_515_200; // 2018-05-17
    for slot in 0..21 * 288 {
        let at = start + slot * 300;
        let time = jiff::Timestamp::from_second(at).unwrap().strftime("%FT%T").to_string();
        for host in ["mx1", "mx2"] {
            let line =
                |program: &str, text: &str| format!("{time}.000000+00:00 {host} postfix/{program}[77]: {text}\n");
            let id = format!("{:X}", 0x3F_0000 + slot);
            if host == "mx1" && slot > 21 * 288 - 48 {
                let idle = line("anvil", "statistics: max cache size 1");
                log.push_str(if goes_on { &idle } else { "" });
                continue;
            }
            log.push_str(&line("smtpd", &format!("{id}: client=web1.example.org[10.0.0.8]")));
            log.push_str(&line("cleanup", &format!("{id}: message-id=<{slot}@{host}>")));
            log.push_str(&line(
                "qmgr",
                &format!("{id}: from=<gerrit@example.org>, size=900, nrcpt=1 (queue active)"),
            ));
            log.push_str(&line(
                "smtp",
                &format!("{id}: to=<x@example.com>, relay=mx.example.com[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (250 ok)"),
            ));
            log.push_str(&line("qmgr", &format!("{id}: removed")));
        }
    }
    log
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_host_whose_lines_stop_while_others_go_on_has_dropped_and_its_log_may_not_arrive() {
    for goes_on in [false, true] {
        let place = Place::with(&KEEP.replace("segment_rows_max = 1000\n", ""));
        place
            .backfill_as("from-log", &[&place.write("mail.log", weeks(goes_on))])
            .ends(0);
        let run = place.run(&["detect", "--format", "json"]).ends(1);
        let alarms: Vec<Value> = serde_json::from_str(&run.out).unwrap();
        let alarm = alarms
            .iter()
            .find(|alarm| alarm["series"]["relay"] == "mx1")
            .unwrap_or_else(|| panic!("{alarms:#?}"));
        assert_eq!(alarm["state"], "dropped", "{alarm:#}");
        assert!(alarms.iter().all(|alarm| alarm["state"] != "blind"), "{alarms:#?}");
        let said = alarm["evidence"].to_string().contains("its log may not arrive");
        assert_eq!(said, !goes_on, "{alarm:#}");
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_tail_that_is_killed_has_each_line_once_and_heartbeats_of_each_host() {
    let config = format!(
        "{KEEP}{ALIAS}[[source]]\nkind = \"postfix\"\npaths = [\"logs/mail.log*\"]\nhost = \"from-log\"\n[tail]\npoll_ms = 100\nrescan_s = 1\n"
    );
    let place = Place::with(&config);
    let log = place.write("logs/mail.log", "");
    let lines: Vec<String> = central().lines().map(|line| format!("{line}\n")).collect();
    let start = || {
        place
            .command()
            .arg("tail")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let events = |count: i64| {
        for _ in 0..300 {
            let run = place.run(&["query", "--sql", "SELECT COUNT(*) AS n FROM events", "--format", "csv"]);
            if run.out.lines().nth(1) == Some(&count.to_string()) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("not {count} events");
    };
    let mut child = start();
    let append = |text: &str| {
        let mut file = std::fs::File::options().append(true).open(&log).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    append(&lines[..8].concat());
    events(4);
    child.kill().unwrap();
    child.wait().unwrap();
    append(&lines[8..].concat());
    let mut child = start();
    events(15);
    std::thread::sleep(std::time::Duration::from_secs(2));
    crate::util::stop(&mut child);
    assert_eq!(told(&place), expected());
    let beats = place.sql("SELECT host FROM sources WHERE heartbeats > 0 GROUP BY host ORDER BY host");
    let beats: Vec<&str> = beats.iter().map(|row| row["host"].as_str().unwrap()).collect();
    assert!(
        beats.contains(&"mx1") && beats.contains(&"mx2.example.org"),
        "{beats:?}"
    );
}
