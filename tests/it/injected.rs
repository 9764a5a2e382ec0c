//! Faults put into a store: whatever is cut, emptied, flipped, removed or replaced in it, every command ends with an answer
//! or a clear error, and after `store repair` and reading again it has what a store has that nobody touched.
//!
//! The core tier tries a few seeds on a small store. MAILPULSE_FAULTS (default 50) says how many the long run tries,
//! MAILPULSE_FAULTS_FROM (default 1) with which they begin: `MAILPULSE_FAULTS=500 tests/run injected`.

use crate::logs::{cut, simulated, text};
use crate::util::{PROGRAM, Place, Run, assert_same_answers, assert_same_rows, number_from};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// splitmix64: the same faults for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// All files below a folder of the store.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true if !path.ends_with("lost+found") => all.extend(files(&path)),
            true => {}
            false => all.push(path),
        }
    }
    all.sort();
    all
}

/// Does something bad to a file; says what.
fn hurt(dice: &mut Dice, path: &Path, all: &[PathBuf]) -> String {
    let bytes = fs::read(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    // A new file: the same bytes may be under another name too, and half of the time that one stays.
    let put = |bytes: &[u8], dice: &mut Dice| {
        if dice.below(2) == 0 {
            fs::remove_file(path).unwrap();
        }
        fs::write(path, bytes).unwrap();
    };
    let what = match dice.below(6) {
        0 => {
            let len = dice.below(bytes.len());
            put(&bytes[..len], dice);
            format!("cut to {len} of {}", bytes.len())
        }
        1 => {
            put(b"", dice);
            "emptied".to_owned()
        }
        2 => {
            fs::remove_file(path).unwrap();
            "removed".to_owned()
        }
        3 => {
            let other = all[dice.below(all.len())].clone();
            let foreign = fs::read(&other).unwrap_or_default();
            put(&foreign, dice);
            format!("replaced by {}", other.file_name().unwrap().to_string_lossy())
        }
        4 => {
            let noise: Vec<u8> = (0..dice.below(5_000)).map(|_| dice.next() as u8).collect();
            put(&noise, dice);
            "replaced by noise".to_owned()
        }
        _ => {
            let mut flipped = bytes.clone();
            for _ in 0..=dice.below(4) {
                if !flipped.is_empty() {
                    let at = dice.below(flipped.len());
                    flipped[at] ^= 1 << dice.below(8);
                }
            }
            put(&flipped, dice);
            "flipped".to_owned()
        }
    };
    format!("{name}: {what}")
}

/// A store that nobody touched, and what it answers.
pub(crate) struct Twin {
    pub place: Place,
    pub logs: Vec<PathBuf>,
    events: mailpulse::store::columnar::Table,
    rates: Vec<Value>,
    sources: Vec<Value>,
}

pub(crate) const RATES: &str = "SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, SUM(messages) AS m, \
    SUM(recipients) AS r, SUM(attempts) AS a, SUM(bytes) AS b FROM rates GROUP BY ts_ms, service, hostgroup, relay, kind, \
    destination, first_hop ORDER BY ts_ms, service, hostgroup, relay, kind, destination, first_hop";
const SOURCES: &str = "SELECT ts_ms, host, source, lines, events, ignored, unparsed, bytes FROM sources WHERE lines > 0 \
    ORDER BY ts_ms, host, source";

impl Twin {
    /// Of two hosts' logs of so many bytes.
    fn new(log_bytes: u64) -> Twin {
        // Pseudonyms, so that there is a key; batches are small, so that there are many segments.
        let rows_max = (log_bytes / 1_600).max(1_000);
        let place = Place::with(&format!(
            "[store]\nurl = \"store\"\nsegment_rows_max = {rows_max}\nretain_days = 36500\n"
        ));
        let mut logs = Vec::new();
        let mut twin = Twin {
            events: mailpulse::store::columnar::Table::default(),
            rates: Vec::new(),
            sources: Vec::new(),
            place,
            logs: Vec::new(),
        };
        for (host, seed) in [("mx1001", 71), ("mx2001", 72)] {
            let log = simulated(log_bytes, seed);
            let (old, new) = (format!("{host}/mainlog.1"), format!("{host}/mainlog"));
            twin.logs = vec![twin.place.path(&old), twin.place.path(&new)];
            let (older, newer) = cut(&log, 0.6);
            // A log that grows, and is rotated once: a segment each time.
            for share in [0.3, 0.5, 0.8, 0.999] {
                twin.place.write(&new, cut(older, share).0);
                ends(twin.backfill(&twin.place.path("store"), host)).ends(0);
            }
            fs::rename(&twin.logs[1], &twin.logs[0]).unwrap();
            let mut rotated = fs::OpenOptions::new().append(true).open(&twin.logs[0]).unwrap();
            std::io::Write::write_all(&mut rotated, cut(older, 0.999).1).unwrap();
            for share in [0.2, 0.6, 0.999] {
                twin.place.write(&new, cut(newer, share).0);
                ends(twin.backfill(&twin.place.path("store"), host)).ends(0);
            }
            logs.append(&mut twin.logs);
        }
        let twin = Twin { logs, ..twin };
        twin.read(&twin.place.path("store")).ends(0);
        let events = twin.place.rows();
        assert!(
            events.rows() as u64 >= log_bytes / 125,
            "{} events of {log_bytes} bytes",
            events.rows()
        );
        Twin {
            events,
            rates: twin.place.sql(RATES),
            sources: twin.place.sql(SOURCES),
            ..twin
        }
    }

    /// The program on a store.
    fn command(&self, store: &Path) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args([
                "--config",
                text(&self.place.path("mailpulse.toml")),
                "--store",
                text(store),
            ])
            .current_dir(store.parent().unwrap());
        command
    }

    fn backfill(&self, store: &Path, host: &str) -> Command {
        let mut command = self.command(store);
        command.args(["backfill", "-q", "--host", host]);
        command.args(
            self.logs
                .iter()
                .filter(|log| log.parent().unwrap().ends_with(host) && log.exists()),
        );
        command
    }

    /// Reads all logs; the worse of the two runs.
    fn read(&self, store: &Path) -> Run {
        let runs = ["mx1001", "mx2001"].map(|host| ends(self.backfill(store, host)));
        runs.into_iter().max_by_key(|run| run.code).unwrap()
    }

    fn same(&self, store: &Path, faults: &str) {
        let opened = mailpulse::store::Store::open(store).unwrap_or_else(|error| panic!("{error} after {faults}"));
        let all = |text: &str| {
            mailpulse::query::select(&opened, text, mailpulse::query::Window::ALL)
                .unwrap_or_else(|error| panic!("{error}"))
        };
        let events = all("SELECT * FROM events ORDER BY event_id");
        if events.rows() != self.events.rows() {
            panic!(
                "{} events, and {} in the twin, after {faults}",
                events.rows(),
                self.events.rows()
            );
        }
        assert_same_rows(&events, &self.events);
        let ask = |text: &str| {
            let mut command = self.command(store);
            command.args(["query", "--sql", text, "--format", "json"]);
            let run = ends(command);
            assert_eq!(run.code, 0, "{faults}\n{}", run.err);
            serde_json::from_str::<Vec<Value>>(&run.out).unwrap()
        };
        assert_same_answers(&ask(RATES), &self.rates);
        assert_same_answers(&ask(SOURCES), &self.sources);
    }
}

/// Runs a command: it ends within ten seconds, with an answer or a clear error.
#[track_caller]
fn ends(mut command: Command) -> Run {
    let begin = Instant::now();
    let shown = format!("{command:?}");
    let run = Run::of(command.stdin(Stdio::null()).output().unwrap());
    assert!(
        begin.elapsed() < Duration::from_secs(10),
        "{:?}: {shown}",
        begin.elapsed()
    );
    assert!(
        (0..=3).contains(&run.code),
        "{}: {shown}\n{}{}",
        run.code,
        run.out,
        run.err
    );
    assert!(!run.err.contains("panicked"), "{shown}\n{}", run.err);
    if run.code >= 2 {
        assert!(!run.err.trim().is_empty(), "{}: not a word of why: {shown}", run.code);
    }
    run
}

/// Starts a command, and kills it after a moment.
fn killed(mut command: Command, after: Duration) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    let _ = child.kill();
    let _ = child.wait();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        match path.is_dir() {
            true => copy(&path, &target),
            false => _ = fs::copy(&path, &target).unwrap(),
        }
    }
}

/// One seed: a copy of the twin's store is hurt, asked, mended and compared.
fn one(twin: &Twin, seed: u64) {
    let mut dice = Dice::new(seed);
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    copy(&twin.place.path("store"), &store);
    fs::write(store.join("alerts.json"), r#"{"judged":1,"firing":[],"queues":{}}"#).unwrap();
    let mut done = Vec::new();
    for _ in 0..=dice.below(3) {
        let all = files(&store);
        // Most files are segments; all others get their share.
        let rest: Vec<PathBuf> = all
            .iter()
            .filter(|path| !path.parent().unwrap().ends_with("segments"))
            .cloned()
            .collect();
        let victims = if dice.below(3) == 0 { &rest } else { &all };
        let victim = victims[dice.below(victims.len())].clone();
        done.push(hurt(&mut dice, &victim, &all));
    }
    let faults = format!("seed {seed}: {}", done.join("; "));
    let run = |args: &[&str]| {
        let mut command = twin.command(&store);
        command.args(args);
        ends(command)
    };
    // Whoever asks gets an answer.
    for args in [
        &["query", "--sql", "SELECT kind, COUNT(*) AS n FROM events GROUP BY kind"][..],
        &["query", "top_services"],
        &["status"],
        &["graph", "--plain"],
        &["watch", "--once"],
        &["services"],
        &["routes"],
        &["store", "verify"],
    ] {
        if dice.below(2) == 0 {
            run(args);
        }
    }
    mend(twin, &store, &mut dice, &run, &faults);
    twin.same(&store, &faults);
    let verify = run(&["store", "verify"]);
    assert_eq!(verify.code, 0, "{faults}\n{}", verify.out);
}

/// Does what the program says, until it is content.
fn mend(twin: &Twin, store: &Path, dice: &mut Dice, run: &dyn Fn(&[&str]) -> Run, faults: &str) {
    for _ in 0..dice.below(3) {
        let mut command = twin.command(store);
        command.args(["store", "repair"]);
        killed(command, Duration::from_millis(dice.below(60) as u64));
    }
    let repaired = run(&["store", "repair"]);
    assert!(
        [0, 3].contains(&repaired.code),
        "{faults}\n{}{}",
        repaired.out,
        repaired.err
    );
    for _ in 0..dice.below(3) {
        killed(
            twin.backfill(store, "mx1001"),
            Duration::from_millis(dice.below(300) as u64),
        );
    }
    let read = twin.read(store);
    if read.code == 2 {
        // The key is the one thing that nothing gives back but a backup.
        assert!(read.err.contains("key"), "{faults}\n{}", read.err);
        let _ = fs::remove_file(store.join("key"));
        fs::copy(twin.place.path("store/key"), store.join("key")).unwrap();
        let read = twin.read(store);
        assert_eq!(read.code, 0, "{faults}\n{}{}", read.out, read.err);
    }
    run(&["watch", "--once"]);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn what_is_broken_in_a_store_is_whole_after_repair_and_reading_again() {
    try_seeds(&Twin::new(400_000), 1, 6);
}

#[test]
#[ignore = "minutes: fifty seeds on 20,000 events; tests/run runs it"]
fn whatever_is_broken_in_a_store_it_is_as_an_uninjured_one_after_repair_and_reading_again() {
    let (seeds, from) = (
        number_from("MAILPULSE_FAULTS", 50),
        number_from("MAILPULSE_FAULTS_FROM", 1),
    );
    try_seeds(&Twin::new(2_500_000), from, seeds);
}

fn try_seeds(twin: &Twin, from: u64, seeds: u64) {
    let next = AtomicU64::new(from);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    one(twin, seed);
                }
            });
        }
    });
    eprintln!("{seeds} seeds of faults on {} events", twin.events.rows());
}
