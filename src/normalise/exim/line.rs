//! What an Exim delivery line means in the words of events.

use crate::normalise::event::{Destination, Event, Kind};
use mailpulse_parsers::exim::record::{Delivery, Flag, Target};
use mailpulse_parsers::reply::{self, Reason, Reply};

/// Kind of a delivery line, and the reply that it quotes.
pub(super) fn outcome(delivery: &Delivery<'_>) -> (Kind, Option<Reply>) {
    let reply = || reply::classify_with_errno(delivery.text.unwrap_or_default(), delivery.errno);
    match (delivery.flag, delivery.target) {
        (Flag::Suppressed, _) => (Kind::Suppressed, None),
        (Flag::Failed, _) => {
            let reply = reply();
            let expired = reply.reason == Reason::RetryTimeout;
            (if expired { Kind::Expired } else { Kind::Bounced }, Some(reply))
        }
        (Flag::Deferred, _) => (Kind::Deferred, Some(reply())),
        (_, Target::Blackhole) => (Kind::Discarded, None),
        _ => (Kind::Delivered, None),
    }
}

pub(super) fn destination(delivery: &Delivery<'_>) -> Option<Destination> {
    match delivery.target {
        Target::Blackhole => Some(Destination::Discard),
        Target::Pipe => Some(Destination::Pipe),
        Target::File => Some(Destination::File),
        Target::Autoreply => Some(Destination::Autoreply),
        Target::Address => {
            let host = delivery.host.name.is_some() || delivery.host.ip.is_some();
            let smtp = delivery
                .transport
                .is_some_and(|t| memchr::memmem::find(t, b"smtp").is_some());
            match (host || smtp, delivery.transport) {
                (true, _) => Some(Destination::Remote),
                (false, Some(_)) => Some(Destination::Local),
                // Routing failed: nobody knows where it would have gone.
                (false, None) => None,
            }
        }
    }
}

pub(super) fn reply_fields<'a>(reply: Option<&Reply>, event: Event<'a>) -> Event<'a> {
    let Some(reply) = reply else { return event };
    Event {
        smtp_code: reply.smtp_code,
        enhanced_code: reply
            .enhanced
            .map(|e| u32::from(e.class) << 20 | u32::from(e.subject & 0x3ff) << 10 | u32::from(e.detail & 0x3ff)),
        reason: reply.reason.as_str(),
        ..event
    }
}

/// Addresses in a list with spaces between them; a quoted local part may hold spaces too.
pub(super) fn count_words(list: &[u8]) -> u32 {
    let (mut count, mut in_word, mut in_quotes, mut escaped) = (0, false, false, false);
    for &byte in list {
        let space = byte == b' ' && !in_quotes;
        count += u32::from(!space && !in_word);
        in_word = !space;
        in_quotes ^= byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
    }
    count
}
