//! Files that are kept open.

use crate::ingest::spec::Spec;
use crate::model::time::UtcMs;
use crate::source::{Codec, Found, Stamp};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// A log's file, open.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) file: Arc<File>,
    /// What it was called last.
    pub(crate) path: PathBuf,
    /// Its family.
    pub(crate) stem: PathBuf,
    pub(crate) spec: Arc<Spec>,
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    /// As it was when it was read last, and whether it was quiet by then.
    read: Option<(Stamp, bool)>,
    /// No name leads to it since then.
    pub(crate) nameless_since: Option<UtcMs>,
    /// It has been nameless and written to for so long that it is let go.
    pub(crate) given_up: bool,
}

/// What a look at an open file says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Poll {
    /// Nothing happened.
    Same,
    /// There is more, or an unfinished line has been quiet for long enough to be its last.
    More(Found),
    /// There is less than was read.
    Less(Found),
}

impl OpenFile {
    /// Opens a plain file. It may be another one by now than the one that was found: what counts is what was opened.
    pub(crate) fn open(found: &Found, stem: &std::path::Path, spec: &Arc<Spec>) -> io::Result<(OpenFile, Found)> {
        let file = File::open(&found.path)?;
        let stamp = Stamp::of(&file.metadata()?, found.codec);
        let held = OpenFile {
            file: Arc::new(file),
            path: found.path.clone(),
            stem: stem.to_owned(),
            spec: Arc::clone(spec),
            dev: stamp.dev,
            ino: stamp.ino,
            read: None,
            nameless_since: None,
            given_up: false,
        };
        let found = held.found(&stamp);
        Ok((held, found))
    }

    pub(crate) fn key(&self) -> (u64, u64) {
        (self.dev, self.ino)
    }

    /// Looks at it. `quiet_ms`: from when on an unfinished line counts as the last.
    pub(crate) fn look(&self, now_ms: UtcMs, quiet_ms: i64) -> io::Result<Poll> {
        let stamp = Stamp::of(&self.file.metadata()?, Codec::Plain);
        let is_quiet = now_ms - stamp.mtime_ms > quiet_ms;
        Ok(match self.read {
            Some((read, _)) if stamp.size < read.size => Poll::Less(self.found(&stamp)),
            Some((read, was_quiet)) if read == stamp && was_quiet == is_quiet => Poll::Same,
            _ => Poll::More(self.found(&stamp)),
        })
    }

    /// It is read now, as it is at `stamp`.
    pub(crate) fn note_read(&mut self, stamp: &Stamp, now_ms: UtcMs, quiet_ms: i64) {
        self.read = Some((*stamp, now_ms - stamp.mtime_ms > quiet_ms));
    }

    /// It must be read again.
    pub(crate) fn forget_read(&mut self) {
        self.read = None;
    }

    /// When it was written to last; none before it was read.
    pub(crate) fn mtime_ms(&self) -> Option<UtcMs> {
        self.read.map(|(stamp, _)| stamp.mtime_ms)
    }

    fn found(&self, stamp: &Stamp) -> Found {
        Found {
            path: self.path.clone(),
            dev: stamp.dev,
            ino: stamp.ino,
            size: stamp.size,
            mtime_ms: stamp.mtime_ms,
            codec: stamp.codec,
        }
    }
}
