//! How far a window's count strays below its expectation beyond chance: the relative variance v; and how much of a
//! level's deviation lasts into the window: the share ρ.

use super::tuning::Tuning;
use serde::{Deserialize, Serialize};

/// Share of a level's deviation that is taken to last before it was measured.
const RHO_PRIOR: f64 = 0.7;
/// Most noise: beyond it a count says nothing.
const V_MAX: f64 = 4.0;

/// NoiseSums of one day, and remembered.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct NoiseSums {
    lower: f32,
    mean: f32,
    square: f32,
    cross: f32,
    moved: f32,
}

/// Noise of one window with one level.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Noise {
    today: NoiseSums,
    past: NoiseSums,
    weight: f32,
    v: f32,
    rho: f32,
}

impl Noise {
    /// Starts from a prior.
    pub fn new(v: f64) -> Self {
        Self {
            v: v as f32,
            rho: RHO_PRIOR as f32,
            ..Self::default()
        }
    }

    /// The relative variance.
    pub fn v(&self) -> f64 {
        f64::from(self.v)
    }

    /// The expectation's factor where the level says `level`.
    pub fn factor(&self, level: f64) -> f64 {
        1.0 + f64::from(self.rho) * (level - 1.0)
    }

    /// Adds one window: the lower semi-variance, so that bursts do not blind it.
    pub fn sample(&mut self, counted: f64, expected: f64, level: f64) {
        let mean = expected * self.factor(level);
        let below = (counted - mean).min(0.0);
        self.today.lower += (2.0 * below * below) as f32;
        self.today.mean += mean as f32;
        self.today.square += (mean * mean) as f32;
        // The regression of what was counted on what the level moved; an outlier moves it by two deviations at most.
        let reach = 2.0 * (mean + self.v() * mean * mean).sqrt();
        let moved = expected * (level - 1.0);
        let residual = (counted - mean).clamp(-reach, reach);
        self.today.cross += (moved * (residual + f64::from(self.rho) * moved)) as f32;
        self.today.moved += (moved * moved) as f32;
    }

    /// Ends a day. Each day has the same say, and a wild one counts for at most four usual ones.
    pub fn end_day(&mut self, tuning: &Tuning) {
        let usual = f64::from(self.today.mean) + self.v() * f64::from(self.today.square);
        if usual <= 0.0 {
            self.today = NoiseSums::default();
            return;
        }
        let keep = (-1.0 / tuning.v_memory_d).exp();
        let lower = f64::from(self.today.lower).min(4.0 * usual);
        let add = |past: f32, today: f64| (f64::from(past) * keep + today / usual) as f32;
        self.past.lower = add(self.past.lower, lower);
        self.past.mean = add(self.past.mean, f64::from(self.today.mean));
        self.past.square = add(self.past.square, f64::from(self.today.square));
        self.past.cross = add(self.past.cross, f64::from(self.today.cross));
        self.past.moved = add(self.past.moved, f64::from(self.today.moved));
        let square = f64::from(self.past.square);
        self.weight = (f64::from(self.weight) * keep + 1.0) as f32;
        let pseudo = tuning.v_prior_d * square / f64::from(self.weight);
        let raw = f64::from(self.past.lower) - f64::from(self.past.mean) + tuning.v_prior * pseudo;
        self.v = (raw / (square + pseudo).max(1e-12)).clamp(tuning.v_min, V_MAX) as f32;
        let pull = (0.02 * pseudo).max(1e-9);
        let rho = (f64::from(self.past.cross) + pull * RHO_PRIOR) / (f64::from(self.past.moved) + pull);
        self.rho = rho.clamp(0.0, 1.0) as f32;
        self.today = NoiseSums::default();
    }

    /// Forgets a day that tells nothing.
    pub fn skip_day(&mut self) {
        self.today = NoiseSums::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_per_cent_of_noise_is_found_and_bursts_are_not_noise() {
        let tuning = Tuning::default();
        let mut noise = Noise::new(tuning.v_prior);
        for day in 0..200 {
            for sample in 0..96 {
                let sign = if (sample + day) % 2 == 0 { -0.2 } else { 0.2 };
                let burst = if sample == 7 { 50_000.0 } else { 0.0 };
                noise.sample(10_000.0 * (1.0 + sign) + burst, 10_000.0, 1.0);
            }
            noise.end_day(&tuning);
        }
        assert!((noise.v() - 0.04).abs() < 0.004, "{}", noise.v());
    }

    #[test]
    fn a_level_that_lasts_is_followed_and_one_that_does_not_is_not() {
        let tuning = Tuning::default();
        for (lasting, expected) in [(1.0, 1.0), (0.0, 0.0)] {
            let mut noise = Noise::new(tuning.v_prior);
            for day in 0..200 {
                let level = if day % 2 == 0 { 0.8 } else { 1.2 };
                noise.sample(1_000.0 * (1.0 + lasting * (level - 1.0)), 1_000.0, level);
                noise.end_day(&tuning);
            }
            assert!(
                (noise.factor(2.0) - 1.0 - expected).abs() < 0.1,
                "{}",
                noise.factor(2.0)
            );
        }
    }
}
