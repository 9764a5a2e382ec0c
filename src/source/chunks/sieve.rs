//! The slow path of a chunk: takes NUL runs and the ends of overlong lines out, in one pass and in place.

use memchr::{memchr, memrchr};

use super::lines::{GapKind, SkippedBytes};

/// Where in a line the raw bytes go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SieveState {
    /// Nothing of the line is kept yet; NULs may have been skipped.
    Start,
    /// Some of it is kept.
    Body,
    /// It is longer than the limit; skipping to its newline.
    Overlong,
    /// Its beginning was delivered without a newline; skipping to and with its newline.
    Flushed,
}

/// Whether a line is longer than `max`. Looks at one newline in `max` bytes instead of every one.
pub(super) fn has_overlong(mut bytes: &[u8], max: usize) -> bool {
    while bytes.len() > max {
        match memrchr(b'\n', &bytes[..=max]) {
            Some(newline) => bytes = &bytes[newline + 1..],
            None => return true,
        }
    }
    false
}

/// What is left.
pub(super) struct Sifted {
    /// Bytes kept.
    pub(super) len: usize,
    /// Index at which the unfinished line begins.
    pub(super) line: usize,
    pub(super) state: SieveState,
    pub(super) gaps: Vec<SkippedBytes>,
}

/// Reads at `read`, writes at `write`, never ahead of it.
pub(super) struct Sieve<'b> {
    buf: &'b mut [u8],
    read: usize,
    write: usize,
    line: usize,
    state: SieveState,
    gaps: Vec<SkippedBytes>,
    max: usize,
}

impl<'b> Sieve<'b> {
    /// `buf[..kept]` is the unfinished line in `state`, the rest is new.
    pub(super) fn new(
        buf: &'b mut [u8],
        kept: usize,
        state: SieveState,
        gaps: Vec<SkippedBytes>,
        max: usize,
    ) -> Sieve<'b> {
        Sieve {
            buf,
            read: kept,
            write: kept,
            line: 0,
            state,
            gaps,
            max,
        }
    }

    pub(super) fn run(mut self) -> Sifted {
        while self.read < self.buf.len() {
            match self.state {
                SieveState::Start => self.start(),
                SieveState::Body => self.body(),
                SieveState::Overlong => {
                    if self.skip_to_newline(GapKind::Overlong) {
                        self.newline();
                    }
                }
                SieveState::Flushed => {
                    if self.skip_to_newline(GapKind::Flushed) {
                        self.skip(1, GapKind::Flushed);
                        self.state = SieveState::Start;
                    }
                }
            }
        }
        Sifted {
            len: self.write,
            line: self.line,
            state: self.state,
            gaps: self.gaps,
        }
    }

    fn start(&mut self) {
        let rest = &self.buf[self.read..];
        let blocks = rest
            .as_chunks::<64>()
            .0
            .iter()
            .take_while(|block| **block == [0; 64])
            .count()
            * 64;
        let nuls = rest[blocks..].iter().take_while(|byte| **byte == 0).count();
        self.skip(blocks + nuls, GapKind::Nul);
        if self.read < self.buf.len() {
            self.state = SieveState::Body;
        }
    }

    fn body(&mut self) {
        let rest = &self.buf[self.read..];
        let newline = memchr(b'\n', rest);
        let piece = newline.unwrap_or(rest.len());
        let room = self.max - (self.write - self.line);
        if piece > room {
            self.keep(room);
            self.state = SieveState::Overlong;
        } else {
            self.keep(piece);
            if newline.is_some() {
                self.newline();
            }
        }
    }

    /// Skips up to the next newline, or to the end; true if there is one.
    fn skip_to_newline(&mut self, kind: GapKind) -> bool {
        let rest = &self.buf[self.read..];
        let newline = memchr(b'\n', rest);
        let amount = newline.unwrap_or(rest.len());
        self.skip(amount, kind);
        newline.is_some()
    }

    fn newline(&mut self) {
        self.keep(1);
        self.line = self.write;
        self.state = SieveState::Start;
    }

    fn keep(&mut self, amount: usize) {
        if self.read != self.write {
            self.buf.copy_within(self.read..self.read + amount, self.write);
        }
        self.read += amount;
        self.write += amount;
    }

    fn skip(&mut self, amount: usize, kind: GapKind) {
        self.read += amount;
        let (at, skipped) = (self.write, amount as u64);
        match self.gaps.last_mut() {
            _ if amount == 0 => {}
            Some(gap) if gap.at == at && gap.kind == kind => gap.skipped += skipped,
            _ => self.gaps.push(SkippedBytes { at, skipped, kind }),
        }
    }
}
