//! Bad outcomes of one thing's mail against its own usual share of them: a likelihood ratio that adds up over attempts, as a
//! CUSUM does. The volume does not matter.
//!
//! Usual is the learned share p, with half of the past gone after two weeks. Hours differ by more than chance: σ² is what
//! their shares vary by beyond it. Up to r₀ = p + 3σ a share is an ordinary day's, and a floor says what nobody wants to know
//! of. Two sums weigh r₀ against a third and three quarters of what is above it. A minute adds a bounded evidence: one message to
//! fifty addresses of a host that is down is one event.

use super::adaptive_threshold::AdaptiveThreshold;
use super::alarm::{LayerFinding, Turn};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Part of what is above r₀ that a sum looks for.
const PARTS: [f64; 3] = [0.12, 0.25, 0.55];
/// The most evidence of a minute, in nats.
const MINUTE_MAX: f64 = 2.2;
/// Minutes with bad outcomes without which there is no alarm.
const MINUTES_MIN: u32 = 3;
/// Evidence for the usual share that closes, in nats.
const CLOSE: f64 = 7.0;
/// Half-life of what is learned, hours.
const HALF_LIFE_H: f64 = 14.0 * 24.0;
/// Attempts that the prior share is worth.
const PRIOR: f64 = 50.0;
/// Attempts of one series that say what is usual of others.
const LEARNED_MAX: f64 = 500.0;
/// Hours that the prior spread is worth.
const PRIOR_H: f64 = 24.0;
/// Hours that are learned late, so that what is found by then is left out.
const PENDING_H: usize = 6;
/// An hour teaches so many times the largest ordinary share at most.
const CLIP: f64 = 1.5;
/// One that stayed below so many times that share makes the next one harder.
const WEAK: f64 = 3.0;
/// Minutes and attempts before findings are more than provisional.
const YOUNG: i64 = 1440;
const YOUNG_TRIES: f64 = 100.0;
/// After so many minutes a share is the new usual.
const ACCEPT: i64 = 5 * 1440;
/// After so many minutes without an attempt nobody knows.
const QUIET: i64 = 1440;

/// What is counted as bad, and how much of it anybody wants to know of.
#[derive(Debug, Clone, Copy)]
pub struct Sensitivity {
    /// Share that is usual before anything is learned: that of what is like it.
    pub usual: f64,
    /// So many standard deviations above the usual an hour's share is an ordinary one.
    pub spreads: f64,
    /// Evidence that opens, in nats.
    pub evidence: f64,
    /// Half-life of evidence, minutes: attempts that are farther apart are no episode.
    pub memory: f64,
    /// Share up to which there is never an alarm.
    pub floor: f64,
    /// Share since the onset without which there is no alarm.
    pub share_min: f64,
    /// The same as a multiple of the largest ordinary share.
    pub far: f64,
    /// Bad outcomes without which there is no alarm.
    pub bad_min: f64,
}

/// Mail that bounces, expires or is discarded.
pub const FAILING: Sensitivity = Sensitivity {
    usual: 0.02,
    spreads: 3.5,
    evidence: 6.5,
    memory: 3.0 * 1440.0,
    floor: 0.10,
    share_min: 0.3,
    far: 2.0,
    bad_min: 5.0,
};

/// Mail that a provider puts off.
pub const THROTTLED: Sensitivity = Sensitivity {
    usual: 0.02,
    spreads: 2.5,
    evidence: 8.0,
    memory: 60.0,
    floor: 0.04,
    share_min: 0.2,
    far: 1.5,
    bad_min: 5.0,
};

/// A sum of evidence since it was 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct EvidenceSum {
    value: f64,
    peak: f64,
    onset: i64,
    bad: f64,
    tries: f64,
    /// Minutes with bad outcomes.
    minutes: u32,
}

/// Counts of an hour.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct RatioHour {
    hour: i64,
    bad: f64,
    tries: f64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct OpenRatio {
    onset: i64,
    bad: f64,
    tries: f64,
    /// The usual when it began.
    usual: f64,
    limit: f64,
    /// The evidence that opened it.
    value: f64,
    /// Evidence that it is over, and since when there is any.
    calm: f64,
    calm_from: i64,
    /// Counts since then.
    calm_bad: f64,
    calm_tries: f64,
    /// The last minute with attempts.
    last: i64,
}

/// One thing's outcomes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OutcomeRatio {
    /// Bad outcomes and attempts that were usual.
    base: (f64, f64),
    /// What the shares of hours vary by beyond chance, and the hours' weight.
    spread: (f64, f64),
    hours: VecDeque<RatioHour>,
    sums: [EvidenceSum; PARTS.len()],
    threshold: AdaptiveThreshold,
    open: Option<OpenRatio>,
    first: Option<i64>,
    last: i64,
    /// The last hour that was learned.
    learned: i64,
}

impl OutcomeRatio {
    /// Takes a minute's bad outcomes and attempts.
    pub fn step(&mut self, at: i64, bad: u32, tries: u32, how: Sensitivity) -> Option<Turn> {
        if tries == 0 {
            return self.age_open(at);
        }
        self.first.get_or_insert(at);
        let (bad, tries) = (f64::from(bad.min(tries)), f64::from(tries));
        self.learn(at, how);
        self.note(at, bad, tries);
        let passed = at - std::mem::replace(&mut self.last, at);
        if self.open.is_some() {
            return self.follow(at, bad, tries);
        }
        let (usual, limit) = self.usual(how);
        self.add_up(at, passed, (bad, tries), (limit, how));
        let far = how.share_min.max(how.far * limit).min(0.5 * (1.0 + limit));
        let (sum, past) = self.found(far, how)?;
        let share = |sum: &EvidenceSum| sum.bad / sum.tries;
        let finding = LayerFinding {
            onset: sum.onset,
            expected: usual * sum.tries,
            observed: sum.bad,
            score: (sum.value - past) / std::f64::consts::LN_10,
            provisional: at - self.first.unwrap_or(at) < YOUNG || self.base.1 < YOUNG_TRIES,
        };
        self.open = Some(OpenRatio {
            onset: sum.onset,
            bad: sum.bad,
            tries: sum.tries,
            usual,
            // An ordinary day's share is its end, if that is far enough from what began.
            limit: limit.min(0.5 * (usual + share(&sum))),
            value: sum.value,
            calm: 0.0,
            calm_from: at,
            calm_bad: 0.0,
            calm_tries: 0.0,
            last: at,
        });
        self.sums = Default::default();
        Some(Turn::Opened(finding))
    }

    /// Whether it fails now.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Share that is usual.
    pub fn usual_share(&self, how: Sensitivity) -> f64 {
        self.open.map_or_else(|| self.usual(how).0, |open| open.usual)
    }

    /// Bad outcomes and attempts that were usual, with the weight of a series that is old enough at most.
    pub fn learned(&self) -> (f64, f64) {
        let keep = (LEARNED_MAX / self.base.1.max(1.0)).min(1.0);
        (self.base.0 * keep, self.base.1 * keep)
    }

    /// Bad outcomes and attempts since the onset, while it fails.
    pub fn since_onset(&self) -> Option<(f64, f64)> {
        self.open.map(|open| (open.bad, open.tries))
    }

    /// The usual share, and the largest one of an ordinary day.
    fn usual(&self, how: Sensitivity) -> (f64, f64) {
        let usual = (self.base.0 + PRIOR * how.usual) / (self.base.1 + PRIOR);
        let prior = (0.6 * usual).powi(2) + 1e-5;
        let spread = (self.spread.0 + PRIOR_H * prior) / (self.spread.1 + PRIOR_H);
        // A young series does not know its usual share yet.
        let unknown = usual * (1.0 - usual) / (self.base.1 + PRIOR);
        let limit = usual + how.spreads * (spread.max(0.25 * prior) + unknown).sqrt();
        (usual, limit.clamp(how.floor, 0.8))
    }

    fn add_up(&mut self, at: i64, passed: i64, (bad, tries): (f64, f64), (limit, how): (f64, Sensitivity)) {
        let keep = (-std::f64::consts::LN_2 * passed as f64 / how.memory).exp();
        for (sum, part) in self.sums.iter_mut().zip(PARTS) {
            let worse = limit + (1.0 - limit) * part;
            let gain = bad * (worse / limit).ln() + (tries - bad) * ((1.0 - worse) / (1.0 - limit)).ln();
            let value = sum.value * keep + gain.min(MINUTE_MAX);
            if value <= 0.0 {
                // An excursion that led to nothing is what ordinary days bring.
                self.threshold.note(at, sum.peak);
                *sum = EvidenceSum::default();
                continue;
            }
            if sum.tries == 0.0 {
                sum.onset = at;
            }
            sum.value = value;
            sum.peak = sum.peak.max(value);
            sum.bad += bad;
            sum.tries += tries;
            sum.minutes += u32::from(bad > 0.0);
        }
    }

    /// The sum that is beyond its limit by most, with the limit.
    fn found(&self, far: f64, how: Sensitivity) -> Option<(EvidenceSum, f64)> {
        let limit = self.threshold.limit(how.evidence);
        let is_enough = |sum: &&EvidenceSum| {
            let is_far = sum.bad >= far * sum.tries;
            sum.value > limit && is_far && sum.bad >= how.bad_min && sum.minutes >= MINUTES_MIN
        };
        let found = self.sums.iter().filter(is_enough);
        let found = found.max_by(|a, b| a.value.total_cmp(&b.value));
        found.map(|sum| (*sum, limit))
    }

    fn follow(&mut self, at: i64, bad: f64, tries: f64) -> Option<Turn> {
        let open = self.open.as_mut()?;
        open.last = at;
        // What has come since keeps its own share.
        let share = (open.bad / open.tries).clamp(open.limit + 0.05, 0.98);
        let gain = (tries - bad) * ((1.0 - open.limit) / (1.0 - share)).ln() - bad * (share / open.limit).ln();
        if open.calm == 0.0 {
            open.calm_from = at;
        }
        open.calm = (open.calm + gain.clamp(-MINUTE_MAX, MINUTE_MAX)).max(0.0);
        (open.calm_bad, open.calm_tries) = (open.calm_bad + bad, open.calm_tries + tries);
        if open.calm == 0.0 {
            // It was no recovery.
            (open.bad, open.tries) = (open.bad + open.calm_bad, open.tries + open.calm_tries);
            (open.calm_bad, open.calm_tries) = (0.0, 0.0);
        }
        let (onset, calm_from, is_over) = (open.onset, open.calm_from, open.calm >= CLOSE);
        if is_over {
            if share < WEAK * open.limit {
                self.threshold.note(at, open.value);
            }
            self.open = None;
            return Some(Turn::Closed(calm_from));
        }
        if at - onset >= ACCEPT {
            let share = share.min(0.98);
            self.base = (share * self.base.1.max(PRIOR), self.base.1.max(PRIOR));
            self.open = None;
            return Some(Turn::Closed(at));
        }
        None
    }

    fn age_open(&mut self, at: i64) -> Option<Turn> {
        let open = self.open?;
        if at - open.last < QUIET && at - open.onset < ACCEPT {
            return None;
        }
        self.open = None;
        Some(Turn::Closed(open.last + 1))
    }

    fn note(&mut self, at: i64, bad: f64, tries: f64) {
        let hour = at.div_euclid(60);
        match self.hours.back_mut().filter(|last| last.hour == hour) {
            Some(last) => (last.bad, last.tries) = (last.bad + bad, last.tries + tries),
            None => self.hours.push_back(RatioHour { hour, bad, tries }),
        }
    }

    /// Learns the hours that are old enough.
    fn learn(&mut self, at: i64, how: Sensitivity) {
        let hour = at.div_euclid(60);
        let keep = |hours: i64| (-std::f64::consts::LN_2 * hours.max(0) as f64 / HALF_LIFE_H).exp();
        while let Some(old) = self.hours.pop_front_if(|old| old.hour + PENDING_H as i64 <= hour) {
            let (usual, limit) = self.usual(how);
            let kept = if self.learned == 0 {
                1.0
            } else {
                keep(old.hour - self.learned)
            };
            self.learned = old.hour;
            // An outage teaches little more than the worst of ordinary hours.
            let share = (old.bad / old.tries).min(CLIP * limit);
            let weight = old.tries / (old.tries + PRIOR);
            let beyond = (share - usual).powi(2) - usual * (1.0 - usual) / old.tries;
            self.base = (self.base.0 * kept + share * old.tries, self.base.1 * kept + old.tries);
            self.spread = (self.spread.0 * kept + weight * beyond, self.spread.1 * kept + weight);
        }
    }
}
