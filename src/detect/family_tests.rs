//! What everyone does at once is one finding: a holiday that nobody declared, a storm. Simulated fleets of several seeds.

use super::alarm::{Alarm, Scope};
use super::engine::{Engine, Options};
use super::sample::{DAY, Fate, MONDAY, NIGHT, ONE, Sender, Trouble, fleet, sender};
use mailpulse_time::Minute;

/// A Wednesday of the fifth week.
const AWAY: i64 = MONDAY + 30 * DAY;

fn told(seed: u64, senders: &[Sender], trouble: &Trouble<'_>) -> Vec<Alarm> {
    let engine = Engine::replay(&fleet(seed, 33, senders, trouble), Options::default());
    let on_the_day = |alarm: &&Alarm| (AWAY..AWAY + 2 * DAY).contains(&alarm.detected.get());
    engine.groups.told().filter(on_the_day).cloned().collect()
}

/// Alarms in few words, minutes from that day's midnight on.
fn brief(alarms: &[Alarm]) -> Vec<String> {
    let of = |alarm: &Alarm| {
        let ended = alarm.ended.map(|ended| ended.get() - AWAY);
        let (onset, detected) = (alarm.onset.get() - AWAY, alarm.detected.get() - AWAY);
        let layers: Vec<_> = alarm.layers.iter().map(|(layer, _)| *layer).collect();
        format!(
            "{:?} {layers:?} from {onset}, found {detected}, to {ended:?}, everyone: {}",
            alarm.scope, alarm.everyone
        )
    };
    alarms.iter().map(of).collect()
}

fn holiday<'t>() -> Trouble<'t> {
    Trouble {
        volume: Box::new(|at| if (AWAY..AWAY + DAY).contains(&at) { 0.6 } else { 1.0 }),
        ..Trouble::default()
    }
}

/// Eight services in two hostgroups, which use both relays.
const TEAMS: [Sender; 8] = [
    sender("shop", 0, 2000.0, 0.5, false),
    sender("forum", 0, 900.0, 0.5, false),
    sender("news", 0, 1500.0, 0.5, false),
    sender("tickets", 0, 700.0, 0.5, false),
    sender("wiki", 1, 2000.0, 0.5, false),
    sender("lists", 1, 900.0, 0.5, false),
    sender("builds", 1, 1500.0, 0.5, false),
    sender("chat", 1, 700.0, 0.5, false),
];

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_holiday_that_nobody_declared_is_one_alarm_and_asks() {
    let mut more = 0;
    for seed in 50..58 {
        let alarms = told(seed, &NIGHT, &holiday());
        assert_eq!(alarms[0].scope, Scope::Fleet, "seed {seed}: {:#?}", brief(&alarms));
        assert!(alarms[0].everyone && alarms[0].evidence[0].starts_with("everyone sends less:"));
        assert!(alarms[0].evidence[0].contains("write the line 2018-06-06 to a file in `holidays"));
        more += alarms.len() - 1;
    }
    assert!(more <= 1, "{more} alarms besides in eight holidays");
}

#[test]
fn a_service_that_falls_further_than_its_family_is_told_itself() {
    for (seed, stop) in [(60, 0), (61, 11 * 60), (62, 14 * 60)] {
        let silent = AWAY + stop..AWAY + DAY;
        let trouble = Trouble {
            fate: Box::new(move |at, service, _| match service == 8 && silent.contains(&at) {
                true => Fate::Unsent,
                false => Fate::Fine,
            }),
            ..holiday()
        };
        let alarms = told(seed, &NIGHT, &trouble);
        let own = alarms.iter().find(|alarm| alarm.scope == Scope::Service(8));
        let own = own.unwrap_or_else(|| panic!("seed {seed}: {:#?}", brief(&alarms)));
        assert!(
            own.detected.get() - AWAY - stop <= 60,
            "seed {seed}: {:?}",
            brief(&alarms)
        );
        assert!(
            alarms.iter().any(|alarm| alarm.scope == Scope::Fleet),
            "seed {seed}: {:#?}",
            brief(&alarms)
        );
        assert!(alarms.len() <= 3, "seed {seed}: {:#?}", brief(&alarms));
    }
}

#[test]
fn what_a_hostgroup_does_at_once_is_told_at_the_hostgroup() {
    for seed in 70..74 {
        let trouble = Trouble {
            fate: Box::new(move |at, service, _| {
                match service < 4 && (AWAY..AWAY + DAY).contains(&at) && (at * 7 + i64::from(service) * 3) % 10 < 5 {
                    true => Fate::Unsent,
                    false => Fate::Fine,
                }
            }),
            ..Trouble::default()
        };
        let alarms = told(seed, &TEAMS, &trouble);
        let told: Vec<_> = alarms.iter().map(|alarm| alarm.scope).collect();
        assert!(
            told.contains(&Scope::Hostgroup(0)),
            "seed {seed}: {:#?}",
            brief(&alarms)
        );
        assert!(told.len() <= 2, "seed {seed}: {:#?}", brief(&alarms));
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn what_one_relay_or_one_service_lacks_is_no_family() {
    for seed in 80..84 {
        for is_relay in [true, false] {
            let trouble = Trouble {
                fate: Box::new(move |at, service, relay| {
                    let hit = if is_relay {
                        relay == ONE && at % 2 == 0
                    } else {
                        service == 8
                    };
                    match hit && (AWAY + 600..AWAY + 1100).contains(&at) {
                        true => Fate::Unsent,
                        false => Fate::Fine,
                    }
                }),
                ..Trouble::default()
            };
            let alarms = told(seed, &NIGHT, &trouble);
            assert!(
                !alarms.is_empty() && alarms.iter().all(|alarm| !alarm.everyone),
                "seed {seed}: {:#?}",
                brief(&alarms)
            );
        }
    }
}

fn said(alarm: &Alarm) -> usize {
    alarm.evidence.iter().filter(|said| said.starts_with("worse:")).count()
}

#[test]
fn a_dip_that_becomes_an_outage_is_told_as_worse_once() {
    let stop = AWAY + 15 * 60;
    let mut worse = 0;
    for seed in 90..94 {
        let trouble = Trouble {
            fate: Box::new(move |at, service, _| {
                let dips = (AWAY + 600..stop).contains(&at) && at % 2 == 0;
                match service == 0 && (dips || (stop..stop + 300).contains(&at)) {
                    true => Fate::Unsent,
                    false => Fate::Fine,
                }
            }),
            ..Trouble::default()
        };
        let alarms = told(seed, &NIGHT, &trouble);
        let lasts = |alarm: &&Alarm| {
            alarm.onset < Minute::new(stop + 60) && alarm.ended.is_none_or(|ended| ended > Minute::new(stop + 60))
        };
        let open: Vec<_> = alarms.iter().filter(lasts).collect();
        assert_eq!(open.len(), 1, "seed {seed}: {:#?}", brief(&alarms));
        assert_eq!(open[0].scope, Scope::Service(0), "seed {seed}: {:#?}", brief(&alarms));
        worse += said(open[0]);
        // Where the dip was over before, the outage is told as what comes back.
        let is_new = open[0].evidence.iter().any(|said| said.contains("brought 0 mails"))
            || open[0].detected > Minute::new(stop);
        assert!(
            said(open[0]) == 1 || is_new,
            "seed {seed}: {:#?} {:#?}",
            open[0].evidence,
            brief(&alarms)
        );
    }
    assert!(worse >= 2, "{worse}");
}

#[test]
fn a_fleet_that_dips_and_then_stops_is_told_as_worse_once_beside_its_silent_relays() {
    let stop = AWAY + 12 * 60;
    for seed in 94..98 {
        let trouble = Trouble {
            volume: Box::new(move |at| match at {
                _ if (AWAY..stop).contains(&at) => 0.6,
                _ if (stop..stop + 300).contains(&at) => 0.0,
                _ => 1.0,
            }),
            ..Trouble::default()
        };
        let alarms = told(seed, &NIGHT, &trouble);
        assert_eq!(alarms[0].scope, Scope::Fleet, "seed {seed}: {:#?}", brief(&alarms));
        assert_eq!(said(&alarms[0]), 1, "seed {seed}: {:#?}", alarms[0].evidence);
        assert!(alarms.len() <= 3, "seed {seed}: {:#?}", brief(&alarms));
        let relays = alarms[1..]
            .iter()
            .all(|alarm| matches!(alarm.scope, Scope::Relay(_)) && said(alarm) == 0);
        assert!(relays, "seed {seed}: {:#?}", brief(&alarms));
    }
}
