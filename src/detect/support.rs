//! How well an expectation is known: the standard error of a rate, from how much it differed between stretches of time.
//!
//! Mail comes in clusters, so that its number says little: a thousand mails of one day are one observation. Each stretch
//! b has c mails in m seen minutes; of the rate r = Σc / Σm the error is
//! `SE² = (Σ(c − r·m)²·n/(n − 1) + 1) / (Σm)²`, with n stretches' worth of seen minutes. The one mail more is what no
//! stretch has shown yet. Under two stretches nothing is known.

use serde::{Deserialize, Serialize};

/// Lengths of the stretches, minutes.
const HOUR: f64 = 60.0;
const DAY: f64 = 1440.0;
/// Days from which days are compared as well as hours.
const DAYS: f64 = 3.0;

/// Sums over stretches of one length.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Stretches {
    count: f64,
    minutes: f64,
    squares: f64,
    products: f64,
    minutes_squared: f64,
}

impl Stretches {
    /// Adds a stretch: its mails and its seen minutes.
    pub fn add(&mut self, count: f64, minutes: f64) {
        self.count += count;
        self.minutes += minutes;
        self.squares += count * count;
        self.products += count * minutes;
        self.minutes_squared += minutes * minutes;
    }

    /// What was learned weighs less.
    pub fn fade(&mut self, keep: f64) {
        let sums = [
            &mut self.count,
            &mut self.minutes,
            &mut self.squares,
            &mut self.products,
            &mut self.minutes_squared,
        ];
        sums.into_iter().for_each(|sum| *sum *= keep);
    }

    /// Mails to be expected in so many minutes.
    pub fn expected(&self, minutes: f64) -> f64 {
        self.count / self.minutes.max(1.0) * minutes
    }

    /// Standard error of the rate as a share of the rate, for stretches of so many minutes; infinite if it is not known.
    pub fn relative_error(&self, length: f64) -> f64 {
        let n = self.minutes / length;
        if n < 2.0 || self.count <= 0.0 {
            return f64::INFINITY;
        }
        let rate = self.count / self.minutes;
        let off = self.squares - 2.0 * rate * self.products + rate * rate * self.minutes_squared;
        (off.max(0.0) * n / (n - 1.0) + 1.0).sqrt() / self.count
    }
}

/// A stretch that is being filled.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct OpenSupport {
    number: i64,
    count: f64,
    minutes: f64,
}

impl OpenSupport {
    fn add(&mut self, number: i64, count: f64, into: &mut Stretches) {
        if number != self.number {
            if self.minutes > 0.0 {
                into.add(self.count, self.minutes);
            }
            *self = OpenSupport {
                number,
                ..OpenSupport::default()
            };
        }
        self.count += count;
        self.minutes += 1.0;
    }

    fn with(&self, stretches: Stretches) -> Stretches {
        let mut all = stretches;
        if self.minutes > 0.0 {
            all.add(self.count, self.minutes);
        }
        all
    }
}

/// What supports a rate that is learned minute by minute.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Support {
    hours: Stretches,
    days: Stretches,
    hour: OpenSupport,
    day: OpenSupport,
    /// Mails and minutes that were left out for being unusual.
    passed: (f64, f64),
}

impl Support {
    /// Takes a minute that is learned.
    pub fn add(&mut self, at: i64, count: f64) {
        self.hour.add(at.div_euclid(HOUR as i64), count, &mut self.hours);
        self.day.add(at.div_euclid(DAY as i64), count, &mut self.days);
    }

    /// Takes a minute that was seen and is not learned.
    pub fn pass(&mut self, count: f64) {
        self.passed = (self.passed.0 + count, self.passed.1 + 1.0);
    }

    /// What was learned weighs less.
    pub fn fade(&mut self, keep: f64) {
        self.hours.fade(keep);
        self.days.fade(keep);
        self.passed = (self.passed.0 * keep, self.passed.1 * keep);
    }

    /// Standard error of what is expected, as a share of it. What was left out belongs to it: if most of the time is no
    /// exception, the rate without it is none of this series.
    pub fn relative_error(&self) -> f64 {
        let hours = self.hour.with(self.hours);
        let mut error = hours.relative_error(HOUR);
        if hours.minutes >= DAYS * DAY {
            error = error.max(self.day.with(self.days).relative_error(DAY));
        }
        let rate = hours.count / hours.minutes.max(1.0);
        let all = (hours.count + self.passed.0) / (hours.minutes + self.passed.1).max(1.0);
        let left_out = if rate > 0.0 { (rate - all).abs() / rate } else { 0.0 };
        error.hypot(left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(minutes: i64, count: impl Fn(i64) -> f64) -> Support {
        let mut support = Support::default();
        (0..minutes).for_each(|at| support.add(at, count(at)));
        support
    }

    #[test]
    fn a_mail_is_no_rate_and_many_hours_of_mail_are() {
        assert!(Support::default().relative_error().is_infinite());
        assert!(filled(1, |_| 1.0).relative_error().is_infinite());
        assert!(filled(20 * 1440, |at| f64::from(u8::from(at == 5000))).relative_error() > 1.0);
        assert!(filled(20 * 1440, |at| f64::from(u8::from(at % 97 == 0))).relative_error() < 0.1);
        assert!(filled(600, |at| f64::from(u8::from(at % 3 == 0))).relative_error() < 0.1);
    }

    #[test]
    fn what_came_on_one_day_is_one_observation() {
        let burst = filled(20 * 1440, |at| f64::from(u8::from(at / 1440 == 7)));
        assert!(burst.relative_error() > 1.0, "{}", burst.relative_error());
        let daily = filled(20 * 1440, |at| if at % 1440 == 600 { 70.0 } else { 0.0 });
        assert!(daily.relative_error() < 0.3, "{}", daily.relative_error());
    }

    #[test]
    fn what_is_left_out_is_doubt() {
        let mut support = filled(2000, |at| f64::from(u8::from(at % 10 == 0)));
        assert!(support.relative_error() < 0.1);
        (0..1000).for_each(|_| support.pass(0.0));
        assert!((0.3..0.4).contains(&support.relative_error()));
        (0..1_000_000).for_each(|_| support.pass(0.0));
        assert!(support.relative_error() > 0.99);
    }
}
