//! Content, cut into chunks of whole lines.
//!
//! A chunk is read straight into a pooled buffer and cut after its last newline; the unfinished line moves to the
//! front of the next buffer. Two things never reach a parser, and both leave a [`SkippedBytes`], so that the offset of every
//! line in the content stays true:
//!
//! * what a line has beyond `line_bytes_max` (its beginning is kept);
//! * a run of NULs at the start of a line, as a crash or `copytruncate` leaves it.
//!
//! A chunk without either (all but every chunk) is found to be one by two vectorised looks and is not copied: see
//! `chunks/sieve.rs` for the others.
//!
//! The position moves only past a newline. A last line without one is delivered only by [`Chunks::flush_partial`];
//! what is appended to it afterwards is skipped up to its newline, so that it makes no second event.

mod lines;
mod recent;
mod resume;
mod sieve;
#[cfg(test)]
mod tests;

use std::mem;

use memchr::{memchr, memrchr};

pub use lines::{Chunk, ChunkLines, GapKind, Pool, SkippedBytes, lines};
use recent::TailBytes;
pub use resume::{MarkerMismatch, ResumeError};
use sieve::{Sieve, SieveState, has_overlong};

use super::identity::{ReadMark, Rung, next_rung};
use super::{Content, Limits, SourceError};

/// What stands after the last newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// Where the unfinished line begins.
    pub offset: u64,
    /// How long it is so far.
    pub len: u64,
    /// How much of it is a run of NULs at its start. A rest of nothing but NULs is no line.
    pub nul_bytes: u64,
}

/// Cuts one file's content into chunks. See the module's page.
pub struct Chunks {
    content: Content,
    pool: Pool,
    limits: Limits,
    /// The unfinished line stands in `buf[..kept]`, as far as it is kept at all.
    buf: Vec<u8>,
    kept: usize,
    state: SieveState,
    gaps: Vec<SkippedBytes>,
    /// Content offset at which the unfinished line begins, NULs included.
    line_start: u64,
    /// Content offset of the next byte to read.
    at: u64,
    recent: TailBytes,
    /// Rungs of the ladder that were read, and not delivered yet.
    rungs: Vec<Rung>,
    end: ReadMark,
    flush: bool,
    failed: Option<SourceError>,
    ended: bool,
}

impl Chunks {
    /// From the first byte.
    pub fn new(content: Content, limits: &Limits, pool: &Pool) -> Chunks {
        Chunks {
            content,
            pool: pool.clone(),
            limits: *limits,
            buf: pool.take(),
            kept: 0,
            state: SieveState::Start,
            gaps: Vec::new(),
            line_start: 0,
            at: 0,
            recent: TailBytes::default(),
            rungs: Vec::new(),
            end: ReadMark::default(),
            flush: false,
            failed: None,
            ended: false,
        }
    }

    /// Whether a last line without a newline is delivered: yes for archives and files that were quiet for a minute.
    /// May be turned on after the end was reached. After a failure it is never delivered.
    pub fn flush_partial(&mut self, flush: bool) {
        self.flush = flush;
    }

    /// The next chunk; `None` at the end. A plain file that has grown gives more afterwards. A failure is returned
    /// once, after everything that was read before it.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        loop {
            if self.ended {
                return Ok(None);
            }
            let filled = self.fill();
            if filled > self.kept {
                if let Some(chunk) = self.take_lines(filled) {
                    return Ok(Some(chunk));
                }
                continue;
            }
            if let Some(error) = self.failed.take() {
                self.ended = true;
                return Err(error);
            }
            return Ok(self.take_partial());
        }
    }

    /// The end of what was delivered: what a commit stores, and where the next run begins.
    pub fn end(&self) -> ReadMark {
        self.end
    }

    /// What was read and not delivered, because no newline ended it yet.
    pub fn partial(&self) -> Option<Partial> {
        let len = self.at - self.line_start;
        let nul_bytes = self
            .gaps
            .iter()
            .filter(|gap| gap.kind == GapKind::Nul)
            .map(|gap| gap.skipped)
            .sum();
        (len > 0).then_some(Partial {
            offset: self.line_start,
            len,
            nul_bytes,
        })
    }

    /// The content underneath: its path, stamp, notes and progress.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Fills the buffer behind the unfinished line; returns how far.
    fn fill(&mut self) -> usize {
        let mut filled = self.kept;
        while filled < self.buf.len() && self.failed.is_none() {
            match self.content.read_some(&mut self.buf[filled..]) {
                Ok(0) => break,
                Ok(got) => filled += got,
                Err(error) => self.failed = Some(error),
            }
        }
        filled
    }

    /// Takes the raw bytes in `buf[kept..filled]`; gives a chunk if a newline is among them.
    fn take_lines(&mut self, filled: usize) -> Option<Chunk> {
        let raw = &self.buf[self.kept..filled];
        let newline = memrchr(b'\n', raw);
        let end = newline.map(|index| {
            let offset = self.at + index as u64 + 1;
            ReadMark {
                offset,
                tail: self.recent.and(&raw[..=index]).hash(),
                partial_flushed: false,
            }
        });
        let mut rung = next_rung(self.at);
        while rung - self.at <= raw.len() as u64 {
            self.rungs
                .push((rung, self.recent.and(&raw[..(rung - self.at) as usize]).hash()));
            rung = next_rung(rung);
        }
        self.recent = self.recent.and(raw);
        self.at += raw.len() as u64;

        let max = self.limits.line_bytes_max;
        let simple = matches!(self.state, SieveState::Start | SieveState::Body)
            && memchr(0, raw).is_none()
            && !has_overlong(&self.buf[..filled], max);
        let (cut, len) = if simple {
            let cut = newline.map_or(0, |index| self.kept + index + 1);
            self.state = if cut == filled {
                SieveState::Start
            } else {
                SieveState::Body
            };
            (cut, filled)
        } else {
            let sieve = Sieve::new(
                &mut self.buf[..filled],
                self.kept,
                self.state,
                mem::take(&mut self.gaps),
                max,
            );
            let sifted = sieve.run();
            (self.state, self.gaps) = (sifted.state, sifted.gaps);
            (sifted.line, sifted.len)
        };
        let Some(end) = end else {
            self.kept = len;
            return None;
        };
        Some(self.emit(cut, len, end))
    }

    /// Hands out `buf[..cut]` and moves the rest to a fresh buffer.
    fn emit(&mut self, cut: usize, len: usize, end: ReadMark) -> Chunk {
        let mut fresh = self.pool.take();
        self.kept = len - cut;
        fresh[..self.kept].copy_from_slice(&self.buf[cut..len]);
        // A gap at the cut belongs to the line after it; only the rest of a flushed line has no line to stand in.
        let split = self
            .gaps
            .partition_point(|gap| gap.at < cut || gap.kind == GapKind::Flushed);
        let mut rest = self.gaps.split_off(split);
        rest.iter_mut().for_each(|gap| gap.at -= cut);
        let gaps = mem::replace(&mut self.gaps, rest);
        let offset = mem::replace(&mut self.line_start, end.offset);
        self.end = end;
        let beyond = self
            .rungs
            .split_off(self.rungs.partition_point(|rung| rung.0 <= end.offset));
        let rungs = mem::replace(&mut self.rungs, beyond);
        Chunk {
            buf: mem::replace(&mut self.buf, fresh),
            len: cut,
            offset,
            end,
            gaps,
            rungs,
            pool: self.pool.clone(),
        }
    }

    /// At the end of the content: the last line, if it is asked for.
    fn take_partial(&mut self) -> Option<Chunk> {
        let archive = self.content.len_known().is_none();
        let wanted = match self.state {
            // NULs may be room that somebody allocated and is going to fill; in an archive they are final.
            SieveState::Start => archive,
            SieveState::Body | SieveState::Overlong | SieveState::Flushed => true,
        };
        if !self.flush || !wanted || self.at == self.line_start {
            return None;
        }
        let is_line = matches!(self.state, SieveState::Body | SieveState::Overlong);
        let partial_flushed = is_line || self.state == SieveState::Flushed;
        let end = ReadMark {
            offset: self.at,
            tail: self.recent.hash(),
            partial_flushed,
        };
        let len = self.kept;
        let gaps = mem::take(&mut self.gaps);
        let mut chunk = self.emit(len, len, end);
        chunk.gaps = gaps;
        self.state = if partial_flushed {
            SieveState::Flushed
        } else {
            SieveState::Start
        };
        Some(chunk)
    }
}

/// A buffer that no chunk took goes back as well.
impl Drop for Chunks {
    fn drop(&mut self) {
        self.pool.give_back(mem::take(&mut self.buf));
    }
}

impl Iterator for Chunks {
    type Item = Result<Chunk, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_chunk().transpose()
    }
}
