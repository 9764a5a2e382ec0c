//! A chunk, its lines, and the pool that its buffer comes from and goes back to.

use std::sync::{Arc, Mutex, PoisonError};

use memchr::{Memchr, memchr_iter};

use super::super::Limits;
use super::super::identity::{ReadMark, Rung};

/// Why bytes of the content do not stand in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapKind {
    /// NULs at the start of a line.
    Nul,
    /// What a line has beyond the limit. One gap a line.
    Overlong,
    /// The rest of a line whose beginning was delivered earlier, when it had no newline yet.
    Flushed,
}

/// Bytes of the content that were skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkippedBytes {
    /// They stood before this index of the chunk's bytes.
    pub at: usize,
    /// How many.
    pub skipped: u64,
    /// Why.
    pub kind: GapKind,
}

/// Whole lines, and where they stand. Dropping it gives the buffer back to its pool.
#[derive(Debug)]
pub struct Chunk {
    pub(super) buf: Vec<u8>,
    pub(super) len: usize,
    pub(super) offset: u64,
    pub(super) end: ReadMark,
    pub(super) gaps: Vec<SkippedBytes>,
    pub(super) rungs: Vec<Rung>,
    pub(super) pool: Pool,
}

impl Chunk {
    /// Whole lines that stand in no file: their offsets are those in `bytes`.
    pub fn of_lines(bytes: Vec<u8>) -> Chunk {
        Chunk {
            len: bytes.len(),
            buf: bytes,
            offset: 0,
            end: ReadMark::default(),
            gaps: Vec::new(),
            rungs: Vec::new(),
            pool: Pool::none(),
        }
    }

    /// The lines with their newlines. The last one lacks it only when it was flushed. May be empty, when all there
    /// was is skipped.
    pub fn bytes(&self) -> &[u8] {
        &self.buf[..self.len]
    }

    /// Content offset at which the chunk begins; gaps at index 0 come after it.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Where it ends: what to store once its lines are stored.
    pub fn end(&self) -> ReadMark {
        self.end
    }

    /// Rungs of the ladder that this chunk reached, for [`super::super::identity::Position::advance`].
    pub(crate) fn rungs(&self) -> &[Rung] {
        &self.rungs
    }

    /// What was skipped, in order.
    pub fn gaps(&self) -> &[SkippedBytes] {
        &self.gaps
    }

    /// How many bytes were skipped for a reason.
    pub fn skipped(&self, kind: GapKind) -> u64 {
        self.gaps
            .iter()
            .filter(|gap| gap.kind == kind)
            .map(|gap| gap.skipped)
            .sum()
    }

    /// How many lines were cut at the limit.
    pub fn overlong_lines(&self) -> usize {
        self.gaps.iter().filter(|gap| gap.kind == GapKind::Overlong).count()
    }

    /// The lines, each with its content offset.
    pub fn lines(&self) -> ChunkLines<'_> {
        lines(self)
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.buf));
    }
}

/// The lines of a chunk as `(content offset, line)`, without newline and without the CR before it.
pub fn lines(chunk: &Chunk) -> ChunkLines<'_> {
    let bytes = chunk.bytes();
    ChunkLines {
        bytes,
        newlines: memchr_iter(b'\n', bytes),
        start: 0,
        shift: chunk.offset,
        gaps: &chunk.gaps,
    }
}

/// See [`lines`].
#[derive(Debug, Clone)]
pub struct ChunkLines<'c> {
    bytes: &'c [u8],
    newlines: Memchr<'c>,
    start: usize,
    /// Content offset minus index, as of `start`.
    shift: u64,
    gaps: &'c [SkippedBytes],
}

impl<'c> Iterator for ChunkLines<'c> {
    type Item = (u64, &'c [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let start = self.start;
        let end = match self.newlines.next() {
            Some(newline) => newline,
            None if start < self.bytes.len() => self.bytes.len(),
            None => return None,
        };
        while let [gap, rest @ ..] = self.gaps
            && gap.at <= start
        {
            self.shift += gap.skipped;
            self.gaps = rest;
        }
        self.start = end + 1;
        let line = &self.bytes[start..end];
        Some((self.shift + start as u64, line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

/// Buffers of one size for any number of [`super::Chunks`] and threads. It keeps what is given back and allocates what
/// is missing: memory is bounded by the number of chunks that are alive.
#[derive(Debug, Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    buffer_bytes: usize,
    keep_max: usize,
    free: Mutex<Vec<Vec<u8>>>,
}

impl Pool {
    /// Keeps nothing.
    fn none() -> Pool {
        Pool {
            shared: Arc::new(Shared {
                buffer_bytes: 0,
                keep_max: 0,
                free: Mutex::new(Vec::new()),
            }),
        }
    }

    /// Keeps at most `keep_max` buffers that nobody uses.
    pub fn new(limits: &Limits, keep_max: usize) -> Pool {
        let buffer_bytes = limits.chunk_bytes.max(1) + limits.line_bytes_max;
        Pool {
            shared: Arc::new(Shared {
                buffer_bytes,
                keep_max,
                free: Mutex::new(Vec::new()),
            }),
        }
    }

    pub(super) fn take(&self) -> Vec<u8> {
        let free = self.shared.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| vec![0; self.shared.buffer_bytes])
    }

    pub(super) fn give_back(&self, buf: Vec<u8>) {
        let mut free = self.shared.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.shared.keep_max && buf.len() == self.shared.buffer_bytes {
            free.push(buf);
        }
    }
}
