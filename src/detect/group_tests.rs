//! One alarm for life: its number and its name stay, whatever it turns out to be about and whenever it began.

use super::alarm::{Alarm, Change, Layer, LayerFinding, Named, Scope, State};
use super::fleet::{Flow, FlowKind, Id, Names};
use super::group::{GroupFinding, Groups, SAID_MAX};
use super::routes::Routes;
use super::worse::Worse;
use mailpulse_time::Minute;
use proptest::prelude::*;

/// The relays.
const ONE: Id = 0;
const TWO: Id = 1;

/// Four services by the first relay, of which the first makes seven tenths of its mail, and one by the second.
fn routes() -> Routes {
    let mut routes = Routes::default();
    let flow = |service, host, count| Flow {
        service,
        hostgroup: service / 2,
        host,
        what: FlowKind::Accepted,
        count,
    };
    let flows = [
        flow(0, ONE, 700),
        flow(1, ONE, 100),
        flow(2, ONE, 100),
        flow(3, ONE, 100),
        flow(4, TWO, 300),
    ];
    routes.add(Minute::EPOCH, &flows);
    routes
}

fn names() -> Names {
    Names {
        services: ["shop", "wiki", "cron", "lists", "otrs"].map(str::to_owned).to_vec(),
        hostgroups: ["a", "b", "c"].map(str::to_owned).to_vec(),
        hosts: ["mx1001", "mx2001"].map(str::to_owned).to_vec(),
        ..Names::default()
    }
}

fn finding(layer: Layer, scope: Scope, onset: i64) -> GroupFinding {
    let state = match layer {
        Layer::Witness | Layer::Rejects => State::Refused,
        Layer::Queue => State::Stuck,
        Layer::Deferral => State::Throttled,
        Layer::Outcome => State::Failing,
        Layer::Sight => State::Blind,
        Layer::Parse => State::Unreadable,
        Layer::Declared | Layer::Schedule => State::Overdue,
        Layer::Silence | Layer::Gap | Layer::Volume => State::Dropped,
    };
    GroupFinding {
        layer,
        scope,
        state,
        relay: None,
        found: LayerFinding {
            onset,
            expected: 20.0,
            observed: 0.0,
            score: 1.0,
            provisional: false,
        },
        evidence: vec![format!("{layer:?} of {scope:?}")],
        explained: None,
        family: None,
        about: None,
        covers: Vec::new(),
    }
}

#[test]
fn a_volume_that_falls_further_is_told_in_its_own_alarm_and_not_for_ever() {
    let (routes, names) = (routes(), names());
    let mut groups = Groups::default();
    let wiki = Scope::Service(1);
    let opened = groups.open(Minute::new(100), finding(Layer::Volume, wiki, 90), &routes, &names);
    assert_eq!(opened, [Change::Opened(0)]);
    let further = LayerFinding {
        onset: 200,
        expected: 10.0,
        observed: 1.0,
        score: 1.0,
        provisional: false,
    };
    let worse = |scope| Worse {
        scope,
        found: further,
        with_family: false,
    };
    assert_eq!(
        groups.worsen(Minute::EPOCH, worse(wiki), &routes, &names),
        [Change::Changed(0)]
    );
    let evidence = &groups.alarms[0].evidence;
    assert_eq!(
        evidence.last().map(String::as_str),
        Some("worse: service wiki brought 1 of the 10 mails that it still had left")
    );
    assert_eq!(
        groups.worsen(Minute::EPOCH, worse(Scope::Service(2)), &routes, &names),
        [],
        "another's fall"
    );
    for at in 0..100 {
        groups.worsen(Minute::new(at), worse(wiki), &routes, &names);
    }
    assert_eq!(groups.alarms[0].evidence.len(), 2, "said once");
    for at in 0..100 {
        groups.worsen(Minute::new(at), worse(wiki), &routes, &names);
        groups.open(Minute::new(at), finding(Layer::Volume, wiki, 90), &routes, &names);
    }
    assert_eq!(groups.alarms[0].evidence.len(), SAID_MAX);
    groups.close((Layer::Volume, wiki, None), Minute::new(290), &routes);
    assert_eq!(
        groups.worsen(Minute::EPOCH, worse(wiki), &routes, &names),
        [],
        "it is over"
    );
}

/// A fleet's alarms, and what opens and closes them.
struct Told {
    groups: Groups,
    routes: Routes,
    names: Names,
}

impl Told {
    fn new() -> Told {
        Told {
            groups: Groups::default(),
            routes: routes(),
            names: names(),
        }
    }

    fn open(&mut self, at: i64, finding: GroupFinding) -> Vec<Change> {
        self.groups.open(Minute::new(at), finding, &self.routes, &self.names)
    }

    fn close(&mut self, layer: Layer, scope: Scope, ended: i64) -> Vec<Change> {
        self.groups
            .close((layer, scope, None), Minute::new(ended), &self.routes)
    }
}

const SHOP: Scope = Scope::Service(0);
const WIKI: Scope = Scope::Service(1);
const CRON: Scope = Scope::Service(2);
const RELAY: Scope = Scope::Relay(ONE);

#[test]
fn an_alarm_of_a_service_becomes_its_relays_and_keeps_number_name_and_first_minute() {
    let mut told = Told::new();
    assert_eq!(told.open(103, finding(Layer::Witness, WIKI, 100)), [Change::Opened(0)]);
    assert_eq!(
        told.open(104, finding(Layer::Witness, Scope::Service(4), 104)),
        [Change::Opened(1)]
    );
    // The relay's silence is dated a little earlier, and by others' mail.
    let changes = told.open(107, finding(Layer::Silence, RELAY, 99));
    assert_eq!(changes, [Change::Changed(0)]);
    let alarm = &told.groups.alarms[0];
    assert_eq!(
        (alarm.id, alarm.named, alarm.scope),
        (0, (WIKI, Minute::new(100)), RELAY)
    );
    assert_eq!(
        (alarm.state, alarm.onset, alarm.detected),
        (State::Dropped, Minute::new(99), Minute::new(104))
    );
    assert!(
        alarm
            .members
            .iter()
            .any(|member| member.service == 1 && member.judged.is_some())
    );
    assert!(alarm.members.len() >= 4, "who hangs on it: {alarm:#?}");
    assert_eq!(
        told.groups.told().count(),
        2,
        "the other relay's service is another trouble"
    );
    // It is over with the relay's silence, whatever the service's log still says.
    assert_eq!(told.close(Layer::Silence, RELAY, 150), [Change::Closed(0)]);
    assert_eq!(told.groups.alarms[0].ended, Some(Minute::new(150)));
}

#[test]
fn others_that_were_told_end_in_the_one_that_takes_them_in_and_both_name_each_other() {
    let mut told = Told::new();
    told.open(103, finding(Layer::Rejects, CRON, 100));
    told.open(105, finding(Layer::Queue, WIKI, 101));
    let names = |told: &Told| {
        told.groups
            .alarms
            .iter()
            .map(|alarm| alarm.named)
            .collect::<Vec<Named>>()
    };
    // Two of four that use only this relay fail: it is the relay, and still the first one's alarm.
    assert_eq!(names(&told), [(CRON, Minute::new(100)), (WIKI, Minute::new(101))]);
    let (whole, part) = (&told.groups.alarms[0], &told.groups.alarms[1]);
    assert_eq!(
        (whole.scope, whole.part_of, whole.ended),
        (RELAY, None, None),
        "{whole:#?}"
    );
    assert_eq!(whole.took_in, [(WIKI, Minute::new(101))]);
    assert_eq!(
        (part.part_of, part.whole, part.ended),
        (Some(0), Some((CRON, Minute::new(100))), Some(Minute::new(106)))
    );
    let told: Vec<usize> = told.groups.told().map(|alarm| alarm.id).collect();
    assert_eq!(told, [0]);
}

#[test]
fn a_volume_that_was_low_before_the_relay_fell_silent_is_taken_in_and_gives_no_name() {
    let mut told = Told::new();
    told.open(1_000, finding(Layer::Volume, WIKI, 500));
    let changes = told.open(3_000, finding(Layer::Silence, RELAY, 2_997));
    assert_eq!(changes, [Change::Opened(1), Change::Merged(0, 1)]);
    let (part, whole) = (&told.groups.alarms[0], &told.groups.alarms[1]);
    assert_eq!(
        (whole.named, whole.onset, whole.detected),
        ((RELAY, Minute::new(2_997)), Minute::new(2_997), Minute::new(3_001))
    );
    assert_eq!(
        (part.whole, part.ended),
        (Some((RELAY, Minute::new(2_997))), Some(Minute::new(3_001)))
    );
}

#[test]
fn an_alarm_of_a_relay_becomes_that_of_the_service_that_is_still_silent_when_others_mail_is_back() {
    let mut told = Told::new();
    told.open(110, finding(Layer::Silence, RELAY, 100));
    told.open(140, finding(Layer::Gap, SHOP, 99));
    assert_eq!(told.close(Layer::Silence, RELAY, 160), [Change::Changed(0)]);
    let alarm = &told.groups.alarms[0];
    assert_eq!(
        (alarm.named, alarm.scope, alarm.ended),
        ((RELAY, Minute::new(100)), SHOP, None)
    );
    assert_eq!(alarm.cause, None, "the relay takes mail");
    assert_eq!(told.close(Layer::Gap, SHOP, 400), [Change::Closed(0)]);
    assert_eq!(
        (told.groups.alarms.len(), told.groups.alarms[0].ended),
        (1, Some(Minute::new(400)))
    );
    // A service that makes little of the relay's mail does not make its alarm another.
    let mut told = Told::new();
    told.open(110, finding(Layer::Silence, RELAY, 100));
    told.open(140, finding(Layer::Gap, WIKI, 99));
    assert_eq!(told.close(Layer::Silence, RELAY, 160), [Change::Closed(0)]);
}

#[test]
fn an_onset_that_becomes_better_known_changes_no_name_and_no_two_alarms_have_one() {
    let mut told = Told::new();
    told.open(1_000, finding(Layer::Volume, RELAY, 880));
    told.open(1_003, finding(Layer::Silence, RELAY, 998));
    let alarm = &told.groups.alarms[0];
    assert_eq!(
        (alarm.named, alarm.onset),
        ((RELAY, Minute::new(880)), Minute::new(998))
    );
    told.close(Layer::Silence, RELAY, 1_010);
    told.close(Layer::Volume, RELAY, 1_010);
    told.open(2_000, finding(Layer::Witness, RELAY, 880));
    assert_eq!(told.groups.alarms[1].named, (RELAY, Minute::new(881)));
}

/// What may be found of a fleet, and whether it begins or is over.
fn step() -> impl Strategy<Value = (bool, Layer, Scope, bool, i64, bool)> {
    let layers = [
        Layer::Silence,
        Layer::Witness,
        Layer::Rejects,
        Layer::Queue,
        Layer::Gap,
        Layer::Volume,
        Layer::Sight,
        Layer::Parse,
    ];
    let scopes = [
        Scope::Relay(ONE),
        Scope::Relay(TWO),
        Scope::Host(ONE),
        Scope::Hostgroup(0),
        Scope::Hostgroup(1),
        SHOP,
        WIKI,
        CRON,
        Scope::Service(3),
        Scope::Service(4),
    ];
    let layer = (0..layers.len()).prop_map(move |at| layers[at]);
    let scope = (0..scopes.len()).prop_map(move |at| scopes[at]);
    // Times may lie far back, and in the minutes to come by a mistake of a layer's.
    let back = prop_oneof![4 => -5i64..40, 1 => 0i64..4_000];
    (
        prop::bool::weighted(0.7),
        layer,
        scope,
        any::<bool>(),
        back,
        prop::bool::weighted(0.2),
    )
}

#[track_caller]
fn is_in_order(alarm: &Alarm) {
    assert!(alarm.onset <= alarm.detected, "{alarm:#?}");
    assert!(alarm.ended.is_none_or(|ended| alarm.detected <= ended), "{alarm:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_alarm_begins_is_found_and_ends_in_this_order_and_is_never_replaced(
        steps in proptest::collection::vec((step(), prop_oneof![4 => 0i64..20, 1 => 0i64..2_000]), 1..60)
    ) {
        let mut told = Told::new();
        let mut known: Vec<Alarm> = Vec::new();
        let mut at = 10_000;
        for ((opens, layer, scope, at_relay, back, provisional), later) in steps {
            at += later;
            let relay = at_relay.then_some(ONE);
            if opens {
                let mut one = finding(layer, scope, at - back);
                one.relay = relay;
                one.found.provisional = provisional && layer == Layer::Volume;
                told.open(at, one);
            } else {
                told.groups.close((layer, scope, relay), Minute::new(at - back), &told.routes);
            }
            let now = &told.groups.alarms;
            for alarm in now {
                is_in_order(alarm);
                // Whoever is told of one finds the one that it is part of.
                let whole = alarm.part_of.map(|whole| now[whole].named);
                assert_eq!(whole, alarm.whole, "{alarm:#?}");
                let mut last = alarm;
                for _ in now {
                    last = last.part_of.map_or(last, |whole| &now[whole]);
                }
                assert_eq!(last.part_of, None, "a ring: {alarm:#?}");
            }
            for (before, alarm) in known.iter().zip(now) {
                assert_eq!((before.id, before.named, before.detected), (alarm.id, alarm.named, alarm.detected));
                assert_eq!(before.provisional, alarm.provisional);
            }
            let mut all: Vec<Named> = now.iter().map(|alarm| alarm.named).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), now.len(), "a name for each");
            known.clone_from(now);
        }
    }
}
