//! When a service sends: waves over day and week, beats of schedules, and days that differ from one another.

use super::clock::{DAY, HOUR, weekday};
use super::prng::Rng;

/// Expected mails per minute over time.
pub(super) enum SendingRhythm {
    /// People: hours in percent of the busiest, `peak` mails a minute then.
    Wave {
        peak: f64,
        hours: &'static [u8; 24],
        weekend: f64,
    },
    /// The same, by the mean of a working day.
    PerDay {
        mails: f64,
        hours: &'static [u8; 24],
        weekend: f64,
    },
    /// Machines: every `every` minutes at minute `at`, `chance` mails; `ring` further minutes bring the rest.
    Beat {
        every: i64,
        at: i64,
        chance: f64,
        ring: i64,
    },
}

impl SendingRhythm {
    /// Expected mails in the minute that starts at `t`.
    fn expected(&self, t: i64) -> f64 {
        match *self {
            SendingRhythm::Wave { peak, hours, weekend } => peak * of_hour(hours, t) * of_week(weekend, t),
            SendingRhythm::PerDay { mails, hours, weekend } => {
                let sum: f64 = hours.iter().map(|&h| f64::from(h) / 100.0).sum();
                mails / (60.0 * sum) * of_hour(hours, t) * of_week(weekend, t)
            }
            SendingRhythm::Beat {
                every,
                at,
                chance,
                ring,
            } => {
                let since = (t / 60 - at).rem_euclid(every);
                match since {
                    0 => chance / if ring > 0 { 2.0 } else { 1.0 },
                    _ if since <= ring => chance / (2.0 * ring as f64),
                    _ => 0.0,
                }
            }
        }
    }

    /// How many mails the minute that starts at `t` brings.
    pub(super) fn draw(&self, t: i64, scale: f64, (seed, key): (u64, u64), rng: &mut Rng) -> u64 {
        let expected = scale * self.expected(t);
        match self {
            SendingRhythm::Beat { chance, .. } if *chance <= 1.0 => u64::from(rng.chance(expected)),
            SendingRhythm::Beat { .. } => rng.poisson(expected),
            _ => rng.poisson(expected * mood(seed, key, t)),
        }
    }
}

/// The hour's share, linear between the middles of hours.
fn of_hour(hours: &[u8; 24], t: i64) -> f64 {
    let shifted = (t - HOUR / 2).rem_euclid(DAY);
    let (hour, part) = ((shifted / HOUR) as usize, (shifted % HOUR) as f64 / HOUR as f64);
    let (here, next) = (f64::from(hours[hour]), f64::from(hours[(hour + 1) % 24]));
    (here + (next - here) * part) / 100.0
}

/// 1 on a working day.
fn of_week(weekend: f64, t: i64) -> f64 {
    match weekday(t) {
        0 => 0.97,
        4 => 0.94,
        5 => weekend,
        6 => weekend * 1.05,
        _ => 1.0,
    }
}

/// Days and half-hours that are busier or quieter than others, so that counts have more than Poisson noise.
fn mood(seed: u64, key: u64, t: i64) -> f64 {
    let day = Rng::stream(seed, &[key, 1, t.div_euclid(DAY) as u64]).normal();
    let half_hour = Rng::stream(seed, &[key, 2, t.div_euclid(HOUR / 2) as u64]).normal();
    (0.08 * day + 0.12 * half_hour - 0.0104).exp()
}
