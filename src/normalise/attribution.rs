//! Who sent a message: from the facts of its arrival line to service, hostgroup and stored addresses.

use super::derived::{DerivedNames, Holds, NameChanges, NameState};
use super::hosts::HostNumbers;
use super::origins::{Codes, OriginClient, OriginField, OriginInterner, SenderOrigin};
use crate::model::direction::MailOrigin;
use crate::model::service_names::{INBOUND, UNATTRIBUTED, is_reserved};
use crate::model::time::UtcMs;
use crate::normalise::ours::{HandedIn, Ours};
use crate::normalise::provider::Providers;
use crate::normalise::redact::{LocalParts, Redactor, bounded_text, lower_text, plain_text};
use crate::normalise::rules::{Facts, HostGroups, Naming, ServiceRules, derive};
use std::collections::HashSet;
use std::net::IpAddr;

/// What this program's way to derive names and to match rules is called: another number where the same rules and logs give
/// other services than before.
pub const PROGRAM: u8 = 2;

/// Rules and names that attribute mail. Shared by all logs of a run.
#[derive(Debug)]
pub struct Attribution {
    /// Service rules.
    pub services: ServiceRules,
    /// Whether mail that no rule names gets a derived service.
    pub derive: bool,
    /// Hostgroups.
    pub hostgroups: HostGroups,
    /// What becomes of local parts.
    pub redactor: Redactor,
    /// Services derived from senders, at most: a relay that takes mail from the world would make one per spammer.
    pub services_max: usize,
    /// HostNumbers whose MTA's log is read: mail that one of them hands on has entered the mail system before.
    pub covered_hosts: HostNumbers,
    /// Who is ours: services are those of our mail.
    pub ours: Ours,
    /// Who runs the receiving sides.
    pub providers: Providers,
}

impl Attribution {
    /// What may name a derived service: names are shown in clear.
    pub fn naming(&self) -> Naming {
        match self.redactor.mode() {
            LocalParts::Keep => Naming::Accounts,
            LocalParts::Hash | LocalParts::Drop => Naming::Impersonal,
        }
    }

    /// What tells this attribution from others, by all that gives mail to services and hostgroups; never 0. Its last byte is
    /// [`PROGRAM`].
    pub fn version(&self) -> i64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.services.digest().as_bytes());
        hasher.update(self.hostgroups.digest().as_bytes());
        let naming = match self.naming() {
            Naming::Impersonal => 0,
            Naming::Accounts => 1,
        };
        hasher.update(&[u8::from(self.derive), if self.derive { naming } else { 0 }]);
        if let Some(ours) = self.ours.digest() {
            hasher.update(ours.as_bytes());
        }
        let digest = *hasher.finalize().as_bytes();
        i64::from_be_bytes(std::array::from_fn(|at| digest[at])) & 0x7fff_ffff_ffff_ff00 | i64::from(PROGRAM)
    }

    /// Adds a host whose MTA's log is read.
    pub fn cover(&mut self, host: &str) {
        self.covered_hosts.add(host);
    }

    /// Whether a name in the log of `host` means another host whose log is read.
    pub(crate) fn is_covered(&self, name: &[u8], host: &str) -> bool {
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

/// What the line says whose sender is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SenderLine {
    /// The mail was taken: a sender of ours may become a derived service by it.
    Taken,
    /// It was refused: that makes no services.
    Refused,
    /// The arrival has not been read: nobody knows whose it is.
    Orphan,
}

/// Most mail is a few senders'. A power of two.
const RECENT: usize = 64;

/// Attributes the messages of one log, remembering what it decided.
#[derive(Debug)]
pub struct Attributor {
    /// Senders seen.
    pub origins: OriginInterner,
    /// Numbers of facts seen lately, each in a place that they name: these are found without putting a key together.
    recent: [u32; RECENT],
    key: Vec<u8>,
    client_key: Vec<u8>,
    derived: DerivedNames,
    /// Names of accounts that the store has already: they stay.
    accounts: HashSet<String>,
    local: Vec<u8>,
}

impl Default for Attributor {
    fn default() -> Self {
        Attributor {
            origins: OriginInterner::default(),
            recent: [u32::MAX; RECENT],
            key: Vec::new(),
            client_key: Vec::new(),
            derived: DerivedNames::default(),
            accounts: HashSet::new(),
            local: Vec::new(),
        }
    }
}

impl Attributor {
    /// The sender for these facts of a line of `ts_ms`.
    pub fn origin(&mut self, with: &Attribution, facts: &Facts<'_>, ts_ms: UtcMs, line: SenderLine) -> SenderOrigin {
        let epoch = self.derived.at(ts_ms);
        let place = place_of(facts);
        let is_key = |key: &[u8]| is_key_of(key, facts, line);
        if let Some(sender) = self.origins.recalled(self.recent[place], is_key, epoch) {
            return sender;
        }
        self.fill_key(facts, line);
        if let Some((at, sender)) = self.origins.remembered(&self.key, epoch) {
            self.recent[place] = at;
            return sender;
        }
        let client = self.client(with, facts);
        let (codes, holds) = self.decide(with, facts, line, client);
        let sender = SenderOrigin {
            origin: self.origins.intern_codes(codes),
            first_hop: client.first_hop,
        };
        if holds != Holds::Once {
            self.origins.remember(&self.key, sender, holds);
        }
        sender
    }

    /// Names that earlier runs derived.
    pub(crate) fn load_derived(&mut self, names: Vec<NameState>) {
        self.derived.load(names);
    }

    /// Names that earlier runs derived from accounts, when local parts were kept or by a version that told them.
    pub(crate) fn load_accounts(&mut self, names: Vec<String>) {
        self.accounts.extend(names);
    }

    /// The service of a mail that no rule names.
    pub(super) fn name(&self, with: &Attribution, facts: &Facts<'_>) -> String {
        if with.naming() == Naming::Impersonal && !self.accounts.is_empty() {
            let name = derive(facts, Naming::Accounts);
            if self.accounts.contains(&name) {
                return name;
            }
        }
        derive(facts, with.naming())
    }

    /// What became of derived names since the last call.
    pub(crate) fn take_derived(&mut self) -> NameChanges {
        self.derived.changes()
    }

    fn fill_key(&mut self, facts: &Facts<'_>, line: SenderLine) {
        self.key.clear();
        // Which there are, and lengths, so that no text reads like two.
        let mut first = 0;
        self.key.extend_from_slice(&[0, line as u8]);
        for (at, text) in texts_of(facts).into_iter().enumerate() {
            if let Some(text) = text {
                first |= 1 << at;
                self.key.extend_from_slice(&(text.len() as u32).to_le_bytes());
                self.key.extend_from_slice(text);
            }
        }
        self.key[0] = first;
        push_ip(&mut self.key, facts.client_ip);
    }

    /// Name, address and hostgroup of whoever hands the mail in: clients repeat where senders do not.
    fn client(&mut self, with: &Attribution, facts: &Facts<'_>) -> OriginClient {
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
        let client = OriginClient {
            client: self.origins.text(OriginField::Client, &bounded_text(plain_text(name))),
            client_ip: self.origins.text(OriginField::ClientIp, &address),
            hostgroup: self.origins.text(OriginField::Hostgroup, hostgroup),
            first_hop: facts
                .client_name
                .is_none_or(|client| !with.is_covered(client, facts.host)),
            origin: with.ours.origin(&HandedIn {
                client_name: facts.client_name,
                client_ip: facts.client_ip,
                is_authenticated: false,
                host: facts.host,
            }),
        };
        self.origins.remember_client(&self.client_key, client);
        client
    }

    /// The origin's fields by number, and how long they hold.
    fn decide(
        &mut self,
        with: &Attribution,
        facts: &Facts<'_>,
        line: SenderLine,
        client: OriginClient,
    ) -> (Codes, Holds) {
        let origin = match line {
            SenderLine::Orphan => MailOrigin::Unknown,
            _ if facts.auth.is_some() => MailOrigin::Ours,
            _ => client.origin,
        };
        let derived;
        let (service, holds) = match origin {
            // What strangers claim to be is nobody's service.
            MailOrigin::Outside => (INBOUND, Holds::Always),
            _ => match with.services.find(facts) {
                Some(found) => (with.services.name(found.service), Holds::Always),
                None if with.derive => {
                    derived = self.name(with, facts);
                    self.derived_service(with, &derived, line == SenderLine::Taken)
                }
                None => (UNATTRIBUTED, Holds::Always),
            },
        };
        let service = self.origins.text(OriginField::Service, service);
        let domain = with
            .redactor
            .local_part(facts.sender.unwrap_or_default(), &mut self.local);
        let local = self
            .origins
            .text(OriginField::SenderLocal, &bounded_text(plain_text(&self.local)));
        let domain = self
            .origins
            .text(OriginField::SenderDomain, &bounded_text(lower_text(domain)));
        let codes = [
            service,
            client.hostgroup,
            client.client,
            client.client_ip,
            local,
            domain,
            origin as u32,
        ];
        (codes, holds)
    }

    /// The service of a derived name: its own where it has a place, and how long that holds. A stranger may become a service
    /// with its first accepted mail: then its refusals are that service's.
    fn derived_service<'n>(&mut self, with: &'n Attribution, name: &'n str, may_derive: bool) -> (&'n str, Holds) {
        // A rule's service is none of those that are derived, whoever gives its name.
        if let Some(of_rule) = with.services.spelt(name) {
            return (of_rule, Holds::Always);
        }
        if name == INBOUND {
            return (UNATTRIBUTED, Holds::Always);
        }
        if name == UNATTRIBUTED || is_reserved(name) {
            return (name, Holds::Always);
        }
        match may_derive {
            true if self.derived.admit(name, with.services_max) => (name, self.derived.known()),
            true => (UNATTRIBUTED, Holds::Once),
            false if self.derived.has(name) => (name, self.derived.known()),
            false => (UNATTRIBUTED, self.derived.unknown()),
        }
    }

    /// A name that a log of an application made, in a line of `ts_ms`, if there is room for it; else the mail is unattributed.
    pub(crate) fn admit(&mut self, with: &Attribution, name: &str, ts_ms: UtcMs) -> String {
        self.derived.at(ts_ms);
        self.derived_service(with, name, true).0.to_owned()
    }
}

/// The texts among the facts, in the order of a key.
fn texts_of<'f>(facts: &Facts<'f>) -> [Option<&'f [u8]>; 7] {
    [
        facts.sender,
        facts.client_name,
        facts.user,
        facts.auth,
        facts.message_id_host,
        facts.router,
        facts.transport,
    ]
}

/// A place for what came of these facts.
fn place_of(facts: &Facts<'_>) -> usize {
    let address = match facts.client_ip {
        Some(IpAddr::V4(ip)) => ip.to_bits(),
        Some(IpAddr::V6(ip)) => ip.to_bits() as u32,
        None => 0,
    };
    let text = facts.sender.unwrap_or_default();
    let sender = text.first_chunk::<4>().map_or(0, |first| u32::from_le_bytes(*first));
    let mixed = (address ^ sender.rotate_left(16) ^ text.len() as u32).wrapping_mul(0x9e37_79b9);
    (mixed >> 26) as usize % RECENT
}

/// Whether [`Attributor::fill_key`] makes this key of these facts.
fn is_key_of(key: &[u8], facts: &Facts<'_>, line: SenderLine) -> bool {
    let Some(([first, of_line], mut rest)) = key.split_first_chunk::<2>() else {
        return false;
    };
    if *of_line != line as u8 {
        return false;
    }
    let mut expected = 0;
    for (at, text) in texts_of(facts).into_iter().enumerate() {
        let Some(text) = text else { continue };
        expected |= 1 << at;
        match rest.split_first_chunk::<4>() {
            Some((len, after)) if u32::from_le_bytes(*len) as usize == text.len() && after.starts_with(text) => {
                rest = &after[text.len()..];
            }
            _ => return false,
        }
    }
    let address = match facts.client_ip {
        Some(IpAddr::V4(ip)) => rest == ip.octets(),
        Some(IpAddr::V6(ip)) => rest == ip.octets(),
        None => rest.is_empty(),
    };
    address && *first == expected
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
    use crate::normalise::rules::{EntryInput, FactKey, RuleInput};

    #[test]
    fn a_key_is_of_its_facts_alone() {
        let facts = |sender, client_name, user, client_ip: Option<&str>| Facts {
            sender,
            client_name,
            user,
            client_ip: client_ip.map(|ip| ip.parse().unwrap()),
            ..Facts::default()
        };
        let senders = [
            None,
            Some(&b""[..]),
            Some(b"a@b.org"),
            Some(b"a@b.orgx"),
            Some(b"\x01\0\0\0x"),
        ];
        let all: Vec<(Facts<'_>, SenderLine)> = senders
            .into_iter()
            .flat_map(|sender| [None, Some(&b""[..]), Some(b"x")].map(|name| (sender, name)))
            .flat_map(|(sender, name)| [None, Some(&b"x"[..])].map(|user| (sender, name, user)))
            .flat_map(|(sender, name, user)| {
                [None, Some("1.2.3.4"), Some("::1.2.3.4")].map(|ip| facts(sender, name, user, ip))
            })
            .flat_map(|facts| [SenderLine::Taken, SenderLine::Refused, SenderLine::Orphan].map(|line| (facts, line)))
            .collect();
        let mut attributor = Attributor::default();
        for (at, (facts, line)) in all.iter().enumerate() {
            attributor.fill_key(facts, *line);
            let of = all.iter().map(|(facts, line)| is_key_of(&attributor.key, facts, *line));
            let of: Vec<usize> = of.enumerate().filter(|(_, is)| *is).map(|(at, _)| at).collect();
            assert_eq!(of, [at], "{:?}", attributor.key);
        }
    }

    #[test]
    fn a_version_tells_all_that_gives_mail_to_services_and_nothing_else() {
        let rule = |pattern: &str| {
            let condition = (crate::normalise::rules::FactKey::Client, pattern.to_owned());
            let entry = crate::normalise::rules::EntryInput {
                conditions: vec![condition],
            };
            let rule = crate::normalise::rules::RuleInput {
                service: "shop".to_owned(),
                entries: vec![entry],
            };
            ServiceRules::compile(vec![rule]).unwrap()
        };
        let group = |host: &str| {
            let group = crate::normalise::rules::GroupInput {
                name: "web".to_owned(),
                hosts: vec![host.to_owned()],
                networks: Vec::new(),
                members: Vec::new(),
            };
            HostGroups::compile(vec![group]).unwrap()
        };
        let version = |services, hostgroups, derive, mode| {
            let with = Attribution {
                services,
                derive,
                hostgroups,
                redactor: Redactor::new(mode, [0; 32]),
                services_max: 10,
                covered_hosts: HostNumbers::default(),
                ours: Default::default(),
                providers: Default::default(),
            };
            with.version()
        };
        let (hash, keep) = (LocalParts::Hash, LocalParts::Keep);
        let usual = version(rule("web*"), group("web1"), true, hash);
        assert_eq!(usual, version(rule("web*"), group("web1"), true, LocalParts::Drop));
        let others = [
            version(rule("shop*"), group("web1"), true, hash),
            version(rule("web*"), group("web2"), true, hash),
            version(rule("web*"), group("web1"), false, hash),
            version(rule("web*"), group("web1"), true, keep),
            version(ServiceRules::default(), HostGroups::default(), true, hash),
        ];
        for (at, other) in others.iter().enumerate() {
            assert_ne!(usual, *other);
            assert!(!others[..at].contains(other) && *other > 0 && other & 0xff == i64::from(PROGRAM));
        }
        let not_derived = |mode| version(rule("web*"), group("web1"), false, mode);
        assert_eq!(not_derived(hash), not_derived(keep), "nothing is named by accounts");
    }

    /// One rule of one condition, and names that are derived.
    fn with_rule(service: &str, (key, pattern): (FactKey, &str)) -> Attribution {
        let rule = RuleInput {
            service: service.to_owned(),
            entries: vec![EntryInput {
                conditions: vec![(key, pattern.to_owned())],
            }],
        };
        Attribution {
            services: ServiceRules::compile(vec![rule]).unwrap(),
            derive: true,
            hostgroups: HostGroups::default(),
            redactor: Redactor::new(LocalParts::Keep, [0; 32]),
            services_max: 10,
            covered_hosts: HostNumbers::default(),
            ours: Default::default(),
            providers: Default::default(),
        }
    }

    #[test]
    fn a_derived_name_that_a_rule_has_is_no_new_name() {
        let with = with_rule("Shop", (FactKey::Client, "web*"));
        let mut attributor = Attributor::default();
        let facts = Facts {
            sender: Some(b"shop@example.org"),
            host: "mx1",
            ..Facts::default()
        };
        let sender = attributor.origin(&with, &facts, UtcMs::new(0), SenderLine::Taken);
        assert_eq!(attributor.origins.get(sender.origin).service, "Shop");
        assert_eq!(attributor.take_derived(), NameChanges::default());
    }

    #[test]
    fn what_strangers_claim_to_be_is_nobodys_service() {
        let with = with_rule("shop", (FactKey::Sender, "shop@example.org"));
        let mut attributor = Attributor::default();
        let mut told = |sender: &'static str, ip: Option<&str>, auth: Option<&'static [u8]>, line| {
            let facts = Facts {
                sender: Some(sender.as_bytes()),
                client_ip: ip.map(|ip| ip.parse().unwrap()),
                auth,
                host: "mx1",
                ..Facts::default()
            };
            let sender = attributor.origin(&with, &facts, UtcMs::new(0), line);
            let origin = attributor.origins.get(sender.origin);
            (origin.service, origin.origin)
        };
        let shop = "shop@example.org";
        for (sender, ip, auth, line, service, origin) in [
            (shop, Some("10.0.0.7"), None, SenderLine::Taken, "shop", "ours"),
            (shop, Some("10.0.0.7"), None, SenderLine::Refused, "shop", "ours"),
            (shop, None, None, SenderLine::Taken, "shop", "ours"),
            (
                shop,
                Some("8.8.8.8"),
                Some(&b"a"[..]),
                SenderLine::Taken,
                "shop",
                "ours",
            ),
            (shop, Some("8.8.8.8"), None, SenderLine::Taken, INBOUND, "outside"),
            (shop, Some("8.8.8.8"), None, SenderLine::Refused, INBOUND, "outside"),
            ("", Some("8.8.8.8"), None, SenderLine::Taken, INBOUND, "outside"),
            ("", Some("10.0.0.7"), None, SenderLine::Taken, "bounces", "ours"),
            (shop, None, None, SenderLine::Orphan, "shop", ""),
            // No service of ours has the world's name.
            (
                "inbound@example.org",
                None,
                None,
                SenderLine::Taken,
                UNATTRIBUTED,
                "ours",
            ),
        ] {
            let expected = (service.to_owned(), origin.to_owned());
            assert_eq!(told(sender, ip, auth, line), expected, "{sender} {ip:?} {line:?}");
        }
        assert_eq!(attributor.take_derived(), NameChanges::default());
    }

    #[test]
    fn refusals_are_a_services_from_its_first_mail_on() {
        let with = Attribution {
            services: ServiceRules::default(),
            derive: true,
            hostgroups: HostGroups::default(),
            redactor: Redactor::new(LocalParts::Keep, [0; 32]),
            services_max: 10,
            covered_hosts: HostNumbers::default(),
            ours: Default::default(),
            providers: Default::default(),
        };
        let facts = Facts {
            sender: Some(b"shop@example.org"),
            host: "mx1",
            ..Facts::default()
        };
        let other = Facts {
            sender: Some(b"other@example.org"),
            ..facts
        };
        let mut attributor = Attributor::default();
        let mut service = |facts: &Facts<'_>, accepted: bool| {
            let line = if accepted {
                SenderLine::Taken
            } else {
                SenderLine::Refused
            };
            let sender = attributor.origin(&with, facts, UtcMs::new(0), line);
            attributor.origins.get(sender.origin).service
        };
        assert_eq!([service(&facts, false), service(&facts, false)], [UNATTRIBUTED; 2]);
        assert_eq!(service(&other, true), "other");
        assert_eq!([service(&facts, false), service(&facts, false)], [UNATTRIBUTED; 2]);
        assert_eq!(service(&facts, true), "shop");
        assert_eq!([service(&facts, false), service(&facts, false)], ["shop"; 2]);
    }

    #[test]
    fn names_of_accounts_that_a_store_has_stay() {
        let with = Attribution {
            services: ServiceRules::default(),
            derive: true,
            hostgroups: HostGroups::default(),
            redactor: Redactor::new(LocalParts::Drop, [0; 32]),
            services_max: 10,
            covered_hosts: HostNumbers::default(),
            ours: Default::default(),
            providers: Default::default(),
        };
        let mut attributor = Attributor::default();
        attributor.load_accounts(vec!["shop".to_owned()]);
        let mut service = |sender: &[u8]| {
            let facts = Facts {
                sender: Some(sender),
                client_ip: Some("10.0.2.1".parse().unwrap()),
                host: "mx1",
                ..Facts::default()
            };
            let sender = attributor.origin(&with, &facts, UtcMs::new(0), SenderLine::Taken);
            attributor.origins.get(sender.origin).service
        };
        assert_eq!(service(b"shop@example.org"), "shop");
        assert_eq!(service(b"jdoe@example.org"), "example");
    }
}
