//! What one attempt of Postfix means in the words of events.

use crate::model::event::{Destination, Kind};
use crate::model::time::UtcMs;
use crate::normalise::repeats::event_key;
use mailpulse_parsers::postfix::record::{Destination as To, PostfixDelivery, Status};
use mailpulse_parsers::reply::{self, Reply};
use std::net::IpAddr;

/// Kind of an attempt; none for the probe of an address.
pub(super) fn kind(delivery: &PostfixDelivery<'_>) -> Option<Kind> {
    match (delivery.status, delivery.destination) {
        (Status::Sent, To::Discarded) => Some(Kind::Discarded),
        (Status::Sent, _) => Some(Kind::Delivered),
        (Status::Deferred | Status::SoftBounce, _) => Some(Kind::Deferred),
        (Status::Bounced, _) => Some(Kind::Bounced),
        (Status::Expired, _) => Some(Kind::Expired),
        (Status::Deliverable | Status::Undeliverable, _) => None,
    }
}

/// Where an attempt went.
pub(super) fn destination(delivery: &PostfixDelivery<'_>) -> Option<Destination> {
    let away = || delivery.relay.ip.is_some_and(|ip| !ip.is_loopback());
    match delivery.destination {
        To::Remote => Some(Destination::Remote),
        To::Lmtp if away() => Some(Destination::Remote),
        To::Lmtp | To::Mailbox | To::Maildir => Some(Destination::Local),
        To::Command | To::Pipe => Some(Destination::Pipe),
        To::File => Some(Destination::File),
        To::Forwarded => Some(Destination::Relay),
        To::Discarded => Some(Destination::Discard),
        To::None => None,
    }
}

/// Whether the next hop is asked by LMTP, or through a socket.
pub(super) fn is_lmtp(delivery: &PostfixDelivery<'_>) -> bool {
    delivery.destination == To::Lmtp
}

/// Whether the next hop is this host: a content filter, or another message of this queue.
pub(super) fn stays_here(delivery: &PostfixDelivery<'_>) -> bool {
    delivery.destination == To::Forwarded || delivery.relay.ip.is_some_and(|ip| ip.is_loopback())
}

/// What the other side said, with the status code that Postfix prints beside it.
pub(super) fn reply(delivery: &PostfixDelivery<'_>) -> Reply {
    reply::classify_with_dsn(delivery.text, delivery.dsn)
}

/// The host that took a copy or was asked to. Where nobody answered there is no relay, and the text names who was tried.
pub(super) fn asked_host<'a>(kind: Kind, delivery: &PostfixDelivery<'a>) -> (Option<&'a [u8]>, Option<IpAddr>) {
    let relay = (delivery.relay.name, delivery.relay.ip);
    match kind {
        Kind::Deferred => unreached(delivery).unwrap_or(relay),
        _ => relay,
    }
}

/// The host of `connect to mx1001.example.org[10.64.0.5]:25: Connection refused`, where no relay is named.
fn unreached<'a>(delivery: &PostfixDelivery<'a>) -> Option<(Option<&'a [u8]>, Option<IpAddr>)> {
    if delivery.relay.name.is_some() {
        return None;
    }
    let rest = delivery.text.strip_prefix(b"connect to ")?;
    let open = memchr::memchr(b'[', rest).filter(|at| (1..=255).contains(at))?;
    let close = open + memchr::memchr(b']', &rest[open..])?;
    let ip = std::str::from_utf8(&rest[open + 1..close]).ok()?.parse().ok();
    Some((Some(&rest[..open]), ip))
}

/// What tells an attempt's line from the message's others. A host says enough; without one the text does: an alias may
/// lead to two commands of one recipient.
pub(super) fn identity(kind: Kind, delivery: &PostfixDelivery<'_>, ts_ms: UtcMs) -> u64 {
    let original = delivery.orig_to.unwrap_or_default();
    match delivery.relay.ip {
        ip @ Some(_) => event_key(kind, ts_ms, ip, [delivery.recipient, original]),
        None => {
            let name = delivery.relay.name.unwrap_or_default();
            event_key(kind, ts_ms, None, [delivery.recipient, original, name, delivery.text])
        }
    }
}
