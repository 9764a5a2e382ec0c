//! Who is ours: hosts, networks, and domains of the operator's organisation. Pure: whoever builds it says what the
//! configuration, the logs' hosts, and this machine are.
//!
//! Exceptions come first: a gateway with a private address that hands in the world's mail is not ours. A name counts as the
//! MTA looked it up; what a client says of itself (HELO) is never proof.

use super::hosts::HostNumbers;
use super::rules::{GroupInput, HostGroups};
use crate::model::direction::{MailOrigin, Reach};
use crate::model::event::Destination;
use globset::{Glob, GlobSet, GlobSetBuilder};
use ipnet::IpNet;
use std::borrow::Cow;
use std::net::IpAddr;

/// Networks that are ours without a word in the configuration: loopback, RFC 1918, the shared space of RFC 6598, link-local
/// ones, and unique local IPv6 ones.
pub(crate) const DEFAULT_NETWORKS: [&str; 9] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

const OUTSIDE: &str = "outside";
const OURS: &str = "ours";

/// What `[ours]` says, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OursInput {
    /// Networks and addresses.
    pub networks: Vec<String>,
    /// Networks and addresses that are not, whatever else says so.
    pub outside: Vec<String>,
    /// Names of hosts, and globs over them.
    pub hosts: Vec<String>,
    /// Domains of recipients whose mail stays with us, and globs over them.
    pub domains: Vec<String>,
    /// Names and addresses out of inventories.
    pub members: Vec<String>,
}

/// This machine: its addresses are ours for its own logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThisMachine {
    /// Its name.
    pub host: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// Who is ours.
#[derive(Debug)]
pub struct Ours {
    /// Exceptions before all others.
    clients: HostGroups,
    domains: GlobSet,
    /// Hosts of logs.
    hosts: HostNumbers,
    /// Domains in which a log's host may be that is named without one; none if no domain is known.
    home: Vec<String>,
    machine: ThisMachine,
    digest: Option<blake3::Hash>,
}

/// How a message came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandedIn<'a> {
    /// Name of the client, as the MTA looked it up.
    pub client_name: Option<&'a [u8]>,
    /// Its address.
    pub client_ip: Option<IpAddr>,
    /// Somebody was authenticated.
    pub is_authenticated: bool,
    /// Whose log says so.
    pub host: &'a str,
}

/// Where one recipient's copy went, or was to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryHop<'a> {
    /// Where to.
    pub destination: Option<Destination>,
    /// Name of the host that took it or was asked.
    pub name: &'a [u8],
    /// Its address.
    pub ip: Option<IpAddr>,
    /// By LMTP, or through a socket: the last hop before a mailbox or a filter.
    pub is_lmtp: bool,
    /// Domain of the recipient.
    pub domain: &'a [u8],
    /// Whose log says so.
    pub host: &'a str,
}

impl Default for Ours {
    /// What is ours without a configuration.
    fn default() -> Self {
        Ours::compile(&OursInput::default()).unwrap_or_else(|_| unreachable!("the default networks are networks"))
    }
}

impl Ours {
    /// Compiles what the configuration says; see [`Ours::add_host`] and [`Ours::set_machine`] for the rest.
    ///
    /// # Errors
    /// The first thing that is wrong with it, which a checked configuration does not have.
    pub fn compile(input: &OursInput) -> Result<Ours, String> {
        let text = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let outside = GroupInput {
            name: OUTSIDE.to_owned(),
            networks: input.outside.clone(),
            ..GroupInput::default()
        };
        let ours = GroupInput {
            name: OURS.to_owned(),
            hosts: input.hosts.clone(),
            networks: [text(&DEFAULT_NETWORKS), input.networks.clone()].concat(),
            members: input.members.clone(),
        };
        let clients = HostGroups::compile(vec![outside, ours]);
        let clients = clients.map_err(|problems| problems.first().map(ToString::to_string).unwrap_or_default())?;
        let mut domains = GlobSetBuilder::new();
        for domain in &input.domains {
            domains.add(Glob::new(&domain.to_ascii_lowercase()).map_err(|why| why.to_string())?);
        }
        let digest = clients.digest();
        Ok(Ours {
            clients,
            domains: domains.build().map_err(|why| why.to_string())?,
            hosts: HostNumbers::default(),
            home: input.domains.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
            machine: ThisMachine::default(),
            digest: (*input != OursInput::default()).then_some(digest),
        })
    }

    /// The host of a log is ours. One with a domain tells where those without one are.
    pub fn add_host(&mut self, host: &str) {
        self.hosts.add(host);
        if let Some((_, domain)) = host.split_once('.').filter(|_| host.parse::<IpAddr>().is_err()) {
            self.home.push(domain.to_ascii_lowercase());
        }
    }

    /// This machine, whose addresses are ours for the logs of this host.
    pub fn set_machine(&mut self, machine: ThisMachine) {
        self.machine = machine;
    }

    /// What tells this from what a configuration without `[ours]` gives; none for that.
    pub fn digest(&self) -> Option<blake3::Hash> {
        self.digest
    }

    /// Whose a message is.
    pub fn origin(&self, handed_in: &HandedIn<'_>) -> MailOrigin {
        let HandedIn {
            client_name,
            client_ip,
            is_authenticated,
            host,
        } = *handed_in;
        let is_local = client_name.is_none() && client_ip.is_none();
        match is_local || is_authenticated || self.is_host(client_name.unwrap_or_default(), client_ip, host) {
            true => MailOrigin::Ours,
            false => MailOrigin::Outside,
        }
    }

    /// Where a copy goes, as seen from its host; nothing where it is about none.
    pub fn reach(&self, hop: &DeliveryHop<'_>) -> Reach {
        match hop.destination {
            Some(
                Destination::Local
                | Destination::Pipe
                | Destination::File
                | Destination::Autoreply
                | Destination::Relay,
            ) => return Reach::Inside,
            // Nobody has it.
            Some(Destination::Discard) | None => return self.by_domain(hop.domain),
            Some(Destination::Remote) => {}
        }
        if hop.is_lmtp || hop.ip.is_some_and(|ip| ip.to_canonical().is_loopback()) {
            return Reach::Inside;
        }
        let is_nobody = hop.name.is_empty() && hop.ip.is_none();
        match is_nobody || self.is_host(hop.name, hop.ip, hop.host) {
            true => self.by_domain(hop.domain),
            false => Reach::Away,
        }
    }

    /// Where nothing but the recipient tells.
    fn by_domain(&self, domain: &[u8]) -> Reach {
        let lower = match domain.iter().any(u8::is_ascii_uppercase) {
            true => Cow::Owned(domain.to_ascii_lowercase()),
            false => Cow::Borrowed(domain),
        };
        let is_ours = || std::str::from_utf8(&lower).is_ok_and(|domain| self.domains.is_match(domain));
        match self.domains.is_empty() || domain.is_empty() {
            true => Reach::Onward,
            false if is_ours() => Reach::Inside,
            false => Reach::Beyond,
        }
    }

    /// Whether a host is ours, in the log of `host`.
    pub fn is_host(&self, name: &[u8], ip: Option<IpAddr>, host: &str) -> bool {
        let name = Some(name).filter(|name| !name.is_empty());
        match self.clients.find(name, ip) {
            Some(group) => return group == OURS,
            // A network that is excepted has no names in it.
            None if ip.is_some_and(|ip| self.is_this_machine(ip.to_canonical(), host)) => return true,
            None => {}
        }
        name.and_then(|name| std::str::from_utf8(name).ok())
            .is_some_and(|name| self.is_host_of_logs(name))
    }

    fn is_this_machine(&self, ip: IpAddr, host: &str) -> bool {
        host == self.machine.host && self.machine.addresses.contains(&ip)
    }

    /// Whether a name is that of a host whose log is read. A host that is named without its domain is only in the domains
    /// that are known: `mail` is not every host of the world that is called so.
    fn is_host_of_logs(&self, name: &str) -> bool {
        let Some(found) = self.hosts.find(name) else {
            return false;
        };
        let known = self.hosts.name(found);
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if name == *known || known.contains('.') || self.home.is_empty() {
            return true;
        }
        let Some((_, domain)) = name.split_once('.') else {
            return true;
        };
        let is_within = |home: &String| {
            let home = home.trim_start_matches("*.");
            let below = domain.strip_suffix(home);
            below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
        };
        self.home.iter().any(is_within)
    }

    /// What made a client ours, for people: `networks: 10.0.0.0/8`, `a host of [[source]]`; none if it is not.
    pub fn explain(&self, name: Option<&[u8]>, ip: Option<IpAddr>, host: &str) -> Option<String> {
        match self.clients.explain(name, ip) {
            Some((OURS, by)) => Some(by),
            Some(_) => None,
            None => self
                .is_host(name.unwrap_or_default(), ip, host)
                .then(|| "a host whose log is read".to_owned()),
        }
    }
}

/// Whether networks leave nothing outside: then all mail would be ours.
pub fn is_everything(networks: impl IntoIterator<Item = IpNet>) -> bool {
    let all: Vec<IpNet> = networks.into_iter().collect();
    IpNet::aggregate(&all).iter().any(|net| net.prefix_len() == 0)
}

#[cfg(test)]
#[path = "ours_tests.rs"]
mod tests;
