//! A service's, hostgroup's or relay's count against its own weeks: the statistical layer as one layer among the others.

use super::alarm::{Found, Turn};
use super::series::{Change, Drop, Series, Step};
use super::tuning::Tuning;

/// A series under one mail a minute is judged in steps of so many minutes.
const COARSE: i64 = 5;
/// Minutes after which a new series chooses its step.
const CHOICE: i64 = 1440;

/// One series of counts.
#[derive(Debug, Clone)]
pub struct Volume {
    series: Series,
    step_min: i64,
    /// Count and seen minutes of the step in hand.
    hand: (f64, i64),
    born: Option<i64>,
    total: f64,
}

/// A minute of a series.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// Mails; `None` if they could not be seen.
    pub count: Option<u32>,
    /// Second of the civil week at the minute's start.
    pub week_s: i64,
    /// A declared holiday.
    pub holiday: bool,
}

impl Volume {
    /// A series that nothing is known of.
    pub fn new(tuning: &Tuning) -> Self {
        Volume {
            series: Series::new(COARSE * 60, 1, tuning),
            step_min: COARSE,
            hand: (0.0, 0),
            born: None,
            total: 0.0,
        }
    }

    /// Takes a minute; minutes come without holes.
    pub fn step(&mut self, at: i64, counted: Counted, tuning: &Tuning) -> Option<Turn> {
        let count = f64::from(counted.count.unwrap_or(0));
        self.hand = (self.hand.0 + count, self.hand.1 + i64::from(counted.count.is_some()));
        self.total += count;
        let born = *self.born.get_or_insert(at);
        if at - born == CHOICE && self.total > CHOICE as f64 {
            (self.series, self.step_min) = (Series::new(60, 4, tuning), 1);
            self.hand = (count, i64::from(counted.count.is_some()));
        }
        if (at + 1) % self.step_min != 0 {
            return None;
        }
        let (sum, seen) = std::mem::take(&mut self.hand);
        let before = (self.step_min - 1) * 60;
        let step = Step {
            ts: (at * 60) - before,
            week_s: (counted.week_s - before).rem_euclid(7 * 86_400),
            count: (seen == self.step_min).then_some(sum as u32),
            holiday: counted.holiday,
            near: false,
        };
        self.series.step(step, tuning).map(turn)
    }
}

fn turn(change: Change) -> Turn {
    match change {
        Change::Opened(drop) | Change::Reopened(drop) => Turn::Opened(found(&drop)),
        Change::Closed(drop) => Turn::Closed(drop.ended.unwrap_or(drop.detected).div_euclid(60)),
    }
}

fn found(drop: &Drop) -> Found {
    Found {
        onset: drop.onset.div_euclid(60),
        expected: drop.expected,
        observed: drop.observed,
        score: drop.score,
        provisional: drop.provisional,
    }
}
