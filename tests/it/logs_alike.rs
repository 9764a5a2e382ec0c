//! Logs that begin alike, and one log under two names.

use crate::util::{KEEP, Place, now_ms, stop};
use mailpulse::model::time::UtcMs;
use mailpulse::store::retention::{MachineTime, Retention, forget_old};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

const FIRST: &str =
    "2018-01-01 00:00:00 exim 4.84 daemon started: pid=1, no queue runs, listening for SMTP on port 25\n";

/// A log that begins as all others do; its lines are of its own.
fn log(name: char, month: u32, lines: u32) -> String {
    let mut text = FIRST.to_owned();
    for n in 0..lines {
        let _ = writeln!(
            text,
            "2018-{month:02}-{:02} {:02}:{:02}:00 1f{name}{n:03}-0000Ab-0{name} <= {name}@example.org U=app P=local S=900 for b@example.net",
            1 + n / 1_440,
            n / 60 % 24,
            n % 60
        );
    }
    text
}

/// Logs of the stored rows.
fn logs(place: &Place) -> BTreeSet<String> {
    let rows = place.sql("SELECT event_id FROM events");
    rows.iter()
        .map(|row| {
            row["event_id"]
                .as_str()
                .unwrap()
                .split_once('-')
                .expect("log and offset")
                .0
                .to_owned()
        })
        .collect()
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_log_that_was_forgotten_leaves_its_number() {
    // The oldest in time may be the first that was read, or the last: then its number is the highest.
    for old in [0, 2] {
        let place = Place::new();
        let mut paths: Vec<PathBuf> = Vec::new();
        for (at, name) in ['A', 'B', 'C'].into_iter().enumerate() {
            let month = if at == old { 1 } else { 12 };
            paths.push(place.write(&format!("{name}/mainlog"), log(name, month, 60)));
            place.backfill(&[&paths[at]]).ends(0);
        }
        let before = logs(&place);
        assert_eq!((place.events(), before.len()), (180, 3));
        fs::remove_file(paths.remove(old)).unwrap();
        {
            let store = mailpulse::store::Store::create(&place.path("store")).unwrap();
            // As if each had been read when it was written.
            rusqlite::Connection::open(place.path("store/catalogue.sqlite"))
                .and_then(|catalogue| catalogue.execute("UPDATE log SET read_ms = last_ms", []))
                .unwrap();
            let retention = Retention {
                days: 90,
                machine: MachineTime {
                    wall_ms: UtcMs::new(now_ms()),
                    boot: 1,
                    uptime_ms: 0,
                },
                force: true,
            };
            let (_, forgotten) = forget_old(&store, &retention).unwrap();
            assert_eq!(forgotten, 1, "the log of January");
        }
        assert_eq!(place.events(), 120);
        let fourth = place.write("D/mainlog", log('D', 12, 60));
        paths.push(fourth);
        let all: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        assert_eq!(place.backfill(&all).ends(0).totals().events, 60);
        for _ in 0..3 {
            let again = place.backfill(&all).ends(0);
            assert_eq!(again.totals().lines, 0, "read again:\n{}", again.out);
        }
        assert_eq!(
            (
                place.events(),
                place.number("SELECT COUNT(DISTINCT event_id) AS n FROM events")
            ),
            (180, 180)
        );
        let after = logs(&place);
        assert_eq!(
            (after.len(), after.union(&before).count()),
            (3, 4),
            "a number was given twice"
        );
        place.verify();
    }
}

#[test]
fn one_log_under_two_hosts_is_refused_with_the_cure() {
    let place = Place::new();
    let text = log('A', 12, 300);
    let path = place.write("mainlog", &text);
    place.backfill_as("mx1001", &[&path]).ends(0);
    let words = ["under the host mx1001", "--host mx1001", "--anyway"];
    place.backfill_as("mx1", &[&path]).ends(2).says(&words);
    // Nobody names a host; the log has grown; it is a copy, and packed.
    place.run(&["backfill", "mainlog"]).ends(2).says(&words);
    let grown = place.write("copy/mainlog", text.clone() + &log('B', 12, 5)[FIRST.len()..]);
    place.backfill_as("mx1", &[&grown]).ends(2).says(&words);
    let packed = place.write("packed/mainlog", &text);
    crate::logs::gzip(&packed);
    place
        .backfill_as("mx1", &[&place.path("packed/mainlog.gz")])
        .ends(2)
        .says(&words);
    assert_eq!(place.events(), 300);
    // Its own host goes on, and another log that begins alike is another log.
    assert_eq!(place.backfill_as("mx1001", &[&grown]).ends(0).totals().events, 5);
    let other = place.write("other/mainlog", log('C', 12, 50));
    assert_eq!(place.backfill_as("mx1", &[&other]).ends(0).totals().events, 50);
    // So is one that has nothing but what all of them begin with.
    let empty = place.write("empty/mainlog", FIRST);
    place.backfill_as("mx1002", &[&empty]).ends(0);
    place.backfill_as("mx1003", &[&empty]).ends(0);
    let mut anyway = place.command();
    anyway.args(["backfill", "--host", "mx1", "--anyway"]).arg(&path);
    crate::util::Run::of(anyway.output().unwrap()).ends(0);
    assert_eq!(place.events(), 655);
}

#[test]
fn a_host_that_gets_another_name_goes_on_where_it_was() {
    let place = Place::new();
    let follow = |host: &str| {
        place.write(
            "mailpulse.toml",
            format!(
                "{KEEP}[[source]]\nkind = \"exim\"\npaths = [\"mainlog\"]\nhost = \"{host}\"\n[tail]\npoll_ms = 100\n"
            ),
        );
        place
            .command()
            .arg("tail")
            .stdout(Stdio::null())
            .spawn()
            .expect("tail starts")
    };
    let events = |host: &str| {
        let sql = format!("SELECT COUNT(*) AS n FROM events WHERE host = '{host}'");
        let run = place.run(&["query", "--sql", &sql, "--format", "csv"]);
        run.out
            .lines()
            .nth(1)
            .and_then(|line| line.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let wait_for = |host: &str, wanted: u64| {
        let begin = Instant::now();
        while !place.path("store/catalogue.sqlite").exists() || events(host) != wanted {
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "{} of {wanted} of {host}",
                events(host)
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let path = place.write("mainlog", log('A', 12, 300));
    let mut child = follow("old");
    wait_for("old", 300);
    stop(&mut child);
    let append = |text: &str| {
        let mut file = fs::File::options().append(true).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    append(&log('B', 12, 20)[FIRST.len()..]);
    let mut child = follow("new");
    wait_for("new", 20);
    append(&log('C', 12, 10)[FIRST.len()..]);
    wait_for("new", 30);
    stop(&mut child);
    assert_eq!((events("old"), events("new")), (300, 30));
}
