//! Where a channel posts to. The path of a webhook's address is often its only secret, so that no message, log or state
//! has more of it than scheme and host.

use std::fmt;

/// Parts of an address so long are taken out of what others say.
const PART_MIN: usize = 16;
/// Parts that have a digit, as tokens do, already from this length on.
const TOKEN_MIN: usize = 8;

/// An address. It is shown as scheme and host.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AlertTarget {
    url: String,
    /// A key that is sent along: others may say it again.
    key: Option<String>,
}

impl AlertTarget {
    /// Of a URL as it is configured.
    pub(crate) fn new(url: impl Into<String>) -> AlertTarget {
        AlertTarget {
            url: url.into(),
            key: None,
        }
    }

    /// The same, with a key that is shown nowhere.
    pub(super) fn hiding(self, key: &str) -> AlertTarget {
        AlertTarget {
            key: Some(key.to_owned()).filter(|key| key.len() >= TOKEN_MIN),
            ..self
        }
    }

    /// The whole address: for the client alone.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// A name that two addresses do not share and that tells nobody more than scheme and host.
    pub(super) fn name(&self) -> String {
        use sha2::{Digest as _, Sha256};
        format!("{self}#{}", hex::encode(&Sha256::digest(&self.url)[..6]))
    }

    /// What a server or the client says, without the parts of the address that may be secret: many answer with the path
    /// that they do not have.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        let (_, user, _, rest) = self.parts();
        let whole = [self.url.as_str(), rest, rest.trim_start_matches('/'), user];
        let pieces = rest.split(['/', '?', '&', '=', '#']).chain(user.split(':'));
        let is_secret = |part: &&str| {
            part.len() >= PART_MIN || part.len() >= TOKEN_MIN && part.bytes().any(|byte| byte.is_ascii_digit())
        };
        let mut text = text.to_owned();
        if let Some(key) = &self.key {
            text = text.replace(key.as_str(), "…");
        }
        for part in whole
            .into_iter()
            .filter(|part| part.len() >= TOKEN_MIN)
            .chain(pieces.filter(is_secret))
        {
            text = text.replace(part, "…");
        }
        text
    }

    /// Scheme, user with password, host with port, and what follows.
    fn parts(&self) -> (&str, &str, &str, &str) {
        parts(&self.url)
    }
}

fn parts(url: &str) -> (&str, &str, &str, &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    (scheme, user, host, path)
}

/// As it may be shown.
impl fmt::Display for AlertTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            ("", _, host, _) => f.write_str(host),
            (scheme, _, host, _) => write!(f, "{scheme}://{host}"),
        }
    }
}

impl fmt::Debug for AlertTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str =
        "https://u:hunter2hunter2@hooks.example.org:8443/services/T024BE7LD/B00/XyZ0123456789abc?token=s3cr3t00";

    #[test]
    fn only_scheme_and_host_are_shown() {
        let target = AlertTarget::new(SECRET);
        assert_eq!(target.to_string(), "https://hooks.example.org:8443");
        assert_eq!(format!("{target:?}"), "https://hooks.example.org:8443");
        assert!(target.name().starts_with("https://hooks.example.org:8443#"));
        assert_ne!(
            target.name(),
            AlertTarget::new("https://hooks.example.org:8443/other").name()
        );
        assert_eq!(AlertTarget::new("http://[::1]:9/x").to_string(), "http://[::1]:9");
    }

    #[test]
    fn an_answer_that_repeats_the_address_tells_no_secret() {
        let target = AlertTarget::new(SECRET);
        for reply in [
            format!("bad uri: {SECRET}"),
            "/login/https%3A%2F%2Fhooks.example.org%2Fservices%2FT024BE7LD%2FB00%2FXyZ0123456789abc".to_owned(),
            "Cannot POST /services/T024BE7LD/B00/XyZ0123456789abc?token=s3cr3t00".to_owned(),
            "no service T024BE7LD with XyZ0123456789abc (s3cr3t00), user hunter2hunter2".to_owned(),
        ] {
            let hidden = target.hidden_in(&reply);
            for secret in ["T024BE7LD", "XyZ0123456789abc", "s3cr3t00", "hunter2"] {
                assert!(!hidden.contains(secret), "{hidden}");
            }
        }
        let plain = AlertTarget::new("http://am:9093/api/v2/alerts");
        assert_eq!(plain.hidden_in("no alerts in the api"), "no alerts in the api");
    }
}
