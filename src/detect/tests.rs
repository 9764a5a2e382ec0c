//! The detector as a whole: causal, deterministic, within its budget, and quiet where it should be.

mod budget;
mod clocks;
mod fleet;
mod habits;
mod levels;
mod schedules;
mod starts;
mod young;

use super::channels::Channel;
use super::detector::{Detector, DetectorConfig, Refused, Sample};
use super::episode::{Drop, DropEnd, EpisodeChange};
use super::holidays::Holidays;
use super::replay::replay;
use super::tuning::Tuning;
use fleet::{DAY_S, MONDAY, Service};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::sync::Arc;

fn found(grain_s: i64, samples: &[(i64, Sample)]) -> Vec<Drop> {
    let replayed = replay(
        &DetectorConfig::default(),
        TimeZone::UTC,
        grain_s,
        samples.iter().copied(),
    );
    replayed.unwrap().drops
}

fn at(samples: &mut [(i64, Sample)], from_s: i64, until_s: i64, change: impl Fn(u64) -> Sample) {
    for (ts, sample) in samples {
        if (from_s..until_s).contains(&(*ts - MONDAY))
            && let Sample::Count(count) = *sample
        {
            *sample = change(count);
        }
    }
}

fn alarms(drops: &[Drop], from_s: i64, until_s: i64) -> Vec<Drop> {
    let inside = |drop: &&Drop| (from_s..until_s).contains(&(drop.detected - MONDAY));
    drops.iter().filter(inside).copied().collect()
}

const OUTAGE_S: i64 = 45 * DAY_S + 11 * 3_600;

#[test]
fn a_full_outage_is_found_soon_and_ends_soon() {
    for (per_day, within_s) in [(30 * 1_440, 600), (200 * 1_440, 300), (600, 3 * 3_600)] {
        let service = Service::quiet(7, per_day as f64);
        let grain_s = service.grain_s();
        let mut samples = service.samples(50);
        at(&mut samples, OUTAGE_S, OUTAGE_S + 7 * 3_600, |_| Sample::Count(0));
        let drops = alarms(&found(grain_s, &samples), OUTAGE_S, OUTAGE_S + 7 * 3_600);
        assert_eq!(drops.len(), 1, "{per_day} a day");
        let late = drops[0].detected - MONDAY - OUTAGE_S + grain_s;
        assert!(late <= within_s, "{per_day} a day: found after {late} s");
        let over = drops[0].ended.unwrap() - MONDAY - OUTAGE_S - 7 * 3_600;
        assert!((0..3_600).contains(&over), "{per_day} a day: over after {over} s");
        assert_eq!(drops[0].end, Some(DropEnd::Recovered));
        assert!((drops[0].onset - MONDAY - OUTAGE_S).abs() <= 3 * 3_600 && !drops[0].provisional);
    }
}

#[test]
fn what_comes_later_changes_nothing_before() {
    let service = Service::quiet(3, 2_000.0);
    let samples = service.samples(40);
    let cut = samples.len() * 3 / 4;
    let mut other = samples.clone();
    for (index, (_, sample)) in other.iter_mut().enumerate().skip(cut) {
        *sample = Sample::Count((index as u64 * 7_919) % 40);
    }
    let told = |samples: &[(i64, Sample)]| {
        let mut detector = Detector::new(DetectorConfig::default());
        let id = detector.add(TimeZone::UTC, service.grain_s()).unwrap();
        let mut told = Vec::new();
        for &(ts, sample) in samples {
            detector
                .observe(id, ts, sample, &mut |_, change| told.push((ts, change)))
                .unwrap();
        }
        told.retain(|(ts, _)| *ts < samples[cut].0);
        told
    };
    assert_eq!(told(&samples), told(&other));
    assert_eq!(told(&samples), told(&samples));
}

#[test]
fn a_series_does_not_hear_its_neighbours() {
    let (one, two) = (
        Service::quiet(1, 500.0).samples(30),
        Service::quiet(2, 90.0).samples(30),
    );
    let alone = found(300, &one);
    let mut detector = Detector::new(DetectorConfig::default());
    let ids = [0, 1].map(|_| detector.add(TimeZone::UTC, 300).unwrap());
    let mut opened = 0;
    for (a, b) in one.iter().zip(&two) {
        detector.observe(ids[1], b.0, b.1, &mut |_, _| {}).unwrap();
        let mut tell = |_, change| opened += usize::from(matches!(change, EpisodeChange::Opened(_)));
        detector.observe(ids[0], a.0, a.1, &mut tell).unwrap();
    }
    assert_eq!(opened, alone.len());
}

#[test]
fn no_data_is_not_zero() {
    for whole_hole in [false, true] {
        let mut samples = Service::quiet(5, 20_000.0).samples(50);
        at(&mut samples, OUTAGE_S, OUTAGE_S + 12 * 3_600, |_| Sample::NoData);
        if whole_hole {
            samples.retain(|(_, sample)| *sample != Sample::NoData);
        }
        assert_eq!(
            alarms(&found(60, &samples), OUTAGE_S - 3_600, OUTAGE_S + 24 * 3_600),
            []
        );
    }
}

#[test]
fn deploys_of_minutes_with_their_backlog_do_not_alarm() {
    let mut samples = Service::quiet(11, 100.0 * 1_440.0).samples(60);
    for day in (1..60).step_by(3) {
        let start = day * DAY_S + 14 * 3_600;
        at(&mut samples, start, start + 180, |_| Sample::Count(0));
        at(&mut samples, start + 180, start + 240, |count| Sample::Count(4 * count));
    }
    assert_eq!(alarms(&found(60, &samples), 30 * DAY_S, 60 * DAY_S), []);
}

#[test]
fn the_usual_after_a_burst_is_no_drop() {
    for per_day in [1_000.0, 20_000.0] {
        let service = Service::quiet(41, per_day);
        let mut samples = service.samples(70);
        for (day, factor) in [(12, 6), (30, 10), (41, 4), (55, 8)] {
            let start = day * DAY_S + 10 * 3_600;
            at(&mut samples, start, start + 5 * 3_600, |count| {
                Sample::Count(factor * count)
            });
        }
        let drops = alarms(&found(service.grain_s(), &samples), 28 * DAY_S, 70 * DAY_S);
        assert!(drops.is_empty(), "{per_day} a day: {drops:?}");
    }
}

#[test]
fn what_comes_back_within_a_day_is_one_drop_and_tells_what_is_missing_now() {
    let service = Service::quiet(7, 6_000.0);
    let second_s = OUTAGE_S + 17 * 3_600;
    let mut samples = service.samples(50);
    at(&mut samples, OUTAGE_S, OUTAGE_S + 7 * 3_600, |_| Sample::Count(0));
    at(&mut samples, second_s, second_s + 4 * 3_600, |_| Sample::Count(0));
    let drops = alarms(&found(service.grain_s(), &samples), OUTAGE_S, 50 * DAY_S);
    assert_eq!(drops.len(), 1, "{drops:?}");
    assert!(drops[0].ended.unwrap() - MONDAY >= second_s + 4 * 3_600);

    let mut detector = Detector::new(DetectorConfig::default());
    let id = detector.add(TimeZone::UTC, service.grain_s()).unwrap();
    let mut again = Vec::new();
    for (ts, sample) in samples {
        let mut tell = |_, change| {
            if let EpisodeChange::Reopened { whole, again: now } = change {
                again.push((whole.onset - MONDAY, now.onset - MONDAY, now.detected - MONDAY));
            }
        };
        detector.observe(id, ts, sample, &mut tell).unwrap();
    }
    let late = again
        .iter()
        .filter(|(_, _, detected)| *detected >= second_s)
        .collect::<Vec<_>>();
    let (whole, onset, detected) = *late[0];
    assert!(
        (whole - OUTAGE_S).abs() <= 600 && (onset - second_s).abs() <= 600,
        "{again:?}"
    );
    assert!(detected - second_s <= 3_600, "{again:?}");
}

#[test]
fn a_slow_leak_is_found() {
    let mut samples = Service::quiet(13, 10_000.0).samples(60);
    let leak_s = 3 * DAY_S;
    for (ts, sample) in &mut samples {
        let into = *ts - MONDAY - 45 * DAY_S;
        if let (true, Sample::Count(count)) = ((0..leak_s).contains(&into), *sample) {
            *sample = Sample::Count((count as f64 * (1.0 - 0.9 * into as f64 / leak_s as f64)) as u64);
        }
    }
    assert!(!alarms(&found(60, &samples), 45 * DAY_S, 48 * DAY_S).is_empty());
}

#[test]
fn a_holiday_in_half_silence_is_no_drop_and_a_silent_one_is() {
    let samples = Service::quiet(17, 50_000.0).samples(50);
    let date = |day: i64| {
        let time = jiff::Timestamp::from_second(MONDAY + day * DAY_S).unwrap();
        time.strftime("%Y-%m-%d\n").to_string()
    };
    let config = DetectorConfig {
        holidays: Arc::new(Holidays::parse(&date(44)).unwrap()),
        ..DetectorConfig::default()
    };
    for (share, expected) in [(3, 0), (0, 1)] {
        let mut holiday = samples.clone();
        at(&mut holiday, 44 * DAY_S, 45 * DAY_S, |count| {
            Sample::Count(count * share / 10)
        });
        let drops = replay(&config, TimeZone::UTC, 60, holiday).unwrap().drops;
        let told = alarms(&drops, 44 * DAY_S, 46 * DAY_S);
        assert_eq!(told.len(), expected, "share {share}/10: {told:?}");
    }
}

#[test]
fn a_retired_service_is_silenced_and_said_to_be() {
    let mut samples = Service::quiet(19, 300.0).samples(110);
    at(&mut samples, 50 * DAY_S, 110 * DAY_S, |_| Sample::Count(0));
    let drops = alarms(&found(300, &samples), 50 * DAY_S, 110 * DAY_S);
    assert_eq!(drops.len(), 1);
    assert_eq!(drops[0].end, Some(DropEnd::Retired(28)));
    // Told otherwise, it is taken for retired sooner; and it is watched again from its next mail on.
    let config = DetectorConfig {
        tuning: Tuning {
            retire_d: 7,
            ..Tuning::default()
        },
        ..DetectorConfig::default()
    };
    let mut back = Service::quiet(19, 300.0).samples(110);
    at(&mut back, 50 * DAY_S, 65 * DAY_S, |_| Sample::Count(0));
    at(&mut back, 90 * DAY_S, 94 * DAY_S, |_| Sample::Count(0));
    let drops = replay(&config, TimeZone::UTC, 300, back).unwrap().drops;
    assert_eq!(alarms(&drops, 50 * DAY_S, 65 * DAY_S)[0].end, Some(DropEnd::Retired(7)));
    assert_eq!(alarms(&drops, 90 * DAY_S, 94 * DAY_S).len(), 1);
}

#[test]
fn a_lower_level_is_accepted_after_five_days() {
    let mut samples = Service::quiet(23, 30_000.0).samples(80);
    at(&mut samples, 50 * DAY_S, 80 * DAY_S, |count| Sample::Count(count / 3));
    let drops = alarms(&found(60, &samples), 50 * DAY_S, 80 * DAY_S);
    assert_eq!(drops.first().and_then(|drop| drop.end), Some(DropEnd::Accepted(5)));
    assert!(drops.len() <= 2, "{drops:?}");
}

#[test]
fn a_young_series_finds_provisionally_unless_nothing_comes_at_all() {
    let with = |count: &dyn Fn(u64) -> u64| {
        let mut samples = Service::quiet(29, 20_000.0).samples(12);
        at(&mut samples, 9 * DAY_S + 36_000, 9 * DAY_S + 72_000, |mails| {
            Sample::Count(count(mails))
        });
        found(60, &samples)
    };
    let drops = with(&|count| count.div_ceil(10));
    assert!(
        !drops.is_empty() && drops.iter().all(|drop| drop.provisional),
        "{drops:?}"
    );
    let sure: Vec<Drop> = with(&|_| 0).into_iter().filter(|drop| !drop.provisional).collect();
    let [gap] = sure[..] else { panic!("{sure:?}") };
    assert_eq!((gap.channel, gap.end), (Channel::Gap, Some(DropEnd::Recovered)));
    assert!(
        gap.detected - gap.onset <= 1_800 && gap.onset - (MONDAY + 9 * DAY_S + 36_000) <= 60,
        "{gap:?}"
    );
}

#[test]
fn a_week_or_one_event_brings_nothing_certain() {
    let mut week = Service::quiet(31, 20_000.0).samples(7);
    at(&mut week, 5 * DAY_S, 6 * DAY_S, |count| {
        Sample::Count(count.div_ceil(10))
    });
    assert!(found(60, &week).iter().all(|drop| drop.provisional));
    assert_eq!(found(60, &[(MONDAY, Sample::Count(1))]), []);
    let mut silent = vec![(MONDAY, Sample::Count(1))];
    silent.extend((1..60 * 288).map(|step| (MONDAY + step * 300, Sample::Count(0))));
    let drops = found(300, &silent);
    assert!(
        drops.iter().all(|drop| drop.provisional),
        "one mail in two months: {drops:?}"
    );
}

#[test]
fn a_clock_that_jumps_is_no_outage() {
    for jump_s in [3_600, 5 * DAY_S, 400 * DAY_S] {
        let mut samples = Service::quiet(37, 20_000.0).samples(60);
        for (ts, _) in samples.iter_mut().filter(|(ts, _)| *ts >= MONDAY + OUTAGE_S) {
            // Whole weeks beyond an hour, so that only the clock moves.
            *ts += if jump_s > 3_600 {
                jump_s - jump_s % (7 * DAY_S)
            } else {
                0
            };
        }
        if jump_s == 3_600 {
            // Back by an hour: the hour is told twice, and heard once.
            let hour: Vec<_> = samples
                .iter()
                .filter(|(ts, _)| (0..3_600).contains(&(MONDAY + OUTAGE_S - ts)))
                .copied()
                .collect();
            let here = samples.partition_point(|(ts, _)| *ts < MONDAY + OUTAGE_S);
            samples.splice(here..here, hour);
        }
        let drops = found(60, &samples);
        let told = alarms(&drops, OUTAGE_S - 3_600, 600 * DAY_S);
        assert!(
            told.len() <= 1 && told.iter().all(|drop| drop.score < 1.0),
            "{jump_s}: {told:?}"
        );
    }
}

#[test]
fn the_order_of_time_is_kept() {
    let mut detector = Detector::new(DetectorConfig::default());
    let id = detector.add(TimeZone::UTC, 60).unwrap();
    let mut tell = |ts: i64| detector.observe(id, ts, Sample::Count(1), &mut |_, _| {});
    assert_eq!(tell(MONDAY), Ok(()));
    assert_eq!(tell(MONDAY + 59), Err(Refused::Duplicate));
    assert_eq!(tell(MONDAY - 60), Err(Refused::OutOfOrder));
    assert_eq!(tell(i64::MAX), Err(Refused::TimeOutOfRange));
    // A clock that jumps years ahead costs nothing and keeps what was learned.
    assert_eq!(tell(MONDAY + 5_000 * DAY_S), Ok(()));
    assert!(detector.add(TimeZone::UTC, 7).is_err());
}

#[test]
fn office_hours_stay_office_hours_through_summer_time() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    // 2018-01-01, a Monday; the clocks change on 25 March.
    let start = 1_514_761_200;
    let samples = (0..120 * 288).map(|step| {
        let ts = start + step * 300;
        let local = zone.to_offset(jiff::Timestamp::from_second(ts).unwrap()).seconds();
        let hour = (ts + i64::from(local)).rem_euclid(DAY_S) / 3_600;
        (
            ts,
            Sample::Count(if (8..18).contains(&hour) {
                20 + (step as u64 * 31) % 9
            } else {
                0
            }),
        )
    });
    let drops = replay(&DetectorConfig::default(), zone.clone(), 300, samples)
        .unwrap()
        .drops;
    assert_eq!(drops.iter().filter(|drop| !drop.provisional).count(), 0, "{drops:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_input_panics_and_findings_are_sound(
        grain in prop::sample::select(vec![60_i64, 300, 600, 900, 1_200, 1_800, 3_600]),
        steps in prop::collection::vec((0..4_i64, prop::option::of(prop_oneof![0..5_u64, 0..u64::MAX])), 1..4_000),
        far in any::<i64>(),
    ) {
        let mut detector = Detector::new(DetectorConfig::default());
        let id = detector.add(TimeZone::UTC, grain).unwrap();
        let mut ts = MONDAY;
        let mut drops = Vec::new();
        for (index, (skip, count)) in steps.into_iter().enumerate() {
            ts += if skip == 3 && index % 97 == 0 { 9 * DAY_S } else { (skip + 1) * grain };
            let sample = count.map_or(Sample::NoData, Sample::Count);
            detector.observe(id, ts, sample, &mut |_, change| drops.push(change)).unwrap();
        }
        let _ = detector.observe(id, far, Sample::Count(1), &mut |_, change| drops.push(change));
        for change in drops {
            let (EpisodeChange::Opened(drop)
            | EpisodeChange::Reopened { whole: drop, .. }
            | EpisodeChange::Worse(drop)
            | EpisodeChange::Beyond(drop)
            | EpisodeChange::Closed(drop)
            | EpisodeChange::Overdue(drop)
            | EpisodeChange::Over(drop)) = change;
            prop_assert!(drop.onset <= drop.detected && drop.score.is_finite() && drop.expected.is_finite());
            prop_assert!(drop.ended.is_none_or(|ended| ended >= drop.detected));
        }
    }
}
