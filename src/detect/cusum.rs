//! CUSUM channels: the minimax-optimal watch for a Poisson rate that falls to r times the expected one.

/// Ratios to which the rate may fall.
pub const RATIOS: [f64; 4] = [0.02, 0.2, 0.5, 0.7];

/// One channel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cusum {
    sum: f32,
    level: f32,
    since: i64,
}

impl Cusum {
    /// One step of `y` mails where `lambda` were expected before the level; `level` is taken over when nothing is pending.
    #[expect(clippy::too_many_arguments)]
    pub fn step(&mut self, now: i64, y: f64, lambda: f64, level: f64, ratio: f64, cap: f64, spread: f64, keep: f64) -> f64 {
        if self.sum <= 0.0 {
            self.level = level as f32;
            self.since = now;
        }
        let expected = lambda * f64::from(self.level);
        let next = f64::from(self.sum) * keep + ((1.0 - ratio) * expected + y * ratio.ln()) / spread;
        self.sum = next.clamp(0.0, cap) as f32;
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
