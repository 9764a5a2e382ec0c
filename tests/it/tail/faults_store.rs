//! Faults 23 to 26, 29 and 34, as far as the embedded store goes: a store that cannot be written, torn state, two
//! writers, and what is forgotten.

use super::bench::{Bench, lines};
use crate::util::{Place, stop};
use mailpulse::model::time::UtcMs;
use mailpulse::store::Store;
use mailpulse::store::retention::{MachineTime, Retention, forget_old};
use std::fs;

/// No segment can be written, whoever runs this: its folder is a file.
fn break_store(bench: &Bench) {
    fs::rename(bench.store_path().join("segments"), bench.store_path().join("kept")).unwrap();
    fs::write(bench.store_path().join("segments"), "").unwrap();
}

fn mend_store(bench: &Bench) {
    fs::remove_file(bench.store_path().join("segments")).unwrap();
    fs::rename(bench.store_path().join("kept"), bench.store_path().join("segments")).unwrap();
}

#[test]
fn fault_23_a_store_that_is_down_while_logs_rotate() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    bench.life(|life| {
        life.scan();
        break_store(&bench);
        for day in 1..5_u64 {
            bench.append("mainlog", lines(100 * day..100 * day + 10));
            for older in (1..day).rev() {
                bench.rename(&format!("mainlog.{older}"), &format!("mainlog.{}", older + 1));
            }
            bench.rename("mainlog", "mainlog.1");
            bench.write("mainlog", "");
            let round = life.try_scan();
            assert_eq!(round.troubles.len(), 1, "day {day}");
            bench.wait_ms(86_400_000);
        }
        mend_store(&bench);
        life.scan();
        life.scan();
    });
    bench.assert_once((0..10).chain((1..5).flat_map(|day| 100 * day..100 * day + 10)));
}

#[test]
fn fault_29_a_segment_that_cannot_be_written() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    bench.life(|life| {
        life.scan();
        bench.append("mainlog", lines(10..20));
        break_store(&bench);
        let (round, _) = life.try_look();
        assert!(
            round.troubles[0].error.to_string().contains("segments"),
            "{}",
            round.troubles[0].error
        );
        // Tried again later and later, not with every round.
        assert!(life.try_look().0.troubles.is_empty());
        mend_store(&bench);
        bench.wait_ms(2_000);
        bench.append("mainlog", lines(20..25));
        life.look();
        life.assert_once(0..25);
    });
    bench.assert_once(0..25);
}

#[test]
fn fault_25_torn_state() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    bench.life(|life| life.scan());
    // A segment that was written and not committed; a temporary file.
    fs::write(bench.store_path().join("segments/99.events.parquet"), "PAR1").unwrap();
    fs::write(bench.store_path().join("segments/100.events.tmp"), "P").unwrap();
    bench.append("mainlog", lines(10..20));
    bench.life(|life| life.scan());
    bench.assert_once(0..20);
    // A catalogue that is none: it says so, and touches nothing.
    let catalogue = bench.store_path().join("catalogue.sqlite");
    for wal in ["catalogue.sqlite-wal", "catalogue.sqlite-shm"] {
        let _ = fs::remove_file(bench.store_path().join(wal));
    }
    let good = fs::read(&catalogue).unwrap();
    fs::write(
        &catalogue,
        [b"not a database".repeat(100), good[..500].to_vec()].concat(),
    )
    .unwrap();
    let error = Store::create(&bench.store_path()).unwrap_err().to_string();
    assert!(error.contains("catalogue"), "{error}");
    fs::write(&catalogue, good).unwrap();
    bench.append("mainlog", lines(20..30));
    bench.life(|life| life.scan());
    bench.assert_once(0..30);
}

#[test]
fn fault_26_a_second_daemon_is_told_who_holds_the_store() {
    let place = Place::with(&format!(
        "{}[[source]]\nkind = \"exim\"\npaths = [\"mainlog*\"]\nhost = \"mx1\"\n",
        crate::util::KEEP
    ));
    place.write("mainlog", lines(0..10));
    let mut first = place.command().arg("tail").spawn().unwrap();
    super::process::wait_for(&place, 10);
    for second in ["tail", "backfill"] {
        let run = place.run(&[second]).ends(2);
        assert!(run.err.contains(&format!("pid {}", first.id())), "{}", run.err);
    }
    stop(&mut first);
}

#[test]
fn fault_34_positions_of_files_long_gone() {
    let bench = Bench::new();
    bench.write("mainlog.1", lines(0..10));
    bench.write("mainlog", lines(86_400..86_410));
    const DAY_MS: i64 = 86_400_000;
    let retention = |uptime_ms| Retention {
        days: 1,
        machine: MachineTime {
            wall_ms: UtcMs::new(bench.now_ms()),
            boot: 1,
            uptime_ms,
        },
        force: false,
    };
    bench.life(|life| {
        life.scan();
        let logs = |life: &super::bench::Life<'_>| life.store().positions().sources().unwrap()[0].logs.len();
        assert_eq!(logs(life), 2);
        // Its lines are within the retention: whoever finds a copy of it must know them.
        bench.remove("mainlog.1");
        forget_old(life.store(), &retention(0)).unwrap();
        assert_eq!(logs(life), 2);
        // Two months of mail later they are not, and the file is gone.
        bench.wait_ms(60 * DAY_MS);
        let now = jiff::Timestamp::from_millisecond(bench.now_ms()).unwrap();
        let date = now.strftime("%Y-%m-%d").to_string();
        bench.append("mainlog", lines(0..1).replace("2026-11-01", &date));
        life.scan();
        let (segments, forgotten) = forget_old(life.store(), &retention(200 * DAY_MS)).unwrap();
        assert_eq!((segments, forgotten), (2, 1));
        assert_eq!(logs(life), 1);
    });
}
