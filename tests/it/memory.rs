//! What a question takes in memory: the same of a store and of one five times as large. A debug build makes both in seconds;
//! `tests/bench/scale_store.sh` measures stores of millions.

use crate::util::{Place, Run};
use mailpulse::simulate::{Outage2018, outage_2018};
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

/// Some 60 000 events of two days, and 280 000 of nine.
static STORES: LazyLock<[Place; 2]> = LazyLock::new(|| [1, 8].map(store_of));

const ALL: [&str; 4] = ["--since", "2018-05-29", "--until", "2018-06-07T06:00Z"];

/// What the larger store may take more, beside a fifth, KiB: allocators round. As rows, the columns of nearly every question
/// take more than both of 220 000 events.
const MORE_KIB: u64 = 8 << 10;

/// What no question takes, KiB.
const MOST_KIB: u64 = 200 << 10;

fn store_of(history_days: u32) -> Place {
    let place = Place::new();
    let spec = Outage2018 {
        seed: 7,
        history_days,
        mails_per_day_scale: 0.2,
    };
    outage_2018(&place.path("logs"), &spec).expect("logs");
    let config = std::fs::read_to_string(place.path("logs/mailpulse.toml")).expect("its configuration");
    let config = config.replace("paths = [\"", "paths = [\"logs/");
    place.write("mailpulse.toml", format!("[store]\nurl = \"store\"\n{config}"));
    place.run(&["backfill"]).ends(0);
    place.run(&["store", "compact"]).ends(0);
    std::fs::remove_dir_all(place.path("logs")).expect("what was read");
    place
}

/// Runs the program, and says what it or a process that it started had in memory at most, KiB.
fn peak_kib(place: &Place, args: &[&str]) -> u64 {
    let (out, err) = (place.path("out"), place.path("err"));
    let file = |path| std::fs::File::create(path).expect("a file");
    let mut command = place.command();
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(file(&out))
        .stderr(file(&err));
    let mut child = command.spawn().expect("the program starts");
    let mut most = 0;
    let status = loop {
        most = most.max(tree_kib(child.id()));
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let read = |path| std::fs::read_to_string(path).expect("UTF-8");
    let run = Run {
        code: status.code().unwrap_or(-1),
        out: read(&out),
        err: read(&err),
    };
    // 1: it found something.
    assert!(run.code <= 1, "{args:?} {}: {}", run.code, run.err);
    assert!(most > 0, "{args:?} was not seen");
    most
}

/// The greatest peak so far of a process and of those that it started.
fn tree_kib(process: u32) -> u64 {
    let folder = format!("/proc/{process}");
    let status = std::fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
    let own = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let own = own.and_then(|words| words.split_whitespace().next()?.parse().ok());
    let children = std::fs::read_to_string(format!("{folder}/task/{process}/children")).unwrap_or_default();
    let below = children
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .map(tree_kib);
    below.chain([own.unwrap_or(0)]).max().unwrap_or(0)
}

#[track_caller]
fn takes_no_more(args: &[&str]) {
    let [small, large] = &*STORES;
    let (small, large) = (peak_kib(small, args), peak_kib(large, args));
    assert!(
        large <= MOST_KIB.min(small + small / 5 + MORE_KIB),
        "{args:?}: {small} KiB and {large} KiB"
    );
}

#[test]
#[ignore = "minutes: makes a store of 280 000 events"]
fn five_times_the_events_take_no_more_memory_in_a_named_query() {
    for query in mailpulse::query::named::all() {
        let bucket = ["--param", "bucket=1h"];
        let takes_bucket = query.params.iter().any(|param| param.name == "bucket");
        let more = if takes_bucket { &bucket[..] } else { &[] };
        takes_no_more(&[&["query", query.name, "--format", "json"], &ALL[..], more].concat());
    }
}

#[test]
#[ignore = "minutes: makes a store of 280 000 events"]
fn five_times_the_events_take_no_more_memory_in_sql() {
    for sql in [
        "SELECT service, COUNT(*) AS n FROM events GROUP BY service ORDER BY n DESC",
        "SELECT relay, SUM(recipients) AS n FROM events WHERE kind = 'delivered' GROUP BY relay",
        "SELECT recipient_domain, COUNT(*) AS n FROM events GROUP BY recipient_domain ORDER BY n DESC LIMIT 20",
        "SELECT ts_ms - ts_ms % 3600000 AS hour, kind, COUNT(*) AS n FROM events GROUP BY hour, kind",
        "SELECT ts, queue_id, recipient, queue_ms FROM events ORDER BY queue_ms DESC LIMIT 20",
        "SELECT ts, service, queue_id, recipient, reason FROM events LIMIT 5",
        "SELECT DISTINCT service, host, client, remote_host FROM events",
        "SELECT COUNT(*) AS n, MIN(ts) AS first, SUM(bytes) AS bytes FROM events WHERE service = 'nosuch'",
        "SELECT host, SUM(lines) AS n FROM sources GROUP BY host",
    ] {
        takes_no_more(&["query", "--sql", sql, "--format", "json"]);
    }
}

#[test]
#[ignore = "minutes: makes a store of 280 000 events"]
fn five_times_the_events_take_no_more_memory_in_what_the_detection_answers() {
    for command in [
        &["services", "--format", "json"][..],
        &["services", "discover"],
        &["detect", "--format", "json"],
        &["graph", "--out", "graph.svg"],
        &["routes", "--format", "json"],
        &["routes", "--failovers"],
        &["incident", "--format", "json"],
        &["incident", "--messages=json"],
    ] {
        takes_no_more(&[command, &ALL[..]].concat());
    }
    takes_no_more(&["status", "--format", "json"]);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn five_times_the_events_take_no_more_memory_in_what_is_looked_up_or_read_as_a_whole() {
    takes_no_more(&["trace", "no-reply@phabricator.wikimedia.org", "--format", "json"]);
    takes_no_more(&["queue", "--format", "json"]);
    takes_no_more(&["store", "verify"]);
}
