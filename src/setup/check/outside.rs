//! Does the configuration say who is ours? A relay that takes mail from the world, and a rule that names what comes from there.

use crate::analysis::clients::{arrivals, proposals};
use crate::config::Config;
use crate::model::direction::MailOrigin;
use crate::normalise::ours::OursInput;
use crate::normalise::rules::Facts;
use crate::query::Window;
use crate::query::history::MailHistory;
use std::collections::BTreeMap;

/// So much of the mail, and so many messages, make it plain that the world's mail is taken.
const PLAIN_SHARE: f64 = 0.2;
const PLAIN_MESSAGES: i64 = 100;
/// Senders that are looked at.
const SENDERS_MAX: usize = 20_000;

/// What does not fit, by the last week that is stored.
pub(super) fn of(store: &dyn MailHistory, config: &Config, week: Window) -> Vec<String> {
    let mut warnings = Vec::new();
    warnings.extend(without_ours(store, config, week));
    warnings.extend(rules_of_strangers(store, config, week));
    warnings
}

/// The world's mail is taken, and nothing says who is ours.
fn without_ours(store: &dyn MailHistory, config: &Config, window: Window) -> Option<String> {
    let written = OursInput {
        members: Vec::new(),
        ..config.ours.clone()
    };
    let found = arrivals(store, window).ok()?;
    let is_plain = found.outside >= PLAIN_MESSAGES && found.outside as f64 >= PLAIN_SHARE * found.all as f64;
    if written != OursInput::default() || !is_plain {
        return None;
    }
    let proved = proposals(store, window).map_or(0, |all| all.len());
    let proposed = match proved {
        0 => "If clients of yours have public addresses, list them in `networks`".to_owned(),
        _ => "Clients whose mail leaves again are among them: `mailpulse services discover` proposes their networks"
            .to_owned(),
    };
    Some(format!(
        "no [ours]: {} of {} messages of the last week came from the outside, and count as `inbound`. {proposed}",
        found.outside, found.all
    ))
}

/// Rules that name senders of which most mail comes from the outside, as far as what is stored tells.
fn rules_of_strangers(store: &dyn MailHistory, config: &Config, window: Window) -> Vec<String> {
    let text = format!(
        "SELECT origin, host, client, client_ip, sender_local, sender_domain, SUM(messages) AS total FROM events
         WHERE kind = 'accepted' AND first_hop GROUP BY origin, host, client, client_ip, sender_local, sender_domain
         ORDER BY total DESC, client, client_ip, sender_local, sender_domain LIMIT {SENDERS_MAX}"
    );
    let Ok(table) = store.select(&text, window) else {
        return Vec::new();
    };
    // Of each service: what its rules take of ours, and what they would of the outside.
    let mut counts: BTreeMap<&str, [i64; 2]> = BTreeMap::new();
    for row in 0..table.rows() {
        let [origin, host, client, ip, local, domain] = std::array::from_fn(|column| table.text(column, row));
        let sender = format!("{local}@{domain}");
        let facts = Facts {
            sender: Some(if domain.is_empty() { local } else { &sender }.as_bytes()),
            client_name: (!client.is_empty()).then_some(client.as_bytes()),
            client_ip: ip.parse().ok(),
            host,
            ..Facts::default()
        };
        let Some(found) = config.services.find(&facts) else {
            continue;
        };
        let messages = table.number(6, row).unwrap_or(0);
        let is_outside = origin == MailOrigin::Outside.as_str();
        counts.entry(config.services.name(found.service)).or_default()[usize::from(is_outside)] += messages;
    }
    let mostly = counts.into_iter().filter(|(_, [ours, outside])| outside > ours);
    mostly
        .map(|(service, [ours, outside])| {
            format!(
                "service {service}: most mail that its rules match comes from the outside, and is `inbound` ({outside} of {} \
                 messages of the last week). If the clients are yours, list them in [ours]; otherwise remove the rule",
                ours + outside
            )
        })
        .collect()
}
