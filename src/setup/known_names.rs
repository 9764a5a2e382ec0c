//! Names that people type: of services, relays, hostgroups. One that the store does not know is a typing mistake.

use crate::config::{Config, HostOf};
use crate::query::Window;
use crate::query::history::MailHistory;
use crate::query::rates::By;
use crate::store::columnar::Values;
use anyhow::{Result, anyhow, bail};
use globset::Glob;
use std::collections::BTreeSet;

/// Names that an error lists.
const LISTED: usize = 20;

/// Refuses names that neither the store nor the configuration has; `flag` is where they were typed.
///
/// # Errors
/// A name is unknown: which there are, the likeliest first. The store cannot be read.
pub(crate) fn check(store: &dyn MailHistory, config: &Config, by: By, flag: &str, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let mut known = configured(config, by);
    if names.iter().all(|name| known.contains(name)) {
        return Ok(());
    }
    let column = by.column();
    known.extend(stored(store, column)?);
    match names.iter().find(|name| !known.contains(*name)) {
        None => Ok(()),
        Some(name) => bail!("{flag}: {}", unknown(column, name, &known)),
    }
}

/// Refuses a name that nobody knows, and a glob that matches none that somebody knows; `kind` is `service`, `relay`,
/// `hostgroup` or `provider`.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_glob(store: &dyn MailHistory, config: &Config, kind: &str, name: &str) -> Result<()> {
    let by = match kind {
        "service" => Some(By::Service),
        "relay" => Some(By::Relay),
        "hostgroup" => Some(By::Hostgroup),
        _ => None,
    };
    let glob = Glob::new(name)
        .map_err(|why| anyhow!("--{kind}: {why}"))?
        .compile_matcher();
    let mut known = by.map_or_else(BTreeSet::new, |by| configured(config, by));
    known.extend(stored(store, kind)?);
    match known.iter().any(|known| known == name || glob.is_match(known)) {
        true => Ok(()),
        false => bail!("--{kind}: {}", unknown(kind, name, &known)),
    }
}

/// Names of the store. It is asked last: it looks through all that is stored.
fn stored(store: &dyn MailHistory, column: &str) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let table = store.select(&format!("SELECT {column} FROM rates GROUP BY {column}"), Window::ALL)?;
    for column in &table.columns {
        if let Values::Text(all) = &column.values {
            names.extend(all.iter().flatten().cloned());
        }
    }
    if column == By::Relay.column() {
        names.extend(store.hosts()?);
    }
    Ok(names)
}

/// What the configuration names: it may have no mail yet.
fn configured(config: &Config, by: By) -> BTreeSet<String> {
    let sources = config.sources.iter();
    match by {
        By::Service => {
            let of_sources = sources.filter_map(|source| source.service.clone());
            config.services.names().map(str::to_owned).chain(of_sources).collect()
        }
        By::Hostgroup => config.hostgroups.names().map(str::to_owned).collect(),
        By::Relay => {
            let named = sources.filter_map(|source| match &source.host {
                HostOf::Named(name) => Some(name.clone()),
                HostOf::This | HostOf::Path | HostOf::Lines => None,
            });
            named.collect()
        }
        By::Kind => crate::model::event::Kind::ALL
            .map(|kind| kind.as_str().to_owned())
            .into(),
    }
}

/// `no service x; there are a, b, …`, those that look most like it first.
fn unknown(what: &str, name: &str, known: &BTreeSet<String>) -> String {
    let mut all: Vec<&String> = known.iter().filter(|name| !name.is_empty()).collect();
    let alike = |known: &str| (strsim::jaro_winkler(known, name) * 1_000.0) as u64;
    all.sort_by_key(|known| std::cmp::Reverse(alike(known)));
    let more = all.len().saturating_sub(LISTED);
    let listed: Vec<&str> = all.iter().take(LISTED).map(|name| name.as_str()).collect();
    let name = name.escape_debug();
    match (listed.is_empty(), more) {
        (true, _) => format!("no {what} `{name}`; none is known yet"),
        (_, 0) => format!("no {what} `{name}`; there are {}", listed.join(", ")),
        _ => format!("no {what} `{name}`; there are {} and {more} more", listed.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_most_like_it_comes_first() {
        let known = ["cron", "gerrit", "phabricator", ""].map(str::to_owned).into();
        assert_eq!(
            unknown("service", "gerit\n", &known),
            "no service `gerit\\n`; there are gerrit, phabricator, cron"
        );
        let many = (0..1_000).map(|n| format!("service-{n}")).collect();
        let said = unknown("service", "x", &many);
        assert!(said.ends_with(" and 980 more") && said.len() < 500, "{said}");
        assert_eq!(
            unknown("relay", "x", &BTreeSet::new()),
            "no relay `x`; none is known yet"
        );
    }
}
