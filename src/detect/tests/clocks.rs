//! Offices whose zone nobody configured, in the weeks in which clocks change: synthetic series of several seeds.

use super::fleet::{DAY_S, Random};
use super::{Drop, Sample};
use crate::clock_change::ClockRule;
use crate::detector::{Detector, DetectorConfig};
use crate::replay::replay;
use jiff::Timestamp;
use jiff::tz::TimeZone;

const STEP_S: i64 = 300;
/// 2025-01-06, a Monday.
const BEGIN: i64 = 1_736_121_600;
/// The clocks of Europe change on 2025-03-30 and 2025-10-26.
const SPRING: i64 = BEGIN + 83 * DAY_S;
const AUTUMN: i64 = BEGIN + 293 * DAY_S;

/// Counts of an office of a zone with so many mails a working hour.
fn office(seed: u64, days: i64, zone: &str, per_hour: f64) -> Vec<(i64, Sample)> {
    let zone = TimeZone::get(zone).unwrap();
    let mut random = Random::new(seed);
    let count = |ts: i64| {
        let offset = zone.to_offset(Timestamp::from_second(ts).unwrap()).seconds();
        let local = ts + i64::from(offset);
        let (weekday, hour) = ((local / DAY_S + 3) % 7, local % DAY_S / 3_600);
        let share = match (weekday, hour) {
            (5.., _) => 0.02,
            (_, 9..17) => 1.0,
            (_, 8 | 17) => 0.4,
            _ => 0.02,
        };
        Sample::Count(random.poisson(per_hour * share * STEP_S as f64 / 3_600.0))
    };
    let times = (0..days * DAY_S / STEP_S).map(|step| BEGIN + step * STEP_S);
    let mut count = count;
    times.map(|ts| (ts, count(ts))).collect()
}

fn found(samples: &[(i64, Sample)]) -> Vec<Drop> {
    let config = DetectorConfig::default();
    let replayed = replay(&config, TimeZone::UTC, STEP_S, samples.iter().copied());
    replayed.unwrap().drops
}

fn rule(samples: &[(i64, Sample)]) -> Option<ClockRule> {
    let mut detector = Detector::default();
    let id = detector.add(TimeZone::UTC, STEP_S).unwrap();
    for &(ts, sample) in samples {
        detector.observe(id, ts, sample, &mut |_, _| {}).unwrap();
    }
    detector.clock_rule(id)
}

#[test]
fn an_office_without_a_zone_moves_with_its_clocks() {
    let (mut told, mut series) = (0, 0);
    for seed in 0..3 {
        for per_hour in [1_200.0, 180.0, 30.0] {
            let drops = found(&office(seed, 325, "Europe/Berlin", per_hour));
            for change in [SPRING, AUTUMN] {
                let after = drops
                    .iter()
                    .filter(|drop| (change..change + 28 * DAY_S).contains(&drop.detected));
                told += after.count();
            }
            series += 1;
        }
    }
    assert!(
        told <= series,
        "{told} false alarms in the weeks after {} changes",
        2 * series
    );
}

#[test]
fn an_outage_in_the_week_of_the_change_is_found() {
    for seed in 10..13 {
        for per_hour in [1_200.0, 180.0] {
            for (change, day) in [(SPRING, 1), (SPRING, 3), (AUTUMN, 1), (AUTUMN, 2)] {
                let from = change + day * DAY_S + 11 * 3_600;
                let mut samples = office(seed, 300, "Europe/Berlin", per_hour);
                let outage = from..from + 3 * 3_600;
                samples
                    .iter_mut()
                    .filter(|(ts, _)| outage.contains(ts))
                    .for_each(|(_, sample)| *sample = Sample::Count(0));
                let drops = found(&samples);
                let hit = drops.iter().find(|drop| outage.contains(&drop.detected));
                let late = hit.map(|drop| (drop.detected - from) / 60);
                assert!(
                    late.is_some_and(|late| late <= 45),
                    "{per_hour} an hour, seed {seed}, day {day}: {late:?}"
                );
            }
        }
    }
}

#[test]
fn the_rule_of_a_series_says_where_it_lives() {
    for seed in 20..23 {
        let lives = |zone| rule(&office(seed, 120, zone, 180.0));
        assert_eq!(lives("Europe/Berlin"), Some(ClockRule::Europe), "seed {seed}");
        assert_eq!(lives("America/New_York"), Some(ClockRule::NorthAmerica), "seed {seed}");
        assert_eq!(lives("Asia/Tokyo"), None, "seed {seed}");
    }
}

#[test]
fn a_machine_in_a_zone_of_changing_clocks_stays_where_it_is() {
    // Configured as Berlin's, and by the clock of the world in fact.
    for seed in 30..33 {
        let samples = office(seed, 120, "Etc/UTC", 180.0);
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let drops = replay(&DetectorConfig::default(), zone, STEP_S, samples.iter().copied())
            .unwrap()
            .drops;
        let after = drops.iter().filter(|drop| drop.detected > SPRING).count();
        assert!(after <= 1, "seed {seed}: {drops:?}");
    }
}
