//! What a series does by habit is no drop, and what happened to it once does not blind it: synthetic series of several seeds.

use super::super::detector::{Detector, DetectorConfig};
use super::super::episode::Drop;
use super::super::holidays::Holidays;
use super::super::replay::replay;
use super::fleet::{DAY_S, MONDAY, Random, Service};
use super::{Sample, alarms, at, found};
use jiff::tz::TimeZone;
use std::sync::Arc;

/// Office hours on some weekdays; `share` is what the other days have of a usual one.
fn office(seed: u64, per_day: f64, days: i64, share: impl Fn(i64) -> f64) -> Vec<(i64, Sample)> {
    let mut random = Random::new(seed);
    let grain_s = if per_day >= 1_440.0 { 60 } else { 300 };
    let per_step = per_day * grain_s as f64 / DAY_S as f64;
    (0..days * DAY_S / grain_s)
        .map(|step| {
            let (day, hour) = (step * grain_s / DAY_S, (step * grain_s % DAY_S) as f64 / 3_600.0);
            let shape = 0.3 + 1.7 * (-((hour - 13.0) / 5.0).powi(2)).exp();
            let count = random.poisson(per_step * shape * share(day % 7));
            (MONDAY + step * grain_s, Sample::Count(count))
        })
        .collect()
}

fn expected_at(detector: &mut Detector, samples: &[(i64, Sample)], grain_s: i64, moments: [i64; 2]) -> [f64; 2] {
    let id = detector.add(TimeZone::UTC, grain_s).unwrap();
    for &(ts, sample) in samples {
        detector.observe(id, ts, sample, &mut |_, _| {}).unwrap();
    }
    moments.map(|ts| detector.forecasts(id, ts, [60]).map_or(0.0, |[forecast]| forecast.rate))
}

#[test]
fn a_series_learns_its_week_whatever_minute_it_begins_at() {
    for (seed, per_day, first_s) in [
        (1, 300.0, 300),
        (2, 300.0, 40_200),
        (3, 3_000.0, 60),
        (4, 3_000.0, 7_020),
    ] {
        let mut samples = office(seed, per_day, 35, |day| if day >= 5 { 0.25 } else { 1.0 });
        samples.retain(|(ts, _)| *ts >= MONDAY + first_s);
        let noon = |day: i64| MONDAY + day * DAY_S + 12 * 3_600;
        let grain_s = samples[1].0 - samples[0].0;
        let rates = expected_at(&mut Detector::default(), &samples, grain_s, [noon(37), noon(41)]);
        assert!(rates[1] < 0.5 * rates[0], "begun at {first_s} s: {rates:?}");
    }
}

#[test]
fn a_quiet_day_of_the_week_is_no_drop_from_the_third_week_on() {
    for seed in 0..3 {
        for per_day in [300.0, 3_000.0] {
            let samples = office(seed, per_day, 90, |day| if day == 2 { 0.05 } else { 1.0 });
            let grain_s = samples[1].0 - samples[0].0;
            let drops = alarms(&found(grain_s, &samples), 14 * DAY_S, 90 * DAY_S);
            let quiet = drops.iter().filter(|drop| (drop.detected - MONDAY) / DAY_S % 7 == 2);
            assert!(quiet.count() <= 1, "{per_day} a day, seed {seed}: {drops:?}");
        }
    }
}

#[test]
fn evenings_that_stay_low_are_the_usual_after_some_weeks() {
    for seed in 0..4 {
        let mut samples = Service::quiet(seed, 8_000.0).samples(100);
        for day in 56..100 {
            let start = day * DAY_S + 17 * 3_600;
            at(&mut samples, start, start + 5 * 3_600, |count| Sample::Count(count / 8));
        }
        let drops = alarms(&found(60, &samples), 56 * DAY_S, 100 * DAY_S);
        let late = drops.iter().filter(|drop| drop.detected - MONDAY >= 77 * DAY_S).count();
        assert!(late <= 6, "seed {seed}: {late} of {}", drops.len());
    }
}

/// Minutes until three tenths less are found; `None` for never.
fn delay(mut samples: Vec<(i64, Sample)>, onset_s: i64) -> Option<i64> {
    at(&mut samples, onset_s, onset_s + DAY_S, |count| {
        Sample::Count(count * 7 / 10)
    });
    let grain_s = samples[1].0 - samples[0].0;
    let drops = alarms(&found(grain_s, &samples), onset_s, onset_s + DAY_S);
    drops.first().map(|drop| (drop.detected - MONDAY - onset_s) / 60)
}

#[test]
fn earlier_drops_do_not_blind_a_series_for_later_ones() {
    let onset_s = 115 * DAY_S + 10 * 3_600;
    let (mut alone, mut after) = (0, 0);
    for seed in 50..54 {
        let samples = Service::quiet(seed, 100_000.0).samples(117);
        let mut with = samples.clone();
        for day in (45..110).step_by(8) {
            let start = day * DAY_S + 10 * 3_600;
            at(&mut with, start, start + 7 * 3_600, |count| Sample::Count(count / 5));
        }
        alone += delay(samples, onset_s).unwrap_or(DAY_S / 60);
        after += delay(with, onset_s).unwrap_or(DAY_S / 60);
    }
    assert!(
        4 * after <= 5 * alone,
        "found after {alone} min alone, and {after} min with earlier drops"
    );
}

#[test]
fn the_first_deploys_of_a_busy_series_are_no_drops() {
    for seed in 0..3 {
        let mut samples = Service::quiet(seed, 200_000.0).samples(40);
        for day in [15, 18, 25, 33] {
            let start = day * DAY_S + 14 * 3_600;
            at(&mut samples, start, start + 180, |_| Sample::Count(0));
            at(&mut samples, start + 180, start + 240, |count| Sample::Count(4 * count));
        }
        let drops = alarms(&found(60, &samples), 14 * DAY_S, 40 * DAY_S);
        assert_eq!(drops, [], "seed {seed}");
    }
}

#[test]
fn what_gets_worse_is_told_once_and_ends_with_its_drop() {
    for (seed, per_day) in [(1, 3_000.0), (2, 20_000.0), (3, 100_000.0)] {
        let (onset_s, worse_s) = (60 * DAY_S + 9 * 3_600, 60 * DAY_S + 14 * 3_600);
        let mut samples = Service::quiet(seed, per_day).samples(65);
        at(&mut samples, onset_s, worse_s, |count| Sample::Count(count / 2));
        at(&mut samples, worse_s, worse_s + 4 * 3_600, |_| Sample::Count(0));
        let drops: Vec<Drop> = alarms(&found(60, &samples), onset_s, worse_s + DAY_S);
        let [drop, worse] = drops[..] else {
            panic!("{per_day} a day: {drops:?}")
        };
        assert!(
            !drop.worse && worse.worse && drop.detected < MONDAY + worse_s,
            "{drops:?}"
        );
        let late = worse.detected - MONDAY - worse_s;
        assert!((0..=2_400).contains(&late), "{per_day} a day: told after {late} s");
        assert!(
            (worse.onset - MONDAY - worse_s).abs() <= 1_800 && worse.observed < 0.5 * worse.expected,
            "{worse:?}"
        );
        assert_eq!((worse.ended, worse.end), (drop.ended, drop.end));
    }
}

#[test]
fn an_outage_within_a_day_of_a_dip_is_told_and_a_dip_that_returns_is_not() {
    for (seed, per_day) in [(1, 3_000.0), (2, 20_000.0), (3, 100_000.0), (4, 20_000.0)] {
        let (dip_s, next_s) = (60 * DAY_S + 9 * 3_600, 60 * DAY_S + 15 * 3_600);
        let mut dips = Service::quiet(seed, per_day).samples(65);
        at(&mut dips, dip_s, dip_s + 2 * 3_600, |count| {
            Sample::Count(2 * count / 5)
        });
        let mut outage = dips.clone();
        at(&mut dips, next_s, next_s + 2 * 3_600, |count| {
            Sample::Count(2 * count / 5)
        });
        at(&mut outage, next_s, next_s + 7 * 3_600, |_| Sample::Count(0));
        let drops = alarms(&found(60, &dips), dip_s, next_s + DAY_S);
        assert!(drops.len() == 1 && !drops[0].worse, "{per_day} a day: {drops:?}");

        let drops = alarms(&found(60, &outage), dip_s, next_s + DAY_S);
        let [dip, worse] = drops[..] else {
            panic!("{per_day} a day: {drops:?}")
        };
        assert!(!dip.worse && worse.worse && dip.detected < MONDAY + next_s, "{drops:?}");
        let late = worse.detected - MONDAY - next_s;
        assert!((0..=3_600).contains(&late), "{per_day} a day: told after {late} s");
        assert!((worse.onset - MONDAY - next_s).abs() <= 1_800, "{worse:?}");
        assert!(worse.observed < 0.5 * worse.expected, "{worse:?}");
        assert_eq!((worse.ended, worse.end), (dip.ended, dip.end));
    }
}

#[test]
fn a_drop_that_stays_as_it_is_does_not_get_worse() {
    for seed in 0..4 {
        let onset_s = 60 * DAY_S + 9 * 3_600;
        let mut samples = Service::quiet(seed, 20_000.0).samples(64);
        at(&mut samples, onset_s, onset_s + 2 * DAY_S, |count| {
            Sample::Count(count / 2)
        });
        let drops = found(60, &samples);
        assert!(drops.iter().all(|drop| !drop.worse), "seed {seed}: {drops:?}");
    }
}

#[test]
fn machines_are_watched_on_bridge_days_once_they_have_shown_what_they_do() {
    // A holiday every other Thursday; the machine works on all of them.
    let text: String = (0..8)
        .map(|holiday| {
            let time = jiff::Timestamp::from_second(MONDAY + (3 + 14 * holiday) * DAY_S).unwrap();
            time.strftime("%Y-%m-%d\n").to_string()
        })
        .collect();
    let config = DetectorConfig {
        holidays: Arc::new(Holidays::parse(&text).unwrap()),
        ..DetectorConfig::default()
    };
    for seed in 0..3 {
        // The Friday after the last holiday, at half.
        let onset_s = (4 + 14 * 7) * DAY_S + 8 * 3_600;
        let mut samples = office(seed, 20_000.0, 104, |_| 1.0);
        at(&mut samples, onset_s, onset_s + 10 * 3_600, |count| {
            Sample::Count(count / 2)
        });
        let drops = replay(&config, TimeZone::UTC, 60, samples).unwrap().drops;
        let told = alarms(&drops, onset_s, onset_s + 10 * 3_600);
        assert_eq!(told.len(), 1, "seed {seed}: {drops:?}");
    }
}

/// What a day of the week and an hour have of a usual one.
type Share = Box<dyn Fn(i64, f64) -> f64>;

fn rhythms() -> Vec<(String, Share)> {
    let office = |hour: f64| 0.3 + 1.7 * (-((hour - 13.0) / 5.0).powi(2)).exp();
    let mut all: Vec<(String, Share)> = Vec::new();
    for weekend in [0.0, 0.1, 0.25, 0.35, 0.6] {
        let share = move |day, hour| office(hour) * if day >= 5 { weekend } else { 1.0 };
        all.push((format!("weekends at {weekend}"), Box::new(share)));
    }
    let night = |_, hour| if (7.0..21.0).contains(&hour) { 1.6 } else { 0.032 };
    all.push(("nights at 0.02".to_owned(), Box::new(night)));
    let quiet = move |day, hour| office(hour) * if day == 2 { 0.05 } else { 1.0 };
    all.push(("one quiet day".to_owned(), Box::new(quiet)));
    all
}

/// A small grid by default; `MAILPULSE_FLEET=N` takes N seeds at three volumes.
#[test]
fn a_weekly_rhythm_is_known_after_two_weeks_wherever_it_begins() {
    let seeds = std::env::var("MAILPULSE_FLEET")
        .ok()
        .and_then(|n| n.parse::<u64>().ok());
    let volumes: &[f64] = if seeds.is_some() {
        &[20.0, 300.0, 3_000.0]
    } else {
        &[300.0]
    };
    for &per_day in volumes {
        for (name, share) in rhythms() {
            let (mut told, mut series) = (0, 0);
            for (first, seed) in (0..7).flat_map(|first| (0..seeds.unwrap_or(1)).map(move |seed| (first, seed))) {
                let mut random = Random::new(seed * 7 + first as u64);
                let grain_s = if per_day >= 1_440.0 { 60 } else { 300 };
                let begin = MONDAY + first * DAY_S + (random.unit() * 288.0) as i64 * 300;
                let samples: Vec<(i64, Sample)> = (0..104 * DAY_S / grain_s)
                    .map(|step| {
                        let ts = begin + step * grain_s - MONDAY;
                        let mean = share(ts / DAY_S % 7, (ts % DAY_S) as f64 / 3_600.0);
                        let count = random.poisson(per_day * grain_s as f64 / DAY_S as f64 * mean);
                        (begin + step * grain_s, Sample::Count(count))
                    })
                    .collect();
                let drops = alarms(&found(grain_s, &samples), begin - MONDAY + 14 * DAY_S, i64::MAX);
                let on = |day| {
                    drops
                        .iter()
                        .filter(|drop| (drop.detected - MONDAY) / DAY_S % 7 == day)
                        .count()
                };
                assert!(
                    (0..7).all(|day| on(day) < 3),
                    "{per_day} a day, {name}, begun on {first}: {drops:?}"
                );
                told += drops.len();
                series += 1;
            }
            assert!(
                told <= series,
                "{per_day} a day, {name}: {told} false alarms in {series} series"
            );
            if seeds.is_some() {
                eprintln!(
                    "{per_day} a day, {name}: {:.2} false alarms a series",
                    told as f64 / series as f64
                );
            }
        }
    }
}
