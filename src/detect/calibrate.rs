//! Thresholds learned from a series' own quiet days, for a stated budget of false alarms.
//!
//! A tail holds the daily maxima of one statistic over 112 days. Beyond their 75 % quantile u they are taken as
//! exponential with slope β, so that a level S is exceeded on `0.25·e^−(S−u)/β` of all days: the threshold is
//! `u + β·ln(0.25·90/budget)`. What happened on three of the days may not alarm whatever the tail's shape is: the minutes of a
//! deploy are not exponential, they come once a week and are worth five hundred nats each time.

use serde::{Deserialize, Serialize};

/// Days that a tail remembers.
pub const DAYS: usize = 112;
/// Days of the budget.
const BUDGET_DAYS: f64 = 90.0;
/// Share of days above u.
const UPPER: f64 = 0.25;
/// Steps per doubling in which a maximum is kept.
const CODE: f64 = 20.0;

/// Daily maxima of one statistic, in a byte each.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tail {
    maxima: Box<[u8]>,
    next: u8,
}

/// What a tail says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    threshold: f32,
    decade: f32,
}

/// What is believed before there are days.
#[derive(Debug, Clone, Copy)]
pub struct Prior {
    /// Location of the Gumbel law of the invented days.
    pub location: f64,
    /// Its slope.
    pub slope: f64,
    /// Invented days.
    pub days: f64,
    /// Days that the slope's prior is worth.
    pub slope_days: f64,
    /// How the least slope grows with the location.
    pub growth: f64,
    /// Rank, from 0, of the highest maximum that may not alarm.
    pub again: usize,
    /// False alarms allowed in 90 days.
    pub budget: f64,
}

impl Tail {
    /// Adds a day's maximum.
    pub fn push(&mut self, maximum: f64) {
        let code = encode(maximum);
        if self.maxima.len() < DAYS {
            let mut grown = std::mem::take(&mut self.maxima).into_vec();
            grown.reserve_exact(1);
            grown.push(code);
            self.maxima = grown.into_boxed_slice();
        } else {
            self.maxima[usize::from(self.next)] = code;
            self.next = (self.next + 1) % DAYS as u8;
        }
    }

    /// A tail of as many days as another's, without anything in them.
    pub fn silent(other: &Self) -> Self {
        Self {
            maxima: vec![0; other.maxima.len()].into_boxed_slice(),
            next: other.next,
        }
    }

    /// Days in it.
    pub fn days(&self) -> usize {
        self.maxima.len()
    }

    /// Maximum of one of the days.
    pub fn day(&self, day: usize) -> f64 {
        decode(self.maxima[day])
    }

    /// Threshold and slope.
    pub fn fit(&self, prior: &Prior) -> Fit {
        fit(self.maxima.iter().map(|&code| decode(code)), prior)
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.maxima.len()
    }
}

/// Threshold and slope from daily maxima.
pub fn fit(maxima: impl Iterator<Item = f64>, prior: &Prior) -> Fit {
    let mut values: Vec<(f64, f64)> = maxima.map(|maximum| (maximum, 1.0)).collect();
    let invented = prior.days.ceil() as usize;
    for day in 0..invented {
        let quantile = (day as f64 + 0.5) / invented as f64;
        let value = prior.location - prior.slope * (-quantile.ln()).ln();
        values.push((value.max(0.0), prior.days / invented as f64));
    }
    values.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let total: f64 = values.iter().map(|v| v.1).sum();
    let (mut above, mut location) = (0.0, 0.0);
    for &(value, weight) in &values {
        above += weight;
        location = value;
        if above >= UPPER * total {
            break;
        }
    }
    let (mut excess, mut count) = (0.0, 0.0);
    for &(value, weight) in values.iter().take_while(|v| v.0 > location) {
        excess += weight * (value - location);
        count += weight;
    }
    let least = prior.slope.max(prior.growth * location);
    let slope = (excess + prior.slope_days * least) / (count + prior.slope_days);
    let reach = (BUDGET_DAYS * UPPER / prior.budget).ln();
    let again = values.get(prior.again).map_or(0.0, |v| v.0);
    let slope = slope.max((again - location) / (BUDGET_DAYS * UPPER).ln());
    Fit {
        threshold: (location + slope * reach) as f32,
        decade: (slope * std::f64::consts::LN_10) as f32,
    }
}

impl Fit {
    /// Decades beyond (or below) the level that is exceeded as often as the budget allows.
    pub fn score(&self, value: f64) -> f64 {
        (value - f64::from(self.threshold)) / f64::from(self.decade)
    }

    /// The value at which the score is `score`.
    pub fn value_at(&self, score: f64) -> f64 {
        f64::from(self.threshold) + f64::from(self.decade) * score
    }
}

fn encode(value: f64) -> u8 {
    (CODE * (1.0 + value.max(0.0)).log2()).round().min(255.0) as u8
}

fn decode(code: u8) -> f64 {
    (f64::from(code) / CODE).exp2() - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PRIOR: Prior = Prior {
        location: 1.0,
        slope: 1.0,
        days: 8.0,
        slope_days: 60.0,
        growth: 0.3,
        again: 2,
        budget: 1.0,
    };

    #[test]
    fn an_exponential_tail_keeps_its_budget() {
        // Quantiles of a Gumbel law: exceeded on 1/90 of days at 1 + 4.49.
        let days = (0..112).map(|day| 1.0 - (-((f64::from(day) + 0.5) / 112.0).ln()).ln());
        let fit = fit(days, &PRIOR);
        assert!((fit.value_at(0.0) - 5.49).abs() < 0.4, "{fit:?}");
        assert!((fit.score(fit.value_at(1.5)) - 1.5).abs() < 1e-4);
    }

    #[test]
    fn what_happens_every_month_does_not_alarm() {
        let days = (0..112).map(|day| if day % 28 == 0 { 500.0 } else { 1.0 });
        assert!(fit(days, &PRIOR).score(500.0) <= 1e-3);
        let once = (0..112).map(|day| if day % 56 == 0 { 500.0 } else { 1.0 });
        assert!(fit(once, &PRIOR).score(500.0) > 0.0);
    }

    proptest! {
        #[test]
        fn a_fit_is_finite_and_rises_with_its_days(values in prop::collection::vec(0.0..1e6_f64, 0..DAYS)) {
            let low = fit(values.iter().copied(), &PRIOR);
            let high = fit(values.iter().map(|v| v + 10.0), &PRIOR);
            prop_assert!(low.value_at(0.0).is_finite() && low.decade > 0.0);
            prop_assert!(high.value_at(0.0) >= low.value_at(0.0) - 1e-3);
        }

        #[test]
        fn a_byte_keeps_a_maximum_within_two_per_cent(value in 0.0..6000.0_f64) {
            prop_assert!((decode(encode(value)) - value).abs() <= 0.02 * (value + 1.0));
        }
    }
}
