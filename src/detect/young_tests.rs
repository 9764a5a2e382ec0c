//! The first 14 days: what is certain is an alarm, what is not is shown and marked.

use super::alarm::{Alarm, Layer, Scope, State};
use super::engine::{Engine, Options};
use super::sample::{DAY, Fate, MONDAY, NIGHT, ONE, Trouble, fleet, sender};
use mailpulse_time::Minute;

/// Phabricator, which sends two mails a minute, sends nothing from a minute on, for six hours; all else goes on.
fn stopped(from: i64) -> Trouble<'static> {
    Trouble {
        fate: Box::new(
            move |at, service, _| match service == 0 && (from..from + 360).contains(&at) {
                true => Fate::Unsent,
                false => Fate::Fine,
            },
        ),
        ..Trouble::default()
    }
}

fn since(engine: &Engine, from: i64) -> Vec<&Alarm> {
    let shown = engine.groups.shown();
    shown.filter(|alarm| alarm.detected >= Minute::new(from)).collect()
}

#[test]
fn a_busy_service_that_is_silent_for_six_hours_is_an_alarm_after_its_first_day_alone() {
    for (seed, day) in [(1, 2), (2, 3), (3, 8), (4, 11)] {
        let from = MONDAY + day * DAY + 12 * 60;
        let engine = Engine::replay(&fleet(seed, day + 2, &NIGHT, &stopped(from)), Options::default());
        let told: Vec<_> = engine
            .groups
            .told()
            .filter(|alarm| alarm.detected >= Minute::new(from))
            .collect();
        assert_eq!(told.len(), 1, "day {day}: {told:#?}");
        let alarm = told[0];
        assert_eq!(
            (alarm.scope, alarm.state),
            (Scope::Service(0), State::Dropped),
            "{alarm:#?}"
        );
        assert!(alarm.layers.iter().any(|(layer, _)| *layer == Layer::Gap), "{alarm:#?}");
        assert!(
            (10..360).contains(&(alarm.detected - Minute::new(from))),
            "day {day}: {alarm:#?}"
        );
        assert!((alarm.onset - Minute::new(from)).abs() <= 10, "day {day}: {alarm:#?}");
        let ended = alarm.ended.expect("it is over");
        assert!((from + 360..from + 375).contains(&ended.get()), "day {day}: {alarm:#?}");
        assert!(alarm.evidence[0].contains("has sent nothing for"), "{alarm:#?}");
        // What was provisional at first is this alarm now.
        let open = since(&engine, from)
            .into_iter()
            .filter(|alarm| alarm.scope == Scope::Service(0));
        let open: Vec<_> = open.filter(|alarm| alarm.detected < Minute::new(from + 360)).collect();
        assert_eq!(open.len(), 1, "day {day}: {open:#?}");
    }
    // On its first day nothing is known of its gaps.
    let from = MONDAY + 12 * 60;
    let engine = Engine::replay(&fleet(5, 1, &NIGHT, &stopped(from)), Options::default());
    assert_eq!(since(&engine, from), [] as [&Alarm; 0]);
}

#[test]
fn what_is_below_expectation_in_the_first_fourteen_days_is_shown_as_provisional_and_is_no_alarm() {
    let (from, after) = (MONDAY + 10 * DAY + 8 * 60, MONDAY + 11 * DAY);
    let dice = std::cell::RefCell::new(super::sample::Rng(6));
    let trouble = Trouble {
        fate: Box::new(move |at, service, _| {
            let is_part = service == 0 && (from..after).contains(&at);
            match is_part && dice.borrow_mut().unit() < 0.7 {
                true => Fate::Unsent,
                false => Fate::Fine,
            }
        }),
        ..Trouble::default()
    };
    let fleet = fleet(6, 12, &NIGHT, &trouble);
    let engine = Engine::replay(&fleet, Options::default());
    let shown = since(&engine, from);
    assert!(
        !shown.is_empty() && shown.iter().all(|alarm| alarm.provisional),
        "{shown:#?}"
    );
    let about: Vec<_> = shown.iter().filter(|alarm| alarm.scope == Scope::Service(0)).collect();
    assert_eq!(about.len(), 1, "{shown:#?}");
    assert!(
        (0..720).contains(&(about[0].detected - Minute::new(from))),
        "{about:#?}"
    );
    let told: Vec<_> = engine
        .groups
        .told()
        .filter(|alarm| alarm.detected >= Minute::new(from))
        .collect();
    assert_eq!(told, [] as [&Alarm; 0]);

    // It does not put off what is certain: the relay stands still meanwhile.
    let stop = MONDAY + 10 * DAY + 18 * 60;
    let mut silent = fleet;
    for minute in silent
        .minutes
        .iter_mut()
        .filter(|minute| (stop..stop + 300).contains(&minute.at.get()))
    {
        minute.flows.retain(|flow| flow.host != ONE);
    }
    let engine = Engine::replay(&silent, Options::default());
    let told: Vec<_> = engine
        .groups
        .told()
        .filter(|alarm| alarm.detected >= Minute::new(from))
        .collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((told[0].scope, told[0].provisional), (Scope::Relay(ONE), false));
    assert!(
        (told[0].onset - Minute::new(stop)).abs() <= 2 && told[0].detected - Minute::new(stop) <= 5,
        "{told:#?}"
    );
}

#[test]
fn two_quiet_weeks_are_quiet() {
    for seed in 30..36 {
        let engine = Engine::replay(&fleet(seed, 14, &NIGHT, &Trouble::default()), Options::default());
        let told: Vec<_> = engine.groups.told().collect();
        assert_eq!(told, [] as [&Alarm; 0], "seed {seed}");
        // One a series at most, on average: a first weekend is one finding.
        let shown = engine.groups.shown().count();
        assert!(shown <= NIGHT.len() + 2, "seed {seed}: {shown}");
    }
}

#[test]
fn volume_alarms_are_complete_when_every_busy_series_has_fourteen_days() {
    let complete = |days: i64| {
        let mut senders = NIGHT.to_vec();
        senders.push(sender("newcomer", 5, 4000.0, 0.5, false));
        let born = Trouble {
            fate: Box::new(|at, service, _| match service == 11 && at < MONDAY + 5 * DAY {
                true => Fate::Unsent,
                false => Fate::Fine,
            }),
            ..Trouble::default()
        };
        Engine::replay(&fleet(7, days, &senders, &born), Options::default()).complete()
    };
    // Foreseen while it is young, and then so. A day may be lost when a series' volume becomes known.
    let [early, late, then] = [6, 16, 21].map(|days| complete(days).expect("there is mail"));
    assert_eq!(late.from, then.from, "{late:?} {then:?}");
    assert!(
        [19, 20].map(|day| Minute::new(MONDAY + day * DAY)).contains(&then.from),
        "{then:?}"
    );
    assert!((0..=DAY).contains(&(then.from - early.from)), "{early:?} {then:?}");
    assert_eq!((early.young, then.young), (early.series, 0));
    assert!((1..late.series).contains(&late.young), "{late:?}");
    assert_eq!(Engine::new(Options::default()).complete(), None);
}
