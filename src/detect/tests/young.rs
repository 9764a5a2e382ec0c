//! The first two months of a series: it knows little of its noise, and raises no more false alarms than later.

use super::super::detector::Sample;
use super::fleet::{DAY_S, MONDAY, Random, Service};
use super::{alarms, found};

/// Days that are judged: from the first certain finding on, to the day on which a series is young no more.
const JUDGED: std::ops::Range<i64> = 14..60;

/// One batch a night, whose hour and size vary with a fat tail, and nothing else.
fn nightly_batch(seed: u64, days: i64) -> Vec<(i64, Sample)> {
    let mut random = Random::new(seed);
    let mut counts = vec![0; (days * 288) as usize];
    for day in 0..days {
        let hour = (2.0_f64.ln() + 0.4 * random.normal()).exp().min(9.0);
        let mails = (400.0_f64.ln() + 0.4 * random.normal()).exp() as i64;
        for mail in 0..mails {
            let second = day * DAY_S + (hour * 3_600.0) as i64 + 2 * mail;
            counts[(second / 300) as usize] += 1;
        }
    }
    let steps = counts.into_iter().zip(0..);
    steps
        .map(|(count, step)| (MONDAY + step * 300, Sample::Count(count)))
        .collect()
}

#[test]
fn a_quiet_series_keeps_the_budget_in_its_first_two_months() {
    let (mut told, mut series) = (0, 0);
    for per_day in [8.0, 30.0, 100.0, 400.0, 4_000.0] {
        for seed in 0..4 {
            let service = Service::quiet(3_000 + seed * 31 + per_day as u64, per_day);
            let drops = found(service.grain_s(), &service.samples(JUDGED.end));
            told += alarms(&drops, JUDGED.start * DAY_S, JUDGED.end * DAY_S).len();
            series += 1;
        }
    }
    // One in 90 days each, and two standard deviations of their sum.
    let due = f64::from(series) * (JUDGED.end - JUDGED.start) as f64 / 90.0;
    assert!(
        told as f64 <= due + 2.0 * due.sqrt(),
        "{told} alarms of {series} series where {due:.1} are due"
    );
}

#[test]
fn a_nightly_batch_with_a_fat_tail_is_late_now_and_then_without_an_alarm() {
    let mut told = 0;
    for seed in 0..6 {
        let drops = found(300, &nightly_batch(seed, JUDGED.end));
        told += drops.iter().filter(|drop| !drop.provisional).count();
    }
    // Twice the budget: with a margin for young series that knows nothing of their noise, it was 15.
    assert!(told <= 8, "{told} alarms of six batches in {} days", JUDGED.end);
}
