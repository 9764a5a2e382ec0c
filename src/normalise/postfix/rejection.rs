//! What a check decided of a message: refused, thrown away, held.

use super::PostfixNormaliser;
use super::client;
use crate::model::event::{Destination, Event, EventSink, Kind, Message, OriginId};
use crate::model::queue_id::QueueId;
use crate::model::text::text;
use crate::normalise::join::{Amendment, Arriving, Recall};
use crate::normalise::messages::{At, Messages};
use crate::normalise::repeats::event_key;
use crate::normalise::rules::Facts;
use mailpulse_parsers::postfix::record::{Action, Rejection};
use mailpulse_parsers::reply as replies;

impl PostfixNormaliser<'_> {
    /// A check's decision. Only a refusal, a discard and a hold decide a mail's fate.
    pub(super) fn rejection(
        &mut self,
        rejection: &Rejection<'_>,
        id: Option<QueueId>,
        at: At,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> bool {
        let kind = match rejection.action {
            Action::Reject | Action::MilterReject | Action::ProxyReject => Kind::Rejected,
            Action::Discard => Kind::Discarded,
            Action::Hold => Kind::Frozen,
            Action::RejectWarning | Action::Pass => return false,
        };
        let recipient = rejection.recipient.unwrap_or_default();
        let refusal = |id: QueueId| event_key(kind, at.ts_ms, None, [id.as_bytes(), recipient, rejection.text]);
        let recent = &mut self.messages.join.recent;
        if id.is_some_and(|id| !recent.is_new_refusal(refusal(id))) && recent.has_copies(at.ts_ms) {
            sink.repeated();
            return true;
        }
        let slot = self.slot_of_rejected(rejection, id, kind, at, recall, sink);
        let messages = &mut self.messages;
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
            ..at.event(kind, slot)
        };
        sink.event(&match kind {
            Kind::Rejected => event.with_reply(Some(&replies::classify_with_dsn(rejection.text, rejection.enhanced()))),
            _ => event,
        });
        true
    }

    fn slot_of_rejected(
        &mut self,
        rejection: &Rejection<'_>,
        id: Option<QueueId>,
        kind: Kind,
        at: At,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> u32 {
        let mut arriving = Arriving::default();
        if let Some(id) = id {
            let Messages { join, attributor, .. } = &mut self.messages;
            let open = join.get(&id, &mut attributor.origins, recall);
            match open.map(|open| open.arriving.as_deref()) {
                Some(Some(known)) => arriving.clone_from(known),
                // It is in the queue already (a check of postsuper or a later stage): it has a sender.
                Some(None) => return self.messages.slot_of(id, at, recall, sink),
                None => {}
            }
        }
        if arriving.client_ip.is_none() && arriving.client.is_empty() {
            (arriving.client, arriving.client_ip) = client(&rejection.host);
        }
        if arriving.auth.is_empty() {
            arriving.auth = rejection.sasl_username.map(text).unwrap_or_default();
        }
        let (origin, first_hop) = self.stranger(&arriving, rejection.sender, at);
        match id {
            Some(id) if kind == Kind::Frozen => self.held(id, &arriving, (origin, first_hop), at, recall, sink),
            // What cleanup refuses or throws away never reaches the queue, and no further line names it.
            Some(id) => self.messages.join.forget(&id),
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
    fn held(
        &mut self,
        id: QueueId,
        arriving: &Arriving,
        (origin, first_hop): (OriginId, bool),
        at: At,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) {
        let Messages { join, attributor, .. } = &mut self.messages;
        let Some(open) = join.get(&id, &mut attributor.origins, recall) else {
            let arriving = Arriving {
                since_ms: at.ts_ms,
                ..arriving.clone()
            };
            join.insert_arriving(id, arriving, origin);
            return;
        };
        (open.origin, open.first_hop) = (origin, first_hop);
        if !open.orphan {
            return;
        }
        // What became of it was read before this line, which an older archive brings.
        let message = Message {
            orphan: false,
            message_key: arriving.message_key,
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
                from_ms: i64::MIN,
                orphan: true,
            });
        }
        join.forget(&id);
    }

    /// Who offered refused mail: strangers make no services.
    fn stranger(&mut self, arriving: &Arriving, sender: Option<&[u8]>, at: At) -> (OriginId, bool) {
        let Messages {
            attributor,
            attribution,
            host,
            ..
        } = &mut self.messages;
        let facts = Facts {
            sender,
            client_name: (!arriving.client.is_empty()).then_some(arriving.client.as_bytes()),
            client_ip: arriving.client_ip,
            auth: (!arriving.auth.is_empty()).then_some(arriving.auth.as_bytes()),
            host,
            ..Facts::default()
        };
        let sender = attributor.origin(attribution, &facts, at.ts_ms, false);
        (sender.origin, sender.first_hop)
    }
}
