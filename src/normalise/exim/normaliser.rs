//! What lines of Exim's main log mean.

use super::line::{count_recipients, destination, is_lmtp, known_name, outcome};
use super::zone::{ZoneCheck, ZoneVerdict};
use crate::model::direction::{MailOrigin, Reach};
use crate::model::event::{Destination, Event, EventSink, Kind, Message, Origin, OriginId};
use crate::model::queue_id::QueueId;
use crate::model::time::UtcMs;
use crate::normalise::attribution::{Attribution, SenderLine};
use crate::normalise::clock::LogClock;
use crate::normalise::join::{Recall, Unreached};
use crate::normalise::memo::Memo;
use crate::normalise::messages::{LineAt, MessageLine, Messages, is_away};
use crate::normalise::origins::SenderOrigin;
use crate::normalise::ours::DeliveryHop;
use crate::normalise::redact::{Redactor, message_key, split_address};
use crate::normalise::repeats::event_key;
use crate::normalise::rules::{Facts, ServiceRules};
use mailpulse_parsers::Stamp;
use mailpulse_parsers::exim::record::{
    Arrival, EximBody, EximDelivery, EximHost, EximNotice, EximNoticeKind, EximRecord, MessageId, Target,
};
use mailpulse_parsers::reply::{self, Reason, Reply};
use std::borrow::Cow;
use std::net::IpAddr;

/// Longer is no host's name.
const HOST_BYTES_MAX: usize = 255;

/// Turns one host's Exim records, in order, into events.
#[derive(Debug)]
pub(crate) struct EximNormaliser<'c> {
    clock: LogClock,
    /// Messages of the log.
    pub messages: Messages<'c>,
    zone: ZoneCheck,
    /// What texts of refusals say.
    refusals: Memo<Reply>,
    /// What replies of other servers say.
    replies: Memo<Reply>,
    /// Addresses that mail was refused for, as stored.
    refused: Memo<Vec<u8>>,
}

impl<'c> EximNormaliser<'c> {
    /// A normaliser for the messages of one host; `clock` is its log's.
    pub(crate) fn new(messages: Messages<'c>, clock: LogClock) -> Self {
        EximNormaliser {
            clock,
            messages,
            zone: ZoneCheck::default(),
            refusals: Memo::default(),
            replies: Memo::default(),
            refused: Memo::default(),
        }
    }

    /// The next lines are in another zone.
    pub(crate) fn set_clock(&mut self, clock: LogClock) {
        self.clock = clock;
        self.zone = ZoneCheck::default();
    }

    /// UTC milliseconds of a record.
    #[inline]
    pub(crate) fn utc_ms(&mut self, record: &EximRecord<'_>) -> UtcMs {
        self.clock.utc_ms(&record.stamp)
    }

    /// The next lines follow this time of the log: see [`LogClock::goes_on_after`].
    pub(crate) fn goes_on_after(&mut self, newest_ms: UtcMs) {
        self.clock.goes_on_after(newest_ms);
    }

    /// UTC milliseconds of a stamp.
    pub(crate) fn stamp_ms(&mut self, stamp: &Stamp) -> UtcMs {
        self.clock.utc_ms(stamp)
    }

    /// What the times inside the log's own message IDs say of its zone.
    pub(crate) fn zone_verdict(&self) -> ZoneVerdict {
        self.zone.verdict(&self.clock)
    }

    /// Takes one record; true if it was an event, false if the line tells nothing about mail.
    pub(crate) fn record(
        &mut self,
        record: &EximRecord<'_>,
        at: LineAt,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> bool {
        let id = record.id.as_ref().and_then(|id| QueueId::new(id.0));
        match (&record.body, id) {
            (EximBody::Arrival(arrival), Some(id)) => {
                self.arrival((arrival, record.id), MessageLine { id, at }, recall, sink)
            }
            (EximBody::Delivery(delivery), Some(id)) => self.delivery(delivery, MessageLine { id, at }, recall, sink),
            (EximBody::Completed { queue_ms }, Some(id)) => {
                self.messages.completed(*queue_ms, MessageLine { id, at }, recall, sink)
            }
            (EximBody::Notice(notice), id) => return self.notice((notice, id), at, recall, sink),
            _ => return false,
        }
        true
    }

    fn arrival(
        &mut self,
        (arrival, printed): (&Arrival<'_>, Option<MessageId<'_>>),
        line: MessageLine,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) {
        let MessageLine { id, at } = line;
        if self.zone.is_next_checked()
            && let Some(epoch) = printed.and_then(|id| id.arrival_epoch())
        {
            self.zone.check(at.ts_ms, UtcMs::from_seconds(epoch), &self.clock);
        }
        let auth = authentication(arrival, &self.messages.attribution.services);
        let key = arrival.message_id.map(message_key);
        let is_scanner = auth.is_none() && is_handed_back(arrival);
        let handed_back = match is_scanner {
            true => self.messages.handed_back(key, id),
            false => None,
        };
        let Messages {
            attribution,
            attributor,
            host,
            ..
        } = &mut self.messages;
        let taken = match arrival.fakereject {
            false => SenderLine::Taken,
            true => SenderLine::Refused,
        };
        let sender = handed_back.unwrap_or_else(|| {
            let facts = facts_of(arrival, auth.as_deref(), &attribution.services, host);
            attributor.origin(attribution, &facts, at.ts_ms, taken)
        });
        let message = Message {
            queue_id: Some(id),
            origin: sender.origin,
            first_hop: sender.first_hop,
            message_key: key,
            orphan: false,
        };
        let Some(slot) = self.messages.open_message(line, &message, recall, sink) else {
            return sink.repeated();
        };
        self.messages.arrivals.note(key, id);
        let kind = if arrival.fakereject {
            Kind::Rejected
        } else {
            Kind::Accepted
        };
        let recipients = arrival.recipients.map_or(0, count_recipients);
        let event = Event {
            messages: 1,
            recipients,
            bytes: arrival.size,
            ..at.event(kind, slot)
        };
        sink.event(&event);
    }

    fn delivery(
        &mut self,
        delivery: &EximDelivery<'_>,
        line: MessageLine,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) {
        let MessageLine { id, at } = line;
        let (kind, reply) = outcome(delivery, &mut self.replies);
        let event = identity(kind, delivery, at);
        let by_route = self.by_route(&id, delivery, recall);
        let goes_on = kind == Kind::Delivered && self.goes_on(delivery, line, recall, sink);
        let Messages {
            join,
            attributor,
            attribution,
            next_hops,
            host,
            ..
        } = &mut self.messages;
        let lately = join.recent.has_copies(at.ts_ms);
        let Some(open) = join.get(&id, &mut attributor.origins, recall) else {
            if self.messages.join.recent.has_event(&id, at.ts_ms, event) {
                self.messages.join.recent.note_copy(at.ts_ms);
                return sink.repeated();
            }
            let sender = delivery.sender.or(delivery.return_path);
            self.messages.orphan(id, sender, at, sink);
            return self.delivery(delivery, line, recall, sink);
        };
        if open.seen.is_copy(kind, event, lately) {
            self.messages.join.recent.note_copy(at.ts_ms);
            return sink.repeated();
        }
        let own = open.slot_in(sink.batch(), &id, sink);
        let slot = by_route.map_or(own, |origin| sink.message(open.message_of(&id, origin)));
        open.last_ms = at.ts_ms;
        let is_counted = kind != Kind::Deferred || open.first_deferral(delivery.address);
        let waited = at.since(open.arrival_ms);
        // Where nobody answered, the host stands in a line of its own before this one.
        let is_silent = kind == Kind::Deferred && is_unanswered(delivery, reply.as_ref());
        let unreached = if is_silent { open.unreached.clone() } else { None };
        let (remote, remote_ip) = asked_host(delivery, unreached.as_deref());
        let recipient = named_recipient(delivery);
        let to = match goes_on {
            true => Some(Destination::Relay),
            false => where_to(attribution, host, (kind, destination(delivery)), remote),
        };
        let reach = next_hops.reach(
            &attribution.ours,
            &DeliveryHop {
                destination: to,
                name: remote,
                ip: remote_ip,
                is_lmtp: delivery.transport.is_some_and(is_lmtp),
                domain: split_address(recipient).1,
                host,
            },
        );
        let messages = u8::from(open.first_copy(kind, is_away(attributor, open.origin, reach)));
        let redactor = &self.messages.attribution.redactor;
        let domain = redactor.local_part(recipient, &mut self.messages.local);
        let words = stored_reply(redactor, kind, delivery);
        sink.event(&Event {
            destination: to,
            reach: Some(reach),
            messages,
            recipients: u32::from(is_counted),
            recipient_local: &self.messages.local,
            recipient_domain: domain,
            remote_host: remote,
            remote_ip,
            bytes: delivery.size,
            queue_ms: delivery.queue_ms.or(waited.filter(|_| kind != Kind::Deferred)),
            delivery_ms: delivery.delivery_ms,
            reply: &words,
            ..at.event(kind, slot).with_reply(reply.as_ref())
        });
    }

    /// Whether a delivery only gave the mail to a scanner, which has handed it back as another message: the scanner's reply
    /// names that, or it has the same Message-ID.
    fn goes_on(
        &mut self,
        delivery: &EximDelivery<'_>,
        line: MessageLine,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> bool {
        let EximHost { name, ip, .. } = delivery.host;
        let is_here = ip.is_some_and(|ip| ip.is_loopback());
        // A scanner that is a command has no host.
        if !is_here && (ip.is_some() || name.is_some() || delivery.transport.is_none()) {
            return false;
        }
        let named = delivery.confirmation.filter(|_| is_here).and_then(next_id);
        if let Some(next) = named.filter(|next| *next != line.id) {
            return self.messages.goes_on_as(next, line, recall, sink);
        }
        let Messages { join, arrivals, .. } = &mut self.messages;
        let key = join.in_memory(&line.id).and_then(|open| open.message_key);
        let next = key.and_then(|key| arrivals.after(key, line.id));
        let next = next.and_then(|next| join.in_memory(&next));
        // What somebody else sends again is another mail.
        next.is_some_and(|next| !next.first_hop)
    }

    /// A rule on router or transport can name another service than the arrival did.
    fn by_route(&mut self, id: &QueueId, delivery: &EximDelivery<'_>, recall: &mut dyn Recall) -> Option<OriginId> {
        let rules = &self.messages.attribution.services;
        if !rules.needs_delivery() {
            return None;
        }
        let open = self
            .messages
            .join
            .get(id, &mut self.messages.attributor.origins, recall)?;
        let known = self.messages.attributor.origins.get(open.origin);
        if known.origin == MailOrigin::Outside.as_str() {
            return None;
        }
        // The sender's local part is a pseudonym by now: such rules can ask for it only where Exim prints F=.
        let domain = format!("@{}", known.sender_domain);
        let facts = Facts {
            sender: delivery.sender.or((domain.len() > 1).then_some(domain.as_bytes())),
            client_name: (!known.client.is_empty()).then_some(known.client.as_bytes()),
            client_ip: known.client_ip.parse().ok(),
            host: &self.messages.host,
            router: delivery.router,
            transport: delivery.transport,
            ..Facts::default()
        };
        let found = rules.find(&facts)?;
        let service = rules.uses_route(found).then(|| rules.name(found.service).to_owned())?;
        Some(self.messages.attributor.origins.intern(Origin { service, ..known }))
    }

    fn notice(
        &mut self,
        (notice, id): (&EximNotice<'_>, Option<QueueId>),
        at: LineAt,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> bool {
        match (notice.kind, id) {
            (
                EximNoticeKind::RejectedRcpt | EximNoticeKind::RejectedMessage | EximNoticeKind::RejectedConnection,
                _,
            ) => {
                let recipient = notice.recipient.unwrap_or_default();
                let refusal = |id: QueueId| event_key(Kind::Rejected, at.ts_ms, None, [id.as_bytes(), recipient]);
                match id.map(refusal) {
                    Some(refusal) if !self.messages.join.recent.is_new_refusal(refusal) => sink.repeated(),
                    _ => self.rejected(notice, at, sink),
                }
            }
            (EximNoticeKind::Frozen, Some(id)) => {
                let event = (Kind::Frozen, event_key(Kind::Frozen, at.ts_ms, None, []));
                let Some(slot) = self.messages.slot_for(MessageLine { id, at }, event, recall, sink) else {
                    sink.repeated();
                    return true;
                };
                let first = self.messages.first(&id, Kind::Frozen, recall);
                sink.event(&Event {
                    messages: first,
                    ..at.event(Kind::Frozen, slot)
                });
            }
            (EximNoticeKind::ConnectionFailed, Some(id)) => {
                let origins = &mut self.messages.attributor.origins;
                let name = notice.host.name.filter(|name| name.len() <= HOST_BYTES_MAX);
                if let (Some(open), Some(name)) = (self.messages.join.get(&id, origins, recall), name) {
                    open.unreached = Some(Box::new(Unreached {
                        name: crate::model::text::text(name),
                        ip: notice.host.ip,
                    }));
                }
                return false;
            }
            (EximNoticeKind::Removed, Some(id)) if notice.text.starts_with(b"removed") => {
                let event = (Kind::Discarded, event_key(Kind::Discarded, at.ts_ms, None, []));
                let Some(slot) = self.messages.slot_for(MessageLine { id, at }, event, recall, sink) else {
                    sink.repeated();
                    return true;
                };
                let reach = Reach::Onward;
                let first = self.messages.first_copy(&id, Kind::Discarded, reach, recall);
                let event = at.event(Kind::Discarded, slot);
                sink.event(&Event {
                    messages: first,
                    destination: Some(Destination::Discard),
                    reach: Some(reach),
                    ..event
                });
            }
            _ => return false,
        }
        true
    }

    fn rejected(&mut self, notice: &EximNotice<'_>, at: LineAt, sink: &mut impl EventSink) {
        let facts = Facts {
            sender: notice.sender,
            client_name: known_name(&notice.host),
            client_ip: notice.host.ip,
            host: &self.messages.host,
            ..Facts::default()
        };
        let SenderOrigin { origin, first_hop } =
            self.messages
                .attributor
                .origin(self.messages.attribution, &facts, at.ts_ms, SenderLine::Refused);
        let slot = sink.message(Message {
            queue_id: None,
            origin,
            first_hop,
            message_key: None,
            orphan: false,
        });
        let recipient = notice.recipient.unwrap_or_default();
        let (_, domain) = split_address(recipient);
        let redactor = &self.messages.attribution.redactor;
        let local = self.refused.get(recipient, |address| redactor.stored(address));
        let reply = self.refusals.get(notice.reason, |text| reply::classify_own(text, None));
        // A refused connection offered no mail: it is an event, and counts no message.
        let offered = notice.kind != EximNoticeKind::RejectedConnection;
        sink.event(&Event {
            messages: u8::from(offered),
            recipients: u32::from(notice.kind == EximNoticeKind::RejectedRcpt),
            recipient_local: local,
            recipient_domain: domain,
            ..at.event(Kind::Rejected, slot).with_reply(Some(reply))
        });
    }
}

/// What an arrival says of who sends it.
fn facts_of<'f>(arrival: &Arrival<'f>, auth: Option<&'f [u8]>, rules: &ServiceRules, host: &'f str) -> Facts<'f> {
    let is_local = arrival.host == EximHost::default();
    let message_id = arrival.message_id.filter(|_| rules.needs_message_id());
    Facts {
        sender: Some(arrival.sender),
        client_name: known_name(&arrival.host),
        client_ip: arrival.host.ip,
        // With H=, U= is what the client's ident daemon claims.
        user: arrival.user.filter(|_| is_local),
        auth,
        message_id_host: message_id.map(|id| split_address(id).1),
        host,
        ..Facts::default()
    }
}

/// A copy that was handed to a host whose log is read too is seen again there.
fn where_to(
    attribution: &Attribution,
    host: &str,
    (kind, to): (Kind, Option<Destination>),
    remote: &[u8],
) -> Option<Destination> {
    let inside = kind == Kind::Delivered && to == Some(Destination::Remote) && attribution.is_covered(remote, host);
    if inside { Some(Destination::Relay) } else { to }
}

/// Whether a message comes from a scanner of this host: by loopback, or from a command that says by which protocol it
/// was received (`P=spam-scanned`).
fn is_handed_back(arrival: &Arrival<'_>) -> bool {
    match arrival.host.ip {
        Some(ip) => ip.is_loopback(),
        None => {
            let protocol = arrival.protocol.unwrap_or(b"local");
            arrival.host.name.is_none() && !protocol.starts_with(b"local")
        }
    }
}

/// The queue ID in a reply: `250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 OK id=1vLh1t-00000001AbD-2DeG`.
fn next_id(reply: &[u8]) -> Option<QueueId> {
    let at = memchr::memmem::rfind(reply, b"id=")? + 3;
    let id = reply.get(at..)?;
    let end = id
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'-'));
    QueueId::new(id.get(..end.unwrap_or(id.len()))?)
}

/// Who was authenticated, as rules compare it: the id, behind its authenticator where a rule may ask for that; nothing of
/// somebody without an id.
pub fn authentication<'a>(arrival: &Arrival<'a>, rules: &ServiceRules) -> Option<Cow<'a, [u8]>> {
    match (arrival.authenticator, arrival.authenticated_id) {
        (Some(name), id) if rules.needs_auth() => Some([name, b":", id.unwrap_or_default()].concat().into()),
        (Some(_), None) => Some(Cow::Borrowed(b"")),
        (_, id) => id.map(Cow::Borrowed),
    }
}

/// The host that took a copy or was asked to; `unreached` did not answer.
fn asked_host<'a>(delivery: &EximDelivery<'a>, unreached: Option<&'a Unreached>) -> (&'a [u8], Option<IpAddr>) {
    match unreached {
        Some(host) => (host.name.as_bytes(), host.ip),
        None => {
            let name = delivery.host.name.or(delivery.host.helo);
            (name.unwrap_or_default(), delivery.host.ip)
        }
    }
}

/// The address that a copy was for; a file or a program is none.
fn named_recipient<'a>(delivery: &EximDelivery<'a>) -> &'a [u8] {
    match delivery.target {
        Target::Address => delivery.address,
        _ => delivery.original.unwrap_or_default(),
    }
}

/// Whether the line names no host, and the host did not answer at all.
fn is_unanswered(delivery: &EximDelivery<'_>, reply: Option<&Reply>) -> bool {
    let reason = reply.map(|reply| reply.reason);
    delivery.host == EximHost::default() && matches!(reason, Some(Reason::ConnectionRefused | Reason::Timeout))
}

/// The words of a reply that are kept: of what did not go.
fn stored_reply(redactor: &Redactor, kind: Kind, delivery: &EximDelivery<'_>) -> Vec<u8> {
    match kind {
        Kind::Deferred | Kind::Bounced | Kind::Expired => redactor.reply(delivery.text.unwrap_or_default()),
        _ => Vec::new(),
    }
}

/// What tells a delivery line from the message's others. A host says enough; without one the text does: pipes and files
/// of one recipient, routing that failed.
fn identity(kind: Kind, delivery: &EximDelivery<'_>, at: LineAt) -> u64 {
    let original = delivery.original.unwrap_or_default();
    match delivery.host.ip {
        ip @ Some(_) if original.is_empty() => event_key(kind, at.ts_ms, ip, [delivery.address]),
        ip @ Some(_) => event_key(kind, at.ts_ms, ip, [delivery.address, original]),
        None => {
            let name = delivery.host.name.unwrap_or_default();
            let text = delivery.text.or(delivery.transport).unwrap_or_default();
            event_key(kind, at.ts_ms, None, [delivery.address, original, name, text])
        }
    }
}
