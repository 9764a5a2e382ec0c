//! Whose mail it is about: who misses mail, who may, and who went another way.

use super::facts::VerdictFacts;
use super::words::listed;
use crate::analysis::incident::Judged;
use crate::analysis::incident::report::hurt;
use crate::detect::alarm::{Alarm, Scope};
use crate::detect::fleet::{Id, Names};
use crate::detect::impact::Impact;
use std::collections::BTreeSet;

/// Services whose mail is missing by the incident, or else those that the alarms name.
pub(super) fn affected(facts: &VerdictFacts<'_>, alarms: &[&Alarm]) -> Vec<String> {
    let hurt: Vec<String> = match facts.incident {
        Some(incident) => hurt(incident)
            .map(|one| incident.names.service(one.service).to_owned())
            .collect(),
        None => Vec::new(),
    };
    if !hurt.is_empty() {
        return hurt;
    }
    let of = |alarm: &&Alarm| {
        let own = match alarm.scope {
            Scope::Service(id) => Some(id),
            _ => None,
        };
        own.into_iter()
            .chain(alarm.members.iter().map(|member| member.service))
            .collect::<Vec<Id>>()
    };
    let ids: BTreeSet<Id> = alarms.iter().flat_map(of).collect();
    ids.into_iter().map(|id| facts.names.service(id).to_owned()).collect()
}

/// Services that the alarms name, and that miss nothing yet.
pub(super) fn at_risk(names: &Names, alarms: &[&Alarm], affected: &[String], relay: Option<&str>) -> Option<String> {
    let members = alarms
        .iter()
        .flat_map(|alarm| &alarm.members)
        .map(|member| names.service(member.service).to_owned());
    let spared: BTreeSet<String> = members.filter(|name| !affected.contains(name)).collect();
    let spared: Vec<String> = spared.into_iter().collect();
    let why = relay.map_or_else(|| "are part of it".to_owned(), |relay| format!("depend on {relay}"));
    (!spared.is_empty()).then(|| format!("At risk: {} {why}, and miss no mail yet.", listed(&spared)))
}

/// Who went another way.
pub(super) fn spared(judged: &Judged, names: &Names) -> Option<String> {
    let rerouted = judged.services.iter().filter(|one| one.impact == Impact::Rerouted);
    let rerouted: Vec<String> = rerouted.map(|one| names.service(one.service).to_owned()).collect();
    match rerouted.len() {
        0 => None,
        1 => Some(format!("{} went another way.", rerouted[0])),
        many => Some(format!("{many} services went another way: {}.", listed(&rerouted))),
    }
}
