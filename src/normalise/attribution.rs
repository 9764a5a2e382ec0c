//! Who sent a message: from the facts of its arrival line to service, hostgroup and stored addresses.

use super::event::Origin;
use super::hosts::Hosts;
use super::origins::{Origins, Sender};
use super::redact::{Redactor, split_address, text};
use super::rules::{Facts, HostGroups, ServiceRules, UNATTRIBUTED, derive};
use rustc_hash::FxHashSet;
use std::net::IpAddr;

/// Rules and names that attribute mail. Shared by all logs of a run.
#[derive(Debug)]
pub struct Attribution {
    /// Service rules; with none, services are derived.
    pub services: ServiceRules,
    /// Hostgroups.
    pub hostgroups: HostGroups,
    /// What becomes of local parts.
    pub redactor: Redactor,
    /// Services derived from senders, at most: a relay that takes mail from the world would make one per spammer.
    pub services_max: usize,
    /// Hosts whose MTA's log is read: mail that one of them hands on has entered the mail system before.
    pub covered_hosts: Hosts,
}

impl Attribution {
    /// Adds a host whose MTA's log is read.
    pub fn cover(&mut self, host: &str) {
        self.covered_hosts.add(host);
    }

    /// Whether a name in the log of `host` means another host whose log is read.
    pub fn is_covered(&self, name: &[u8], host: &str) -> bool {
        // One host alone has no other.
        if self.covered_hosts.len() < 2 {
            return false;
        }
        let Ok(name) = std::str::from_utf8(name) else {
            return false;
        };
        let found = self.covered_hosts.find(name);
        found.is_some() && found != self.covered_hosts.find(host)
    }
}

/// Attributes the messages of one log, remembering what it decided.
#[derive(Debug, Default)]
pub struct Attributor {
    /// Senders seen.
    pub origins: Origins,
    key: Vec<u8>,
    derived: FxHashSet<String>,
    /// Names derived since the last commit. They are part of it: a run that goes on after a kill must know them.
    new_derived: Vec<String>,
    local: Vec<u8>,
}

impl Attributor {
    /// The sender for these facts. `may_derive` is false for mail that was refused: strangers make no services.
    pub fn origin(&mut self, with: &Attribution, facts: &Facts<'_>, may_derive: bool) -> Sender {
        self.fill_key(facts, may_derive);
        if let Some(sender) = self.origins.remembered(&self.key) {
            return sender;
        }
        let first_hop = facts
            .client_name
            .is_none_or(|client| !with.is_covered(client, facts.host));
        let origin = self.decide(with, facts, may_derive);
        // A stranger may become a service with its first accepted mail: then its refusals are that service's.
        let may_change = !may_derive && with.services.is_empty() && origin.service == UNATTRIBUTED;
        let sender = Sender {
            origin: self.origins.intern(origin),
            first_hop,
        };
        if !may_change {
            self.origins.remember(&self.key, sender);
        }
        sender
    }

    /// Names that earlier runs derived.
    pub fn load_derived(&mut self, names: Vec<String>) {
        self.derived.extend(names);
    }

    /// Names derived since the last call.
    pub fn take_new_derived(&mut self) -> Vec<String> {
        std::mem::take(&mut self.new_derived)
    }

    fn fill_key(&mut self, facts: &Facts<'_>, may_derive: bool) {
        self.key.clear();
        self.key.push(u8::from(may_derive));
        match facts.client_ip {
            Some(IpAddr::V4(ip)) => self.key.extend_from_slice(&ip.octets()),
            Some(IpAddr::V6(ip)) => self.key.extend_from_slice(&ip.octets()),
            None => {}
        }
        let texts = [
            Some(facts.sender),
            facts.client_name,
            facts.user,
            facts.auth,
            facts.message_id_host,
            facts.router,
            facts.transport,
        ];
        for text in texts {
            self.key.push(0);
            self.key.extend_from_slice(text.unwrap_or(b"\0"));
        }
    }

    fn decide(&mut self, with: &Attribution, facts: &Facts<'_>, may_derive: bool) -> Origin {
        let service = match with.services.find(facts) {
            Some(found) => with.services.name(found.service).to_owned(),
            None if with.services.is_empty() => self.derive(with, facts, may_derive),
            None => UNATTRIBUTED.to_owned(),
        };
        let client = facts.client_name.unwrap_or_else(|| {
            if facts.client_ip.is_none() {
                facts.host.as_bytes()
            } else {
                b""
            }
        });
        let (local, domain) = split_address(facts.sender);
        with.redactor.local_part(local, domain, &mut self.local);
        Origin {
            service,
            hostgroup: with
                .hostgroups
                .find(Some(client), facts.client_ip)
                .unwrap_or_default()
                .to_owned(),
            client: text(client),
            client_ip: facts.client_ip.map(|ip| ip.to_string()).unwrap_or_default(),
            sender_local: text(&self.local),
            sender_domain: text(domain).to_lowercase(),
        }
    }

    fn derive(&mut self, with: &Attribution, facts: &Facts<'_>, may_derive: bool) -> String {
        let name = derive(facts);
        if self.derived.contains(&name) || name == UNATTRIBUTED {
            return name;
        }
        if !may_derive || self.derived.len() >= with.services_max {
            return UNATTRIBUTED.to_owned();
        }
        self.derived.insert(name.clone());
        self.new_derived.push(name.clone());
        name
    }
}
