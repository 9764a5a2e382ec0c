//! `mailpulse services discover`: rules for mail that none names, and services for logs that name none.

use crate::cli::output;
use crate::config::{Config, HostOf, Source, this_host};
use crate::ingest::kinds::usual_service;
use crate::query::Window;
use crate::query::history::History;
use crate::store::columnar::{Table, Values};
use anyhow::Result;
use std::collections::HashMap;
use std::process::ExitCode;

/// Combinations of client, address and domain that are looked at.
const GROUPS_MAX: usize = 50_000;

/// Tells.
pub(super) fn run(config: &Config, store: &dyn History, window: Window, max: usize) -> Result<ExitCode> {
    let mails = relays(store, window, max)?;
    let logs = applications(store, window, max)?;
    if mails.is_empty() && logs.is_empty() {
        super::super::output::talk("every message in this window has a service");
    }
    for mail in &mails {
        output::line(&format!("# {} messages, for example {}", mail.messages, mail.example))?;
        output::line(&rule(&mail.client, &mail.ip, &mail.domain))?;
    }
    for log in &logs {
        output::line(&log.proposal(config))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Mail that came to an MTA and has no service.
struct Mail {
    client: String,
    /// Of a client without a name.
    ip: String,
    domain: String,
    messages: i64,
    example: String,
}

fn relays(store: &dyn History, window: Window, max: usize) -> Result<Vec<Mail>> {
    let sql = format!(
        "SELECT client, client_ip, sender_domain, COUNT(*) AS messages, MIN(queue_id) AS example
         FROM events WHERE service = 'unattributed' AND kind = 'accepted' AND first_hop AND sender_domain <> ''
         GROUP BY client, client_ip, sender_domain
         ORDER BY messages DESC, client, client_ip, sender_domain LIMIT {GROUPS_MAX}"
    );
    let table = store.select(&sql, window)?;
    let mut mails: Vec<Mail> = Vec::new();
    let mut known: HashMap<(String, String, String), usize> = HashMap::new();
    for row in 0..table.rows() {
        let client = text(&table, 0, row);
        let ip = if client.is_empty() {
            text(&table, 1, row)
        } else {
            String::new()
        };
        let domain = text(&table, 2, row);
        let at = *known
            .entry((client.clone(), ip.clone(), domain.clone()))
            .or_insert(mails.len());
        if at == mails.len() {
            mails.push(Mail {
                client,
                ip,
                domain,
                messages: 0,
                example: text(&table, 4, row),
            });
        }
        mails[at].messages += number(&table, 3, row);
    }
    mails.sort_by_key(|mail| std::cmp::Reverse(mail.messages));
    mails.truncate(max);
    Ok(mails)
}

/// An application's log whose mail has no service.
struct AppLog {
    kind: String,
    host: String,
    client: String,
    messages: i64,
    failed: i64,
    /// Why one failed.
    example: String,
}

fn applications(store: &dyn History, window: Window, max: usize) -> Result<Vec<AppLog>> {
    let sql = format!(
        "SELECT source, host, client, SUM(n) AS messages,
                SUM(CASE WHEN kind = 'submit_failed' THEN n ELSE 0 END) AS failed, MAX(reason) AS example
         FROM (SELECT source, host, client, kind, messages AS n, reason FROM events WHERE service = 'unattributed'
               AND (kind = 'submitted' OR kind = 'submit_failed')) AS logged
         GROUP BY source, host, client ORDER BY messages DESC, source, host, client LIMIT {max}"
    );
    let table = store.select(&sql, window)?;
    let log = |row| AppLog {
        kind: text(&table, 0, row),
        host: text(&table, 1, row),
        client: text(&table, 2, row),
        messages: number(&table, 3, row),
        failed: number(&table, 4, row),
        example: text(&table, 5, row),
    };
    Ok((0..table.rows()).map(log).collect())
}

impl AppLog {
    /// A key for a source that is there already: in comments, so that the rest can be pasted as a whole.
    fn proposal(&self, config: &Config) -> String {
        let stem = match host_stem(&self.client) {
            "" => host_stem(&self.host),
            stem => stem,
        };
        let name = usual_service(&self.kind).map_or_else(|| service_name(stem), str::to_owned);
        let places: Vec<&str> = config
            .sources
            .iter()
            .filter(|source| source.service.is_none() && source.kind.name() == self.kind && may_be(source, &self.host))
            .map(|source| source.place.as_str())
            .collect();
        let place = if places.is_empty() {
            "the [[source]] that reads it (or `backfill --service`)".to_owned()
        } else {
            format!("the [[source]] at {}", places.join(" or "))
        };
        let example = match self.example.as_str() {
            "" => String::new(),
            reason => format!(", for example {reason}"),
        };
        format!(
            "# {} mails of a log of kind {} of {}, {} of them failed{example}: add to {place}\n# service = {}\n",
            self.messages,
            self.kind,
            mailpulse_parsers::reject::safe_text(self.host.as_bytes()),
            self.failed,
            toml::Value::from(name)
        )
    }
}

fn may_be(source: &Source, host: &str) -> bool {
    match &source.host {
        HostOf::This => host == this_host(),
        HostOf::Named(name) => name == host,
        HostOf::Path => true,
    }
}

fn text(table: &Table, column: usize, row: usize) -> String {
    match table.columns.get(column).map(|column| &column.values) {
        Some(Values::Text(values)) => values[row].clone().unwrap_or_default(),
        _ => String::new(),
    }
}

fn number(table: &Table, column: usize, row: usize) -> i64 {
    match table.columns.get(column).map(|column| &column.values) {
        Some(Values::Int(values)) => values[row].unwrap_or(0),
        _ => 0,
    }
}

/// `gerrit1001.example.org` → `gerrit`.
fn host_stem(host: &str) -> &str {
    let short = host.split('.').next().unwrap_or_default();
    short.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// Something that can be the name of a service.
fn service_name(name: &str) -> String {
    let safe: String = name
        .to_lowercase()
        .chars()
        .take(64)
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    match safe.trim_start_matches('_') {
        "" => "name_me".to_owned(),
        good => good.to_owned(),
    }
}

/// One rule as TOML; the host's digits become a glob so that its sisters match as well. A client without a name is
/// known by its address.
fn rule(client: &str, ip: &str, domain: &str) -> String {
    let name = match host_stem(client) {
        "" => domain.split('.').next().unwrap_or_default(),
        stem => stem,
    };
    let glob = match client.split_once('.') {
        Some((short, rest)) if short.ends_with(|c: char| c.is_ascii_digit()) => {
            format!("{}[0-9]*.{rest}", short.trim_end_matches(|c: char| c.is_ascii_digit()))
        }
        _ => client.to_owned(),
    };
    let mut keys = Vec::new();
    if !glob.is_empty() {
        keys.push(format!("client = {}", toml::Value::from(glob)));
    }
    if client.is_empty() && !ip.is_empty() {
        keys.push(format!("client_ip = {}", toml::Value::from(ip)));
    }
    if !domain.is_empty() {
        keys.push(format!("sender_domain = {}", toml::Value::from(domain)));
    }
    format!(
        "[[service]]\nname = {}\nmatch = [{{ {} }}]\n",
        toml::Value::from(service_name(name)),
        keys.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposed_rule_is_toml_even_from_hostile_names() {
        let text = rule("gerrit1001.wikimedia.org", "192.0.2.1", "wikimedia.org");
        assert!(text.contains(r#"client = "gerrit[0-9]*.wikimedia.org""#), "{text}");
        for (client, domain) in [("", "x.org"), ("\"]\n[[service]]", "a\"b"), ("", "")] {
            let text = rule(client, "", domain);
            assert!(text.parse::<toml::Table>().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_client_without_a_name_is_known_by_its_address() {
        let text = rule("", "192.0.2.7", "shop.example.org");
        assert!(text.contains("name = \"shop\""), "{text}");
        let expected = "match = [{ client_ip = \"192.0.2.7\", sender_domain = \"shop.example.org\" }]";
        assert!(text.contains(expected), "{text}");
    }
}
