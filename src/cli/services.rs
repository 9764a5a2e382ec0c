//! `mailpulse services`: who sends how much; `services discover` proposes rules for what has none.

use super::context::Context;
use super::output::{self, Format};
use super::window::WindowArgs;
use crate::query::{self, Window};
use crate::store::Store;
use crate::store::columnar::Values;
use anyhow::Result;
use clap::Subcommand;
use std::process::ExitCode;

const WEEK_MS: i64 = 7 * 86_400_000;

/// Arguments of `services`.
#[derive(Debug, clap::Args)]
pub struct ServicesArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// By hostgroup instead of by service
    #[arg(long)]
    hostgroups: bool,
    #[command(flatten)]
    window: WindowArgs,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Propose rules, as TOML to paste, for mail that no rule names
    Discover {
        #[command(flatten)]
        window: WindowArgs,
        /// How many rules at the most
        #[arg(long, default_value_t = 20)]
        max: usize,
    },
}

/// Tells.
pub fn run(context: &Context, args: &ServicesArgs) -> Result<ExitCode> {
    let store = context.open_store()?;
    if let Some(What::Discover { window, max }) = &args.what {
        let window = window.resolve_with(&store, WEEK_MS)?;
        return discover(&store, window, *max);
    }
    let window = args.window.resolve_with(&store, WEEK_MS)?;
    let name = if args.hostgroups { "hostgroup" } else { "service" };
    let sql = format!(
        "SELECT {name},
                SUM(CASE WHEN kind = 'accepted' AND first_hop THEN messages ELSE 0 END) AS messages,
                SUM(CASE WHEN kind = 'delivered' AND destination = 'remote' THEN recipients ELSE 0 END) AS delivered,
                SUM(CASE WHEN kind = 'bounced' OR kind = 'expired' THEN recipients ELSE 0 END) AS bounced,
                SUM(CASE WHEN kind = 'rejected' THEN messages ELSE 0 END) AS rejected,
                SUM(CASE WHEN kind = 'accepted' AND first_hop THEN bytes ELSE 0 END) AS bytes,
                MAX(CASE WHEN kind = 'accepted' THEN ts_ms ELSE 0 END) AS last_minute
         FROM rates GROUP BY {name} ORDER BY messages DESC, {name}"
    );
    let table = query::sql(&store, &sql, window)?;
    output::table(&table, &["last_minute"], args.format)?;
    Ok(ExitCode::SUCCESS)
}

fn discover(store: &Store, window: Window, max: usize) -> Result<ExitCode> {
    let sql = format!(
        "SELECT client, sender_domain, COUNT(*) AS messages, MIN(queue_id) AS example
         FROM events WHERE service = 'unattributed' AND kind = 'accepted' AND first_hop AND sender_domain <> ''
         GROUP BY client, sender_domain ORDER BY messages DESC, client, sender_domain LIMIT {max}"
    );
    let table = query::sql(store, &sql, window)?;
    let rows = table.rows();
    let [clients, domains, counts, examples] = table.columns.as_slice() else {
        return Ok(ExitCode::SUCCESS);
    };
    let (Values::Text(clients), Values::Text(domains), Values::Int(counts), Values::Text(examples)) =
        (&clients.values, &domains.values, &counts.values, &examples.values)
    else {
        return Ok(ExitCode::SUCCESS);
    };
    if rows == 0 {
        eprintln!("every message in this window has a service");
    }
    for row in 0..rows {
        let client = clients[row].clone().unwrap_or_default();
        let domain = domains[row].clone().unwrap_or_default();
        output::line(&format!(
            "# {} messages, for example {}",
            counts[row].unwrap_or(0),
            examples[row].clone().unwrap_or_default()
        ))?;
        output::line(&rule(&client, &domain))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One rule as TOML; the host's digits become a glob so that its sisters match as well.
fn rule(client: &str, domain: &str) -> String {
    let name: String = client
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .to_owned();
    let name = if name.is_empty() {
        domain.split('.').next().unwrap_or_default().to_owned()
    } else {
        name
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
    if !domain.is_empty() {
        keys.push(format!("sender_domain = {}", toml::Value::from(domain)));
    }
    let safe: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let safe = if safe.is_empty() { "name_me".to_owned() } else { safe };
    format!(
        "[[service]]\nname = {}\nmatch = [{{ {} }}]\n",
        toml::Value::from(safe),
        keys.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposed_rule_is_toml_even_from_hostile_names() {
        let text = rule("gerrit1001.wikimedia.org", "wikimedia.org");
        assert!(text.contains(r#"client = "gerrit[0-9]*.wikimedia.org""#), "{text}");
        for (client, domain) in [("", "x.org"), ("\"]\n[[service]]", "a\"b"), ("", "")] {
            let text = rule(client, domain);
            assert!(text.parse::<toml::Table>().is_ok(), "{text}");
        }
    }
}
