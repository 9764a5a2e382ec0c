//! A service whose zone nobody configured: in spring and autumn, what it sends moves by an hour. Around the days on which
//! the clocks of large parts of the world change, the moved profile is a rival of the usual one, and the likelihood decides.
//!
//! Per hour, `Δ = L(λ') − L(λ)` with `L(λ) = y·ln λ − (y + 1/v)·ln(1 + v·λ)`. Until |ΣΔ| passes its limit, only what both expect
//! is sure. The rule that a service followed says in which part of the world it lives.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Evidence in nats that decides.
const DECIDES: f64 = 6.0;
/// Most that an hour says.
const HOURLY: f64 = 1.5;
/// Least time that it takes.
const LEAST_S: i64 = 43_200;
/// What it takes more where few live by a rule.
const RARE: f64 = 4.0;
/// What it takes less where a service has followed the same rule before.
const KNOWN: f64 = 3.0;
/// Days after which nothing is decided any more: the usual profile stays.
const WEIGHED_D: i64 = 8;
/// Days of a series before it is asked.
const YOUNG_D: u32 = 28;
/// A rate is not believed to be less than this share of the mean: an hour of silence is no proof.
const FLOOR: f64 = 0.05;
/// Least relative variance of an hour.
const V_MIN: f64 = 0.05;
/// Half a day.
const NEAR_S: i64 = 43_200;

/// By whose rule clocks change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClockRule {
    /// Europe's.
    Europe,
    /// That of the United States and Canada.
    NorthAmerica,
    /// The clocks of its zone change, and it does not.
    None,
}

impl ClockRule {
    const CHANGING: [(ClockRule, &'static str); 2] = [
        (ClockRule::Europe, "WET0WEST,M3.5.0/1,M10.5.0"),
        (ClockRule::NorthAmerica, "EST5EDT,M3.2.0,M11.1.0"),
    ];

    fn rarity(self) -> f64 {
        match self {
            ClockRule::Europe | ClockRule::NorthAmerica => 0.0,
            ClockRule::None => RARE,
        }
    }

    /// Where that is, and a zone of it.
    pub fn named(self) -> (&'static str, &'static str) {
        match self {
            ClockRule::Europe => ("Europe", "Europe/Berlin"),
            ClockRule::NorthAmerica => ("North America", "America/New_York"),
            ClockRule::None => ("no change of clocks", "UTC"),
        }
    }
}

/// A moment at which clocks change, and by how many seconds what follows them comes earlier.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct ClockMove {
    at: i64,
    by_s: i64,
    rule: ClockRule,
}

fn next_of(zone: &TimeZone, after: i64) -> Option<(i64, i64)> {
    let transition = zone.following(Timestamp::from_second(after).ok()?).next()?;
    let at = transition.timestamp();
    let before = at.checked_sub(jiff::SignedDuration::from_secs(1)).ok()?;
    let by = zone.to_offset(at).seconds() - zone.to_offset(before).seconds();
    Some((at.as_second(), i64::from(by)))
}

/// The next moment after another at which clocks may change, other than those of `own` do.
fn next(after: i64, own: &TimeZone) -> Option<ClockMove> {
    let others = ClockRule::CHANGING.iter().filter_map(|(rule, zone)| {
        let (at, by_s) = next_of(&TimeZone::posix(zone).ok()?, after)?;
        Some(ClockMove { at, by_s, rule: *rule })
    });
    let kept = next_of(own, after).map(|(at, by)| ClockMove {
        at,
        by_s: -by,
        rule: ClockRule::None,
    });
    let is_own = |other: &ClockMove| {
        let near = next_of(own, other.at - NEAR_S);
        other.rule != ClockRule::None
            && near.is_some_and(|(at, by)| (at - other.at).abs() <= NEAR_S && by == other.by_s)
    };
    others
        .chain(kept)
        .filter(|other| !is_own(other))
        .min_by_key(|other| other.at)
}

/// What is weighed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Weighed {
    change: ClockMove,
    nats: f64,
    /// The hour so far: mails, and what was expected without and with the change.
    hour: (f64, f64, f64),
}

/// The clock that a series seems to follow.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ClockChange {
    next: Option<ClockMove>,
    weighed: Option<Weighed>,
    /// Seconds by which it is ahead of its configured clock, since when, and before.
    shift_s: i64,
    since: i64,
    before_s: i64,
    rule: Option<ClockRule>,
}

/// What a step decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockVerdict {
    /// It moved.
    Moved,
    /// It did not.
    Stayed,
}

impl ClockChange {
    /// Begins to weigh at the moment of a change.
    pub fn begin(&mut self, ts: i64, own: &TimeZone, days: u32) {
        match self.next {
            Some(change) if ts < change.at => return,
            Some(change) => {
                if days >= YOUNG_D && ts - change.at < 86_400 {
                    self.weighed = Some(Weighed {
                        change,
                        nats: if self.rule == Some(change.rule) { KNOWN } else { 0.0 },
                        hour: (0.0, 0.0, 0.0),
                    });
                }
                self.next = next(ts.max(change.at), own);
            }
            None => self.next = next(ts, own),
        }
        if self.next.is_none() {
            // Beyond the calendar.
            self.next = Some(ClockMove {
                at: i64::MAX,
                by_s: 0,
                rule: ClockRule::None,
            });
        }
    }

    /// By how many seconds it was ahead of its clock at a moment.
    pub fn shift_s(&self, at: i64) -> i64 {
        if at >= self.since { self.shift_s } else { self.before_s }
    }

    /// The same of what is learned: while it is weighed, what is likelier.
    pub fn likely_s(&self, at: i64) -> i64 {
        let more = self
            .weighed
            .filter(|weighed| weighed.nats > 0.0 && at >= weighed.change.at);
        self.shift_s(at) + more.map_or(0, |weighed| weighed.change.by_s)
    }

    /// When the clocks changed that are weighed.
    pub fn change_at(&self) -> Option<i64> {
        self.weighed.map(|weighed| weighed.change.at)
    }

    /// By how many seconds more its rival is ahead.
    pub fn rival_s(&self) -> Option<i64> {
        self.weighed.map(|weighed| weighed.change.by_s)
    }

    /// Takes a step: mails, and what was expected of it without and with the change.
    pub fn weigh(
        &mut self,
        (ts, step_s): (i64, i64),
        (counted, usual, moved): (f64, f64, f64),
        (mean, v): (f64, f64),
    ) -> Option<ClockVerdict> {
        let weighed = self.weighed.as_mut()?;
        let floor = FLOOR * mean;
        weighed.hour.0 += counted;
        weighed.hour.1 += usual.max(floor);
        weighed.hour.2 += moved.max(floor);
        if (ts + step_s).rem_euclid(3_600) != 0 {
            return None;
        }
        let (y, usual, moved) = std::mem::take(&mut weighed.hour);
        if usual <= 0.0 || moved <= 0.0 {
            return None;
        }
        let v = v.max(V_MIN);
        let likelihood = |rate: f64| y * rate.ln() - (y + 1.0 / v) * (v * rate).ln_1p();
        weighed.nats += (likelihood(moved) - likelihood(usual)).clamp(-HOURLY, HOURLY);
        let Weighed { change, nats, .. } = *weighed;
        let needed = DECIDES + change.rule.rarity();
        if nats >= needed && ts - change.at >= LEAST_S {
            (self.before_s, self.since) = (self.shift_s, change.at);
            self.shift_s += change.by_s;
            self.rule = Some(change.rule);
            self.weighed = None;
            return Some(ClockVerdict::Moved);
        }
        if nats <= -DECIDES || ts - change.at > WEIGHED_D * 86_400 {
            self.weighed = None;
            return Some(ClockVerdict::Stayed);
        }
        None
    }

    /// The rule that it has followed.
    pub fn rule(&self) -> Option<ClockRule> {
        self.rule
    }
}
