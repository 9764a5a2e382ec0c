//! A model of one log's life: everything that happens to logs, in any order, with rounds, kills and failures of the store
//! in between. Two things hold at the end: each completed line is stored once, and exactly those lines are missing that
//! the model knows to have been destroyed before anybody could read them.
//!
//! MAILPULSE_MODEL_CASES (default 1500) histories, each of its own seed; a failure names it, and MAILPULSE_MODEL_SEED
//! runs that one alone.

use super::bench::{Bench, Life, lines};
use crate::logs::gzip;
use std::collections::BTreeSet;
use std::fs;

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }
}

/// A file of the family, as the model knows it.
#[derive(Debug, Clone, Default)]
struct File {
    /// Lines that stand in it.
    lines: Vec<u64>,
    packed: bool,
    /// A tail of the present life has it open.
    held: bool,
}

/// What should be true.
struct Model {
    /// The live log, and behind it its older siblings.
    files: Vec<File>,
    /// Lines that a successful round has seen.
    read: BTreeSet<u64>,
    /// Files without a name that the tail still holds.
    nameless: Vec<File>,
    /// Lines that nobody read and nobody can.
    lost: BTreeSet<u64>,
    next: u64,
}

impl Model {
    fn new() -> Model {
        Model {
            files: vec![File::default()],
            read: BTreeSet::new(),
            nameless: Vec::new(),
            lost: BTreeSet::new(),
            next: 0,
        }
    }

    /// All lines of a file are gone from the disk, unless another file has them too.
    fn destroyed(&mut self, lines: &[u64]) {
        let elsewhere: BTreeSet<u64> = self
            .files
            .iter()
            .chain(&self.nameless)
            .flat_map(|file| &file.lines)
            .copied()
            .collect();
        let gone = lines
            .iter()
            .filter(|line| !self.read.contains(line) && !elsewhere.contains(line));
        self.lost.extend(gone);
    }

    /// A round that looks at names has read everything; one that looks at open files, what is open.
    fn round(&mut self, scan: bool, failed: bool) {
        for file in self.files.iter_mut().chain(&mut self.nameless) {
            if !failed && (scan || file.held) {
                self.read.extend(&file.lines);
            }
            // The tail opens plain files that it sees, whatever comes of the round.
            file.held |= scan && !file.packed;
        }
    }

    /// The tail is dead: nobody holds anything.
    fn killed(&mut self) {
        self.files.iter_mut().for_each(|file| file.held = false);
        for file in std::mem::take(&mut self.nameless) {
            self.destroyed(&file.lines);
        }
    }
}

/// Disk and model, changed together.
struct World<'b> {
    bench: &'b Bench,
    model: Model,
    dice: Dice,
    /// The store cannot be written.
    broken: bool,
    steps: Vec<String>,
}

fn name(at: usize, packed: bool) -> String {
    match (at, packed) {
        (0, _) => "mainlog".to_owned(),
        (at, false) => format!("mainlog.{at}"),
        (at, true) => format!("mainlog.{at}.gz"),
    }
}

impl World<'_> {
    fn append(&mut self, at: usize) {
        let count = 1 + self.dice.below(5);
        let numbers = self.model.next..self.model.next + count;
        self.model.next += count;
        let text = lines(numbers.clone());
        // In two writes, the first of which may end inside a line.
        let cut = self.dice.below(text.len() as u64) as usize;
        self.bench.append(&name(at, false), &text[..cut]);
        self.bench.append(&name(at, false), &text[cut..]);
        self.model.files[at].lines.extend(numbers);
    }

    /// Makes room for a new `mainlog.1`.
    fn shift(&mut self) {
        for at in (1..self.model.files.len()).rev() {
            let packed = self.model.files[at].packed;
            self.bench.rename(&name(at, packed), &name(at + 1, packed));
        }
    }

    fn rename(&mut self) {
        if self.model.files[0].lines.is_empty() {
            return;
        }
        self.shift();
        self.bench.rename("mainlog", "mainlog.1");
        self.bench.write("mainlog", "");
        self.model.files.insert(0, File::default());
    }

    fn copytruncate(&mut self) {
        if self.model.files[0].lines.is_empty() {
            return;
        }
        self.shift();
        fs::copy(self.bench.path("mainlog"), self.bench.path("mainlog.1")).unwrap();
        self.bench.write("mainlog", "");
        let copy = File {
            held: false,
            ..self.model.files[0].clone()
        };
        self.model.files[0].lines.clear();
        self.model.files.insert(1, copy);
    }

    /// Somebody empties the log, or writes it anew, without a copy.
    fn rewrite(&mut self, grow: bool) {
        // Within one tick of the file system's clock, a file that is as long as before shows no change at all.
        std::thread::sleep(std::time::Duration::from_millis(8));
        let old = std::mem::take(&mut self.model.files[0].lines);
        let numbers = match grow {
            true => self.model.next..self.model.next + 3 + self.dice.below(old.len() as u64 + 4),
            false => 0..0,
        };
        self.bench.write("mainlog", lines(numbers.clone()));
        self.model.next = self.model.next.max(numbers.end);
        self.model.files[0].lines.extend(numbers);
        self.model.destroyed(&old);
    }

    fn compress(&mut self) {
        let plain = |file: &File| !file.packed && !file.lines.is_empty();
        let Some(at) = (1..self.model.files.len()).rfind(|at| plain(&self.model.files[*at])) else {
            return;
        };
        gzip(&self.bench.path(&name(at, false)));
        let file = &mut self.model.files[at];
        if file.held {
            // gzip has removed the plain file; the tail has it still.
            self.model.nameless.push(file.clone());
        }
        (file.packed, file.held) = (true, false);
    }

    fn delete_oldest(&mut self) {
        let at = self.model.files.len() - 1;
        if at == 0 {
            return;
        }
        let Some(file) = self.model.files.pop() else { return };
        self.bench.remove(&name(at, file.packed));
        if file.held {
            self.model.nameless.push(file);
        } else {
            self.model.destroyed(&file.lines);
        }
    }

    fn delete_live(&mut self) {
        self.bench.remove("mainlog");
        self.bench.write("mainlog", "");
        let file = std::mem::take(&mut self.model.files[0]);
        if file.held {
            self.model.nameless.push(file);
        } else {
            self.model.destroyed(&file.lines);
        }
    }

    fn toggle_store(&mut self) {
        let (segments, aside) = (
            self.bench.store_path().join("segments"),
            self.bench.store_path().join("aside"),
        );
        if self.broken {
            fs::remove_file(&segments).unwrap();
            fs::rename(&aside, &segments).unwrap();
        } else {
            fs::rename(&segments, &aside).unwrap();
            fs::write(&segments, "").unwrap();
        }
        self.broken = !self.broken;
    }

    fn round(&mut self, life: &mut Life<'_>, scan: bool) {
        // Past every backoff; not past the minute after which an open file may be let go.
        self.bench.wait_ms(1);
        let (round, scan) = match scan {
            true => (life.try_scan(), true),
            false => life.try_look(),
        };
        assert!(self.broken || round.troubles.is_empty(), "{:?}", round.troubles);
        self.model.round(scan, self.broken);
    }

    /// One thing happens. Returns whether the tail is killed now.
    fn step(&mut self, life: &mut Life<'_>) -> bool {
        let what = self.dice.below(100);
        let step = match what {
            0..26 => {
                self.append(0);
                "append"
            }
            26..31 if self.model.files.len() > 1 && !self.model.files[1].packed => {
                self.append(1);
                "append to the file that was renamed"
            }
            31..39 => {
                self.rename();
                "rename"
            }
            39..46 => {
                self.copytruncate();
                "copytruncate"
            }
            46..49 => {
                self.rewrite(false);
                "empty"
            }
            49..52 => {
                self.rewrite(true);
                "rewrite"
            }
            52..59 => {
                self.compress();
                "compress"
            }
            59..63 => {
                self.delete_oldest();
                "delete the oldest"
            }
            63..65 => {
                self.delete_live();
                "delete the live log"
            }
            65..68 if !self.broken => {
                self.toggle_store();
                self.steps.push("the store cannot be written".to_owned());
                self.round(life, true);
                self.toggle_store();
                // Its backoff is over.
                self.bench.wait_ms(61_000);
                "a round failed"
            }
            68..72 => {
                self.steps.push("kill".to_owned());
                return true;
            }
            72..86 => {
                self.round(life, true);
                "round over the names"
            }
            _ => {
                self.round(life, false);
                "round over open files"
            }
        };
        self.steps.push(format!(
            "{step} ({} lines, {} files)",
            self.model.next,
            self.model.files.len()
        ));
        false
    }
}

/// One history.
fn history(seed: u64) {
    let bench = Bench::new();
    bench.write("mainlog", "");
    let mut world = World {
        bench: &bench,
        model: Model::new(),
        dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        broken: false,
        steps: Vec::new(),
    };
    let lives = 1 + world.dice.below(3);
    for _ in 0..lives {
        bench.life(|life| {
            let steps = 4 + world.dice.below(14);
            for _ in 0..steps {
                if world.step(life) {
                    break;
                }
            }
        });
        world.model.killed();
    }
    bench.life(|life| {
        world.round(life, true);
        bench.wait_ms(6_000);
        world.round(life, true);
    });
    let wanted = (0..world.model.next).filter(|line| !world.model.lost.contains(line));
    let stored = bench.stored();
    let whole = std::panic::catch_unwind(|| super::bench::assert_once(&stored, wanted));
    if whole.is_err() {
        panic!(
            "seed {seed}: lost to the model: {:?}\n{}",
            world.model.lost,
            world.steps.join("\n")
        );
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn what_happens_to_a_log_neither_loses_a_line_nor_stores_one_twice() {
    if let Ok(seed) = std::env::var("MAILPULSE_MODEL_SEED") {
        return history(seed.parse().expect("a number"));
    }
    try_histories(250);
}

#[test]
#[ignore = "minutes: all histories; tests/run runs it"]
fn whatever_happens_each_line_is_stored_once_and_no_other_is_lost() {
    try_histories(crate::util::number_from("MAILPULSE_MODEL_CASES", 1_500));
}

fn try_histories(cases: u64) {
    let next = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= cases {
                        return;
                    }
                    history(seed);
                }
            });
        }
    });
}
