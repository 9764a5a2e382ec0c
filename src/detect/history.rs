//! The last two days of one series: cumulative sums by step for the last hour, by block of a quarter hour before it.
//!
//! A window of any length is a difference of two marks. Sums are `f32` and are moved down once a day, so that a day
//! of any volume keeps seven digits: far below the noise of what is counted.

use super::level::FAST;
use serde::{Deserialize, Serialize};

/// Seconds that the blocks reach back: the longest window.
const REACH_S: i64 = 2 * 86_400;
/// Levels that only windows up to `QUICK_S` read: the first ones.
pub const QUICK: usize = 3;
/// Seconds that they reach back.
pub const QUICK_S: i64 = 8 * 3_600;
/// Levels that reach back as far as the blocks.
const LASTING: usize = FAST - QUICK;
/// Seconds that the steps reach back.
const FINE_S: i64 = 3_600;
/// Resolution of a kept level.
const LEVEL_UNIT: f64 = 1.0 / 4_096.0;

/// Cumulative sums at one moment.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Mark {
    counted: f32,
    expected: f32,
    evident: u16,
}

/// What is kept of a block beside its sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// It is taken for part of a drop and teaches nothing.
    pub masked: bool,
    /// It lies on a declared holiday.
    pub holiday: bool,
}

/// Sixteen bytes: there are two hundred of them a series.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Block {
    counted: f32,
    expected: f32,
    evident: u16,
    levels: [u16; LASTING],
    flags: Flags,
}

impl Block {
    fn end(&self) -> Mark {
        Mark {
            counted: self.counted,
            expected: self.expected,
            evident: self.evident,
        }
    }
}

/// The rings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct History {
    fine: Box<[Mark]>,
    blocks: Box<[Block]>,
    quick: Box<[[u16; QUICK]]>,
    steps: i64,
    block_steps: i64,
    /// Blocks that were kept so far: one less than have ended while the last one's end is being judged.
    kept: i64,
    now: Mark,
    floor: i64,
    floor_mark: Mark,
}

/// A window as it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistorySpan {
    /// Counted.
    pub counted: f64,
    /// Expected by the profile and the slow level.
    pub expected: f64,
    /// Steps in it.
    pub steps: i64,
    /// Steps of it that count as evidence.
    pub evident: i64,
}

impl Mark {
    fn span(self, start: Self, steps: i64) -> HistorySpan {
        HistorySpan {
            counted: f64::from(self.counted - start.counted),
            expected: f64::from(self.expected - start.expected).max(0.0),
            steps,
            evident: i64::from(self.evident.wrapping_sub(start.evident)),
        }
    }
}

impl History {
    /// Empty rings.
    pub fn new(step_s: i64, block_s: i64) -> Self {
        Self {
            fine: vec![Mark::default(); (FINE_S / step_s + 1) as usize].into_boxed_slice(),
            blocks: vec![Block::default(); (REACH_S / block_s + 2) as usize].into_boxed_slice(),
            quick: vec![[0; QUICK]; (QUICK_S / block_s + 2) as usize].into_boxed_slice(),
            steps: 0,
            block_steps: block_s / step_s,
            kept: 0,
            now: Mark::default(),
            floor: 0,
            floor_mark: Mark::default(),
        }
    }

    /// Begins at a moment, seconds since the epoch, so that blocks end at whole multiples of their length whenever the first
    /// step comes: bins of the week are made of whole blocks.
    pub fn begin(&mut self, ts: i64, step_s: i64) {
        self.steps = ts.div_euclid(step_s).rem_euclid(self.block_steps);
        self.floor = self.steps;
    }

    /// Adds a step; `None` does not count as evidence.
    pub fn push(&mut self, step: Option<(f64, f64)>) {
        if let Some((counted, expected)) = step {
            self.now.counted += counted as f32;
            self.now.expected += expected as f32;
            self.now.evident = self.now.evident.wrapping_add(1);
        }
        self.steps += 1;
        let slot = self.fine_slot(self.steps);
        self.fine[slot] = self.now;
    }

    fn fine_slot(&self, steps: i64) -> usize {
        steps.rem_euclid(self.fine.len() as i64) as usize
    }

    /// Steps in a block.
    pub fn block_steps(&self) -> i64 {
        self.block_steps
    }

    /// Whether a block ended with the last step.
    pub fn at_block_end(&self) -> bool {
        self.steps % self.block_steps == 0
    }

    /// Blocks so far.
    pub fn block_count(&self) -> i64 {
        self.steps / self.block_steps
    }

    /// Keeps the block that ended, with the levels after it.
    pub fn push_block(&mut self, levels: [f64; FAST], flags: Flags) {
        self.kept = self.block_count();
        let slot = self.block_slot(self.kept);
        let [a, b, c, d, e] = levels.map(|level| (level / LEVEL_UNIT).round().min(f64::from(u16::MAX)) as u16);
        self.blocks[slot] = Block {
            counted: self.now.counted,
            expected: self.now.expected,
            evident: self.now.evident,
            levels: [d, e],
            flags,
        };
        let slot = self.quick_slot(self.kept);
        self.quick[slot] = [a, b, c];
    }

    fn block_slot(&self, count: i64) -> usize {
        count.rem_euclid(self.blocks.len() as i64) as usize
    }

    fn quick_slot(&self, count: i64) -> usize {
        count.rem_euclid(self.quick.len() as i64) as usize
    }

    fn find(&self, count: i64) -> Option<&Block> {
        let newest = self.block_count();
        let there = count >= 1 && count <= newest && newest - count < self.blocks.len() as i64;
        there.then(|| &self.blocks[self.block_slot(count)])
    }

    /// Sums and flags of block number `count` (the first is 1), if it and the one before are still there.
    pub fn block(&self, count: i64) -> Option<(HistorySpan, Flags)> {
        let block = self.find(count)?;
        let start = if count == 1 {
            Mark::default()
        } else {
            self.find(count - 1)?.end()
        };
        Some((block.end().span(start, self.block_steps), block.flags))
    }

    /// Masks a block.
    pub fn mask(&mut self, count: i64) {
        if self.find(count).is_some() {
            let slot = self.block_slot(count);
            self.blocks[slot].flags.masked = true;
        }
    }

    /// Nothing before this moment is looked at again.
    pub fn set_floor(&mut self) {
        self.floor = self.steps;
        self.floor_mark = self.now;
    }

    /// The mark after `steps` steps in all; beyond an hour at a block's end at or before it.
    fn mark(&self, steps: i64) -> Option<(i64, Mark)> {
        if self.steps - steps < self.fine.len() as i64 {
            return Some((steps, self.fine[self.fine_slot(steps)]));
        }
        let count = steps.div_euclid(self.block_steps);
        if count == 0 {
            return Some((0, Mark::default()));
        }
        Some((count * self.block_steps, self.find(count)?.end()))
    }

    /// The last `steps` steps, not before the floor.
    pub fn window(&self, steps: i64) -> Option<HistorySpan> {
        let from = self.steps - steps;
        if from < 0 {
            return None;
        }
        if from < self.floor {
            return Some(self.now.span(self.floor_mark, self.steps - self.floor));
        }
        let (start, mark) = self.mark(from)?;
        if start < self.floor {
            return Some(self.now.span(self.floor_mark, self.steps - self.floor));
        }
        Some(self.now.span(mark, self.steps - start))
    }

    /// Level `half_life` as it was before the last `steps` steps; one where it is not known, or no longer.
    pub fn level_before(&self, steps: i64, half_life: usize) -> f64 {
        let count = (self.steps - steps).div_euclid(self.block_steps).min(self.kept);
        let Some(block) = self.find(count) else { return 1.0 };
        let level = if half_life >= QUICK {
            block.levels[half_life - QUICK]
        } else if self.block_count() - count < self.quick.len() as i64 {
            self.quick[self.quick_slot(count)][half_life]
        } else {
            return 1.0;
        };
        f64::from(level) * LEVEL_UNIT
    }

    /// Moves all sums down by the oldest; once a day.
    pub fn rebase(&mut self) {
        let oldest = self.block_count() - self.blocks.len() as i64 + 1;
        let Some(base) = self.find(oldest).map(Block::end) else {
            return;
        };
        let down = |mark: &mut Mark| {
            mark.counted -= base.counted;
            mark.expected -= base.expected;
        };
        self.fine.iter_mut().for_each(down);
        for block in &mut self.blocks {
            block.counted -= base.counted;
            block.expected -= base.expected;
        }
        down(&mut self.now);
        down(&mut self.floor_mark);
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.fine) + size_of_val(&*self.blocks) + size_of_val(&*self.quick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(steps: i64) -> History {
        let mut history = History::new(300, 900);
        for step in 1..=steps {
            history.push(Some((step as f64, 2.0)));
            if history.at_block_end() {
                history.push_block([1.5; FAST], Flags::default());
            }
        }
        history
    }

    #[test]
    fn windows_are_sums_of_their_steps() {
        let history = filled(1000);
        let hour = history.window(12).unwrap();
        assert_eq!(
            (hour.counted, hour.expected, hour.steps),
            ((989..=1000).sum::<i64>() as f64, 24.0, 12)
        );
        // Beyond an hour the start is a block's: 1000 − 24 = 976 lies in the block that ends at 978.
        assert_eq!(history.window(24).unwrap().steps, 25);
        assert_eq!(history.window(576).unwrap().evident, 577);
        assert_eq!(history.window(1001), None);
    }

    #[test]
    fn a_floor_cuts_windows() {
        let mut history = filled(100);
        history.set_floor();
        history.push(Some((7.0, 3.0)));
        let span = history.window(50).unwrap();
        assert_eq!((span.counted, span.steps), (7.0, 1));
    }

    #[test]
    fn moving_the_sums_down_changes_no_window() {
        let mut history = filled(2000);
        let before = history.window(500).unwrap();
        history.rebase();
        assert_eq!(history.window(500).unwrap(), before);
        assert_eq!(history.block(600).unwrap().0.counted, (1798 + 1799 + 1800) as f64);
    }

    #[test]
    fn at_a_blocks_end_the_last_kept_level_holds() {
        let mut history = filled(900);
        // The 301st block ends; what stands in its place is two days old.
        for step in 0..3 {
            assert_eq!(history.level_before(0, 0), 1.5, "{step}");
            history.push(Some((1.0, 1.0)));
        }
        assert!(history.at_block_end());
        assert_eq!(history.level_before(0, 0), 1.5);
        let mut young = History::new(300, 900);
        (0..3).for_each(|_| young.push(Some((1.0, 1.0))));
        assert_eq!(young.level_before(0, 0), 1.0, "none is kept yet");
    }

    #[test]
    fn no_data_is_no_evidence() {
        let mut history = filled(10);
        history.push(None);
        assert_eq!(history.window(2).unwrap().evident, 1);
        assert_eq!(history.level_before(0, 0), 1.5);
    }
}
