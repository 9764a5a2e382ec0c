//! Real journal files, made by systemd-journal-remote and read by the real journalctl.

use crate::lab;
use crate::logs::{lines, root, simulated, text};
use crate::util::{Place, assert_same_answers, assert_same_rows};
use mailpulse::model::time::UtcMs;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const REMOTE: &str = "/lib/systemd/systemd-journal-remote";

/// An entry in the Journal Export Format.
fn entry(us: i64, tag: &str, pid: &str, message: &str) -> String {
    format!(
        "__REALTIME_TIMESTAMP={us}\n__MONOTONIC_TIMESTAMP={us}\n_BOOT_ID=0123456789abcdef0123456789abcdef\n\
         _MACHINE_ID=0123456789abcdef0123456789abcdee\n_HOSTNAME=mx1\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER={tag}\n\
         SYSLOG_PID={pid}\nMESSAGE={message}\n\n"
    )
}

/// The real Postfix's log as the journal would have it.
fn postfix() -> (Vec<String>, String) {
    let log = fs::read_to_string(root().join("parsers/corpus/postfix/real-long.log")).unwrap();
    let entries = log.lines().map(|line| {
        let mut words = line.splitn(4, ' ');
        let (stamp, _host, tag) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let us = stamp.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let (name, pid) = tag.trim_end_matches(':').split_once('[').unwrap();
        entry(us, name, pid.trim_end_matches(']'), words.next().unwrap_or_default())
    });
    (entries.collect(), log)
}

/// An Exim log as the journal would have it.
fn exim(log: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(log).unwrap();
    let entries = text.lines().enumerate().map(|(at, line)| {
        let stamp = format!("{}T{}Z", &line[..10], &line[11..19]);
        let us = stamp.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        // Entries that are equal in all, time included, are one to journalctl.
        // A process of its own for each: what one says twice in a second counts once.
        entry(us + at as i64 % 1000, "exim", &at.to_string(), line)
    });
    entries.collect()
}

/// Writes entries into a journal file, which may hold some already.
#[track_caller]
fn write_journal(path: &Path, entries: &[String]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut child = lab::program(REMOTE)
        .args(["-o", text(path), "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(entries.concat().as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
}

fn place(kind: &str, more: &str) -> Place {
    let place = Place::new();
    configure(&place, kind, more);
    place
}

fn configure(place: &Place, kind: &str, more: &str) {
    let mut config = crate::util::KEEP.replace("[privacy]", "segment_mib_max = 1\n[privacy]");
    let _ = write!(
        config,
        "[[source]]\nkind = \"{kind}\"\njournal = true\ndirectory = \"journal\"\nhost = \"mx1\"\n{more}"
    );
    place.write("mailpulse.toml", config);
}

const WITHOUT_IDENTITY: &str = "SELECT ts_ms, kind, service, destination, queue_id, sender, recipient, messages, \
    recipients, remote_host, reason FROM events ORDER BY ts_ms, queue_id, kind, recipient, log_offset";

#[test]
#[ignore = "lab: needs systemd-journal-remote"]
fn a_journal_gives_the_rows_that_the_file_gives_and_a_second_run_adds_nothing() {
    let (entries, log) = postfix();
    let place = place("postfix", "");
    write_journal(&place.path("journal/a.journal"), &entries);
    let totals = place.run(&["backfill"]).ends(0).totals();
    assert_eq!(totals.lines, entries.len() as u64);
    assert_eq!(totals.unparsed, 0);
    assert_eq!(place.events() as u64, totals.events);
    let file = Place::new();
    let path = file.write("mail.log", &log);
    assert_eq!(file.backfill_as("mx1", &[&path]).ends(0).totals(), totals);
    assert_same_answers(&file.sql(WITHOUT_IDENTITY), &place.sql(WITHOUT_IDENTITY));
    let again = place.run(&["backfill"]).ends(0);
    assert_eq!(again.totals().lines, 0, "{}", again.out);
    assert!(again.err.is_empty(), "{}", again.err);
    // Identifiers, or a check, change nothing of that.
    assert!(place.run(&["check"]).ends(0).out.contains("journal"));
}

#[test]
#[ignore = "lab: needs systemd-journal-remote"]
fn an_entry_has_one_identity_by_whatever_way_it_is_read() {
    let (entries, _) = postfix();
    let place = place("postfix", "");
    write_journal(&place.path("journal/a.journal"), &entries);
    place.run(&["backfill"]).ends(0);
    let json = lab::program("journalctl")
        .args([
            "-o",
            "json",
            "--no-pager",
            "--file",
            text(&place.path("journal/a.journal")),
        ])
        .output()
        .unwrap()
        .stdout;
    let source = "[[source]]\nkind = \"postfix\"\npaths = [\"mail.json\"]\nhost = \"mx1\"\n";
    let file = Place::with(&format!("{}{source}", crate::util::KEEP));
    file.write("mail.json", json);
    file.run(&["backfill"]).ends(0);
    assert_same_rows(&place.rows(), &file.rows());
}

#[test]
#[ignore = "lab: needs systemd-journal-remote"]
fn only_the_identifiers_that_are_named_are_read() {
    let (entries, _) = postfix();
    let place = place("postfix", "identifiers = [\"postfix/qmgr\"]\n");
    write_journal(&place.path("journal/a.journal"), &entries);
    let wanted = entries.iter().filter(|e| e.contains("=postfix/qmgr\n")).count() as u64;
    assert!(wanted > 10);
    assert_eq!(place.run(&["backfill"]).ends(0).totals().lines, wanted);
}

#[test]
#[ignore = "lab: needs systemd-journal-remote"]
fn what_was_vacuumed_away_is_told_and_the_rest_is_read_once() {
    let log = simulated(400_000, 31);
    let entries = exim(&log);
    let (half, end) = (entries.len() / 2, entries.len() * 3 / 4);
    let place = place("exim", "");
    write_journal(&place.path("journal/a.journal"), &entries[..half]);
    let first = place.run(&["backfill"]).ends(0).totals();
    assert_eq!(first.lines, half as u64);
    // It grows and rotates, and the older file is removed: the entry where we stopped is gone.
    write_journal(&place.path("journal/b.journal"), &entries[half..end]);
    fs::remove_file(place.path("journal/a.journal")).unwrap();
    let second = place.run(&["backfill"]).ends(0).says(&["no longer in the journal"]);
    assert_eq!(
        second.totals().lines,
        (end - half) as u64,
        "the first entry after the gap too"
    );
    // And on, over the rotation, with nothing missing: nothing to tell.
    write_journal(&place.path("journal/c.journal"), &entries[end..]);
    let third = place.run(&["backfill"]).ends(0);
    assert_eq!(third.totals().lines, (entries.len() - end) as u64);
    assert!(third.err.is_empty(), "{}", third.err);
    let whole = Place::new();
    let path = whole.write("mainlog", &log);
    whole.backfill_as("mx1", &[&path]).ends(0);
    assert_same_answers(&whole.sql(WITHOUT_IDENTITY), &place.sql(WITHOUT_IDENTITY));
    // No hole in what was covered: the journal goes on over its files.
    assert_eq!(place.store().coverage().stretches(UtcMs::MIN).unwrap().len(), 1);
}

#[test]
#[ignore = "lab: needs systemd-journal-remote"]
fn entries_that_arrive_late_are_read() {
    // Two machines' journals in one folder; the second sends its older entries after the first run.
    let log = simulated(200_000, 32);
    let entries = exim(&log);
    let place = place("exim", "");
    let (even, odd): (Vec<_>, Vec<_>) = entries.iter().cloned().enumerate().partition(|(at, _)| at % 2 == 0);
    let only = |part: Vec<(usize, String)>| part.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>();
    let (even, odd) = (only(even), only(odd));
    write_journal(&place.path("journal/a.journal"), &even);
    write_journal(&place.path("journal/b.journal"), &odd[..odd.len() / 3]);
    place.run(&["backfill"]).ends(0);
    write_journal(&place.path("journal/b.journal"), &odd[odd.len() / 3..]);
    let second = place.run(&["backfill"]).ends(0);
    assert_eq!(second.totals().lines, (odd.len() - odd.len() / 3) as u64);
    assert_eq!(
        place.number("SELECT SUM(lines) AS n FROM sources"),
        entries.len() as i64
    );
}

#[test]
#[ignore = "lab: needs systemd-journal-remote"]
fn a_killed_run_goes_on() {
    let log = simulated(6_000_000, 33);
    let entries = exim(&log);
    let place = place("exim", "");
    write_journal(&place.path("journal/a.journal"), &entries);
    let read = |place: &Place| {
        if !place.path("store/catalogue.sqlite").exists() {
            return 0;
        }
        let sql = "SELECT SUM(lines) AS n FROM sources";
        let run = place.run(&["query", "--sql", sql, "--format", "csv"]);
        run.out
            .lines()
            .nth(1)
            .and_then(|line| line.parse().ok())
            .unwrap_or(0u64)
    };
    let mut kills = 0;
    for _ in 0..40 {
        let before = read(&place);
        let mut child = place
            .command()
            .arg("backfill")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // As soon as something of this run is committed.
        let begin = Instant::now();
        while read(&place) == before && child.try_wait().unwrap().is_none() && begin.elapsed() < Duration::from_secs(60)
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        if child.wait().unwrap().success() {
            break;
        }
        kills += 1;
        if kills == 4 {
            break;
        }
    }
    assert!(kills >= 2, "{kills} kills: the log is too small");
    let before = read(&place);
    let rest = place.run(&["backfill"]).ends(0).totals();
    assert_eq!(before + rest.lines, lines(&log), "after {kills} kills");
    let whole = Place::new();
    configure(&whole, "exim", "");
    fs::create_dir(whole.path("journal")).unwrap();
    fs::copy(place.path("journal/a.journal"), whole.path("journal/a.journal")).unwrap();
    whole.run(&["backfill"]).ends(0);
    assert_same_rows(&whole.rows(), &place.rows());
    place.verify();
}

#[test]
#[ignore = "lab: needs journalctl"]
fn without_its_folder_the_error_names_the_cure() {
    lab::program("journalctl");
    place("exim", "")
        .run(&["backfill"])
        .ends(2)
        .says(&["journalctl failed", "Run it by hand"]);
}

#[test]
fn without_its_tool_the_error_names_the_cure() {
    let output = place("exim", "")
        .command()
        .arg("backfill")
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("cannot start journalctl") && said.contains("install it"),
        "{said}"
    );
}

#[test]
#[ignore = "lab: needs systemd-journal-remote"]
fn fault_31_a_journal_that_rotates_and_is_vacuumed_under_a_tail() {
    let log = simulated(300_000, 41);
    let entries = exim(&log);
    let part = entries.len() / 4;
    let place = place("exim", "[tail]\npoll_ms = 100\nrescan_s = 1\n");
    write_journal(&place.path("journal/a.journal"), &entries[..part]);
    let mut child = place.command().arg("tail").spawn().unwrap();
    let lines = || place.number("SELECT SUM(lines) AS n FROM sources") as usize;
    let wait_for = |wanted: usize| {
        let begin = Instant::now();
        while !place.path("store/catalogue.sqlite").exists() || lines() < wanted {
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "{} of {wanted} entries",
                lines()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    wait_for(part);
    write_journal(&place.path("journal/b.journal"), &entries[part..2 * part]);
    wait_for(2 * part);
    fs::remove_file(place.path("journal/a.journal")).unwrap();
    write_journal(&place.path("journal/c.journal"), &entries[2 * part..3 * part]);
    wait_for(3 * part);
    child.kill().unwrap();
    child.wait().unwrap();
    write_journal(&place.path("journal/d.journal"), &entries[3 * part..]);
    let mut child = place.command().arg("tail").spawn().unwrap();
    wait_for(entries.len());
    crate::util::stop(&mut child);
    let whole = Place::new();
    let path = whole.write("mainlog", &log);
    whole.backfill_as("mx1", &[&path]).ends(0);
    // Each journal file has numbers of its own: rows of one moment may stand in another order.
    let sorted = |place: &Place| {
        let mut rows = place.sql(WITHOUT_IDENTITY);
        rows.sort_by_key(ToString::to_string);
        rows
    };
    assert_same_answers(&sorted(&whole), &sorted(&place));
}

#[test]
#[ignore = "lab: needs systemd-journal-remote"]
fn a_journal_that_collects_gives_each_host_its_own() {
    let (entries, log) = postfix();
    let place = Place::new();
    let config = crate::util::KEEP.replace("[privacy]", "segment_mib_max = 1\n[privacy]");
    let source = "[[source]]\nkind = \"postfix\"\njournal = true\ndirectory = \"journal\"\nhost = \"from-log\"\n";
    place.write("mailpulse.toml", format!("{config}{source}"));
    // The same mail of two hosts: queue IDs are each host's.
    let of_mx2 = entries
        .iter()
        .map(|entry| entry.replace("_HOSTNAME=mx1", "_HOSTNAME=mx2"));
    let both: Vec<String> = entries.iter().cloned().zip(of_mx2).flat_map(|(a, b)| [a, b]).collect();
    write_journal(&place.path("journal/system.journal"), &both);
    place.run(&["backfill"]).ends(0);
    let file = Place::new();
    file.backfill_as("mx1", &[&file.write("mail.log", &log)]).ends(0);
    // Mails of one Message-ID on two hosts are linked: where they go next is not compared.
    let of = |place: &Place, host: &str| {
        place.sql(&format!(
            "SELECT ts_ms, kind, queue_id, sender, recipient, recipients FROM events WHERE host = '{host}' \
             ORDER BY ts_ms, queue_id, kind, recipient"
        ))
    };
    for host in ["mx1", "mx2"] {
        assert_same_answers(&of(&file, "mx1"), &of(&place, host));
    }
    place.run(&["backfill"]).ends(0);
    assert_eq!(place.events(), 2 * file.events());
}
