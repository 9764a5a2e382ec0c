//! How far a window's count strays below its expectation beyond chance: the relative variance v; and how much of a
//! level's deviation lasts into the window: the share ρ.

/// Sums of one day, and remembered.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    lower: f32,
    mean: f32,
    square: f32,
    cross: f32,
    moved: f32,
}

/// Noise of one window with one level.
#[derive(Debug, Clone, Copy, Default)]
pub struct Noise {
    today: Sums,
    past: Sums,
    weight: f32,
    v: f32,
    rho: f32,
}

impl Noise {
    /// Starts from a prior.
    pub fn new(v: f64, rho: f64) -> Self {
        Self {
            v: v as f32,
            rho: rho as f32,
            ..Self::default()
        }
    }

    /// The relative variance.
    pub fn v(&self) -> f64 {
        f64::from(self.v)
    }

    pub fn show(&self) -> (f32, f32, f32) {
        (((self.today.lower - self.today.mean) / self.today.square * 1000.0).round() / 1000.0, (self.v * 1000.0).round() / 1000.0, (self.rho * 100.0).round() / 100.0)
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
        let reach = 2.0 * (expected + self.v() * expected * expected).sqrt();
        let moved = expected * (level - 1.0);
        self.today.cross += (moved * (counted - expected).clamp(-reach, reach)) as f32;
        self.today.moved += (moved * moved) as f32;
    }

    /// Ends a day. Each day has the same say, and a wild one counts for at most four usual ones.
    pub fn end_day(&mut self, memory_d: f64, prior: f64, prior_d: f64, least: f64) {
        let usual = f64::from(self.today.mean) + self.v() * f64::from(self.today.square);
        if usual <= 0.0 {
            self.today = Sums::default();
            return;
        }
        let keep = (-1.0 / memory_d).exp();
        let lower = f64::from(self.today.lower).min(4.0 * usual);
        let add = |past: f32, today: f64| (f64::from(past) * keep + today / usual) as f32;
        self.past.lower = add(self.past.lower, lower);
        self.past.mean = add(self.past.mean, f64::from(self.today.mean));
        self.past.square = add(self.past.square, f64::from(self.today.square));
        self.past.cross = add(self.past.cross, f64::from(self.today.cross));
        self.past.moved = add(self.past.moved, f64::from(self.today.moved));
        let square = f64::from(self.past.square);
        self.weight = (f64::from(self.weight) * keep + 1.0) as f32;
        let pseudo = prior_d * square / f64::from(self.weight);
        let raw = f64::from(self.past.lower) - f64::from(self.past.mean) + prior * pseudo;
        self.v = (raw / (square + pseudo).max(1e-12)).clamp(least, 4.0) as f32;
        let pull = (0.02 * pseudo).max(1e-9);
        let rho = (f64::from(self.past.cross) + pull * 0.7) / (f64::from(self.past.moved) + pull);
        self.rho = rho.clamp(0.0, 1.0) as f32;
        self.today = Sums::default();
    }

    /// Forgets a day that tells nothing.
    pub fn skip_day(&mut self) {
        self.today = Sums::default();
    }
}
