//! What is known of a mail when it is attributed, and the keys by which a rule asks for it.

use std::borrow::Cow;
use std::net::IpAddr;

/// What the logs say of one message, as read: any case, any bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// Envelope sender; empty or `<>` for a bounce; none where the log does not say who it is.
    pub sender: Option<&'a [u8]>,
    /// Host name of whoever handed the mail in, as the MTA looked it up.
    pub client_name: Option<&'a [u8]>,
    /// Address of whoever handed the mail in.
    pub client_ip: Option<IpAddr>,
    /// Local user, for mail handed in by a command (`U=`).
    pub user: Option<&'a [u8]>,
    /// Authenticated id (`A=`); where rules ask for it and the log names the authenticator, `authenticator:id`.
    pub auth: Option<&'a [u8]>,
    /// What stands right of the `@` in the Message-ID.
    pub message_id_host: Option<&'a [u8]>,
    /// Whose log this is.
    pub host: &'a str,
    /// Router of a delivery; unknown at the arrival.
    pub router: Option<&'a [u8]>,
    /// Transport of a delivery; unknown at the arrival.
    pub transport: Option<&'a [u8]>,
}

/// What one condition of a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FactKey {
    /// The whole envelope sender; `<>` for bounces.
    Sender,
    /// The sender's domain.
    SenderDomain,
    /// The client's host name.
    Client,
    /// The local user.
    User,
    /// The authenticated id.
    Auth,
    /// The router of the delivery.
    Router,
    /// The transport of the delivery.
    Transport,
    /// The host in the Message-ID.
    MessageIdHost,
    /// The host whose log it is.
    Host,
    /// The client's address: an address or a network.
    ClientIp,
    /// The same as [`FactKey::ClientIp`], by the name that reads better for networks.
    Network,
}

impl FactKey {
    /// How many keys compare text; the others compare addresses.
    pub(super) const TEXTS: usize = 9;

    /// The key as the configuration writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::SenderDomain => "sender_domain",
            Self::Client => "client",
            Self::User => "user",
            Self::Auth => "auth",
            Self::Router => "router",
            Self::Transport => "transport",
            Self::MessageIdHost => "message_id_host",
            Self::Host => "host",
            Self::ClientIp => "client_ip",
            Self::Network => "network",
        }
    }

    /// Position among the text keys, or `None` for an address.
    pub(super) fn text_slot(self) -> Option<usize> {
        let slot = self as usize;
        (slot < Self::TEXTS).then_some(slot)
    }
}

/// Facts made comparable: lower case, the null sender as `<>`, no final dot on host names, IPv4 out of its IPv6 coat.
#[derive(Debug)]
pub(super) struct FactView<'a> {
    texts: [Option<Cow<'a, [u8]>>; FactKey::TEXTS],
    /// Where the id begins in `authenticator:id`; 0 without an authenticator.
    auth_id: usize,
    /// The client's address.
    pub(super) ip: Option<IpAddr>,
}

impl<'a> FactView<'a> {
    /// Prepares the facts that some rule asks for; `used` has bit `1 << key` set for each of those.
    pub(super) fn new(facts: &Facts<'a>, used: u16) -> Self {
        let mut texts = [const { None }; FactKey::TEXTS];
        let mut set = |key: FactKey, value: Option<&'a [u8]>| {
            if used & (1 << key as u16) != 0 {
                texts[key as usize] = value.filter(|v| !v.is_empty()).map(lower);
            }
        };
        let null = |sender: &'a [u8]| if sender.is_empty() { &b"<>"[..] } else { sender };
        set(FactKey::Sender, facts.sender.map(null));
        set(FactKey::SenderDomain, facts.sender.and_then(domain_of).map(host_name));
        set(FactKey::Client, facts.client_name.map(host_name));
        set(FactKey::User, facts.user);
        set(FactKey::Auth, facts.auth);
        set(FactKey::Router, facts.router);
        set(FactKey::Transport, facts.transport);
        set(FactKey::MessageIdHost, facts.message_id_host.map(host_name));
        set(FactKey::Host, Some(host_name(facts.host.as_bytes())));
        let auth = texts[FactKey::Auth as usize].as_deref().unwrap_or_default();
        let auth_id = auth.iter().position(|byte| *byte == b':').map_or(0, |at| at + 1);
        Self {
            texts,
            auth_id,
            ip: facts.client_ip.map(|ip| ip.to_canonical()),
        }
    }

    /// The text of the key at a position, if the mail has it.
    pub(super) fn slot(&self, slot: usize) -> Option<&[u8]> {
        self.texts[slot].as_deref()
    }

    /// The authenticated id alone, where the authenticator's name stands before it.
    pub(super) fn auth_id(&self) -> Option<&[u8]> {
        let auth = self.text(FactKey::Auth).filter(|_| self.auth_id > 0)?;
        Some(&auth[self.auth_id..])
    }

    /// The text of a key, if the mail has it.
    pub(super) fn text(&self, key: FactKey) -> Option<&[u8]> {
        self.texts.get(key as usize)?.as_deref()
    }
}

/// Lower case, copied only when something is upper case: logs are lower case nearly always.
pub(super) fn lower(text: &[u8]) -> Cow<'_, [u8]> {
    if text.iter().any(u8::is_ascii_uppercase) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// A host name without the dot of the root.
pub(super) fn host_name(name: &[u8]) -> &[u8] {
    name.strip_suffix(b".").unwrap_or(name)
}

/// What stands right of the last `@`; a quoted local part may hold further ones.
pub(super) fn domain_of(address: &[u8]) -> Option<&[u8]> {
    let at = address.iter().rposition(|&byte| byte == b'@')?;
    Some(&address[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepares_what_is_asked_for() {
        let facts = Facts {
            sender: Some(b"\"a@b\"@Example.ORG."),
            client_ip: "::ffff:10.0.0.1".parse().ok(),
            ..Facts::default()
        };
        let view = FactView::new(&facts, u16::MAX);
        assert_eq!(view.text(FactKey::SenderDomain), Some(&b"example.org"[..]));
        assert_eq!(view.text(FactKey::Client), None);
        assert_eq!(view.ip, "10.0.0.1".parse().ok());
        assert_eq!(FactView::new(&facts, 0).text(FactKey::Sender), None);
        // What is not known is not the null sender.
        assert_eq!(FactView::new(&Facts::default(), 1).text(FactKey::Sender), None);
        let null = Facts {
            sender: Some(b""),
            ..Facts::default()
        };
        assert_eq!(FactView::new(&null, 1).text(FactKey::Sender), Some(&b"<>"[..]));
    }
}
