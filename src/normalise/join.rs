//! The message join: queue ID → who sent the message, so that deliveries, deferrals and bounces carry their
//! message's service, also when the arrival stood in an older file, in another run, or before a kill.
//!
//! What is open at a commit is part of the commit ([`Changes`]). Memory is bounded: beyond a limit the messages
//! that have been quiet longest stay only in the store, and come back through [`Recall`] when they are named again.
//! A delivery without a known arrival is an *orphan*: its arrival may come with an older archive, and then the
//! rows already stored are amended.

use super::derived::NameChanges;
use super::origins::OriginInterner;
use super::repeats::{RecentlyLeft, SeenEvents};
use crate::model::event::{Message, Origin, OriginId, Slot};
use crate::model::queue_id::QueueId;
use crate::model::time::UtcMs;
use hashbrown::hash_map::{Entry, OccupiedEntry};
use hashbrown::{DefaultHashBuilder, HashMap};
use serde::{Deserialize, Serialize};

/// Kinds of copies that stay with us stand so many bits higher.
const STAYS: u32 = 16;

/// A message that is in the queue, as far as the log has been read.
#[derive(Debug, Clone)]
pub struct OpenMessage {
    /// Who sent it.
    pub origin: OriginId,
    /// Batch and slot where it was last written.
    pub slot: Option<(u32, Slot)>,
    /// Arrival, UTC milliseconds; none for an orphan.
    pub arrival_ms: Option<UtcMs>,
    /// Time of its newest line.
    pub last_ms: UtcMs,
    /// Key of its Message-ID.
    pub message_key: Option<u64>,
    /// Enters the mail system here.
    pub first_hop: bool,
    /// Its arrival has not been seen.
    pub orphan: bool,
    /// Bit per [`crate::model::event::Kind`] seen; of copies that stay with us, higher ones.
    pub kinds: u32,
    /// Hashes of recipients that were deferred: a retry is a new attempt, not a new recipient.
    pub deferred: Option<Box<Vec<u32>>>,
    /// Size, where the log prints it only once.
    pub bytes: Option<u64>,
    /// What is known of a message that is not in the queue yet.
    pub arriving: Option<Box<Arriving>>,
    /// The host that could not be reached last, where the log tells it before the attempt.
    pub unreached: Option<Box<Unreached>>,
    /// Its events, to know a line that was written twice.
    pub seen: SeenEvents,
    /// Stands in the store.
    stored: bool,
    /// Differs from what stands in the store.
    dirty: bool,
}

/// A message that is on its way into the queue: Postfix tells in several lines who hands it in, and what it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Arriving {
    /// Time of its first line, UTC milliseconds.
    pub since_ms: UtcMs,
    /// Name of the client; empty if unknown, or if the message was handed in locally.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client: String,
    /// Address of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<std::net::IpAddr>,
    /// Local user.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Authenticated id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub auth: String,
    /// Key of its Message-ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_key: Option<u64>,
    /// Host in its Message-ID.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message_id_host: String,
    /// Queue ID on this host under which the same mail was before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
}

/// A host that could not be reached.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Unreached {
    /// Its name.
    pub name: String,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<std::net::IpAddr>,
}

/// An [`OpenMessage`] as the store keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenRecord {
    /// Who sent it.
    pub origin: Origin,
    /// Arrival, UTC milliseconds.
    pub arrival_ms: Option<UtcMs>,
    /// Newest line, UTC milliseconds.
    pub last_ms: UtcMs,
    /// Key of its Message-ID.
    pub message_key: Option<u64>,
    /// Enters the mail system here.
    pub first_hop: bool,
    /// Its arrival has not been seen.
    pub orphan: bool,
    /// Bit per kind seen; of copies that stay with us, higher ones.
    pub kinds: u32,
    /// Hashes of deferred recipients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deferred: Vec<u32>,
    /// Size, where the log prints it only once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What is known of a message that is not in the queue yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arriving: Option<Box<Arriving>>,
    /// The host that could not be reached last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreached: Option<Box<Unreached>>,
}

/// A message whose sender was learnt after its rows were committed: they get this sender.
#[derive(Debug, Clone)]
pub struct Amendment {
    /// Rows from this time on, UTC milliseconds: an ID may have been another message's before.
    pub from_ms: UtcMs,
    /// It was an orphan: the catalogue knows which segments have its rows.
    pub orphan: bool,
    /// The message.
    pub queue_id: QueueId,
    /// Who sent it.
    pub origin: Origin,
    /// Enters the mail system here.
    pub first_hop: bool,
}

/// What a commit must store of the join.
#[derive(Debug, Default)]
pub struct Changes {
    /// New or changed open messages.
    pub upserts: Vec<(QueueId, OpenRecord)>,
    /// Messages that are done.
    pub deletes: Vec<QueueId>,
    /// Orphans that found their arrival after their rows were committed.
    pub amendments: Vec<Amendment>,
    /// What became of derived services' names.
    pub derived: NameChanges,
}

/// Brings back a message that is no longer in memory.
pub trait Recall {
    /// The stored state of a message, if there is one.
    fn recall(&mut self, id: &QueueId) -> Option<OpenRecord>;
}

/// No store: nothing comes back.
impl Recall for () {
    fn recall(&mut self, _: &QueueId) -> Option<OpenRecord> {
        None
    }
}

/// A message whose last line is in hand.
pub(crate) struct Leaving<'j> {
    entry: OccupiedEntry<'j, QueueId, OpenMessage, DefaultHashBuilder>,
    done: &'j mut Vec<QueueId>,
    recent: &'j mut RecentlyLeft,
}

impl Leaving<'_> {
    /// The message.
    pub(crate) fn open(&mut self) -> &mut OpenMessage {
        self.entry.get_mut()
    }

    /// Removes it. An orphan stays: its arrival may still turn up in an older archive.
    pub(crate) fn leave(self) {
        let Leaving { entry, done, recent } = self;
        if entry.get().orphan {
            return;
        }
        // Moved out as it is: to write into it first would make the processor wait.
        let (id, open) = entry.remove_entry();
        if open.stored {
            done.push(id);
        }
        recent.left(id, open.last_ms, open.seen);
    }
}

/// The open messages of one host's log.
#[derive(Debug, Default)]
pub struct MessageJoin {
    /// Applications choose their IDs: the hash has a key.
    open: HashMap<QueueId, OpenMessage>,
    done: Vec<QueueId>,
    amendments: Vec<Amendment>,
    /// Messages that are done, to know lines of theirs that were written twice.
    pub recent: RecentlyLeft,
    /// Messages that stand only in the store.
    evicted: u64,
}

impl MessageJoin {
    /// Messages in memory.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether no message is in memory.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Tells the join how many messages the store holds that it has not loaded.
    pub(crate) fn set_evicted(&mut self, count: u64) {
        self.evicted = count;
    }

    /// Puts a stored message back into memory.
    pub fn load(&mut self, id: QueueId, record: OpenRecord, origins: &mut OriginInterner) {
        let open = OpenMessage {
            origin: origins.intern(record.origin),
            slot: None,
            arrival_ms: record.arrival_ms,
            last_ms: record.last_ms,
            message_key: record.message_key,
            first_hop: record.first_hop,
            orphan: record.orphan,
            kinds: record.kinds,
            deferred: (!record.deferred.is_empty()).then(|| Box::new(record.deferred)),
            bytes: record.bytes,
            arriving: record.arriving,
            unreached: record.unreached,
            seen: SeenEvents::default(),
            stored: true,
            dirty: false,
        };
        self.open.insert(id, open);
    }

    /// A message in memory gets the sender that the store has got for it.
    pub fn relink(&mut self, id: &QueueId, record: &OpenRecord, origins: &mut OriginInterner) {
        if let Some(open) = self.open.get_mut(id)
            && open.arrival_ms == record.arrival_ms
        {
            open.origin = origins.intern(record.origin.clone());
            open.first_hop = record.first_hop;
        }
    }

    /// The message, for changing.
    pub fn get(
        &mut self,
        id: &QueueId,
        origins: &mut OriginInterner,
        recall: &mut dyn Recall,
    ) -> Option<&mut OpenMessage> {
        self.bring_back(id, origins, recall);
        let open = self.open.get_mut(id)?;
        open.dirty = true;
        Some(open)
    }

    /// The message, if it is in memory.
    #[inline]
    pub(crate) fn in_memory(&mut self, id: &QueueId) -> Option<&mut OpenMessage> {
        self.open.get_mut(id)
    }

    /// The message, for a last change before it is done: found once, for both.
    pub(crate) fn leaving(
        &mut self,
        id: &QueueId,
        origins: &mut OriginInterner,
        recall: &mut dyn Recall,
    ) -> Option<Leaving<'_>> {
        self.bring_back(id, origins, recall);
        let MessageJoin { open, done, recent, .. } = self;
        match open.entry(*id) {
            Entry::Occupied(mut entry) => {
                entry.get_mut().dirty = true;
                Some(Leaving { entry, done, recent })
            }
            Entry::Vacant(_) => None,
        }
    }

    fn bring_back(&mut self, id: &QueueId, origins: &mut OriginInterner, recall: &mut dyn Recall) {
        if self.evicted > 0
            && !self.open.contains_key(id)
            && let Some(record) = recall.recall(id)
        {
            self.evicted -= 1;
            self.load(*id, record, origins);
        }
    }

    /// Adds a message whose first line has just been read: an orphan, or else its arrival.
    pub fn insert(&mut self, id: QueueId, message: &Message, slot: (u32, Slot), at_ms: UtcMs) -> &mut OpenMessage {
        let entry = self.open.entry(id);
        let stored = matches!(&entry, Entry::Occupied(before) if before.get().stored);
        let open = OpenMessage {
            origin: message.origin,
            slot: Some(slot),
            arrival_ms: (!message.orphan).then_some(at_ms),
            last_ms: at_ms,
            message_key: message.message_key,
            first_hop: message.first_hop,
            orphan: message.orphan,
            kinds: 0,
            deferred: None,
            bytes: None,
            arriving: None,
            unreached: None,
            seen: SeenEvents::default(),
            stored,
            dirty: true,
        };
        entry.insert(open).into_mut()
    }

    /// Adds a message that is not in the queue yet; `nobody` stands in for its sender.
    pub(crate) fn insert_arriving(&mut self, id: QueueId, arriving: Arriving, nobody: OriginId) {
        let open = OpenMessage {
            origin: nobody,
            slot: None,
            arrival_ms: None,
            last_ms: arriving.since_ms,
            message_key: None,
            first_hop: true,
            orphan: false,
            kinds: 0,
            deferred: None,
            bytes: None,
            arriving: Some(Box::new(arriving)),
            unreached: None,
            seen: SeenEvents::default(),
            stored: self.open.get(&id).is_some_and(|before| before.stored),
            dirty: true,
        };
        self.open.insert(id, open);
    }

    /// Removes a message of which no further line will come.
    pub fn forget(&mut self, id: &QueueId) {
        if let Some(open) = self.open.remove(id)
            && open.stored
        {
            self.done.push(*id);
        }
    }

    /// Removes a message that is done, if it is there: see [`Leaving::leave`].
    pub fn complete(&mut self, id: &QueueId) {
        let MessageJoin { open, done, recent, .. } = self;
        if let Entry::Occupied(entry) = open.entry(*id) {
            Leaving { entry, done, recent }.leave();
        }
    }

    /// Notes that rows of earlier commits belong to this sender.
    pub(crate) fn amend(&mut self, amendment: Amendment) {
        self.amendments.push(amendment);
    }

    /// What has changed since the last call; the caller commits it together with the batch.
    pub fn changes(&mut self, origins: &OriginInterner) -> Changes {
        let mut changes = Changes {
            upserts: Vec::new(),
            deletes: std::mem::take(&mut self.done),
            amendments: std::mem::take(&mut self.amendments),
            derived: NameChanges::default(),
        };
        for (id, open) in &mut self.open {
            if std::mem::take(&mut open.dirty) {
                open.stored = true;
                changes.upserts.push((*id, open.record(origins)));
            }
        }
        changes
    }

    /// Drops the quietest messages from memory down to `keep`. Call it only when all changes are committed.
    pub(crate) fn evict(&mut self, keep: usize) {
        if self.open.len() <= keep {
            return;
        }
        let mut times: Vec<UtcMs> = self.open.values().map(|open| open.last_ms).collect();
        let drop = times.len() - keep;
        let (_, limit, _) = times.select_nth_unstable(drop);
        let limit = *limit;
        let before = self.open.len();
        self.open
            .retain(|_, open| !open.stored || open.dirty || open.last_ms >= limit);
        self.evicted += (before - self.open.len()) as u64;
    }

    /// Renumbers origins after the table was compacted; `map` gives the new number of an old one.
    pub(crate) fn compact_origins(&mut self, origins: &mut OriginInterner) {
        let used: Vec<OriginId> = self.open.values().map(|open| open.origin).collect();
        let map = origins.compact(&used);
        for open in self.open.values_mut() {
            open.origin = map[&open.origin];
        }
    }
}

impl OpenMessage {
    fn record(&self, origins: &OriginInterner) -> OpenRecord {
        OpenRecord {
            origin: origins.get(self.origin),
            arrival_ms: self.arrival_ms,
            last_ms: self.last_ms,
            message_key: self.message_key,
            first_hop: self.first_hop,
            orphan: self.orphan,
            kinds: self.kinds,
            deferred: self.deferred.as_deref().cloned().unwrap_or_default(),
            bytes: self.bytes,
            arriving: self.arriving.clone(),
            unreached: self.unreached.clone(),
        }
    }

    /// Whether rows of this message may stand in earlier commits.
    pub(crate) fn has_committed_rows(&self) -> bool {
        self.stored
    }

    /// Marks a kind as seen; true the first time.
    pub fn first(&mut self, kind: crate::model::event::Kind) -> bool {
        self.first_copy(kind, true)
    }

    /// The same of one recipient's copy, by whether it leaves us.
    pub(crate) fn first_copy(&mut self, kind: crate::model::event::Kind, is_away: bool) -> bool {
        let bit = 1 << (kind as u32 + if is_away { 0 } else { STAYS });
        let first = self.kinds & bit == 0;
        self.kinds |= bit;
        first
    }

    /// Marks a recipient as deferred; true the first time. Beyond 64 recipients all count as new.
    pub(crate) fn first_deferral(&mut self, recipient: &[u8]) -> bool {
        use std::hash::Hasher;
        let mut hasher = rustc_hash::FxHasher::default();
        hasher.write(recipient);
        let hash = (hasher.finish() >> 32) as u32;
        let known = self.deferred.get_or_insert_default();
        if known.contains(&hash) {
            return false;
        }
        if known.len() < 64 {
            known.push(hash);
        }
        true
    }
}
