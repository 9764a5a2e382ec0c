//! Services that send too little to be judged alone are judged together: by their relay, and by their hostgroup.

use super::alarm::{Alarm, Scope};
use super::engine::{Engine, Options};
use super::sample::{DAY, Fate, MONDAY, ONE, Sender, Trouble, fleet, sender};

/// Eight services of 2 to 28 mails a day of one hostgroup by the first relay, and what others send by the second.
const SMALL: [Sender; 9] = [
    sender("scholarships", 0, 2.0, 1.0, false),
    sender("surveys", 0, 4.0, 1.0, false),
    sender("reports", 0, 7.0, 1.0, false),
    sender("backups", 0, 10.0, 1.0, false),
    sender("tickets", 0, 14.0, 1.0, false),
    sender("builds", 0, 18.0, 1.0, false),
    sender("calendar", 0, 24.0, 1.0, false),
    sender("lists", 0, 28.0, 1.0, false),
    sender("wiki", 1, 3_000.0, 0.0, false),
];

/// Ten in the morning of a Tuesday of the sixth week.
const STOP: i64 = MONDAY + 36 * DAY + 10 * 60;

fn told(seed: u64, senders: &[Sender]) -> Vec<Alarm> {
    let trouble = Trouble {
        fate: Box::new(|at, service, _| match service < 8 && (STOP..STOP + DAY).contains(&at) {
            true => Fate::Unsent,
            false => Fate::Fine,
        }),
        ..Trouble::default()
    };
    let engine = Engine::replay(&fleet(seed, 38, senders, &trouble), Options::default());
    let during = |alarm: &&Alarm| (STOP..STOP + DAY).contains(&alarm.detected.get());
    engine.groups.told().filter(during).cloned().collect()
}

fn first(alarms: &[Alarm], is_meant: impl Fn(Scope) -> bool) -> Option<i64> {
    let meant = alarms.iter().filter(|alarm| is_meant(alarm.scope));
    meant.map(|alarm| alarm.detected.get() - STOP).min()
}

#[test]
fn small_services_of_one_relay_are_judged_by_the_relay() {
    for seed in 90..95 {
        let alarms = told(seed, &SMALL);
        let pooled = first(&alarms, |scope| scope == Scope::Relay(ONE));
        assert!(pooled.is_some_and(|delay| delay <= 360), "seed {seed}: {alarms:#?}");
        assert_eq!(alarms.len(), 1, "one alarm of one trouble, seed {seed}: {alarms:#?}");
    }
}

#[test]
fn small_services_of_one_hostgroup_are_judged_together_where_the_relay_goes_on() {
    let mut senders = SMALL;
    senders[8].first = 0.5;
    for seed in 95..100 {
        let alarms = told(seed, &senders);
        let pooled = first(&alarms, |scope| scope == Scope::Hostgroup(0));
        assert!(pooled.is_some_and(|delay| delay <= 480), "seed {seed}: {alarms:#?}");
        let single = first(&alarms, |scope| matches!(scope, Scope::Service(..8)));
        assert!(
            single.is_none_or(|delay| pooled < Some(delay)),
            "seed {seed}: {alarms:#?}"
        );
    }
}
