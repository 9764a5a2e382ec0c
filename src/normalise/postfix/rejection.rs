//! What a check decided of a message: refused, thrown away, held.

use super::arriving::client;
use crate::model::direction::Reach;
use crate::model::event::{Destination, Event, EventSink, Kind, Message, OriginId};
use crate::model::queue_id::QueueId;
use crate::model::text::text;
use crate::model::time::UtcMs;
use crate::normalise::attribution::SenderLine;
use crate::normalise::join::{Amendment, Arriving, Recall};
use crate::normalise::messages::{LineAt, Messages};
use crate::normalise::repeats::event_key;
use crate::normalise::rules::Facts;
use mailpulse_parsers::postfix::record::{Action, Rejection};
use mailpulse_parsers::reply as replies;

/// A rejection, the message that it is of, and where its line stands.
pub(super) struct OfRejection<'r> {
    pub rejection: &'r Rejection<'r>,
    pub id: Option<QueueId>,
    pub at: LineAt,
}

/// A check's decision. Only a refusal, a discard and a hold decide a mail's fate.
pub(super) fn take(
    messages: &mut Messages<'_>,
    of: &OfRejection<'_>,
    recall: &mut dyn Recall,
    sink: &mut impl EventSink,
) -> bool {
    let OfRejection { rejection, id, at } = *of;
    let kind = match rejection.action {
        Action::Reject | Action::MilterReject | Action::ProxyReject => Kind::Rejected,
        Action::Discard => Kind::Discarded,
        Action::Hold => Kind::Frozen,
        Action::RejectWarning | Action::Pass => return false,
    };
    let recipient = rejection.recipient.unwrap_or_default();
    let refusal = |id: QueueId| event_key(kind, at.ts_ms, None, [id.as_bytes(), recipient, rejection.text]);
    let recent = &mut messages.join.recent;
    if id.is_some_and(|id| !recent.is_new_refusal(refusal(id))) && recent.has_copies(at.ts_ms) {
        sink.repeated();
        return true;
    }
    let slot = slot_of_rejected(messages, of, kind, recall, sink);
    let domain = messages
        .attribution
        .redactor
        .local_part(rejection.recipient.unwrap_or_default(), &mut messages.local);
    let at_rcpt = rejection.stage == b"RCPT";
    // A refused connection or greeting offered no mail.
    let offered = !matches!(
        rejection.stage,
        b"CONNECT" | b"HELO" | b"EHLO" | b"VRFY" | b"ETRN" | b"STARTTLS"
    );
    let event = Event {
        messages: u8::from(offered),
        recipients: u32::from(at_rcpt),
        recipient_local: &messages.local,
        recipient_domain: domain,
        destination: (kind == Kind::Discarded).then_some(Destination::Discard),
        reach: (kind == Kind::Discarded).then_some(Reach::Onward),
        ..at.event(kind, slot)
    };
    sink.event(&match kind {
        Kind::Rejected => event.with_reply(Some(&replies::classify_own(rejection.text, rejection.enhanced()))),
        _ => event,
    });
    true
}

fn slot_of_rejected(
    messages: &mut Messages<'_>,
    of: &OfRejection<'_>,
    kind: Kind,
    recall: &mut dyn Recall,
    sink: &mut impl EventSink,
) -> u32 {
    let OfRejection { rejection, id, at } = *of;
    let mut arriving = Arriving::default();
    if let Some(id) = id {
        let Messages { join, attributor, .. } = messages;
        let open = join.get(&id, &mut attributor.origins, recall);
        match open.map(|open| open.arriving.as_deref()) {
            Some(Some(known)) => arriving.clone_from(known),
            // It is in the queue already (a check of postsuper or a later stage): it has a sender.
            Some(None) => return messages.slot_of(id, at, recall, sink),
            None => {}
        }
    }
    if arriving.client_ip.is_none() && arriving.client.is_empty() {
        (arriving.client, arriving.client_ip) = client(&rejection.host);
    }
    if arriving.auth.is_empty() {
        arriving.auth = rejection.sasl_username.map(text).unwrap_or_default();
    }
    let (origin, first_hop) = stranger(messages, &arriving, rejection.sender, at);
    match id {
        Some(id) if kind == Kind::Frozen => {
            arriving.since_ms = at.ts_ms;
            let held = HeldMessage {
                id,
                arriving: &arriving,
                origin,
                first_hop,
            };
            held.hold(messages, recall, sink);
        }
        // What cleanup refuses or throws away never reaches the queue, and no further line names it.
        Some(id) => messages.join.forget(&id),
        None => {}
    }
    sink.message(Message {
        queue_id: id,
        origin,
        first_hop,
        message_key: arriving.message_key,
        orphan: false,
    })
}

/// A message waits in the hold queue: whoever removes it there names nobody, so its sender is kept.
struct HeldMessage<'a> {
    id: QueueId,
    /// As of the line that holds it.
    arriving: &'a Arriving,
    origin: OriginId,
    first_hop: bool,
}

impl HeldMessage<'_> {
    fn hold(&self, messages: &mut Messages<'_>, recall: &mut dyn Recall, sink: &mut impl EventSink) {
        let HeldMessage {
            id, origin, first_hop, ..
        } = *self;
        let Messages { join, attributor, .. } = messages;
        let Some(open) = join.get(&id, &mut attributor.origins, recall) else {
            join.insert_arriving(id, self.arriving.clone(), origin);
            return;
        };
        (open.origin, open.first_hop) = (origin, first_hop);
        if !open.orphan {
            return;
        }
        // What became of it was read before this line, which an older archive brings.
        let message = Message {
            orphan: false,
            message_key: self.arriving.message_key,
            ..open.message(&id)
        };
        let batch = sink.batch();
        if let Some((_, slot)) = open.slot.filter(|(known, _)| *known == batch) {
            sink.attribute(slot, message);
        }
        if open.has_committed_rows() {
            let origin = attributor.origins.get(origin);
            join.amend(Amendment {
                queue_id: id,
                origin,
                first_hop,
                from_ms: UtcMs::MIN,
                orphan: true,
            });
        }
        join.forget(&id);
    }
}

/// Who offered refused mail: strangers make no services.
fn stranger(messages: &mut Messages<'_>, arriving: &Arriving, sender: Option<&[u8]>, at: LineAt) -> (OriginId, bool) {
    let Messages {
        attributor,
        attribution,
        host,
        ..
    } = messages;
    let facts = Facts {
        sender,
        client_name: (!arriving.client.is_empty()).then_some(arriving.client.as_bytes()),
        client_ip: arriving.client_ip,
        auth: (!arriving.auth.is_empty()).then_some(arriving.auth.as_bytes()),
        host,
        ..Facts::default()
    };
    let sender = attributor.origin(attribution, &facts, at.ts_ms, SenderLine::Refused);
    (sender.origin, sender.first_hop)
}
