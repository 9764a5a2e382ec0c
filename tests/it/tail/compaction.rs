//! Small segments are merged behind the tail: the same rows, few rewrites, and readers that notice nothing.

use super::bench::{Bench, assert_once, lines};
use mailpulse::query::{self, Window};
use mailpulse::store::Store;
use std::sync::atomic::{AtomicBool, Ordering};

fn segments(store: &Store) -> Vec<(i64, u64)> {
    let all = store.segments().all().unwrap();
    all.iter().map(|segment| (segment.id, segment.rows)).collect()
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn many_small_segments_become_few_and_each_row_is_rewritten_a_few_times_at_most() {
    let bench = Bench::new();
    const ROUNDS: u64 = 400;
    let mut merged_rows = 0;
    bench.life(|life| {
        for round in 0..ROUNDS {
            bench.append("mainlog", lines(10 * round..10 * round + 10));
            if round == 0 {
                life.scan()
            } else {
                life.look()
            };
            let before = segments(life.store());
            if mailpulse::store::maintenance::compact_small(life.store()).unwrap() > 0 {
                let after = segments(life.store());
                let gone = before.iter().filter(|segment| !after.contains(segment));
                merged_rows += gone.map(|(_, rows)| rows).sum::<u64>();
            }
            assert!(segments(life.store()).len() <= 32, "round {round}");
        }
        life.assert_once(0..10 * ROUNDS);
    });
    bench.assert_once(0..10 * ROUNDS);
    // Merged again with every 31 new ones while the sum is small: half the number of merges each on the average.
    let times = merged_rows as f64 / (10 * ROUNDS) as f64;
    eprintln!("each row was rewritten {times:.1} times");
    assert!(times < 8.0, "{times}");
}

#[test]
fn a_reader_that_took_the_list_before_a_merge_reads_on() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    let end = AtomicBool::new(false);
    let store_path = bench.store_path();
    let mut written = 10;
    bench.life(|life| {
        life.scan();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let store = Store::open(&store_path).unwrap();
                let (mut answers, mut last) = (0, 0);
                while !end.load(Ordering::Relaxed) || answers < 5 {
                    let table = query::select(&store, "SELECT COUNT(*) AS n FROM events", Window::ALL).unwrap();
                    let mailpulse::store::columnar::Values::Int(counts) = &table.columns[0].values else {
                        panic!()
                    };
                    let count = counts[0].unwrap();
                    assert!(count >= last, "{count} after {last}");
                    (answers, last) = (answers + 1, count);
                }
                answers
            });
            for _ in 0..100 {
                bench.append("mainlog", lines(written..written + 5));
                written += 5;
                life.look();
                mailpulse::store::maintenance::compact_small(life.store()).unwrap();
            }
            end.store(true, Ordering::Relaxed);
            assert!(reader.join().unwrap() >= 5);
        });
    });
    bench.assert_once(0..written);
}

#[test]
fn the_end_of_a_writer_takes_no_answer_away() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    let end = AtomicBool::new(false);
    let store_path = bench.store_path();
    bench.life(|life| _ = life.scan());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let store = Store::open(&store_path).unwrap();
            while !end.load(Ordering::Relaxed) {
                query::select(&store, "SELECT sender_local FROM events", Window::ALL).unwrap();
            }
        });
        // Each life ends right after it has merged, and removes what it replaced.
        let mut at = 10;
        for _ in 0..40 {
            bench.append("mainlog", lines(at..at + 2));
            at += 2;
            bench.life(|life| {
                life.scan();
                mailpulse::store::maintenance::compact(life.store(), None).unwrap();
            });
        }
        end.store(true, Ordering::Relaxed);
        assert_once(&bench.stored(), 0..at);
    });
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn busy_rounds_are_joined_as_they_are_and_give_the_rows_of_the_log() {
    let bench = Bench::new();
    const EACH: u64 = 4_500;
    let all = "SELECT * FROM events ORDER BY log_offset";
    let sums = "SELECT service, kind, SUM(messages) AS m, SUM(recipients) AS r, SUM(attempts) AS a, SUM(bytes) AS b \
                FROM rates GROUP BY service, kind ORDER BY service, kind";
    bench.life(|life| {
        for round in 0..8 {
            bench.append("mainlog", lines(EACH * round..EACH * (round + 1)));
            if round == 0 {
                life.scan()
            } else {
                life.look()
            };
        }
        let ask = |life: &super::bench::Life<'_>, text| query::select(life.store(), text, Window::ALL).unwrap();
        let before = [all, sums].map(|text| ask(life, text));
        assert_eq!(segments(life.store()).len(), 8);
        assert_eq!(mailpulse::store::maintenance::compact_small(life.store()).unwrap(), 8);
        let rows: Vec<u64> = segments(life.store()).iter().map(|segment| segment.1).collect();
        assert_eq!(rows, [8 * EACH]);
        assert_eq!([all, sums].map(|text| ask(life, text)), before);
        // A joined segment is joined, corrected, and encoded anew like any other.
        bench.append("mainlog", lines(8 * EACH..9 * EACH));
        life.look();
        let before = [all, sums].map(|text| ask(life, text));
        assert_eq!(
            mailpulse::store::maintenance::compact(life.store(), None).unwrap().into,
            1
        );
        assert_eq!([all, sums].map(|text| ask(life, text)), before);
        life.assert_once(0..9 * EACH);
    });
    // The next writer has removed what was replaced.
    let faults = bench.life(|life| mailpulse::store::maintenance::verify(life.store()).unwrap().faults);
    assert_eq!(faults, Vec::<String>::new());
}
