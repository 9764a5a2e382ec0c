//! Outages that begin in the evening, at night, or on a weekend: the noise of working hours must not hide them.

use super::super::detector::Sample;
use super::fleet::{DAY_S, MONDAY, Random};
use super::{alarms, at, found};

/// People by day, whose mail comes and goes by the hour, and machines round the clock.
fn people_and_machines(seed: u64, per_day: f64, days: i64) -> Vec<(i64, Sample)> {
    let mut random = Random::new(seed);
    let grain_s = if per_day >= 1_440.0 { 60 } else { 300 };
    let mut mood = 0.0;
    (0..days * DAY_S / grain_s)
        .map(|step| {
            let (day, second) = (step * grain_s / DAY_S, step * grain_s % DAY_S);
            if second % 3_600 == 0 {
                mood = 0.5 * mood + 0.5 * random.normal();
            }
            let is_office = day % 7 < 5 && (8 * 3_600..18 * 3_600).contains(&second);
            let share = if is_office { 1.4 * f64::exp(mood) } else { 0.5 };
            let count = random.poisson(per_day * grain_s as f64 / DAY_S as f64 * share);
            (MONDAY + step * grain_s, Sample::Count(count))
        })
        .collect()
}

/// Minutes until an outage of ten hours is found, of all seeds.
fn delays(per_day: f64, begin_s: i64) -> Vec<Option<i64>> {
    (0..5)
        .map(|seed| {
            let mut samples = people_and_machines(seed, per_day, 92);
            let grain_s = samples[1].0 - samples[0].0;
            let onset_s = 84 * DAY_S + begin_s;
            at(&mut samples, onset_s, onset_s + 10 * 3_600, |_| Sample::Count(0));
            let drops = alarms(&found(grain_s, &samples), onset_s, onset_s + 10 * 3_600);
            drops.first().map(|drop| (drop.detected - MONDAY - onset_s) / 60)
        })
        .collect()
}

#[test]
fn an_outage_is_found_whenever_it_begins() {
    // Of a Tuesday, and of a Saturday; half of a usual hour's mail is due.
    for (name, begin_s) in [
        ("evening", DAY_S + 21 * 3_600),
        ("night", DAY_S + 2 * 3_600),
        ("weekend", 5 * DAY_S + 11 * 3_600),
    ] {
        for (per_day, most) in [(350.0, 360), (5_000.0, 45)] {
            let delays = delays(per_day, begin_s);
            assert!(
                delays.iter().all(|delay| delay.is_some_and(|delay| delay <= most)),
                "{name}, {per_day} a day: {delays:?}"
            );
        }
    }
}
