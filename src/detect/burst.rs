//! Failures against a series' own failure rate: one failed mail is a failed mail, a burst of them an alarm.

use super::adaptive_threshold::{AdaptiveThreshold, too_many};
use super::alarm::{LayerFinding, Turn};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Windows, minutes, longest last.
const WINDOWS: [i64; 4] = [5, 15, 60, 240];
const LONGEST: i64 = WINDOWS[WINDOWS.len() - 1];
/// Evidence that four windows over 90 days may show once by chance, in nats.
const FLOOR: f64 = 9.0;
/// Fewer failures are no burst.
const LEAST: f64 = 3.0;
/// Minutes after which half of the memory of failures is gone: two weeks.
const MEMORY: f64 = 14.0 * 1440.0;
/// A new series is taken for one that fails once in so many minutes.
const INNOCENT: f64 = 2.0 * 1440.0;
/// After so many minutes a failing series is the new normal.
const ACCEPT: i64 = 5 * 1440;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct OpenBurst {
    onset: i64,
    last: i64,
    failures: f64,
}

/// One series of failures.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Burst {
    /// Minutes with failures or tries: minute, failures, tries, and whether they are usual.
    recent: VecDeque<(i64, f64, f64, bool)>,
    /// Usual failures, minutes and tries.
    base: (f64, f64, f64),
    last: Option<i64>,
    threshold: AdaptiveThreshold,
    open: Option<OpenBurst>,
    /// Failures up to here have had their alarm.
    told: i64,
}

impl Burst {
    /// Takes a minute with its failures and with all that was tried, as far as that is known.
    pub fn step(&mut self, at: i64, failures: u32, tries: u32) -> Option<Turn> {
        self.age(at);
        if failures > 0 || tries > 0 {
            let usual = self.open.is_none();
            self.recent
                .push_back((at, f64::from(failures), f64::from(tries), usual));
        }
        if self.open.is_some() {
            return self.follow(at, failures);
        }
        if failures == 0 {
            return None;
        }
        let (value, found) = self.weigh(at);
        let limit = self.threshold.limit(FLOOR);
        if value <= limit {
            self.threshold.note(at, value);
            return None;
        }
        self.threshold.forget_today();
        let onset = found.onset;
        // What made the alarm is not usual either.
        for entry in self.recent.iter_mut().filter(|entry| entry.0 >= onset) {
            entry.3 = false;
        }
        self.open = Some(OpenBurst {
            onset,
            last: at,
            failures: found.observed,
        });
        let score = (value - limit) / std::f64::consts::LN_10;
        Some(Turn::Opened(LayerFinding { score, ..found }))
    }

    /// Whether it fails now.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Failures in the last `minutes`, this one included.
    pub fn within(&self, at: i64, minutes: i64) -> f64 {
        self.recent
            .iter()
            .filter(|entry| entry.0 > at - minutes)
            .map(|entry| entry.1)
            .sum()
    }

    /// Failures in the longest window.
    pub fn recent(&self) -> f64 {
        self.recent.iter().map(|entry| entry.1).sum()
    }

    /// Lets the base learn what has left the longest window, and forget.
    fn age(&mut self, at: i64) {
        let passed = self.last.map_or(0, |last| at - last);
        self.last = Some(at);
        let keep = (-std::f64::consts::LN_2 * passed as f64 / MEMORY).exp();
        let base = &mut self.base;
        *base = (base.0 * keep, base.1 * keep + passed as f64, base.2 * keep);
        while let Some((_, failures, tries, usual)) = self.recent.pop_front_if(|entry| entry.0 <= at - LONGEST) {
            if usual {
                base.0 += failures;
                base.2 += tries;
            }
        }
    }

    /// The largest evidence of all windows.
    fn weigh(&self, at: i64) -> (f64, LayerFinding) {
        let rate = (self.base.0 + 0.5) / (self.base.1 + INNOCENT);
        let share = (self.base.0 + 0.5) / (self.base.2 + 50.0);
        let mut best = (
            0.0,
            LayerFinding {
                onset: at,
                expected: 0.0,
                observed: 0.0,
                score: 0.0,
                provisional: false,
            },
        );
        for window in WINDOWS {
            let from = (at - window).max(self.told);
            let inside = || self.recent.iter().filter(move |entry| entry.0 > from);
            let (failures, tries) = inside().fold((0.0, 0.0), |sum, entry| (sum.0 + entry.1, sum.1 + entry.2));
            let expected = (rate * window as f64).max(if tries > 0.0 { share * tries } else { 0.0 });
            let value = too_many(failures, expected);
            if failures >= LEAST && value > best.0 {
                let onset = inside().find(|entry| entry.1 > 0.0).map_or(at, |entry| entry.0);
                best = (
                    value,
                    LayerFinding {
                        onset,
                        expected,
                        observed: failures,
                        ..best.1
                    },
                );
            }
        }
        // A failed mail is a failed mail, also on the first day.
        best
    }

    fn follow(&mut self, at: i64, failures: u32) -> Option<Turn> {
        let open = self.open.as_mut()?;
        if failures > 0 {
            (open.last, open.failures) = (at, open.failures + f64::from(failures));
        }
        let apart = (open.last - open.onset + 1) as f64 / open.failures.max(1.0);
        let patience = ((8.0 * apart) as i64).clamp(20, 360);
        if at - open.last < patience && at - open.onset < ACCEPT {
            return None;
        }
        let over = open.last + 1;
        self.told = at;
        self.open = None;
        Some(Turn::Closed(over))
    }
}
