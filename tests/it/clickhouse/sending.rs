//! Sending: everything arrives once, whatever happens on the way.

use super::{Lab, PASSWORD, Server};
use crate::logs::simulated;
use mailpulse::store::catalogue::Heartbeat;
use mailpulse::store::commit::put_heartbeats;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[test]
#[ignore = "lab: needs chdb"]
fn what_is_learnt_after_sending_arrives_too() {
    let lab = Lab::new();
    let log = simulated(2_000_000, 11);
    let (older, newer) = crate::logs::cut(&log, 0.5);
    // The newer half first: its deliveries have no sender until the older half is read.
    let newer = lab.place.write("mainlog", newer);
    let older = lab.place.write("mainlog.1", older);
    for path in [&newer, &older] {
        lab.run(&["backfill", "-q", "--host", "mx1", path.to_str().unwrap()])
            .ends(0);
        lab.ship().ends(0);
        lab.assert_equal();
    }
    lab.run(&["store", "compact"]).ends(0);
    assert!(
        lab.ship().ends(0).out.starts_with("0 rows"),
        "compaction changes no row"
    );
    lab.assert_equal();
}

#[test]
#[ignore = "lab: needs chdb"]
fn a_store_that_was_there_before_is_sent_as_it_is() {
    let lab = Lab::new();
    let config = fs::read_to_string(lab.place.path("mailpulse.toml")).unwrap();
    lab.place
        .write("mailpulse.toml", config.replace("ship = ", "# ship = "));
    let log = lab.place.write("mainlog", simulated(1_000_000, 12));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    lab.place.write("mailpulse.toml", config);
    // As docs/clickhouse.md says; nothing is read or committed in between.
    let sent = lab.ship().ends(0);
    assert!(!sent.out.starts_with("0 rows"), "{}", sent.out);
    lab.assert_equal();
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    assert!(lab.ship().ends(0).out.starts_with("0 rows"), "nothing is sent twice");
    assert_eq!(lab.waiting().payloads, 0);
    assert_eq!(lab.waiting().bytes, 0);
    assert_eq!(fs::read_dir(lab.place.path("store/outbox")).unwrap().count(), 0);
}

#[test]
#[ignore = "lab: needs chdb"]
fn a_gap_in_the_sending_is_told_and_everything_can_be_sent_anew() {
    let lab = Lab::new();
    let config = fs::read_to_string(lab.place.path("mailpulse.toml")).unwrap();
    let backfill = |name: &str, seed: u64| {
        let log = lab.place.write(name, simulated(300_000, seed));
        lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
    };
    backfill("mainlog-a", 51).ends(0);
    lab.ship().ends(0);
    lab.place
        .write("mailpulse.toml", config.replace("ship = ", "# ship = "));
    backfill("mainlog-b", 52).ends(0);
    lab.place.write("mailpulse.toml", config.replace("/mail\"", "/fresh\""));
    let run = backfill("mainlog-c", 53).ends(2);
    assert!(run.err.contains("--anew"), "{}", run.err);
    lab.run(&["store", "migrate"]).ends(0);
    lab.run(&["store", "ship", "--once", "--anew"]).ends(0);
    backfill("mainlog-c", 53).ends(0);
    lab.ship().ends(0);
    let fresh = format!("{}fresh", lab.server.url().strip_suffix("mail").unwrap());
    let sql = "SELECT event_id, service, kind FROM events ORDER BY event_id, kind";
    let there = lab
        .run(&["--store", &fresh, "query", "--sql", sql, "--format", "json"])
        .ends(0);
    let there: Vec<Value> = serde_json::from_str(&there.out).unwrap();
    crate::util::assert_same_answers(&lab.here(&["--sql", sql]), &there);
}

#[test]
#[ignore = "lab: needs chdb"]
fn a_correction_waits_for_rows_that_were_refused() {
    let lab = Lab::new();
    let log = simulated(1_000_000, 61);
    let (older, newer) = crate::logs::cut(&log, 0.5);
    let newer = lab.place.write("mainlog", newer);
    let older = lab.place.write("mainlog.1", older);
    lab.run(&["backfill", "-q", "--host", "mx1", newer.to_str().unwrap()])
        .ends(0);
    lab.server.fault("refuse");
    lab.ship().ends(1);
    // What the older half tells of the newer's deliveries comes while these are aside.
    lab.run(&["backfill", "-q", "--host", "mx1", older.to_str().unwrap()])
        .ends(0);
    lab.ship().ends(0);
    assert!(lab.waiting().payloads > 0, "the corrections wait: {:?}", lab.waiting());
    lab.run(&["store", "ship", "--once", "--retry-refused"]).ends(0);
    lab.assert_equal();
    assert_eq!(lab.waiting().payloads, 0);
}

#[test]
#[ignore = "lab: needs chdb"]
fn fault_27_an_answer_that_is_lost_after_the_commit() {
    let mut lab = Lab::new();
    let log = lab.place.write("mainlog", simulated(1_000_000, 13));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    for fault in ["lose-answer", "unavailable", "die-before", "die-after"] {
        lab.server.fault(fault);
        let run = lab.ship().ends(2);
        assert!(
            run.err.contains("clickhouse://mailpulse@127.0.0.1"),
            "{fault}: {}",
            run.err
        );
        assert!(!run.err.contains(PASSWORD), "{}", run.err);
        if fault.starts_with("die") {
            lab.server.again();
        }
    }
    lab.ship().ends(0);
    lab.assert_equal();
}

#[test]
#[ignore = "lab: needs chdb"]
fn fault_28_a_batch_that_is_refused_for_ever() {
    let lab = Lab::new();
    let log = lab.place.write("mainlog", simulated(1_000_000, 14));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    lab.server.fault("refuse");
    let run = lab.ship().ends(1);
    assert!(run.err.contains("Type mismatch"), "{}", run.err);
    assert!(run.out.contains("1 batches set aside"), "{}", run.out);
    let status = lab.run(&["status", "--stale-after", "9999d"]).ends(0);
    assert!(status.out.contains("refused and set aside"), "{}", status.out);
    let nagios = lab.run(&["status", "--nagios"]).ends(1);
    assert!(nagios.out.contains("refused by the ClickHouse"), "{}", nagios.out);
    let run = lab.run(&["store", "ship", "--once", "--retry-refused"]).ends(0);
    assert!(run.out.contains("tried again"), "{}", run.out);
    lab.assert_equal();
}

#[test]
#[ignore = "lab: needs chdb"]
fn fault_23_a_server_that_is_away_fills_the_outbox_to_its_limit_and_nothing_is_lost() {
    let mut lab = Lab::new();
    let config = fs::read_to_string(lab.place.path("mailpulse.toml")).unwrap();
    lab.place.write(
        "mailpulse.toml",
        config.replace("segment_rows_max", "outbox_mib_max = 1\nsegment_rows_max"),
    );
    lab.server.child.kill().unwrap();
    let logs: Vec<PathBuf> = (0..4)
        .map(|n| lab.place.write(&format!("mainlog-{n}"), simulated(12_000_000, 20 + n)))
        .collect();
    let paths: Vec<&str> = logs.iter().map(|path| path.to_str().unwrap()).collect();
    let args = [&["backfill", "-q", "--host", "mx1"][..], &paths].concat();
    let run = lab.run(&args).ends(2);
    assert!(run.err.contains("wait to be sent"), "{}", run.err);
    let run = lab.ship().ends(2);
    assert!(run.err.contains("127.0.0.1"), "{}", run.err);
    lab.server.again();
    for _ in 0..40 {
        lab.ship().ends(0);
        if lab.run(&args).code == 0 {
            break;
        }
    }
    lab.run(&args).ends(0);
    lab.ship().ends(0);
    let lines: u64 = logs
        .iter()
        .map(|path| crate::logs::lines(&fs::read(path).unwrap()))
        .sum();
    assert_eq!(
        lab.there(&["--sql", "SELECT SUM(lines) AS n FROM sources"])[0]["n"],
        lines
    );
    lab.assert_equal();
}

#[test]
#[ignore = "lab: needs chdb"]
fn a_tail_sends_what_it_commits() {
    let lab = Lab::new();
    lab.place.write("logs/mainlog", simulated(300_000, 33));
    lab.configure(&format!(
        "[[source]]\nkind = \"exim\"\nhost = \"mx1\"\npaths = [\"{}/logs/mainlog*\"]\n",
        lab.place.path("").display()
    ));
    let mut child = lab.command(&["tail"]).spawn().unwrap();
    let begin = Instant::now();
    let lines = crate::logs::lines(&fs::read(lab.place.path("logs/mainlog")).unwrap());
    let count = || {
        lab.there(&["--sql", "SELECT SUM(lines) AS n FROM sources"])[0]["n"]
            .as_u64()
            .unwrap_or(0)
    };
    while count() < lines {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "{} of {lines} lines",
            count()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    crate::util::stop(&mut child);
    lab.ship().ends(0);
    lab.assert_equal();
}

#[test]
#[ignore = "lab: needs chdb"]
fn heartbeats_arrive_each_minute_once() {
    let lab = Lab::new();
    let log = lab.place.write("mainlog", simulated(300_000, 34));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    let mut store = lab.place.store();
    store.start_shipping(1 << 30).unwrap();
    let source = store.positions().sources().unwrap()[0].id;
    let begin_ms = store.coverage().span().unwrap().unwrap().1.floor_to(60_000) + 600_000;
    // Three a minute for five minutes, nothing for five, and on.
    let beats = (0..45).filter(|beat| !(15..30).contains(beat));
    for beat in beats {
        let lag_ms = (beat % 2 == 0).then_some(i64::from(beat) * 10);
        let heartbeat = Heartbeat { source, lag_ms };
        put_heartbeats(&store, &[heartbeat], begin_ms + i64::from(beat) * 20_000).unwrap();
        if beat == 10 {
            lab.ship().ends(0);
        }
    }
    lab.ship().ends(0);
    let sql = "SELECT ts_ms, host, source, lines, heartbeats, lag_ms FROM sources WHERE heartbeats > 0 ORDER BY ts_ms";
    let (mut here, there) = (lab.here(&["--sql", sql]), lab.there(&["--sql", sql]));
    // The minute that goes on is not told yet.
    here.pop();
    assert_eq!(here.len(), 9);
    assert_eq!(here, there);
    lab.assert_equal();
}

#[test]
#[ignore = "lab: needs chdb"]
fn a_server_whose_clock_is_wrong_is_told() {
    let place = crate::util::Place::new();
    let server = Server::with(place.path("server"), 0, &["--clock-ahead", "-3600"]);
    let lab = Lab { place, server };
    lab.configure("");
    lab.run(&["store", "migrate"]).ends(0);
    let log = lab.place.write("mainlog", simulated(100_000, 35));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    let sent = lab.ship().ends(0);
    let told =
        |text: &str| text.contains("3600 s behind") || text.contains("3599 s behind") || text.contains("3601 s behind");
    assert!(told(&sent.err), "{}", sent.err);
    let status = lab.run(&["status"]).ends(0);
    assert!(told(&status.out), "{}", status.out);
    lab.assert_equal();
}
