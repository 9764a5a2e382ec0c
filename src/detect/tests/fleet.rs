//! Services that were never there: seeded counts with office hours, weekends, noise that lasts, bursts and deploys.

use super::super::detector::Sample;

pub(super) use mailpulse_time::DAY_S;

/// 2014-01-06, a Monday.
pub(super) const MONDAY: i64 = 1_388_966_400;

/// A small generator (splitmix64): the same seed gives the same numbers on every machine.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn normal(&mut self) -> f64 {
        let (a, b) = (self.unit().max(1e-12), self.unit());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    pub(super) fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 40.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

/// One service.
pub(super) struct Service {
    pub seed: u64,
    pub per_day: f64,
    /// Share of a working day that a weekend day has.
    pub weekend: f64,
    /// Standard deviation of the noise that lasts half a day.
    pub noise: f64,
    /// Bulk mails and deploys a day.
    pub events: f64,
}

impl Service {
    /// Office hours and five per cent of noise.
    pub(super) fn quiet(seed: u64, per_day: f64) -> Self {
        Self {
            seed,
            per_day,
            weekend: 0.5,
            noise: 0.05,
            events: 0.0,
        }
    }

    /// Minutes from one mail a minute on.
    pub(super) fn grain_s(&self) -> i64 {
        if self.per_day >= 1_440.0 { 60 } else { 300 }
    }

    pub(super) fn samples(&self, days: i64) -> Vec<(i64, Sample)> {
        let mut random = Random::new(self.seed);
        let grain_s = self.grain_s();
        let per_day = DAY_S / grain_s;
        let keep = (-(grain_s as f64) / (12.0 * 3_600.0)).exp();
        let (mut state, mut gap, mut backlog) = (0.0, 0, 0);
        let mut samples = Vec::with_capacity((days * per_day) as usize);
        for step in 0..days * per_day {
            let hour = (step % per_day) as f64 * 24.0 / per_day as f64;
            let office = 0.3 + 1.7 * (-((hour - 13.0) / 5.0).powi(2)).exp();
            let day = if step / per_day % 7 >= 5 { self.weekend } else { 1.0 };
            state = keep * state + (1.0 - keep * keep).sqrt() * self.noise * random.normal();
            let mean = self.per_day / per_day as f64 * office / 0.93 * day * f64::exp(state);
            let mut count = random.poisson(mean);
            if self.events > 0.0 {
                let event = random.unit() < self.events / per_day as f64;
                if event && random.unit() < 0.5 {
                    count += random.poisson(0.2 * self.per_day);
                } else if event && grain_s == 60 && gap == 0 {
                    gap = 1 + (3.0 * random.unit()) as u32;
                }
            }
            if gap > 0 {
                gap -= 1;
                backlog += count;
                count = 0;
            } else {
                count += std::mem::take(&mut backlog);
            }
            samples.push((MONDAY + step * grain_s, Sample::Count(count)));
        }
        samples
    }
}
