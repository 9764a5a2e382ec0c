//! `mailpulse run`: several parts in one process. What holds for `tail` holds for it, and one part that fails harms no other.

use crate::logs::simulated;
use crate::tail::bench::{assert_once, lines};
use crate::tail::process::{append, stored, wait_for, write_and_rotate};
use crate::util::{KEEP, Place, number_from, signal};
use crate::watch::{Running, until};
use serde_json::Value;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SOURCE: &str = "[[source]]\nkind = \"exim\"\npaths = [\"logs/mainlog*\"]\nhost = \"mx1\"\n";

fn place(more: &str) -> Place {
    let place = Place::with(&format!("{KEEP}{SOURCE}[tail]\npoll_ms = 200\nrescan_s = 1\n{more}"));
    place.write("logs/mainlog", "");
    place
}

fn spawn(place: &Place, mut command: Command) -> Running {
    let words = fs::File::options().create(true).append(true).open(place.path("words"));
    command.arg("run").stdout(Stdio::null()).stderr(words.unwrap());
    Running(command.spawn().expect("it starts"))
}

fn start(place: &Place) -> Running {
    spawn(place, place.command())
}

/// Ends it, which takes less than two seconds.
#[track_caller]
fn end(mut running: Running) {
    let begin = Instant::now();
    signal(&running.0, "-TERM");
    assert!(running.0.wait().unwrap().success());
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

fn words(place: &Place) -> String {
    fs::read_to_string(place.path("words")).unwrap_or_default()
}

/// What `status` shows of parts that have failed.
fn troubles(place: &Place) -> Vec<String> {
    let run = place.run(&["status", "--format", "json"]);
    let status: Value = serde_json::from_str(&run.out).unwrap_or_default();
    let all = status["troubles"].as_array().cloned().unwrap_or_default();
    all.iter()
        .map(|one| format!("{}: {}", one["topic"], one["what"]))
        .collect()
}

#[test]
fn it_reads_and_watches_and_ends_within_two_seconds_without_losing_a_line() {
    let place = place("");
    append(&place.path("logs/mainlog"), &lines(0..3_000));
    let running = start(&place);
    wait_for(&place, 3_000);
    until("it watches", || place.path("store/alerts.json").exists());
    end(running);
    append(&place.path("logs/mainlog"), &lines(3_000..3_010));
    let running = start(&place);
    wait_for(&place, 3_010);
    end(running);
    assert_once(&stored(&place), 0..3_010);
    assert_eq!(troubles(&place), [] as [String; 0]);
    place.verify();
}

#[test]
fn a_part_that_fails_is_shown_and_started_again_and_the_others_go_on() {
    let place = place("");
    append(&place.path("logs/mainlog"), &lines(0..10));
    place.run(&["backfill"]).ends(0);
    // Another watch holds the lock.
    let mut other = place.command();
    other
        .args(["watch", "--interval", "1s"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let other = Running(other.spawn().unwrap());
    until("the other watches", || place.path("store/alerts.json").exists());
    let running = start(&place);
    until("it is shown", || {
        troubles(&place)
            .iter()
            .any(|one| one.contains("another `mailpulse watch` runs"))
    });
    assert!(troubles(&place)[0].starts_with("\"watch\""), "{:?}", troubles(&place));
    append(&place.path("logs/mainlog"), &lines(10..20));
    wait_for(&place, 20);
    drop(other);
    until("it is well again", || troubles(&place).is_empty());
    assert!(words(&place).contains("watch: well again"), "{}", words(&place));
    end(running);
}

#[test]
fn a_second_one_on_the_same_store_says_so_and_ends() {
    let place = place("");
    append(&place.path("logs/mainlog"), &lines(0..10));
    let running = start(&place);
    wait_for(&place, 10);
    until("it watches", || place.path("store/alerts.json").exists());
    place
        .run(&["run"])
        .ends(2)
        .says(&["no part can run", "tail: ", "watch: ", "another `mailpulse watch` runs"]);
    end(running);
}

#[test]
fn without_anything_to_run_it_says_what_is_missing() {
    Place::new()
        .run(&["run"])
        .ends(2)
        .says(&["nothing is configured to run", "[[source]]"]);
    let place = place("");
    place
        .run(&["run", "--without", "tail,watch"])
        .ends(2)
        .says(&["nothing is configured"]);
}

#[test]
fn a_reload_reaches_all_parts_and_a_mistake_reaches_none() {
    let place = place("[[alert]]\nkind = \"stdout\"\n");
    append(&place.path("logs/mainlog"), &lines(0..10));
    let running = start(&place);
    wait_for(&place, 10);
    until("it watches", || place.path("store/alerts.json").exists());
    let old = fs::read_to_string(place.path("mailpulse.toml")).unwrap();
    place.write("mailpulse.toml", old.clone() + "[[source]]\nkind = \"exom\"\n");
    signal(&running.0, "-HUP");
    until("both keep the old one", || {
        words(&place).matches("the old one stays").count() == 2
    });
    place.write("other/mainlog", lines(100..110));
    let more = "[[source]]\nkind = \"exim\"\npaths = [\"other/mainlog\"]\nhost = \"mx2\"\n\
                [[alert]]\nkind = \"exec\"\ncommand = [\"/bin/true\"]\n";
    place.write("mailpulse.toml", old + more);
    signal(&running.0, "-HUP");
    wait_for(&place, 20);
    until("the watch has two channels", || {
        let kept = fs::read_to_string(place.path("store/alerts.json")).unwrap();
        kept.contains("exec /bin/true")
    });
    end(running);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn killed_at_any_moment_each_line_is_stored_once() {
    let kills: u64 = number_from("MAILPULSE_KILLS", 12);
    let place = place("");
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| write_and_rotate(&place, &stop, &written));
        let mut dice = 0x2018_0606_u64;
        for _ in 0..kills {
            let mut running = start(&place);
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(Duration::from_millis(5 + (dice >> 33) % 1_200));
            running.0.kill().unwrap();
            running.0.wait().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    let all = written.load(Ordering::Relaxed);
    let running = start(&place);
    wait_for(&place, all as i64);
    end(running);
    assert_once(&stored(&place), 0..all);
    place.verify();
}

/// What the process tells the system that started it, as systemd would hear it.
struct Ears(UnixDatagram);

impl Ears {
    fn start(place: &Place) -> (Ears, Running) {
        let socket = place.path("notify");
        let ears = UnixDatagram::bind(&socket).unwrap();
        ears.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut command = place.command();
        command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "1000000");
        (Ears(ears), spawn(place, command))
    }

    fn hear(&self) -> String {
        let mut bytes = [0; 2_048];
        let length = self.0.recv(&mut bytes).expect("a word within the time");
        String::from_utf8(bytes[..length].to_vec()).unwrap().trim().to_owned()
    }

    #[track_caller]
    fn until(&self, word: &str) {
        let begin = Instant::now();
        loop {
            let heard = self.hear();
            if heard.contains(word) {
                return;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "nobody says {word}, but {heard}"
            );
        }
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn the_system_is_told_when_all_parts_run_and_hears_of_a_stop() {
    let place = place("");
    append(&place.path("logs/mainlog"), &lines(0..10));
    let (ears, running) = Ears::start(&place);
    ears.until("READY=1");
    ears.until("WATCHDOG=1");
    signal(&running.0, "-STOP");
    std::thread::sleep(Duration::from_millis(100));
    ears.0.set_nonblocking(true).unwrap();
    let mut bytes = [0; 2_048];
    while ears.0.recv(&mut bytes).is_ok() {}
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(
        ears.0.recv(&mut bytes).is_err(),
        "a word from a process that stands still"
    );
    ears.0.set_nonblocking(false).unwrap();
    signal(&running.0, "-CONT");
    signal(&running.0, "-TERM");
    ears.until("STOPPING=1");
}

/// The outbox is full because the server is away: reading waits, by design, and no watchdog may end it for that.
#[test]
#[ignore = "slow: tests/run runs it"]
fn a_reader_that_waits_for_a_full_outbox_feeds_the_watchdog() {
    let place = place("");
    let config = fs::read_to_string(place.path("mailpulse.toml")).unwrap();
    let ship = "outbox_mib_max = 1\nship = \"clickhouse://u@127.0.0.1:1/mail\"\nsegment_rows_max";
    place.write("mailpulse.toml", config.replacen("segment_rows_max", ship, 1));
    for n in 1..4 {
        place.write(&format!("logs/mainlog.{n}"), simulated(12_000_000, n));
    }
    let (ears, running) = Ears::start(&place);
    until("the outbox is full", || words(&place).contains("wait to be sent"));
    let (begin, mut last) = (Instant::now(), Instant::now());
    while begin.elapsed() < Duration::from_secs(4) {
        if ears.hear().contains("WATCHDOG=1") {
            last = Instant::now();
        }
        assert!(last.elapsed() < Duration::from_secs(1), "{:?}", last.elapsed());
    }
    end(running);
}
