//! Inventories: who belongs to which group, out of a file that already exists.
//!
//! Two formats, told apart by the first character: the JSON of `ansible-inventory --list` (and the nested shape that its
//! YAML export has), or CSV with `host,group` lines, with or without a header. A host counts for its groups and for all
//! groups above. `ansible_host` is a second name, or an address, of the host.

use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value};

/// Why an inventory cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}; {hint}")]
pub struct InventoryError {
    /// Line in the inventory, from 1.
    pub line: u64,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// The groups of an inventory with all of their hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Groups in the order in which they should decide: the smaller one says more of a host than the larger one above
    /// it. Ansible's `all` and `ungrouped` are no groups in this sense.
    pub groups: Vec<(String, Vec<String>)>,
    /// Hosts that stand in no group: a list of hosts without a second column.
    pub ungrouped: Vec<String>,
}

impl Inventory {
    /// Reads either format.
    pub fn parse(bytes: &[u8]) -> Result<Self, InventoryError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match bytes.trim_ascii_start().first() {
            Some(b'{') => from_json(bytes),
            Some(b'[') => Err(wrong(
                1,
                "this is a JSON list".to_owned(),
                "write `ansible-inventory --list` into it",
            )),
            _ => from_csv(bytes),
        }
    }

    /// The hosts of one group. A list without groups is one group of any name.
    #[must_use]
    pub fn members(&self, group: &str) -> Option<&[String]> {
        if self.groups.is_empty() && !self.ungrouped.is_empty() {
            return Some(&self.ungrouped);
        }
        self.groups
            .iter()
            .find(|(name, _)| name == group)
            .map(|(_, hosts)| hosts.as_slice())
    }
}

fn wrong(line: u64, what: String, hint: &str) -> InventoryError {
    InventoryError {
        line,
        what,
        hint: hint.to_owned(),
    }
}

/// Groups while they are collected.
#[derive(Default)]
struct Tree {
    order: Vec<String>,
    hosts: FxHashMap<String, Vec<String>>,
    children: FxHashMap<String, Vec<String>>,
    /// `ansible_host` of a host.
    aliases: FxHashMap<String, String>,
}

fn from_json(bytes: &[u8]) -> Result<Inventory, InventoryError> {
    let value: Map<String, Value> = serde_json::from_slice(bytes).map_err(|error| {
        wrong(
            error.line() as u64,
            format!("no JSON: {error}"),
            "write it again with `ansible-inventory --list`",
        )
    })?;
    let mut tree = Tree::default();
    for (name, body) in &value {
        if name == "_meta" {
            let hostvars = body.get("hostvars").and_then(Value::as_object);
            hostvars
                .into_iter()
                .flatten()
                .for_each(|(host, vars)| tree.alias(host, vars));
        } else {
            tree.define(name, body)
                .map_err(|what| wrong(1, what, "write it again with `ansible-inventory --list`"))?;
        }
    }
    Ok(tree.finish())
}

impl Tree {
    fn alias(&mut self, host: &str, vars: &Value) {
        if let Some(alias) = vars.get("ansible_host").and_then(Value::as_str) {
            self.aliases.insert(host.to_owned(), alias.to_owned());
        }
    }

    /// One group, in any of the shapes that Ansible has written over the years.
    fn define(&mut self, name: &str, body: &Value) -> Result<(), String> {
        let shown = name.escape_debug();
        if !self.hosts.contains_key(name) {
            self.order.push(name.to_owned());
            self.hosts.insert(name.to_owned(), Vec::new());
        }
        let (hosts, children) = match body {
            Value::Array(_) => (Some(body), None),
            Value::Object(map) => (map.get("hosts"), map.get("children")),
            Value::Null => (None, None),
            _ => return Err(format!("group `{shown}` is neither list nor object")),
        };
        match hosts {
            Some(Value::Array(list)) => {
                for host in list {
                    let host = host
                        .as_str()
                        .ok_or_else(|| format!("group `{shown}` has a host that is no text"))?;
                    self.hosts.entry(name.to_owned()).or_default().push(host.to_owned());
                }
            }
            Some(Value::Object(map)) => {
                for (host, vars) in map {
                    self.alias(host, vars);
                    self.hosts.entry(name.to_owned()).or_default().push(host.clone());
                }
            }
            Some(Value::Null) | None => {}
            Some(_) => return Err(format!("`hosts` of group `{shown}` is neither list nor object")),
        }
        match children {
            Some(Value::Array(list)) => {
                for child in list {
                    let child = child
                        .as_str()
                        .ok_or_else(|| format!("group `{shown}` has a child that is no text"))?;
                    self.children.entry(name.to_owned()).or_default().push(child.to_owned());
                }
            }
            Some(Value::Object(map)) => {
                for (child, body) in map {
                    self.children.entry(name.to_owned()).or_default().push(child.clone());
                    self.define(child, body)?;
                }
            }
            Some(Value::Null) | None => {}
            Some(_) => return Err(format!("`children` of group `{shown}` is neither list nor object")),
        }
        Ok(())
    }

    /// All hosts of a group and of the groups below. Remembers where it has been: the file may hold a circle.
    fn resolve(&self, group: &str) -> Vec<String> {
        let (mut seen, mut open) = (FxHashSet::default(), vec![group]);
        let (mut known, mut hosts) = (FxHashSet::default(), Vec::new());
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            let own = self.hosts.get(name).into_iter().flatten();
            hosts.extend(own.filter(|host| known.insert(host.as_str())).cloned());
            open.extend(self.children.get(name).into_iter().flatten().rev().map(String::as_str));
        }
        hosts
    }

    fn finish(self) -> Inventory {
        let named = self
            .order
            .iter()
            .filter(|name| !matches!(name.as_str(), "all" | "ungrouped"));
        let mut groups: Vec<(String, Vec<String>)> = named.map(|name| (name.clone(), self.resolve(name))).collect();
        groups.sort_by_key(|(_, hosts)| hosts.len());
        let mut ungrouped = if groups.is_empty() {
            self.resolve("all")
        } else {
            Vec::new()
        };
        for hosts in groups.iter_mut().map(|(_, hosts)| hosts).chain([&mut ungrouped]) {
            let aliases: Vec<String> = hosts
                .iter()
                .filter_map(|host| self.aliases.get(host))
                .cloned()
                .collect();
            hosts.extend(aliases);
        }
        Inventory { groups, ungrouped }
    }
}

fn from_csv(bytes: &[u8]) -> Result<Inventory, InventoryError> {
    let mut reader = csv::ReaderBuilder::new();
    reader
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'));
    let (mut host_column, mut group_column) = (0, 1);
    let mut tree = Tree::default();
    let mut ungrouped = Vec::new();
    for (number, record) in reader.from_reader(bytes).records().enumerate() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(1, csv::Position::line);
            wrong(
                line,
                "neither JSON nor CSV in UTF-8".to_owned(),
                "write lines of `host,group`",
            )
        })?;
        let line = record.position().map_or(1, csv::Position::line);
        let titled = |titles: &[&str]| {
            record
                .iter()
                .position(|f| titles.iter().any(|t| f.eq_ignore_ascii_case(t)))
        };
        if number == 0
            && let Some(column) = titled(&["host", "hostname", "fqdn", "name"])
        {
            host_column = column;
            group_column = titled(&["group", "hostgroup"]).unwrap_or(if column == 0 { 1 } else { 0 });
            continue;
        }
        let host = record.get(host_column).unwrap_or_default();
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let what = format!("`{}` is not a host name", host.escape_debug());
            return Err(wrong(line, what, "write lines of `host,group`, separated by a comma"));
        }
        match record.get(group_column).filter(|group| !group.is_empty()) {
            Some(group) => tree
                .define(group, &Value::Array(vec![Value::String(host.to_owned())]))
                .unwrap_or_default(),
            None => ungrouped.push(host.to_owned()),
        }
    }
    Ok(Inventory {
        ungrouped,
        ..tree.finish()
    })
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
mod tests;
