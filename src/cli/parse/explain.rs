//! `--explain`: which rules and hostgroups match.

use crate::normalise::attribution::Attribution;
use crate::normalise::rules::{Facts, derive};
use serde_json::{Value, json};
use std::net::IpAddr;

/// The service that the rules find, what was tried, and the hostgroup of the host.
pub(super) fn rules(attribution: &Attribution, facts: &Facts<'_>, host: Option<&[u8]>, ip: Option<IpAddr>) -> Value {
    let rules = &attribution.services;
    let service = rules.find(facts).map(
        |found| json!({"service": rules.name(found.service), "rule": found.service + 1, "entry": found.entry + 1}),
    );
    let derived = (attribution.derive && service.is_none()).then(|| derive(facts, attribution.naming()));
    let traces: Vec<Value> = rules
        .explain(facts)
        .iter()
        .map(|entry| {
            let conditions: Vec<Value> = entry
                .conditions
                .iter()
                .map(|c| json!({"key": c.key.name(), "pattern": c.pattern, "held": c.held}))
                .collect();
            json!({"service": rules.name(entry.at.service), "entry": entry.at.entry + 1, "conditions": conditions})
        })
        .collect();
    let group = attribution
        .hostgroups
        .explain(host, ip)
        .map(|(group, why)| json!({"hostgroup": group, "why": why}));
    json!({
        "service": service,
        "derived": derived,
        "tried": traces,
        "hostgroup": group,
    })
}
