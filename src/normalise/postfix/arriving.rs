//! Who hands a message in: what is known of it before it is in the queue.

use crate::model::text::text;
use crate::normalise::join::{Arriving, OpenMessage};
use crate::normalise::messages::LineAt;
use crate::normalise::repeats::second;
use mailpulse_parsers::postfix::record::{Client, Pickup, PostfixHost};

impl OpenMessage {
    /// Whether the message has arrived by then, or is arriving in that second from the same client.
    pub(super) fn knows(&self, line: &Arriving) -> bool {
        let since = second(line.since_ms);
        let is_same = |known: &Arriving| {
            second(known.since_ms) == since
                && (&known.client, known.client_ip, &known.user) == (&line.client, line.client_ip, &line.user)
        };
        self.arrival_ms.is_some_and(|ms| since <= second(ms)) || self.arriving.as_deref().is_some_and(is_same)
    }
}

/// Name and address of a client, as they are kept.
pub(super) fn client(host: &PostfixHost<'_>) -> (String, Option<std::net::IpAddr>) {
    (host.name.map(text).unwrap_or_default(), host.ip)
}

pub(super) fn from_client(from: &Client<'_>, at: LineAt) -> Arriving {
    // A filter that hands a mail back says who brought it.
    let origin = from.orig_client.as_ref().filter(|origin| origin.ip.is_some());
    let (name, ip) = client(origin.unwrap_or(&from.host));
    Arriving {
        since_ms: at.ts_ms,
        client: name,
        client_ip: ip,
        auth: from.sasl_username.map(text).unwrap_or_default(),
        continues: from.orig_queue_id.map(text),
        ..Arriving::default()
    }
}

pub(super) fn from_pickup(from: &Pickup<'_>, at: LineAt) -> Arriving {
    Arriving {
        since_ms: at.ts_ms,
        user: from.uid.map(|uid| uid.to_string()).unwrap_or_default(),
        continues: from.orig_id.map(text),
        ..Arriving::default()
    }
}
