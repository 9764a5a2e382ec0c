//! Whose trouble it is: a service's, a sender's, or the relay's that they share.

use super::alarm::{Alarm, Scope, State};
use super::engine::{Engine, Options};
use super::fleet::{Fleet, Flow, FlowKind};
use super::sample::{DAY, Fate, MONDAY, ONE, Sender, Trouble, fleet};
use mailpulse_time::Minute;

/// The sender's own MTA.
const SENDER: u32 = 2;

const fn to_one(name: &'static str, group: u32, daily: f64) -> Sender {
    Sender {
        name,
        group,
        daily,
        first: 1.0,
        tells: false,
    }
}

const SHOP: [Sender; 4] = [
    to_one("shop", 0, 1500.0),
    to_one("wiki", 1, 60.0),
    to_one("cron", 2, 40.0),
    to_one("lists", 3, 30.0),
];

fn told(fleet: &Fleet) -> Vec<Alarm> {
    let engine = Engine::replay(fleet, Options::default());
    for alarm in &engine.groups.alarms {
        assert!(alarm.onset <= alarm.detected, "{alarm:#?}");
        assert!(alarm.ended.is_none_or(|ended| alarm.detected <= ended), "{alarm:#?}");
    }
    engine.groups.told().cloned().collect()
}

#[test]
fn a_service_that_stops_is_its_own_alarm_while_its_relay_takes_other_mail() {
    for (seed, days, daily) in [(1, 16, 1500.0), (2, 17, 15_000.0), (3, 18, 1500.0), (4, 20, 6000.0)] {
        let mut senders = SHOP;
        senders[0].daily = daily;
        let stop = MONDAY + days * DAY + 10 * 60;
        let trouble = Trouble {
            fate: Box::new(move |at, service, _| match service == 0 && at >= stop {
                true => Fate::Unsent,
                false => Fate::Fine,
            }),
            ..Trouble::default()
        };
        let alarms = told(&fleet(seed, days + 4, &senders, &trouble));
        // The small ones have had two weekends, and may have their own opinion of the third.
        let small = |scope| matches!(scope, Scope::Service(1..) | Scope::Hostgroup(1..));
        let about: Vec<_> = alarms
            .iter()
            .filter(|alarm| alarm.detected >= Minute::new(stop) && !small(alarm.scope))
            .collect();
        assert_eq!(about.len(), 1, "seed {seed}: {about:#?}");
        let alarm = about[0];
        assert_eq!(
            (alarm.scope, alarm.state),
            (Scope::Service(0), State::Dropped),
            "seed {seed}: {alarm:#?}"
        );
        assert_eq!((alarm.ended, &alarm.cause), (None, &None), "seed {seed}: {alarm:#?}");
        assert!(
            (0..60).contains(&(alarm.detected - Minute::new(stop))),
            "seed {seed}: {alarm:#?}"
        );
        assert!((alarm.onset - Minute::new(stop)).abs() <= 30, "seed {seed}: {alarm:#?}");
        let said = alarm.evidence.join("; ");
        assert!(!said.contains("mx1001 took no mail"), "seed {seed}: {said}");
    }
}

#[test]
fn a_relay_that_stops_under_one_large_and_some_small_services_is_the_relays_alarm() {
    let stop = MONDAY + 18 * DAY + 10 * 60;
    let trouble = Trouble {
        fate: Box::new(move |at, _, _| match (stop..stop + 600).contains(&at) {
            true => Fate::Unsent,
            false => Fate::Fine,
        }),
        ..Trouble::default()
    };
    for seed in 5..8 {
        let alarms = told(&fleet(seed, 20, &SHOP, &trouble));
        let about: Vec<_> = alarms
            .iter()
            .filter(|alarm| alarm.detected >= Minute::new(stop))
            .collect();
        assert_eq!(about.len(), 1, "seed {seed}: {about:#?}");
        let alarm = about[0];
        assert_eq!(
            (alarm.scope, alarm.state),
            (Scope::Relay(ONE), State::Dropped),
            "seed {seed}: {alarm:#?}"
        );
        assert!(
            (0..60).contains(&(alarm.detected - Minute::new(stop))),
            "seed {seed}: {alarm:#?}"
        );
        let ended = alarm.ended.expect("it is over");
        assert!(
            (stop + 590..stop + 660).contains(&ended.get()),
            "seed {seed}: {alarm:#?}"
        );
    }
}

/// The first service hands in at an MTA of its own, which passes on to the first relay.
/// What has waited there goes out in the half hour after `back`.
fn with_a_sender(mut fleet: Fleet, back: i64) -> Fleet {
    fleet.names.hosts.push("tools".to_owned());
    let mut waiting = 0;
    for minute in &mut fleet.minutes {
        let mut more = Vec::new();
        if (back..back + 30).contains(&minute.at.get()) {
            let count = waiting / (back + 30 - minute.at.get()) as u32;
            waiting -= count;
            let flow = |host, what| Flow {
                service: 0,
                hostgroup: 0,
                host,
                what,
                count,
            };
            more.extend([
                flow(SENDER, FlowKind::Delivered),
                flow(ONE, FlowKind::Passed),
                flow(ONE, FlowKind::Delivered),
            ]);
        }
        minute.flows.retain_mut(|flow| {
            let own = |what| Flow {
                hostgroup: 0,
                host: SENDER,
                what,
                ..*flow
            };
            match flow.what {
                _ if flow.service != 0 => {}
                // What the sample calls refused waits in the sender's queue.
                FlowKind::SubmitFailed => {
                    more.extend([own(FlowKind::Accepted), own(FlowKind::Deferred)]);
                    more.push(Flow {
                        host: ONE,
                        what: FlowKind::RefusedBy,
                        ..*flow
                    });
                    waiting += flow.count;
                    return false;
                }
                FlowKind::Accepted => {
                    more.extend([own(FlowKind::Accepted), own(FlowKind::Delivered)]);
                    flow.what = FlowKind::Passed;
                }
                _ => {}
            }
            true
        });
        minute.flows.extend(more);
    }
    fleet
}

#[test]
fn a_sender_that_cannot_reach_a_relay_that_others_reach_is_the_senders_alarm() {
    let mut senders = SHOP;
    senders[0] = Sender {
        tells: true,
        ..to_one("tools", 0, 900.0)
    };
    senders[1].daily = 1000.0;
    senders[2].daily = 500.0;
    for (seed, length) in [(1, 2 * DAY), (2, 2 * DAY), (3, 300)] {
        let from = MONDAY + 20 * DAY + 19 * 60;
        let to = from + length;
        let trouble = Trouble {
            fate: Box::new(move |at, service, _| match service == 0 && (from..to).contains(&at) {
                true => Fate::Refused,
                false => Fate::Fine,
            }),
            ..Trouble::default()
        };
        let alarms = told(&with_a_sender(fleet(seed, 24, &senders, &trouble), to));
        let about: Vec<_> = alarms
            .iter()
            .filter(|alarm| alarm.detected >= Minute::new(from))
            .collect();
        assert_eq!(about.len(), 1, "seed {seed}: {about:#?}");
        let alarm = about[0];
        assert!(
            matches!(alarm.scope, Scope::Service(0) | Scope::Relay(SENDER)),
            "seed {seed}: {alarm:#?}"
        );
        assert_eq!(
            (alarm.state, &alarm.cause.as_ref().map(|cause| cause.relay == ONE)),
            (State::Stuck, &None),
            "{alarm:#?}"
        );
        assert!(
            (0..60).contains(&(alarm.detected - Minute::new(from))),
            "seed {seed}: {alarm:#?}"
        );
        assert!(
            alarm
                .ended
                .is_some_and(|ended| (to - 10..to + 180).contains(&ended.get())),
            "seed {seed}: {alarm:#?}"
        );
    }
}
