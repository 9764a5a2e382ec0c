//! A service's name when there is no rule: from the sender, else from where the mail came from.
//!
//! What is asked, in this order, until something telling is found: the sender's local part, the host or subdomain in its
//! domain, the authenticated id, the local user, the client's host name, the own host name for a mail handed in by a
//! command, the organisation in the sender's domain. Numbers of hosts, tags, VERP and BATV codes are cut off, names that
//! every machine has (`root`, `no-reply`, `mail`) and names of people (`first.last`) tell nothing. A name has at most
//! [`NAME_BYTES_MAX`] bytes of `a-z 0-9 . _ -`; how **many** names there may be is for the caller to bound.
//!
//! Names of services are stored and shown in clear. So a local part, or a local user, names one only if it is nobody's
//! ([`Naming::Impersonal`]): a word of the sending host's or of the sender's domain's own name, or a program that every
//! machine has. Authenticated accounts are one service then, [`AUTHENTICATED`].

use super::facts::{Facts, domain_of, host_name};
use crate::model::service_names::{AUTHENTICATED, BOUNCES, UNATTRIBUTED};
use std::borrow::Cow;

/// What may name a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Naming {
    /// No account's name: for stores that do not keep local parts.
    #[default]
    Impersonal,
    /// Local parts, users and authenticated ids too.
    Accounts,
}

const NAME_BYTES_MAX: usize = 32;

/// Local parts and users that say nothing of the service.
const GENERIC_USERS: &[&str] = &[
    "admin",
    "administrator",
    "alert",
    "alerts",
    "apache",
    "bounce",
    "bounces",
    "contact",
    "daemon",
    "debian-exim",
    "do-not-reply",
    "donotreply",
    "email",
    "exim",
    "hostmaster",
    "httpd",
    "info",
    "mail",
    "mailer",
    "nginx",
    "no-reply",
    "no_reply",
    "nobody",
    "noreply",
    "notification",
    "notifications",
    "notify",
    "postmaster",
    "root",
    "sysadmin",
    "system",
    "user",
    "webmaster",
    "www",
    "www-data",
];

/// Accounts of programs that send mail on any machine: they name a service, and nobody.
const PROGRAM_USERS: &[&str] = &[
    "anacron", "backup", "cron", "fail2ban", "icinga", "logcheck", "logwatch", "mailman", "mdadm", "monit", "munin",
    "nagios", "smartd", "zabbix",
];

/// Words around the telling part of a local part.
const AFFIXES: &[&str] = &[
    "no-reply",
    "no_reply",
    "noreply",
    "do-not-reply",
    "donotreply",
    "bounce",
    "bounces",
    "notification",
    "notifications",
    "alert",
    "alerts",
];

/// First words of host names that say nothing of the service.
const GENERIC_HOSTS: &[&str] = &[
    "dynamic",
    "ec",
    "host",
    "ip",
    "localhost",
    "mail",
    "mailer",
    "mailout",
    "mout",
    "mta",
    "mx",
    "out",
    "outbound",
    "relay",
    "server",
    "smtp",
    "static",
    "unknown",
    "vm",
    "www",
];

/// Local users that are the mail system or the system itself; `www-data` still tells more than nothing.
const SYSTEM_USERS: &[&str] = &["daemon", "debian-exim", "exim", "mail", "nobody", "root"];

/// Names the service of a mail without any rule. The same facts always give the same name.
#[must_use]
pub fn derive(facts: &Facts<'_>, naming: Naming) -> String {
    let sender = facts.sender.unwrap_or_default().to_ascii_lowercase();
    let domain = domain_of(&sender).map(host_name).unwrap_or_default();
    let local = domain_of(&sender).map_or(&sender[..], |domain| &sender[..sender.len() - domain.len() - 1]);
    let is_null = sender.is_empty() || sender == b"<>" || local == b"mailer-daemon";
    if is_null && facts.sender.is_some() {
        return BOUNCES.to_owned();
    }
    let own = || {
        facts
            .user
            .filter(|_| facts.client_name.is_none() && facts.client_ip.is_none())
    };
    let is_shown = |name: &String| match naming {
        Naming::Accounts => true,
        Naming::Impersonal => PROGRAM_USERS.contains(&name.as_str()) || is_word_of(name, domain, facts),
    };
    let user = || facts.user.and_then(tidy).map(Cow::into_owned);
    let is_shown_user = |name: &String| GENERIC_USERS.contains(&name.as_str()) || is_shown(name);
    let auth = |id| match naming {
        Naming::Accounts => from_auth(id),
        Naming::Impersonal => Some(AUTHENTICATED.to_owned()),
    };
    from_local_part(local)
        .filter(is_shown)
        .or_else(|| from_domain(domain))
        .or_else(|| facts.auth.and_then(auth))
        .or_else(|| user().filter(|name| !SYSTEM_USERS.contains(&name.as_str()) && is_shown_user(name)))
        .or_else(|| facts.client_name.and_then(from_host))
        .or_else(|| own().and_then(|_| from_host(facts.host.as_bytes())))
        .or_else(|| psl::domain(domain).and_then(|known| tidy(first_label(known.as_bytes())).map(Cow::into_owned)))
        .or_else(|| user().filter(is_shown_user))
        .unwrap_or_else(|| UNATTRIBUTED.to_owned())
}

/// Local parts of which a pseudonym can be told: words that are nobody's, and those of the names of domain and host.
#[must_use]
pub fn candidates(domain: &[u8], facts: &Facts<'_>) -> Vec<String> {
    let fixed = GENERIC_USERS.iter().chain(PROGRAM_USERS).map(|word| (*word).to_owned());
    let mut all: Vec<String> = fixed.chain(["mailer-daemon".to_owned()]).collect();
    for label in labels_of(domain, facts) {
        all.extend(words_of(&label).map(str::to_owned));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether a name stands in the name of the sending host or of the sender's domain already. Asked of nearly every stranger's
/// mail: nothing is allocated for names that are plain.
fn is_word_of(name: &str, domain: &[u8], facts: &Facts<'_>) -> bool {
    labels_of(domain, facts).any(|label| words_of(&label).any(|word| word == name))
}

/// The labels in the names of the sender's domain and of the sending host.
fn labels_of<'a>(domain: &'a [u8], facts: &Facts<'a>) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
    // The log's own host sends what is handed in by a command, and what an application writes of.
    let host = match facts.client_name {
        Some(client) => client,
        None if facts.client_ip.is_none() => facts.host.as_bytes(),
        None => b"",
    };
    let names = [domain, host].into_iter();
    names.flat_map(|name| name.split(|&b| b == b'.').filter_map(tidy))
}

/// The words in a label, with and without the numbers behind them.
fn words_of(label: &str) -> impl Iterator<Item = &str> {
    let parts = label.split(['-', '_']).map(without_number);
    parts.chain([without_number(label), label])
}

fn from_local_part(local: &[u8]) -> Option<String> {
    let local = local
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(local);
    let local = uncoded(local);
    let list = [&b"-bounces"[..], b"-owner", b"-request"]
        .iter()
        .any(|end| local.ends_with(end));
    if list || local.starts_with(b"owner-") {
        // A list server has thousands of lists, and is one service.
        return None;
    }
    let tidy = tidy(local)?;
    let name = without_number(without_affixes(&tidy));
    let person = name
        .split_once('.')
        .is_some_and(|(first, last)| letters(first) && letters(last));
    telling(name)
        .filter(|name| !person && !GENERIC_USERS.contains(name))
        .map(str::to_owned)
}

/// Cuts off what was added to a local part: `+tag`, VERP (`service-code=…`), BATV (`prvs=code=local`) and SRS.
fn uncoded(local: &[u8]) -> &[u8] {
    let after_last = |text: &[u8]| text.iter().rposition(|&b| b == b'=').map_or(0, |at| at + 1);
    let coded = [&b"prvs="[..], b"btv1=", b"srs0=", b"srs1="]
        .iter()
        .any(|start| local.starts_with(start));
    let local = if coded { &local[after_last(local)..] } else { local };
    let local = local.split(|&b| b == b'+').next().unwrap_or_default();
    match local.iter().position(|&b| b == b'=') {
        Some(at) => local[..at].split(|&b| b == b'-').next().unwrap_or_default(),
        None => local,
    }
}

fn without_affixes(name: &str) -> &str {
    let separators = ['-', '_', '.'];
    for affix in AFFIXES {
        let rest = name.strip_prefix(affix).and_then(|rest| rest.strip_prefix(separators));
        let rest = rest.or_else(|| name.strip_suffix(affix).and_then(|rest| rest.strip_suffix(separators)));
        if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
            return rest;
        }
    }
    name
}

/// A host or a subdomain: `phabricator.wikimedia.org`, `hue1001.eqiad.wmnet`; not the organisation's own domain.
fn from_domain(domain: &[u8]) -> Option<String> {
    match psl::domain(domain) {
        Some(known) if known.suffix().is_known() && known.as_bytes().len() == domain.len() => None,
        _ => from_host(domain),
    }
}

fn from_auth(auth: &[u8]) -> Option<String> {
    let id = auth
        .rsplit(|&b| b == b':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    from_local_part(id.split(|&b| b == b'@').next().unwrap_or_default())
}

fn from_host(host: &[u8]) -> Option<String> {
    let label = tidy(first_label(host))?;
    let name = telling(without_number(&label))?;
    let word = without_number(name.split('-').next().unwrap_or_default());
    (!GENERIC_HOSTS.contains(&word)).then(|| name.to_owned())
}

fn first_label(host: &[u8]) -> &[u8] {
    // An address in place of a name has no label that names anything.
    if host.iter().all(|b| b.is_ascii_digit() || b".:[]".contains(b)) {
        return b"";
    }
    host.split(|&b| b == b'.').next().unwrap_or_default()
}

/// `snapshot1008` → `snapshot`, `ip-10-1-2-3` → `ip`.
fn without_number(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '_' || c == '.')
}

/// Codes have digits inside, and single letters mean nothing.
fn telling(name: &str) -> Option<&str> {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    (name.len() >= 2 && digits < 2).then_some(name)
}

fn letters(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase())
}

/// The bounded character set, in lower case; `None` if nothing is left. What is too long is a code, not a name.
fn tidy(text: &[u8]) -> Option<Cow<'_, str>> {
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(byte);
    let edges = ['-', '_', '.'];
    let name = match std::str::from_utf8(text) {
        Ok(plain) if text.iter().all(is_plain) => Cow::Borrowed(plain.trim_matches(edges)),
        _ => {
            let safe = |byte: &u8| match byte.to_ascii_lowercase() {
                byte if is_plain(&byte) => char::from(byte),
                _ => '-',
            };
            let name: String = text.iter().map(safe).collect();
            Cow::Owned(name.trim_matches(edges).to_owned())
        }
    };
    (!name.is_empty() && name.len() <= NAME_BYTES_MAX).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(sender: &str, client: &str, user: &str, auth: &str) -> String {
        named_by(Naming::Accounts, sender, client, user, auth)
    }

    fn named_by(naming: Naming, sender: &str, client: &str, user: &str, auth: &str) -> String {
        let some = |text: &'static str| Some(text.as_bytes()).filter(|text| !text.is_empty());
        let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        let facts = Facts {
            sender: Some(sender.as_bytes()),
            client_name: some(leak(client)),
            user: some(leak(user)),
            auth: some(leak(auth)),
            host: "phab1001",
            ..Facts::default()
        };
        derive(&facts, naming)
    }

    #[test]
    fn by_sender() {
        for (sender, expected) in [
            ("gerrit@wikimedia.org", "gerrit"),
            ("Gerrit+tag@wikimedia.org", "gerrit"),
            ("root@hue1001.eqiad.wmnet", "hue"),
            ("root@hue1001", "hue"),
            ("no-reply@phabricator.wikimedia.org", "phabricator"),
            ("phabricator-noreply@wikimedia.org", "phabricator"),
            ("wiki-enwiki-5a-p9xyz-abc=@wikimedia.org", "wiki"),
            ("prvs=12345abcd=sentry@wikimedia.org", "sentry"),
            ("wikitech-l-bounces@lists.wikimedia.org", "lists"),
            ("user1234@shop.example.co.uk", "shop"),
            ("first.last@example.org", "example"),
            ("no-reply@mail.github.com", "github"),
            ("ops-dumps@wikimedia.org", "ops-dumps"),
            ("\"a b\"@x.org", "a-b"),
            ("0a1b2c3d4e5f60718293a4b5c6d7e8f90@x.org", "x"),
            ("J\u{f6}rg@x.org", "j--rg"),
            ("<>", BOUNCES),
            ("", BOUNCES),
            ("MAILER-DAEMON@mx1.x.org", BOUNCES),
            ("root", UNATTRIBUTED),
            ("@", UNATTRIBUTED),
        ] {
            assert_eq!(named(sender, "", "", ""), expected, "{sender}");
        }
    }

    #[test]
    fn by_what_else_is_known() {
        for (sender, client, user, auth, expected) in [
            ("noreply@wikimedia.org", "mw1299.eqiad.wmnet", "", "", "mw"),
            ("noreply@wikimedia.org", "an-coord1001.eqiad.wmnet", "", "", "an-coord"),
            ("noreply@github.com", "out-18.smtp.github.com", "", "", "github"),
            (
                "noreply@wikimedia.org",
                "p5b0c1234.dip0.t-ipconnect.de",
                "",
                "plain:sentry@x.org",
                "sentry",
            ),
            ("noreply@wikimedia.org", "[10.0.0.1]", "", "", "wikimedia"),
            ("www-data@wikimedia.org", "", "www-data", "", "www-data"),
            ("root@wikimedia.org", "", "root", "", "phab"),
            ("root@wikimedia.org", "mx1001.wikimedia.org", "", "", "wikimedia"),
        ] {
            assert_eq!(
                named(sender, client, user, auth),
                expected,
                "{sender} {client} {user} {auth}"
            );
        }
    }

    #[test]
    fn no_account_names_a_service_unless_it_is_nobodys() {
        for (sender, client, user, auth, expected) in [
            // A person, by any spelling, is the domain's or the host's.
            ("jdoe@example.org", "", "", "", "example"),
            ("jdoe@example.org", "mail.example.org", "", "", "example"),
            ("jdoe@example.org", "shop01.example.org", "", "", "shop"),
            ("jdoe@crm.example.org", "", "", "", "crm"),
            ("Jane.Doe+x@example.org", "[10.0.0.1]", "", "", "example"),
            ("jdoe-noreply@example.org", "[10.0.0.1]", "", "", "example"),
            ("jdoe", "", "", "", UNATTRIBUTED),
            ("root@example.org", "", "jdoe", "", "phab"),
            // Words that the host or the domain has anyway, and programs.
            ("gerrit@wikimedia.org", "gerrit1001.wikimedia.org", "", "", "gerrit"),
            ("an-coord@wikimedia.org", "an-coord1001.eqiad.wmnet", "", "", "an-coord"),
            ("Shop@shop.example.org", "", "", "", "shop"),
            ("example@example.org", "mx1.example.net", "", "", "example"),
            ("phab@wikimedia.org", "", "", "", "phab"),
            ("nagios@example.org", "mail.example.org", "", "", "nagios"),
            ("www-data@example.org", "", "www-data", "", "www-data"),
            ("root@example.org", "", "root", "", "phab"),
            ("postmaster@example.org", "[10.0.0.1]", "", "", "example"),
            // Accounts are one service.
            (
                "jdoe@example.org",
                "p5b0c1234.dip0.t-ipconnect.de",
                "",
                "plain:jdoe@example.org",
                AUTHENTICATED,
            ),
            ("a.b@example.org", "[10.0.0.1]", "", "sentry", AUTHENTICATED),
            ("<>", "", "", "plain:jdoe", BOUNCES),
        ] {
            let name = named_by(Naming::Impersonal, sender, client, user, auth);
            assert_eq!(name, expected, "{sender} {client} {user} {auth}");
        }
    }

    #[test]
    fn any_bytes_give_a_safe_name() {
        let mut state = 7_u64;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..40)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    b"ab1.-_@=+\"<>\xff \n"[(state >> 33) as usize % 15]
                })
                .collect();
            let (sender, client) = bytes.split_at((state >> 40) as usize % 40);
            let facts = Facts {
                sender: Some(sender),
                client_name: Some(client),
                ..Facts::default()
            };
            let naming = [Naming::Accounts, Naming::Impersonal][(state >> 50) as usize % 2];
            let name = derive(&facts, naming);
            let safe = name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
            assert!(safe && !name.is_empty() && name.len() <= NAME_BYTES_MAX, "{name}");
            assert!(name.as_bytes()[0].is_ascii_alphanumeric(), "{name}");
        }
    }
}
