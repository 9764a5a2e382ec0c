//! Mail of set times: what is due and does not come is overdue, and what comes by chance is never due.

use super::fleet::{DAY_S, MONDAY, Random};
use super::{Channel, Drop, Sample, found};
use crate::episode::DropEnd;

const STEP_S: i64 = 300;

/// Jobs: minute of the day, weekdays, mails; each late by up to `jitter` minutes.
type Job = (i64, &'static [i64], u64);

const DAILY: &[i64] = &[0, 1, 2, 3, 4, 5, 6];
const NIGHTLY: [Job; 3] = [
    (2 * 60 + 3, DAILY, 1),
    (6 * 60 + 31, DAILY, 1),
    (18 * 60 + 17, DAILY, 1),
];

/// Counts of jobs and of `chance` mails a day besides, without what `is_lost` takes by day and job.
fn jobs(seed: u64, days: i64, jobs: &[Job], chance: f64, is_lost: impl Fn(i64, usize) -> bool) -> Vec<(i64, Sample)> {
    let mut random = Random::new(seed);
    let mut counts = vec![0; (days * DAY_S / STEP_S) as usize];
    for day in 0..days {
        for (job, (minute, weekdays, mails)) in jobs.iter().enumerate() {
            let late = (4.0 * random.unit()) as i64;
            if weekdays.contains(&(day % 7)) && !is_lost(day, job) {
                counts[((day * DAY_S + (minute + late) * 60) / STEP_S) as usize] += mails;
            }
        }
    }
    let counts = counts.into_iter().enumerate();
    let all = counts.map(|(step, count)| {
        let other = random.poisson(chance * STEP_S as f64 / DAY_S as f64);
        (MONDAY + step as i64 * STEP_S, Sample::Count(count + other))
    });
    all.collect()
}

fn overdue(samples: &[(i64, Sample)]) -> Vec<Drop> {
    let mut drops = found(STEP_S, samples);
    drops.retain(|drop| drop.channel == Channel::Schedule);
    drops
}

fn minutes(ts: i64, day: i64) -> i64 {
    (ts - MONDAY - day * DAY_S) / 60
}

#[test]
fn a_day_without_its_three_nightly_mails_is_overdue_within_the_day() {
    for seed in 0..4 {
        let samples = jobs(seed, 60, &NIGHTLY, 0.0, |day, _| day == 45);
        let told = overdue(&samples);
        assert_eq!(told.len(), 1, "seed {seed}: {told:?}");
        let (onset, detected) = (minutes(told[0].onset, 45), minutes(told[0].detected, 45));
        assert!((110..140).contains(&onset), "the first of them: {onset}");
        assert!((60..8 * 60).contains(&detected), "after one or two: {detected}");
        assert!((1440..1600).contains(&minutes(told[0].ended.unwrap(), 45)), "{told:?}");
        assert_eq!((told[0].end, told[0].provisional), (Some(DropEnd::Recovered), false));
    }
}

#[test]
fn the_one_job_that_fails_is_overdue_while_others_come() {
    let mut all: Vec<Job> = (0..24).map(|hour| (hour * 60 + 7, DAILY, 1)).collect();
    all.push((3 * 60 + 40, DAILY, 1));
    for seed in 10..13 {
        let samples = jobs(seed, 70, &all, 0.0, |day, job| job == 24 && (50..53).contains(&day));
        let told = overdue(&samples);
        assert_eq!(told.len(), 1, "seed {seed}: {told:?}");
        let detected = minutes(told[0].detected, 50);
        assert!((200..2 * 1440 - 60).contains(&detected), "seed {seed}: {detected}");
        assert!(
            (3 * 1440..3 * 1440 + 300).contains(&minutes(told[0].ended.unwrap(), 50)),
            "{told:?}"
        );
    }
}

#[test]
fn jobs_of_working_days_and_of_one_weekday_have_their_own_days() {
    let some: [Job; 2] = [(7 * 60, &[0, 1, 2, 3, 4], 1), (11 * 60, &[6], 1)];
    for seed in 20..23 {
        assert_eq!(overdue(&jobs(seed, 80, &some, 0.0, |_, _| false)), [], "seed {seed}");
        // The Sunday of the tenth week, and the next one.
        let told = overdue(&jobs(seed, 80, &some, 0.0, |day, job| job == 1 && day >= 69));
        assert_eq!(told.len(), 1, "seed {seed}: {told:?}");
        assert!((69..77).contains(&((told[0].detected - MONDAY) / DAY_S)), "{told:?}");
    }
}

#[test]
fn a_job_among_mail_of_people_is_overdue_too() {
    for seed in 30..33 {
        let samples = jobs(seed, 70, &[(4 * 60, DAILY, 1)], 4.0, |day, _| (50..56).contains(&day));
        let told = overdue(&samples);
        assert_eq!(told.len(), 1, "seed {seed}: {told:?}");
        assert!((51..55).contains(&((told[0].detected - MONDAY) / DAY_S)), "{told:?}");
    }
}

#[test]
fn a_job_that_was_removed_is_told_once_and_then_accepted() {
    for seed in 40..43 {
        let samples = jobs(seed, 100, &NIGHTLY, 0.0, |day, job| job == 1 && day >= 50);
        let told = overdue(&samples);
        assert_eq!(told.len(), 1, "seed {seed}: {told:?}");
        assert_eq!(told[0].end, Some(DropEnd::Accepted(5)), "{told:?}");
    }
}

#[test]
fn what_comes_by_chance_is_never_overdue() {
    for seed in 50..54 {
        for per_day in [1.0, 3.0, 12.0, 60.0, 300.0] {
            let told = overdue(&jobs(seed, 150, &[], per_day, |_, _| false));
            assert_eq!(told, [], "{per_day} a day, seed {seed}");
        }
        // A batch a night, at an hour that varies.
        let mut random = Random::new(seed);
        let mut batch = jobs(seed, 150, &[], 0.0, |_, _| false);
        for day in 0..150 {
            let hour = (2.0 * (0.4 * random.normal()).exp()).min(9.0);
            batch[((day * DAY_S + (hour * 3_600.0) as i64) / STEP_S) as usize].1 = Sample::Count(400);
        }
        assert_eq!(overdue(&batch), [], "seed {seed}");
    }
}
