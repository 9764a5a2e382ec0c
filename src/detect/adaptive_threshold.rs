//! Evidence, and how much of it this series shows on ordinary days.

use serde::{Deserialize, Serialize};

/// Days that a threshold remembers.
pub(super) const DAYS: usize = 56;

/// Log-likelihood that `seen` is too few where `expected` ± √(expected + v·expected²) is usual; 0 if it is not too few.
pub fn too_few(seen: f64, expected: f64, v: f64) -> f64 {
    if seen >= expected || expected <= 0.0 {
        return 0.0;
    }
    let own = if seen > 0.0 { seen * (seen / expected).ln() } else { 0.0 };
    if v <= 0.0 {
        return own - (seen - expected);
    }
    own - (seen + 1.0 / v) * ((1.0 + v * seen) / (1.0 + v * expected)).ln()
}

/// The same for `seen` being too many, Poisson.
pub fn too_many(seen: f64, expected: f64) -> f64 {
    if seen <= expected || expected <= 0.0 {
        return 0.0;
    }
    seen * (seen / expected).ln() - (seen - expected)
}

/// The largest evidence of each of the last days: an alarm must be larger than what ordinary days bring.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AdaptiveThreshold {
    day: i64,
    today: f64,
    #[serde(with = "days")]
    days: [f32; DAYS],
    filled: usize,
}

impl Default for AdaptiveThreshold {
    fn default() -> Self {
        AdaptiveThreshold {
            day: i64::MIN,
            today: 0.0,
            days: [0.0; DAYS],
            filled: 0,
        }
    }
}

impl AdaptiveThreshold {
    /// Notes the evidence of a minute that raised no alarm.
    pub fn note(&mut self, at: i64, value: f64) {
        let day = at.div_euclid(1440);
        if day != self.day {
            if self.day != i64::MIN {
                self.days[self.filled % DAYS] = self.today as f32;
                self.filled += 1;
            }
            (self.day, self.today) = (day, 0.0);
        }
        self.today = self.today.max(value);
    }

    /// Forgets today: it led to an alarm, and is no ordinary day.
    pub fn forget_today(&mut self) {
        self.today = 0.0;
    }

    /// Days noted so far.
    pub fn days(&self) -> usize {
        self.filled
    }

    /// How much evidence it takes: `floor`, and a quarter more than any remembered day showed.
    pub fn limit(&self, floor: f64) -> f64 {
        let largest = self.days.iter().fold(0.0_f32, |max, day| max.max(*day));
        floor.max(1.25 * f64::from(largest).max(self.today))
    }
}

/// Days of a threshold: more than serde knows of arrays.
mod days {
    use super::DAYS;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(days: &[f32; DAYS], to: S) -> Result<S::Ok, S::Error> {
        days.as_slice().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[f32; DAYS], D::Error> {
        let days = Vec::<f32>::deserialize(from)?;
        days.try_into().map_err(|_| D::Error::custom("days of a threshold"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_grows_with_what_is_missing() {
        assert_eq!(too_few(5.0, 5.0, 0.1), 0.0);
        assert!((too_few(0.0, 12.0, 0.0) - 12.0).abs() < 1e-9);
        assert!(too_few(0.0, 12.0, 0.3) < too_few(0.0, 12.0, 0.1));
        assert!(too_few(3.0, 12.0, 0.1) < too_few(1.0, 12.0, 0.1));
        assert!(too_many(3.0, 0.05) > 9.0);
        assert_eq!(too_many(1.0, 2.0), 0.0);
    }

    #[test]
    fn a_habit_raises_the_limit_and_wears_off() {
        let mut threshold = AdaptiveThreshold::default();
        threshold.note(0, 20.0);
        threshold.note(1440, 1.0);
        assert_eq!(threshold.limit(9.0), 25.0);
        for day in 2..70 {
            threshold.note(day * 1440, 1.0);
        }
        assert_eq!(threshold.limit(9.0), 9.0);
    }
}
