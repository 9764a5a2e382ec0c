//! The table of the module's page, as code.

use crate::model::time::UtcMs;
use std::io;

use super::super::{Codec, Stamp};
use super::{HEAD_BYTES, Position, TAIL_BYTES, tail_hash};

/// A log of the store, and what has become of the file that was read last under it. After a truncation the old epoch
/// stays known beside the new one: a copy of its content may turn up.
#[derive(Debug, Clone)]
pub struct KnownIdentity {
    /// `log_id(host, kind, first line, 0)`; `None` while the first line is unfinished.
    pub base: Option<u64>,
    /// Its number among the logs with that base.
    pub ordinal: u32,
    /// How far it was read.
    pub position: Position,
    /// What the file system says of its file now.
    pub old_file: OldFile,
}

/// The file that was read last under a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldFile {
    /// Its path is gone, or another file now.
    Gone,
    /// It is still there: same device and inode.
    Alive {
        /// Its size now.
        size: u64,
        /// Its time of change now.
        mtime_ms: UtcMs,
    },
}

/// A file that was found.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'f> {
    /// The file now.
    pub stamp: Stamp,
    /// As in [`KnownIdentity`].
    pub base: Option<u64>,
    /// The first bytes of its content: 1 024, or all there are.
    pub head: &'f [u8],
    /// The length of its content, if it is known without decoding.
    pub content_len: Option<u64>,
    /// Known logs that decoding has shown not to be this one (`MarkerMismatch`).
    pub refuted: &'f [usize],
    /// The highest number among logs with this base that are known no more: it is not given again.
    pub forgotten: Option<u32>,
    /// Nobody has written to it for a while: what it holds is all.
    pub settled: bool,
}

/// What to do with a file. `known` is an index into the slice that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogVerdict {
    /// A log that is not known. Read it from 0 under `ordinal`.
    New {
        /// Its number among the logs with this base.
        ordinal: u32,
        /// A known log with the same head, which it was kept apart from. Worth a warning.
        resembles: Option<usize>,
    },
    /// The file of a known log: read on.
    Resume {
        /// Which.
        known: usize,
        /// From here.
        offset: u64,
        /// The marker was not looked at yet: `Chunks::resume` does.
        unverified: bool,
    },
    /// The file of a known log, truncated, and perhaps written again: read from 0 under the next epoch.
    Truncated {
        /// Which.
        known: usize,
        /// The next epoch.
        epoch: u32,
        /// Its number among the logs with this base: what is read now is another log.
        ordinal: u32,
        /// Bytes that were in the file when it was last looked at and had not been read. There may have been more.
        lost_bytes_possible: u64,
    },
    /// A known log in another file: moved, copied or compressed. Read on in this one.
    SameLogElsewhere {
        /// Which.
        known: usize,
        /// From here.
        offset: u64,
        /// As in `Resume`.
        unverified: bool,
    },
    /// The file of a known log, shorter than what was read of it, and the same so far: a program may be writing it anew.
    /// Nothing in it is new; to be looked at again when it has grown or has settled.
    Unfinished {
        /// Which.
        known: usize,
    },
    /// A copy that ends before what was read already: nothing in it is new.
    ShorterCopy {
        /// Which.
        known: usize,
        /// Both agree at this offset.
        agreed_to: u64,
    },
    /// Not touched since all of it was delivered: do not even open it.
    Complete {
        /// Which.
        known: usize,
    },
}

/// The log whose file has not been touched since all of it was delivered. To be asked before a file is opened.
pub fn unchanged<'k>(known: impl IntoIterator<Item = &'k KnownIdentity>, stamp: &Stamp) -> Option<usize> {
    known
        .into_iter()
        .position(|log| log.position.complete && log.position.stamp == *stamp)
}

/// Decides. `read_before(offset, len)` gives the `len` bytes of the candidate's content that end at `offset`, or
/// `None` if that needs decoding ([`super::super::Content::read_before`]).
pub fn decide(
    known: &[KnownIdentity],
    candidate: &Candidate<'_>,
    read_before: &mut dyn FnMut(u64, usize) -> io::Result<Option<Vec<u8>>>,
) -> io::Result<LogVerdict> {
    if let Some(known) = unchanged(known, &candidate.stamp) {
        return Ok(LogVerdict::Complete { known });
    }
    let mut alike: Vec<usize> = (0..known.len())
        .filter(|index| is_alike(&known[*index], candidate))
        .collect();
    alike.retain(|index| !candidate.refuted.contains(index));
    // The likeliest first: its own file, then the longest proof.
    alike.sort_by_key(|index| {
        let position = &known[*index].position;
        let own = position.stamp.same_file(&candidate.stamp);
        (
            !own,
            std::cmp::Reverse((position.head.len, position.mark.offset)),
            *index,
        )
    });
    for &index in &alike {
        if let Some(verdict) = judge(index, &known[index], candidate, read_before)? {
            return Ok(verdict);
        }
    }
    if let Some(known) = known.iter().position(|log| is_begun_anew(log, candidate)) {
        return Ok(LogVerdict::Unfinished { known });
    }
    let own = (0..known.len()).filter(|index| is_own_and_truncated(&known[*index], candidate));
    Ok(match own.max_by_key(|index| known[*index].position.epoch) {
        Some(index) => truncated(index, known, candidate),
        None => new(known, candidate, alike.first().or(candidate.refuted.first()).copied()),
    })
}

/// Whether a known log may be the candidate's: by its head, or by its file where there is no head.
fn is_alike(log: &KnownIdentity, candidate: &Candidate<'_>) -> bool {
    let position = &log.position;
    if position.head.len == 0 {
        return position.stamp.same_file(&candidate.stamp);
    }
    position.head.begins(candidate.head)
}

/// Same file, and its content is gone or begins alike: what was read is not there any more.
fn is_own_and_truncated(log: &KnownIdentity, candidate: &Candidate<'_>) -> bool {
    let position = &log.position;
    let own = position.stamp.same_file(&candidate.stamp);
    own && position.head.len > 0 && (candidate.head.is_empty() || position.head.begins(candidate.head))
}

/// Same file, with the same first line and no more than begins the head: the rest may be on its way.
fn is_begun_anew(log: &KnownIdentity, candidate: &Candidate<'_>) -> bool {
    let position = &log.position;
    let is_part = (1..usize::from(position.head.len)).contains(&candidate.head.len());
    let own = position.stamp.same_file(&candidate.stamp) && candidate.stamp.codec == Codec::Plain;
    own && is_part && !candidate.settled && log.base.is_some() && log.base == candidate.base
}

/// One known log with an equal head; `None` if it is not this one.
fn judge(
    index: usize,
    log: &KnownIdentity,
    candidate: &Candidate<'_>,
    read_before: &mut dyn FnMut(u64, usize) -> io::Result<Option<Vec<u8>>>,
) -> io::Result<Option<LogVerdict>> {
    let (position, mark) = (&log.position, log.position.mark);
    let own = position.stamp.same_file(&candidate.stamp);
    let go_on = |unverified| {
        let (known, offset) = (index, mark.offset);
        match own {
            true => LogVerdict::Resume {
                known,
                offset,
                unverified,
            },
            false => LogVerdict::SameLogElsewhere {
                known,
                offset,
                unverified,
            },
        }
    };
    if candidate.content_len.is_some_and(|len| len < mark.offset) {
        let len = candidate.content_len.unwrap_or(0);
        return match (own, candidate.settled) {
            (true, true) => Ok(None),
            (true, false) => unfinished(index, log, len, read_before),
            (false, _) => shorter_copy(index, log, len, read_before),
        };
    }
    if !own && proves_no_more_than_the_head(log, candidate) {
        return Ok(None);
    }
    if mark.offset == 0 {
        return Ok(Some(go_on(false)));
    }
    Ok(match read_before(mark.offset, mark.tail_len())? {
        Some(before) => (tail_hash(&before) == mark.tail).then(|| go_on(false)),
        None if candidate.stamp.codec == Codec::Plain => None,
        None => Some(go_on(true)),
    })
}

/// The old file lives and grows, and all that was read of it lies within the head.
fn proves_no_more_than_the_head(log: &KnownIdentity, candidate: &Candidate<'_>) -> bool {
    let Position { mark, stamp, .. } = &log.position;
    let grows = match log.old_file {
        OldFile::Gone => false,
        OldFile::Alive { size, mtime_ms } => size > stamp.size || (size == stamp.size && mtime_ms != stamp.mtime_ms),
    };
    grows && candidate.stamp.codec == Codec::Plain && mark.offset <= HEAD_BYTES as u64
}

fn unfinished(
    known: usize,
    log: &KnownIdentity,
    len: u64,
    read_before: &mut dyn FnMut(u64, usize) -> io::Result<Option<Vec<u8>>>,
) -> io::Result<Option<LogVerdict>> {
    let agrees = match log.position.marks.highest_within(len) {
        Some((offset, tail)) => read_before(offset, TAIL_BYTES)?.is_some_and(|before| tail_hash(&before) == tail),
        // Below the first rung the head is all there is to say.
        None => true,
    };
    Ok(agrees.then_some(LogVerdict::Unfinished { known }))
}

fn shorter_copy(
    known: usize,
    log: &KnownIdentity,
    len: u64,
    read_before: &mut dyn FnMut(u64, usize) -> io::Result<Option<Vec<u8>>>,
) -> io::Result<Option<LogVerdict>> {
    // Within the head a mark proves nothing that the head did not.
    let Some((offset, tail)) = log
        .position
        .marks
        .highest_within(len)
        .filter(|(at, _)| *at > HEAD_BYTES as u64)
    else {
        return Ok(None);
    };
    let before = read_before(offset, TAIL_BYTES)?;
    let agrees = before.is_some_and(|before| tail_hash(&before) == tail);
    Ok(agrees.then_some(LogVerdict::ShorterCopy {
        known,
        agreed_to: offset,
    }))
}

fn truncated(index: usize, known: &[KnownIdentity], candidate: &Candidate<'_>) -> LogVerdict {
    let Position { mark, stamp, epoch, .. } = &known[index].position;
    let lost_bytes_possible = if stamp.codec == Codec::Plain {
        stamp.size.saturating_sub(mark.offset)
    } else {
        0
    };
    LogVerdict::Truncated {
        known: index,
        epoch: epoch + 1,
        ordinal: next_ordinal(known, candidate),
        lost_bytes_possible,
    }
}

fn new(known: &[KnownIdentity], candidate: &Candidate<'_>, resembles: Option<usize>) -> LogVerdict {
    LogVerdict::New {
        ordinal: next_ordinal(known, candidate),
        resembles,
    }
}

/// A number that no log with the candidate's base has or had: how many there are says nothing once one was forgotten.
fn next_ordinal(known: &[KnownIdentity], candidate: &Candidate<'_>) -> u32 {
    let twins = known.iter().filter(|log| log.base == candidate.base);
    let taken = twins.map(|log| log.ordinal).chain(candidate.forgotten);
    taken.max().map_or(0, |highest| highest.saturating_add(1))
}
