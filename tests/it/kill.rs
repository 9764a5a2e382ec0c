//! `kill -9` at any moment, and again: the store ends with exactly the rows of an undisturbed run.
//!
//! MAILPULSE_KILLS (default 15) says how often, MAILPULSE_KILL_MB (default 30) how much log.

use crate::logs::{lines, simulated};
use crate::util::{Place, Totals, assert_same_answers, assert_same_rows, number_from};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// xorshift64: the moments are the same for the same seed, as far as the machine's speed is.
struct Dice(u64);

impl Dice {
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Few rows a commit, so that there are many commits to die in.
const CONFIG: &str = "[store]\nurl = \"store\"\nsegment_rows_max = 4000\n";

fn lines_committed(place: &Place) -> u64 {
    // Killed before there was a catalogue?
    if !place.path("store/catalogue.sqlite").exists() {
        return 0;
    }
    let run = place.run(&[
        "query",
        "--sql",
        "SELECT SUM(lines) AS n FROM sources",
        "--format",
        "csv",
    ]);
    run.out.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or(0)
}

/// Kills a run after a while; true if it was still running.
fn kill_after(place: &Place, logs: &[&Path], delay: Duration) -> bool {
    let mut command = place.command();
    command
        .args(["backfill", "--host", "mx1001"])
        .args(logs)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let begin = Instant::now();
    while begin.elapsed() < delay {
        if let Some(status) = child.try_wait().expect("a status") {
            assert!(status.success(), "{status}");
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    // On Unix this is SIGKILL.
    child.kill().expect("killed");
    !child.wait().expect("a status").success()
}

/// Kills runs, each within `life_s` seconds, until `kills` are dead or one was faster. Returns the lines that were
/// committed at each kill.
fn kill_again_and_again(place: &Place, logs: &[&Path], kills: u64, life_s: f64) -> Vec<u64> {
    let mut dice = Dice(0x2018_0606);
    let mut committed = Vec::new();
    while (committed.len() as u64) < kills {
        if !kill_after(place, logs, Duration::from_secs_f64(dice.share() * life_s)) {
            break;
        }
        committed.push(lines_committed(place));
        // After every kill the store is whole: nothing counted that is not there.
        let store = mailpulse::store::Store::open(&place.path("store"));
        assert!(store.is_err() || store.unwrap().segments().all().is_ok());
    }
    committed
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn killed_a_few_times_the_store_ends_with_the_same_rows() {
    kill_and_compare(4, 8);
}

#[test]
#[ignore = "minutes: more kills on a larger log; tests/run runs it"]
fn killed_at_any_moment_the_store_ends_with_the_same_rows() {
    kill_and_compare(number_from("MAILPULSE_KILLS", 15), number_from("MAILPULSE_KILL_MB", 30));
}

fn kill_and_compare(kills: u64, megabytes: u64) {
    let log = simulated(megabytes * 1_000_000, 5);
    let (older, newer) = crate::logs::cut(&log, 0.5);
    let calm = Place::with(CONFIG);
    let key = calm.write("key", [7; 32].map(|byte| format!("{byte:02x}")).concat() + "\n");
    let names = [calm.write("mainlog.1", older), calm.write("mainlog", newer)];
    let logs = [names[0].as_path(), names[1].as_path()];
    let config = format!("{CONFIG}[privacy]\nkey_file = \"{}\"\n", key.display());
    calm.write("mailpulse.toml", &config);
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let begin = Instant::now();
    let totals = calm.backfill(&logs).ends(0).totals();
    let whole_s = begin.elapsed().as_secs_f64();
    assert_eq!(totals.lines, lines(&log));

    // On the average a run gets a little further than its share. On a machine that is idler than it was for the
    // undisturbed run, that is all of it too soon: then once more, with shorter lives.
    let mut life_s = 2.4 * whole_s / kills as f64;
    let (place, committed_at_kill) = loop {
        let place = Place::with(&config);
        let committed = kill_again_and_again(&place, &logs, kills, life_s);
        if committed.len() as u64 * 3 >= kills * 2 || life_s * 1000.0 < 1.0 {
            break (place, committed);
        }
        life_s /= 2.0;
    };
    let killed = committed_at_kill.len() as u64;
    // Not what the last kill left: a run that came after it and outlived its time may have read the rest.
    let before = lines_committed(&place);
    let rest = place.backfill(&logs).ends(0).totals();
    let steps: Vec<String> = committed_at_kill.iter().map(ToString::to_string).collect();
    eprintln!(
        "{killed} kills of runs over a log of {} lines (undisturbed {whole_s:.1} s); lines committed at each: {}; \
         the last run read {}",
        totals.lines,
        steps.join(" "),
        rest.lines
    );
    assert!(
        killed * 3 >= kills * 2,
        "the log is too small for {kills} kills: MAILPULSE_KILL_MB"
    );
    assert!(committed_at_kill.is_sorted(), "committed lines never go back");
    let last = committed_at_kill.last().copied().unwrap_or(0);
    assert!(
        0 < last && last <= before,
        "no run lived long enough to commit, or committed lines went back"
    );
    assert_eq!(
        before + rest.lines,
        totals.lines,
        "what was committed is not read again, what was not is"
    );
    assert_eq!(sums(&place), totals);
    place.verify();
    assert_same_rows(&calm.rows(), &place.rows());
    let rates = "SELECT service, relay, kind, destination, first_hop, SUM(messages) AS m, SUM(recipients) AS r, SUM(attempts) AS a, SUM(bytes) AS b \
        FROM rates GROUP BY service, relay, kind, destination, first_hop ORDER BY service, relay, kind, destination, first_hop";
    assert_same_answers(&calm.sql(rates), &place.sql(rates));
}

/// The sums that the store keeps by source and minute.
fn sums(place: &Place) -> Totals {
    let row =
        &place.sql("SELECT SUM(lines) AS l, SUM(events) AS e, SUM(ignored) AS i, SUM(unparsed) AS u FROM sources")[0];
    let n = |key: &str| row[key].as_u64().unwrap();
    Totals {
        lines: n("l"),
        events: n("e"),
        ignored: n("i"),
        unparsed: n("u"),
    }
}
