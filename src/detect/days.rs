//! Which hour and day it is to whom. A relay or hostgroup lives by the clock of those whose mail it carries, and keeps
//! holiday with them.

use super::alarm::Scope;
use super::civil::CivilClock;
use super::civil::LocalMinute;
use super::fleet::{Id, Names};
use super::holidays::{DayKind, Holidays};
use super::rhythm::{Rhythm, Rhythms};
use super::routes::Routes;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Minutes from look to look at who is on holiday: zones begin their days at any quarter of an hour.
const LOOK: i64 = 15;
/// Minutes after which it is known whose mail a relay or hostgroup carries.
const KNOWN: i64 = 1440;
/// A part of the mail without which a count is no longer as usual, and one without which silence is no wonder.
const PART: f64 = 0.1;
const MOST: f64 = 0.5;

/// Clocks and holidays of a fleet.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Days {
    #[serde(skip)]
    rhythms: Rhythms,
    /// Whether services differ in their zones.
    #[serde(skip)]
    differ: bool,
    #[serde(skip)]
    usual: CivilClock,
    /// Services with holidays of their own.
    #[serde(skip)]
    own: Vec<(String, CivilClock, Arc<Holidays>)>,
    is_usual: bool,
    /// What carries mail of services that have a holiday of their own, with the part that it usually is.
    others: BTreeMap<Scope, f64>,
    /// When a relay or hostgroup was first seen.
    first: BTreeMap<Scope, i64>,
    /// Relays that do not live by the usual clock.
    #[serde(skip)]
    clocks: BTreeMap<Id, Option<CivilClock>>,
    /// Services that were asked for by themselves.
    #[serde(skip)]
    services: BTreeMap<Id, (CivilClock, Arc<Holidays>)>,
}

impl Days {
    pub(super) fn new(rhythms: Rhythms) -> Days {
        let own = rhythms.own.iter().filter(|(_, rhythm)| !rhythm.holidays.is_empty());
        let own = own.map(|(name, rhythm)| {
            let clock = CivilClock::new(rhythm.zone.clone());
            (name.clone(), clock, Arc::clone(&rhythm.holidays))
        });
        Days {
            own: own.collect(),
            differ: rhythms.own.values().any(|own| own.zone != rhythms.usual.zone),
            usual: CivilClock::new(rhythms.usual.zone.clone()),
            rhythms,
            is_usual: false,
            others: BTreeMap::new(),
            first: BTreeMap::new(),
            clocks: BTreeMap::new(),
            services: BTreeMap::new(),
        }
    }

    /// Relays whose clock is known, with their zones; none for the usual one.
    pub(super) fn zones(&self) -> impl Iterator<Item = (Id, Option<&TimeZone>)> {
        let all = self.clocks.iter();
        all.map(|(relay, clock)| (*relay, clock.as_ref().map(CivilClock::zone)))
    }

    /// What was kept of another, with the clocks and holidays of the configuration.
    pub(super) fn wake(self, rhythms: Rhythms, zones: BTreeMap<Id, Option<TimeZone>>) -> Days {
        let clocks = zones
            .into_iter()
            .map(|(relay, zone)| (relay, zone.map(CivilClock::new)));
        Days {
            is_usual: self.is_usual,
            others: self.others,
            first: self.first,
            clocks: clocks.collect(),
            ..Days::new(rhythms)
        }
    }

    /// Takes a minute.
    pub(super) fn step(&mut self, at: i64, names: &Names, routes: &Routes) {
        self.is_usual = self.rhythms.usual.holidays.kind(self.usual.at(at * 60).day) == DayKind::Holiday;
        if at.rem_euclid(LOOK) != 0 {
            return;
        }
        if self.differ {
            self.set_clocks(at, names, routes);
        }
        self.others.clear();
        let away = self.away(at, names);
        if away.is_empty() {
            return;
        }
        let part = |of: &dyn Fn(Id) -> f64| away.iter().map(|service| of(*service)).sum::<f64>();
        let hosts = (0..names.hosts.len() as Id)
            .map(|host| (Scope::Relay(host), part(&|service| routes.part_of_host(service, host))));
        let groups = (0..names.hostgroups.len() as Id).map(|group| {
            (
                Scope::Hostgroup(group),
                part(&|service| routes.part_of_group(service, group)),
            )
        });
        self.others = hosts.chain(groups).filter(|(_, part)| *part >= PART).collect();
    }

    /// Services that have a holiday of their own, while the others have none.
    fn away(&mut self, at: i64, names: &Names) -> Vec<Id> {
        let mut away = Vec::new();
        if self.is_usual {
            return away;
        }
        for (name, clock, holidays) in &mut self.own {
            if holidays.kind(clock.at(at * 60).day) == DayKind::Holiday {
                let service = names.services.iter().position(|service| service == name);
                away.extend(service.map(|id| id as Id));
            }
        }
        away
    }

    fn set_clocks(&mut self, at: i64, names: &Names, routes: &Routes) {
        let unknown: Vec<Id> = routes.hosts().filter(|host| !self.clocks.contains_key(host)).collect();
        for host in unknown {
            if let Some(rhythm) = self.rhythm(at, Scope::Relay(host), names, routes) {
                let differs = rhythm.zone != self.rhythms.usual.zone;
                self.clocks.insert(host, differs.then(|| CivilClock::new(rhythm.zone)));
            }
        }
    }

    /// The rhythm of a series that begins; `None` while it is not known whose mail it is.
    pub(super) fn rhythm(&mut self, at: i64, scope: Scope, names: &Names, routes: &Routes) -> Option<Rhythm> {
        if let Scope::Service(service) = scope {
            return Some(self.rhythms.of(names.service(service)).clone());
        }
        if !self.differ {
            return Some(self.rhythms.usual.clone());
        }
        if at - *self.first.entry(scope).or_insert(at) < KNOWN {
            return None;
        }
        let parts: Vec<(Id, f64)> = match scope {
            Scope::Hostgroup(group) => routes.parts_of_group(group).collect(),
            Scope::Relay(host) | Scope::Host(host) => routes.parts_of_host(host).collect(),
            Scope::Fleet | Scope::Service(_) | Scope::Provider(_) => Vec::new(),
        };
        let zones = parts
            .iter()
            .map(|(service, part)| (&self.rhythms.of(names.service(*service)).zone, *part));
        let zones: Vec<_> = zones.collect();
        let most = zones.iter().map(|(zone, _)| *zone).find(|zone| {
            let of_zone = zones.iter().filter(|(other, _)| other == zone);
            of_zone.map(|(_, part)| part).sum::<f64>() > MOST
        });
        Some(Rhythm {
            zone: most.unwrap_or(&self.rhythms.usual.zone).clone(),
            holidays: Arc::clone(&self.rhythms.usual.holidays),
        })
    }

    /// What a minute is to those who send through a service.
    pub(super) fn of_service(&mut self, at: i64, service: Id, names: &Names) -> LocalMinute {
        let (clock, holidays) = self.services.entry(service).or_insert_with(|| {
            let rhythm = self.rhythms.of(names.service(service));
            (CivilClock::new(rhythm.zone.clone()), Arc::clone(&rhythm.holidays))
        });
        LocalMinute {
            wall: clock.wall(at),
            holiday: holidays.kind(clock.at(at * 60).day) == DayKind::Holiday,
        }
    }

    /// The minute on the wall of those who use a relay.
    pub(super) fn wall(&mut self, at: i64, relay: Id) -> i64 {
        let own = self.clocks.get_mut(&relay).and_then(Option::as_mut);
        own.unwrap_or(&mut self.usual).wall(at)
    }

    /// Whether a relay's silence would be no wonder: it is everyone's holiday, or that of most who use it.
    pub(super) fn is_quiet(&self, relay: Id) -> bool {
        self.is_usual || self.others.get(&Scope::Relay(relay)).is_some_and(|part| *part >= MOST)
    }

    /// Whether full silence would be no wonder: a service's own holiday, everyone's, or that of most of who use it.
    pub(super) fn is_holiday(&mut self, at: i64, scope: Scope, names: &Names) -> bool {
        match scope {
            Scope::Service(service) => self.of_service(at, service, names).holiday,
            Scope::Relay(relay) | Scope::Host(relay) => self.is_quiet(relay),
            Scope::Fleet | Scope::Provider(_) => self.is_usual,
            Scope::Hostgroup(_) => self.is_usual || self.others.get(&scope).is_some_and(|part| *part >= MOST),
        }
    }

    /// Whether a relay or hostgroup lacks mail of services that have a holiday of their own.
    pub(super) fn lacks(&self, scope: Scope) -> bool {
        self.others.contains_key(&scope)
    }
}
