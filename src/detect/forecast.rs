//! What a series should bring, as the detection sees it before it comes: for graphs, and to see whose loss explains whose.

use super::series::VolumeSeries;
use super::tuning::Tuning;
use serde::{Deserialize, Serialize};

/// Days without which nothing is expected.
const DAYS: u32 = 3;
/// Standard deviations between which 95 of 100 counts lie.
const SPREAD: f64 = 1.96;

/// An expectation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Mails a minute.
    pub rate: f64,
    /// Relative variance beyond chance.
    pub v: f64,
    /// A declared holiday: less is as good.
    pub holiday: bool,
}

/// An expectation over several minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    mean: f64,
    v: f64,
    holiday: bool,
}

impl Expected {
    /// Adds a minute.
    pub fn add(&mut self, forecast: Forecast) {
        self.mean += forecast.rate;
        self.v = self.v.max(forecast.v);
        self.holiday |= forecast.holiday;
    }

    /// Adds other minutes.
    pub fn add_all(&mut self, other: Expected) {
        self.mean += other.mean;
        self.v = self.v.max(other.v);
        self.holiday |= other.holiday;
    }

    /// Mails between which 95 of 100 counts lie.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        let spread = SPREAD * (self.mean + self.v * self.mean * self.mean).sqrt();
        let low = if self.holiday {
            0.0
        } else {
            (self.mean - spread).max(0.0)
        };
        (low, self.mean + spread)
    }
}

/// A stretch of a series against its expectation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Mails that came.
    pub counted: f64,
    /// Mails that were due.
    pub expected: f64,
    /// Relative variance beyond chance.
    pub v: f64,
}

impl VolumeSeries {
    /// What is expected in a minute at a second of the week, by the levels that predict windows of so many minutes.
    pub(super) fn forecasts<const N: usize>(
        &self,
        week_s: i64,
        windows_min: [i64; N],
        holiday: bool,
        tuning: &Tuning,
    ) -> Option<[Forecast; N]> {
        if self.days() < DAYS || !self.is_retired() && !self.is_supported() {
            return None;
        }
        let nothing = Forecast {
            rate: 0.0,
            v: 0.0,
            holiday,
        };
        if self.is_retired() {
            return Some([nothing; N]);
        }
        let per_minute = self.expected(week_s, tuning) * 60.0 / self.step_s as f64;
        Some(windows_min.map(|minutes| {
            let (factor, v) = self.channels.outlook(minutes, self.step_s, &self.history);
            Forecast {
                rate: per_minute * factor.max(0.0),
                v,
                ..nothing
            }
        }))
    }

    /// What the last so many seconds brought against what was expected of them.
    pub(super) fn span(&self, seconds: i64, tuning: &Tuning) -> Option<Span> {
        if self.days() < tuning.provisional_d || self.is_retired() || !self.is_supported() {
            return None;
        }
        let span = self.history.window((seconds / self.step_s).max(1))?;
        if 2 * span.evident < span.steps {
            return None;
        }
        let (factor, v) = self.channels.outlook(seconds / 60, self.step_s, &self.history);
        Some(Span {
            counted: span.counted,
            expected: span.expected * factor.clamp(0.0, 1.0),
            v,
        })
    }

    /// Mails that are missing of what was expected in the last so many seconds.
    pub(super) fn missing(&self, seconds: i64) -> f64 {
        let steps = (seconds / self.step_s).max(1);
        let span = self.history.window(steps);
        span.map_or(0.0, |span| (span.expected - span.counted).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_wider_where_days_differ_and_reaches_zero_on_a_holiday() {
        let range = |v, holiday| {
            let mut sum = Expected::default();
            for _ in 0..60 {
                sum.add(Forecast { rate: 2.0, v, holiday });
            }
            sum.range()
        };
        let (low, high) = range(0.0, false);
        assert!((low - 98.5).abs() < 0.1 && (high - 141.5).abs() < 0.1, "{low} {high}");
        let (wide_low, wide_high) = range(0.04, false);
        assert!(wide_low < low && wide_high > high);
        assert_eq!(range(0.0, true).0, 0.0);
    }
}
