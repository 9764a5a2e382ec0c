//! An episode: from the step at which a drop is found to the step at which the rate is back, or the new level accepted.

use super::channels::Channel;
use super::tuning::Tuning;
use serde::{Deserialize, Serialize};

/// Bounds of the share of the expected mail that a drop is taken to leave.
const SHARE_MIN: f64 = 0.05;
const SHARE_MAX: f64 = 0.7;
/// Mails from which on a share is known.
const KNOWN: f64 = 20.0;
/// A drop that came back is another one from so many times its largest score before, and so many decades more, on.
const BEYOND: (f64, f64) = (1.5, 2.0);

/// A drop.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Drop {
    /// Estimated start: that of the window or sum that found it, seconds since the epoch.
    pub onset: i64,
    /// Start of the step whose count found it.
    pub detected: i64,
    /// Start of the step at which it was over.
    pub ended: Option<i64>,
    /// Why it is over.
    pub end: Option<DropEnd>,
    /// Mails expected since the onset.
    pub expected: f64,
    /// Mails counted since the onset.
    pub observed: f64,
    /// Decades beyond what the budget of false alarms allows, when it was found.
    pub score: f64,
    /// What found it.
    pub channel: Channel,
    /// The series is too young for its finding to page anybody alone.
    pub provisional: bool,
    /// It is told of a drop that goes on: the rate fell further.
    pub worse: bool,
}

/// Why a drop is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DropEnd {
    /// The rate is back.
    Recovered,
    /// It stayed low for so many days, which is the new level from now on.
    Accepted(u32),
    /// It sent nothing for so many days and is taken for retired: silent from now on until it sends again.
    Retired(u32),
    /// Nobody knows: the clock or the data leapt over the rest of it.
    Unseen,
}

/// What a step may bring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EpisodeChange {
    /// A drop was found.
    Opened(Drop),
    /// The last drop goes on after a recovery of hours.
    Reopened {
        /// As it is told from its first onset on.
        whole: Drop,
        /// What was found now.
        again: Drop,
    },
    /// The rate fell further while a drop went on; told once.
    Worse(Drop),
    /// A drop that came back went far beyond what it was; told once. Who is told of its return need not hear it.
    Beyond(Drop),
    /// It is over.
    Closed(Drop),
    /// Mail that is due at a set time did not come.
    Overdue(Drop),
    /// It came, or comes no more.
    Over(Drop),
}

/// A drop that goes on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Episode {
    /// What is told of it.
    pub drop: Drop,
    /// The largest score so far.
    pub peak: f64,
    /// The largest score before it came back.
    pub before: f64,
    /// It came back after a recovery that was none of chance.
    pub came_back: bool,
    /// That it got worse was told.
    pub told_worse: bool,
    /// That it went beyond what it was before was told.
    pub told_beyond: bool,
    /// When it opened (the last time).
    opened: i64,
    /// Evidence that the rate is back: a CUSUM from the drop's own share of the rate to the whole.
    recovery: f64,
    share: f64,
    expected: f64,
    observed: f64,
}

impl Episode {
    /// Opens; `share` of the expected mail still came.
    pub fn open(drop: Drop, opened: i64, share: f64) -> Self {
        Self {
            peak: drop.score,
            before: 0.0,
            came_back: false,
            told_worse: false,
            told_beyond: false,
            drop,
            opened,
            recovery: 0.0,
            share: share.clamp(SHARE_MIN, SHARE_MAX),
            expected: 0.0,
            observed: 0.0,
        }
    }

    /// The largest score of all its times.
    pub fn highest(&self) -> f64 {
        self.peak.max(self.before)
    }

    /// Whether a score is far beyond all that the drop was before it came back.
    pub fn is_beyond(&self, score: f64) -> bool {
        let (times, more) = BEYOND;
        self.came_back && score >= times * self.before + more
    }

    /// When it opened (the last time).
    pub fn opened(&self) -> i64 {
        self.opened
    }

    /// Share of the expected mail that came since it opened.
    pub fn observed_share(&self) -> f64 {
        self.observed / self.expected.max(1e-9)
    }

    /// Share of the expected mail that came since it opened, once enough was expected to know it.
    pub fn known_share(&self) -> Option<f64> {
        (self.expected * self.observed_share() >= KNOWN).then(|| self.observed_share().min(1.0))
    }

    /// One step; the reason if it is the last.
    pub fn step(&mut self, ts: i64, counted: Option<f64>, expected: f64, tuning: &Tuning) -> Option<DropEnd> {
        let counted = counted?;
        self.drop.expected += expected;
        self.drop.observed += counted;
        self.expected += expected;
        self.observed += counted;
        let gain = counted * (1.0 / self.share).ln() - (1.0 - self.share) * expected;
        self.recovery = (self.recovery + gain).max(0.0);
        if self.recovery >= tuning.close {
            return Some(DropEnd::Recovered);
        }
        let days = ((ts - self.opened) / 86_400).max(0) as u32;
        if self.observed_share() < 0.02 {
            (days >= tuning.retire_d).then_some(DropEnd::Retired(tuning.retire_d))
        } else {
            (days >= tuning.accept_d).then_some(DropEnd::Accepted(tuning.accept_d))
        }
    }
}
