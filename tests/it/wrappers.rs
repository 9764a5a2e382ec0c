//! Hostile envelopes: broken, nested and mutated ones cost their own line, and every line is counted.

use crate::logs::lines;
use crate::util::Place;

/// A small generator: the same seed gives the same log.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

const HEADS: [&str; 12] = [
    "",
    "{\"log\":\"",
    "2025-11-19T13:39:04.123456789Z stdout P ",
    "2025-11-19T13:39:04.123456789Z stdout F ",
    "2025-11-19T13:39:04.123456789Z ",
    "mail-1  | ",
    "<22>1 2025-11-19T13:39:04Z mx1 exim 1 - [a b=\"] ",
    "Nov 19 13:39:04 host1 docker[1]: ",
    "Wed 2025-11-19 13:39:04 UTC mx1 ",
    "Nov 19 13:39:04 mx1 mail.info ",
    "    9 LOG: MAIN\n    9   ",
    "Nov 19 13:39:04 mx1 exim[1]: [1/2] ",
];

const TEXTS: [&str; 6] = [
    "2025-11-19 13:39:04 1vLh1s-00000001AbC-2DeF <= a@example.org H=h [10.0.0.5] P=esmtp S=900",
    "Nov 19 13:39:04 mx1 postfix/qmgr[100]: 3A3D26C44CC: from=<a@example.org>, size=500, nrcpt=1 (queue active)",
    "exim[1]: 2025-11-19 13:39:04 1vLh1s-00000001AbC-2DeF Completed",
    "-- Boot 8af3c1d2 --",
    "{\"log\":\"a\\nb\\u0000\\n\",\"stream\":\"stdout\",\"time\":\"2025-11-19T13:39:04Z\"}",
    "\0\0\0",
];

const ENDS: [&str; 4] = [
    "",
    "\\n\",\"stream\":\"stdout\",\"time\":\"2025-11-19T13:39:04Z\"}",
    "\r",
    " ",
];

fn hostile(seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut log = Vec::new();
    for _ in 0..400 {
        let mut line = Vec::new();
        for _ in 0..dice.below(4) {
            line.extend_from_slice(HEADS[dice.below(HEADS.len())].as_bytes());
        }
        line.extend_from_slice(TEXTS[dice.below(TEXTS.len())].as_bytes());
        line.extend_from_slice(ENDS[dice.below(ENDS.len())].as_bytes());
        match dice.below(6) {
            0 => line.truncate(dice.below(line.len() + 1)),
            1 if !line.is_empty() => {
                let at = dice.below(line.len());
                line[at] = dice.below(256) as u8;
            }
            2 if dice.below(40) == 0 => line.extend(std::iter::repeat_n(b'x', 70_000)),
            _ => {}
        }
        log.extend_from_slice(&line);
        log.push(b'\n');
    }
    log
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn every_line_has_a_fate() {
    for seed in 0..12 {
        let log = hostile(seed);
        for kind in ["exim", "postfix"] {
            let place = Place::new();
            let path = place.write("log", &log);
            // Nobody writes to it any more: no piece of a line waits for its others.
            crate::clocks::set_time(&path, crate::util::now_ms() / 1_000 - 3_600);
            let run = place.run(&[
                "backfill",
                "--kind",
                kind,
                "--host",
                "mx1",
                "--year",
                "2025",
                path.to_str().unwrap(),
            ]);
            // The totals add up, or this is told to be no such log.
            let totals = run.totals();
            assert!(run.code == 0 || totals.lines == 0, "{seed} {kind}: {}", run.err);
            if run.code == 0 {
                assert_eq!(totals.lines, lines(&log), "{seed} {kind}");
                assert_eq!(
                    place.number("SELECT SUM(unparsed) AS n FROM sources"),
                    totals.unparsed as i64
                );
                assert_eq!(place.events() as u64, totals.events);
            }
            place.run(&["parse", "--source", kind, path.to_str().unwrap()]).ends(0);
        }
    }
}
