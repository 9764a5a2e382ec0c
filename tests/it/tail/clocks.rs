//! The matrix of clocks for `tail`, logs that wait for the clock, and heartbeats that mean "read to its end".

use super::bench::{Bench, Life, lines as numbered};
use crate::clocks::{CLOCKS, DAY, KEPT, LOGS, NOW, history, line, lines, set_time};
use mailpulse::model::time::UtcMs;
use mailpulse::query::{self, Window};
use mailpulse::store::columnar::Values;
use mailpulse::store::retention::{MachineTime, Retention, forget_old};
use std::fmt::Write as _;
use std::fs;

/// The clock says this, seconds since 1970.
fn set_clock(bench: &Bench, clock: i64) {
    let ahead = clock * 1000 - bench.now_ms();
    bench.wait_ms(ahead);
}

fn events(life: &Life<'_>) -> i64 {
    let table = query::select(life.store(), "SELECT COUNT(*) AS n FROM events", Window::ALL).unwrap();
    match &table.columns[0].values {
        Values::Int(counts) => counts[0].unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_matrix_of_clocks_logs_and_retentions_keeps_what_is_written_for_tail() {
    let mut differ = String::new();
    for (days, kept) in KEPT {
        for ((clock_name, clock), row) in CLOCKS.iter().zip(kept) {
            for ((log_name, log), kept) in LOGS.iter().zip(row) {
                let bench = Bench::new();
                bench.write("mainlog.1", history());
                set_time(&bench.path("mainlog.1"), NOW);
                let after = bench.life(|life| {
                    let retain = |life: &Life<'_>, clock: i64, uptime_ms| {
                        let machine = MachineTime {
                            wall_ms: UtcMs::new(clock * 1000),
                            boot: 1,
                            uptime_ms,
                        };
                        let force = false;
                        forget_old(life.store(), &Retention { days, machine, force }).unwrap();
                    };
                    set_clock(&bench, NOW);
                    life.scan();
                    retain(life, NOW, 0);
                    assert_eq!(events(life), 50);
                    bench.write("mainlog", lines(*log, 10));
                    set_time(&bench.path("mainlog"), *clock);
                    set_clock(&bench, *clock);
                    life.scan();
                    retain(life, *clock, 1_000);
                    events(life)
                });
                if after != kept {
                    let _ = writeln!(
                        differ,
                        "clock {clock_name}, log {log_name}, {days} days: {after} instead of {kept}"
                    );
                }
            }
        }
    }
    assert!(differ.is_empty(), "{differ}");
}

#[test]
fn lines_in_the_future_wait_for_the_clock_and_are_read_once_when_it_is_right() {
    let bench = Bench::new();
    let dead = NOW - 40 * DAY;
    set_clock(&bench, dead);
    bench.write("mainlog", lines(dead - 3600, 5));
    let dead_file = |bench: &Bench| set_time(&bench.path("mainlog"), dead);
    dead_file(&bench);
    bench.life(|life| {
        life.scan();
        assert_eq!((events(life), life.at_end()), (5, 1));
        // One line is odd, and costs itself. It was not the clock.
        bench.append("mainlog", line(NOW) + &lines(dead - 1800, 4));
        dead_file(&bench);
        life.look();
        assert_eq!((events(life), life.at_end()), (9, 1));
        // All lines are ahead by weeks: they wait, in rounds of many and of few, and over a restart.
        for round in 0..3 {
            bench.append("mainlog", lines(NOW - 900 + round * 60 * 20, 20));
            dead_file(&bench);
            bench.wait_ms(61_000);
            life.look();
            assert_eq!((events(life), life.at_end()), (9, 0), "round {round}");
        }
        let source = &life.store().positions().sources().unwrap()[0];
        let doubts = life.store().positions().clock_doubts(source.id).unwrap();
        assert_eq!(
            (doubts.len(), doubts[0].ahead, source.logs[0].counts.lines),
            (1, 61, 10)
        );
    });
    bench.life(|life| {
        life.scan();
        assert_eq!((events(life), life.at_end()), (9, 0));
        // The other logs of the source are read.
        bench.write("mainlog-other", lines(dead - 7200, 3));
        set_time(&bench.path("mainlog-other"), dead);
        life.scan();
        assert_eq!((events(life), life.at_end()), (12, 0));
        set_clock(&bench, NOW);
        life.scan();
        assert_eq!((events(life), life.at_end()), (72, 1));
        let source = life.store().positions().sources().unwrap()[0].id;
        assert!(life.store().positions().clock_doubts(source).unwrap().is_empty());
        life.scan();
        assert_eq!(events(life), 72);
    });
}

#[test]
fn good_lines_end_the_doubt_of_a_log_whose_own_clock_was_wrong() {
    let bench = Bench::new();
    set_clock(&bench, NOW);
    bench.write("mainlog", lines(4_070_908_800, 3));
    set_time(&bench.path("mainlog"), NOW);
    bench.life(|life| {
        life.scan();
        assert_eq!((events(life), life.at_end()), (0, 0));
        bench.append("mainlog", lines(NOW - 600, 10));
        set_time(&bench.path("mainlog"), NOW);
        bench.wait_ms(5_000);
        life.look();
        assert_eq!((events(life), life.at_end()), (10, 1));
    });
    assert_eq!(bench.counts(), [13, 10, 0, 3]);
}

/// A source that was whole, and after something happened to its log.
fn after(happens: impl Fn(&Bench)) -> usize {
    let bench = Bench::new();
    bench.write("mainlog.1", numbered(0..10));
    bench.write("mainlog", numbered(10..20));
    bench.life(|life| {
        life.scan();
        assert_eq!(life.at_end(), 1);
        life.look();
        assert_eq!(life.at_end(), 1, "nothing new is read to its end too");
        happens(&bench);
        life.scan();
        life.look();
        life.at_end()
    })
}

#[test]
fn a_log_that_cannot_be_read_has_no_heartbeat() {
    assert_eq!(after(|_| ()), 1);
    assert_eq!(after(|bench| bench.append("mainlog", numbered(20..30))), 1);
    // Moved away, with the folder's other files or alone.
    assert_eq!(after(|bench| bench.rename("mainlog", "elsewhere")), 0);
    assert_eq!(
        after(|bench| {
            bench.remove("mainlog");
            bench.remove("mainlog.1");
        }),
        0
    );
    // A link that leads nowhere, a folder.
    let replaced = |make: &dyn Fn(&Bench)| {
        after(|bench| {
            bench.rename("mainlog", "elsewhere");
            make(bench);
        })
    };
    assert_eq!(
        replaced(&|bench| std::os::unix::fs::symlink(bench.path("gone"), bench.path("mainlog")).unwrap()),
        0
    );
    assert_eq!(replaced(&|bench| fs::create_dir(bench.path("mainlog")).unwrap()), 0);
    // Rotated: by renaming, with and without a new one.
    let rotate = |bench: &Bench| {
        bench.rename("mainlog.1", "mainlog.2");
        bench.rename("mainlog", "mainlog.1");
    };
    assert_eq!(after(rotate), 1);
    assert_eq!(
        after(|bench| {
            rotate(bench);
            bench.write("mainlog", "");
        }),
        1
    );
}

#[test]
fn a_log_that_was_gone_at_the_start_is_missed_too_and_comes_back() {
    let bench = Bench::new();
    bench.write("mainlog.1", numbered(0..10));
    bench.wait_ms(0);
    bench.write("mainlog", numbered(10..20));
    bench.life(|life| _ = life.scan());
    set_time(&bench.path("mainlog.1"), bench.now_ms() / 1000 - 3600);
    bench.rename("mainlog", "elsewhere");
    bench.life(|life| {
        life.scan();
        life.scan();
        assert_eq!(life.at_end(), 0);
        bench.rename("elsewhere", "mainlog");
        life.scan();
        assert_eq!(life.at_end(), 1);
    });
    bench.assert_once(0..20);
}
