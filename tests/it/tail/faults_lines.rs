//! Faults 14 to 18 and 30: what stands in the lines, and what time they say.

use super::bench::{Bench, line, lines};
use std::io::{Seek as _, SeekFrom, Write as _};

#[test]
fn fault_14_a_partial_last_line() {
    let bench = Bench::new();
    let cut = line(5);
    bench.write("mainlog", lines(0..5) + &cut[..30]);
    bench.life(|life| {
        life.scan();
        life.assert_once(0..5);
        bench.append("mainlog", &cut[30..60]);
        life.look();
        life.assert_once(0..5);
        bench.append("mainlog", &cut[60..]);
        life.look();
    });
    bench.assert_once(0..6);
}

#[test]
fn fault_14_a_partial_line_over_a_restart() {
    let bench = Bench::new();
    let cut = line(5);
    bench.write("mainlog", lines(0..5) + &cut[..30]);
    bench.life(|life| life.scan());
    bench.append("mainlog", cut[30..].to_owned() + &line(6));
    bench.life(|life| life.scan());
    bench.assert_once(0..7);
}

#[test]
fn fault_15_a_last_line_that_never_ends() {
    let bench = Bench::new();
    let cut = line(5);
    let cut = cut.trim_end();
    bench.write("mainlog", lines(0..5) + cut);
    bench.life(|life| {
        life.scan();
        life.assert_once(0..5);
        bench.wait_ms(61_000);
        life.look();
        life.assert_once(0..6);
        // Its newline comes after all: no second event, and what follows is read.
        bench.append("mainlog", "\n".to_owned() + &line(6));
        bench.ahead_ms.set(0);
        life.look();
    });
    bench.assert_once(0..7);
    assert_eq!(bench.counts()[0], 7);
}

#[test]
fn fault_15_a_last_line_without_end_that_was_rotated_away() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..5) + line(5).trim_end());
    bench.life(|life| {
        life.scan();
        bench.rename("mainlog", "mainlog.1");
        bench.write("mainlog", lines(100..102));
        life.scan();
        bench.wait_ms(61_000);
        life.scan();
    });
    bench.assert_once((0..6).chain(100..102));
}

#[test]
fn fault_16_a_line_of_megabytes() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..5));
    bench.life(|life| {
        life.scan();
        let long = line(5).trim_end().to_owned() + &"x".repeat(3 << 20);
        // In pieces, as a program with a small buffer writes it.
        for piece in long.as_bytes().chunks(700_000) {
            bench.append("mainlog", piece);
            life.look();
        }
        bench.append("mainlog", "\n".to_owned() + &line(6));
        life.look();
    });
    bench.assert_once(0..7);
    assert_eq!(bench.counts()[0], 7);
    let store = mailpulse::store::Store::open(&bench.store_path()).unwrap();
    let skipped: u64 = store.positions().sources().unwrap()[0]
        .logs
        .iter()
        .map(|log| log.skipped_bytes)
        .sum();
    assert!(skipped > 3_000_000, "the rest is counted: {skipped}");
}

#[test]
fn fault_17_bytes_that_are_no_utf_8() {
    let bench = Bench::new();
    let mut text = lines(0..2).into_bytes();
    text.extend(line(2).split(": relay").next().unwrap().as_bytes());
    text.extend(b": \xff\xfe\x80 h\xf6flich abgelehnt\n");
    text.extend(line(3).as_bytes());
    bench.write("mainlog", text);
    bench.life(|life| life.scan());
    bench.assert_once(0..4);
}

#[test]
fn fault_18_a_block_of_nuls_after_a_truncation() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..20));
    bench.life(|life| {
        life.scan();
        // The writer did not open for appending: after the truncation it goes on at its old offset.
        let mut writer = std::fs::File::options()
            .write(true)
            .open(bench.path("mainlog"))
            .unwrap();
        let offset = writer.seek(SeekFrom::End(0)).unwrap();
        writer.set_len(0).unwrap();
        writer.seek(SeekFrom::Start(offset)).unwrap();
        writer.write_all(lines(20..30).as_bytes()).unwrap();
        life.look();
        writer.write_all(lines(30..35).as_bytes()).unwrap();
        life.look();
    });
    bench.life(|life| life.scan());
    bench.assert_once(0..35);
}

#[test]
fn fault_30_a_clock_that_jumps_back() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    bench.life(|life| {
        bench.wait_ms(7 * 86_400_000);
        life.scan();
        bench.ahead_ms.set(-86_400_000);
        bench.append("mainlog", lines(10..20));
        life.look();
        bench.append("mainlog", lines(20..25));
        life.scan();
        // A store that could not be written while the clock was ahead is tried again at once.
        bench.ahead_ms.set(0);
        bench.append("mainlog", lines(25..30));
        life.look();
    });
    bench.assert_once(0..30);
}
