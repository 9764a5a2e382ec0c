//! One condition of a service rule: a key, and the pattern or network that it must satisfy.

use ipnet::IpNet;

use super::facts::{Key, View};
use super::pattern::Pattern;
use super::services::ConditionTrace;

/// A compiled condition.
#[derive(Debug)]
pub(super) enum Condition {
    /// A text, by a literal or a glob.
    Text(Key, Pattern),
    /// An address, by its network.
    Net(Key, IpNet),
}

impl Condition {
    /// Compiles one; the error is what is wrong, and the cure.
    pub(super) fn compile(key: Key, written: &str) -> Result<Self, (String, String)> {
        let quoted = written.escape_debug();
        if key.text_slot().is_none() {
            return super::hostgroups::network(written).map(|net| Self::Net(key, net));
        }
        if let Some((what, cure)) = misuse(key, written) {
            return Err((format!("`{} = \"{quoted}\"` {what}", key.name()), cure));
        }
        let pattern = Pattern::compile(written).map_err(|why| {
            let cure =
                "globs support `*`, `?`, `[0-9]`, `{a,b}`, and `\\` before a character to mean itself".to_owned();
            (format!("`{} = \"{quoted}\"` is not a glob: {why}", key.name()), cure)
        })?;
        Ok(Self::Text(key, pattern))
    }

    /// What it looks at.
    pub(super) fn key(&self) -> Key {
        match self {
            Self::Text(key, _) | Self::Net(key, _) => *key,
        }
    }

    /// As the user wrote it.
    pub(super) fn written(&self) -> String {
        match self {
            Self::Text(_, pattern) => pattern.written().to_owned(),
            Self::Net(_, net) => net.to_string(),
        }
    }

    /// What to file an entry under: the smallest.
    pub(super) fn selectivity(&self) -> u32 {
        match self {
            // Whose log it is holds for a whole log, a router for most of its deliveries.
            Self::Text(Key::Host | Key::Router | Key::Transport, pattern) => 4 + u32::from(pattern.literal().is_none()),
            Self::Text(_, pattern) if pattern.literal().is_some() => 0,
            Self::Net(..) => 1,
            Self::Text(_, pattern) if pattern.ends() != (b"", b"") => 2,
            Self::Text(..) => 3,
        }
    }

    /// Whether the mail satisfies it.
    pub(super) fn holds(&self, view: &View<'_>) -> bool {
        match self {
            Self::Text(Key::Auth, pattern) => {
                let forms = [view.text(Key::Auth), view.auth_id()];
                forms.into_iter().flatten().any(|text| pattern.matches(text))
            }
            Self::Text(key, pattern) => view.text(*key).is_some_and(|text| pattern.matches(text)),
            Self::Net(_, net) => view.ip.is_some_and(|ip| net.contains(&ip)),
        }
    }

    /// The same for people.
    pub(super) fn trace(&self, view: &View<'_>) -> ConditionTrace {
        ConditionTrace {
            key: self.key(),
            pattern: self.written(),
            held: self.holds(view),
        }
    }
}

/// Patterns that compile and can never match: the commonest mistakes, each with its cure.
fn misuse(key: Key, written: &str) -> Option<(&'static str, String)> {
    let glob = written.contains(['*', '?', '[', '{']);
    if written.is_empty() {
        let cure = if key == Key::Sender {
            "for bounces write `<>`"
        } else {
            "leave the key out"
        };
        return Some(("is empty", cure.to_owned()));
    }
    if written.chars().any(|c| c.is_control()) || written.trim() != written {
        return Some(("contains blanks or control characters", "remove them".to_owned()));
    }
    match key {
        Key::Sender if !glob && written != "<>" && !written.contains('@') => {
            let cure = format!("write `sender = \"{written}@*\"`, or `sender_domain` for a domain");
            Some(("is not a complete address", cure))
        }
        Key::SenderDomain | Key::Client | Key::MessageIdHost | Key::Host if written.contains('@') => Some((
            "is an address, where a host name or domain is needed",
            "use `sender` for addresses".to_owned(),
        )),
        Key::Client if written.parse::<IpNet>().is_ok() || written.parse::<std::net::IpAddr>().is_ok() => {
            Some(("is not a host name", format!("write `client_ip = \"{written}\"`")))
        }
        _ => None,
    }
}
