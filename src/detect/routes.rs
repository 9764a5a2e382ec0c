//! Which way each service's mail goes: shares per host over the last weeks.

use super::fleet::{Flow, FlowKind, Id, NONE};
use mailpulse_time::{CivilDay, Minute};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a day's mail is worth the day after.
const KEEP: f64 = 0.9;
/// A share from which a service has no other way.
pub const ONLY: f64 = 0.95;

/// Mail by service, host and hostgroup; old mail fades.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Routes {
    day: Option<CivilDay>,
    by_host: BTreeMap<(Id, Id), f64>,
    by_group: BTreeMap<(Id, Id), f64>,
    total: BTreeMap<Id, f64>,
    host_total: BTreeMap<Id, f64>,
    group_host: BTreeMap<(Id, Id), f64>,
    group_total: BTreeMap<Id, f64>,
}

impl Routes {
    /// Takes a minute's mail.
    pub fn add(&mut self, at: Minute, flows: &[Flow]) {
        let day = at.day();
        if self.day.is_some_and(|last| last != day) {
            let all = self.by_host.values_mut().chain(self.by_group.values_mut());
            let all = all.chain(self.group_host.values_mut()).chain(self.total.values_mut());
            let all = all
                .chain(self.host_total.values_mut())
                .chain(self.group_total.values_mut());
            all.for_each(|sum| *sum *= KEEP);
        }
        self.day = Some(day);
        for flow in flows {
            if flow.what == FlowKind::Foreign {
                *self.host_total.entry(flow.host).or_default() += f64::from(flow.count);
            }
            if !matches!(flow.what, FlowKind::Accepted | FlowKind::Passed) {
                continue;
            }
            let count = f64::from(flow.count);
            *self.by_host.entry((flow.service, flow.host)).or_default() += count;
            *self.host_total.entry(flow.host).or_default() += count;
            if flow.hostgroup != NONE {
                *self.group_host.entry((flow.hostgroup, flow.host)).or_default() += count;
            }
            if flow.what == FlowKind::Accepted {
                *self.total.entry(flow.service).or_default() += count;
                if flow.hostgroup != NONE {
                    *self.by_group.entry((flow.service, flow.hostgroup)).or_default() += count;
                    *self.group_total.entry(flow.hostgroup).or_default() += count;
                }
            }
        }
    }

    /// Forgets the ways of a service that there is no more.
    pub fn forget(&mut self, service: Id) {
        self.by_host.retain(|(other, _), _| *other != service);
        self.by_group.retain(|(other, _), _| *other != service);
        self.total.remove(&service);
    }

    /// Forgets the ways of a hostgroup.
    pub fn forget_group(&mut self, group: Id) {
        self.by_group.retain(|(_, other), _| *other != group);
        self.group_host.retain(|(other, _), _| *other != group);
        self.group_total.remove(&group);
    }

    /// The share of a service's mail that passes a host, 0 to 1.
    pub fn share(&self, service: Id, host: Id) -> f64 {
        let through = self.by_host.get(&(service, host)).copied().unwrap_or(0.0);
        let total = self.total.get(&service).copied().unwrap_or(0.0).max(through);
        if total > 0.0 { through / total } else { 0.0 }
    }

    /// The share of a service's mail that a hostgroup sends.
    pub fn group_share(&self, service: Id, group: Id) -> f64 {
        let from = self.by_group.get(&(service, group)).copied().unwrap_or(0.0);
        let total = self.total.get(&service).copied().unwrap_or(0.0).max(from);
        if total > 0.0 { from / total } else { 0.0 }
    }

    /// The hostgroups that send a service's mail, with their shares.
    pub fn groups_of(&self, service: Id) -> impl Iterator<Item = (Id, f64)> {
        let own = self.by_group.range((service, 0)..=(service, Id::MAX));
        own.map(move |((_, group), _)| (*group, self.group_share(service, *group)))
    }

    /// The share of a hostgroup's mail that passes a host.
    pub fn group_through(&self, group: Id, host: Id) -> f64 {
        ratio(self.group_host.get(&(group, host)), self.group_total.get(&group))
    }

    /// The service that sends most of a hostgroup's mail.
    pub fn main_of_group(&self, group: Id) -> Option<Id> {
        let of_group = self.by_group.iter().filter(|((_, other), _)| *other == group);
        of_group
            .max_by(|a, b| a.1.total_cmp(b.1))
            .map(|((service, _), _)| *service)
    }

    /// The part of a hostgroup's mail that is one service's.
    pub fn part_of_group(&self, service: Id, group: Id) -> f64 {
        ratio(self.by_group.get(&(service, group)), self.group_total.get(&group))
    }

    /// The part of a host's mail that is one service's.
    pub fn part_of_host(&self, service: Id, host: Id) -> f64 {
        ratio(self.by_host.get(&(service, host)), self.host_total.get(&host))
    }

    /// Hostgroups that have sent mail.
    pub fn groups(&self) -> impl Iterator<Item = Id> {
        self.group_total.keys().copied()
    }

    /// Hosts that have passed mail on.
    pub fn hosts(&self) -> impl Iterator<Item = Id> {
        self.host_total.keys().copied()
    }

    /// The services of a host's mail with the parts that are theirs.
    pub fn parts_of_host(&self, host: Id) -> impl Iterator<Item = (Id, f64)> {
        let of_host = self.by_host.keys().filter(move |(_, other)| *other == host);
        of_host.map(move |(service, _)| (*service, self.part_of_host(*service, host)))
    }

    /// The services of a hostgroup's mail with the parts that are theirs.
    pub fn parts_of_group(&self, group: Id) -> impl Iterator<Item = (Id, f64)> {
        let of_group = self.by_group.keys().filter(move |(_, other)| *other == group);
        of_group.map(move |(service, _)| (*service, self.part_of_group(*service, group)))
    }

    /// Services that pass a host with at least this share, in the order of their numbers.
    pub fn through(&self, host: Id, share: f64) -> Vec<Id> {
        let services = self.total.keys().copied();
        services.filter(|service| self.share(*service, host) >= share).collect()
    }

    /// Hosts that a service's mail passes, with shares, largest first.
    pub fn of(&self, service: Id) -> Vec<(Id, f64)> {
        let own = self.by_host.range((service, 0)..=(service, Id::MAX));
        let mut hosts: Vec<(Id, f64)> = own.map(|((_, host), _)| (*host, self.share(service, *host))).collect();
        hosts.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        hosts
    }
}

fn ratio(part: Option<&f64>, whole: Option<&f64>) -> f64 {
    let (part, whole) = (part.copied().unwrap_or(0.0), whole.copied().unwrap_or(0.0));
    if whole > 0.0 { (part / whole).min(1.0) } else { 0.0 }
}
