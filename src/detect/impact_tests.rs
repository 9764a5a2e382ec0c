//! Impacts while a trouble lasts, without failures, and of histories that say little.

use super::fleet::{Fleet, FleetMinute, Flow, FlowKind, NONE, Names};
use super::impact::Impact;
use super::impact_question::{ImpactQuestion, Masked};
use super::sample::{DAY, Fate, MONDAY, NIGHT, ONE, Trouble, assess, fleet, telling};
use mailpulse_time::Minute;
use std::collections::BTreeMap;

const STOP: i64 = MONDAY + 16 * DAY + 18 * 60 + 55;
const START: i64 = STOP + 425;

fn stopped(fate: Fate) -> Trouble<'static> {
    Trouble {
        fate: Box::new(
            move |at, service, relay| match (STOP..START).contains(&at) && relay == ONE {
                false => Fate::Fine,
                true if service >= 8 => Fate::Rerouted,
                true => fate,
            },
        ),
        ..Trouble::default()
    }
}

#[test]
fn while_it_lasts_nothing_is_decided_and_what_is_tried_again_waits() {
    let mut fleet = fleet(1, 18, &NIGHT, &stopped(Fate::Refused));
    fleet.end(Minute::new(STOP + 120));
    let question = ImpactQuestion {
        from: Minute::new(STOP),
        to: Minute::new(STOP + 120),
        relay: Some(ONE),
        tells: telling(&fleet),
        tried: BTreeMap::from([(0, 1_000)]),
        ..ImpactQuestion::default()
    };
    let all = assess(&fleet, &question);
    for one in &all {
        let right = match one.service {
            0 => vec![Impact::Waiting],
            8.. => vec![Impact::Rerouted, Impact::None],
            _ if one.submit_failed == 0 => vec![Impact::None, Impact::Unknown],
            _ => vec![Impact::Unknown],
        };
        assert!(right.contains(&one.impact), "{one:#?}");
        assert_eq!(one.recovered, None, "{one:#?}");
        if one.impact == Impact::Unknown && one.submit_failed > 0 {
            assert!(one.open && one.missing == one.submit_failed, "{one:#?}");
        }
    }
    assert!(all.iter().any(|one| one.open), "{all:#?}");
}

#[test]
fn mail_that_is_in_its_queue_waits_and_is_not_lost() {
    let fleet = fleet(2, 18, &NIGHT, &Trouble::default());
    let question = ImpactQuestion {
        from: Minute::new(STOP),
        to: Minute::new(START),
        stuck: vec![0],
        held: BTreeMap::from([(0, 50)]),
        ..ImpactQuestion::default()
    };
    let all = assess(&fleet, &question);
    let one = all.iter().find(|one| one.service == 0).unwrap();
    assert_eq!((one.impact, one.missing), (Impact::Waiting, 50), "{one:#?}");
}

#[test]
fn no_mail_and_no_failure_in_a_log_that_is_read_is_not_known_to_be_lost() {
    let quiet = fleet(3, 18, &NIGHT, &stopped(Fate::Unsent));
    let asked = |tells| ImpactQuestion {
        from: Minute::new(STOP),
        to: Minute::new(START),
        relay: Some(ONE),
        tells,
        ..ImpactQuestion::default()
    };
    let impacts = |tells: Vec<u32>| -> Vec<Impact> {
        let mut all = assess(&quiet, &asked(tells));
        all.retain(|one| one.service < 8 && one.expected > 10.0);
        for one in &all {
            let reason = "its own log is read and names no failure";
            let says = one.evidence.iter().any(|said| said.starts_with(reason));
            assert_eq!(says, one.impact == Impact::Unknown, "{one:#?}");
        }
        all.into_iter().map(|one| one.impact).collect()
    };
    let heard = impacts((0..8).collect());
    assert!(
        !heard.is_empty() && heard.iter().all(|impact| *impact == Impact::Unknown),
        "{heard:?}"
    );
    assert!(impacts(Vec::new()).contains(&Impact::Lost));
}

/// One service's mails at some minutes of some days.
fn sparse(days: i64, at: &[i64]) -> Fleet {
    let mail = |at: i64| FleetMinute {
        at: Minute::new(MONDAY + at),
        flows: vec![Flow {
            service: 0,
            hostgroup: NONE,
            host: ONE,
            what: FlowKind::Accepted,
            count: 1,
        }],
        ..FleetMinute::default()
    };
    let none = |at: i64| FleetMinute {
        at: Minute::new(MONDAY + at),
        ..FleetMinute::default()
    };
    let minutes = (0..days * DAY).map(|minute| {
        if at.contains(&minute) {
            mail(minute)
        } else {
            none(minute)
        }
    });
    Fleet {
        names: Names {
            services: vec!["rare".to_owned()],
            hosts: vec!["mx1001".to_owned()],
            ..Names::default()
        },
        minutes: minutes.collect(),
    }
}

#[test]
fn mails_in_the_few_minutes_that_are_not_masked_are_no_rate() {
    // Six mails in a month, and an alarm lasts but for their minutes.
    let mails: Vec<i64> = (1..7).map(|n| n * 4 * DAY + 600).collect();
    let fleet = sparse(31, &mails);
    for seen in [true, false] {
        let between = |pair: &[i64]| Masked {
            from: Minute::new(MONDAY + pair[0] + 1),
            to: Minute::new(MONDAY + pair[1]),
            seen,
        };
        let mut masked: Vec<Masked> = [&[-1], &mails[..], &[30 * DAY]]
            .concat()
            .windows(2)
            .map(between)
            .collect();
        masked.rotate_left(1);
        let question = ImpactQuestion {
            from: Minute::new(MONDAY + 30 * DAY),
            to: Minute::new(MONDAY + 30 * DAY + 240),
            relay: Some(ONE),
            masked: BTreeMap::from([(0, masked)]),
            alarmed: vec![0],
            ..ImpactQuestion::default()
        };
        let all = assess(&fleet, &question);
        assert_eq!(all.len(), 1, "{all:#?}");
        assert!(matches!(all[0].impact, Impact::None | Impact::Unknown), "{all:#?}");
        assert!(all[0].expected < 0.1 && all[0].error > all[0].expected, "{all:#?}");
    }
}

#[test]
fn an_expectation_has_an_error_that_falls_with_its_history() {
    let error = |days: i64| {
        let fleet = fleet(5, days + 1, &NIGHT, &Trouble::default());
        let question = ImpactQuestion {
            from: Minute::new(MONDAY + days * DAY),
            to: Minute::new(MONDAY + days * DAY + 240),
            ..ImpactQuestion::default()
        };
        let all = assess(&fleet, &question);
        let one = all.into_iter().find(|one| one.service == 8).unwrap();
        one.error / one.expected
    };
    let (week, month) = (error(7), error(28));
    assert!(month < week && week < 0.5 && month > 0.0, "{week} {month}");
}
