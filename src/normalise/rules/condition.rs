//! One condition of a service rule: a key, and the pattern or network that it must satisfy.

use ipnet::IpNet;

use super::facts::{FactKey, FactView};
use super::pattern::Pattern;

/// One condition, and whether it held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionTrace {
    /// The key.
    pub key: FactKey,
    /// The pattern as written.
    pub pattern: String,
    /// Whether the mail satisfied it.
    pub held: bool,
}

/// A compiled condition.
#[derive(Debug)]
pub(super) enum Condition {
    /// A text, by a literal or a glob.
    Text(FactKey, Pattern),
    /// An address, by its network.
    Net(FactKey, IpNet),
}

impl Condition {
    /// Compiles one; the error is what is wrong, and the hint.
    pub(super) fn compile(key: FactKey, written: &str) -> Result<Self, (String, String)> {
        let quoted = written.escape_debug();
        if key.text_slot().is_none() {
            return super::hostgroups::network(written).map(|net| Self::Net(key, net));
        }
        if let Some((what, hint)) = misuse(key, written) {
            return Err((format!("`{} = \"{quoted}\"` {what}", key.name()), hint));
        }
        let pattern = Pattern::compile(written).map_err(|why| {
            let hint =
                "globs support `*`, `?`, `[0-9]`, `{a,b}`, and `\\` before a character to mean itself".to_owned();
            (format!("`{} = \"{quoted}\"` is not a glob: {why}", key.name()), hint)
        })?;
        Ok(Self::Text(key, pattern))
    }

    /// What it looks at.
    pub(super) fn key(&self) -> FactKey {
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
            Self::Text(FactKey::Host | FactKey::Router | FactKey::Transport, pattern) => {
                4 + u32::from(pattern.literal().is_none())
            }
            Self::Text(_, pattern) if pattern.literal().is_some() => 0,
            Self::Net(..) => 1,
            Self::Text(_, pattern) if pattern.ends() != (b"", b"") => 2,
            Self::Text(..) => 3,
        }
    }

    /// Whether the mail satisfies it.
    pub(super) fn holds(&self, view: &FactView<'_>) -> bool {
        match self {
            Self::Text(FactKey::Auth, pattern) => {
                let forms = [view.text(FactKey::Auth), view.auth_id()];
                forms.into_iter().flatten().any(|text| pattern.matches(text))
            }
            Self::Text(key, pattern) => view.text(*key).is_some_and(|text| pattern.matches(text)),
            Self::Net(_, net) => view.ip.is_some_and(|ip| net.contains(&ip)),
        }
    }

    /// The same for people.
    pub(super) fn trace(&self, view: &FactView<'_>) -> ConditionTrace {
        ConditionTrace {
            key: self.key(),
            pattern: self.written(),
            held: self.holds(view),
        }
    }
}

/// Patterns that compile and can never match: the commonest mistakes, each with its hint.
fn misuse(key: FactKey, written: &str) -> Option<(&'static str, String)> {
    let glob = written.contains(['*', '?', '[', '{']);
    if written.is_empty() {
        let hint = if key == FactKey::Sender {
            "for bounces write `<>`"
        } else {
            "leave the key out"
        };
        return Some(("is empty", hint.to_owned()));
    }
    if written.chars().any(|c| c.is_control()) || written.trim() != written {
        return Some(("contains blanks or control characters", "remove them".to_owned()));
    }
    match key {
        FactKey::Sender if !glob && written != "<>" && !written.contains('@') => {
            let hint = format!("write `sender = \"{written}@*\"`, or `sender_domain` for a domain");
            Some(("is not a complete address", hint))
        }
        FactKey::SenderDomain | FactKey::Client | FactKey::MessageIdHost | FactKey::Host if written.contains('@') => {
            Some((
                "is an address, where a host name or domain is needed",
                "use `sender` for addresses".to_owned(),
            ))
        }
        FactKey::Client if written.parse::<IpNet>().is_ok() || written.parse::<std::net::IpAddr>().is_ok() => {
            Some(("is not a host name", format!("write `client_ip = \"{written}\"`")))
        }
        _ => None,
    }
}
