//! A segment that is broken costs its own rows and no more: whoever asks gets the rest and is told what is missing, and what
//! can be read again comes back.

use crate::logs::{cut, simulated, text};
use crate::util::{Place, Run, assert_same_answers, assert_same_rows};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// A store of some segments, and its logs.
fn filled(place: &Place) -> Vec<PathBuf> {
    let log = simulated(1_500_000, 81);
    let (older, newer) = cut(&log, 0.6);
    let logs = vec![place.write("mainlog.1", older), place.write("mainlog", newer)];
    place.backfill(&[&logs[0], &logs[1]]).ends(0);
    logs
}

/// The files of events, those with most rows first.
fn largest(place: &Place) -> (i64, PathBuf, u64) {
    let store = place.store();
    let segments = store.segments().all().unwrap();
    assert!(segments.len() > 1, "{} segments", segments.len());
    let largest = segments.iter().max_by_key(|segment| segment.rows).unwrap();
    (largest.id, store.segments().events_path(largest.id), largest.rows)
}

#[test]
fn every_reader_goes_on_beside_a_broken_segment_and_names_what_is_missing() {
    let place = Place::new();
    filled(&place);
    let all = place.events();
    let (id, path, rows) = largest(&place);
    let rates = place.store().segments().rates_path(id);
    fs::write(&rates, "none of ours").unwrap();
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    // In the first column that a query over kinds reads.
    let noted = [&good[..good.len() / 2], b"", b"PAR1 and then nothing"];
    let file = path.file_name().unwrap().to_str().unwrap();
    for bytes in noted {
        fs::write(&path, bytes).unwrap();
        let run = place.run(&["query", "--sql", "SELECT COUNT(*) AS n FROM events", "--format", "csv"]);
        let run = run.ends(3).says(&[
            file,
            "mx1001 (exim)",
            &format!("{rows} events"),
            "store repair",
            "2018-05-31T",
        ]);
        assert_eq!(run.out, format!("n\n{}\n", all - rows as i64));
    }
    fs::remove_file(&path).unwrap();
    place
        .run(&["query", "--sql", "SELECT COUNT(*) AS n FROM events"])
        .ends(3)
        .says(&[file, "it is not there"]);
    flipped.iter_mut().for_each(|byte| *byte ^= 0x20);
    fs::write(&path, &flipped).unwrap();
    let svg = place.path("rates.svg");
    for args in [
        &[
            "query",
            "rate_by_service",
            "--param",
            "since=2018-05-31T00:00Z",
            "--param",
            "until=2018-06-01T00:00Z",
        ][..],
        &["graph", "--plain", "--out", text(&svg)],
        &["graph"],
        &["detect"],
        &[
            "incident",
            "--since",
            "2018-05-31T00:00Z",
            "--until",
            "2018-05-31T00:10Z",
        ],
        &["routes"],
        &["services"],
        &["watch", "--once", "--stale", "0"],
    ] {
        let run = place.run(args);
        assert_eq!(run.code, 3, "{args:?}\n{}{}", run.out, run.err);
        assert!(
            run.err.contains("store repair") && !run.err.contains("panicked"),
            "{args:?}\n{}",
            run.err
        );
    }
    place.run(&["status", "--stale-after", "99999d"]).ends(0);
    let verify = place.run(&["store", "verify"]).ends(1);
    assert!(
        verify.out.contains(file) && verify.out.contains("store repair"),
        "{}",
        verify.out
    );
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_flipped_bit_in_a_column_is_noticed_by_the_query_that_reads_it() {
    let place = Place::new();
    filled(&place);
    let (_, path, rows) = largest(&place);
    let all = place.events();
    let good = fs::read(&path).unwrap();
    let sql = "SELECT sender, recipient, service, queue_id, bytes, reason, COUNT(*) AS n FROM events GROUP BY sender, recipient, \
        service, queue_id, bytes, reason ORDER BY sender, recipient, service, queue_id, bytes, reason";
    let ask = || place.run(&["query", "--sql", sql, "--format", "csv"]);
    let expected = ask().ends(0).out;
    let mut noticed = 0;
    for n in 0..24 {
        let mut flipped = good.clone();
        let at = n * (good.len() - 1) / 24;
        flipped[at] ^= 1 << (n % 8);
        fs::write(&path, &flipped).unwrap();
        let run = ask();
        match run.code {
            0 => assert_eq!(run.out, expected, "another answer in silence, byte {at} flipped"),
            _ => {
                run.ends(3).says(&["store repair"]);
                noticed += 1;
            }
        }
        let verify = place.run(&["store", "verify"]).ends(1);
        assert!(verify.out.contains("hash mismatch"), "{}", verify.out);
    }
    assert!(noticed > 8, "{noticed} of 24 flips noticed, of {rows} of {all} rows");
}

#[test]
fn what_is_missing_is_read_again_and_nothing_else() {
    let place = Place::new();
    let logs = filled(&place);
    let (events, counts) = (place.rows(), lines(&place));
    let (_, path, rows) = largest(&place);
    fs::remove_file(&path).unwrap();
    let repair = place.run(&["store", "repair"]).ends(0);
    assert!(
        repair.out.contains(&format!("1 with {rows} events are damaged")),
        "{}",
        repair.out
    );
    // Noted: whoever asks is told, and status says it.
    place
        .run(&["query", "--sql", "SELECT COUNT(*) AS n FROM events"])
        .ends(3)
        .says(&["missing", &format!("{rows} events of mx1001")]);
    let status = place.run(&["status", "--stale-after", "99999d"]).ends(0);
    assert!(status.out.contains("are missing; the next"), "{}", status.out);
    let read = place.backfill(&[&logs[0], &logs[1]]).ends(0);
    assert!(
        read.out.contains(&format!(
            "read again: {rows} missing rows are back; 0 are still missing, and 0 are lost"
        )),
        "{}",
        read.out
    );
    assert_eq!(read.totals().lines, 0, "no line is counted twice");
    assert_same_rows(&place.rows(), &events);
    assert_same_answers(&lines(&place), &counts);
    place.verify();
    let again = place.backfill(&[&logs[0], &logs[1]]).ends(0);
    assert!(!again.out.contains("read again"), "{}", again.out);
}

fn lines(place: &Place) -> Vec<Value> {
    place.sql("SELECT * FROM sources ORDER BY ts_ms, host, source")
}

#[test]
fn rows_whose_log_is_gone_are_lost_until_somebody_finds_it() {
    let place = Place::new();
    let logs = filled(&place);
    let events = place.rows();
    let store = place.store();
    let first = store.segments().all().unwrap().into_iter().next().unwrap();
    fs::write(store.segments().events_path(first.id), "broken").unwrap();
    drop(store);
    place.run(&["store", "repair"]).ends(0);
    let kept = fs::read(&logs[0]).unwrap();
    fs::remove_file(&logs[0]).unwrap();
    // Nothing can come of it, and it is not tried.
    let read = place.backfill(&[&logs[1]]);
    assert!(
        read.out.contains("0 missing rows are back") || !read.out.contains("back;"),
        "{}",
        read.out
    );
    let status = place.run(&["status", "--stale-after", "99999d"]).ends(0);
    assert!(status.out.contains("events from 2018-05-31T"), "{}", status.out);
    assert!(status.out.contains("lost for good"), "{}", status.out);
    place
        .run(&["query", "--sql", "SELECT COUNT(*) AS n FROM events"])
        .ends(0);
    // A backup of the log.
    let found = place.write("archive/mainlog.7", kept);
    let read = place.backfill(&[&found, &logs[1]]).ends(0);
    assert!(
        read.out.contains(&format!("{} missing rows are back", first.rows)),
        "{}",
        read.out
    );
    assert_same_rows(&place.rows(), &events);
    place.verify();
}

#[test]
fn rates_are_made_again_of_the_events() {
    let place = Place::new();
    filled(&place);
    let rates = place.sql(crate::injected::RATES);
    let (id, ..) = largest(&place);
    fs::write(place.store().segments().rates_path(id), "broken").unwrap();
    place.run(&["services"]).ends(3);
    let repair = place.run(&["store", "repair"]).ends(0);
    assert!(repair.out.contains("rates of 1 rebuilt"), "{}", repair.out);
    assert_same_answers(&place.sql(crate::injected::RATES), &rates);
    place.verify();
}

#[test]
fn a_key_that_is_gone_is_not_replaced() {
    let place = Place::with("[store]\nurl = \"store\"\n");
    let logs = filled_hashed(&place);
    let key = place.path("store/key");
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let run = place.backfill(&[&logs]).ends(2);
    assert!(run.err.contains("restore the old one from a backup"), "{}", run.err);
    assert!(!key.exists(), "a key was made");
    let verify = place.run(&["store", "verify"]).ends(1);
    assert!(
        verify.out.contains("the key of the pseudonyms does not exist"),
        "{}",
        verify.out
    );
    place.write("store/key", kept);
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    place.backfill(&[&logs]).ends(0);
}

fn filled_hashed(place: &Place) -> PathBuf {
    let log = place.write("mainlog", simulated(100_000, 82));
    place.backfill(&[&log]).ends(0);
    log
}

#[test]
fn a_broken_alerts_file_is_set_aside_and_watch_goes_on() {
    let place = Place::new();
    filled(&place);
    for round in ["{", "and again"] {
        place.write("store/alerts.json", round);
        let verify = place.run(&["store", "verify"]).ends(1);
        assert!(verify.out.contains("alerts.json"), "{}", verify.out);
        place
            .run(&["status", "--stale-after", "99999d"])
            .ends(0)
            .says(&["alerts.json"]);
        let run: Run = place.run(&["watch", "--once", "--stale", "0"]);
        assert!(run.code < 2, "{}", run.err);
        assert!(run.err.contains("alerts.json.broken"), "{}", run.err);
        assert_eq!(
            fs::read_to_string(place.path("store/alerts.json.broken")).unwrap(),
            round
        );
    }
    place.verify();
}
