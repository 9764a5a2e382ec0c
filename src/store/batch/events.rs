//! The batch itself: events go in, columns come to be.

use super::repeats::Repeats;
use super::rows::{BatchRow, BatchRows, Fresh, NONE};
use super::wanted::WantedRows;
use crate::model::dictionary::{Dictionary, same};
use crate::model::event::{Event, EventSink, Message, Slot};
use crate::normalise::origins::OriginTable;
use crate::normalise::provider::Providers;
use crate::normalise::redact::{NAME_BYTES_MAX, PSEUDONYM_LEN, bounded};
use mailpulse_parsers::reply::ProviderCode;
use rustc_hash::FxHashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Events on their way to a segment.
#[derive(Debug, Default)]
pub struct Batch {
    sequence: u32,
    log: u32,
    log_id: u64,
    /// Which rows are kept, where not all are: those that the store has already are not added again.
    pub wanted: Option<Arc<WantedRows>>,
    /// Events of other logs that the log in hand may repeat.
    pub known: Option<Box<dyn Repeats>>,
    /// The event that came last was known: it was not added.
    pub repeated: bool,
    /// Logs by number: log ID as 16 hexadecimal digits.
    pub logs: Vec<String>,
    /// Messages.
    pub slots: Vec<Message>,
    /// BatchRows in the order of reading, as far as [`Batch::settle`] has come.
    pub rows: BatchRows,
    /// Those after them.
    fresh: Box<Fresh>,
    /// Recipients' local parts, end to end.
    pub locals: Vec<u8>,
    /// Recipients' domains.
    pub recipient_domains: Dictionary,
    /// Next hops.
    pub remotes: Dictionary,
    /// Words of replies, as far as they are kept.
    pub reply_words: Dictionary,
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
    /// The provider's own code.
    pub provider_code: Option<ProviderCode>,
    /// Code of its words in [`Batch::reply_words`]; 0 is none.
    pub words: u32,
}

/// A reply: codes, where the reason's name stands in the program, and the code of its words.
type ReplyKey = (u16, u32, usize, Option<ProviderCode>, u32);

impl Reply {
    /// Equal keys are equal replies. Equal replies may have two keys, where the program holds a name twice.
    fn key(&self) -> ReplyKey {
        let enhanced = self.enhanced_code.unwrap_or(u32::MAX);
        let reason = self.reason.as_ptr().addr();
        let code = self.smtp_code.unwrap_or(0);
        (code, enhanced, reason, self.provider_code, self.words)
    }
}

impl Batch {
    /// An empty batch; `sequence` must differ from that of the batch before. `used` is a batch that is done: its memory
    /// is used again, because the system charges dearly for fresh pages.
    pub fn new(sequence: u32, used: Option<Batch>) -> Self {
        let mut batch = used.unwrap_or_default();
        batch.sequence = sequence;
        batch.log = 0;
        batch.wanted = None;
        batch.known = None;
        batch.repeated = false;
        batch.logs.clear();
        batch.slots.clear();
        batch.rows.clear();
        batch.fresh.clear();
        batch.locals.clear();
        batch.recipient_domains.clear();
        batch.remotes.clear();
        batch.reply_words.clear();
        batch.replies.clear();
        batch.reply_codes.clear();
        batch.recent_remotes.fill(0);
        // Code 0 is "nothing" in every dictionary.
        batch.recipient_domains.code(b"");
        batch.remotes.code(b"\0");
        batch.reply_words.code(b"");
        batch.replies.push(Reply::default());
        batch
    }

    /// Makes room for so many rows, each perhaps with a message and a recipient of its own.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.rows.reserve(rows);
        self.slots.reserve(rows);
        self.locals.reserve(rows * PSEUDONYM_LEN);
    }

    /// The log that the next events come from.
    pub(crate) fn set_log(&mut self, log_id: u64) {
        self.log_id = log_id;
        let name = format!("{log_id:016x}");
        self.log = match self.logs.iter().position(|known| *known == name) {
            Some(at) => at as u32,
            None => {
                self.logs.push(name);
                self.logs.len() as u32 - 1
            }
        };
    }

    /// The log that the next events come from, if it was named.
    pub fn log_id(&self) -> Option<u64> {
        u64::from_str_radix(self.logs.get(self.log as usize)?, 16).ok()
    }

    /// Number in this batch of the log that the next events come from.
    pub fn log(&self) -> u32 {
        self.log
    }

    /// Back to a log of this batch, by its number.
    pub(crate) fn back_to_log(&mut self, number: u32) {
        self.log = number;
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len() + self.fresh.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts all rows where whoever encodes them looks.
    pub fn settle(&mut self) {
        self.fresh.move_to(&mut self.rows);
    }

    /// About how many bytes the batch holds, names among them.
    pub fn memory(&self) -> usize {
        self.len() * BatchRows::ROW_BYTES
            + self.slots.len() * size_of::<Message>()
            + self.locals.len()
            + self.replies.len() * size_of::<Reply>()
            + self.recipient_domains.memory()
            + self.remotes.memory()
            + self.reply_words.memory()
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
        let Some(address) = ip else {
            return self.new_remote_code(host, ip);
        };
        let bits = match address {
            IpAddr::V4(address) => address.to_bits(),
            // Hosts of one network differ in the last bits, networks in the first.
            IpAddr::V6(address) => (address.to_bits() >> 80) as u32 ^ address.to_bits() as u32,
        };
        let place = (bits.wrapping_mul(0x9e37_79b9) >> 27) as usize;
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
fn is_remote(key: &[u8], host: &[u8], address: IpAddr) -> bool {
    let name = match address {
        IpAddr::V4(address) => key.strip_suffix(&address.octets()),
        IpAddr::V6(address) => key.strip_suffix(&address.octets()),
    };
    name.and_then(|name| name.strip_suffix(b"\0"))
        .is_some_and(|name| same(name, host))
}

/// Name and address of a code of [`Batch::remotes`].
pub(crate) fn split_remote(key: &[u8]) -> (&[u8], Option<IpAddr>) {
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

    fn message(&mut self, message: Message) -> Slot {
        self.slots.push(message);
        self.slots.len() as Slot - 1
    }

    fn attribute(&mut self, slot: Slot, message: Message) {
        self.slots[slot as usize] = message;
    }

    fn repeated(&mut self) {
        self.repeated = true;
    }

    fn event(&mut self, event: &Event<'_>) {
        let long = [event.recipient_local, event.recipient_domain, event.remote_host];
        if long.iter().any(|name| name.len() > NAME_BYTES_MAX) {
            return self.event(&Event {
                recipient_local: bounded(event.recipient_local),
                recipient_domain: bounded(event.recipient_domain),
                remote_host: bounded(event.remote_host),
                ..*event
            });
        }
        // All events are compared, those too that are not wanted: copies are counted.
        if let Some(known) = &mut self.known
            && known.has(event, &self.slots[event.slot as usize])
        {
            self.repeated = true;
            return;
        }
        if let Some(wanted) = &self.wanted
            && !wanted.has(self.log_id, event.offset, event.ts_ms)
        {
            return;
        }
        let reply = Reply {
            smtp_code: event.smtp_code,
            enhanced_code: event.enhanced_code,
            reason: event.reason,
            provider_code: event.provider_code,
            words: match event.reply {
                b"" => 0,
                words => self.reply_words.code(words),
            },
        };
        let domain = event.recipient_domain;
        let domain = if domain.is_empty() {
            0
        } else {
            self.recipient_domains.code(domain)
        };
        let remote = self.remote_code(event.remote_host, event.remote_ip);
        let reply = self.reply_code(reply);
        match <&[u8; PSEUDONYM_LEN]>::try_from(event.recipient_local) {
            // A copy of known length.
            Ok(pseudonym) => self.locals.extend_from_slice(pseudonym),
            Err(_) => self.locals.extend_from_slice(event.recipient_local),
        }
        let row = BatchRow {
            ts_ms: event.ts_ms.get(),
            offset: event.offset as i64,
            slot: event.slot,
            log: self.log,
            recipient_domain: domain,
            remote,
            recipients: event.recipients,
            bytes: event.bytes.unwrap_or(NONE),
            queue_ms: event.queue_ms.unwrap_or(NONE),
            delivery_ms: event.delivery_ms.unwrap_or(NONE),
            reply,
            kind: event.kind as u8,
            destination: event.destination.map_or(0, |d| d as u8 + 1),
            reach: event.reach.map_or(0, |reach| reach as u8 + 1),
            messages: event.messages,
            local_len: event.recipient_local.len() as u32,
        };
        if self.fresh.put(row) {
            self.settle();
        }
    }
}

/// A finished batch with what its numbers mean, ready for encoding on another thread.
#[derive(Debug)]
pub(crate) struct SealedBatch {
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
    /// Who runs the receiving sides.
    pub providers: Providers,
}
