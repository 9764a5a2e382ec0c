//! How much of each service's mail failed in a window, against its usual share: what an outage took is one thing, and what
//! left and came back another.

use super::fleet::Id;
use mailpulse_time::Minute;
use std::collections::BTreeMap;

/// Fewer failed copies are no finding.
const LEAST: u64 = 5;
/// Share of failed copies from which on it is one.
const SHARE: f64 = 0.3;
/// The same where an alarm says so too.
const SHARE_ALARMED: f64 = 0.15;
/// And so many times the usual.
const TIMES: f64 = 3.0;
/// Copies that the prior share is worth, and that share.
const PRIOR: (f64, f64) = (50.0, 0.02);

/// What became of a service's copies in a window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bounced {
    /// Copies that bounced, expired, or were discarded.
    pub failed: u64,
    /// Copies of which it was decided.
    pub done: u64,
    /// The share that failed before.
    pub usual: f64,
    /// When the first one failed.
    pub first: Option<Minute>,
}

impl Bounced {
    /// Whether far more failed than usual.
    pub fn is_far(&self, alarmed: bool) -> bool {
        let share = self.failed as f64 / (self.done as f64).max(1.0);
        let least = if alarmed { SHARE_ALARMED } else { SHARE };
        self.failed >= LEAST && share >= least && share >= (TIMES * self.usual).min(0.5 * (1.0 + self.usual))
    }
}

/// What became of a service's copies in some minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopyCounts {
    /// Copies of which it was decided.
    pub done: u64,
    /// Of those, copies that bounced, expired, or were discarded.
    pub failed: u64,
    /// The first minute in which one failed.
    pub first: Option<Minute>,
}

impl CopyCounts {
    /// Adds those of other minutes.
    pub fn add(&mut self, other: CopyCounts) {
        self.done += other.done;
        self.failed += other.failed;
        self.first = self.first.into_iter().chain(other.first).min();
    }
}

/// What became of copies, by service.
pub type CopiesByService = BTreeMap<Id, CopyCounts>;

/// What became of the copies of a window, and of those before it.
#[derive(Debug, Clone, Default)]
pub(super) struct CopiesOfWindow {
    before: CopiesByService,
    within: CopiesByService,
}

impl CopiesOfWindow {
    /// Adds those of minutes before the window.
    pub(super) fn add_before(&mut self, copies: &CopiesByService) {
        add(&mut self.before, copies);
    }

    /// Adds those of minutes in it.
    pub(super) fn add_within(&mut self, copies: &CopiesByService) {
        add(&mut self.within, copies);
    }

    /// What became of a service's copies in the window.
    pub(super) fn of(&self, service: Id) -> Option<Bounced> {
        let within = self.within.get(&service)?;
        let before = self.before.get(&service).copied().unwrap_or_default();
        Some(Bounced {
            failed: within.failed,
            done: within.done,
            usual: (before.failed as f64 + PRIOR.0 * PRIOR.1) / (before.done as f64 + PRIOR.0),
            first: within.first,
        })
    }
}

fn add(sums: &mut CopiesByService, copies: &CopiesByService) {
    for (service, counts) in copies {
        sums.entry(*service).or_default().add(*counts);
    }
}
