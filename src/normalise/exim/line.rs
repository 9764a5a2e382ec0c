//! What an Exim delivery line means in the words of events.

use crate::model::event::{Destination, Kind};
use crate::normalise::memo::Memo;
use mailpulse_parsers::exim::record::{EximDelivery, EximHost, Flag, Target};
use mailpulse_parsers::reply::{self, Reason, Reply};
use std::net::IpAddr;

/// The client's name: what Exim verified, or from an address of a private network what the client says. There hosts
/// often have no PTR record, and a stranger cannot stand there.
pub(super) fn known_name<'a>(host: &EximHost<'a>) -> Option<&'a [u8]> {
    let ours = match host.ip {
        Some(IpAddr::V4(ip)) => ip.is_private() || ip.is_loopback(),
        Some(IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_loopback(),
        None => false,
    };
    host.name.or(host.helo.filter(|helo| ours && !helo.starts_with(b"[")))
}

/// Kind of a delivery line, and the reply that it quotes. Servers say the same to many: what they say is read once.
pub(super) fn outcome(delivery: &EximDelivery<'_>, known: &mut Memo<Reply>) -> (Kind, Option<Reply>) {
    let text = delivery.text.unwrap_or_default();
    let mut reply = || match reply::reply_in(text) {
        Some(said) => *known.get(said, reply::classify),
        None => reply::classify_with_errno(text, delivery.errno),
    };
    match (delivery.flag, delivery.target) {
        (Flag::Suppressed, _) => (Kind::Suppressed, None),
        (Flag::Failed, _) => {
            let reply = reply();
            // A host that answers has been reached: what it says of time is its own affair.
            let expired = reply.reason == Reason::RetryTimeout && reply.smtp_code.is_none();
            (if expired { Kind::Expired } else { Kind::Bounced }, Some(reply))
        }
        (Flag::Deferred, _) => (Kind::Deferred, Some(reply())),
        (_, Target::Blackhole) => (Kind::Discarded, None),
        _ => (Kind::Delivered, None),
    }
}

pub(super) fn destination(delivery: &EximDelivery<'_>) -> Option<Destination> {
    match delivery.target {
        Target::Blackhole => Some(Destination::Discard),
        Target::Pipe => Some(Destination::Pipe),
        Target::File => Some(Destination::File),
        Target::Autoreply => Some(Destination::Autoreply),
        Target::Address => {
            let host = delivery.host.name.is_some() || delivery.host.ip.is_some();
            let is_smtp = |transport| memchr::memmem::find(transport, b"smtp").is_some();
            match (host || delivery.transport.is_some_and(is_smtp), delivery.transport) {
                (true, _) => Some(Destination::Remote),
                (false, Some(_)) => Some(Destination::Local),
                // Routing failed: nobody knows where it would have gone.
                (false, None) => None,
            }
        }
    }
}

/// Whether a transport speaks LMTP, by its name: Exim does not log the protocol of a delivery.
pub(super) fn is_lmtp(transport: &[u8]) -> bool {
    // A name is too short for a search that has to be set up, at each delivery.
    transport.contains(&b'l') && transport.windows(4).any(|word| word == b"lmtp")
}

/// Addresses in a list with spaces between them, each once: a client may name one twice, and it gets one copy.
pub(super) fn count_recipients(list: &[u8]) -> u32 {
    // Nearly always there is one.
    if memchr::memchr(b' ', list).is_none() {
        return u32::from(!list.is_empty());
    }
    let mut all: Vec<&[u8]> = words(list).collect();
    all.sort_unstable();
    all.dedup();
    u32::try_from(all.len()).unwrap_or(u32::MAX)
}

/// What stands between spaces; a quoted local part may hold some too.
fn words(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut in_quotes, mut escaped) = (false, false);
    list.split(move |&byte| {
        let space = byte == b' ' && !in_quotes;
        in_quotes ^= byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        space
    })
    .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helo_name_counts_only_from_a_private_network() {
        let host = |name, ip: &str| EximHost {
            name,
            helo: Some(b"web1.example.org"),
            ip: ip.parse().ok(),
            ..EximHost::default()
        };
        assert_eq!(known_name(&host(None, "10.0.0.7")), Some(&b"web1.example.org"[..]));
        assert_eq!(known_name(&host(None, "fd00::7")), Some(&b"web1.example.org"[..]));
        assert_eq!(known_name(&host(None, "192.0.2.7")), None);
        assert_eq!(
            known_name(&host(Some(b"real.example.org"), "10.0.0.7")),
            Some(&b"real.example.org"[..])
        );
    }

    #[test]
    fn a_quoted_local_part_is_one_recipient() {
        assert_eq!(count_recipients(br#""ann b"@example.com c@d.org"#), 2);
        assert_eq!(count_recipients(b"a@b c@d  e@f"), 3);
        assert_eq!(
            (count_recipients(b""), count_recipients(b"a@b"), count_recipients(b" ")),
            (0, 1, 0)
        );
    }

    #[test]
    fn an_address_that_is_named_twice_is_one_recipient() {
        assert_eq!(count_recipients(b"team@example.net team@example.net"), 1);
        assert_eq!(count_recipients(b"a@b c@d a@b A@b"), 3);
    }
}
