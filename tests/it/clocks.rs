//! Clocks and dates that are wrong: none of them removes, hides or doubles anything but its own line.
//!
//! The program takes its time from a file (`MAILPULSE_CLOCK`): its clock, and nothing else, is what a test says.

use crate::util::{Place, Run};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

/// 2026-11-20 12:00, which the right clock says.
pub(crate) const NOW: i64 = 1_795_176_000;
pub(crate) const DAY: i64 = 86_400;
/// A day ahead, but for the minute for which this test may take.
pub(crate) const NEXT_DAY: i64 = NOW + DAY - 60;

/// The program under a clock that stands still, seconds since 1970.
pub(crate) fn command_at(place: &Place, clock: i64) -> Command {
    let mut command = place.command();
    command
        .env("MAILPULSE_CLOCK", set_clock(place, clock * 1_000))
        .env("TZ", "UTC");
    command
}

/// Sets the clock of a place, milliseconds since 1970, also of programs that run; the file that says so.
pub(crate) fn set_clock(place: &Place, clock_ms: i64) -> PathBuf {
    if !cfg!(debug_assertions) {
        panic!("only a debug build takes its time from a file");
    }
    // A reader finds the one time or the other.
    let new = place.write("clock.new", clock_ms.to_string());
    let clock = place.path("clock");
    std::fs::rename(new, &clock).unwrap();
    clock
}

pub(crate) fn run_at(place: &Place, clock: i64, args: &[&str]) -> Run {
    Run::of(
        command_at(place, clock)
            .args(args)
            .output()
            .expect("the program starts"),
    )
}

/// A line that is one event.
pub(crate) fn line(at: i64) -> String {
    let time = jiff::Timestamp::from_second(at).unwrap();
    format!(
        "{} H=relay.example.org [192.0.2.9] F=<at-{at}@example.org> rejected RCPT <someone@example.net>: relay not \
         permitted\n",
        time.strftime("%Y-%m-%d %H:%M:%S")
    )
}

/// So many lines, a minute apart.
pub(crate) fn lines(from: i64, count: i64) -> String {
    (0..count).map(|n| line(from + 60 * n)).collect()
}

pub(crate) fn set_time(path: &Path, clock: i64) {
    let time = UNIX_EPOCH + Duration::from_secs(clock as u64);
    File::options()
        .append(true)
        .open(path)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

/// What a store holds before a clock goes wrong: days before now, and events.
pub(crate) const HISTORY: [(i64, i64); 5] = [(100, 5), (90, 7), (2, 9), (1, 11), (0, 18)];

pub(crate) fn history() -> String {
    HISTORY
        .iter()
        .map(|(days, count)| lines(NOW - days * DAY - 60 * (count - 2), *count))
        .collect()
}

/// Clocks, and what 10 lines a minute apart begin at.
pub(crate) const CLOCKS: [(&str, i64); 5] = [
    ("1970", DAY),
    // But for the minute for which the test may take: a leap back is over a day.
    ("-1 d", NOW - DAY + 60),
    ("now", NOW),
    ("+1 d", NEXT_DAY),
    ("2038", 2_145_916_800),
];
pub(crate) const LOGS: [(&str, i64); 4] = [
    ("2018", 1_528_311_600),
    ("now", NOW - 600),
    ("+2 d", NOW + 2 * DAY - 1800),
    ("2099", 4_070_908_800),
];

/// Events in the store after the log was read under the clock and retention was applied, by retention, clock and log. 50
/// were there before. A log that is in the future of the clock and of its file is not read; with a clock a day ahead and
/// rows that say the same, one day is over: 11 events with a retention of a day, 7 with one of 90.
#[rustfmt::skip]
pub(crate) const KEPT: [(u32, [[i64; 4]; 5]); 2] = [
    //         log: 2018 now +2 d 2099
    (1, [
        /* 1970 */ [50,  50,  50,  50],
        /* -1 d */ [60,  60,  50,  50],
        /* now  */ [60,  60,  50,  50],
        /* +1 d */ [60,  60,  49,  50],
        /* 2038 */ [60,  60,  60,  50],
    ]),
    (90, [
        /* 1970 */ [50,  50,  50,  50],
        /* -1 d */ [60,  60,  50,  50],
        /* now  */ [60,  60,  50,  50],
        /* +1 d */ [60,  60,  53,  50],
        /* 2038 */ [60,  60,  60,  50],
    ]),
];

/// The stores of a retention of a day and of 90, made once.
static PLACES: [LazyLock<Place>; 2] = [LazyLock::new(|| begun(1)), LazyLock::new(|| begun(90))];

fn begun(days: u32) -> Place {
    let place = Place::with(&format!(
        "[store]\nurl = \"store\"\nretain_days = {days}\n[privacy]\nlocal_parts = \"keep\"\n[[source]]\nkind = \
         \"exim\"\npaths = [\"mainlog*\"]\nhost = \"mx1\"\n"
    ));
    let path = place.write("mainlog.1", history());
    set_time(&path, NOW);
    run_at(&place, NOW, &["backfill", "-q"]).ends(0);
    let done = run_at(&place, NOW, &["store", "compact"]).ends(0);
    assert!(done.out.contains("; 0 beyond the retention"), "{}", done.out);
    assert_eq!(place.events(), 50);
    place
}

fn place(days: u32) -> Place {
    Place::copy_of(&PLACES[usize::from(days > 1)])
}

/// Until when `watch` has judged, seconds since 1970.
fn judged(place: &Place) -> i64 {
    let state = std::fs::read(place.path("store/alerts.json")).unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    state["judged"].as_i64().unwrap()
}

/// Tries combinations of a retention, a clock and a log, by their numbers in the tables.
fn try_combinations(is_wanted: impl Fn(usize, usize, usize) -> bool) {
    let mut differ = String::new();
    for (retention, (days, kept)) in KEPT.into_iter().enumerate() {
        for (clock_at, (clock, row)) in CLOCKS.iter().zip(kept).enumerate() {
            for (log_at, (log, kept)) in LOGS.iter().zip(row).enumerate() {
                if is_wanted(retention, clock_at, log_at) {
                    differ += &try_one(days, *clock, *log, kept);
                }
            }
        }
    }
    assert!(differ.is_empty(), "{differ}");
}

/// Reads a log under a clock, compacts and watches; what differs from [`KEPT`].
fn try_one(days: u32, (clock_name, clock): (&str, i64), (log_name, log): (&str, i64), kept: i64) -> String {
    let place = place(days);
    let path = place.write("mainlog", lines(log, 10));
    set_time(&path, clock);
    let read = run_at(&place, clock, &["backfill", "-q"]);
    let after_backfill = place.events();
    let compacted = run_at(&place, clock, &["store", "compact"]).ends(0);
    let after_compact = place.events();
    run_at(&place, clock, &["watch", "--once", "--stale", "0"]);
    let (after_watch, judged) = (place.events(), judged(&place));
    let reads = if log > clock.max(0) + DAY { 0 } else { 10 };
    let is_right = after_backfill == 50 + reads
        && read.code == if reads == 0 { 2 } else { 0 }
        && after_compact == kept
        && after_watch == kept
        // Neither a row nor a clock makes it judge what has not happened; nor does a clock of 1970 stop it.
        && judged > NOW - 3600
        && judged <= clock.max(NOW) + 60;
    if is_right {
        return String::new();
    }
    format!(
        "clock {clock_name}, log {log_name}, {days} days: {after_backfill} after backfill, {after_compact} after compact \
         and {after_watch} after watch instead of {kept}; judged to {judged}\n{}{}{}",
        read.out, read.err, compacted.err
    )
}

/// Each clock and each log once with each retention, or nearly so.
#[test]
#[ignore = "slow: tests/run runs it"]
fn under_each_clock_a_log_of_each_time_keeps_what_is_written_here() {
    try_combinations(|retention, clock, log| (clock + log + 2 * retention).is_multiple_of(5));
}

#[test]
#[ignore = "minutes: the whole matrix; tests/run runs it"]
fn a_matrix_of_clocks_logs_and_retentions_keeps_what_is_written_here() {
    try_combinations(|_, _, _| true);
}

fn status(place: &Place, clock: i64) -> Value {
    let run = run_at(place, clock, &["status", "--format", "json"]).ends(0);
    serde_json::from_str::<Value>(&run.out).unwrap()["sources"][0].take()
}

#[test]
fn one_line_of_2036_is_unparsed_with_its_reason_and_removes_nothing() {
    let place = place(90);
    let path = place.write(
        "mainlog",
        lines(NOW - 1200, 10) + &line(2_100_000_000) + &lines(NOW - 600, 5),
    );
    set_time(&path, NOW);
    let read = run_at(&place, NOW, &["backfill"]).ends(0);
    assert!(
        read.out.contains("its time is in the future: over a day later"),
        "{}",
        read.out
    );
    let totals = read.totals();
    assert_eq!((totals.events, totals.unparsed), (15, 1));
    run_at(&place, NOW, &["store", "compact"]).ends(0);
    assert_eq!(place.events(), 65);
    let row = status(&place, NOW);
    assert_eq!(row["unparsed_shapes"][0]["count"], 1, "{row:#}");
    assert_eq!((&row["state"], &row["reason"]), (&"ok".into(), &Value::Null));
}

#[test]
fn a_row_of_2036_that_is_stored_removes_nothing_and_status_says_what_is_held_back() {
    let place = place(90);
    // Under a clock that was wrong as well, as an earlier version stored it under any.
    let path = place.write("mainlog", lines(2_100_000_000, 2));
    set_time(&path, 2_100_000_000);
    run_at(&place, 2_100_000_000, &["backfill", "-q"]).ends(0);
    for clock in [2_100_000_000, NOW + 60] {
        let done = run_at(&place, clock, &["store", "compact"]).ends(0);
        assert!(done.out.contains("; 0 beyond the retention"), "{}", done.out);
        assert_eq!(place.events(), 52, "{clock}");
    }
    assert_eq!(status(&place, NOW + 60)["held_back"]["events"], 5);
    assert_eq!(status(&place, 2_100_000_000)["held_back"]["events"], 50);
    let table = run_at(&place, 2_100_000_000, &["status"]).ends(0);
    assert!(
        table.out.contains("held back: 50 events from 2026-08-12"),
        "{}",
        table.out
    );
    assert!(table.out.contains("mailpulse store compact --force"), "{}", table.out);
    // The operator's word is taken.
    let done = run_at(&place, 2_100_000_000, &["store", "compact", "--force"]).ends(0);
    assert!(!done.err.contains("held back"), "{}", done.err);
    assert_eq!(place.events(), 2);
}

#[test]
fn an_archive_stays_whole_beside_the_logs_of_today() {
    let place = place(90);
    let path = place.write("old/archive", lines(1_528_311_600, 20));
    set_time(&path, 1_528_400_000);
    run_at(&place, NOW, &["backfill", "-q", "--host", "mx1", "old/archive"]).ends(0);
    for days in 0..3 {
        let done = run_at(&place, NOW + days * 60, &["store", "compact"]).ends(0);
        assert!(
            done.err.contains("held back: 25 events from 2018-06-06"),
            "{}",
            done.err
        );
    }
    assert_eq!(place.events(), 70);
}

#[test]
fn a_store_of_2018_that_takes_the_logs_of_today_stays_whole() {
    let place = Place::new();
    let path = place.write("archive", lines(1_528_311_600, 20));
    set_time(&path, 1_528_400_000);
    run_at(&place, NOW, &["backfill", "-q", "archive"]).ends(0);
    run_at(&place, NOW, &["store", "compact"]).ends(0);
    let path = place.write("today", lines(NOW - 600, 10));
    set_time(&path, NOW);
    run_at(&place, NOW, &["backfill", "-q", "today"]).ends(0);
    run_at(&place, NOW, &["store", "compact"]).ends(0);
    assert_eq!(place.events(), 30);
}

#[test]
fn where_most_lines_are_in_the_future_the_clock_is_in_doubt_and_they_wait_for_it() {
    let place = place(90);
    let (dead, late) = (NOW - 40 * DAY, NOW - 1200);
    // Two good lines before them are read under any clock.
    let path = place.write("mainlog", lines(dead - 600, 2) + &lines(late, 300));
    set_time(&path, dead);
    let read = run_at(&place, dead, &["backfill"]).ends(2).says(&[
        "100 of the newest 100 lines",
        "the clock is in doubt",
        "this machine's clock says 2026-10-11T12:00:0",
    ]);
    assert_eq!(read.totals().lines, 2);
    assert_eq!(place.events(), 52);
    let row = status(&place, dead);
    assert_eq!(
        (&row["state"], &row["reason"]),
        (&"unreadable".into(), &"clock".into()),
        "{row:#}"
    );
    assert_eq!(row["lines"], 52, "nothing of them is counted");
    let nagios = run_at(&place, dead, &["status", "--nagios"]).ends(2);
    assert!(
        nagios.out.contains("unreadable: mx1 (exim, the clock is in doubt)"),
        "{}",
        nagios.out
    );
    // Once more under the same clock says the same; under the right one they are read.
    run_at(&place, dead, &["backfill", "-q"]).ends(2);
    assert_eq!(place.events(), 52);
    assert_eq!(run_at(&place, NOW, &["backfill"]).ends(0).totals().events, 300);
    assert_eq!(place.events(), 352);
    assert_eq!(status(&place, NOW)["state"], "ok");
    assert_eq!(run_at(&place, NOW, &["backfill"]).ends(0).totals().lines, 0);
    place.verify();
}

#[test]
fn a_year_before_1990_is_no_year() {
    let place = place(90);
    let path = place.write(
        "mainlog",
        lines(NOW - 1200, 10) + &lines(86_400, 3) + &lines(500_000_000, 3),
    );
    set_time(&path, NOW);
    let read = run_at(&place, NOW, &["backfill"]).ends(0);
    assert!(read.out.contains("its year is before 1990"), "{}", read.out);
    assert_eq!(read.totals().unparsed, 6);
}

#[test]
fn every_kind_of_log_has_lines_in_the_future() {
    let good = |n: i64| jiff::Timestamp::from_second(NOW - 600 + n).unwrap();
    let ahead = jiff::Timestamp::from_second(2_100_000_000).unwrap();
    let postfix = |time: jiff::Timestamp, n: i64| {
        format!(
            "{} mx1 postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[192.0.2.{n}]: 554 5.7.1 <a@example.net>: Relay \
             access denied; from=<b@example.org> to=<a@example.net> proto=ESMTP helo=<x>\n",
            time.strftime("%Y-%m-%dT%H:%M:%S+00:00")
        )
    };
    let gerrit = |time: jiff::Timestamp, n: i64| {
        format!(
            "[{}] [SendEmail-1] ERROR com.google.gerrit.server.change.EmailReviewComments : Cannot email comments for \
             {n},3\n",
            time.strftime("%Y-%m-%d %H:%M:%S,123")
        )
    };
    let journal = |time: jiff::Timestamp, n: i64| {
        let text = postfix(time, n);
        let (_, message) = text.trim_end().split_once("]: ").unwrap();
        let entry = serde_json::json!({
            "__CURSOR": format!("s=0639;i={n:x};b=1;m=1;t={n:x};x=1"),
            "__REALTIME_TIMESTAMP": time.as_microsecond().to_string(),
            "_HOSTNAME": "mx1", "SYSLOG_IDENTIFIER": "postfix/smtpd", "_PID": "9", "MESSAGE": message,
        });
        format!("{entry}\n")
    };
    type Line<'l> = &'l dyn Fn(jiff::Timestamp, i64) -> String;
    for (kind, line) in [
        ("postfix", &postfix as Line),
        ("gerrit", &gerrit),
        ("postfix", &journal),
    ] {
        let place = Place::new();
        let mut log: String = (1..20).map(|n| line(good(n), n)).collect();
        log += &line(ahead, 20);
        log += &(21..30).map(|n| line(good(n), n)).collect::<String>();
        let path = place.write("log", log);
        // Quiet for a while: the last record of an application is over.
        set_time(&path, NOW - 120);
        let read = run_at(&place, NOW, &["backfill", "--kind", kind, "log"]).ends(0);
        assert!(read.out.contains("its time is in the future"), "{kind}: {}", read.out);
        assert_eq!((read.totals().events, read.totals().unparsed), (28, 1), "{kind}");
    }
}

/// Two relays and a service, four mails a minute for eight days, and silence of one for the last half hour.
fn relays(place: &Place) {
    let mut logs = [String::new(), String::new()];
    for at in (NOW - 8 * DAY..NOW).step_by(15) {
        let which = (at / 15 % 2) as usize;
        if which == 1 && at > NOW - 1800 {
            continue;
        }
        let time = jiff::Timestamp::from_second(at).unwrap().strftime("%Y-%m-%d %H:%M:%S");
        let _ = writeln!(
            logs[which],
            "{time} 1f{:04}-{:06}-A1 <= shop@example.org H=web1.example.org [10.0.0.9] P=esmtp S=900 id={at}@web1",
            at / 1_000_000 % 10_000,
            at % 1_000_000
        );
    }
    for (log, host) in logs.iter().zip(["mx1", "mx2"]) {
        let path = place.write(&format!("{host}.log"), log);
        set_time(&path, NOW);
        run_at(place, NOW, &["backfill", "-q", "--host", host, &format!("{host}.log")]).ends(0);
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_row_of_2099_stops_neither_watch_nor_detect_and_empties_no_window() {
    let place = Place::new();
    relays(&place);
    let watch = |clock| {
        run_at(&place, clock, &["watch", "--once"]);
        judged(&place)
    };
    let detect = |args: &[&str]| run_at(&place, NOW, &[&["detect", "--format", "json"], args].concat());
    let (before, found) = (watch(NOW), detect(&[]).out);
    // A store of an earlier version may hold such a row; here a wrong clock made it.
    let path = place.write("future", lines(4_070_908_800, 2));
    set_time(&path, 4_070_908_800);
    run_at(&place, 4_070_908_800, &["backfill", "-q", "--host", "mx1", "future"]).ends(0);
    assert_eq!(watch(NOW), before, "judged as without it");
    assert_eq!(detect(&[]).out, found);
    assert_eq!(
        detect(&["--since", "-2d"]).out,
        detect(&["--since", "-2d", "--until", "2100-01-01"]).out
    );
    let graph = run_at(&place, NOW, &["graph", "--by", "relay"]).ends(0);
    assert!(graph.out.contains("mx1"), "{}{}", graph.out, graph.err);
    // An hour of mail later it has gone on.
    let path = place.write("mx1.log.2", lines(NOW, 60));
    set_time(&path, NOW + 3600);
    run_at(&place, NOW + 3600, &["backfill", "-q", "--host", "mx1", "mx1.log.2"]).ends(0);
    assert!(watch(NOW + 3600) >= before + 3000);
}
