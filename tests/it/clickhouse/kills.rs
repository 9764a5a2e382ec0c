//! `kill -9` of `tail` with its sender, and of the sender alone, at any moment; answers that are lost, a server that dies. In
//! the end each row stands here and in ClickHouse's engine once.
//!
//! MAILPULSE_KILLS (default 15) says how often, in rounds of at most [`ROUND`], each with a store, a server and a log of its
//! own: `MAILPULSE_KILLS=1000 tests/run killed_while_it_reads_and_sends` takes some twenty minutes.

use super::Lab;
use crate::logs::simulated;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

/// Kills of one store: what has been read and sent is compared row by row after so many.
const ROUND: u64 = 100;
/// Bytes of a round's log.
const LOG_BYTES: u64 = 6_000_000;
/// Pieces in which a life's share of the log is written.
const PIECES: usize = 8;

/// The moments are the same for the same seed, as far as the machine's speed is.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A store, its server and a log that grows.
struct Round {
    lab: Lab,
    dice: Dice,
    path: PathBuf,
    /// Kills that found the store between its first commit and the log's end; and those of which the outbox held something.
    halfway: u64,
    unsent: u64,
}

impl Round {
    fn new(seed: u64) -> Round {
        let lab = Lab::new();
        let path = lab.place.write("logs/mainlog", "");
        lab.configure(&format!(
            "[tail]\npoll_ms = 50\n[[source]]\nkind = \"exim\"\nhost = \"mx1\"\npaths = [\"{}/logs/mainlog*\"]\n",
            lab.place.path("").display()
        ));
        Round {
            lab,
            dice: Dice(0x2018_0606 + seed),
            path,
            halfway: 0,
            unsent: 0,
        }
    }

    /// Starts it, lets the log grow beside it, and kills it somewhere on the way.
    fn life(&mut self, args: &[&str], lines: &[&[u8]]) {
        let mut child = self
            .lab
            .command(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let last = self.dice.below(PIECES as u64 + 1) as usize;
        let pieces: Vec<&[&[u8]]> = lines.chunks(lines.len() / PIECES + 1).collect();
        let (before, after) = pieces.split_at(last.min(pieces.len()));
        for piece in before {
            self.append(piece);
            std::thread::sleep(Duration::from_millis(self.dice.below(120)));
        }
        std::thread::sleep(Duration::from_millis(self.dice.below(40)));
        child.kill().unwrap();
        child.wait().unwrap();
        self.look();
        after.iter().for_each(|piece| self.append(piece));
    }

    fn append(&self, lines: &[&[u8]]) {
        let mut file = fs::File::options().create(true).append(true).open(&self.path).unwrap();
        file.write_all(&lines.concat()).unwrap();
    }

    /// What a kill left.
    fn look(&mut self) {
        if !self.lab.place.path("store/catalogue.sqlite").exists() {
            return;
        }
        let store = self.lab.place.store();
        let rows = store.segments().all().unwrap().len();
        self.halfway += u64::from(rows > 0);
        let waiting = store.outbox().waiting().unwrap();
        self.unsent += u64::from(waiting.is_some_and(|waiting| waiting.payloads > 0));
    }
}

/// A round; its log's lines, and how many kills found something committed and something unsent.
fn round(seed: u64, kills: u64) -> (u64, u64, u64) {
    let mut round = Round::new(seed);
    let log = simulated(LOG_BYTES, 31 + seed);
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let share = lines.len() / kills as usize + 1;
    for (life, lines) in lines.chunks(share).enumerate() {
        // The sender alone, now and then: what was committed is half sent when the next `tail` begins.
        match life % 4 {
            3 => round.life(&["store", "ship"], lines),
            _ => round.life(&["tail"], lines),
        }
        if life % 5 == 4 {
            let rotated = round.lab.place.path(&format!("logs/mainlog.{}", 9_999 - life));
            fs::rename(&round.path, rotated).unwrap();
        }
        match life % 12 {
            1 | 4 | 7 | 10 => round.lab.server.fault("lose-answer"),
            5 => round.lab.server.fault("unavailable"),
            11 => {
                let death = if life % 24 == 11 { "die-before" } else { "die-after" };
                round.lab.server.fault(death);
                let _ = round.lab.ship();
                let _ = fs::remove_file(round.lab.server.folder.join("faults").join(death));
                round.lab.server.again();
            }
            _ => {}
        }
    }
    let lab = &round.lab;
    lab.run(&["backfill", "-q"]).ends(0);
    // Faults that were ordered and not met yet are met now.
    let _ = (0..3).find(|_| lab.ship().code == 0);
    lab.ship().ends(0);
    let all = crate::logs::lines(&log);
    assert_eq!(lab.here(&["--sql", "SELECT SUM(lines) AS n FROM sources"])[0]["n"], all);
    lab.assert_equal();
    assert_eq!(lab.waiting().payloads, 0);
    lab.place.verify();
    (all, round.halfway, round.unsent)
}

#[test]
#[ignore = "lab: needs chdb"]
fn killed_while_it_reads_and_sends_each_row_arrives_once() {
    let kills: u64 = crate::util::number_from("MAILPULSE_KILLS", 15);
    let (mut done, mut lines, mut halfway, mut unsent) = (0, 0, 0, 0);
    while done < kills {
        let some = ROUND.min(kills - done);
        let (more, committed, waiting) = round(done / ROUND, some);
        done += some;
        (lines, halfway, unsent) = (lines + more, halfway + committed, unsent + waiting);
        eprintln!(
            "{done} kills while {lines} lines were read and sent ({halfway} found rows committed, {unsent} rows that were not \
             sent yet): none lost, none doubled, here and in ClickHouse"
        );
    }
    assert!(
        halfway * 2 >= kills && unsent > 0,
        "the kills came too early: {halfway}, {unsent} of {kills}"
    );
}
