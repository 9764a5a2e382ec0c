//! Faults 9 to 13: logs that become archives under a tail, and archives that are not whole.

use super::bench::{Bench, lines, told};
use crate::logs::gzip;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn fault_09_a_plain_file_becomes_gz() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..50));
    bench.life(|life| {
        life.scan();
        bench.append("mainlog", lines(50..60));
        bench.rename("mainlog", "mainlog.1");
        bench.write("mainlog", lines(100..110));
        gzip(&bench.path("mainlog.1"));
        life.scan();
        life.scan();
    });
    bench.assert_once((0..60).chain(100..110));
    bench.life(|life| assert_eq!(life.scan().lines(), 0));
}

#[test]
fn fault_09_packed_while_nobody_followed() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..50));
    bench.life(|life| life.scan());
    bench.append("mainlog", lines(50..60));
    bench.rename("mainlog", "mainlog.1");
    gzip(&bench.path("mainlog.1"));
    bench.write("mainlog", lines(100..110));
    bench.life(|life| life.scan());
    bench.assert_once((0..60).chain(100..110));
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn fault_10_stopped_in_the_middle_of_a_gz() {
    let mut bench = Bench::new();
    bench.run.source.chunk_bytes = 32 << 10;
    bench.run.batch_rows = 500;
    const LINES: u64 = 80_000;
    bench.write("mainlog.1.gz", packed(&lines(0..LINES)));
    stopped_in_the_middle(&bench, 0);
    bench.life(|life| life.scan());
    bench.assert_once(0..LINES);
}

/// What an earlier life has read to its end has grown: it is not read to its end before it is.
#[test]
#[ignore = "slow: tests/run runs it"]
fn stopped_in_the_middle_of_what_a_log_has_grown_by() {
    let mut bench = Bench::new();
    bench.run.source.chunk_bytes = 32 << 10;
    bench.run.batch_rows = 500;
    const LINES: u64 = 80_000;
    bench.write("mainlog", lines(0..10));
    bench.life(|life| life.scan());
    bench.append("mainlog", lines(10..LINES));
    stopped_in_the_middle(&bench, 10);
    bench.life(|life| life.scan());
    bench.assert_once(0..LINES);
}

/// A life that ends as soon as more than so many lines are stored.
fn stopped_in_the_middle(bench: &Bench, before: u64) {
    let stop = AtomicBool::new(false);
    let store = bench.store_path();
    bench.life(|life| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while stored_lines(&store) <= before {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                stop.store(true, Ordering::Relaxed);
            });
            life.scan_until(&stop);
        });
    });
    let read = bench.stored().len() as u64;
    assert!(before < read && read < 80_000, "stopped in the middle: {read}");
}

fn stored_lines(store: &std::path::Path) -> u64 {
    let Ok(store) = mailpulse::store::Store::open(store) else {
        return 0;
    };
    let segments = store.segments().all().unwrap_or_default();
    segments.iter().map(|segment| segment.rows).sum()
}

#[test]
fn fault_11_a_gzip_of_several_members() {
    let bench = Bench::new();
    let mut members = packed(&lines(0..20));
    members.extend(packed(&lines(20..40)));
    members.extend(packed(&lines(40..41)));
    bench.write("mainlog.1.gz", members);
    bench.life(|life| life.scan());
    bench.assert_once(0..41);
}

#[test]
fn fault_12_an_archive_that_is_still_being_written() {
    let bench = Bench::new();
    let whole = packed(&lines(0..3_000));
    bench.write("mainlog.1.gz", &whole[..whole.len() / 2]);
    bench.life(|life| {
        let round = life.scan();
        assert!(told(&round).contains("mainlog.1.gz"), "{}", told(&round));
        let first = bench.stored();
        assert!(
            !first.is_empty() && first.len() < 3_000,
            "complete lines are kept: {}",
            first.len()
        );
        // Not decoded again and again: each try is later than the one before.
        assert_eq!(life.scan().reports.len(), 0);
        bench.append("mainlog.1.gz", &whole[whole.len() / 2..]);
        bench.wait_ms(6_000);
        life.scan();
    });
    bench.assert_once(0..3_000);
}

#[test]
fn fault_13_an_archive_that_unpacks_without_end() {
    let mut bench = Bench::new();
    bench.run.source.content_bytes_max = 1 << 20;
    bench.run.source.ratio_from_bytes = 1 << 20;
    bench.write("mainlog", lines(0..10));
    bench.write("mainlog.1.gz", packed(&(lines(100..200) + &"\n".repeat(8 << 20))));
    bench.life(|life| {
        let round = life.scan();
        assert!(told(&round).contains("mainlog.1.gz"), "{}", told(&round));
        // The rest goes on.
        bench.append("mainlog", lines(10..20));
        life.look();
    });
    bench.assert_once((0..20).chain(100..200));
}
