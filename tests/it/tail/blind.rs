//! A heartbeat says that a source was read to its end. While its log is away or cannot be read, none is sent: the relay is
//! blind, and not silent.

use super::bench::{Bench, lines};
use std::fs;
use std::os::unix::fs::symlink;

/// What happens to the live log, whose file waits as `aside` meanwhile, and how the name is free again.
type Trouble = (&'static str, fn(&Bench), fn(&Bench));

const TROUBLES: [Trouble; 4] = [
    ("its folder is not mounted", |_| {}, |_| {}),
    (
        "a folder has its name",
        |bench| fs::create_dir(bench.path("mainlog")).unwrap(),
        |bench| fs::remove_dir(bench.path("mainlog")).unwrap(),
    ),
    (
        "its name leads nowhere",
        |bench| symlink(bench.path("nothing"), bench.path("mainlog")).unwrap(),
        |bench| bench.remove("mainlog"),
    ),
    (
        // The first page of a process' memory: opened by everybody, read by nobody.
        "it gives an error instead of lines",
        |bench| symlink("/proc/self/mem", bench.path("mainlog")).unwrap(),
        |bench| bench.remove("mainlog"),
    ),
];

#[test]
fn a_log_that_is_away_or_cannot_be_read_has_no_heartbeat() {
    for (what, happens, ends) in TROUBLES {
        let bench = Bench::new();
        bench.write("mainlog.1", lines(0..5));
        bench.write("mainlog", lines(5..10));
        bench.life(|life| {
            life.scan();
            assert_eq!(life.at_end(), 1, "{what}: before");
            bench.rename("mainlog", "aside");
            happens(&bench);
            for round in 0..4 {
                bench.wait_ms(2_000);
                life.try_scan();
                assert_eq!(life.at_end(), 0, "{what}: round {round}");
                life.try_look();
                assert_eq!(life.at_end(), 0, "{what}: round {round} over open files");
            }
            ends(&bench);
            bench.rename("aside", "mainlog");
            bench.append("mainlog", lines(10..15));
            bench.wait_ms(2_000);
            life.scan();
            assert_eq!(life.at_end(), 1, "{what}: after");
        });
        bench.assert_once(0..15);
    }
}

/// Another life takes up what the store knows.
#[test]
fn a_log_that_was_away_when_tail_started_has_no_heartbeat_either() {
    let bench = Bench::new();
    bench.write("mainlog.1", lines(0..5));
    // The newest by its time is the one that is written to.
    std::thread::sleep(std::time::Duration::from_millis(20));
    bench.write("mainlog", lines(5..10));
    bench.life(|life| life.scan());
    bench.rename("mainlog", "aside");
    bench.life(|life| {
        for _ in 0..3 {
            bench.wait_ms(2_000);
            life.try_scan();
        }
        assert_eq!(life.at_end(), 0);
        bench.rename("aside", "mainlog");
        bench.wait_ms(2_000);
        life.scan();
        assert_eq!(life.at_end(), 1);
    });
}
