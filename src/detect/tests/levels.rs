//! A level that was accepted, and then the old one again.

use super::super::detector::Sample;
use super::super::episode::DropEnd;
use super::fleet::{DAY_S, MONDAY, Random, Service};
use super::{alarms, found};

/// Leaves a quarter of the mails, by chance.
fn thin(samples: &mut [(i64, Sample)], from_s: i64, until_s: i64, random: &mut Random) {
    for (ts, sample) in samples {
        if (from_s..until_s).contains(&(*ts - MONDAY))
            && let Sample::Count(count) = *sample
        {
            *sample = Sample::Count((0..count).filter(|_| random.unit() < 0.25).count() as u64);
        }
    }
}

#[test]
fn who_returns_after_eight_days_is_watched_at_the_old_level() {
    let away_s = 63 * DAY_S + 9 * 3_600;
    let (back_s, outage_s) = (away_s + 8 * DAY_S, away_s + 10 * DAY_S + 2 * 3_600);
    let mut accepted = 0;
    for (seed, per_day) in (1..=10).map(|seed| (seed, 40_000.0)) {
        let service = Service::quiet(seed, per_day);
        let mut samples = service.samples(100);
        let mut random = Random::new(seed);
        thin(&mut samples, away_s, back_s, &mut random);
        // What is left then is what was accepted as the level before.
        thin(&mut samples, outage_s, outage_s + 8 * 3_600, &mut random);
        let drops = found(service.grain_s(), &samples);
        let away = alarms(&drops, away_s, back_s);
        // One that wavers is told as one drop to its end.
        if !away.iter().any(|drop| drop.end == Some(DropEnd::Accepted(5))) {
            continue;
        }
        accepted += 1;
        let told = alarms(&drops, outage_s, outage_s + 8 * 3_600);
        let delay = told.first().map(|drop| (drop.detected - MONDAY - outage_s) / 60);
        assert!(
            delay.is_some_and(|delay| delay <= 360),
            "{per_day} a day: {delay:?} {drops:?}"
        );
        let quiet = alarms(&drops, back_s, outage_s).len() + alarms(&drops, outage_s + 8 * 3_600, 100 * DAY_S).len();
        assert!(quiet <= 1, "{per_day} a day: {drops:?}");
    }
    assert!(accepted >= 2, "{accepted} of ten");
}
