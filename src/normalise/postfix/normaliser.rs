//! What lines of Postfix mean.

use super::arriving::{from_client, from_pickup};
use super::attempt::{self, asked_host, destination, is_lmtp, kind, reply};
use super::rejection::{self, OfRejection};
use super::unqueued::{self, GivenUp, OfUnqueued};
use crate::model::direction::Reach;
use crate::model::event::{Destination, Event, EventSink, Kind, Message, OriginId};
use crate::model::queue_id::QueueId;
use crate::model::text::text;
use crate::model::time::UtcMs;
use crate::normalise::attribution::SenderLine;
use crate::normalise::clock::LogClock;
use crate::normalise::join::{Arriving, Recall};
use crate::normalise::messages::{LineAt, MessageLine, Messages, is_away};
use crate::normalise::ours::DeliveryHop;
use crate::normalise::redact::{message_key, split_address};
use crate::normalise::repeats::{event_key, second};
use crate::normalise::rules::Facts;
use mailpulse_parsers::Stamp;
use mailpulse_parsers::postfix::record::{PostfixBody, PostfixDelivery, PostfixRecord, QueueActive};
use mailpulse_parsers::reply as replies;

/// Turns one host's Postfix records, in order, into events.
#[derive(Debug)]
pub(crate) struct PostfixNormaliser<'c> {
    clock: LogClock,
    given_up: GivenUp,
    /// Messages of the log.
    pub messages: Messages<'c>,
}

impl<'c> PostfixNormaliser<'c> {
    /// A normaliser for the messages of one host; `clock` is its log's.
    pub(crate) fn new(messages: Messages<'c>, clock: LogClock) -> Self {
        PostfixNormaliser {
            clock,
            given_up: GivenUp::default(),
            messages,
        }
    }

    /// The next lines are in another zone.
    pub(crate) fn set_clock(&mut self, clock: LogClock) {
        self.clock = clock;
    }

    /// The next lines follow this time of the log: see [`LogClock::goes_on_after`].
    pub(crate) fn goes_on_after(&mut self, newest_ms: UtcMs) {
        self.clock.goes_on_after(newest_ms);
    }

    /// UTC milliseconds of a stamp.
    pub(crate) fn utc_ms(&mut self, stamp: &Stamp) -> UtcMs {
        self.clock.utc_ms(stamp)
    }

    /// Takes one record; true if it was an event, false if the line tells nothing of its own about mail.
    pub(crate) fn record(
        &mut self,
        record: &PostfixRecord<'_>,
        at: LineAt,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> bool {
        let id = record.queue_id.and_then(QueueId::new);
        if let PostfixBody::Rejection(rejection) = &record.body {
            let rejection = OfRejection { rejection, id, at };
            return rejection::take(&mut self.messages, &rejection, recall, sink);
        }
        if let PostfixBody::Unqueued(unqueued) = &record.body {
            let (program, messages) = (record.program, &mut self.messages);
            let of = OfUnqueued {
                program,
                unqueued,
                id,
                at,
            };
            return unqueued::take(messages, &mut self.given_up, &of, recall, sink);
        }
        let Some(id) = id else { return false };
        let line = MessageLine { id, at };
        match &record.body {
            PostfixBody::Client(client) => self.arrives(id, from_client(client, at), recall),
            PostfixBody::Pickup(pickup) => self.arrives(id, from_pickup(pickup, at), recall),
            PostfixBody::Cleanup(cleanup) => self.message_id(id, cleanup.message_id, at, recall),
            PostfixBody::QueueActive(active) => return self.active(active, line, recall, sink),
            PostfixBody::Delivery(delivery) => return self.delivery(delivery, line, recall, sink),
            PostfixBody::Expired(expired) => return self.expired(expired.sender, line, recall, sink),
            PostfixBody::Requeued { next } => return self.requeued(next, line, recall, sink),
            PostfixBody::Removed { by_admin: true } => {
                self.discarded(id, at, recall, sink);
                return true;
            }
            PostfixBody::Removed { by_admin: false } => {
                self.settle(id, None, at, recall);
                self.messages.completed(None, line, recall, sink);
                return true;
            }
            _ => {}
        }
        false
    }

    /// A message begins to arrive. An ID that is still open has lost its `removed`, unless that message's arrival is
    /// the one that has been missing.
    fn arrives(&mut self, id: QueueId, arriving: Arriving, recall: &mut dyn Recall) {
        let Messages { join, attributor, .. } = &mut self.messages;
        match join.get(&id, &mut attributor.origins, recall) {
            Some(open) if open.orphan && open.last_ms >= arriving.since_ms => {
                open.arriving = Some(Box::new(arriving));
                return;
            }
            // This line, or one after it that says as much, has been read: it was written twice.
            Some(open) if !open.orphan && open.knows(&arriving) => {
                open.seen.note_copies();
                return join.recent.note_copy(arriving.since_ms);
            }
            Some(_) => {}
            None => {
                if join.recent.has_left(&id, arriving.since_ms) {
                    return join.recent.note_copy(arriving.since_ms);
                }
            }
        }
        let nobody = attributor.origins.nobody();
        join.insert_arriving(id, arriving, nobody);
    }

    fn message_id(&mut self, id: QueueId, message_id: &[u8], at: LineAt, recall: &mut dyn Recall) {
        let key = (!message_id.is_empty()).then(|| message_key(message_id));
        let host = text(split_address(message_id).1);
        let Messages { join, attributor, .. } = &mut self.messages;
        let open = join.get(&id, &mut attributor.origins, recall);
        match open.map(|open| open.arriving.as_deref_mut()) {
            // `resent-message-id=` comes second, and says less.
            Some(Some(arriving)) => {
                if arriving.message_key.is_none() {
                    (arriving.message_key, arriving.message_id_host) = (key, host);
                }
            }
            // Postfix's own messages (bounces, forwarded copies) begin with this line.
            Some(None) | None => {
                let arriving = Arriving {
                    since_ms: at.ts_ms,
                    message_key: key,
                    message_id_host: host,
                    ..Arriving::default()
                };
                self.arrives(id, arriving, recall);
            }
        }
    }

    fn active(
        &mut self,
        active: &QueueActive<'_>,
        MessageLine { id, at }: MessageLine,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> bool {
        let Messages { join, attributor, .. } = &mut self.messages;
        let lately = join.recent.has_copies(at.ts_ms);
        let Some(open) = join.get(&id, &mut attributor.origins, recall) else {
            if self.messages.join.recent.has_left(&id, at.ts_ms) {
                sink.repeated();
                return false;
            }
            // It arrived before this log begins, and is tried again.
            self.messages.orphan(id, Some(active.sender), at, sink);
            return false;
        };
        open.last_ms = at.ts_ms;
        let Some(arriving) = open.arriving.take() else {
            // A message is tried again later.
            let has_copies = lately || open.seen.has_copies();
            if has_copies && open.arrival_ms.is_some_and(|ms| second(ms) == second(at.ts_ms)) {
                sink.repeated();
            }
            return false;
        };
        let (origin, first_hop) = self.sender(&arriving, Some(active.sender), at, recall);
        let message = Message {
            queue_id: Some(id),
            origin,
            first_hop,
            message_key: arriving.message_key,
            orphan: false,
        };
        let Some(slot) = self
            .messages
            .open_message(MessageLine { id, at }, &message, recall, sink)
        else {
            sink.repeated();
            return true;
        };
        let Messages { join, attributor, .. } = &mut self.messages;
        if let Some(open) = join.get(&id, &mut attributor.origins, recall) {
            open.bytes = active.size;
        }
        sink.event(&Event {
            messages: 1,
            recipients: active.nrcpt.map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX)),
            bytes: active.size,
            ..at.event(Kind::Accepted, slot)
        });
        true
    }

    /// Who sent an arriving message, and whether it enters the mail system here.
    fn sender(
        &mut self,
        arriving: &Arriving,
        sender: Option<&[u8]>,
        at: LineAt,
        recall: &mut dyn Recall,
    ) -> (OriginId, bool) {
        let Messages {
            join,
            attributor,
            attribution,
            host,
            ..
        } = &mut self.messages;
        if let Some(before) = arriving.continues.as_deref().and_then(|id| QueueId::new(id.as_bytes()))
            && let Some(open) = join.get(&before, &mut attributor.origins, recall)
            && !open.orphan
            && open.arriving.is_none()
        {
            return (open.origin, false);
        }
        let text = |value: &'_ str| (!value.is_empty()).then_some(value.as_bytes().to_vec());
        let (client, user, auth) = (text(&arriving.client), text(&arriving.user), text(&arriving.auth));
        let message_id_host = text(&arriving.message_id_host);
        let facts = Facts {
            sender,
            client_name: client.as_deref(),
            client_ip: arriving.client_ip,
            user: user.as_deref(),
            auth: auth.as_deref(),
            message_id_host: message_id_host
                .as_deref()
                .filter(|_| attribution.services.needs_message_id()),
            host,
            ..Facts::default()
        };
        let sender = attributor.origin(attribution, &facts, at.ts_ms, SenderLine::Taken);
        (sender.origin, sender.first_hop && arriving.continues.is_none())
    }

    fn delivery(
        &mut self,
        delivery: &PostfixDelivery<'_>,
        MessageLine { id, at }: MessageLine,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> bool {
        // A probe of an address is no mail.
        let Some(kind) = kind(delivery) else { return false };
        let event = attempt::identity(kind, delivery, at.ts_ms);
        if self.messages.is_repeated(&id, at, (kind, event), recall) {
            sink.repeated();
            return true;
        }
        self.settle(id, None, at, recall);
        let handed_on =
            (kind == Kind::Delivered).then(|| self.handed_on(delivery, MessageLine { id, at }, recall, sink));
        let slot = self.messages.slot_of(id, at, recall, sink);
        let Messages {
            join,
            attributor,
            attribution,
            local,
            host,
            next_hops,
            ..
        } = &mut self.messages;
        let Some(open) = join.get(&id, &mut attributor.origins, recall) else {
            return false;
        };
        // What has just become an orphan has not noted it yet.
        open.seen.is_new(event);
        let recipients = match kind {
            Kind::Deferred => u32::from(open.first_deferral(delivery.recipient)),
            _ => 1,
        };
        let domain = attribution.redactor.local_part(delivery.recipient, local);
        let to = destination(delivery);
        let to_host = matches!(to, Some(Destination::Remote) | None);
        let (name, ip) = asked_host(kind, delivery);
        let remote = name.filter(|_| to_host).unwrap_or_default();
        let inside =
            handed_on == Some(true) || kind == Kind::Delivered && to_host && attribution.is_covered(remote, host);
        let to = if inside { Some(Destination::Relay) } else { to };
        let reach = next_hops.reach(
            &attribution.ours,
            &DeliveryHop {
                destination: to,
                name: remote,
                ip,
                is_lmtp: is_lmtp(delivery),
                domain,
                host,
            },
        );
        let words = match kind {
            Kind::Delivered | Kind::Discarded => Vec::new(),
            _ => attribution.redactor.reply(delivery.text),
        };
        let event = Event {
            reply: &words,
            destination: to,
            reach: Some(reach),
            messages: u8::from(open.first_copy(kind, is_away(attributor, open.origin, reach))),
            recipients,
            recipient_local: local,
            recipient_domain: domain,
            remote_host: remote,
            remote_ip: ip,
            bytes: open.bytes.filter(|_| kind == Kind::Delivered),
            queue_ms: delivery.delay_ms.filter(|_| kind != Kind::Deferred),
            delivery_ms: delivery.delays_ms.map(|[_, _, setup, sent]| setup + sent),
            ..at.event(kind, slot)
        };
        sink.event(&match kind {
            Kind::Delivered | Kind::Discarded => event,
            _ => event.with_reply(Some(&reply(delivery))),
        });
        true
    }

    /// A message is being delivered, or goes without having been in the queue (held, then removed): if the line that took
    /// it into the queue has not been seen, what came before tells who sent it.
    fn settle(&mut self, id: QueueId, sender: Option<&[u8]>, at: LineAt, recall: &mut dyn Recall) {
        let Messages { join, attributor, .. } = &mut self.messages;
        let open = join.get(&id, &mut attributor.origins, recall);
        let Some(open) = open.filter(|open| !open.orphan) else {
            return;
        };
        let Some(arriving) = open.arriving.take() else { return };
        if open.origin != attributor.origins.nobody() {
            // The check that held it has named the sender.
            open.message_key = arriving.message_key;
            return;
        }
        let (origin, first_hop) = self.sender(&arriving, sender, at, recall);
        let Messages { join, attributor, .. } = &mut self.messages;
        if let Some(open) = join.get(&id, &mut attributor.origins, recall) {
            (open.origin, open.first_hop, open.message_key) = (origin, first_hop, arriving.message_key);
        }
    }

    /// Whether a delivery only led to another queue of this host, whose message is then the same mail.
    fn handed_on(
        &mut self,
        delivery: &PostfixDelivery<'_>,
        line: MessageLine,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> bool {
        let next = delivery.next_queue_id.and_then(QueueId::new);
        let next = next.filter(|next| *next != line.id);
        let here = attempt::stays_here(delivery);
        let Some(next) = next.filter(|_| here) else {
            return false;
        };
        self.messages.goes_on_as(next, line, recall, sink)
    }

    /// A mail that was held goes on under another ID, as the client brought it.
    fn requeued(&mut self, next: &[u8], line: MessageLine, recall: &mut dyn Recall, sink: &mut impl EventSink) -> bool {
        let Messages { join, attributor, .. } = &mut self.messages;
        let open = join.get(&line.id, &mut attributor.origins, recall);
        let arriving = open.and_then(|open| open.arriving.as_deref().cloned());
        let next = QueueId::new(next).filter(|next| *next != line.id);
        let (Some(arriving), Some(next)) = (arriving, next) else {
            return false;
        };
        let since_ms = line.at.ts_ms;
        self.arrives(next, Arriving { since_ms, ..arriving }, recall);
        self.settle(line.id, None, line.at, recall);
        self.messages.completed(None, line, recall, sink);
        true
    }

    fn expired(
        &mut self,
        sender: &[u8],
        MessageLine { id, at }: MessageLine,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> bool {
        let event = event_key(Kind::Expired, at.ts_ms, None, []);
        if self.messages.is_repeated(&id, at, (Kind::Expired, event), recall) {
            sink.repeated();
            return true;
        }
        self.settle(id, Some(sender), at, recall);
        let Messages { join, attributor, .. } = &mut self.messages;
        if join.get(&id, &mut attributor.origins, recall).is_none() {
            self.messages.orphan(id, Some(sender), at, sink);
        }
        let slot = self.messages.slot_of(id, at, recall, sink);
        let Messages { join, attributor, .. } = &mut self.messages;
        let Some(open) = join.get(&id, &mut attributor.origins, recall) else {
            return false;
        };
        open.seen.is_new(event);
        let waiting = open.deferred.as_ref().map_or(0, |known| known.len());
        // Which copies waited is not said.
        let reach = Reach::Onward;
        let messages = u8::from(open.first_copy(Kind::Expired, is_away(attributor, open.origin, reach)));
        sink.event(&Event {
            destination: Some(Destination::Remote),
            reach: Some(reach),
            messages,
            recipients: u32::try_from(waiting.max(1)).unwrap_or(u32::MAX),
            queue_ms: at.since(open.arrival_ms),
            reason: replies::Reason::RetryTimeout.as_str(),
            ..at.event(Kind::Expired, slot)
        });
        true
    }

    fn discarded(&mut self, id: QueueId, at: LineAt, recall: &mut dyn Recall, sink: &mut impl EventSink) {
        let event = event_key(Kind::Discarded, at.ts_ms, None, []);
        if self.messages.is_repeated(&id, at, (Kind::Discarded, event), recall) {
            return sink.repeated();
        }
        self.settle(id, None, at, recall);
        let slot = self.messages.slot_of(id, at, recall, sink);
        let reach = Reach::Onward;
        let first = self.messages.first_copy(&id, Kind::Discarded, reach, recall);
        sink.event(&Event {
            messages: first,
            destination: Some(Destination::Discard),
            reach: Some(reach),
            ..at.event(Kind::Discarded, slot)
        });
        self.messages.join.complete(&id);
    }
}
