//! Reading archives: once, whatever they are packed in and however often they are named.

use crate::lab;
use crate::logs::{self, cut, lines, packed, simulated, text};
use crate::util::{Place, assert_same_answers, assert_same_rows};
use std::fs;
use std::process::Stdio;
use std::sync::LazyLock;

/// Some ten thousand lines.
static LOG: LazyLock<Vec<u8>> = LazyLock::new(|| simulated(1_500_000, 7));

/// The events of the whole log, read plainly.
fn undisturbed() -> Place {
    let place = Place::new();
    let log = place.write("mainlog", &*LOG);
    let totals = place.backfill(&[&log]).ends(0).totals();
    assert_eq!(totals.lines, lines(&LOG));
    assert_eq!(totals.unparsed, 0);
    assert!(totals.events > 3000, "{totals:?}");
    place
}

/// The first `piece` of `pieces` parts of the log, in whole lines.
fn cut_at(piece: usize, pieces: usize) -> &'static [u8] {
    if piece == pieces {
        &LOG
    } else {
        cut(&LOG, piece as f64 / pieces as f64).0
    }
}

#[test]
fn a_second_run_adds_nothing() {
    let place = undisturbed();
    let (rows, segments) = (place.rows(), place.verify());
    let run = place.backfill(&[&place.path("mainlog")]).ends(0);
    assert_eq!(run.totals().lines, 0);
    assert!(run.out.contains("0 files read, 1 known"), "{}", run.out);
    assert_eq!(place.verify(), segments, "no new segment");
    assert_same_rows(&rows, &place.rows());
}

#[test]
fn a_log_that_was_compressed_and_renamed_counts_once() {
    let place = Place::new();
    let first = place.write("mainlog.1", &*LOG);
    place.backfill(&[&first]).ends(0);
    let rows = place.rows();
    let second = place.write("mainlog.2.gz", packed("gzip", &LOG));
    fs::remove_file(&first).unwrap();
    assert_eq!(place.backfill(&[&second]).ends(0).totals().lines, 0);
    // And when both are there at once, in another order.
    place.write("mainlog.1", &*LOG);
    assert_eq!(place.backfill(&[&second, &first]).ends(0).totals().lines, 0);
    assert_same_rows(&rows, &place.rows());
}

#[test]
fn a_log_and_its_archive_in_one_fresh_run_count_once() {
    let whole = undisturbed();
    let place = Place::new();
    let first = place.write("mainlog.1", &*LOG);
    let second = place.write("mainlog.2.gz", packed("gzip", &LOG));
    let totals = place.backfill(&[&first, &second]).ends(0).totals();
    assert_eq!(totals.lines, lines(&LOG));
    assert_same_rows(&whole.rows(), &place.rows());
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn every_packer_gives_the_same_rows() {
    packed_is_as_plain(packed);
}

/// Text packed by a packer as people use it.
fn packed_by_program(packer: &str, bytes: &[u8]) -> Vec<u8> {
    let place = Place::new();
    let plain = place.write("plain", bytes);
    logs::run(lab::program(packer).args(["-q", "-c", text(&plain)]))
}

#[test]
#[ignore = "lab: needs gzip, zstd, bzip2 and xz"]
fn every_packer_that_people_use_gives_the_same_rows() {
    packed_is_as_plain(packed_by_program);
}

fn packed_is_as_plain(packed: fn(&str, &[u8]) -> Vec<u8>) {
    let whole = undisturbed().rows();
    let (a, b) = cut(&LOG, 0.4);
    let members = [packed("gzip", a), packed("gzip", b)].concat();
    let streams = [packed("bzip2", a), packed("bzip2", b)].concat();
    let frames = [packed("zstd", a), packed("zstd", b)].concat();
    let blocks = [packed("xz", a), packed("xz", b)].concat();
    for (name, bytes) in [
        ("mainlog.gz", packed("gzip", &LOG)),
        ("mainlog.zst", packed("zstd", &LOG)),
        ("mainlog.bz2", packed("bzip2", &LOG)),
        ("mainlog.xz", packed("xz", &LOG)),
        ("members.gz", members),
        ("streams.bz2", streams),
        ("frames.zst", frames),
        ("blocks.xz", blocks),
    ] {
        let place = Place::new();
        let log = place.write(name, bytes);
        let totals = place.backfill(&[&log]).ends(0).totals();
        assert_eq!(totals.lines, lines(&LOG), "{name}");
        assert_same_rows(&whole, &place.rows());
    }
}

#[test]
fn a_folder_is_read_oldest_first() {
    let whole = undisturbed();
    let place = Place::new();
    let (a, rest) = cut(&LOG, 0.3);
    let (b, c) = cut(rest, 0.5);
    place.write("logs/mainlog.2.gz", packed("gzip", a));
    place.write("logs/mainlog.1", b);
    place.write("logs/mainlog", c);
    place.write("logs/README", "not a log");
    let totals = place.backfill(&[&place.path("logs")]).ends(0).totals();
    assert_eq!(totals.lines, lines(&LOG));
    // Offsets and identities are per file; what the mail did is the same.
    for sql in [
        "SELECT service, kind, COUNT(*) AS n, SUM(messages) AS m, SUM(recipients) AS r FROM events GROUP BY service, kind ORDER BY service, kind",
        "SELECT ts_ms, kind, queue_id, sender, recipient, queue_ms FROM events ORDER BY ts_ms, queue_id, kind, recipient",
    ] {
        assert_same_answers(&whole.sql(sql), &place.sql(sql));
    }
}

#[test]
fn batches_never_cross_midnight_utc() {
    let place = Place::with("[store]\nurl = \"store\"\nsegment_rows_max = 500000\n");
    let day = |date: &str, id: char| {
        let mut log = String::new();
        for minute in 0..60 {
            let stamp = format!("{date} {:02}:{minute:02}:30", if id == 'A' { 23 } else { 0 });
            log += &format!(
                "{stamp} 1fQdL{id}-0001{minute:02}-Cd <= gerrit@wikimedia.org H=cobalt.wikimedia.org [192.0.2.1] P=esmtp S=700\n"
            );
        }
        log
    };
    let log = place.write("mainlog", day("2018-06-05", 'A') + &day("2018-06-06", 'B'));
    assert_eq!(place.backfill(&[&log]).ends(0).totals().events, 120);
    let segments = place.store().segments().all().unwrap();
    let days: Vec<(i64, u64)> = segments
        .iter()
        .map(|segment| (segment.day.get(), segment.rows))
        .collect();
    assert_eq!(days, [(17687, 60), (17688, 60)]);
    assert_eq!(place.verify(), 2);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn compaction_keeps_exactly_the_same_rows() {
    // A run after each of eight pieces: at least a segment each.
    let place = Place::new();
    let log = place.write("mainlog", "");
    for piece in 1..=8 {
        fs::write(&log, cut_at(piece, 8)).unwrap();
        place.backfill(&[&log]).ends(0);
    }
    assert_same_rows(&undisturbed().rows(), &place.rows());
    let (rows, segments) = (place.rows(), place.verify());
    let rates = "SELECT ts_ms, service, kind, destination, first_hop, SUM(messages) AS m, SUM(recipients) AS r, SUM(attempts) AS a, SUM(bytes) AS b \
        FROM rates GROUP BY ts_ms, service, kind, destination, first_hop ORDER BY ts_ms, service, kind, destination, first_hop";
    let before = place.sql(rates);
    assert!(segments >= 8, "{segments} segments before");
    place.run(&["store", "compact"]).ends(0);
    let after = place.verify();
    assert!(after < segments, "{after} segments after, {segments} before");
    assert_same_rows(&rows, &place.rows());
    assert_same_answers(&before, &place.sql(rates));
    // What was compacted is still known.
    assert_eq!(place.backfill(&[&place.path("mainlog")]).ends(0).totals().lines, 0);
}

#[test]
fn verify_finds_what_is_damaged_missing_or_strange() {
    let place = undisturbed();
    let segments = place.store().segments().all().unwrap();
    let paths = [
        place.store().segments().events_path(segments[0].id),
        place.store().segments().rates_path(segments[1].id),
    ];
    for path in &paths {
        let good = fs::read(path).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        fs::write(path, &bad).unwrap();
        let run = place.run(&["store", "verify"]).ends(1);
        assert!(
            run.out.contains("hash mismatch") && run.out.contains("1 faults"),
            "{}",
            run.out
        );
        fs::remove_file(path).unwrap();
        let run = place.run(&["store", "verify"]).ends(1);
        assert!(
            run.out.contains(path.file_name().unwrap().to_str().unwrap()),
            "{}",
            run.out
        );
        fs::write(path, good).unwrap();
        place.verify();
    }
    let stray = place.write("store/segments/999999.events.parquet", "PAR1");
    let run = place.run(&["store", "verify"]).ends(1);
    assert!(run.out.contains("999999.events.parquet"), "{}", run.out);
    // The next writer clears it away.
    place.backfill(&[&place.path("mainlog")]).ends(0);
    assert!(!stray.exists());
    place.verify();
}

#[test]
fn a_second_writer_is_told_who_writes() {
    let place = Place::new();
    fs::create_dir_all(place.path("store")).unwrap();
    // A writer that holds the store for as long as the test wants: the same lock as the program's.
    let lock = fs::File::create(place.path("store/lock")).unwrap();
    fs::write(place.path("store/lock"), "4711").unwrap();
    lock.try_lock().expect("nobody else");
    let log = place.write("mainlog", &*LOG);
    place
        .backfill(&[&log])
        .ends(2)
        .says(&["4711", "another mailpulse", "wait until it has finished"]);
    drop(lock);
    place.backfill(&[&log]).ends(0);
}

#[test]
fn a_running_backfill_keeps_a_second_one_out() {
    let place = Place::new();
    let log = place.write("mainlog", simulated(12_000_000, 3));
    let mut first = place
        .command()
        .args(["backfill", "--host", "mx1001"])
        .arg(&log)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lock = place.path("store/lock");
    let pid = first.id().to_string();
    while fs::read_to_string(&lock).unwrap_or_default() != pid {
        assert!(
            first.try_wait().unwrap().is_none(),
            "the first writer ended before it wrote"
        );
        std::thread::yield_now();
    }
    let second = place.backfill(&[&log]);
    let was_running = first.try_wait().unwrap().is_none();
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(was_running, "the log is too small for this test");
    second.ends(2).says(&[&format!("pid {pid}")]);
    // Readers are never kept out.
    place.run(&["status"]).ends(0);
}
