//! The detection that stops, starts again and judges again finds what one straight run over all rows finds.

use super::Live;
use super::fake::{DAY, Dice, Fake, MONDAY, ONE, TWO, fleet};
use crate::analysis::alarms::{alarm_json, notice_id};
use crate::analysis::expected::{Picture, draw};
use crate::analysis::expected_ranges::{BucketGrid, ExpectedRanges};
use crate::analysis::judgement::LiveJudge;
use crate::analysis::kept::{BUCKETS_MIN, Kept};
use crate::analysis::present::{Replay, replay};
use crate::detect::engine::Options;
use crate::detect::fleet::{Fleet, Id};
use crate::detect::holidays::Holidays;
use crate::model::direction::DirectionView;
use crate::model::time::{DAY_MIN, HOUR_MS, MINUTE_MS, Minute, UtcMs};
use crate::query::Window;
use crate::query::rates::{By, RateQuestion};
use crate::query::series::{Series, SeriesSet};

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

/// The first minute of the day of the trouble.
const DAY_OF_IT: i64 = MONDAY + 7 * DAY;
/// A relay takes nothing for an hour.
const STOP: i64 = DAY_OF_IT + 10 * 60;
const START: i64 = STOP + 60;

fn outage(days: i64) -> Fleet {
    fleet(5, days, (STOP, START))
}

fn options() -> Options {
    Options {
        volume: false,
        ..Options::default()
    }
}

/// What is known of all alarms, without what depends on when a name was first seen.
fn alarms(live: &Live) -> Vec<String> {
    let names = live.names();
    let shown = live.engine.groups.shown();
    shown.map(|alarm| format!("{:#}", alarm_json(alarm, names))).collect()
}

/// Scope, onset, end and members of all alarms.
fn outline(live: &Live) -> Vec<(String, Minute, Option<Minute>, BTreeSet<Id>)> {
    let of = |alarm: &crate::detect::alarm::Alarm| {
        let members = alarm.members.iter().map(|member| member.service).collect();
        (format!("{:?}", alarm.scope), alarm.onset, alarm.ended, members)
    };
    live.engine.groups.shown().map(of).collect()
}

fn straight(store: &Fake, options: &Options) -> Live {
    let mut live = Live::new(options.clone());
    live.step(store, store.now_ms()).unwrap();
    live
}

/// Steps by the minute from one minute to another, and begins anew where it is told to.
fn watch(store: &Fake, kept: &Kept, (from, to): (i64, i64), mut is_killed: impl FnMut(i64) -> bool) -> Live {
    let mut live = Live::keeping(options(), kept.clone());
    for now in from..to {
        if is_killed(now) {
            live = Live::keeping(options(), kept.clone());
        }
        store.now.set(now);
        live.step(store, store.now_ms()).unwrap();
    }
    live
}

#[test]
fn killed_at_random_minutes_it_finds_what_a_straight_run_finds() {
    for (seed, digests) in [(1, false), (2, true)] {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(&folder.path().join("detection"));
        let mut store = Fake::new(outage(8), |at, _| at);
        store.digests = digests;
        let mut random = Dice(seed);
        let mut kills = 0;
        let live = watch(&store, &kept, (STOP - 100, START + 90), |_| {
            let is_killed = random.unit() < 0.08;
            kills += i64::from(is_killed);
            is_killed
        });
        assert!(kills > 10, "{kills}");
        assert_eq!(live.next, Some(Minute::new(START + 89)));
        let found = alarms(&live);
        assert!(found.iter().any(|alarm| alarm.contains("mx1001")), "{found:?}");
        // It began with the whole history, and went on from minutes before each kill.
        let days = store
            .asked
            .take()
            .into_iter()
            .filter(|from| *from < DAY_OF_IT - DAY)
            .count();
        assert_eq!(days, 6, "the history is read once");
        assert_eq!(found, alarms(&straight(&store, &options())), "seed {seed}");
    }
}

#[test]
fn volumes_go_on_as_well() {
    let options = Options::default();
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::new(folder.path());
    let store = Fake::new(outage(8), |at, _| at);
    for now in [DAY_OF_IT + 300, STOP + 7, START + 30] {
        store.now.set(now);
        let mut live = Live::keeping(options.clone(), kept.clone());
        live.step(&store, store.now_ms()).unwrap();
        assert_eq!(alarms(&live), alarms(&straight(&store, &options)));
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_host_whose_rows_come_late_is_judged_again_and_the_alarm_keeps_its_id() {
    for digests in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path());
        // What the second relay says comes seven minutes later, from a while before the trouble on.
        let late = |at: i64, host: Id| if host == TWO && at > STOP - 50 { at + 7 } else { at };
        let mut store = Fake::new(outage(8), late);
        store.digests = digests;
        let mut live = Live::keeping(options(), kept.clone());
        let mut ids = BTreeSet::new();
        for now in STOP - 60..START + 45 {
            store.now.set(now);
            live.step(&store, store.now_ms()).unwrap();
            let mail = live.engine.groups.told().filter(|alarm| alarm.state.is_about_mail());
            let begun = mail.filter(|alarm| alarm.onset > Minute::new(STOP - 60));
            ids.extend(begun.map(|alarm| notice_id(alarm, live.names())));
        }
        assert_eq!(ids.len(), 1, "{ids:?}");
        // Everything has come.
        store.now.set((store.fleet.span().1 + 30).get());
        live.step(&store, store.now_ms()).unwrap();
        assert_eq!(
            outline(&live),
            outline(&straight(&store, &options())),
            "digests: {digests}"
        );
    }
}

#[test]
fn a_source_that_is_a_little_behind_is_waited_for_and_one_that_is_far_behind_is_not() {
    for (behind, waits) in [(0, 0), (2, 2), (3, 3), (8, 3)] {
        let store = Fake::new(fleet(6, 8, (0, 0)), move |at, host| {
            at + if host == TWO { behind } else { 0 }
        });
        let mut live = Live::new(options());
        for now in STOP..STOP + 3 {
            store.now.set(now);
            live.step(&store, store.now_ms()).unwrap();
            assert_eq!(live.next, Some(Minute::new(now - waits)), "{behind} minutes behind");
        }
        let read_again = store
            .asked
            .borrow()
            .iter()
            .filter(|from| **from > DAY_OF_IT)
            .min()
            .copied();
        if behind <= 3 {
            assert!(read_again.unwrap() >= STOP - waits, "nothing is judged again");
        }
    }
}

#[test]
fn rows_of_hours_ago_count_within_the_hour_and_what_they_empty_is_gone() {
    for digests in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path());
        let quiet = fleet(6, 8, (0, 0));
        // An archive: the first relay's rows of two hours come four hours later, all at once. Others said it took mail.
        let archive = |at: i64, host: Id| match host == ONE && (STOP..START).contains(&at) {
            true => START + 240,
            false => at,
        };
        let mut store = Fake::new(quiet, archive);
        store.digests = digests;
        let mut live = watch(&store, &kept, (STOP - 30, START + 239), |_| false);
        let blind = outline(&live)
            .into_iter()
            .filter(|(_, onset, ..)| *onset > Minute::new(STOP - 60));
        assert!(blind.count() > 0, "a log that does not arrive is an alarm");
        for now in START + 239..START + 302 {
            store.now.set(now);
            live.step(&store, store.now_ms()).unwrap();
        }
        assert_eq!(outline(&live), outline(&straight(&store, &options())));
        let left = outline(&live)
            .into_iter()
            .filter(|(_, onset, ..)| *onset > Minute::new(STOP - 60));
        assert_eq!(left.count(), 0);
    }
}

#[test]
fn readers_begin_at_the_nearest_snapshot_and_answer_as_a_full_replay_does() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::new(folder.path());
    let none = Kept::new(&folder.path().join("none"));
    let store = Fake::new(outage(8), |at, _| at);
    watch(&store, &kept, (START + 60, START + 61), |_| false);
    let at: Vec<i64> = kept.list().iter().map(|(at, _)| at.get()).collect();
    assert!(at.contains(&DAY_OF_IT) && at.contains(&(DAY_OF_IT - 5 * DAY)), "{at:?}");
    for until in [START + 60, START - 30, STOP + 3, DAY_OF_IT - 3 * DAY + 77] {
        let until_ms = until * 60_000;
        let ask = |kept: &Kept| {
            store.asked.borrow_mut().clear();
            let found = replay(&store, kept, options(), UtcMs::new(until_ms), store.now_ms()).unwrap();
            let first = store.asked.borrow().first().copied().unwrap_or(until);
            let told = found
                .engine
                .groups
                .shown()
                .map(|alarm| format!("{alarm:?}"))
                .collect::<Vec<_>>();
            (told, found.span, first)
        };
        let (quick, full) = (ask(&kept), ask(&none));
        assert_eq!((&quick.0, quick.1), (&full.0, full.1), "{until}");
        assert!(full.2 < MONDAY + DAY && quick.2 > until - DAY, "{} {}", quick.2, full.2);
    }
    // What is to be seen minute by minute is still to come.
    let mut history = Replay::begin(
        &store,
        &kept,
        options(),
        (UtcMs::new(STOP * 60_000), UtcMs::new(START * 60_000)),
        store.now_ms(),
    )
    .unwrap();
    let first = history.next_part().unwrap().unwrap()[0].at;
    assert!(
        first <= Minute::new(STOP) && first > Minute::new(STOP - 180),
        "{first:?}"
    );
}

#[test]
fn who_may_not_write_keeps_snapshots_in_memory_and_answers_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = Fake::new(outage(8), |at, _| at);
    let begins = |kept: &Kept| {
        store.asked.borrow_mut().clear();
        let until_ms = (START + 30) * 60_000;
        let found = replay(&store, kept, options(), UtcMs::new(until_ms), store.now_ms()).unwrap();
        let first = store.asked.borrow()[0];
        let told = found.engine.groups.shown().map(|alarm| format!("{alarm:?}"));
        (told.collect::<Vec<_>>(), found.span, first)
    };
    let full = begins(&Kept::new(folder.path()));
    let live = Kept::with_memory(folder.path());
    Live::reading(options(), live.clone())
        .step(&store, store.now_ms())
        .unwrap();
    let standing = Kept::with_memory(folder.path());
    let mut judge = LiveJudge::new(options(), standing.clone());
    judge.until(&store, store.now_ms()).unwrap();
    for kept in [live, standing] {
        let quick = begins(&kept);
        assert_eq!((&quick.0, quick.1), (&full.0, full.1));
        assert!(full.2 < MONDAY + DAY && quick.2 > START - DAY, "{} {}", quick.2, full.2);
        assert!(kept.list().is_empty(), "nothing is written to the folder");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn readers_pass_over_snapshots_of_which_rows_changed() {
    for digests in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path());
        let archive =
            |at: i64, host: Id| match host == TWO && (DAY_OF_IT - 3 * DAY + 60..DAY_OF_IT - 2 * DAY).contains(&at) {
                true => START + 100,
                false => at,
            };
        let mut store = Fake::new(outage(8), archive);
        store.digests = digests;
        watch(&store, &kept, (START + 60, START + 61), |_| false);
        let newest = |until| {
            kept.newest(&store, &options(), (Minute::MIN, until))
                .unwrap()
                .map(|found| found.at)
        };
        assert_eq!(newest(Minute::MAX), Some(Minute::new(START + 60)));
        store.now.set(START + 101);
        assert_eq!(
            newest(Minute::MAX),
            Some(Minute::new(DAY_OF_IT - 3 * DAY)),
            "digests: {digests}"
        );
        // A start judges them, whatever their age.
        let live = watch(&store, &kept, (START + 101, START + 102), |_| false);
        assert_eq!(outline(&live), outline(&straight(&store, &options())));
        assert!(newest(Minute::MAX) > Some(Minute::new(START + 80)));
    }
}

#[test]
fn what_does_not_fit_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::new(folder.path());
    let store = Fake::new(outage(8), |at, _| at);
    watch(&store, &kept, (START, START + 1), |_| false);
    let newest = |options: &Options| {
        kept.newest(&store, options, (Minute::MIN, Minute::MAX))
            .unwrap()
            .map(|found| found.at)
    };
    assert_eq!(newest(&options()), Some(Minute::new(START)));
    let mut others = options();
    others.rhythms.usual.holidays = Arc::new(Holidays::parse("2018-05-21\n").unwrap());
    assert_eq!(newest(&others), None, "another configuration");
    // The newest is cut off, the one before has a flipped bit, the one before that is of another version of the program.
    let files: Vec<_> = kept
        .list()
        .iter()
        .rev()
        .map(|(at, _)| folder.path().join(format!("{}.kept", at.get())))
        .collect();
    let all: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    fs::write(&files[0], &all[0][..all[0].len() / 2]).unwrap();
    let mut flipped = all[1].clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&files[1], flipped).unwrap();
    let mut newer = all[2].clone();
    newer[12] += 1;
    fs::write(&files[2], newer).unwrap();
    fs::write(folder.path().join("99999999.kept"), b"").unwrap();
    let fourth: i64 = kept.list().iter().rev().nth(4).unwrap().0.get();
    assert_eq!(newest(&options()), Some(Minute::new(fourth)));
}

#[test]
fn a_disk_that_takes_nothing_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder should be: no snapshot can be written.
    let path = folder.path().join("detection");
    fs::write(&path, b"").unwrap();
    let store = Fake::new(outage(8), |at, _| at);
    let live = watch(&store, &Kept::new(&path), (START, START + 20), |_| false);
    assert_eq!(alarms(&live), alarms(&straight(&store, &options())));
}

#[test]
fn what_a_kill_left_goes_and_files_are_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = Fake::new(outage(8), |at, _| at);
    let kept = Kept::new(folder.path());
    fs::write(folder.path().join("25440480.tmp"), b"half").unwrap();
    watch(&store, &kept, (START, START + 1), |_| false);
    let names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let is_known = |name: &String| name.ends_with(".kept") || name == "expected.hours";
    assert!(names.iter().all(is_known), "{names:?}");
    for name in names {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0);
    }
}

#[test]
fn snapshots_are_by_the_quarter_by_the_day_and_by_the_week_and_within_their_bytes() {
    let now = MONDAY + 100 * DAY + 700;
    let wanted: Vec<i64> = (MONDAY..=now)
        .filter(|at| Kept::is_wanted(Minute::new(*at), Minute::new(now)))
        .collect();
    let in_days = |from: i64, to: i64| {
        wanted
            .iter()
            .filter(|at| (now - to * DAY..now - from * DAY).contains(*at))
            .count()
    };
    assert_eq!(wanted.iter().filter(|at| now - **at < 120).count(), 8);
    assert_eq!(in_days(2, 14), 12);
    assert_eq!(in_days(15, 101), 13, "Mondays");
    // Within a bound the newest stay, and the gaps grow with the age.
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::new(folder.path());
    let store = Fake::new(outage(8), |at, _| at);
    let live = watch(&store, &kept, (START, START + 1), |_| false);
    let bytes: u64 = kept.list().iter().map(|(_, bytes)| bytes).sum();
    let count = kept.list().len();
    assert!(count > 15, "{count}");
    let put = |bytes_max| {
        let at = live.next.unwrap();
        kept.put(&live.standing(at), live.subject.as_ref().unwrap(), bytes_max)
            .unwrap();
    };
    put(bytes / 2);
    let left = kept.list();
    assert!(left.iter().map(|(_, bytes)| bytes).sum::<u64>() <= bytes / 2);
    assert_eq!(left.last().unwrap().0, Minute::new(START));
    assert!(left[0].0 < Minute::new(DAY_OF_IT - 3 * DAY), "{left:?}");
    put(0);
    assert_eq!(kept.list().len(), 2);
}

/// What was expected of each bucket of each length that is written down, of all that sends, by kind and name.
fn ranges_of(
    ranges: &ExpectedRanges,
    names: &crate::detect::fleet::Names,
    span: (UtcMs, UtcMs),
) -> Vec<Option<(f64, f64)>> {
    let named = |kind: &'static str, all: &[String]| all.iter().map(|name| (kind, name.clone())).collect::<Vec<_>>();
    let senders = [
        named("service", &names.services),
        named("hostgroup", &names.hostgroups),
        named("relay", &names.hosts),
    ]
    .concat();
    let mut found = Vec::new();
    for minutes in BUCKETS_MIN {
        let grid = BucketGrid::of(minutes * MINUTE_MS, span.0);
        for start_ms in grid.starts(span.0, span.1) {
            let of = |(kind, name): &(&'static str, String)| {
                let expected = ranges.expected(grid, start_ms, (kind, name))?;
                let (low, high) = expected.range();
                // Sums of sums differ in the last digits.
                Some(((low * 1e6).round(), (high * 1e6).round()))
            };
            found.extend(senders.iter().map(of));
        }
    }
    found
}

/// What is missing of all grids.
fn missing(ranges: &ExpectedRanges, store: &Fake, kept: &Kept, span: (UtcMs, UtcMs)) -> Vec<Option<(UtcMs, UtcMs)>> {
    let options = Options::default();
    let of = |minutes: i64| {
        let grid = BucketGrid::of(minutes * MINUTE_MS, span.0);
        let buckets = (grid, span.0, span.1);
        ranges.missing(store, (kept, &options), buckets).unwrap()
    };
    BUCKETS_MIN.map(of).to_vec()
}

#[test]
fn what_was_expected_of_hours_is_written_down_as_a_replay_finds_it() {
    let options = Options::default();
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::new(&folder.path().join("detection"));
    // Some rows come two hours late: they are judged again.
    let late = |at: i64, host: Id| if host == TWO && at == STOP - 70 { at + 120 } else { at };
    let store = Fake::new(outage(8), late);
    let end = DAY_OF_IT + DAY - 1;
    let mut live = Live::keeping(options.clone(), kept.clone());
    for (now, is_killed) in [
        (DAY_OF_IT - 2 * DAY + 37, true),
        (DAY_OF_IT + 322, true),
        (STOP - 61, false),
        (STOP - 8, true),
        (STOP + 7, true),
        (STOP + 60, false),
        (STOP + 190, false),
        (end, false),
    ] {
        store.now.set(now);
        live.step(&store, store.now_ms()).unwrap();
        if is_killed {
            live = Live::keeping(options.clone(), kept.clone());
        }
    }
    let until = live.next.unwrap().floor_to(DAY_MIN).start();
    let span = (Minute::new(DAY_OF_IT - 8 * DAY).start(), until);
    let read = ExpectedRanges::default();
    assert_eq!(missing(&read, &store, &kept, span), vec![None; BUCKETS_MIN.len()]);
    let (replayed, nothing) = (ExpectedRanges::default(), Kept::new(&folder.path().join("nothing")));
    for minutes in BUCKETS_MIN {
        let grid = BucketGrid::of(minutes * MINUTE_MS, span.0);
        let of = (&nothing, &options);
        replayed
            .fill(&store, of, (grid, span.0, span.1), store.now_ms())
            .unwrap();
    }
    let found = ranges_of(&read, live.names(), span);
    assert!(
        found.iter().flatten().any(|(low, _)| *low > 0.0),
        "something is expected"
    );
    assert_eq!(found, ranges_of(&replayed, live.names(), span));
}

#[test]
fn hours_count_up_to_the_first_row_that_came_since() {
    let options = Options::default();
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::new(folder.path());
    let changed = DAY_OF_IT + 3 * 60 + 5;
    let store = Fake::new(
        outage(8),
        move |at, host| if host == TWO && at == changed { STOP } else { at },
    );
    store.now.set(STOP - 1);
    Live::keeping(options.clone(), kept.clone())
        .step(&store, store.now_ms())
        .unwrap();
    let span = (Minute::new(DAY_OF_IT).start(), Minute::new(DAY_OF_IT + 6 * 60).start());
    let all = vec![None; BUCKETS_MIN.len() - 1];
    assert_eq!(missing(&ExpectedRanges::default(), &store, &kept, span)[..3], all);
    store.now.set(STOP);
    let hour = |hours: i64| span.0 + hours * HOUR_MS;
    let since = |hours: i64| Some((hour(hours), span.1));
    assert_eq!(
        missing(&ExpectedRanges::default(), &store, &kept, span)[..3],
        [since(3), since(3), since(0)],
        "what comes after the row is replayed"
    );
    // What is damaged is replayed, too.
    store.now.set(STOP - 1);
    let path = folder.path().join("expected.hours");
    let whole = fs::read(&path).unwrap();
    for at in [0, 9, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(
            missing(&ExpectedRanges::default(), &store, &kept, span)[0],
            since(0),
            "byte {at}"
        );
    }
}

/// Draws the mail of a service in buckets of an hour; the picture, and how often the first days were read for it.
fn drawn(store: &Fake, kept: &Kept, service: &str, (from, until): (i64, i64)) -> (SeriesSet, usize) {
    let window = Window {
        since_ms: Minute::new(from).start(),
        until_ms: Minute::new(until).start(),
    };
    let question = RateQuestion::accepted(window, HOUR_MS, By::Service, DirectionView::Outbound);
    let series = Series {
        name: service.to_owned(),
        points: vec![Some(1.0); ((until - from) / 60) as usize],
        expected: None,
    };
    let mut set = SeriesSet {
        start_ms: window.since_ms,
        step_ms: HOUR_MS,
        series: vec![series],
        ..SeriesSet::default()
    };
    store.asked.take();
    let picture = Picture {
        question: &question,
        set: &mut set,
    };
    draw(store, kept, Options::default(), picture, store.now_ms()).unwrap();
    let reads = store.asked.take();
    (set, reads.into_iter().filter(|at| *at < DAY_OF_IT - 6 * DAY).count())
}

#[test]
fn a_picture_is_the_same_by_hours_that_are_kept_and_by_one_replay() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::new(&folder.path().join("detection"));
    let store = Fake::new(outage(8), |at, _| at);
    store.now.set(START + 30);
    let mut live = Live::keeping(Options::default(), kept.clone());
    live.step(&store, store.now_ms()).unwrap();
    let service = live.names().services[0].clone();
    let nothing = Kept::new(&folder.path().join("nothing"));
    for (from, until) in [
        (DAY_OF_IT - 8 * DAY, DAY_OF_IT),
        (DAY_OF_IT - 60, START + 60),
        (DAY_OF_IT, DAY_OF_IT + DAY),
    ] {
        let (read, of_old_days) = drawn(&store, &kept, &service, (from, until));
        let (replayed, of_one_replay) = drawn(&store, &nothing, &service, (from, until));
        assert!(read.series[0].expected.iter().flatten().any(Option::is_some));
        let rounded = |set: &SeriesSet| -> Vec<Option<(i64, i64)>> {
            let ranges = set.series[0].expected.iter().flatten();
            let whole = |number: f64| (number * 1e6).round() as i64;
            ranges
                .map(|range| range.map(|(low, high)| (whole(low), whole(high))))
                .collect()
        };
        assert_eq!(rounded(&read), rounded(&replayed));
        assert_eq!((of_old_days, of_one_replay), (0, 1), "no history is replayed twice");
    }
}
