//! How much more or less than its profile a series sends now: exponentially weighted ratios of counted to expected.

use serde::{Deserialize, Serialize};

/// Half-lives of the fast levels, hours.
pub const HALF_LIVES_H: [f64; FAST] = [1.0, 4.0, 12.0, 48.0, 192.0];
/// Number of fast levels.
pub const FAST: usize = 5;

/// One exponentially weighted ratio.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Ratio {
    counted: f32,
    expected: f32,
}

impl Ratio {
    /// Adds a block, after the older ones have lost to `decay`.
    pub fn add(&mut self, counted: f64, expected: f64, decay: f64) {
        self.counted = (f64::from(self.counted) * decay + counted) as f32;
        self.expected = (f64::from(self.expected) * decay + expected) as f32;
    }

    /// Counted over expected, with `prior` mails as expected.
    pub fn value(&self, prior: f64) -> f64 {
        (f64::from(self.counted) + prior) / (f64::from(self.expected) + prior)
    }

    /// Takes a ratio for granted, worth `weight` mails.
    pub fn set(&mut self, ratio: f64, weight: f64) {
        self.expected = weight as f32;
        self.counted = (ratio * weight) as f32;
    }
}

/// What a block adds loses half its weight in `half_life_h`.
pub fn decay(block_s: i64, half_life_h: f64) -> f64 {
    (-std::f64::consts::LN_2 * block_s as f64 / (3_600.0 * half_life_h)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_moves_half_the_way_in_its_half_life() {
        let mut ratio = Ratio::default();
        for _ in 0..4_000 {
            ratio.add(100.0, 100.0, decay(900, 12.0));
        }
        for _ in 0..48 {
            ratio.add(0.0, 100.0, decay(900, 12.0));
        }
        assert!((ratio.value(0.0) - 0.5).abs() < 0.01);
        ratio.set(0.25, 200.0);
        assert_eq!(ratio.value(0.0), 0.25);
    }

    #[test]
    fn few_mails_leave_a_level_where_it_is() {
        let mut ratio = Ratio::default();
        ratio.add(0.0, 3.0, 1.0);
        assert!(ratio.value(30.0) > 0.9);
    }
}
