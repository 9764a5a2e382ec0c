//! Expected mails a minute by the hour of the week: a plain baseline for the layers that need no fine one.
//!
//! An hour with little history leans on the same hour of its kind of day, that on the hour of all days, and that on the
//! mean. A level over two days follows growth. Weeks count 0.85 of the next.

use super::support::Support;
use serde::{Deserialize, Serialize};

const HOUR: i64 = 60;
const WEEK: i64 = 168 * HOUR;
const DECAY: f64 = 0.85;
/// Pseudo-minutes with which a coarser profile speaks for a finer one.
const LEAN: f64 = 120.0;
/// The same in mails.
const LEAN_MAILS: f64 = 3.0;
/// Half-life of the level, minutes.
const LEVEL: f64 = 2880.0;

/// Counts and seen minutes by hour of the week (of whatever wall the minutes are told by, Monday first).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Weekly {
    counts: Vec<f64>,
    minutes: Vec<f64>,
    /// Rates at the middles of this hour and its neighbours, as (hour since 1970, rates).
    near: Option<(i64, [f64; 3])>,
    level: (f64, f64),
    seen: i64,
    support: Support,
}

impl Default for Weekly {
    fn default() -> Self {
        Weekly {
            counts: vec![0.0; 168],
            minutes: vec![0.0; 168],
            near: None,
            level: (0.0, 0.0),
            seen: 0,
            support: Support::default(),
        }
    }
}

/// Hour of the week of an hour since 1970 (a Thursday).
fn slot(hour: i64) -> usize {
    (hour + 72).rem_euclid(168) as usize
}

/// Working day, Saturday, Sunday.
fn kind(day: usize) -> usize {
    day.saturating_sub(4).min(2)
}

impl Weekly {
    /// Days of data so far.
    pub fn days(&self) -> f64 {
        self.seen as f64 / 1440.0
    }

    /// Expected mails in the minute `at`.
    pub fn rate(&mut self, at: i64) -> f64 {
        let hour = at.div_euclid(HOUR);
        let near = match self.near {
            Some((of, near)) if of == hour => near,
            _ => {
                let near = [-1, 0, 1].map(|by| self.hourly(slot(hour + by)));
                self.near = Some((hour, near));
                near
            }
        };
        let part = (at.rem_euclid(HOUR) as f64 + 0.5) / HOUR as f64 - 0.5;
        let (a, b) = if part < 0.0 {
            (near[1], near[0])
        } else {
            (near[1], near[2])
        };
        let shape = a + (b - a) * part.abs();
        shape * (self.level.0 + 20.0) / (self.level.1 + 20.0)
    }

    /// Learns what the minute `at` brought. Not to be called for minutes that were not seen or are not usual.
    pub fn add(&mut self, at: i64, count: f64) {
        let shape = self.rate(at) * (self.level.1 + 20.0) / (self.level.0 + 20.0);
        let keep = (-std::f64::consts::LN_2 / LEVEL).exp();
        self.level = (self.level.0 * keep + count, self.level.1 * keep + shape);
        if self.days() < 1.0 {
            // The profile itself still moves as fast as any level.
            self.level = (0.0, 0.0);
        }
        let slot = slot(at.div_euclid(HOUR));
        if at.rem_euclid(WEEK) == 0 {
            let all = self.counts.iter_mut().chain(&mut self.minutes);
            all.for_each(|sum| *sum *= DECAY);
            self.support.fade(DECAY);
        }
        self.support.add(at, count);
        self.counts[slot] += count;
        self.minutes[slot] += 1.0;
        self.seen += 1;
    }

    /// Notes a minute that was seen and is not to be learned.
    pub fn pass(&mut self, count: f64) {
        self.support.pass(count);
    }

    /// Standard error of what is expected, as a share of it.
    pub fn relative_error(&self) -> f64 {
        self.support.relative_error()
    }

    /// Whether what is expected is larger than its own error: nothing may rest on another.
    pub fn is_supported(&self) -> bool {
        self.relative_error() < 1.0
    }

    /// Rate at the middle of an hour of the week.
    fn hourly(&self, slot: usize) -> f64 {
        let (day, hour) = (slot / 24, slot % 24);
        let (mut all, mut of_day) = ((0.0, 0.0), (0.0, 0.0));
        let (mut of_hour, mut both) = ((0.0, 0.0), (0.0, 0.0));
        for at in 0..168 {
            let pair = (self.counts[at], self.minutes[at]);
            let add = |sum: &mut (f64, f64)| *sum = (sum.0 + pair.0, sum.1 + pair.1);
            let (same_kind, same_hour) = (kind(at / 24) == kind(day), at % 24 == hour);
            add(&mut all);
            if same_kind {
                add(&mut of_day);
            }
            if same_hour {
                add(&mut of_hour);
            }
            if same_kind && same_hour {
                add(&mut both);
            }
        }
        // Of a sparse series it takes more hours to say anything.
        let lean = |own: (f64, f64), prior: f64| {
            let weight = LEAN + (LEAN_MAILS / prior.max(1e-9)).min(20_000.0);
            (own.0 + weight * prior) / (own.1 + weight)
        };
        let mean = all.0 / all.1.max(1.0);
        let hourly = lean(of_hour, mean);
        let factor = if mean > 0.0 { lean(of_day, mean) / mean } else { 1.0 };
        lean((self.counts[slot], self.minutes[slot]), lean(both, hourly * factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_learns_the_hour_of_the_week() {
        let mut weekly = Weekly::default();
        let truth = |at: i64| {
            let slot = slot(at.div_euclid(60));
            let busy = if slot / 24 < 5 { 1.0 } else { 0.25 };
            busy * if (8..18).contains(&(slot % 24)) { 4.0 } else { 0.5 }
        };
        for at in 0..4 * WEEK {
            weekly.add(at, truth(at));
        }
        for hour in [10 * 60 + 30, 3 * 60 + 30, 2 * 1440 + 12 * 60 + 30] {
            let at = 4 * WEEK + hour;
            let off = weekly.rate(at) / truth(at);
            assert!((0.8..1.25).contains(&off), "{hour}: {off}");
        }
    }

    #[test]
    fn nothing_seen_is_nothing_expected() {
        assert_eq!(Weekly::default().rate(1_000_000), 0.0);
        assert!(!Weekly::default().is_supported());
    }
}
