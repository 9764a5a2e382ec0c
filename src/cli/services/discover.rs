//! `mailpulse services discover`: rules for mail that none names, and services for logs that name none.

use crate::analysis::clients::{OursProposal, proposals};
use crate::cli::output;
use crate::config::{Config, HostOf, Source, is_name, this_host};
use crate::model::log_kinds::usual_service;
use crate::model::service_names::{BOUNCES, UNATTRIBUTED};
use crate::normalise::ours::OursInput;
use crate::query::Window;
use crate::query::history::MailHistory;
use anyhow::Result;
use std::collections::HashMap;
use std::process::ExitCode;

/// Combinations of client, address and domain that are looked at.
const GROUPS_MAX: usize = 50_000;

/// Entries of a proposed rule; the rest of a service's clients is counted.
const ENTRIES_MAX: usize = 20;

/// Tells.
pub(super) fn run(config: &Config, store: &dyn MailHistory, window: Window, max: usize) -> Result<ExitCode> {
    let derives = config.derives();
    let mails = relays(store, window, config)?;
    let proposed = Proposals::of(config, &mails, max);
    let logs = applications(store, window, max)?;
    match (
        proposed.rules.is_empty() && proposed.notes.is_empty() && logs.is_empty(),
        derives,
    ) {
        (true, true) if !config.services.is_empty() => output::talk("every message in this window has a rule"),
        (true, true) => {
            output::talk("there is no mail of a sender with a domain in this window; --since looks further back")
        }
        (true, false) => output::talk("every message in this window has a service"),
        (false, true) if config.store.derive.is_none() => output::talk(
            "no [[service]] is configured, so that services are derived from senders and clients. From the first rule on only \
             rules name services: paste all that you want to keep, under names that you like; or set `derive = true` in \
             [store], and what no rule names keeps its derived name",
        ),
        (false, true) => output::talk("mail that matches no [[service]] has services derived from senders and clients"),
        (false, false) => {}
    }
    let ours = proposals(store, window)?;
    if !ours.is_empty() {
        output::line(&ours_text(config, &ours))?;
    }
    output::line(proposed.text().trim_end())?;
    for log in &logs {
        output::line(&log.proposal(config))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `[ours]` for clients that are ours by proof; in comments where the configuration has one.
fn ours_text(config: &Config, ours: &[OursProposal]) -> String {
    let (text, networks) = ours_words(ours);
    match config.ours == OursInput::default() {
        true => text + &format!("[ours]\n{networks}\n"),
        // A second table of this name would be an error.
        false => text + &format!("# add to [ours], which is there:\n# {networks}\n"),
    }
}

/// What speaks for it, in comments, and its line.
pub(in crate::cli) fn ours_words(ours: &[OursProposal]) -> (String, String) {
    let mut text = "# Their mail leaves again, so these clients are probably yours. Until [ours] names them, their mail is `inbound`:\n"
        .to_owned();
    for proposal in ours {
        let examples: Vec<String> = proposal
            .examples
            .iter()
            .map(|example| mailpulse_parsers::harmless::safe_text(example.as_bytes()))
            .collect();
        text += &format!(
            "# {}: {} messages, for example of {}\n",
            proposal.network,
            proposal.messages,
            examples.join(", ")
        );
    }
    let networks: Vec<String> = ours
        .iter()
        .map(|proposal| toml::Value::from(proposal.network.as_str()).to_string())
        .collect();
    (text, format!("networks = [{}]", networks.join(", ")))
}

/// ClientMail of one client and domain that came to an MTA and that no rule names.
#[derive(Debug, Default)]
struct ClientMail {
    /// What it is derived as, or `unattributed`.
    service: String,
    /// Whose log it is, for mail that was handed in there by a command.
    host: String,
    client: String,
    /// Of a client without a name.
    ip: String,
    domain: String,
    messages: i64,
    example: String,
}

fn relays(store: &dyn MailHistory, window: Window, config: &Config) -> Result<Vec<ClientMail>> {
    let names: Vec<String> = config.services.names().map(|name| format!("'{name}'")).collect();
    let which = match (config.derives(), names.is_empty()) {
        (true, true) => String::new(),
        // A name is letters, digits and `-_.`.
        (true, false) => format!("service NOT IN ({}) AND ", names.join(", ")),
        // Where names are not derived, what was derived before is not what comes now.
        (false, _) => "service = 'unattributed' AND ".to_owned(),
    };
    let sql = format!(
        "SELECT service, host, client, client_ip, sender_domain, COUNT(*) AS messages, MIN(queue_id) AS example
         FROM events WHERE {which}kind = 'accepted' AND origin <> 'outside' AND first_hop AND (sender_domain <> '' OR service = '{BOUNCES}')
         GROUP BY service, host, client, client_ip, sender_domain
         ORDER BY messages DESC, service, host, client, client_ip, sender_domain LIMIT {GROUPS_MAX}"
    );
    let table = store.select(&sql, window)?;
    let mail = |row| {
        let [host, client, ip] = [1, 2, 3].map(|column| table.text(column, row).to_owned());
        // Mail without a client's address was handed in on the host itself.
        let is_own = ip.is_empty() && client == host;
        ClientMail {
            service: table.text(0, row).to_owned(),
            host: if is_own { host } else { String::new() },
            ip: if is_name_of_host(&client) { String::new() } else { ip },
            client: if is_own || !is_name_of_host(&client) {
                String::new()
            } else {
                client
            },
            domain: table.text(4, row).to_owned(),
            messages: table.number(5, row).unwrap_or(0),
            example: table.text(6, row).to_owned(),
        }
    };
    Ok((0..table.rows()).map(mail).collect())
}

/// Whether a pattern can be made of it: names are strangers' text, and `*` or `[` would be more than themselves.
fn is_name_of_host(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Rules that `check` takes: each name once, each match once.
#[derive(Debug, Default)]
struct Proposals {
    rules: Vec<Rule>,
    /// What cannot be proposed, in comments.
    notes: Vec<String>,
}

#[derive(Debug)]
struct Rule {
    name: String,
    /// A service of the configuration: its rule gets more entries.
    is_known: bool,
    entries: Vec<String>,
    more: usize,
    messages: i64,
    example: String,
}

impl Proposals {
    fn of(config: &Config, mails: &[ClientMail], max: usize) -> Proposals {
        let known: Vec<String> = config.services.names().map(str::to_lowercase).collect();
        let mut all = Proposals::default();
        let mut taken: HashMap<String, usize> = HashMap::new();
        let mut by_name: HashMap<String, usize> = HashMap::new();
        let mut refused: HashMap<(String, usize), i64> = HashMap::new();
        for mail in mails {
            let Some(entry) = entry(mail) else { continue };
            let name = mail.name();
            if let Some(&owner) = taken.get(&entry) {
                match all.rules[owner].name == name || mail.service == UNATTRIBUTED {
                    true => all.rules[owner].messages += mail.messages,
                    // Two services with one match: the second would never match.
                    false => *refused.entry((name, owner)).or_default() += mail.messages,
                }
                continue;
            }
            let at = match by_name.get(&name) {
                Some(at) => *at,
                None => {
                    by_name.insert(name.clone(), all.rules.len());
                    all.rules.push(Rule {
                        is_known: known.contains(&name),
                        name,
                        entries: Vec::new(),
                        more: 0,
                        messages: 0,
                        example: mail.example.clone(),
                    });
                    all.rules.len() - 1
                }
            };
            taken.insert(entry.clone(), at);
            let rule = &mut all.rules[at];
            rule.messages += mail.messages;
            match rule.entries.len() < ENTRIES_MAX {
                true => rule.entries.push(entry),
                false => rule.more += 1,
            }
        }
        let mut refused: Vec<_> = refused.into_iter().collect();
        refused.sort_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
        all.notes = refused
            .into_iter()
            .take(max)
            .map(|((name, owner), messages)| {
                let owner = &all.rules[owner].name;
                format!(
                    "# {name}: {messages} messages of a client and domain of {owner}. Put a rule with what tells them apart \
                     (as `sender`) before it"
                )
            })
            .collect();
        all.rules.sort_by_key(|rule| std::cmp::Reverse(rule.messages));
        all.rules.truncate(max);
        all
    }

    fn text(&self) -> String {
        let rules = self.rules.iter().map(Rule::text);
        rules.chain(self.notes.iter().map(|note| format!("{note}\n"))).collect()
    }
}

impl Rule {
    fn text(&self) -> String {
        let Rule {
            name,
            messages,
            example,
            ..
        } = self;
        let example = mailpulse_parsers::harmless::safe_text(example.as_bytes());
        let mut text = format!("# {messages} messages, for example {example}\n");
        if self.more > 0 {
            text += &format!(
                "# and {} more clients; a glob or a network may name them all\n",
                self.more
            );
        }
        let entries = match self.entries.as_slice() {
            [one] => format!("match = [{{ {one} }}]"),
            all => {
                let lines: Vec<String> = all.iter().map(|entry| format!("    {{ {entry} }},\n")).collect();
                format!("match = [\n{}]", lines.concat())
            }
        };
        let name = toml::Value::from(name.as_str());
        match self.is_known {
            false => text + &format!("[[service]]\nname = {name}\n{entries}\n\n"),
            true => {
                // A second service of this name would be an error.
                let lines: Vec<String> = entries.lines().map(|line| format!("# {line}\n")).collect();
                text + &format!("# add to the [[service]] {name} that is there:\n{}\n", lines.concat())
            }
        }
    }
}

impl ClientMail {
    /// The service's name: that under which its mail is stored already, if it can be one.
    fn name(&self) -> String {
        if self.service != UNATTRIBUTED && is_name(&self.service) {
            return self.service.to_lowercase();
        }
        let name = [&self.client, &self.host]
            .into_iter()
            .find_map(|host| match host_stem(host) {
                "" => None,
                stem => Some(stem),
            });
        match service_name(name.unwrap_or_else(|| self.domain.split('.').next().unwrap_or_default())) {
            // It is reserved.
            name if name == UNATTRIBUTED => "name_me".to_owned(),
            name => name,
        }
    }
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

fn applications(store: &dyn MailHistory, window: Window, max: usize) -> Result<Vec<AppLog>> {
    let sql = format!(
        "SELECT source, host, client, SUM(n) AS messages,
                SUM(CASE WHEN kind = 'submit_failed' THEN n ELSE 0 END) AS failed, MAX(reason) AS example
         FROM (SELECT source, host, client, kind, messages AS n, reason FROM events WHERE service = 'unattributed'
               AND (kind = 'submitted' OR kind = 'submit_failed')) AS logged
         GROUP BY source, host, client ORDER BY messages DESC, source, host, client LIMIT {max}"
    );
    let table = store.select(&sql, window)?;
    let log = |row| AppLog {
        kind: table.text(0, row).to_owned(),
        host: table.text(1, row).to_owned(),
        client: table.text(2, row).to_owned(),
        messages: table.number(3, row).unwrap_or(0),
        failed: table.number(4, row).unwrap_or(0),
        example: table.text(5, row).to_owned(),
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
            mailpulse_parsers::harmless::safe_text(self.host.as_bytes()),
            self.failed,
            toml::Value::from(name)
        )
    }
}

fn may_be(source: &Source, host: &str) -> bool {
    match &source.host {
        HostOf::This => host == this_host(),
        HostOf::Named(name) => name == host,
        HostOf::Path | HostOf::Lines => true,
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

/// One entry of a `match` as TOML; a host's digits become a glob so that its sisters match as well. A client without a
/// name is known by its address. `None` if nothing tells it from other mail.
fn entry(mail: &ClientMail) -> Option<String> {
    if mail.domain.is_empty() {
        return (mail.service == BOUNCES).then(|| "sender = \"<>\"".to_owned());
    }
    let mut keys = Vec::new();
    if !mail.client.is_empty() {
        keys.push(format!("client = {}", toml::Value::from(sisters(&mail.client))));
    } else if !mail.ip.is_empty() {
        keys.push(format!("client_ip = {}", toml::Value::from(mail.ip.as_str())));
    } else if is_name_of_host(&mail.host) {
        keys.push(format!("host = {}", toml::Value::from(sisters(&mail.host))));
    }
    if is_name_of_host(&mail.domain) {
        // A host that sends under its own name has sisters there too.
        let is_host = [&mail.client, &mail.host]
            .iter()
            .any(|host| host.eq_ignore_ascii_case(&mail.domain));
        let domain = if is_host {
            sisters(&mail.domain)
        } else {
            mail.domain.clone()
        };
        keys.push(format!("sender_domain = {}", toml::Value::from(domain)));
    }
    (!keys.is_empty()).then(|| keys.join(", "))
}

/// `gerrit1001.example.org` → `gerrit[0-9]*.example.org`, and `mail-oi0-f41.google.com` → `mail-oi[0-9]*-f[0-9]*.google.com`:
/// numbers tell sisters apart.
fn sisters(host: &str) -> String {
    let Some((short, rest)) = host
        .split_once('.')
        .filter(|(short, _)| short.ends_with(|c: char| c.is_ascii_digit()))
    else {
        return host.to_owned();
    };
    let mut glob = String::new();
    for part in short.split_inclusive(|c: char| !c.is_ascii_digit()) {
        // Digits, and the character that ends them.
        let end = part.trim_start_matches(|c: char| c.is_ascii_digit());
        if end.len() < part.len() {
            glob.push_str("[0-9]*");
        }
        glob.push_str(end);
    }
    format!("{glob}.{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(service: &str, client: &str, ip: &str, domain: &str) -> ClientMail {
        ClientMail {
            service: service.to_owned(),
            client: client.to_owned(),
            ip: ip.to_owned(),
            domain: domain.to_owned(),
            messages: 1,
            ..ClientMail::default()
        }
    }

    /// The rules as the configuration takes them.
    fn proposed(mails: &[ClientMail]) -> (String, Vec<toml::Value>) {
        let text = Proposals::of(&Config::empty(), mails, 20).text();
        let table = text
            .parse::<toml::Table>()
            .unwrap_or_else(|why| panic!("{why} in {text}"));
        let rules = table.get("service").and_then(|rules| rules.as_array().cloned());
        (text, rules.unwrap_or_default())
    }

    #[test]
    fn sisters_are_one_rule_and_one_entry() {
        let hosts = ["gerrit1001", "gerrit2001", "gerrit1002"].map(|host| format!("{host}.wikimedia.org"));
        let mails = hosts
            .each_ref()
            .map(|host| mail(UNATTRIBUTED, host, "", "wikimedia.org"));
        let (text, rules) = proposed(&mails);
        assert_eq!(rules.len(), 1, "{text}");
        assert_eq!(rules[0]["match"].as_array().unwrap().len(), 1, "{text}");
        assert!(text.contains("# 3 messages"), "{text}");
        assert!(
            text.contains(r#"client = "gerrit[0-9]*.wikimedia.org", sender_domain = "wikimedia.org""#),
            "{text}"
        );
    }

    #[test]
    fn numbers_within_a_name_are_globs_too() {
        let hosts = ["mail-oi0-f41", "mail-oi0-f68", "mail-oi1-f7"].map(|host| format!("{host}.google.com"));
        let mails = hosts.each_ref().map(|host| mail("google", host, "", "example.org"));
        let (text, rules) = proposed(&mails);
        assert_eq!(rules.len(), 1, "{text}");
        assert_eq!(rules[0]["match"].as_array().unwrap().len(), 1, "{text}");
        assert!(
            text.contains(r#"client = "mail-oi[0-9]*-f[0-9]*.google.com""#),
            "{text}"
        );
        assert_eq!(sisters("web.example.org"), "web.example.org");
        assert_eq!(
            sisters("10-1-2-3.example.org"),
            "[0-9]*-[0-9]*-[0-9]*-[0-9]*.example.org"
        );
    }

    #[test]
    fn a_service_of_several_clients_is_one_rule_and_keeps_its_name() {
        let (text, rules) = proposed(&[
            mail("Wiki", "mw1.x.org", "", "x.org"),
            mail("wiki", "web.x.org", "", "x.org"),
            // The same mail by its client and domain, and another service: the second rule would never match.
            mail("otrs", "web.x.org", "", "x.org"),
            mail(BOUNCES, "mx1.x.org", "", ""),
        ]);
        let names: Vec<&str> = rules.iter().map(|rule| rule["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["wiki", "bounces"], "{text}");
        assert_eq!(rules[0]["match"].as_array().unwrap().len(), 2);
        assert!(
            text.contains("# otrs: 1 messages of a client and domain of wiki"),
            "{text}"
        );
        assert!(text.contains("{ sender = \"<>\" }"), "{text}");
    }

    #[test]
    fn hostile_names_make_no_pattern_and_reserved_ones_no_service() {
        let (text, rules) = proposed(&[
            mail(UNATTRIBUTED, "", "192.0.2.7", "a\"b]*"),
            mail(UNATTRIBUTED, "unattributed1.x.org", "", "y.org"),
            mail("\"]\n[[service]]", "", "", "x\u{1b}.org"),
        ]);
        let names: Vec<&str> = rules.iter().map(|rule| rule["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["a_b__", "name_me"], "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains("b]*"), "{text}");
    }

    #[test]
    fn a_client_without_a_name_is_known_by_its_address_and_one_on_the_host_by_the_host() {
        let (text, _) = proposed(&[mail(UNATTRIBUTED, "", "192.0.2.7", "shop.example.org")]);
        assert!(text.contains("name = \"shop\""), "{text}");
        let expected = "match = [{ client_ip = \"192.0.2.7\", sender_domain = \"shop.example.org\" }]";
        assert!(text.contains(expected), "{text}");
        let own = ClientMail {
            host: "web12.example.org".to_owned(),
            ..mail("cron", "", "", "example.org")
        };
        let (text, _) = proposed(&[own]);
        assert!(text.contains("host = \"web[0-9]*.example.org\""), "{text}");
        let name = "db1061.example.org";
        let (text, _) = proposed(&[mail("db", name, "", name)]);
        let both = "client = \"db[0-9]*.example.org\", sender_domain = \"db[0-9]*.example.org\"";
        assert!(text.contains(both), "{text}");
    }
}
