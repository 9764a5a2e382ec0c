//! What a series sends next to declared holidays: people take a bridge day off, machines do not.
//!
//! Each such day has its share of the expectation. Their mean less two standard deviations is sure; before any is seen, that
//! is what the prior says.

use super::tuning::Tuning;
use serde::{Deserialize, Serialize};

/// Mean share that is believed at first. With the sure share it gives the deviation that is.
const MEAN: f64 = 0.8;
/// Days that the belief is worth.
const PRIOR_D: f64 = 5.0;
/// Standard deviations below the mean that are sure.
const SURE: f64 = 2.0;
/// Least expected mails that make a day worth a look.
const LEAST: f64 = 10.0;
/// A day of bursts counts as a usual one.
const MOST: f64 = 1.0;

/// The bridge days of one series.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct BridgeDays {
    counted: f32,
    expected: f32,
    days: f32,
    sum: f32,
    squares: f32,
}

impl BridgeDays {
    /// Takes a step of such a day.
    pub fn add(&mut self, counted: Option<f64>, expected: f64) {
        if let Some(counted) = counted {
            self.counted += counted as f32;
            self.expected += expected as f32;
        }
    }

    /// Ends a day of any kind.
    pub fn end_day(&mut self, is_usual: bool) {
        let expected = f64::from(std::mem::take(&mut self.expected));
        let counted = f64::from(std::mem::take(&mut self.counted));
        if is_usual && expected >= LEAST {
            let share = (counted / expected).min(MOST) as f32;
            self.days += 1.0;
            self.sum += share;
            self.squares += share * share;
        }
    }

    /// The share of the expectation that is sure on the next one.
    pub fn share(&self, tuning: &Tuning) -> f64 {
        let (days, sum, squares) = (f64::from(self.days), f64::from(self.sum), f64::from(self.squares));
        let deviation = (MEAN - tuning.near_share) / SURE;
        let n = days + PRIOR_D;
        let mean = (sum + PRIOR_D * MEAN) / n;
        let spread = squares + PRIOR_D * (MEAN * MEAN + deviation * deviation) - n * mean * mean;
        (mean - SURE * (spread.max(0.0) / n).sqrt()).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(shares: &[f64]) -> f64 {
        let mut bridge = BridgeDays::default();
        for share in shares {
            bridge.add(Some(100.0 * share), 100.0);
            bridge.end_day(true);
        }
        bridge.share(&Tuning::default())
    }

    #[test]
    fn machines_keep_no_bridge_days_and_people_do() {
        let at_first = after(&[]);
        assert!((at_first - Tuning::default().near_share).abs() < 1e-6, "{at_first}");
        assert!(after(&[1.0; 8]) > 0.6, "{}", after(&[1.0; 8]));
        assert!(after(&[1.0; 30]) > 0.75, "{}", after(&[1.0; 30]));
        assert!(after(&[0.5; 8]) < 0.45, "{}", after(&[0.5; 8]));
        // Whoever sometimes stays away may do so again.
        assert!(after(&[1.0, 1.0, 0.3, 1.0, 0.4, 1.0]) < 0.3);
    }
}
