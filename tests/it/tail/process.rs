//! The real process: freshness, signals, a configuration taken anew, and `kill -9` while logs are written and rotated.
//!
//! MAILPULSE_KILLS (default 15) says how often it is killed.

use super::bench::{assert_once, lines};
use crate::clocks::set_clock;
use crate::logs::gzip;
use crate::util::{KEEP, Place, now_ms, number_from, signal, stop};
use mailpulse::model::time::UtcMs;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SOURCE: &str = "[[source]]\nkind = \"exim\"\npaths = [\"logs/mainlog*\"]\nhost = \"mx1\"\n";

/// A place that follows `logs/mainlog*`.
pub(crate) fn place(more: &str) -> Place {
    let place = Place::with(&format!("{KEEP}{SOURCE}[tail]\npoll_ms = 200\nrescan_s = 1\n{more}"));
    place.write("logs/mainlog", "");
    place
}

pub(crate) fn start(place: &Place) -> Child {
    spawn(place, place.command())
}

/// The same under a clock that stands still.
fn start_at(place: &Place, clock_ms: i64) -> Child {
    let mut command = place.command();
    command.env("MAILPULSE_CLOCK", set_clock(place, clock_ms));
    spawn(place, command)
}

fn spawn(place: &Place, mut command: Command) -> Child {
    command.arg("tail").stdout(Stdio::null());
    let words = fs::File::options()
        .create(true)
        .append(true)
        .open(place.path("words"))
        .unwrap();
    command.stderr(words).spawn().expect("tail starts")
}

pub(crate) fn append(path: &Path, text: &str) {
    let mut file = fs::File::options().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// How often each line was stored.
pub(crate) fn stored(place: &Place) -> BTreeMap<u64, u64> {
    let rows = place.sql("SELECT sender_local, COUNT(*) AS n FROM events GROUP BY sender_local");
    let number = |row: &serde_json::Value| {
        let name = row["sender_local"].as_str().unwrap();
        name.strip_prefix("line-")
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("{name}"))
    };
    rows.iter()
        .map(|row| (number(row), row["n"].as_u64().unwrap()))
        .collect()
}

/// Waits until the store has so many events; how long it took.
#[track_caller]
pub(crate) fn wait_for(place: &Place, events: i64) -> Duration {
    let begin = Instant::now();
    let mut seen = -1;
    while begin.elapsed() < Duration::from_secs(30) {
        if place.path("store/catalogue.sqlite").exists() {
            let run = place.run(&["query", "--sql", "SELECT COUNT(*) AS n FROM events", "--format", "csv"]);
            seen = run.out.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or(-1);
            if seen == events {
                return begin.elapsed();
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{seen} events instead of {events} after 30 s");
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_line_is_in_the_answers_within_two_seconds() {
    let place = Place::with(&format!("{KEEP}{SOURCE}"));
    place.write("logs/mainlog", lines(0..1));
    let mut child = start(&place);
    wait_for(&place, 1);
    let mut ages = Vec::new();
    for number in 1..4 {
        // While it looks every second, and after it has gone to rest and waits for the system's word.
        std::thread::sleep(Duration::from_millis(if number < 3 { 100 } else { 6_000 }));
        append(&place.path("logs/mainlog"), &lines(number..number + 1));
        ages.push(wait_for(&place, number as i64 + 1));
    }
    eprintln!("from a line's write to the first answer with it: {ages:?}");
    ages.sort_unstable();
    // The answer itself takes part of it: a process of the test profile, on a machine with other work.
    assert!(ages[1] < Duration::from_millis(2_000), "{ages:?}");
    stop(&mut child);
}

#[test]
fn a_stop_loses_nothing_and_the_next_start_goes_on() {
    let place = place("");
    append(&place.path("logs/mainlog"), &lines(0..5_000));
    for name in ["-TERM", "-INT"] {
        let mut child = start(&place);
        std::thread::sleep(Duration::from_millis(300));
        signal(&child, name);
        assert!(child.wait().unwrap().success());
    }
    append(&place.path("logs/mainlog"), &lines(5_000..5_010));
    let mut child = start(&place);
    wait_for(&place, 5_010);
    stop(&mut child);
    assert_once(&stored(&place), 0..5_010);
    // A backfill after the tail, and a tail after that, add nothing.
    assert_eq!(place.run(&["backfill"]).ends(0).totals().lines, 0);
    let mut child = start(&place);
    append(&place.path("logs/mainlog"), &lines(5_010..5_020));
    wait_for(&place, 5_020);
    stop(&mut child);
    place.verify();
}

#[test]
fn a_configuration_with_a_mistake_is_not_taken_and_a_right_one_is() {
    let place = place("");
    append(&place.path("logs/mainlog"), &lines(0..10));
    let mut child = start(&place);
    wait_for(&place, 10);
    let old = fs::read_to_string(place.path("mailpulse.toml")).unwrap();
    let words = |what: &str| {
        let begin = Instant::now();
        while !fs::read_to_string(place.path("words")).unwrap().contains(what) {
            assert!(begin.elapsed() < Duration::from_secs(20), "nobody says {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    words("follows 1 source, services derived from senders");
    place.write("mailpulse.toml", old.clone() + "[[source]]\nkind = \"exom\"\n");
    signal(&child, "-HUP");
    words("the old one stays");
    append(&place.path("logs/mainlog"), &lines(10..20));
    place.write("mailpulse.toml", old.clone());
    wait_for(&place, 20);
    place.write("other/mainlog", lines(100..110));
    let more = "[[source]]\nkind = \"exim\"\npaths = [\"other/mainlog\"]\nhost = \"mx2\"\n";
    place.write("mailpulse.toml", old + more);
    signal(&child, "-HUP");
    words("configuration reloaded: 2 sources, ");
    wait_for(&place, 30);
    append(&place.path("other/mainlog"), &lines(110..115));
    append(&place.path("logs/mainlog"), &lines(20..25));
    wait_for(&place, 40);
    stop(&mut child);
    assert_once(&stored(&place), (0..25).chain(100..115));
}

#[test]
fn without_sources_there_is_nothing_to_follow() {
    let place = Place::new();
    let run = place.run(&["tail"]).ends(2);
    assert!(run.err.contains("no [[source]]"), "{}", run.err);
}

#[test]
fn a_silent_log_that_is_read_to_its_end_is_told_from_one_that_is_not_read() {
    let place = place("");
    append(&place.path("logs/mainlog"), &lines(0..3));
    let begin = now_ms();
    let mut child = start_at(&place, begin);
    wait_for(&place, 3);
    for beat in 1..3 {
        set_clock(&place, begin + 15_000 * beat);
        let begin = Instant::now();
        while place.number("SELECT SUM(heartbeats) AS n FROM sources") < beat {
            assert!(begin.elapsed() < Duration::from_secs(40), "no heartbeat {beat}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    stop(&mut child);
    // Lines that were written weeks ago and read just now say so.
    assert!(place.number("SELECT MAX(lag_ms) AS n FROM sources") > 0);
    let beats = place.store().coverage().stretches(UtcMs::MIN).unwrap();
    assert!(
        beats.iter().any(|span| span.to_ms > span.from_ms && span.host == "mx1"),
        "{beats:?}"
    );
}

/// Writes lines and rotates the log, until it is told to end.
pub(crate) fn write_and_rotate(place: &Place, end: &AtomicBool, written: &AtomicU64) {
    let log = place.path("logs/mainlog");
    let mut at = 0;
    let mut turn = 0_u64;
    while !end.load(Ordering::Relaxed) {
        // In pieces that do not end where lines end.
        let text = lines(at..at + 7);
        let (first, second) = text.split_at(text.len() / 2 + 3);
        append(&log, first);
        append(&log, second);
        at += 7;
        written.store(at, Ordering::Relaxed);
        turn += 1;
        if turn.is_multiple_of(60) {
            let name = |n: u32| place.path(&format!("logs/mainlog.{n}"));
            if name(2).exists() {
                fs::rename(name(2), name(3)).unwrap();
                let _ = fs::remove_file(place.path("logs/mainlog.3.gz"));
                gzip(&name(3));
                fs::rename(
                    place.path("logs/mainlog.3.gz"),
                    place.path(&format!("logs/mainlog.{}.gz", 1_000 - turn / 60)),
                )
                .unwrap();
            }
            if name(1).exists() {
                fs::rename(name(1), name(2)).unwrap();
            }
            fs::rename(&log, name(1)).unwrap();
            // The program goes on in the old file for a moment.
            append(&name(1), &lines(at..at + 3));
            at += 3;
            append(&log, "");
            written.store(at, Ordering::Relaxed);
        }
        std::thread::sleep(Duration::from_millis(3));
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn fault_24_killed_at_any_moment_each_line_is_stored_once() {
    let kills: u64 = number_from("MAILPULSE_KILLS", 15);
    let place = place("");
    let (end, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut committed = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| write_and_rotate(&place, &end, &written));
        let mut dice = 0x2018_0606_u64;
        for _ in 0..kills {
            let mut child = start(&place);
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            // From before its first commit to after many.
            std::thread::sleep(Duration::from_millis(5 + (dice >> 33) % 900));
            child.kill().unwrap();
            child.wait().unwrap();
            let store = mailpulse::store::Store::open(&place.path("store"));
            committed.push(store.map_or(0, |store| {
                let segments = store.segments().all().unwrap();
                segments.iter().map(|segment| segment.rows).sum::<u64>()
            }));
        }
        end.store(true, Ordering::Relaxed);
    });
    let all = written.load(Ordering::Relaxed);
    let mut child = start(&place);
    wait_for(&place, all as i64);
    stop(&mut child);
    eprintln!("{kills} kills; {all} lines written; rows committed at each kill: {committed:?}");
    assert!(
        committed.iter().any(|rows| (1..all).contains(rows)),
        "no kill came in the middle"
    );
    assert_once(&stored(&place), 0..all);
    place.verify();
}

/// What the process tells the system that started it, as systemd would hear it.
#[test]
#[ignore = "slow: tests/run runs it"]
fn the_system_is_told_of_the_start_of_each_round_and_of_the_stop() {
    let place = place("");
    let socket = place.path("notify");
    let ears = UnixDatagram::bind(&socket).unwrap();
    ears.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut child = place
        .command()
        .arg("tail")
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "1000000")
        .stdout(Stdio::null())
        .spawn()
        .expect("tail starts");
    let hear = || {
        let mut bytes = [0; 256];
        let length = ears.recv(&mut bytes).expect("a word within the time");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    assert_eq!(hear().trim(), "READY=1");
    // A second without a word, and systemd would end it: three seconds of silence in the log, and one of lines.
    let begin = Instant::now();
    let mut last = begin;
    let mut words = 0;
    while begin.elapsed() < Duration::from_secs(4) {
        if begin.elapsed() > Duration::from_secs(3) {
            append(&place.path("logs/mainlog"), &lines(words..words + 1));
        }
        assert_eq!(hear().trim(), "WATCHDOG=1");
        assert!(last.elapsed() < Duration::from_secs(1), "{:?}", last.elapsed());
        last = Instant::now();
        words += 1;
    }
    assert!(words >= 4, "{words}");
    // A process that does not get to its work says nothing more.
    signal(&child, "-STOP");
    ears.set_nonblocking(true).unwrap();
    let mut bytes = [0; 256];
    std::thread::sleep(Duration::from_millis(100));
    while ears.recv(&mut bytes).is_ok() {}
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(
        ears.recv(&mut bytes).is_err(),
        "a word from a process that stands still"
    );
    signal(&child, "-CONT");
    ears.set_nonblocking(false).unwrap();
    stop(&mut child);
    let mut told = String::new();
    while !told.contains("STOPPING=1") {
        told = hear();
    }
}
