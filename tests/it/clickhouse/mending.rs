//! What a store loses and reads again, and what it forgets: the server has it once.

use super::Lab;
use crate::logs::{cut, simulated, text};
use crate::util::Run;
use std::fs;
use std::path::{Path, PathBuf};

fn backfill(lab: &Lab, path: &Path) -> Run {
    lab.run(&["backfill", "-q", "--host", "mx1001", text(path)]).ends(0)
}

/// The first half of a log is sent, the second waits.
fn half_sent(lab: &Lab) -> [PathBuf; 2] {
    let log = simulated(1_500_000, 95);
    let (older, newer) = cut(&log, 0.5);
    let logs = [lab.place.write("mainlog.1", older), lab.place.write("mainlog", newer)];
    backfill(lab, &logs[0]);
    lab.ship().ends(0);
    backfill(lab, &logs[1]);
    logs
}

#[test]
#[ignore = "lab: needs chdb"]
fn what_was_sent_is_not_sent_again_when_it_is_read_again() {
    let lab = Lab::new();
    let logs = half_sent(&lab);
    lab.ship().ends(0);
    lab.assert_equal();
    let store = lab.place.store();
    for segment in store.segments().all().unwrap() {
        fs::write(store.segments().events_path(segment.id), "broken").unwrap();
    }
    drop(store);
    lab.run(&["store", "repair"]).ends(0);
    lab.run(&["backfill", "-q", "--host", "mx1001", text(&logs[0]), text(&logs[1])])
        .ends(0);
    let ship = lab.ship().ends(0);
    assert!(ship.out.starts_with("0 rows in 0 batches"), "{}", ship.out);
    lab.assert_equal();
}

#[test]
#[ignore = "lab: needs chdb"]
fn what_was_not_sent_is_sent_when_it_is_read_again_and_copies_serve_each_other() {
    let lab = Lab::new();
    let logs = half_sent(&lab);
    let store = lab.place.store();
    let segments = store.segments().all().unwrap();
    // The segment and its payload are one file: both are broken at once. Another segment has a payload that is whole.
    let newest = store.segments().events_path(segments.last().unwrap().id);
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40].fill(0x55);
    fs::write(&newest, bytes).unwrap();
    let mut waiting = fs::read_dir(lab.place.path("store/outbox"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let broken = fs::read(&newest).unwrap();
    assert!(
        waiting.any(|path| fs::read(path).unwrap() == broken),
        "the payload is a link to the segment"
    );
    drop(store);
    let run = lab.ship().ends(2);
    assert!(run.err.contains("store repair"), "{}", run.err);
    lab.run(&["store", "repair"]).ends(0);
    lab.run(&["backfill", "-q", "--host", "mx1001", text(&logs[0]), text(&logs[1])])
        .ends(0);
    lab.ship().ends(0);
    lab.assert_equal();
}

#[test]
#[ignore = "lab: needs chdb"]
fn a_segment_that_is_gone_is_taken_from_its_payload() {
    let lab = Lab::new();
    half_sent(&lab);
    let store = lab.place.store();
    let newest = store
        .segments()
        .events_path(store.segments().all().unwrap().last().unwrap().id);
    drop(store);
    fs::remove_file(&newest).unwrap();
    let repair = lab.run(&["store", "repair"]).ends(0);
    assert!(
        repair.out.contains("1 files restored from their copies"),
        "{}",
        repair.out
    );
    lab.ship().ends(0);
    lab.assert_equal();
}

#[test]
#[ignore = "lab: needs chdb"]
fn what_is_forgotten_is_taken_back_on_the_server() {
    let lab = Lab::new();
    let logs = half_sent(&lab);
    // Part of it is sent, part of it waits.
    for since in [Some("2018-05-31T00:01:00Z"), None] {
        let mut args = vec!["store", "forget", "--source", "exim@mx1001"];
        args.extend(since.iter().flat_map(|since| ["--since", since]));
        lab.run(&args).ends(0);
        lab.ship().ends(0);
        let here = lab.here(&["--sql", "SELECT COUNT(*) AS n FROM events"]);
        assert_eq!(
            here,
            lab.there(&["--sql", "SELECT COUNT(*) AS n FROM events"]),
            "{since:?}"
        );
        lab.run(&["backfill", "-q", "--host", "mx1001", text(&logs[0]), text(&logs[1])])
            .ends(0);
        lab.ship().ends(0);
        lab.assert_equal();
    }
}
