//! Thresholds learned from a series' own quiet days, for a stated budget of false alarms.
//!
//! A tail holds the daily maxima of one statistic over 112 days. Beyond their 75 % quantile u they are taken as
//! exponential with slope β, so that a level S is exceeded on `0.25·e^−(S−u)/β` of all days.

/// Days that a tail remembers.
pub const DAYS: usize = 112;
/// Days of the budget.
const BUDGET_DAYS: f64 = 90.0;
/// Share of days above u.
const UPPER: f64 = 0.25;
/// Steps per doubling in which a maximum is kept.
const CODE: f64 = 20.0;

/// Daily maxima of one statistic, in a byte each.
#[derive(Debug, Clone)]
pub struct Tail {
    maxima: Box<[u8]>,
    next: u8,
}

/// What a tail says: location u and slope β.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Fit {
    /// 75 % quantile of the daily maxima.
    pub location: f32,
    /// Slope beyond it.
    pub slope: f32,
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
    /// Rank of the value that may not alarm, 0 for the highest.
    pub again: usize,
    /// How the least slope grows with the location.
    pub growth: f64,
}

impl Default for Tail {
    fn default() -> Self {
        Self {
            maxima: Box::default(),
            next: 0,
        }
    }
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

    /// Days in it.
    pub fn days(&self) -> usize {
        self.maxima.len()
    }

    /// Maximum of one of the days.
    pub fn day(&self, day: usize) -> f64 {
        decode(self.maxima[day])
    }

    /// Location and slope of the tail.
    pub fn fit(&self, prior: &Prior) -> Fit {
        fit(self.maxima.iter().map(|&code| decode(code)), prior)
    }
}

/// Location and slope of the tail of daily maxima.
pub fn fit(maxima: impl Iterator<Item = f64>, prior: &Prior) -> Fit {
    let mut values: Vec<(f64, f64)> = maxima.map(|maximum| (maximum, 1.0)).collect();
    let invented = prior.days.ceil() as usize;
    for day in 0..invented {
        let quantile = (day as f64 + 0.5) / invented as f64;
        let value = prior.location - prior.slope * (-quantile.ln()).ln();
        values.push((value.max(0.0), prior.days / invented as f64));
    }
    values.sort_by(|a, b| b.0.total_cmp(&a.0));
    let total: f64 = values.iter().map(|v| v.1).sum();
    let mut above = 0.0;
    let mut location = 0.0;
    for &(value, weight) in &values {
        above += weight;
        location = value;
        if above >= UPPER * total {
            break;
        }
    }
    let (mut excess, mut count) = (0.0, 0.0);
    for &(value, weight) in values.iter().filter(|v| v.0 > location) {
        excess += weight * (value - location);
        count += weight;
    }
    let least = prior.slope.max(prior.growth * location);
    let slope = (excess + prior.slope_days * least) / (count + prior.slope_days);
    // What happened twice in the days that are remembered may not alarm, whatever the shape of the tail.
    let again = values.get(prior.again).map_or(0.0, |v| v.0);
    let reach = (BUDGET_DAYS * UPPER).ln();
    Fit {
        location: location as f32,
        slope: slope.max((again - location) / reach) as f32,
    }
}

impl Fit {
    /// Decades beyond (or below) the level that is exceeded `budget` times in 90 days.
    pub fn score(&self, value: f64, budget: f64) -> f64 {
        let beyond = (value - f64::from(self.location)) / f64::from(self.slope);
        beyond / std::f64::consts::LN_10 - (BUDGET_DAYS * UPPER / budget).log10()
    }

    /// The value at which the score is `score`.
    pub fn value_at(&self, score: f64, budget: f64) -> f64 {
        let decades = score + (BUDGET_DAYS * UPPER / budget).log10();
        f64::from(self.location) + f64::from(self.slope) * std::f64::consts::LN_10 * decades
    }
}

fn encode(value: f64) -> u8 {
    (CODE * (1.0 + value.max(0.0)).log2()).round().min(255.0) as u8
}

fn decode(code: u8) -> f64 {
    (f64::from(code) / CODE).exp2() - 1.0
}
