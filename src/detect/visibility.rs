//! What can be seen at all: a log that does not arrive, and one that arrives and is not understood.

use super::adaptive_threshold::{AdaptiveThreshold, too_few, too_many};
use super::alarm::{LayerFinding, Turn};
use super::weekly::Weekly;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Minutes with lines that must be missing before a log counts as not arriving; the same with a witness.
const MISSING: f64 = 12.0;
const CERTAIN: f64 = 2.0;
/// Window for lines that do not parse, minutes.
const WINDOW: i64 = 15;
/// Evidence that a parser meets something new, in nats.
const FLOOR: f64 = 12.0;
/// A share of unparsed lines below this is a nuisance, not a blindness.
const SHARE: f64 = 0.1;
/// Minutes after which a log that never comes back is an old story.
const ACCEPT: i64 = 14 * 1440;

/// What a minute brought of a host's log.
#[derive(Debug, Clone, Copy)]
pub struct ArrivalMinute {
    /// The log can be read.
    pub readable: bool,
    /// Others say that the host is at work.
    pub certain: bool,
    /// Lines that came.
    pub lines: u32,
}

/// Whether a host's log arrives.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Arrival {
    weekly: Weekly,
    missing: f64,
    since: Option<i64>,
    open: bool,
    wrote: bool,
}

impl Arrival {
    /// Takes a minute, `wall` on the wall.
    pub fn step(&mut self, at: i64, wall: i64, minute: ArrivalMinute) -> Option<Turn> {
        let ArrivalMinute {
            readable,
            certain,
            lines,
        } = minute;
        self.wrote |= lines > 0;
        if !self.wrote {
            return None;
        }
        if readable {
            self.missing = 0.0;
            self.since = None;
            // Lines come in bursts: what counts is whether it writes at all.
            self.weekly.add(wall, f64::from(lines.min(1)));
            return std::mem::take(&mut self.open).then_some(Turn::Closed(at));
        }
        let since = *self.since.get_or_insert(at);
        self.missing += self.weekly.rate(wall);
        if self.open {
            let is_old = at - since == ACCEPT;
            self.open = !is_old;
            return is_old.then_some(Turn::Closed(at));
        }
        let value = too_few(0.0, self.missing, 0.0);
        let is_missing = value > if certain { CERTAIN } else { MISSING };
        if is_missing && at - since >= 3 && at - since < ACCEPT && (certain || self.weekly.is_supported()) {
            self.open = true;
            return Some(Turn::Opened(LayerFinding {
                onset: since,
                expected: self.missing,
                observed: 0.0,
                score: (value - MISSING) / std::f64::consts::LN_10,
                provisional: !certain && self.weekly.days() < 2.0,
            }));
        }
        None
    }
}

/// Whether a host's log is understood.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Understanding {
    recent: VecDeque<(i64, f64, f64)>,
    base: (f64, f64),
    threshold: AdaptiveThreshold,
    open: bool,
}

impl Understanding {
    /// Takes a minute.
    pub fn step(&mut self, at: i64, lines: u32, unparsed: u32) -> Option<Turn> {
        while let Some((_, bad, all)) = self.recent.pop_front_if(|entry| entry.0 <= at - WINDOW) {
            if !self.open {
                self.base = (self.base.0 * 0.999 + bad, self.base.1 * 0.999 + all);
            }
        }
        if lines > 0 {
            self.recent.push_back((at, f64::from(unparsed), f64::from(lines)));
        }
        let (bad, all) = self.recent.iter().fold((0.0, 0.0), |sum, e| (sum.0 + e.1, sum.1 + e.2));
        let usual = (self.base.0 + 0.5) / (self.base.1 + 50.0);
        let expected = usual * all;
        let value = if bad > SHARE * all {
            too_many(bad, expected)
        } else {
            0.0
        };
        if self.open {
            let well = all > 0.0 && bad <= 0.5 * SHARE * all;
            self.open = !well;
            return well.then_some(Turn::Closed(at));
        }
        let limit = self.threshold.limit(FLOOR);
        if value <= limit {
            self.threshold.note(at, value);
            return None;
        }
        self.threshold.forget_today();
        self.open = true;
        let onset = self
            .recent
            .iter()
            .find(|entry| entry.1 > SHARE * entry.2)
            .map_or(at, |entry| entry.0);
        let score = (value - limit) / std::f64::consts::LN_10;
        Some(Turn::Opened(LayerFinding {
            onset,
            expected,
            observed: bad,
            score,
            provisional: false,
        }))
    }

    /// Whether so many of the last lines did not parse that counts mean nothing.
    pub fn is_doubtful(&self) -> bool {
        let newest = self.recent.iter().rev().take(3);
        let (bad, all) = newest.fold((0.0, 0.0), |sum, e| (sum.0 + e.1, sum.1 + e.2));
        self.open || bad > 0.3 * all
    }
}
