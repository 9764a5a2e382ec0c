//! Lines that the logging wrote twice: rsyslog with two rules for one file, one line in two files, a forwarder that sends
//! a batch again. A line with a queue ID says the same a second time if message, kind, recipient, second and next hop are
//! the same.
//!
//! What can come once only (an arrival, a delivery, the end) is a copy if it comes again. An attempt that failed may be made
//! again within the second, by hand or by the queue runner: it is a copy only where there is evidence that lines are written
//! twice, in this message's arrival or in what else came lately.
//!
//! An open message remembers its own events ([`Seen`]); of those that left the queue lately so many are remembered that
//! a batch that is written again finds them ([`Recent`]). What is further apart is compared with what is stored
//! (`store::known`).

use super::event::Kind;
use super::join::QueueId;
use mailpulse_parsers::syslog::Envelope;
use rustc_hash::FxHasher;
use std::hash::Hasher;
use std::net::IpAddr;

/// Events that are remembered of a message beside its first.
const SEEN_MAX: usize = 128;
/// Messages that are remembered after they left the queue.
const GONE_MAX: usize = 512;
/// Places that are counted, so that a new message need not be looked for among those that left.
const PLACES: usize = 1 << 14;
/// For so long a copy is evidence for what comes after it, milliseconds of the log.
const EVIDENCE_MS: i64 = 600_000;
/// Notes among a message's events that its arrival was written twice. No key is even.
const COPIED: u64 = u64::MAX - 1;
/// Refusals that are remembered.
const REFUSED_MAX: usize = 256;

/// The second of a time: copies of a line may print their time with more or fewer digits.
pub fn second(ts_ms: i64) -> i64 {
    ts_ms.div_euclid(1000)
}

/// What tells one event of a message from its others: kind, second, and what else the line names. Never 0.
#[inline]
pub fn event_key(kind: Kind, ts_ms: i64, ip: Option<IpAddr>, parts: &[&[u8]]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64((second(ts_ms) as u64) << 8 | kind as u64);
    match ip {
        Some(IpAddr::V4(ip)) => hasher.write_u32(ip.to_bits()),
        Some(IpAddr::V6(ip)) => hasher.write_u128(ip.to_bits()),
        None => {}
    }
    for part in parts {
        hasher.write(part);
        hasher.write_usize(part.len());
    }
    hasher.finish() | 1
}

/// What tells a refusal that names no message from others: its line without the head. None where no process is named: two
/// may say the same.
pub fn refusal_key(ts_ms: i64, envelope: &Envelope<'_>) -> Option<u64> {
    let pid = envelope.pid?.to_le_bytes();
    Some(event_key(
        Kind::Rejected,
        ts_ms,
        None,
        &[envelope.tag, &pid, envelope.rest],
    ))
}

/// Events of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Most messages have one that is asked for. 0 is none.
    first: u64,
    /// The newest of the others, oldest first.
    #[expect(
        clippy::box_collection,
        reason = "eight bytes for the messages that have no others, of which there are many"
    )]
    more: Option<Box<Vec<u64>>>,
}

impl Seen {
    /// Notes an event; false if it was noted before.
    #[inline]
    pub fn is_new(&mut self, event: u64) -> bool {
        if self.first == 0 {
            self.first = event;
            return true;
        }
        self.first != event && self.is_new_too(event)
    }

    fn is_new_too(&mut self, event: u64) -> bool {
        let more = self.more.get_or_insert_default();
        if more.contains(&event) {
            return false;
        }
        if more.len() == SEEN_MAX {
            more.remove(usize::from(more[0] == COPIED));
        }
        more.push(event);
        true
    }

    /// Notes an event; true if it was noted before, and this one is its copy. `lately` says whether other lines were
    /// written twice lately.
    #[inline]
    pub(super) fn is_copy(&mut self, kind: Kind, event: u64, lately: bool) -> bool {
        !self.is_new(event) && (kind.is_final() || lately || self.has_copies())
    }

    /// The message's arrival was written twice.
    pub(super) fn note_copies(&mut self) {
        self.is_new(COPIED);
    }

    /// Whether the message's arrival was written twice.
    pub(super) fn has_copies(&self) -> bool {
        self.first == COPIED || self.more.as_ref().is_some_and(|more| more.contains(&COPIED))
    }
}

/// A message that left the queue.
#[derive(Debug)]
struct Gone {
    id: QueueId,
    /// Its last line, UTC milliseconds.
    done_ms: i64,
    seen: Seen,
}

/// Messages that left the queue lately, and refusals, which belong to none.
#[derive(Debug, Default)]
pub struct Recent {
    gone: Vec<Gone>,
    /// Where the oldest stands, once it is full.
    at: usize,
    /// When the newest left.
    newest_ms: i64,
    /// How many of them have a place in common.
    places: Vec<u16>,
    refused: Vec<u64>,
    refused_at: usize,
    /// The newest line that was surely a copy.
    copy_ms: Option<i64>,
}

impl Recent {
    /// A line was a copy.
    pub(super) fn note_copy(&mut self, ts_ms: i64) {
        self.copy_ms = self.copy_ms.max(Some(ts_ms));
    }

    /// Whether lines have been copies lately.
    #[inline]
    pub(super) fn has_copies(&self, ts_ms: i64) -> bool {
        self.copy_ms
            .is_some_and(|copy_ms| (ts_ms - copy_ms).abs() <= EVIDENCE_MS)
    }

    /// A message left.
    #[inline]
    pub(super) fn left(&mut self, id: QueueId, done_ms: i64, seen: Seen) {
        if self.places.is_empty() {
            self.places.resize(PLACES, 0);
        }
        self.places[place(&id)] += 1;
        self.newest_ms = self.newest_ms.max(done_ms);
        let gone = Gone { id, done_ms, seen };
        if self.gone.len() < GONE_MAX {
            self.gone.push(gone);
            return;
        }
        let oldest = std::mem::replace(&mut self.gone[self.at], gone);
        self.places[place(&oldest.id)] -= 1;
        self.at = (self.at + 1) % GONE_MAX;
    }

    /// Whether a message with this ID left at that second or later: then a line that would open or close it again was
    /// read before. IDs that are used again are used later.
    #[inline]
    pub(super) fn has_left(&self, id: &QueueId, ts_ms: i64) -> bool {
        second(ts_ms) <= second(self.newest_ms) && self.find(id, ts_ms).is_some()
    }

    /// Whether an event is one of a message that left; if the message did, the event is noted.
    pub(super) fn has_event(&mut self, id: &QueueId, ts_ms: i64, event: u64) -> bool {
        self.find(id, ts_ms).is_some_and(|at| !self.gone[at].seen.is_new(event))
    }

    fn find(&self, id: &QueueId, ts_ms: i64) -> Option<usize> {
        if self.places.get(place(id)).is_none_or(|count| *count == 0) {
            return None;
        }
        let same = |gone: &Gone| gone.id == *id && second(ts_ms) <= second(gone.done_ms);
        self.gone.iter().position(same)
    }

    /// Notes a refusal; false if it was noted before.
    pub fn is_new_refusal(&mut self, refusal: u64) -> bool {
        if self.refused.contains(&refusal) {
            return false;
        }
        if self.refused.len() < REFUSED_MAX {
            self.refused.push(refusal);
        } else {
            self.refused[self.refused_at] = refusal;
            self.refused_at = (self.refused_at + 1) % REFUSED_MAX;
        }
        true
    }
}

#[inline]
fn place(id: &QueueId) -> usize {
    let mixed = id.words().iter().fold(0, |sum: u64, word| sum.rotate_left(23) ^ word);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> QueueId {
        QueueId::new(format!("1tu9kb-{number:011}-0A1b").as_bytes()).unwrap()
    }

    #[test]
    fn an_event_is_new_once_and_the_oldest_is_forgotten_at_the_limit() {
        let mut seen = Seen::default();
        let all = 1..=SEEN_MAX as u64 + 1;
        assert!(all.clone().all(|event| seen.is_new(event)));
        assert!(!all.clone().any(|event| seen.is_new(event)));
        assert!(seen.is_new(1_000));
        assert!(!seen.is_new(1) && !seen.is_new(3), "the first stays, and the newest");
        assert!(seen.is_new(2), "the oldest of the others went");
        assert_eq!(seen.more.map(|more| more.len()), Some(SEEN_MAX));
    }

    #[test]
    fn what_names_another_recipient_host_or_second_is_another_event() {
        let key = |kind, ts_ms, ip: &str, parts: &[&[u8]]| event_key(kind, ts_ms, ip.parse().ok(), parts);
        let one = key(Kind::Delivered, 5_200, "192.0.2.1", &[b"bob@example.net"]);
        assert_eq!(one, key(Kind::Delivered, 5_900, "192.0.2.1", &[b"bob@example.net"]));
        for other in [
            key(Kind::Deferred, 5_200, "192.0.2.1", &[b"bob@example.net"]),
            key(Kind::Delivered, 6_200, "192.0.2.1", &[b"bob@example.net"]),
            key(Kind::Delivered, 5_200, "192.0.2.2", &[b"bob@example.net"]),
            key(Kind::Delivered, 5_200, "2001:db8::1", &[b"bob@example.net"]),
            key(Kind::Delivered, 5_200, "192.0.2.1", &[b"rob@example.net"]),
            key(Kind::Delivered, 5_200, "192.0.2.1", &[b"bob@example", b".net"]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_message_that_left_is_known_until_so_many_others_left() {
        let mut recent = Recent::default();
        for number in 0..GONE_MAX {
            recent.left(id(number), 10_000, Seen::default());
        }
        assert!((0..GONE_MAX).all(|number| recent.has_left(&id(number), 10_400)));
        assert!(!recent.has_left(&id(3), 11_000), "an ID may be used again later");
        assert!(!recent.has_event(&id(3), 10_000, 7) && recent.has_event(&id(3), 10_000, 7));
        recent.left(id(GONE_MAX), 10_000, Seen::default());
        assert!(!recent.has_left(&id(0), 10_000) && recent.has_left(&id(1), 10_000));
        assert_eq!(recent.gone.len(), GONE_MAX);
    }

    #[test]
    fn refusals_are_remembered_up_to_the_limit() {
        let mut recent = Recent::default();
        assert!((0..=REFUSED_MAX as u64).all(|refusal| recent.is_new_refusal(refusal)));
        assert!(!recent.is_new_refusal(1) && recent.is_new_refusal(0));
        assert_eq!(recent.refused.len(), REFUSED_MAX);
    }
}
