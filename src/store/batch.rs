//! A batch of events in memory, column by column, and what is counted beside them: per-minute rates.
//!
//! Rows name their message by slot; slots name their sender by origin. Text columns are dictionaries from the start,
//! so that a row costs a few integers and encoding a segment copies no strings.

use crate::normalise::dictionary::Dictionary;
use crate::normalise::event::{Event, EventSink, Message, Slot};
use crate::normalise::join::QueueId;
use crate::normalise::origins::OriginTable;
use crate::normalise::redact::PSEUDONYM_LEN;
use rustc_hash::FxHashMap;
use std::net::{IpAddr, Ipv4Addr};

/// Milliseconds in a UTC day: a segment never crosses one.
pub const DAY_MS: i64 = 86_400_000;

/// A message in the batch.
#[derive(Debug, Clone, Copy)]
pub struct SlotRow {
    /// Queue ID; none where the line had none.
    pub queue_id: Option<QueueId>,
    /// Sender, by number.
    pub origin: u32,
    /// Whether the message enters the mail system here.
    pub first_hop: bool,
    /// Key of its Message-ID.
    pub message_key: Option<u64>,
    /// Its arrival has not been seen.
    pub orphan: bool,
}

/// Rows, column by column: a column of a segment is made of one of these without copying where the batch lies within
/// one day. Numbers that may be missing use [`NONE`].
#[derive(Debug, Default)]
pub struct Rows {
    /// UTC milliseconds.
    pub ts_ms: Vec<i64>,
    /// Offset of the line in its log.
    pub offset: Vec<i64>,
    /// Message.
    pub slot: Vec<Slot>,
    /// Log, by number.
    pub log: Vec<u32>,
    /// Code of `recipient_domain`.
    pub recipient_domain: Vec<u32>,
    /// Code of the next hop: name, NUL, address.
    pub remote: Vec<u32>,
    /// Recipients counted.
    pub recipients: Vec<u32>,
    /// Size in bytes.
    pub bytes: Vec<u64>,
    /// Milliseconds in the queue.
    pub queue_ms: Vec<u64>,
    /// Milliseconds of the delivery.
    pub delivery_ms: Vec<u64>,
    /// Code of SMTP code, enhanced code and reason.
    pub reply: Vec<u32>,
    /// Code of the kind.
    pub kind: Vec<u8>,
    /// Code of the destination; 0 is none.
    pub destination: Vec<u8>,
    /// 1 when the event counts its message.
    pub messages: Vec<u8>,
    /// End of `recipient_local` in the arena.
    pub local_end: Vec<u32>,
}

/// Bytes of a row in [`Rows`].
const ROW_BYTES: usize = 5 * 8 + 7 * 4 + 3;

impl Rows {
    /// Makes room: a column that grows by doubling is copied, and leaves memory behind that was touched for nothing.
    fn reserve(&mut self, rows: usize) {
        /// What is empty needs no copy of nothing.
        fn reserve<T>(column: &mut Vec<T>, rows: usize) {
            if column.is_empty() && column.capacity() < rows {
                *column = Vec::with_capacity(rows);
            }
            column.reserve(rows);
        }
        reserve(&mut self.ts_ms, rows);
        reserve(&mut self.offset, rows);
        reserve(&mut self.slot, rows);
        reserve(&mut self.log, rows);
        reserve(&mut self.recipient_domain, rows);
        reserve(&mut self.remote, rows);
        reserve(&mut self.recipients, rows);
        reserve(&mut self.bytes, rows);
        reserve(&mut self.queue_ms, rows);
        reserve(&mut self.delivery_ms, rows);
        reserve(&mut self.reply, rows);
        reserve(&mut self.kind, rows);
        reserve(&mut self.destination, rows);
        reserve(&mut self.messages, rows);
        reserve(&mut self.local_end, rows);
    }

    fn clear(&mut self) {
        self.ts_ms.clear();
        self.offset.clear();
        self.slot.clear();
        self.log.clear();
        self.recipient_domain.clear();
        self.remote.clear();
        self.recipients.clear();
        self.bytes.clear();
        self.queue_ms.clear();
        self.delivery_ms.clear();
        self.reply.clear();
        self.kind.clear();
        self.destination.clear();
        self.messages.clear();
        self.local_end.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ts_ms.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ts_ms.is_empty()
    }
}

/// The missing number.
pub const NONE: u64 = u64::MAX;

/// Events on their way to a segment.
#[derive(Debug, Default)]
pub struct Batch {
    sequence: u32,
    log: u32,
    /// Logs by number: log ID as 16 hexadecimal digits.
    pub logs: Vec<String>,
    /// Messages.
    pub slots: Vec<SlotRow>,
    /// Rows in the order of reading.
    pub rows: Rows,
    /// Recipients' local parts, end to end.
    pub locals: Vec<u8>,
    /// Recipients' domains.
    pub recipient_domains: Dictionary,
    /// Next hops.
    pub remotes: Dictionary,
    /// Replies: SMTP code, enhanced code, reason.
    pub replies: Vec<Reply>,
    reply_codes: FxHashMap<ReplyKey, u32>,
    remote_key: Vec<u8>,
    /// Codes of next hops seen lately, each in a place that its address names; 0 is none.
    recent_remotes: [u32; RECENT_REMOTES],
}

/// Most mail goes to a few dozen hosts. The dictionary remembers too, but would have to be asked with a key that is first put
/// together: 3 % of a backfill.
const RECENT_REMOTES: usize = 32;

/// What a remote server said, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reply {
    /// SMTP code.
    pub smtp_code: Option<u16>,
    /// `class << 20 | subject << 10 | detail`.
    pub enhanced_code: Option<u32>,
    /// Reason class.
    pub reason: &'static str,
}

/// A reply without its text: code, enhanced code, and where the reason's name stands in the program.
type ReplyKey = (u16, u32, usize);

impl Reply {
    /// Equal keys are equal replies. Equal replies may have two keys, where the program holds a name twice.
    fn key(&self) -> ReplyKey {
        let enhanced = self.enhanced_code.unwrap_or(u32::MAX);
        (self.smtp_code.unwrap_or(0), enhanced, self.reason.as_ptr().addr())
    }
}

impl Batch {
    /// An empty batch; `sequence` must differ from that of the batch before. `used` is a batch that is done: its memory
    /// is used again, because the system charges dearly for fresh pages.
    pub fn new(sequence: u32, used: Option<Batch>) -> Self {
        let mut batch = used.unwrap_or_default();
        batch.sequence = sequence;
        batch.log = 0;
        batch.logs.clear();
        batch.slots.clear();
        batch.rows.clear();
        batch.locals.clear();
        batch.recipient_domains.clear();
        batch.remotes.clear();
        batch.replies.clear();
        batch.reply_codes.clear();
        batch.recent_remotes.fill(0);
        // Code 0 is "nothing" in every dictionary.
        batch.recipient_domains.code(b"");
        batch.remotes.code(b"\0");
        batch.replies.push(Reply::default());
        batch
    }

    /// Makes room for so many rows, each perhaps with a message and a recipient of its own.
    pub fn reserve(&mut self, rows: usize) {
        self.rows.reserve(rows);
        self.slots.reserve(rows);
        self.locals.reserve(rows * PSEUDONYM_LEN);
    }

    /// The log that the next events come from.
    pub fn set_log(&mut self, log_id: u64) {
        let name = format!("{log_id:016x}");
        self.log = match self.logs.iter().position(|known| *known == name) {
            Some(at) => at as u32,
            None => {
                self.logs.push(name);
                self.logs.len() as u32 - 1
            }
        };
    }

    /// About how many bytes the batch holds.
    pub fn memory(&self) -> usize {
        self.rows.len() * ROW_BYTES + self.slots.len() * size_of::<SlotRow>() + self.locals.len()
    }

    fn reply_code(&mut self, reply: Reply) -> u32 {
        if reply.reason.is_empty() && reply == self.replies[0] {
            return 0;
        }
        let replies = &mut self.replies;
        *self.reply_codes.entry(reply.key()).or_insert_with(|| {
            replies.push(reply);
            replies.len() as u32 - 1
        })
    }

    fn remote_code(&mut self, host: &[u8], ip: Option<IpAddr>) -> u32 {
        if host.is_empty() && ip.is_none() {
            return 0;
        }
        let Some(IpAddr::V4(address)) = ip else {
            return self.new_remote_code(host, ip);
        };
        let place = (address.to_bits().wrapping_mul(0x9e37_79b9) >> 27) as usize;
        let recent = self.recent_remotes[place];
        if recent != 0 && is_remote(self.remotes.get(recent), host, address) {
            return recent;
        }
        let code = self.new_remote_code(host, ip);
        self.recent_remotes[place] = code;
        code
    }

    fn new_remote_code(&mut self, host: &[u8], ip: Option<IpAddr>) -> u32 {
        self.remote_key.clear();
        self.remote_key.extend_from_slice(host);
        self.remote_key.push(0);
        match ip {
            Some(IpAddr::V4(ip)) => self.remote_key.extend_from_slice(&ip.octets()),
            Some(IpAddr::V6(ip)) => self.remote_key.extend_from_slice(&ip.octets()),
            None => {}
        }
        self.remotes.code(&self.remote_key)
    }
}

/// Whether a key of [`Batch::remotes`] is of this host.
fn is_remote(key: &[u8], host: &[u8], address: Ipv4Addr) -> bool {
    key.split_last_chunk::<5>().is_some_and(|(name, rest)| {
        let [a, b, c, d] = address.octets();
        *rest == [0, a, b, c, d] && name == host
    })
}

/// Name and address of a code of [`Batch::remotes`].
pub fn split_remote(key: &[u8]) -> (&[u8], Option<IpAddr>) {
    // The address is 0, 4 or 16 bytes after the first NUL; host names hold none.
    let at = memchr::memchr(0, key).unwrap_or(key.len());
    let rest = key.get(at + 1..).unwrap_or_default();
    let ip = match rest.len() {
        4 => <[u8; 4]>::try_from(rest).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(rest).ok().map(IpAddr::from),
        _ => None,
    };
    (&key[..at], ip)
}

impl EventSink for Batch {
    fn batch(&self) -> u32 {
        self.sequence
    }

    fn message(&mut self, message: Message<'_>) -> Slot {
        self.slots.push(slot_row(&message));
        self.slots.len() as Slot - 1
    }

    fn attribute(&mut self, slot: Slot, message: Message<'_>) {
        self.slots[slot as usize] = slot_row(&message);
    }

    fn event(&mut self, event: &Event<'_>) {
        let reply = Reply {
            smtp_code: event.smtp_code,
            enhanced_code: event.enhanced_code,
            reason: event.reason,
        };
        let domain = event.recipient_domain;
        let domain = if domain.is_empty() {
            0
        } else {
            self.recipient_domains.code(domain)
        };
        let remote = self.remote_code(event.remote_host, event.remote_ip);
        let reply = self.reply_code(reply);
        self.locals.extend_from_slice(event.recipient_local);
        let rows = &mut self.rows;
        rows.ts_ms.push(event.ts_ms);
        rows.offset.push(event.offset as i64);
        rows.slot.push(event.slot);
        rows.log.push(self.log);
        rows.recipient_domain.push(domain);
        rows.remote.push(remote);
        rows.recipients.push(event.recipients);
        rows.bytes.push(event.bytes.unwrap_or(NONE));
        rows.queue_ms.push(event.queue_ms.unwrap_or(NONE));
        rows.delivery_ms.push(event.delivery_ms.unwrap_or(NONE));
        rows.reply.push(reply);
        rows.kind.push(event.kind as u8);
        rows.destination.push(event.destination.map_or(0, |d| d as u8 + 1));
        rows.messages.push(event.messages);
        rows.local_end.push(self.locals.len() as u32);
    }
}

fn slot_row(message: &Message<'_>) -> SlotRow {
    SlotRow {
        queue_id: QueueId::new(message.queue_id),
        origin: message.origin,
        first_hop: message.first_hop,
        message_key: message.message_key,
        orphan: message.orphan,
    }
}

/// A finished batch with what its numbers mean, ready for encoding on another thread.
#[derive(Debug)]
pub struct SealedBatch {
    /// The rows.
    pub batch: Batch,
    /// Senders by number.
    pub origins: OriginTable,
    /// Whose log.
    pub host: String,
    /// Kind of source.
    pub source: &'static str,
    /// MTA of the events.
    pub relay: String,
}
