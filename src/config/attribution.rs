//! `[[service]]` and `[[hostgroup]]` turned into compiled rules.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::model::service_names::{INBOUND, UNATTRIBUTED};
use crate::normalise::rules::{EntryInput, FactKey, GroupInput, HostGroups, Inventory, RuleInput, ServiceRules};

use super::at::At;
use super::errors::{nearest, shown};
use super::names::{NAME_HINT, is_name};
use super::raw::{RawHostGroup, RawMatch, RawService};
use super::report::Report;
use super::shape::IncompleteTables;
use super::text::read_inventory;

/// Names of one kind, each given once. Names that differ only in case would be one series to some and two to others.
#[derive(Default)]
struct TakenNames(HashMap<String, String>);

impl TakenNames {
    fn take(&mut self, name: &At<String>, kind: &str, report: &mut Report<'_>) {
        let (text, at) = (shown(name.get()), name.at());
        if name.get() == UNATTRIBUTED {
            report.add(
                &at,
                format!("`{text}` is reserved for mail that matches no {kind}"),
                "use another name",
            );
        } else if name.get() == INBOUND && kind == "service" {
            report.add(
                &at,
                format!("`{text}` is reserved for mail from the outside"),
                "use another name",
            );
        } else if !is_name(name.get()) {
            report.add(&at, format!("`{text}` cannot be the name of a {kind}"), NAME_HINT);
        } else if let Some(first) = self.0.get(&name.get().to_lowercase()) {
            let hint = match kind {
                "service" => "merge the entries of both into one `match`",
                _ => "merge the hosts of both into one",
            };
            report.add(&at, format!("{kind} `{text}` is already defined at {first}"), hint);
        } else {
            self.0.insert(name.get().to_lowercase(), report.place(&at));
        }
    }
}

/// Compiles the services.
pub(super) fn services(
    raw: Vec<At<RawService>>,
    incomplete: &IncompleteTables,
    report: &mut Report<'_>,
) -> ServiceRules {
    let mut names = TakenNames::default();
    let mut places = Vec::new();
    let mut inputs = Vec::new();
    for service in raw.into_iter().map(At::into_inner) {
        let Some(name) = service.name else { continue };
        names.take(&name, "service", report);
        let Some(matches) = service.matches else { continue };
        if matches.is_empty() {
            let what = format!("service `{}` has an empty `match`", shown(name.get()));
            report.add(&name.at(), what, "add an entry: `match = [{ sender = \"…\" }]`");
        }
        let entries: Vec<MatchEntry> = matches.into_iter().map(entry).collect();
        let conditions = |entry: &MatchEntry| entry.1.iter().map(|(key, text)| (*key, text.get().clone())).collect();
        inputs.push(RuleInput {
            service: name.into_inner(),
            entries: entries
                .iter()
                .map(|entry| EntryInput {
                    conditions: conditions(entry),
                })
                .collect(),
        });
        places.push(entries);
    }
    let names: Vec<String> = inputs.iter().map(|input| input.service.clone()).collect();
    let compiled = ServiceRules::compile(inputs);
    if compiled.is_ok() {
        shadowed(&names, &places, report);
    }
    compiled.unwrap_or_else(|problems| {
        for problem in problems {
            let (whole, conditions) = &places[problem.rule][problem.entry];
            if problem.key.is_none() && incomplete.contains(&whole.start) {
                continue;
            }
            let condition = conditions.iter().find(|(key, _)| Some(*key) == problem.key);
            report.add(
                &condition.map_or(whole.clone(), |(_, text)| text.at()),
                problem.what,
                problem.hint,
            );
        }
        ServiceRules::default()
    })
}

/// Conditions of an entry of which every part is looked for among the entries before it; longer ones only as a whole.
const PARTS_MAX: usize = 6;

/// Names entries that never match, because one before them matches all that they would.
fn shadowed(names: &[String], places: &[Vec<MatchEntry>], report: &mut Report<'_>) {
    let mut before: HashMap<Vec<(FactKey, String)>, (usize, String)> = HashMap::new();
    for (service, entries) in places.iter().enumerate() {
        for (at, conditions) in entries {
            let mut all: Vec<(FactKey, String)> = conditions.iter().map(comparable).collect();
            all.sort();
            all.dedup();
            let parts = if all.len() <= PARTS_MAX { 1_u32 << all.len() } else { 1 };
            // The entry as a whole first: that is the plainest mistake.
            let part = |bits: u32| {
                let taken = all.iter().enumerate().filter(|(bit, _)| bits & 1 << bit == 0);
                taken.map(|(_, condition)| condition.clone()).collect::<Vec<_>>()
            };
            let wider = (0..parts).find_map(|bits| Some((bits == 0, before.get(&part(bits)).cloned()?)));
            let Some((same, (first, place))) = wider else {
                before.insert(all, (service, report.place(at)));
                continue;
            };
            let (name, owner) = (shown(&names[service]), shown(&names[first]));
            let hint = "remove one of them, make this one narrower, or put the narrower one first";
            match (same, first == service) {
                (true, false) => {
                    let what = format!(
                        "services `{owner}` ({place}) and `{name}` have one match: the first wins, so that \
                                        this entry never matches"
                    );
                    report.fault(at, what, hint);
                }
                (true, true) => report.warn(
                    at,
                    format!("this entry is already defined at {place}"),
                    "remove one of them",
                ),
                (false, true) => {
                    let what =
                        format!("this entry is redundant: the one at {place} matches everything that it matches");
                    report.warn(at, what, "remove one of them");
                }
                (false, false) => {
                    let what =
                        format!("this entry never matches: that of service `{owner}` at {place} takes all of its mail");
                    report.warn(at, what, hint);
                }
            }
        }
    }
}

/// A condition as rules compare it.
fn comparable((key, text): &(FactKey, At<String>)) -> (FactKey, String) {
    let key = if *key == FactKey::Network {
        FactKey::ClientIp
    } else {
        *key
    };
    (key, text.get().to_ascii_lowercase())
}

/// Where an entry stands, and its conditions.
type MatchEntry = (Range<usize>, Vec<(FactKey, At<String>)>);

fn entry(raw: At<RawMatch>) -> MatchEntry {
    let at = raw.at();
    let raw = raw.into_inner();
    let keys = [
        (FactKey::Sender, raw.sender),
        (FactKey::SenderDomain, raw.sender_domain),
        (FactKey::Client, raw.client),
        (FactKey::ClientIp, raw.client_ip),
        (FactKey::Network, raw.network),
        (FactKey::User, raw.user),
        (FactKey::Auth, raw.auth),
        (FactKey::Router, raw.router),
        (FactKey::Transport, raw.transport),
        (FactKey::MessageIdHost, raw.message_id_host),
        (FactKey::Host, raw.host),
    ];
    (
        at,
        keys.into_iter().filter_map(|(key, text)| Some((key, text?))).collect(),
    )
}

/// Compiles the hostgroups; inventories are read here.
pub(super) fn hostgroups(
    raw: Vec<At<RawHostGroup>>,
    folder: &Path,
    incomplete: &IncompleteTables,
    report: &mut Report<'_>,
) -> HostGroups {
    let mut names = TakenNames::default();
    let mut groups = Vec::new();
    let mut inventories = InventoryUses::default();
    for group in raw {
        let at = group.at();
        let complete = !incomplete.contains(&at.start);
        let group = group.into_inner();
        if let Some(name) = &group.name {
            names.take(name, "hostgroup", report);
        }
        let inventory = group.inventory.as_ref().and_then(|path| read(path, folder, report));
        if let (Some((inventory, at)), Some(path)) = (&inventory, &group.inventory) {
            let name = group.name.as_ref().map(At::get);
            inventories.note(&folder.join(path.get()), name, inventory, at);
        }
        let empty = group.hosts.is_empty() && group.networks.is_empty() && group.inventory.is_none();
        match group.name {
            Some(name) => {
                if empty && complete {
                    let what = format!("hostgroup `{}` has no hosts", shown(name.get()));
                    report.add(&at, what, "add `hosts`, `networks` or `inventory`");
                }
                let members = inventory.map(|(inventory, at)| members(&inventory, name.get(), &at, report));
                groups.push(GroupDraft {
                    name: name.into_inner(),
                    members: members.unwrap_or_default(),
                    ..GroupDraft::of(group.hosts, group.networks)
                });
            }
            None if group.inventory.is_none() || !group.hosts.is_empty() || !group.networks.is_empty() => {
                if complete {
                    report.add(&at, "[[hostgroup]] has no `name`", "add `name = …`");
                }
            }
            None => {
                if let Some((inventory, at)) = inventory {
                    all_groups(inventory, &at, &mut groups, report);
                }
            }
        }
    }
    inventories.warn(report);
    compile(groups, report)
}

/// What the configuration takes of each inventory.
#[derive(Default)]
struct InventoryUses(Vec<InventoryUse>);

struct InventoryUse {
    path: PathBuf,
    /// Where it is named first.
    at: Range<usize>,
    /// Its groups that nobody has asked for yet.
    left: Vec<String>,
    empty: Vec<(String, Range<usize>)>,
}

impl InventoryUses {
    /// A hostgroup takes one group of an inventory, or all.
    fn note(&mut self, path: &Path, name: Option<&String>, inventory: &Inventory, at: &Range<usize>) {
        let index = match self.0.iter().position(|asked| asked.path == path) {
            Some(index) => index,
            None => {
                self.0.push(InventoryUse {
                    path: path.to_owned(),
                    at: at.clone(),
                    left: inventory.groups.iter().map(|(name, _)| name.clone()).collect(),
                    empty: Vec::new(),
                });
                self.0.len() - 1
            }
        };
        let asked = &mut self.0[index];
        match name {
            Some(name) => asked.left.retain(|group| group != name),
            None => asked.left.clear(),
        }
        let taken = |group: &str| name.is_none_or(|name| name == group);
        let empty = inventory
            .groups
            .iter()
            .filter(|(group, members)| members.is_empty() && taken(group));
        asked.empty.extend(empty.map(|(group, _)| (group.clone(), at.clone())));
    }

    fn warn(self, report: &mut Report<'_>) {
        const SHOWN_MAX: usize = 8;
        for asked in self.0 {
            for (group, at) in asked.empty {
                let what = format!("group `{}` of the inventory has no hosts", shown(&group));
                report.warn(&at, what, "write the inventory again, or remove the group");
            }
            if asked.left.is_empty() {
                continue;
            }
            let names: Vec<String> = asked.left.iter().take(SHOWN_MAX).map(|name| shown(name)).collect();
            let more = asked.left.len().saturating_sub(SHOWN_MAX);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            report.warn(
                &asked.at,
                format!(
                    "no hostgroup uses these groups of the inventory: {}{more}",
                    names.join(", ")
                ),
                "add a [[hostgroup]] for each that sends mail, or one without `name`, which uses all of them",
            );
        }
    }
}

/// A group with the places of its items.
#[derive(Default)]
struct GroupDraft {
    name: String,
    hosts: Vec<At<String>>,
    networks: Vec<At<String>>,
    members: Vec<String>,
}

impl GroupDraft {
    fn of(hosts: Vec<At<String>>, networks: Vec<At<String>>) -> Self {
        Self {
            hosts,
            networks,
            ..Self::default()
        }
    }
}

fn compile(mut groups: Vec<GroupDraft>, report: &mut Report<'_>) -> HostGroups {
    let texts = |list: &[At<String>]| list.iter().map(|text| text.get().clone()).collect();
    let input = |group: &mut GroupDraft| GroupInput {
        name: group.name.clone(),
        hosts: texts(&group.hosts),
        networks: texts(&group.networks),
        members: std::mem::take(&mut group.members),
    };
    HostGroups::compile(groups.iter_mut().map(input).collect()).unwrap_or_else(|problems| {
        for problem in problems {
            let group = &groups[problem.group];
            let list = if problem.list == "hosts" {
                &group.hosts
            } else {
                &group.networks
            };
            report.add(&list[problem.item].at(), problem.what, problem.hint);
        }
        HostGroups::default()
    })
}

fn read(path: &At<String>, folder: &Path, report: &mut Report<'_>) -> Option<(Inventory, Range<usize>)> {
    let quoted = shown(path.get());
    let bytes = match read_inventory(&folder.join(path.get())) {
        Ok(bytes) => bytes,
        Err(error) => {
            let hint = "correct the path: it is relative to the main configuration file";
            report.add(
                &path.at(),
                format!("inventory `{quoted}` cannot be read: {error}"),
                hint,
            );
            return None;
        }
    };
    let parsed = Inventory::parse(&bytes);
    parsed
        .map(|inventory| (inventory, path.at()))
        .map_err(|error| {
            let what = format!("inventory `{quoted}`, line {}: {}", error.line, error.what);
            report.add(&path.at(), what, error.hint);
        })
        .ok()
}

/// The hosts that an inventory has for a named group.
fn members(inventory: &Inventory, name: &str, at: &Range<usize>, report: &mut Report<'_>) -> Vec<String> {
    if let Some(members) = inventory.members(name) {
        return members.to_vec();
    }
    let hint = match nearest(name, inventory.groups.iter().map(|(name, _)| name.as_str())) {
        Some(near) => format!(
            "did you mean `{}`? Without `name`, every group of the inventory is one",
            shown(near)
        ),
        None => "name a group of the inventory, or remove `name` to use all of them".to_owned(),
    };
    report.add(at, format!("the inventory has no group `{}`", shown(name)), hint);
    Vec::new()
}

/// Every group of an inventory; one that is there by name already gets the hosts.
fn all_groups(inventory: Inventory, at: &Range<usize>, groups: &mut Vec<GroupDraft>, report: &mut Report<'_>) {
    if inventory.groups.is_empty() {
        report.add(
            at,
            "the inventory has no groups",
            "give the [[hostgroup]] a `name`, or add a column with groups",
        );
    }
    for (name, members) in inventory.groups {
        if !is_name(&name) || name == UNATTRIBUTED {
            let what = format!(
                "group `{}` of the inventory cannot be the name of a hostgroup",
                shown(&name)
            );
            report.add(at, what, NAME_HINT);
        }
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.members.extend(members),
            None => groups.push(GroupDraft {
                name,
                members,
                ..GroupDraft::default()
            }),
        }
    }
}
