//! Lines that the logging wrote twice: rsyslog with two rules for one file, one line in two files, a forwarder that sends
//! a batch again. A line with a queue ID says the same a second time if message, kind, recipient, second and next hop are
//! the same.
//!
//! What can come once only (an arrival, a delivery, the end) is a copy if it comes again. An attempt that failed may be made
//! again within the second, by hand or by the queue runner: it is a copy only where there is evidence that lines are written
//! twice, in this message's arrival or in what else came lately.
//!
//! An open message remembers its own events ([`SeenEvents`]); of those that left the queue lately so many are remembered that
//! a batch that is written again finds them ([`RecentlyLeft`]). What is further apart is compared with what is stored
//! (`store::segments::repeats`).

use crate::model::event::Kind;
use crate::model::queue_id::QueueId;
use crate::model::time::{MINUTE_MS, UtcMs, UtcS};
use crate::normalise::redact;
use mailpulse_parsers::syslog::Envelope;
use std::net::IpAddr;

/// Events that are remembered of a message beside its first.
const SEEN_MAX: usize = 128;
/// Messages that are remembered after they left the queue; a power of two.
const GONE_MAX: usize = 512;
/// Words of bits for their marks: sixteen bits for each.
const MARK_WORDS: usize = GONE_MAX * 16 / 64;
/// For so long a copy is evidence for what comes after it, milliseconds of the log.
const EVIDENCE_MS: i64 = 10 * MINUTE_MS;
/// Notes among a message's events that its arrival was written twice. No key is even.
const COPIED: u64 = u64::MAX - 1;
/// Refusals that are remembered.
const REFUSED_MAX: usize = 256;

/// The second of a time: copies of a line may print their time with more or fewer digits.
pub fn second(ts_ms: UtcMs) -> UtcS {
    ts_ms.second()
}

/// What tells one event of a message from its others: kind, second, and what else the line names. Odd, so never 0.
///
/// Nearly every line has one: it is made of sixteen bytes a step.
#[inline]
pub(crate) fn event_key<const N: usize>(kind: Kind, ts_ms: UtcMs, ip: Option<IpAddr>, parts: [&[u8]; N]) -> u64 {
    let bits = match ip {
        Some(IpAddr::V4(ip)) => u128::from(ip.to_bits()),
        Some(IpAddr::V6(ip)) => ip.to_bits(),
        None => 0,
    };
    let mut key = fold(
        (second(ts_ms).get() as u64) << 8 | kind as u64,
        bits as u64 ^ (bits >> 64) as u64,
    );
    for part in parts {
        key = fold_text(key, part);
    }
    key | 1
}

/// Two words into one, as wyhash does it.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    redact::fold(a ^ 0xa076_1d64_78bd_642f, b ^ 0xe703_7ed1_a0b4_28db)
}

/// Pieces of sixteen bytes, the last of which overlaps the one before it, and the length.
#[inline]
fn fold_text(key: u64, text: &[u8]) -> u64 {
    let halves = |piece: &[u8; 16]| {
        let (words, _) = piece.as_chunks::<8>();
        (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]))
    };
    let (mut key, (a, b)) = match (text.last_chunk::<16>(), text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(last), ..) => {
            let (pieces, _) = text.as_chunks::<16>();
            let whole = pieces.iter().map(halves);
            (whole.fold(key, |key, (a, b)| fold(a ^ key, b)), halves(last))
        }
        (None, Some(first), Some(last)) => (key, (u64::from_le_bytes(*first), u64::from_le_bytes(*last))),
        _ => (key, (text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0)),
    };
    key ^= (text.len() as u64) << 32;
    fold(a ^ key, b)
}

/// What tells a refusal that names no message from others: its line without the head. None where no process is named: two
/// may say the same.
pub(crate) fn refusal_key(ts_ms: UtcMs, envelope: &Envelope<'_>) -> Option<u64> {
    let pid = envelope.pid?.to_le_bytes();
    Some(event_key(
        Kind::Rejected,
        ts_ms,
        None,
        [envelope.tag, &pid, envelope.rest],
    ))
}

/// Events of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenEvents {
    /// Most messages have one or two that are asked for. 0 is none.
    first: [u64; 2],
    /// The newest of the others, oldest first.
    #[expect(
        clippy::box_collection,
        reason = "eight bytes for the messages that have no others, of which there are many"
    )]
    more: Option<Box<Vec<u64>>>,
}

impl SeenEvents {
    /// Notes an event; false if it was noted before.
    #[inline]
    pub fn is_new(&mut self, event: u64) -> bool {
        for place in &mut self.first {
            if *place == 0 {
                *place = event;
                return true;
            }
            if *place == event {
                return false;
            }
        }
        self.is_new_too(event)
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
        self.first.contains(&COPIED) || self.more.as_ref().is_some_and(|more| more.contains(&COPIED))
    }
}

/// A message that left the queue.
#[derive(Debug)]
struct Gone {
    id: QueueId,
    /// Its last line, UTC milliseconds.
    done_ms: UtcMs,
    seen: SeenEvents,
}

/// What leads from one message of a chain to the next.
#[derive(Debug, Clone, Copy)]
struct ChainLink {
    /// Some bits of its ID.
    mark: u32,
    /// Number of the one that left before it; where that is remembered no more, the chain ends.
    before: u32,
}

/// Messages that left the queue lately, and refusals, which belong to none.
#[derive(Debug, Default)]
pub struct RecentlyLeft {
    gone: Vec<Gone>,
    /// How many left, of which the last are remembered.
    count: u32,
    /// The newest message of each chain, by its number: a chain has those whose IDs are alike in a few bits. It is asked at
    /// every arrival, and so kept small and apart.
    newest: Vec<u32>,
    links: Vec<ChainLink>,
    /// A bit for each mark among those that are remembered: of the last `GONE_MAX` or fewer, and of as many before them. What
    /// arrives for the first time is nearly always none of them, and a chain would have to be walked to see it.
    marks: [Vec<u64>; 2],
    refused: Vec<u64>,
    refused_at: usize,
    /// The newest refusal, and where the next line stands.
    last_refusal: Option<(u64, u64)>,
    /// The newest line that was surely a copy.
    copy_ms: Option<UtcMs>,
}

impl RecentlyLeft {
    /// A line was a copy.
    pub(super) fn note_copy(&mut self, ts_ms: UtcMs) {
        self.copy_ms = self.copy_ms.max(Some(ts_ms));
    }

    /// Whether lines have been copies lately.
    #[inline]
    pub(super) fn has_copies(&self, ts_ms: UtcMs) -> bool {
        self.copy_ms
            .is_some_and(|copy_ms| (ts_ms - copy_ms).abs() <= EVIDENCE_MS)
    }

    /// A message left.
    #[inline]
    pub(super) fn left(&mut self, id: QueueId, done_ms: UtcMs, seen: SeenEvents) {
        let mark = mark(&id);
        let gone = Gone { id, done_ms, seen };
        let number = self.count;
        let at = place(number);
        if self.newest.is_empty() {
            // As far away as a number can be.
            self.newest = vec![number.wrapping_sub(u32::MAX / 2); GONE_MAX];
            self.marks = [vec![0; MARK_WORDS], vec![0; MARK_WORDS]];
        }
        if at == 0 {
            self.marks.swap(0, 1);
            self.marks[0].fill(0);
        }
        let (word, bit) = bit_of(mark);
        self.marks[0][word] |= bit;
        let before = std::mem::replace(&mut self.newest[place(mark)], number);
        let link = ChainLink { mark, before };
        match self.gone.get_mut(at) {
            Some(oldest) => {
                *oldest = gone;
                self.links[at] = link;
            }
            None => {
                self.gone.push(gone);
                self.links.push(link);
            }
        }
        self.count = number.wrapping_add(1);
    }

    /// Whether a message with this ID left at that second or later: then a line that would open or close it again was
    /// read before. IDs that are used again are used later.
    #[inline]
    pub(super) fn has_left(&self, id: &QueueId, ts_ms: UtcMs) -> bool {
        self.find(id, ts_ms).is_some()
    }

    /// Whether an event is one of a message that left; if the message did, the event is noted.
    pub(super) fn has_event(&mut self, id: &QueueId, ts_ms: UtcMs, event: u64) -> bool {
        self.find(id, ts_ms).is_some_and(|at| !self.gone[at].seen.is_new(event))
    }

    #[inline]
    fn find(&self, id: &QueueId, ts_ms: UtcMs) -> Option<usize> {
        let mark = mark(id);
        let (word, bit) = bit_of(mark);
        if (self.marks[0].get(word)? | self.marks[1].get(word)?) & bit == 0 {
            return None;
        }
        let mut number = *self.newest.get(place(mark))?;
        let mut age = 0;
        loop {
            // Each is older than the one before.
            let its_age = self.count.wrapping_sub(number);
            if its_age <= age || its_age > GONE_MAX as u32 {
                return None;
            }
            age = its_age;
            let at = place(number);
            let link = self.links.get(at)?;
            if link.mark == mark {
                let gone = &self.gone[at];
                if gone.id == *id && second(ts_ms) <= second(gone.done_ms) {
                    return Some(at);
                }
            }
            number = link.before;
        }
    }

    /// Notes a refusal by a process that serves many clients, one after the other: what it says again in the second is a copy
    /// only in the line behind (lines stand at `offset`, and the next at `end`), or where others were copies lately.
    pub(crate) fn is_copied_refusal(&mut self, refusal: u64, (offset, end): (u64, u64), ts_ms: UtcMs) -> bool {
        let is_behind = self.last_refusal.replace((refusal, end)) == Some((refusal, offset));
        !self.is_new_refusal(refusal) && (is_behind || self.has_copies(ts_ms))
    }

    /// Notes a refusal; false if it was noted before.
    pub(crate) fn is_new_refusal(&mut self, refusal: u64) -> bool {
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
fn mark(id: &QueueId) -> u32 {
    let mixed = id.words().iter().fold(0, |sum: u64, word| sum.rotate_left(23) ^ word);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// Where the bit of a mark stands.
#[inline]
fn bit_of(mark: u32) -> (usize, u64) {
    ((mark >> 6) as usize % MARK_WORDS, 1 << (mark & 63))
}

/// Where a message with this number stands, and the chain of this mark.
#[inline]
fn place(number: u32) -> usize {
    number as usize & (GONE_MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> QueueId {
        QueueId::new(format!("1tu9kb-{number:011}-0A1b").as_bytes()).unwrap()
    }

    #[test]
    fn an_event_is_new_once_and_the_oldest_is_forgotten_at_the_limit() {
        let mut seen = SeenEvents::default();
        let all = 1..=SEEN_MAX as u64 + 2;
        assert!(all.clone().all(|event| seen.is_new(event)));
        assert!(!all.clone().any(|event| seen.is_new(event)));
        assert!(seen.is_new(1_000));
        assert!(!seen.is_new(2) && !seen.is_new(4), "the first two stay, and the newest");
        assert!(seen.is_new(3), "the oldest of the others went");
        assert_eq!(seen.more.map(|more| more.len()), Some(SEEN_MAX));
    }

    #[test]
    fn what_names_another_recipient_host_or_second_is_another_event() {
        let key = |kind, ts_ms, ip: &str, to: &str| event_key(kind, ts_ms, ip.parse().ok(), [to.as_bytes(), b""]);
        let one = key(
            Kind::Delivered,
            UtcMs::new(5_200),
            "192.0.2.1",
            "bob-000123@example.net",
        );
        assert_eq!(
            one,
            key(
                Kind::Delivered,
                UtcMs::new(5_900),
                "192.0.2.1",
                "bob-000123@example.net"
            )
        );
        for other in [
            key(Kind::Deferred, UtcMs::new(5_200), "192.0.2.1", "bob-000123@example.net"),
            key(
                Kind::Delivered,
                UtcMs::new(6_200),
                "192.0.2.1",
                "bob-000123@example.net",
            ),
            key(
                Kind::Delivered,
                UtcMs::new(5_200),
                "192.0.2.2",
                "bob-000123@example.net",
            ),
            key(
                Kind::Delivered,
                UtcMs::new(5_200),
                "2001:db8::1",
                "bob-000123@example.net",
            ),
            key(
                Kind::Delivered,
                UtcMs::new(5_200),
                "192.0.2.1",
                "bob-000124@example.net",
            ),
            key(Kind::Delivered, UtcMs::new(5_200), "192.0.2.1", "bob-000123@example.ne"),
            event_key(
                Kind::Delivered,
                UtcMs::new(5_200),
                "192.0.2.1".parse().ok(),
                [b"bob-000123", b"@example.net"],
            ),
        ] {
            assert_ne!(one, other);
        }
        let short: std::collections::BTreeSet<u64> =
            ["", "a", "b", "aa", "ab", "ba", "a\0", "\0a", "aaaaaaa", "aaaaaaaa"]
                .map(|to| key(Kind::Delivered, UtcMs::new(5_200), "192.0.2.1", to))
                .into();
        assert_eq!(short.len(), 10);
    }

    #[test]
    fn a_message_that_left_is_known_until_so_many_others_left() {
        let mut recent = RecentlyLeft::default();
        for number in 0..GONE_MAX {
            recent.left(id(number), UtcMs::new(10_000), SeenEvents::default());
        }
        assert!((0..GONE_MAX).all(|number| recent.has_left(&id(number), UtcMs::new(10_400))));
        assert!(
            !recent.has_left(&id(3), UtcMs::new(11_000)),
            "an ID may be used again later"
        );
        assert!(!recent.has_event(&id(3), UtcMs::new(10_000), 7) && recent.has_event(&id(3), UtcMs::new(10_000), 7));
        recent.left(id(GONE_MAX), UtcMs::new(10_000), SeenEvents::default());
        assert!(!recent.has_left(&id(0), UtcMs::new(10_000)) && recent.has_left(&id(1), UtcMs::new(10_000)));
        for number in GONE_MAX + 1..5 * GONE_MAX {
            recent.left(id(number), UtcMs::new(10_000), SeenEvents::default());
        }
        // Also where the numbers begin anew.
        recent.count = u32::MAX - 7;
        recent.newest.fill(0);
        for number in 4 * GONE_MAX..5 * GONE_MAX {
            recent.left(id(number), UtcMs::new(10_000), SeenEvents::default());
        }
        let known = (0..5 * GONE_MAX).filter(|number| recent.has_left(&id(*number), UtcMs::new(10_000)));
        assert!(known.eq(4 * GONE_MAX..5 * GONE_MAX));
        assert_eq!(recent.gone.len(), GONE_MAX);
    }

    #[test]
    fn a_refusal_that_is_said_again_is_a_copy_in_the_next_line_or_among_copies() {
        let mut recent = RecentlyLeft::default();
        assert!(!recent.is_copied_refusal(7, (0, 100), UtcMs::new(5_000)));
        assert!(
            recent.is_copied_refusal(7, (100, 200), UtcMs::new(5_000)),
            "the next line"
        );
        assert!(
            recent.is_copied_refusal(7, (200, 300), UtcMs::new(5_000)),
            "and the third"
        );
        assert!(
            !recent.is_copied_refusal(7, (400, 500), UtcMs::new(5_000)),
            "another client of the same process"
        );
        recent.note_copy(UtcMs::new(4_000));
        assert!(
            recent.is_copied_refusal(7, (900, 1_000), UtcMs::new(5_000)),
            "others are copies"
        );
        assert!(!recent.is_copied_refusal(8, (1_000, 1_100), UtcMs::new(5_000)));
    }

    #[test]
    fn refusals_are_remembered_up_to_the_limit() {
        let mut recent = RecentlyLeft::default();
        assert!((0..=REFUSED_MAX as u64).all(|refusal| recent.is_new_refusal(refusal)));
        assert!(!recent.is_new_refusal(1) && recent.is_new_refusal(0));
        assert_eq!(recent.refused.len(), REFUSED_MAX);
    }
}
