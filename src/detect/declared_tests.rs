//! Mail that is declared: late, early, missing, unseen, on holidays, and through changes of clocks.

use super::alarm::{Alarm, Scope, State, Turn};
use super::declared::{DeclaredState, DeclaredTime, DeclaredTurn, DueOutcome, look_back};
use super::engine::{Engine, Options};
use super::fleet::{Fleet, Flow, FlowKind, Id, LogMinute};
use super::holidays::Holidays;
use super::sample::{DAY, MONDAY, NIGHT, ONE, Rng, TWO, Trouble, fleet};
use jiff::civil::{Time, time};
use jiff::tz::TimeZone;
use mailpulse_time::{Minute, UtcS};
use std::collections::BTreeSet;
use std::sync::Arc;

const WORKDAYS: u8 = 0x1f;
const ALL: u8 = 0x7f;

fn minute(text: &str) -> Minute {
    UtcS::from(text.parse::<jiff::Timestamp>().unwrap()).minute()
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn daily(time: Time, zone: TimeZone) -> DeclaredTime {
    DeclaredTime {
        service: "backup".to_owned(),
        time,
        grace_min: 20,
        weekdays: ALL,
        zone,
        holidays: None,
    }
}

/// What is said of a time over the minutes `[from, to)`, with the minutes in which it is.
fn said(
    time: &DeclaredTime,
    (from, to): (Minute, Minute),
    count: impl Fn(Minute) -> Option<u32>,
) -> Vec<(Minute, DeclaredTurn)> {
    let (mut state, times) = (DeclaredState::default(), [time.clone()]);
    let step = |at: Minute| {
        state
            .step(at, &times, |_| count(at))
            .into_iter()
            .map(move |turn| (at, turn))
    };
    from.up_to(to).flat_map(step).collect()
}

fn mail_at(minutes: &[&str]) -> impl Fn(Minute) -> Option<u32> {
    let minutes: BTreeSet<Minute> = minutes.iter().map(|text| minute(text)).collect();
    move |at| Some(u32::from(minutes.contains(&at)))
}

#[test]
fn a_mail_is_overdue_in_the_minute_after_its_deadline_and_until_it_comes() {
    let time = daily(time(6, 10, 0, 0), berlin());
    // 06:10 in Berlin is 04:10 UTC.
    let span = (minute("2018-06-05T12:00Z"), minute("2018-06-08T12:00Z"));
    let found = said(
        &time,
        span,
        mail_at(&["2018-06-06T03:50Z", "2018-06-07T05:17Z", "2018-06-08T04:30Z"]),
    );
    assert_eq!(found.len(), 2, "{found:#?}");
    let (at, opened) = &found[0];
    assert_eq!(*at, minute("2018-06-07T04:30Z"));
    let Turn::Opened(finding) = opened.turn else {
        panic!("{opened:?}")
    };
    assert_eq!(
        (finding.onset, finding.provisional),
        (minute("2018-06-07T04:10Z").get(), false)
    );
    assert_eq!(
        opened.words,
        "backup was to send mail at 06:10 ± 20 min (declared), and none came by 06:30 Europe/Berlin"
    );
    assert_eq!(found[1].1.turn, Turn::Closed(minute("2018-06-07T05:17Z").get()));
    assert_eq!(found[1].1.words, "it came 67 min late, at 07:17 Europe/Berlin");
}

#[test]
fn days_without_mail_are_one_alarm_and_the_next_mail_in_time_ends_it() {
    let time = daily(time(6, 10, 0, 0), TimeZone::UTC);
    let span = (minute("2018-06-05T12:00Z"), minute("2018-06-09T12:00Z"));
    let found = said(&time, span, mail_at(&["2018-06-09T05:55Z"]));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!(found[0].0, minute("2018-06-06T06:30Z"));
    assert_eq!(found[1].0, minute("2018-06-09T05:55Z"));
    assert_eq!(found[1].1.words, "3 did not come at all; the next came at 05:55 UTC");
    let late = said(&time, span, mail_at(&["2018-06-08T09:10Z", "2018-06-09T06:10Z"]));
    assert_eq!(
        late[1].1.words,
        "it came 3 h 0 min late, at 09:10 UTC; 2 did not come at all"
    );
}

#[test]
fn what_comes_before_its_time_is_not_in_time() {
    let time = daily(time(6, 10, 0, 0), TimeZone::UTC);
    let span = (minute("2018-06-05T12:00Z"), minute("2018-06-06T12:00Z"));
    assert_eq!(said(&time, span, mail_at(&["2018-06-06T05:49Z"])).len(), 1);
    assert_eq!(said(&time, span, mail_at(&["2018-06-06T05:50Z"])).len(), 0);
}

#[test]
fn nothing_is_said_of_a_time_that_nobody_saw_throughout() {
    let time = daily(time(6, 10, 0, 0), TimeZone::UTC);
    let span = (minute("2018-06-05T12:00Z"), minute("2018-06-06T12:00Z"));
    let blind = minute("2018-06-06T06:05Z")..minute("2018-06-06T06:07Z");
    let unseen = |at| (!blind.contains(&at)).then_some(0);
    assert_eq!(said(&time, span, unseen), []);
    // It began in the middle of its time.
    let begun = (minute("2018-06-06T06:00Z"), span.1);
    assert_eq!(said(&time, begun, |_| Some(0)), []);
    assert_eq!(said(&time, span, |_| Some(0)).len(), 1, "seen, it is overdue");
}

#[test]
fn a_year_of_clocks_that_change_has_no_false_alarm() {
    // 02:30 does not exist on 2018-03-25, and exists twice on 2018-10-28.
    for (hour, grace) in [(2, 5), (3, 5), (6, 20), (0, 5), (23, 30)] {
        let time = DeclaredTime {
            grace_min: grace,
            ..daily(time(hour, 30, 0, 0), berlin())
        };
        let span = (minute("2018-01-01T12:00Z"), minute("2018-12-31T12:00Z"));
        let mut random = Rng(u64::from(hour.unsigned_abs()));
        let mut days = BTreeSet::new();
        let mut at = span.0;
        while let Some(mail) = time.next(at).filter(|mail| mail.until < span.1) {
            // Programs choose one of the two moments, or that after the change.
            let length = mail.until - mail.from + 1;
            days.insert(mail.from + (random.unit() * length as f64) as i64);
            at = mail.until + 1;
        }
        assert_eq!(days.len(), 364, "a mail a day at {hour}:30");
        let found = said(&time, span, |at| Some(u32::from(days.contains(&at))));
        assert_eq!(found, [], "{hour}:30");
        // By the clock on the wall, however a program reads a time that is not there, or twice.
        let cron = |at: Minute| {
            let zoned = at.start().timestamp().unwrap().to_zoned(berlin());
            let is_it = (zoned.hour(), zoned.minute()) == (hour, 30);
            let is_after_gap = hour == 2 && at == minute("2018-03-25T01:00Z");
            Some(u32::from(is_it || is_after_gap))
        };
        assert_eq!(said(&time, span, cron), [], "{hour}:30 by the wall");
    }
}

#[test]
fn weekdays_and_holidays_are_those_of_its_own_wall() {
    let holidays = Some(Arc::new(Holidays::parse("2018-06-06\n").unwrap()));
    let time = DeclaredTime {
        weekdays: WORKDAYS,
        holidays,
        ..daily(time(0, 30, 0, 0), berlin())
    };
    // From Friday to Thursday; 00:30 in Berlin is 22:30 UTC of the day before.
    let span = (minute("2018-06-01T12:00Z"), minute("2018-06-07T12:00Z"));
    let due: Vec<Minute> = look_back(&time, span, |_| Some(0))
        .iter()
        .map(|(mail, _)| mail.due)
        .collect();
    let expected = ["2018-06-03T22:30Z", "2018-06-04T22:30Z", "2018-06-06T22:30Z"];
    assert_eq!(due, expected.map(minute), "Monday, Tuesday, and Thursday");
    let always = DeclaredTime { holidays: None, ..time };
    assert_eq!(look_back(&always, span, |_| Some(0)).len(), 4);
}

#[test]
fn a_look_back_counts_what_came_what_did_not_and_what_nobody_saw() {
    let time = daily(time(6, 10, 0, 0), TimeZone::UTC);
    let span = (minute("2018-06-05T12:00Z"), minute("2018-06-08T12:00Z"));
    let count = |at: Minute| match at {
        at if at == minute("2018-06-06T06:00Z") => Some(2),
        at if at == minute("2018-06-08T06:20Z") => None,
        _ => Some(0),
    };
    let outcomes: Vec<DueOutcome> = look_back(&time, span, count)
        .into_iter()
        .map(|(_, found)| found)
        .collect();
    assert_eq!(outcomes, [DueOutcome::OnTime, DueOutcome::Missed, DueOutcome::Unknown]);
}

/// A fleet of some services and a backup that sends a mail at 02:05 UTC of each day but some.
fn with_backup(days: i64, missing: std::ops::Range<i64>) -> (Fleet, Id) {
    let mut fleet = fleet(1, days, &NIGHT[..2], &Trouble::default());
    let backup = fleet.names.services.len() as Id;
    fleet.names.services.push("backup".to_owned());
    for minute in &mut fleet.minutes {
        if minute.at.get().rem_euclid(DAY) == 125 && !missing.contains(&minute.at.get()) {
            minute.flows.push(Flow {
                service: backup,
                hostgroup: 7,
                host: ONE,
                what: FlowKind::Accepted,
                count: 1,
            });
        }
    }
    (fleet, backup)
}

fn told(fleet: &Fleet, declared: DeclaredTime, service: Id) -> Vec<Alarm> {
    let options = Options {
        declared: [declared].into(),
        ..Options::default()
    };
    let engine = Engine::replay(fleet, options);
    let about = |alarm: &&Alarm| alarm.scope == Scope::Service(service);
    engine.groups.told().filter(about).cloned().collect()
}

#[test]
fn a_declared_mail_is_an_alarm_in_its_first_week_and_replaces_what_is_learned_of_it() {
    for (days, missing) in [
        (5, MONDAY + 3 * DAY..MONDAY + 4 * DAY),
        (45, MONDAY + 40 * DAY..MONDAY + 43 * DAY),
    ] {
        let (fleet, backup) = with_backup(days, missing.clone());
        let alarms = told(&fleet, daily(time(2, 10, 0, 0), TimeZone::UTC), backup);
        assert_eq!(alarms.len(), 1, "{alarms:#?}");
        let alarm = &alarms[0];
        assert_eq!(alarm.state, State::Overdue);
        assert_eq!(alarm.onset, Minute::new(missing.start + 130));
        assert_eq!(
            alarm.detected,
            Minute::new(missing.start + 151),
            "a minute after the deadline"
        );
        assert_eq!(alarm.ended, Some(Minute::new(missing.end + 125)));
        assert!(
            alarm.evidence[0].contains("(declared), and none came by 02:30 UTC"),
            "{alarm:#?}"
        );
        assert!(
            alarm.evidence.last().unwrap().contains("did not come at all"),
            "{alarm:#?}"
        );
        assert!(
            !alarm.evidence.iter().any(|words| words.contains("set times")),
            "{alarm:#?}"
        );
    }
}

#[test]
fn a_time_that_is_learned_and_not_declared_stays_learned() {
    let missing = MONDAY + 40 * DAY..MONDAY + 43 * DAY;
    let (fleet, backup) = with_backup(45, missing);
    let sunday = DeclaredTime {
        weekdays: 0x40,
        ..daily(time(14, 0, 0, 0), TimeZone::UTC)
    };
    let alarms = told(&fleet, sunday, backup);
    let learned = alarms
        .iter()
        .any(|alarm| alarm.evidence.iter().any(|words| words.contains("set times")));
    assert!(learned, "{alarms:#?}");
}

#[test]
fn a_log_that_does_not_arrive_makes_nothing_overdue() {
    let missing = MONDAY + 3 * DAY..MONDAY + 4 * DAY;
    let (mut fleet, backup) = with_backup(5, missing.clone());
    for minute in fleet
        .minutes
        .iter_mut()
        .filter(|minute| missing.contains(&minute.at.get()))
    {
        minute.flows.clear();
        minute.logs = [ONE, TWO]
            .map(|host| LogMinute {
                host,
                readable: false,
                lines: 0,
                unparsed: 0,
            })
            .to_vec();
    }
    let alarms = told(&fleet, daily(time(2, 10, 0, 0), TimeZone::UTC), backup);
    assert_eq!(alarms, [], "{alarms:#?}");
}

#[test]
fn a_service_that_never_sent_a_mail_is_overdue_too() {
    let (mut fleet, _) = with_backup(3, 0..i64::MAX);
    let options = Options {
        declared: [daily(time(2, 10, 0, 0), TimeZone::UTC)].into(),
        ..Options::default()
    };
    assert_eq!(options.known_names().services, ["backup"]);
    fleet.names.services.truncate(2);
    fleet.names.services.push("backup".to_owned());
    let engine = Engine::replay(&fleet, options);
    let alarms: Vec<&Alarm> = engine
        .groups
        .told()
        .filter(|alarm| alarm.state == State::Overdue)
        .collect();
    assert_eq!(alarms.len(), 1, "{alarms:#?}");
    assert_eq!(alarms[0].detected, Minute::new(MONDAY + 151));
}
