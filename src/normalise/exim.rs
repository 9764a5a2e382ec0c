//! Exim's main log: records → events.
//!
//! A line gives at most one event, so that lines = events + ignored + unparsed. The life of a message is one `<=`,
//! any number of delivery lines, `Completed`; a cut-through `>>` and a bounce's `<=` may stand in either order.

mod line;
mod zone;

use super::attribution::{Attribution, Attributor};
use super::clock::LogClock;
use super::event::{Destination, Event, EventSink, Kind, Message, Origin, OriginId, Slot};
use super::join::{Amendment, Changes, MessageJoin, Open, QueueId, Recall};
use super::origins::Sender;
use super::redact::{message_key, split_address};
use super::rules::Facts;
use line::{count_words, destination, known_name, outcome, reply_fields};
use mailpulse_parsers::exim::record::{Arrival, Body, Delivery, Host, MessageId, Notice, NoticeKind, Record, Target};
use mailpulse_parsers::reply;
use zone::ZoneCheck;

/// Turns one host's Exim records, in order, into events.
#[derive(Debug)]
pub struct EximNormaliser<'c> {
    attribution: &'c Attribution,
    host: String,
    clock: LogClock,
    /// Senders.
    pub attributor: Attributor,
    /// Open messages.
    pub join: MessageJoin,
    zone: ZoneCheck,
    local: Vec<u8>,
}

impl<'c> EximNormaliser<'c> {
    /// A normaliser for the log of `host`.
    pub fn new(attribution: &'c Attribution, host: &str, clock: LogClock) -> Self {
        EximNormaliser {
            attribution,
            host: host.to_owned(),
            clock,
            attributor: Attributor::default(),
            join: MessageJoin::default(),
            zone: ZoneCheck::default(),
            local: Vec::new(),
        }
    }

    /// UTC milliseconds of a record.
    pub fn utc_ms(&mut self, record: &Record<'_>) -> i64 {
        self.clock.utc_ms(&record.stamp)
    }

    /// Milliseconds by which the log's clock is ahead of its own message IDs, when most arrivals agree that it is
    /// off by a quarter of an hour or more: the zone in the configuration is wrong.
    pub fn zone_error_ms(&self) -> Option<i64> {
        self.zone.error_ms()
    }

    /// What the next commit has to store of the join.
    pub fn changes(&mut self) -> Changes {
        let derived = self.attributor.take_new_derived();
        Changes {
            derived,
            ..self.join.changes(&self.attributor.origins)
        }
    }

    /// Keeps memory bounded; call it when everything is committed.
    pub fn trim(&mut self, open_max: usize) {
        if self.join.len() > open_max {
            self.join.evict(open_max / 2);
        }
        if self.attributor.origins.is_full() {
            self.join.compact_origins(&mut self.attributor.origins);
        }
    }

    /// Whether [`EximNormaliser::trim`] has something to do.
    pub fn wants_trim(&self, open_max: usize) -> bool {
        self.join.len() > open_max || self.attributor.origins.is_full()
    }

    /// Takes one record; true if it was an event, false if the line tells nothing about mail.
    pub fn record(
        &mut self,
        record: &Record<'_>,
        ts_ms: i64,
        offset: u64,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> bool {
        let id = record.id.as_ref().and_then(|id| QueueId::new(id.0));
        let at = At { ts_ms, offset };
        match (&record.body, id) {
            (Body::Arrival(arrival), Some(id)) => self.arrival(arrival, record.id, id, at, recall, sink),
            (Body::Delivery(delivery), Some(id)) => self.delivery(delivery, id, at, recall, sink),
            (Body::Completed { queue_ms }, Some(id)) => self.completed(*queue_ms, id, at, recall, sink),
            (Body::Notice(notice), id) => return self.notice(notice, id, at, recall, sink),
            _ => return false,
        }
        true
    }

    fn arrival(
        &mut self,
        arrival: &Arrival<'_>,
        printed: Option<MessageId<'_>>,
        id: QueueId,
        at: At,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) {
        if let Some(epoch) = printed.and_then(|id| id.arrival_epoch()) {
            self.zone.check(at.ts_ms - epoch * 1000);
        }
        let facts = Facts {
            sender: arrival.sender,
            client_name: known_name(&arrival.host),
            client_ip: arrival.host.ip,
            // With H=, U= is what the client's ident daemon claims.
            user: if arrival.host == Host::default() {
                arrival.user
            } else {
                None
            },
            auth: arrival.authenticated_id,
            message_id_host: if self.attribution.services.needs_message_id() {
                arrival.message_id.map(|id| split_address(id).1)
            } else {
                None
            },
            host: &self.host,
            ..Facts::default()
        };
        let sender = self.attributor.origin(self.attribution, &facts, !arrival.fakereject);
        let message = Message {
            queue_id: id.as_bytes(),
            origin: sender.origin,
            first_hop: sender.first_hop,
            message_key: arrival.message_id.map(message_key),
            orphan: false,
        };
        let slot = self.open_message(id, &message, at, recall, sink);
        let kind = if arrival.fakereject {
            Kind::Rejected
        } else {
            Kind::Accepted
        };
        let recipients = arrival.recipients.map_or(0, count_words);
        let event = Event {
            messages: 1,
            recipients,
            bytes: arrival.size,
            ..at.event(kind, slot)
        };
        sink.event(&event);
    }

    /// Opens a message at its arrival; deliveries that stood before it get its sender.
    fn open_message(
        &mut self,
        id: QueueId,
        message: &Message<'_>,
        at: At,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> Slot {
        let batch = sink.batch();
        let mut kinds = 1 << Kind::Accepted as u16;
        let mut slot = None;
        let mut deferred = None;
        if let Some(open) = self.join.get(&id, &mut self.attributor.origins, recall)
            && open.orphan
        {
            kinds |= open.kinds;
            deferred = open.deferred.take();
            slot = open.slot.filter(|(b, _)| *b == batch).map(|(_, slot)| slot);
            if open.has_committed_rows() {
                let origin = self.attributor.origins.get(message.origin);
                self.join.amend(Amendment {
                    queue_id: id,
                    origin,
                    first_hop: message.first_hop,
                });
            }
        }
        let slot = match slot {
            Some(slot) => {
                sink.attribute(slot, *message);
                slot
            }
            None => sink.message(*message),
        };
        let open = self.join.insert(id, message, (batch, slot), Some(at.ts_ms), at.ts_ms);
        open.kinds = kinds;
        open.deferred = deferred;
        slot
    }

    fn delivery(
        &mut self,
        delivery: &Delivery<'_>,
        id: QueueId,
        at: At,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) {
        let (kind, reply) = outcome(delivery);
        let batch = sink.batch();
        let by_route = self.by_route(&id, delivery, recall);
        let Some(open) = self.join.get(&id, &mut self.attributor.origins, recall) else {
            let host = self.host.clone();
            let sender = delivery.sender.or(delivery.return_path).unwrap_or_default();
            let facts = Facts {
                sender,
                host: &host,
                ..Facts::default()
            };
            self.orphan(id, &facts, at, sink);
            return self.delivery(delivery, id, at, recall, sink);
        };
        let mut slot = open.slot_in(batch, &id, sink);
        if let Some(origin) = by_route {
            slot = sink.message(Message {
                origin,
                ..open.message(&id)
            });
        }
        open.last_ms = at.ts_ms;
        let messages = u8::from(open.first(kind));
        let recipients = match kind {
            Kind::Deferred => u32::from(open.first_deferral(delivery.address)),
            _ => 1,
        };
        let waited = open
            .arrival_ms
            .and_then(|arrival| u64::try_from(at.ts_ms - arrival).ok());
        let (local, domain) = match delivery.target {
            Target::Address => split_address(delivery.address),
            _ => split_address(delivery.original.unwrap_or_default()),
        };
        self.attribution.redactor.local_part(local, domain, &mut self.local);
        let ended = kind != Kind::Deferred;
        sink.event(&Event {
            destination: destination(delivery),
            messages,
            recipients,
            recipient_local: &self.local,
            recipient_domain: domain,
            remote_host: delivery.host.name.or(delivery.host.helo).unwrap_or_default(),
            remote_ip: delivery.host.ip,
            bytes: delivery.size,
            queue_ms: delivery.queue_ms.or(if ended { waited } else { None }),
            delivery_ms: delivery.delivery_ms,
            ..reply_fields(reply.as_ref(), at.event(kind, slot))
        });
    }

    /// A rule on router or transport can name another service than the arrival did.
    fn by_route(&mut self, id: &QueueId, delivery: &Delivery<'_>, recall: &mut dyn Recall) -> Option<OriginId> {
        let rules = &self.attribution.services;
        if !rules.needs_delivery() {
            return None;
        }
        let open = self.join.get(id, &mut self.attributor.origins, recall)?;
        let known = self.attributor.origins.get(open.origin);
        // The sender's local part is a pseudonym by now: such rules can ask for it only where Exim prints F=.
        let domain = format!("@{}", known.sender_domain);
        let facts = Facts {
            sender: delivery.sender.unwrap_or(domain.as_bytes()),
            client_name: (!known.client.is_empty()).then_some(known.client.as_bytes()),
            client_ip: known.client_ip.parse().ok(),
            host: &self.host,
            router: delivery.router,
            transport: delivery.transport,
            ..Facts::default()
        };
        let found = rules.find(&facts)?;
        let service = rules.uses_route(found).then(|| rules.name(found.service).to_owned())?;
        Some(self.attributor.origins.intern(Origin { service, ..known }))
    }

    /// Opens a message whose arrival has not been seen.
    fn orphan(&mut self, id: QueueId, facts: &Facts<'_>, at: At, sink: &mut impl EventSink) -> Slot {
        let Sender { origin, .. } = self.attributor.origin(self.attribution, facts, false);
        let message = Message {
            queue_id: id.as_bytes(),
            origin,
            first_hop: true,
            message_key: None,
            orphan: true,
        };
        let slot = sink.message(message);
        self.join.insert(id, &message, (sink.batch(), slot), None, at.ts_ms);
        slot
    }

    fn completed(
        &mut self,
        queue_ms: Option<u64>,
        id: QueueId,
        at: At,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) {
        let batch = sink.batch();
        let Some(open) = self.join.get(&id, &mut self.attributor.origins, recall) else {
            self.slot_of(id, at, recall, sink);
            return self.completed(queue_ms, id, at, recall, sink);
        };
        let slot = open.slot_in(batch, &id, sink);
        let waited = open
            .arrival_ms
            .and_then(|arrival| u64::try_from(at.ts_ms - arrival).ok());
        sink.event(&Event {
            messages: 1,
            queue_ms: queue_ms.or(waited),
            ..at.event(Kind::Completed, slot)
        });
        self.join.complete(&id);
    }

    /// The slot of a message that a line names; an unknown one becomes an orphan.
    fn slot_of(&mut self, id: QueueId, at: At, recall: &mut dyn Recall, sink: &mut impl EventSink) -> Slot {
        let batch = sink.batch();
        if let Some(open) = self.join.get(&id, &mut self.attributor.origins, recall) {
            open.last_ms = at.ts_ms;
            return open.slot_in(batch, &id, sink);
        }
        let host = self.host.clone();
        self.orphan(
            id,
            &Facts {
                host: &host,
                ..Facts::default()
            },
            at,
            sink,
        )
    }

    fn notice(
        &mut self,
        notice: &Notice<'_>,
        id: Option<QueueId>,
        at: At,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> bool {
        match (notice.kind, id) {
            (NoticeKind::RejectedRcpt | NoticeKind::RejectedMessage | NoticeKind::RejectedConnection, _) => {
                self.rejected(notice, at, sink);
            }
            (NoticeKind::Frozen, Some(id)) => {
                let slot = self.slot_of(id, at, recall, sink);
                let first = self.first(&id, Kind::Frozen, recall);
                sink.event(&Event {
                    messages: first,
                    ..at.event(Kind::Frozen, slot)
                });
            }
            (NoticeKind::Removed, Some(id)) if notice.text.starts_with(b"removed") => {
                let slot = self.slot_of(id, at, recall, sink);
                let first = self.first(&id, Kind::Discarded, recall);
                let event = at.event(Kind::Discarded, slot);
                sink.event(&Event {
                    messages: first,
                    destination: Some(Destination::Discard),
                    ..event
                });
            }
            _ => return false,
        }
        true
    }

    fn first(&mut self, id: &QueueId, kind: Kind, recall: &mut dyn Recall) -> u8 {
        let open = self.join.get(id, &mut self.attributor.origins, recall);
        u8::from(open.is_none_or(|open| open.first(kind)))
    }

    fn rejected(&mut self, notice: &Notice<'_>, at: At, sink: &mut impl EventSink) {
        let facts = Facts {
            sender: notice.sender.unwrap_or_default(),
            client_name: known_name(&notice.host),
            client_ip: notice.host.ip,
            host: &self.host,
            ..Facts::default()
        };
        let Sender { origin, first_hop } = self.attributor.origin(self.attribution, &facts, false);
        let slot = sink.message(Message {
            queue_id: b"",
            origin,
            first_hop,
            message_key: None,
            orphan: false,
        });
        let (local, domain) = split_address(notice.recipient.unwrap_or_default());
        self.attribution.redactor.local_part(local, domain, &mut self.local);
        let reply = reply::classify(notice.reason);
        // A refused connection offered no mail: it is an event, and counts no message.
        let offered = notice.kind != NoticeKind::RejectedConnection;
        sink.event(&Event {
            messages: u8::from(offered),
            recipients: u32::from(notice.kind == NoticeKind::RejectedRcpt),
            recipient_local: &self.local,
            recipient_domain: domain,
            ..reply_fields(Some(&reply), at.event(Kind::Rejected, slot))
        });
    }
}

/// Time and place of the line in hand.
#[derive(Debug, Clone, Copy)]
struct At {
    ts_ms: i64,
    offset: u64,
}

impl At {
    fn event<'a>(self, kind: Kind, slot: Slot) -> Event<'a> {
        Event {
            offset: self.offset,
            ts_ms: self.ts_ms,
            kind,
            destination: None,
            slot,
            messages: 0,
            recipients: 0,
            recipient_local: b"",
            recipient_domain: b"",
            remote_host: b"",
            remote_ip: None,
            bytes: None,
            queue_ms: None,
            delivery_ms: None,
            smtp_code: None,
            enhanced_code: None,
            reason: "",
        }
    }
}

impl Open {
    fn message<'a>(&self, id: &'a QueueId) -> Message<'a> {
        Message {
            queue_id: id.as_bytes(),
            origin: self.origin,
            first_hop: self.first_hop,
            message_key: self.message_key,
            orphan: self.orphan,
        }
    }

    fn slot_in(&mut self, batch: u32, id: &QueueId, sink: &mut impl EventSink) -> Slot {
        match self.slot {
            Some((b, slot)) if b == batch => slot,
            _ => {
                let slot = sink.message(self.message(id));
                self.slot = Some((batch, slot));
                slot
            }
        }
    }
}
