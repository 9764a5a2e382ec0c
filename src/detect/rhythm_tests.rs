//! Services that live by a clock and by holidays of their own.

use super::alarm::{Alarm, Layer, Scope};
use super::civil::CivilClock;
use super::engine::{Engine, Options};
use super::fleet::{Fleet, Id};
use super::holidays::Holidays;
use super::impact_question::ImpactQuestion;
use super::rhythm::{Rhythm, Rhythms};
use super::sample::{DAY, Fate, MONDAY, NIGHT, Sender, Trouble, assess, fleet, fleet_from, sender};
use jiff::tz::TimeZone;
use mailpulse_time::Minute;
use std::sync::Arc;

const OFFICE: Id = 1;
/// An office that works from eight to six, and something that never sleeps.
const SENDERS: [Sender; 2] = [
    sender("wiki", 0, 1000.0, 0.5, false),
    sender("office", 1, 4000.0, 0.5, false),
];
/// Mondays, six weeks before the clocks of Europe change.
const TO_SUMMER: &str = "2018-02-12T00:00Z";
const TO_WINTER: &str = "2018-09-17T00:00Z";

fn minute(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second() / 60
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn office(first: i64, silent: std::ops::Range<i64>) -> Fleet {
    let clock = std::cell::RefCell::new(CivilClock::new(berlin()));
    let trouble = Trouble {
        fate: Box::new(move |at, service, _| {
            let works = (480..1080).contains(&clock.borrow_mut().wall(at).rem_euclid(DAY));
            match service == OFFICE && (!works || silent.contains(&at)) {
                true => Fate::Unsent,
                false => Fate::Fine,
            }
        }),
        ..Trouble::default()
    };
    fleet_from(first, 31, 45, &SENDERS, &trouble)
}

fn told(fleet: &Fleet, rhythms: Rhythms) -> Vec<Alarm> {
    let options = Options {
        rhythms,
        ..Options::default()
    };
    Engine::replay(fleet, options).groups.told().cloned().collect()
}

fn of_the_office(zone: TimeZone) -> Rhythms {
    let own = Rhythm {
        zone,
        ..Rhythm::default()
    };
    Rhythms {
        own: [("office".to_owned(), own)].into(),
        ..Rhythms::default()
    }
}

/// Alarms after the clocks changed, four days before the fleet ends.
fn after_the_change(fleet: &Fleet, rhythms: Rhythms) -> Vec<Alarm> {
    let change = fleet.span().0 + 41 * DAY;
    told(fleet, rhythms)
        .into_iter()
        .filter(|alarm| alarm.detected > change)
        .collect()
}

#[test]
fn an_office_follows_its_clock_through_summer_time_both_ways() {
    for first in [TO_SUMMER, TO_WINTER] {
        let fleet = office(minute(first), 0..0);
        let own = after_the_change(&fleet, of_the_office(berlin()));
        assert_eq!(own.len(), 0, "{first}: {own:#?}");
        assert!(
            !after_the_change(&fleet, Rhythms::default()).is_empty(),
            "{first}: told in UTC the office sleeps an hour too long"
        );
    }
}

#[test]
fn an_office_that_makes_most_of_a_relays_mail_sleeps_without_an_alarm() {
    let fleet = office(minute(TO_SUMMER), 0..0);
    let silent: Vec<Alarm> = told(&fleet, of_the_office(berlin()))
        .into_iter()
        .filter(|alarm| matches!(alarm.scope, Scope::Service(_)))
        .filter(|alarm| alarm.layers.iter().any(|(layer, _)| *layer == Layer::Silence))
        .collect();
    assert_eq!(silent.len(), 0, "{silent:#?}");
}

#[test]
fn what_an_outage_cost_is_reckoned_by_the_clock_of_the_service() {
    for first in [TO_SUMMER, TO_WINTER] {
        // The first hour of the Monday after the change.
        let monday = minute(first) + 42 * DAY;
        let mut clock = CivilClock::new(berlin());
        let from = (monday..).find(|at| clock.wall(*at).rem_euclid(DAY) == 480).unwrap();
        let fleet = office(minute(first), from..from + 60);
        let expected = |rhythms: Rhythms| {
            let question = ImpactQuestion {
                from: Minute::new(from),
                to: Minute::new(from + 60),
                rhythms,
                ..ImpactQuestion::default()
            };
            let all = assess(&fleet, &question);
            all.iter().find(|one| one.service == OFFICE).unwrap().expected
        };
        // The same hour on the wall.
        let earlier = from - 7 * DAY + if first == TO_SUMMER { 60 } else { -60 };
        let week_ago = fleet.between(Minute::new(earlier), Minute::new(earlier + 60));
        let usual = week_ago
            .iter()
            .flat_map(|minute| &minute.flows)
            .filter(|flow| flow.service == OFFICE && flow.what == super::fleet::FlowKind::Accepted)
            .count() as f64;
        let own = expected(of_the_office(berlin()));
        assert!((0.6..1.5).contains(&(own / usual)), "{first}: {own} of {usual}");
    }
}

#[test]
fn a_service_keeps_its_own_holidays_and_its_relay_keeps_them_with_it() {
    let day = 30;
    let away = [0, 1];
    let trouble = Trouble {
        fate: Box::new(
            move |at, service, _| match away.contains(&service) && (at - MONDAY) / DAY == day {
                true => Fate::Unsent,
                false => Fate::Fine,
            },
        ),
        ..Trouble::default()
    };
    let fleet = fleet(33, 33, &NIGHT, &trouble);
    let date = jiff::Timestamp::from_second((MONDAY + day * DAY) * 60)
        .unwrap()
        .to_string();
    let on_the_day = |rhythms: Rhythms| {
        let found = told(&fleet, rhythms);
        let day = |alarm: &&Alarm| (alarm.detected.get() - MONDAY) / DAY == day;
        found.iter().filter(day).map(|alarm| alarm.scope).collect::<Vec<_>>()
    };
    let holidays = Arc::new(Holidays::parse(&date[..10]).unwrap());
    let own = |name: &str, zone: TimeZone| {
        let holidays = Arc::clone(&holidays);
        (name.to_owned(), Rhythm { zone, holidays })
    };
    let declared = Rhythms {
        own: [own("phabricator", TimeZone::UTC), own("gerrit", TimeZone::UTC)].into(),
        ..Rhythms::default()
    };
    // Full silence speaks on a holiday too, at a fifth of the usual rate.
    let found = on_the_day(declared);
    assert!(
        found.iter().all(|scope| matches!(scope, Scope::Service(0 | 1))),
        "the relay and the hostgroups are at ease: {found:?}"
    );
    assert!(!on_the_day(Rhythms::default()).is_empty(), "undeclared, it is a drop");
}
