//! How much of each service's mail failed in a window, against its usual share: what an outage took is one thing, and what
//! left and came back another.

use super::fleet::{Fleet, Id};
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
    pub first: Option<i64>,
}

impl Bounced {
    /// Whether far more failed than usual.
    pub fn is_far(&self, alarmed: bool) -> bool {
        let share = self.failed as f64 / (self.done as f64).max(1.0);
        let least = if alarmed { SHARE_ALARMED } else { SHARE };
        self.failed >= LEAST && share >= least && share >= (TIMES * self.usual).min(0.5 * (1.0 + self.usual))
    }
}

/// By service, what became of its copies in the minutes `[from, to)`.
pub fn bounced(fleet: &Fleet, from: i64, to: i64) -> BTreeMap<Id, Bounced> {
    let mut all: BTreeMap<Id, (Bounced, f64, f64)> = BTreeMap::new();
    for minute in fleet.between(i64::MIN, to) {
        for outcome in minute.outcomes.iter().filter(|outcome| outcome.done > 0) {
            let (one, bad, done) = all.entry(outcome.service).or_default();
            if minute.at < from {
                (*bad, *done) = (*bad + f64::from(outcome.failed), *done + f64::from(outcome.done));
                continue;
            }
            one.failed += u64::from(outcome.failed);
            one.done += u64::from(outcome.done);
            if outcome.failed > 0 {
                one.first.get_or_insert(minute.at);
            }
        }
    }
    let usual = |bad: f64, done: f64| (bad + PRIOR.0 * PRIOR.1) / (done + PRIOR.0);
    let all = all.into_iter().map(|(service, (one, bad, done))| {
        let usual = usual(bad, done);
        (service, Bounced { usual, ..one })
    });
    all.collect()
}
