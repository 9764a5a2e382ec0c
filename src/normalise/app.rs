//! Applications' logs: records → events. What an application could not hand in is in no MTA's log: these lines are
//! the only witnesses.
//!
//! A mail that is tried again, or that stands in two files, is one mail: the first record of its key counts a message,
//! further ones count attempts. The key's state is kept where an MTA's open messages are.

use super::clock::LogClock;
use super::messages::{LineAt, Messages};
use crate::model::direction::MailOrigin;
use crate::model::event::{Event, EventSink, Kind, Message, Origin};
use crate::model::queue_id::QueueId;
use crate::model::service_names::UNATTRIBUTED;
use crate::model::text::text;
use crate::model::time::UtcMs;
use crate::normalise::join::Recall;
use crate::normalise::redact::{bounded_text, message_key};
use crate::normalise::rules::Facts;
use mailpulse_parsers::app::{AppBody, AppRecord, Mail};
use mailpulse_parsers::reply;

/// What is known of an application's log beside its lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct AppSource {
    /// The service, if the configuration names it.
    pub service: Option<String>,
    /// The service that this kind of log is usually of.
    pub usual_service: Option<&'static str>,
    /// The same record stands in several files: it counts once.
    pub copies: bool,
}

/// Turns one host's application records, in order, into events.
#[derive(Debug)]
pub(crate) struct AppNormaliser<'c> {
    clock: LogClock,
    source: AppSource,
    /// Mails of the log.
    pub messages: Messages<'c>,
}

/// A record in its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed<'r> {
    /// The record.
    pub record: &'r AppRecord<'r>,
    /// Its text.
    pub text: &'r [u8],
    /// When, UTC milliseconds.
    pub ts_ms: UtcMs,
    /// Offset of its first line.
    pub offset: u64,
}

/// What a record says of a mail, and which mail that is.
struct KeyedMail<'m> {
    mail: &'m Mail<'m>,
    key: Option<QueueId>,
    kind: Kind,
}

impl<'c> AppNormaliser<'c> {
    /// A normaliser for the mails of one host; `clock` is its log's.
    pub(crate) fn new(messages: Messages<'c>, clock: LogClock) -> Self {
        AppNormaliser {
            clock,
            source: AppSource::default(),
            messages,
        }
    }

    /// What the next lines are from.
    pub(crate) fn set_source(&mut self, source: AppSource) {
        self.source = source;
    }

    /// The next lines are in another zone.
    pub(crate) fn set_clock(&mut self, clock: LogClock) {
        self.clock = clock;
    }

    /// The clock of the log.
    pub(crate) fn clock(&mut self) -> &mut LogClock {
        &mut self.clock
    }

    /// Takes one record; true if it was an event, false if it tells nothing new about mail.
    pub(crate) fn record(&mut self, placed: &Placed<'_>, recall: &mut dyn Recall, sink: &mut impl EventSink) -> bool {
        let (kind, mail) = match &placed.record.body {
            AppBody::Submitted(mail) => (Kind::Submitted, mail),
            AppBody::SubmitFailed(mail) => (Kind::SubmitFailed, mail),
            AppBody::Other => return false,
        };
        let key = self.key(placed, mail);
        let known = key.is_some_and(|id| {
            self.messages
                .join
                .get(&id, &mut self.messages.attributor.origins, recall)
                .is_some()
        });
        if mail.needs_known_key && !known || self.source.copies && known {
            return false;
        }
        let at = LineAt {
            ts_ms: placed.ts_ms,
            offset: placed.offset,
        };
        let (slot, first) = self.slot(placed, &KeyedMail { mail, key, kind }, recall, sink);
        let messages = &mut self.messages;
        let recipient = mail.recipient.as_deref().unwrap_or_default();
        let domain = messages.attribution.redactor.local_part(recipient, &mut messages.local);
        let reply = (kind == Kind::SubmitFailed).then(|| reply::classify(&mail.reason));
        sink.event(&Event {
            messages: u8::from(first),
            recipients: if first { mail.recipients.unwrap_or(1) } else { 0 },
            recipient_local: &messages.local,
            recipient_domain: domain,
            remote_host: mail.relay.as_deref().unwrap_or_default(),
            ..at.event(kind, slot).with_reply(reply.as_ref())
        });
        let ended = kind == Kind::Submitted || kind == Kind::SubmitFailed && !mail.will_retry && !self.source.copies;
        if let Some(id) = key.filter(|_| ended) {
            self.messages.join.complete(&id);
        }
        true
    }

    /// The slot of a record's mail, and whether the mail is counted for the first time.
    fn slot(
        &mut self,
        placed: &Placed<'_>,
        keyed: &KeyedMail<'_>,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> (u32, bool) {
        let KeyedMail { mail, key, kind } = *keyed;
        let batch = sink.batch();
        let Messages { join, attributor, .. } = &mut self.messages;
        if let Some(id) = key
            && let Some(open) = join.get(&id, &mut attributor.origins, recall)
        {
            open.last_ms = placed.ts_ms;
            return (open.slot_in(batch, &id, sink), open.first(kind));
        }
        let origin = self.origin(placed, mail);
        let Messages { join, attributor, .. } = &mut self.messages;
        let message = Message {
            queue_id: key,
            origin: attributor.origins.intern(origin),
            first_hop: true,
            message_key: mail.message_id.as_deref().map(message_key),
            orphan: false,
        };
        let slot = sink.message(message);
        if let Some(id) = key {
            let open = join.insert(id, &message, (batch, slot), placed.ts_ms);
            open.first(kind);
        }
        (slot, true)
    }

    /// The identity of a mail, as short as a queue ID.
    fn key(&self, placed: &Placed<'_>, mail: &Mail<'_>) -> Option<QueueId> {
        if self.source.copies {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&placed.ts_ms.get().to_le_bytes());
            hasher.update(placed.text);
            return QueueId::new(&hasher.finalize().to_hex().as_bytes()[..16]);
        }
        let key = mail.key.as_deref().filter(|key| !key.is_empty())?;
        let printable = key.iter().all(u8::is_ascii_graphic);
        QueueId::new(key)
            .filter(|_| printable)
            .or_else(|| QueueId::new(&blake3::hash(key).to_hex().as_bytes()[..16]))
    }

    fn origin(&mut self, placed: &Placed<'_>, mail: &Mail<'_>) -> Origin {
        let messages = &mut self.messages;
        let (attribution, attributor) = (messages.attribution, &mut messages.attributor);
        let named = placed.record.host.as_deref().filter(|host| !host.is_empty());
        let host = named.unwrap_or(messages.host.as_bytes());
        let sender = mail.sender.as_deref();
        let facts = Facts {
            sender,
            client_name: Some(host),
            host: &messages.host,
            ..Facts::default()
        };
        let by_rule = || {
            attribution
                .services
                .find(&facts)
                .map(|found| attribution.services.name(found.service).to_owned())
        };
        let usual = || self.source.usual_service.map(str::to_owned);
        // What a log's text makes is bounded, as an MTA's senders are.
        let made = || {
            let name = match placed.record.logger.as_deref().and_then(channel) {
                Some(name) => name,
                None if attribution.derive => attributor.name(attribution, &facts),
                None => return UNATTRIBUTED.to_owned(),
            };
            attributor.admit(attribution, &name, placed.ts_ms)
        };
        let service = self
            .source
            .service
            .clone()
            .or_else(by_rule)
            .or_else(usual)
            .unwrap_or_else(made);
        let domain = attribution
            .redactor
            .local_part(sender.unwrap_or_default(), &mut messages.local);
        Origin {
            service,
            hostgroup: attribution
                .hostgroups
                .find(Some(host), None)
                .unwrap_or_default()
                .to_owned(),
            client: bounded_text(text(host)).into_owned(),
            client_ip: String::new(),
            sender_local: bounded_text(text(&messages.local)).into_owned(),
            sender_domain: bounded_text(text(domain).to_lowercase()).into_owned(),
            // Applications are ours.
            origin: MailOrigin::Ours.as_str().to_owned(),
        }
    }
}

/// A channel's name as a service: `wikimania-scholarships` → `wikimania_scholarships`.
pub fn channel(logger: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(logger).ok()?.to_ascii_lowercase().replace('-', "_");
    let safe = !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    safe.then_some(name)
}
