//! What every MTA's log has in common: messages that come, wait and go under a queue ID. The normaliser of a format
//! knows what its lines mean; this is where they become events of a message with a sender.

use super::attribution::{Attribution, Attributor, SenderLine};
use super::handed_back::RecentArrivals;
use super::next_hops::NextHops;
use super::origins::SenderOrigin;
use super::repeats::{SeenEvents, event_key, second};
use crate::model::direction::{Direction, Reach};
use crate::model::event::{Event, EventSink, Kind, Message, OriginId, Slot};
use crate::model::queue_id::QueueId;
use crate::model::text::text;
use crate::model::time::UtcMs;
use crate::normalise::join::{Amendment, Changes, MessageJoin, OpenMessage, OpenRecord, Recall};
use crate::normalise::rules::Facts;

/// The messages of one host's log, in order of its lines.
#[derive(Debug)]
pub struct Messages<'c> {
    /// Rules.
    pub attribution: &'c Attribution,
    /// Whose log.
    pub host: String,
    /// Senders.
    pub attributor: Attributor,
    /// Open messages.
    pub join: MessageJoin,
    /// The recipient's local part of the line in hand, as stored.
    pub(super) local: Vec<u8>,
    /// Hosts that mail was handed to lately.
    pub(super) next_hops: NextHops,
    /// Arrivals of late.
    pub(super) arrivals: RecentArrivals,
}

impl<'c> Messages<'c> {
    /// No messages yet.
    pub fn new(attribution: &'c Attribution, host: &str) -> Self {
        Messages {
            attribution,
            host: host.to_owned(),
            attributor: Attributor::default(),
            join: MessageJoin::default(),
            local: Vec::new(),
            next_hops: NextHops::default(),
            arrivals: RecentArrivals::default(),
        }
    }

    /// What the next commit has to store of the join.
    pub fn changes(&mut self) -> Changes {
        let derived = self.attributor.take_derived();
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

    /// Whether [`Messages::trim`] has something to do.
    pub(crate) fn wants_trim(&self, open_max: usize) -> bool {
        self.join.len() > open_max || self.attributor.origins.is_full()
    }

    /// Takes over the sender that the store has got for an open message.
    pub fn relink(&mut self, id: &QueueId, record: &OpenRecord) {
        self.join.relink(id, record, &mut self.attributor.origins);
    }

    /// Opens a message at its arrival; deliveries that stood before it get its sender. None if the line was read before.
    pub(super) fn open_message(
        &mut self,
        MessageLine { id, at }: MessageLine,
        message: &Message,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> Option<Slot> {
        let batch = sink.batch();
        let mut kinds = 1 << Kind::Accepted as u32;
        let mut slot = None;
        let mut deferred = None;
        let mut seen = SeenEvents::default();
        let before = self.join.get(&id, &mut self.attributor.origins, recall);
        let (has_arrived, is_orphan) = match before {
            Some(open) => {
                let has_arrived = open.arrival_ms.is_some_and(|ms| second(ms) == second(at.ts_ms));
                (has_arrived, open.orphan)
            }
            None => (self.join.recent.has_left(&id, at.ts_ms), false),
        };
        if has_arrived {
            self.arrival_copied(&id, at);
            return None;
        }
        if is_orphan && let Some(open) = self.join.in_memory(&id) {
            kinds |= open.kinds;
            deferred = open.deferred.take();
            seen = std::mem::take(&mut open.seen);
            slot = open.slot.filter(|(b, _)| *b == batch).map(|(_, slot)| slot);
            if open.has_committed_rows() {
                let origin = self.attributor.origins.get(message.origin);
                self.join.amend(Amendment {
                    queue_id: id,
                    origin,
                    first_hop: message.first_hop,
                    from_ms: UtcMs::MIN,
                    orphan: true,
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
        let open = self.join.insert(id, message, (batch, slot), at.ts_ms);
        open.kinds = kinds;
        open.deferred = deferred;
        open.seen = seen;
        Some(slot)
    }

    /// The sender of the mail that a scanner hands back, if that is what this arrival is.
    pub(super) fn handed_back(&mut self, key: Option<u64>, id: QueueId) -> Option<SenderOrigin> {
        let before = self.arrivals.before(key?, id)?;
        let open = self.join.in_memory(&before)?;
        (!open.orphan).then_some(SenderOrigin {
            origin: open.origin,
            first_hop: false,
        })
    }

    /// The mail goes on as another message of this host, whose sender is then this one's. False if one of them is not known.
    pub(super) fn goes_on_as(
        &mut self,
        next: QueueId,
        MessageLine { id, at }: MessageLine,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> bool {
        let Messages { join, attributor, .. } = self;
        let Some(origin) = join.get(&id, &mut attributor.origins, recall).map(|open| open.origin) else {
            return false;
        };
        let Some(open) = join.get(&next, &mut attributor.origins, recall) else {
            return false;
        };
        if let Some(arriving) = &mut open.arriving {
            arriving.continues = Some(text(id.as_bytes()));
            return true;
        }
        if (open.origin, open.first_hop) == (origin, false) {
            return true;
        }
        (open.origin, open.first_hop) = (origin, false);
        let batch = sink.batch();
        if let Some((_, slot)) = open.slot.filter(|(known, _)| *known == batch) {
            sink.attribute(slot, open.message(&next));
        }
        if open.has_committed_rows() {
            let amendment = Amendment {
                queue_id: next,
                origin: attributor.origins.get(origin),
                first_hop: false,
                from_ms: open.arrival_ms.unwrap_or(at.ts_ms),
                orphan: false,
            };
            join.amend(amendment);
        }
        true
    }

    /// A line of the arrival was written twice: so will the others be.
    pub(super) fn arrival_copied(&mut self, id: &QueueId, at: LineAt) {
        if let Some(open) = self.join.in_memory(id) {
            open.seen.note_copies();
        }
        self.join.recent.note_copy(at.ts_ms);
    }

    /// Opens a message whose arrival has not been seen; its sender, if the line in hand names one: what is not known is
    /// not the null sender.
    pub(super) fn orphan(&mut self, id: QueueId, sender: Option<&[u8]>, at: LineAt, sink: &mut impl EventSink) -> Slot {
        let facts = Facts {
            sender,
            host: &self.host,
            ..Facts::default()
        };
        let SenderOrigin { origin, .. } =
            self.attributor
                .origin(self.attribution, &facts, at.ts_ms, SenderLine::Orphan);
        let message = Message {
            queue_id: Some(id),
            origin,
            first_hop: true,
            message_key: None,
            orphan: true,
        };
        let slot = sink.message(message);
        self.join.insert(id, &message, (sink.batch(), slot), at.ts_ms);
        slot
    }

    pub(super) fn completed(
        &mut self,
        queue_ms: Option<u64>,
        line: MessageLine,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) {
        let MessageLine { id, at } = line;
        let batch = sink.batch();
        let Some(mut leaving) = self.join.leaving(&id, &mut self.attributor.origins, recall) else {
            if self.join.recent.has_left(&id, at.ts_ms) {
                self.join.recent.note_copy(at.ts_ms);
                return sink.repeated();
            }
            self.slot_of(id, at, recall, sink);
            return self.completed(queue_ms, line, recall, sink);
        };
        let open = leaving.open();
        // Only what waits for its arrival can be completed twice.
        if open.orphan && !open.seen.is_new(event_key(Kind::Completed, at.ts_ms, None, [])) {
            return sink.repeated();
        }
        open.last_ms = at.ts_ms;
        let slot = open.slot_in(batch, &id, sink);
        let waited = at.since(open.arrival_ms);
        sink.event(&Event {
            messages: 1,
            queue_ms: queue_ms.or(waited),
            ..at.event(Kind::Completed, slot)
        });
        leaving.leave();
    }

    /// The slot of a message that a line names; an unknown one becomes an orphan.
    pub(super) fn slot_of(
        &mut self,
        id: QueueId,
        at: LineAt,
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> Slot {
        let batch = sink.batch();
        if let Some(open) = self.join.get(&id, &mut self.attributor.origins, recall) {
            open.last_ms = at.ts_ms;
            return open.slot_in(batch, &id, sink);
        }
        self.orphan(id, None, at, sink)
    }

    /// The slot of a message that has an event; an unknown one becomes an orphan. None if the event was read before.
    pub(super) fn slot_for(
        &mut self,
        MessageLine { id, at }: MessageLine,
        (kind, event): (Kind, u64),
        recall: &mut dyn Recall,
        sink: &mut impl EventSink,
    ) -> Option<Slot> {
        if self.is_repeated(&id, at, (kind, event), recall) {
            return None;
        }
        let slot = self.slot_of(id, at, recall, sink);
        if let Some(open) = self.join.in_memory(&id) {
            open.seen.is_new(event);
        }
        Some(slot)
    }

    /// Whether an event of a message was read before, from a line that was written twice; notes it if not.
    pub(super) fn is_repeated(
        &mut self,
        id: &QueueId,
        at: LineAt,
        (kind, event): (Kind, u64),
        recall: &mut dyn Recall,
    ) -> bool {
        let lately = self.join.recent.has_copies(at.ts_ms);
        let repeated = match self.join.get(id, &mut self.attributor.origins, recall) {
            Some(open) => open.seen.is_copy(kind, event, lately),
            None => self.join.recent.has_event(id, at.ts_ms, event),
        };
        if repeated {
            self.join.recent.note_copy(at.ts_ms);
        }
        repeated
    }

    pub(super) fn first(&mut self, id: &QueueId, kind: Kind, recall: &mut dyn Recall) -> u8 {
        let open = self.join.get(id, &mut self.attributor.origins, recall);
        u8::from(open.is_none_or(|open| open.first(kind)))
    }

    /// The same for an event of a copy that nobody has: all copies of the message, in one direction.
    pub(super) fn first_copy(&mut self, id: &QueueId, kind: Kind, reach: Reach, recall: &mut dyn Recall) -> u8 {
        let Messages { join, attributor, .. } = self;
        let Some(open) = join.get(id, &mut attributor.origins, recall) else {
            return 1;
        };
        let is_away = is_away(attributor, open.origin, reach);
        u8::from(open.first_copy(kind, is_away))
    }
}

/// Whether a copy of this sender's mail leaves us.
pub(super) fn is_away(attributor: &Attributor, origin: OriginId, reach: Reach) -> bool {
    let direction = Direction::of(attributor.origins.mail_origin(origin), reach);
    direction.is_none_or(Direction::is_away)
}

/// Time and place of the line in hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineAt {
    /// UTC milliseconds.
    pub ts_ms: UtcMs,
    /// Where it begins in the log's content.
    pub offset: u64,
}

/// A line that names a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct MessageLine {
    pub(super) id: QueueId,
    pub(super) at: LineAt,
}

impl LineAt {
    /// Milliseconds since the arrival, if that is known.
    #[inline]
    pub(super) fn since(self, arrival_ms: Option<UtcMs>) -> Option<u64> {
        u64::try_from(self.ts_ms - arrival_ms?).ok()
    }

    pub(super) fn event<'a>(self, kind: Kind, slot: Slot) -> Event<'a> {
        Event {
            offset: self.offset,
            ts_ms: self.ts_ms,
            kind,
            destination: None,
            reach: None,
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
            provider_code: None,
            reply: b"",
        }
    }
}

impl OpenMessage {
    pub(super) fn message(&self, id: &QueueId) -> Message {
        Message {
            queue_id: Some(*id),
            origin: self.origin,
            first_hop: self.first_hop,
            message_key: self.message_key,
            orphan: self.orphan,
        }
    }

    /// The same, of a service that a later line names.
    pub(super) fn message_of(&self, id: &QueueId, origin: OriginId) -> Message {
        Message {
            origin,
            ..self.message(id)
        }
    }

    pub(super) fn slot_in(&mut self, batch: u32, id: &QueueId, sink: &mut impl EventSink) -> Slot {
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
