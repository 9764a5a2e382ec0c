//! CUSUM channels: the minimax-optimal watch for a Poisson rate that falls to r times the expected one.
//!
//! `C ← clamp(C·keep + ((1 − r)·λ + y·ln r)/(1 + v·μ), 0, cap)`. The divisor is the dispersion of the counts over the
//! window whose noise the channel takes: without it a busy series' hourly noise would be taken for news.

use serde::{Deserialize, Serialize};

/// Ratios to which the rate may fall.
pub const RATIOS: [f64; 4] = [0.02, 0.2, 0.5, 0.7];

/// One channel.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Cusum {
    sum: f32,
    level: f32,
    since: i64,
}

/// What a step tells a channel.
#[derive(Debug, Clone, Copy)]
pub struct Increment {
    /// Start of the step.
    pub ts: i64,
    /// Mails counted.
    pub counted: f64,
    /// Mails expected before the level.
    pub expected: f64,
    /// The level, taken over when nothing is pending, so that a drop cannot pull its own expectation down.
    pub level: f64,
    /// Relative variance times the steps over which it holds.
    pub spread: f64,
    /// What is left of the old sum.
    pub keep: f64,
}

impl Cusum {
    /// One step; the sum after it.
    pub fn step(&mut self, ratio: f64, step: Increment, cap: f64) -> f64 {
        if self.sum <= 0.0 {
            self.level = step.level as f32;
            self.since = step.ts;
        }
        let expected = step.expected * f64::from(self.level);
        let gain = (1.0 - ratio) * expected + step.counted * ratio.ln();
        let dispersion = 1.0 + step.spread * step.expected * step.level;
        self.sum = (f64::from(self.sum) * step.keep + gain / dispersion).clamp(0.0, cap) as f32;
        f64::from(self.sum)
    }

    /// When what is pending began.
    pub fn since(&self) -> i64 {
        self.since
    }

    /// Forgets what is pending.
    pub fn reset(&mut self) {
        self.sum = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(ts: i64, counted: f64) -> Increment {
        Increment {
            ts,
            counted,
            expected: 5.0,
            level: 1.0,
            spread: 0.0,
            keep: 1.0,
        }
    }

    #[test]
    fn silence_adds_up_from_its_start_and_usual_counts_do_not() {
        let mut cusum = Cusum::default();
        for ts in 0..20 {
            assert_eq!(cusum.step(0.2, step(ts, 5.0), 100.0), 0.0);
        }
        for ts in 20..30 {
            cusum.step(0.2, step(ts, 0.0), 100.0);
        }
        assert_eq!(cusum.since(), 20);
        assert!((cusum.step(0.2, step(30, 0.0), 100.0) - 44.0).abs() < 1e-3);
        assert_eq!(cusum.step(0.2, step(31, 0.0), 30.0), 30.0);
    }
}
