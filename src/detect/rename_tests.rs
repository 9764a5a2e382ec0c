//! Fleets whose services get other names: nothing is lost by that, and what really stops alarms all the same.

use super::alarm::{Alarm, Scope, State};
use super::engine::{Engine, Options};
use super::fleet::{Fleet, Id};
use super::impact::Impact;
use super::impact_question::ImpactQuestion;
use super::sample::{DAY, Fate, MONDAY, NIGHT, Trouble, assess, fleet};
use mailpulse_time::Minute;

/// Wednesday of the fourth week, 14:00.
const CHANGE: i64 = MONDAY + 23 * DAY + 14 * 60;
const NEW: Id = NIGHT.len() as Id;

/// What phabricator sends is another service's from [`CHANGE`] on.
fn renamed(trouble: &Trouble<'_>, is_noted: bool) -> Fleet {
    let mut fleet = fleet(6, 25, &NIGHT, trouble);
    fleet.names.services.push("devtools".to_owned());
    for minute in fleet
        .minutes
        .iter_mut()
        .filter(|minute| minute.at >= Minute::new(CHANGE))
    {
        let own = minute.flows.iter_mut().filter(|flow| flow.service == 0);
        own.for_each(|flow| flow.service = NEW);
        if is_noted && minute.at == Minute::new(CHANGE) {
            minute.renamed.ended = vec![0];
        }
    }
    fleet
}

fn stops(service: Id, from: i64) -> Trouble<'static> {
    Trouble {
        fate: Box::new(move |at, who, _| match who == service && at >= from {
            true => Fate::Unsent,
            false => Fate::Fine,
        }),
        ..Trouble::default()
    }
}

fn told(fleet: &Fleet) -> Vec<Alarm> {
    let engine = Engine::replay(fleet, Options::default());
    let late = |alarm: &&Alarm| alarm.ended.is_none_or(|ended| ended >= Minute::new(CHANGE));
    engine.groups.told().filter(late).cloned().collect()
}

#[test]
fn a_service_that_gets_another_name_has_lost_nothing() {
    let unnoted = told(&renamed(&Trouble::default(), false));
    assert!(
        unnoted.iter().any(|alarm| alarm.scope == Scope::Service(0)),
        "{unnoted:#?}"
    );
    assert_eq!(told(&renamed(&Trouble::default(), true)), []);
}

#[test]
fn an_alarm_of_a_name_that_ends_ends_with_it_and_says_why() {
    // The relay lacks the mail all the same, and may say so days later.
    let mut alarms = told(&renamed(&stops(0, CHANGE - 300), true));
    alarms.retain(|alarm| matches!(alarm.scope, Scope::Service(_)));
    let [alarm] = &alarms[..] else { panic!("{alarms:#?}") };
    assert_eq!(
        (alarm.scope, alarm.ended),
        (Scope::Service(0), Some(Minute::new(CHANGE)))
    );
    let why = alarm.end.as_deref().unwrap();
    assert!(why.starts_with("attribution changed: "), "{why}");
    assert_eq!(alarm.evidence.last().map(String::as_str), Some(why));
}

#[test]
fn a_service_that_stops_while_another_is_renamed_alarms() {
    let alarms = told(&renamed(&stops(1, CHANGE), true));
    let [alarm] = &alarms[..] else { panic!("{alarms:#?}") };
    assert_eq!((alarm.scope, alarm.state), (Scope::Service(1), State::Dropped));
    assert!((alarm.ended, &alarm.end) == (None, &None));
}

#[test]
fn a_name_that_other_mail_bears_is_young() {
    // Half of wiki's mail is another service's from the change on.
    let with_part = |is_noted: bool| {
        let mut fleet = fleet(6, 25, &NIGHT, &Trouble::default());
        fleet.names.services.push("bots".to_owned());
        for minute in fleet
            .minutes
            .iter_mut()
            .filter(|minute| minute.at >= Minute::new(CHANGE))
        {
            let own = minute
                .flows
                .iter_mut()
                .filter(|flow| flow.service == 8 && flow.host == 0);
            own.for_each(|flow| flow.service = NEW);
            if is_noted && minute.at == Minute::new(CHANGE) {
                minute.renamed.anew = vec![8];
            }
        }
        fleet
    };
    assert!(!told(&with_part(false)).is_empty());
    assert_eq!(told(&with_part(true)), []);
}

#[test]
fn an_incident_expects_nothing_of_a_name_that_has_ended() {
    let fleet = renamed(&Trouble::default(), true);
    let question = |from: i64| ImpactQuestion {
        from: Minute::new(from),
        to: Minute::new(from + 300),
        ..ImpactQuestion::default()
    };
    let of = |from: i64| assess(&fleet, &question(from)).into_iter().find(|one| one.service == 0);
    // After it there is none; in its middle what was expected until then has come.
    assert_eq!(of(CHANGE + 60), None);
    let one = of(CHANGE - 150).unwrap();
    assert_eq!((one.impact, one.missing), (Impact::None, 0), "{one:#?}");
    assert!(
        one.evidence
            .iter()
            .any(|said| said.starts_with("attribution changed 150 min")),
        "{one:#?}"
    );
}

#[test]
fn a_hostgroup_that_gets_another_name_has_lost_nothing() {
    let with_groups = |is_noted: bool| {
        let mut fleet = fleet(6, 25, &NIGHT, &Trouble::default());
        let new = fleet.names.hostgroups.len() as Id;
        fleet.names.hostgroups.push("devtools".to_owned());
        for minute in fleet
            .minutes
            .iter_mut()
            .filter(|minute| minute.at >= Minute::new(CHANGE))
        {
            let own = minute.flows.iter_mut().filter(|flow| flow.hostgroup == 0);
            own.for_each(|flow| flow.hostgroup = new);
            if is_noted && minute.at == Minute::new(CHANGE) {
                minute.renamed.groups_ended = vec![0];
            }
        }
        fleet
    };
    assert!(!told(&with_groups(false)).is_empty());
    assert_eq!(told(&with_groups(true)), []);
}
