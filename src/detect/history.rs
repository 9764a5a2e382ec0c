//! The last two days of one series: cumulative sums by step for the last hour, by block of a quarter hour before it.

use super::level::FAST;

/// Seconds that the blocks reach back: the longest window.
const REACH_S: i64 = 2 * 86_400;
/// Seconds that the steps reach back.
const FINE_S: i64 = 3_600;

/// Cumulative counted and expected mails at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mark {
    /// Counted.
    pub counted: f64,
    /// Expected.
    pub expected: f64,
    /// Steps that count as evidence.
    pub steps: i64,
}

/// What is kept of a block.
#[derive(Debug, Clone, Copy, Default)]
pub struct Block {
    /// Cumulative sums at its end.
    pub end: Mark,
    /// Levels at its end.
    pub levels: [f32; FAST],
    /// Counted in it (all that was counted, also where it does not count as evidence).
    pub counted: f32,
    /// Expected in it.
    pub expected: f32,
    /// Share of its steps that were seen.
    pub seen: f32,
    /// It is taken for part of a drop and teaches nothing.
    pub masked: bool,
    /// On a declared holiday.
    pub holiday: bool,
}

/// The rings.
#[derive(Debug, Clone)]
pub struct History {
    fine: Box<[Mark]>,
    blocks: Box<[Block]>,
    /// Steps so far.
    pub steps: i64,
    /// Steps in a block.
    pub block_steps: i64,
    now: Mark,
    floor: (i64, Mark),
}

/// A window as it was found.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Counted.
    pub counted: f64,
    /// Expected by the profile and the slow level.
    pub expected: f64,
    /// Steps in it.
    pub steps: i64,
    /// Steps of it that count as evidence.
    pub evident: i64,
}

impl History {
    /// Empty rings.
    pub fn new(step_s: i64, block_s: i64) -> Self {
        Self {
            fine: vec![Mark::default(); (FINE_S / step_s + 1) as usize].into_boxed_slice(),
            blocks: vec![Block::default(); (REACH_S / block_s + 2) as usize].into_boxed_slice(),
            steps: 0,
            block_steps: block_s / step_s,
            now: Mark::default(),
            floor: (0, Mark::default()),
        }
    }

    /// Adds a step.
    pub fn push(&mut self, counted: f64, expected: f64, evident: bool) {
        self.now.steps += i64::from(evident);
        self.now.counted += counted;
        self.now.expected += expected;
        self.steps += 1;
        let len = self.fine.len() as i64;
        self.fine[(self.steps % len) as usize] = self.now;
    }

    /// Whether a block ended with the last step.
    pub fn at_block_end(&self) -> bool {
        self.steps % self.block_steps == 0
    }

    /// Blocks so far.
    pub fn block_count(&self) -> i64 {
        self.steps / self.block_steps
    }

    /// Keeps the block that ended.
    pub fn push_block(&mut self, mut block: Block) {
        block.end = self.now;
        let slot = (self.block_count() % self.blocks.len() as i64) as usize;
        self.blocks[slot] = block;
    }

    /// Block number `count` (the first is 1), if it is still there.
    pub fn block(&self, count: i64) -> Option<&Block> {
        let newest = self.block_count();
        let there = count >= 1 && count <= newest && newest - count < self.blocks.len() as i64;
        there.then(|| &self.blocks[(count % self.blocks.len() as i64) as usize])
    }

    /// The same, to change it.
    pub fn block_mut(&mut self, count: i64) -> Option<&mut Block> {
        self.block(count)?;
        let len = self.blocks.len() as i64;
        Some(&mut self.blocks[(count % len) as usize])
    }

    /// Nothing before this moment is looked at again.
    pub fn set_floor(&mut self) {
        self.floor = (self.steps, self.now);
    }

    /// The mark after `steps` steps in all; beyond an hour at a block's end at or before it.
    fn mark(&self, steps: i64) -> Option<(i64, Mark)> {
        if self.steps - steps < self.fine.len() as i64 {
            let len = self.fine.len() as i64;
            return Some((steps, self.fine[(steps.rem_euclid(len)) as usize]));
        }
        let count = steps.div_euclid(self.block_steps);
        if count == 0 {
            return Some((0, Mark::default()));
        }
        Some((count * self.block_steps, self.block(count)?.end))
    }

    /// The last `steps` steps, not before the floor.
    pub fn window(&self, steps: i64) -> Option<Span> {
        let from = self.steps - steps;
        if from < 0 {
            return None;
        }
        let (start, mark) = self.mark(from)?;
        let (start, mark) = if start >= self.floor.0 { (start, mark) } else { self.floor };
        Some(Span {
            counted: self.now.counted - mark.counted,
            expected: self.now.expected - mark.expected,
            steps: self.steps - start,
            evident: self.now.steps - mark.steps,
        })
    }

    /// Level `half_life` as it was before the last `steps` steps.
    pub fn level_before(&self, steps: i64, half_life: usize) -> f64 {
        let count = (self.steps - steps).div_euclid(self.block_steps);
        self.block(count).map_or(1.0, |b| f64::from(b.levels[half_life]))
    }
}
