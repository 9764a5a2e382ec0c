//! Who sent a message: from the facts of its arrival line to service, hostgroup and stored addresses.

use super::hosts::Hosts;
use super::origins::{Client, Codes, Field, Origins, Sender};
use super::redact::{Redactor, lower_text, text};
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
    client_key: Vec<u8>,
    derived: FxHashSet<String>,
    /// Names derived since the last commit. They are part of it: a run that goes on after a kill must know them.
    new_derived: Vec<String>,
    local: Vec<u8>,
}

impl Attributor {
    /// The sender for these facts. `may_derive` is false for mail that was refused: strangers make no services.
    pub fn origin(&mut self, with: &Attribution, facts: &Facts<'_>, may_derive: bool) -> Sender {
        self.fill_key(facts, may_derive);
        if let Some(sender) = self.origins.remembered(&self.key, self.derived.len()) {
            return sender;
        }
        let client = self.client(with, facts);
        let (codes, unattributed) = self.decide(with, facts, may_derive, client);
        // A stranger may become a service with its first accepted mail: then its refusals are that service's. Until a
        // name is derived they stay what they are.
        let may_change = !may_derive && with.services.is_empty() && unattributed;
        let sender = Sender {
            origin: self.origins.intern_codes(codes),
            first_hop: client.first_hop,
        };
        let names = may_change.then_some(self.derived.len());
        self.origins.remember(&self.key, sender, names);
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
        let texts = [
            Some(facts.sender),
            facts.client_name,
            facts.user,
            facts.auth,
            facts.message_id_host,
            facts.router,
            facts.transport,
        ];
        self.key.clear();
        // Which there are, and lengths, so that no text reads like two.
        self.key.push(u8::from(may_derive));
        for (at, text) in texts.into_iter().enumerate() {
            if let Some(text) = text {
                self.key[0] |= 2 << at;
                self.key.extend_from_slice(&(text.len() as u32).to_le_bytes());
                self.key.extend_from_slice(text);
            }
        }
        push_ip(&mut self.key, facts.client_ip);
    }

    /// Name, address and hostgroup of whoever hands the mail in: clients repeat where senders do not.
    fn client(&mut self, with: &Attribution, facts: &Facts<'_>) -> Client {
        self.client_key.clear();
        push_ip(&mut self.client_key, facts.client_ip);
        self.client_key.push(0);
        self.client_key.extend_from_slice(facts.client_name.unwrap_or(b"\0"));
        if let Some(known) = self.origins.client(&self.client_key) {
            return known;
        }
        let name = facts.client_name.unwrap_or_else(|| {
            if facts.client_ip.is_none() {
                facts.host.as_bytes()
            } else {
                b""
            }
        });
        let hostgroup = with.hostgroups.find(Some(name), facts.client_ip).unwrap_or_default();
        let address = facts.client_ip.map(|ip| ip.to_string()).unwrap_or_default();
        let client = Client {
            client: self.origins.text(Field::Client, &text(name)),
            client_ip: self.origins.text(Field::ClientIp, &address),
            hostgroup: self.origins.text(Field::Hostgroup, hostgroup),
            first_hop: facts
                .client_name
                .is_none_or(|client| !with.is_covered(client, facts.host)),
        };
        self.origins.remember_client(&self.client_key, client);
        client
    }

    /// The origin's fields by number, and whether no service was found.
    fn decide(&mut self, with: &Attribution, facts: &Facts<'_>, may_derive: bool, client: Client) -> (Codes, bool) {
        let derived;
        let service = match with.services.find(facts) {
            Some(found) => with.services.name(found.service),
            None if with.services.is_empty() => {
                derived = self.derive(with, facts, may_derive);
                &derived
            }
            None => UNATTRIBUTED,
        };
        let unattributed = service == UNATTRIBUTED;
        let service = self.origins.text(Field::Service, service);
        let domain = with.redactor.local_part(facts.sender, &mut self.local);
        let local = self.origins.text(Field::SenderLocal, &text(&self.local));
        let domain = self.origins.text(Field::SenderDomain, &lower_text(domain));
        let codes = [
            service,
            client.hostgroup,
            client.client,
            client.client_ip,
            local,
            domain,
        ];
        (codes, unattributed)
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

fn push_ip(key: &mut Vec<u8>, ip: Option<IpAddr>) {
    match ip {
        Some(IpAddr::V4(ip)) => key.extend_from_slice(&ip.octets()),
        Some(IpAddr::V6(ip)) => key.extend_from_slice(&ip.octets()),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalise::redact::LocalParts;

    #[test]
    fn refusals_are_a_services_from_its_first_mail_on() {
        let with = Attribution {
            services: ServiceRules::default(),
            hostgroups: HostGroups::default(),
            redactor: Redactor::new(LocalParts::Drop, [0; 32]),
            services_max: 10,
            covered_hosts: Hosts::default(),
        };
        let facts = Facts {
            sender: b"shop@example.org",
            host: "mx1",
            ..Facts::default()
        };
        let other = Facts {
            sender: b"other@example.org",
            ..facts
        };
        let mut attributor = Attributor::default();
        let mut service = |facts: &Facts<'_>, accepted: bool| {
            let sender = attributor.origin(&with, facts, accepted);
            attributor.origins.get(sender.origin).service
        };
        assert_eq!([service(&facts, false), service(&facts, false)], [UNATTRIBUTED; 2]);
        assert_eq!(service(&other, true), "other");
        assert_eq!([service(&facts, false), service(&facts, false)], [UNATTRIBUTED; 2]);
        assert_eq!(service(&facts, true), "shop");
        assert_eq!([service(&facts, false), service(&facts, false)], ["shop"; 2]);
    }
}
