//! Hostgroups: the first group in file order that names a host, by name, glob, address, network or inventory.
//!
//! Names of all groups share one hash map, addresses another: an inventory of thousands of hosts costs one lookup.

use std::net::IpAddr;

use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;
use rustc_hash::FxHashMap;

use super::facts::{host_name, lower};
use super::index::{NONE, TextIndex};
use super::pattern::Pattern;

/// A hostgroup, as written.
#[derive(Debug, Clone, Default)]
pub struct GroupInput {
    /// Name of the group.
    pub name: String,
    /// Host names, globs over them, or addresses.
    pub hosts: Vec<String>,
    /// Networks, or single addresses.
    pub networks: Vec<String>,
    /// Names and addresses out of an inventory, taken literally.
    pub members: Vec<String>,
}

/// A host or network that cannot be compiled, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {hint}")]
pub struct GroupProblem {
    /// Number of the group, from 0.
    pub group: usize,
    /// `hosts` or `networks`.
    pub list: &'static str,
    /// Number of the item in its list, from 0.
    pub item: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// Compiled hostgroups.
#[derive(Debug)]
pub struct HostGroups {
    groups: Vec<GroupMembers>,
    names: TextIndex,
    addresses: FxHashMap<IpAddr, u32>,
    networks: JointPrefixMap<IpNet, u32>,
    /// The first group with a network.
    lowest_network: u32,
    /// Of all that it was made of.
    digest: blake3::Hash,
}

/// What one group was made of; only for explanations.
#[derive(Debug)]
struct GroupMembers {
    name: String,
    hosts: Vec<Pattern>,
    networks: Vec<IpNet>,
    /// Out of an inventory.
    members: Vec<String>,
}

impl Default for HostGroups {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            names: TextIndex::default(),
            addresses: FxHashMap::default(),
            networks: JointPrefixMap::new(),
            lowest_network: NONE,
            digest: blake3::Hash::from_bytes([0; 32]),
        }
    }
}

impl HostGroups {
    /// Compiles the groups, or says all that is wrong with them.
    pub fn compile(inputs: Vec<GroupInput>) -> Result<Self, Vec<GroupProblem>> {
        let mut compiled = Self::default();
        let mut problems = Vec::new();
        compiled.digest = digest(&inputs);
        for (group, input) in inputs.into_iter().enumerate() {
            let mut problem = |list, item, (what, hint): (String, String)| {
                problems.push(GroupProblem {
                    group,
                    list,
                    item,
                    what,
                    hint,
                });
            };
            let number = group as u32;
            let mut made = GroupMembers {
                name: input.name,
                hosts: Vec::new(),
                networks: Vec::new(),
                members: Vec::new(),
            };
            for (item, host) in input.hosts.iter().enumerate() {
                match compiled.add_host(number, host) {
                    Ok(pattern) => made.hosts.push(pattern),
                    Err(why) => problem("hosts", item, why),
                }
            }
            for (item, written) in input.networks.iter().enumerate() {
                match network(written) {
                    Ok(net) => {
                        compiled.networks.entry(net).or_insert(number);
                        compiled.lowest_network = compiled.lowest_network.min(number);
                        made.networks.push(net);
                    }
                    Err(why) => problem("networks", item, why),
                }
            }
            for member in &input.members {
                compiled.add_literal(number, member);
            }
            made.members = input.members;
            compiled.groups.push(made);
        }
        if problems.is_empty() {
            Ok(compiled)
        } else {
            Err(problems)
        }
    }

    fn add_host(&mut self, number: u32, host: &str) -> Result<Pattern, (String, String)> {
        let quoted = host.escape_debug();
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@') {
            return Err((
                format!("`{quoted}` is not a host name"),
                "write a name, a glob or an address".to_owned(),
            ));
        }
        if host.parse::<IpNet>().is_ok() {
            return Err((format!("`{quoted}` is a network"), "move it to `networks`".to_owned()));
        }
        let pattern = Pattern::compile(host).map_err(|why| {
            let hint = "globs support `*`, `?`, `[0-9]` and `{a,b}`".to_owned();
            (format!("`{quoted}` is not a glob: {why}"), hint)
        })?;
        if pattern.literal().is_some() {
            self.add_literal(number, host);
        } else {
            self.names.add(number, &pattern);
        }
        Ok(pattern)
    }

    fn add_literal(&mut self, number: u32, host: &str) {
        match host.parse::<IpAddr>() {
            Ok(ip) => {
                self.addresses.entry(ip.to_canonical()).or_insert(number);
            }
            Err(_) => self.names.add_literal(number, &lower(host_name(host.as_bytes()))),
        }
    }

    /// The group of a host, by its name and its address; the first in file order that either satisfies.
    #[must_use]
    pub fn find(&self, name: Option<&[u8]>, ip: Option<IpAddr>) -> Option<&str> {
        let best = self.number(name, ip)?;
        Some(&self.groups[best as usize].name)
    }

    fn number(&self, name: Option<&[u8]>, ip: Option<IpAddr>) -> Option<u32> {
        let mut best = NONE;
        if let Some(name) = name {
            best = self.names.lowest(&lower(host_name(name)), best, |_| true);
        }
        if let Some(ip) = ip.map(|ip| ip.to_canonical()) {
            if !self.addresses.is_empty() {
                best = self.addresses.get(&ip).copied().unwrap_or(NONE).min(best);
            }
            if self.lowest_network < best {
                let covering = self.networks.cover_values(&IpNet::from(ip));
                best = covering.copied().min().unwrap_or(NONE).min(best);
            }
        }
        (best != NONE).then_some(best)
    }

    /// The group of a host, and what of the group named it. Slow: for people.
    #[must_use]
    pub fn explain(&self, name: Option<&[u8]>, ip: Option<IpAddr>) -> Option<(&str, String)> {
        let group = &self.groups[self.number(name, ip)? as usize];
        let named = name.map(host_name);
        let pattern = group
            .hosts
            .iter()
            .find(|pattern| named.is_some_and(|name| pattern.matches_any_case(name)));
        let network = group
            .networks
            .iter()
            .find(|net| ip.is_some_and(|ip| net.contains(&ip.to_canonical())));
        let address = ip.map(|ip| ip.to_canonical().to_string());
        let literal = group
            .hosts
            .iter()
            .find(|pattern| address.as_deref().is_some_and(|ip| ip == pattern.written()));
        let by = match (pattern, literal, network) {
            (Some(pattern), ..) | (None, Some(pattern), _) => format!("hosts: {}", pattern.written()),
            (None, None, Some(net)) => format!("networks: {net}"),
            (None, None, None) => "inventory".to_owned(),
        };
        Some((&group.name, by))
    }

    /// Names of all groups, in file order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.groups.iter().map(|group| group.name.as_str())
    }

    /// Names and addresses out of inventories.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.groups
            .iter()
            .flat_map(|group| group.members.iter().map(String::as_str))
    }

    /// What tells these groups from others: equal inputs have one digest.
    #[must_use]
    pub fn digest(&self) -> blake3::Hash {
        self.digest
    }

    /// Whether there is no group at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

/// A network, or a single address as a network of one. The error is what is wrong, and the hint.
pub fn network(written: &str) -> Result<IpNet, (String, String)> {
    if let Ok(ip) = written.parse::<IpAddr>() {
        return Ok(IpNet::from(ip.to_canonical()));
    }
    let quoted = written.escape_debug();
    match written.parse::<IpNet>() {
        // Either the length or the address is a typing error: guessing which would attribute mail wrongly.
        Ok(net) if net.trunc() != net => {
            let hint = format!("write `{}`, or `{}` for the one host", net.trunc(), net.addr());
            Err((format!("`{quoted}` has bits set beyond its prefix length"), hint))
        }
        Ok(net) => Ok(net),
        Err(_) => {
            let hint = "write it as `10.64.32.0/24`, `2620:0:861::/48` or a single address".to_owned();
            Err((format!("`{quoted}` is neither network nor address"), hint))
        }
    }
}

fn digest(inputs: &[GroupInput]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let mut text = |text: &str| {
        hasher
            .update(&(text.len() as u64).to_le_bytes())
            .update(text.as_bytes());
    };
    for input in inputs {
        for (list, word) in [
            (&input.hosts, "hosts"),
            (&input.networks, "networks"),
            (&input.members, "members"),
        ] {
            text(&input.name);
            text(word);
            list.iter().for_each(|item| text(item));
        }
    }
    hasher.finalize()
}

#[cfg(test)]
#[path = "hostgroups_tests.rs"]
mod tests;
