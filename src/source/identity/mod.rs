//! Which log is this file? A pure decision: what is known, what the file shows, and one small reader go in.
//!
//! A **log** is a sequence of content bytes of one host and kind. Files come and go under it: it is renamed, copied,
//! compressed, truncated. It is known by a hash of its head (up to 1 024 bytes of content, growing with it), and by a
//! **mark** where reading ended: the offset in content and a hash of the 64 bytes before it. Head and mark together
//! are the proof; a file's device and inode only say where to look first.
//!
//! | device, inode | head | at the known offset | verdict |
//! |---|---|---|---|
//! | same, and size, time, codec too | – | – | `Complete`, if all of it was delivered |
//! | same | same | marker agrees | `Resume` |
//! | same | same | shorter, agrees at the marks below, and is being written | `Unfinished`: it may be written anew |
//! | same | same | shorter, or marker differs | `Truncated`: next epoch, from 0 |
//! | same | differs | – | `New`: the inode was reused |
//! | other | same | marker agrees | `SameLogElsewhere`: moved, copied or compressed |
//! | other | same | shorter, but agrees at the marks below | `ShorterCopy`: nothing in it is new |
//! | other | same | marker differs | `New` with the next ordinal: never merged by equal heads alone |
//! | same | empty | – | `Resume` at 0, or `Truncated` |
//!
//! One more rule keeps two logs apart that begin alike: while the file of the known log is alive and growing, and all
//! that was read of it lies within the head, an equal marker says no more than the head. Such a file is `New`.

mod checkpoints;
mod decide;
#[cfg(test)]
mod tests;

pub use checkpoints::Marks;
pub(crate) use checkpoints::{Rung, next_rung};
pub use decide::{Candidate, KnownIdentity, LogVerdict, OldFile, decide, unchanged};

use super::Stamp;

/// How much of the content the head covers at most.
pub(crate) const HEAD_BYTES: usize = 1024;
/// How much before a mark its hash covers at most.
pub(crate) const TAIL_BYTES: usize = 64;

/// The hash of the first bytes of a log's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeadHash {
    /// How many bytes it covers.
    pub len: u16,
    /// Their hash.
    pub hash: [u8; 16],
}

impl HeadHash {
    /// The head of content that begins with `first`; bytes beyond the first 1 024 are not looked at.
    pub fn of(first: &[u8]) -> HeadHash {
        let covered = &first[..first.len().min(HEAD_BYTES)];
        HeadHash {
            len: covered.len() as u16,
            hash: hash16(covered),
        }
    }

    /// Whether content that begins with `first` begins with this head too. Of an empty head nobody can say.
    pub fn begins(&self, first: &[u8]) -> bool {
        let len = usize::from(self.len);
        len > 0 && first.len() >= len && hash16(&first[..len]) == self.hash
    }
}

/// Where delivery ended, and what stood before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadMark {
    /// Content offset.
    pub offset: u64,
    /// Hash of the 64 bytes before it, or of all there are. Without meaning at offset 0.
    pub tail: [u8; 16],
    /// The last line was delivered without its newline: what comes up to the newline belongs to it.
    pub partial_flushed: bool,
}

impl ReadMark {
    /// How many bytes the hash covers.
    pub(crate) fn tail_len(&self) -> usize {
        usize::try_from(self.offset).map_or(TAIL_BYTES, |offset| offset.min(TAIL_BYTES))
    }
}

/// All that the store keeps of how far a log was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The growing head.
    pub head: HeadHash,
    /// Where delivery ended.
    pub mark: ReadMark,
    /// The ladder of hashes up to there.
    pub marks: Marks,
    /// The file that was read last under this log.
    pub stamp: Stamp,
    /// Counts truncations: offsets of different epochs are different places.
    pub epoch: u32,
    /// All of that file was delivered, also its last line.
    pub complete: bool,
}

impl Position {
    /// Of a log that nothing was read of.
    pub fn start(stamp: Stamp, first: &[u8], epoch: u32) -> Position {
        let (mark, marks) = (ReadMark::default(), Marks::default());
        Position {
            head: HeadHash::of(first),
            mark,
            marks,
            stamp,
            epoch,
            complete: false,
        }
    }

    /// Moves to the end of a chunk whose lines are stored: [`super::Chunk::end`] and [`super::Chunk::rungs`].
    pub fn advance(&mut self, end: ReadMark, rungs: &[Rung]) {
        self.mark = end;
        rungs.iter().for_each(|rung| self.marks.push(*rung));
        self.complete = false;
    }
}

/// The first line, as [`log_id`] wants it: up to 1 024 bytes without the newline. `None` while it is unfinished and
/// shorter than that, unless nothing more will come (`whole`).
pub(crate) fn first_line(first: &[u8], whole: bool) -> Option<&[u8]> {
    let covered = &first[..first.len().min(HEAD_BYTES)];
    match memchr::memchr(b'\n', covered) {
        Some(newline) => Some(&covered[..newline]),
        None if covered.len() == HEAD_BYTES || (whole && !covered.is_empty()) => Some(covered),
        None => None,
    }
}

/// The identity of a log: stable over runs, machines and versions. `ordinal` tells logs apart that share host, kind
/// and first line; the first of them has 0.
pub fn log_id(host: &str, kind: &str, first_line: &[u8], ordinal: u32) -> u64 {
    let mut hasher = blake3::Hasher::new_derive_key("mailpulse 2026 log identity");
    for field in [
        host.as_bytes(),
        kind.as_bytes(),
        &first_line[..first_line.len().min(HEAD_BYTES)],
    ] {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    hasher.update(&ordinal.to_le_bytes());
    let mut id = [0; 8];
    hasher.finalize_xof().fill(&mut id);
    u64::from_le_bytes(id)
}

/// The identity of a log with this number among those of host, kind and first line, whose first has `base`.
pub(crate) fn numbered_id(host: &str, kind: &str, base: u64, ordinal: u32) -> u64 {
    match ordinal {
        0 => base,
        n => base ^ log_id(host, kind, &base.to_le_bytes(), n),
    }
}

/// The hash in a [`ReadMark`].
pub(crate) fn tail_hash(before: &[u8]) -> [u8; 16] {
    hash16(&before[before.len().saturating_sub(TAIL_BYTES)..])
}

fn hash16(bytes: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    short
}
