//! The reading side of one family of rotated logs: files in order, each from where it was left, as chunks of lines.
//! Where there is much to unpack it runs on its own thread, so that decompression and parsing overlap. A plain file is
//! read where it is parsed, a little at a time: what another thread has read lies far from the processor that parses it.

mod again;
pub(super) mod elsewhere;

use super::dates;
use super::kinds::{self, Spec};
use super::position::KnownLog;
use super::report::Problem;
use crate::source::chunks::{MarkerMismatch, ResumeError};
use crate::source::identity::{
    Candidate, Known, OldFile, Position, Verdict, decide, first_line, log_id, numbered_id, unchanged,
};
use crate::source::{Chunk, Chunks, Codec, Content, Family, Found, Limits, Pool, SourceError, Stamp};
use crate::store::catalogue::{Counts, LogState};
use rustc_hash::FxHashMap;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A file that nobody wrote to for this long has its last line flushed, newline or not.
pub const QUIET_MS: i64 = 60_000;
/// What is looked at to recognise the kind of a log.
const SAMPLE_BYTES: usize = 64 << 10;
const HEAD_BYTES: usize = 1024;

/// What the reading side tells the parsing side, in this order for each log: one `Open`, chunks, one `Close`.
#[derive(Debug)]
pub enum Item {
    /// A log begins or goes on.
    Open(Box<OpenLog>),
    /// Lines.
    Chunk(Chunk),
    /// The log has been read as far as it goes.
    Close {
        /// All of the file was delivered.
        complete: bool,
        /// Why not.
        damaged: Option<String>,
        /// It is the newest of its family and was written to a moment ago: more may come.
        live: bool,
    },
    /// Nothing new is in this file.
    Known(PathBuf),
    /// Nothing is in this file.
    Empty(PathBuf),
    /// Something to tell.
    Problem(Problem),
}

/// A log that is being read.
#[derive(Debug)]
pub struct OpenLog {
    /// Where.
    pub path: PathBuf,
    /// Envelope of its lines.
    pub format: kinds::Format,
    /// What else stands in front of them.
    pub head: kinds::Head,
    /// Identity, without the number.
    pub base: Option<u64>,
    /// Number among logs of equal identity.
    pub ordinal: u32,
    /// Position so far.
    pub position: Position,
    /// How the catalogue keeps it, where it is no position in a file.
    pub place: Option<String>,
    /// The catalogue's row: counts and times of earlier runs.
    pub state: LogState,
    /// Day (since 1970) of its first line, for logs that print only times of day.
    pub first_day: Option<i64>,
}

/// Files that are open, by device and inode: they are read through their descriptor, whatever they are called by now.
pub type OpenFiles = FxHashMap<(u64, u64), Arc<File>>;

/// How a round reads.
#[derive(Debug, Default)]
pub struct Reading<'r> {
    /// Now, UTC milliseconds: tells whether a file is quiet.
    pub now_ms: i64,
    /// Programs keep files open when they are renamed: a file that is not the newest of its family may grow as well.
    pub following: bool,
    /// Files that are open already.
    pub open_files: OpenFiles,
    /// Ends the reading early.
    pub stop: Option<&'r AtomicBool>,
    /// Logs that wait for the clock, and the offset (in a journal, the number) up to which they are read.
    pub until: FxHashMap<u64, u64>,
}

impl Reading<'_> {
    /// Whether reading is to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

/// From a first line to the logs that begin with it, each with its host.
pub type OfOthers<'f> = dyn Fn(&[u8]) -> Vec<(String, KnownLog)> + Sync + 'f;

/// What is read: the logs of one host, oldest first.
pub struct Feed<'f> {
    /// Whose.
    pub host: &'f str,
    /// How its logs are read.
    pub spec: &'f Spec,
    /// Files.
    pub family: &'f Family,
    /// Logs that the store knows of this source.
    pub known: Vec<KnownLog>,
    /// Highest numbers of logs that it knows no more, by their identity without the number.
    pub forgotten: FxHashMap<u64, u32>,
    /// Logs of other hosts that begin with a line, each with its host.
    pub of_others: &'f OfOthers<'f>,
    /// Bounds.
    pub limits: Limits,
    /// How.
    pub reading: &'f Reading<'f>,
    /// Buffers.
    pub pool: Pool,
}

/// Takes what is read.
type Sink<'s> = &'s mut dyn FnMut(Item) -> Result<(), Hangup>;

/// The other side is gone: it has its reasons, and tells them.
pub struct Hangup;

impl Feed<'_> {
    /// Reads all files; `to` takes what is read.
    pub fn run(mut self, mut to: impl FnMut(Item) -> Result<(), Hangup>) {
        let pool = self.pool.clone();
        let mut previous: Option<&Found> = None;
        for found in &self.family.files {
            let follows = previous.is_some_and(|older| follows(&older.path, &found.path));
            let last = self.family.files.last().is_some_and(|last| last.path == found.path);
            if self.file(found, follows, last, &pool, &mut to).is_err() {
                return;
            }
            previous = Some(found);
        }
    }

    fn file(&mut self, found: &Found, follows: bool, last: bool, pool: &Pool, to: Sink<'_>) -> Result<(), Hangup> {
        if unchanged(self.known.iter().map(|log| &log.known), &found.stamp()).is_some() {
            return to(Item::Known(found.path.clone()));
        }
        let known: Vec<Known> = self.known.iter().map(|log| log.known.clone()).collect();
        match self.open(found, &known, follows, pool) {
            Ok(Opened::Read(chunks, log, odd)) => {
                if let Some(odd) = odd {
                    problem(to, &found.path, false, odd)?;
                }
                self.read(*chunks, *log, last, to)
            }
            Ok(Opened::Known) => to(Item::Known(found.path.clone())),
            Ok(Opened::Empty) => to(Item::Empty(found.path.clone())),
            Ok(Opened::Foreign(what)) => problem(to, &found.path, true, what),
            Err(error) => problem(to, error.path(), true, error.to_string()),
        }
    }

    /// Decides what a file is and from where it is read.
    fn open(&self, found: &Found, known: &[Known], follows: bool, pool: &Pool) -> Result<Opened, SourceError> {
        let mut refuted = Vec::new();
        loop {
            let mut content = match self.reading.open_files.get(&(found.dev, found.ino)) {
                Some(file) => Content::of(Arc::clone(file), found.codec, &found.path, &self.limits)?,
                None => Content::open(&found.path, &self.limits)?,
            };
            let sample = content.peek(SAMPLE_BYTES)?.to_vec();
            if sample.is_empty() {
                return Ok(Opened::Empty);
            }
            let head = &sample[..sample.len().min(HEAD_BYTES)];
            let base =
                first_line(head, sample.len() < HEAD_BYTES).map(|line| log_id(self.host, self.spec.kind, line, 0));
            let stamp = *content.stamp();
            let candidate = Candidate {
                stamp,
                base,
                head,
                content_len: content.len_known(),
                refuted: &refuted,
                forgotten: base.and_then(|base| self.forgotten.get(&base).copied()),
                settled: self.is_settled(&stamp),
            };
            let verdict = decide(known, &candidate, &mut |offset, len| content.read_before(offset, len))
                .map_err(|error| SourceError::unreadable(&found.path, error))?;
            if matches!(verdict, Verdict::New { .. })
                && let Some(other) = self.of_another(&candidate, &content, found)?
            {
                return self.known_elsewhere(found, content, &sample, (base, &verdict), &other, follows);
            }
            let (index, offset) = match verdict {
                Verdict::Complete { .. } | Verdict::ShorterCopy { .. } | Verdict::Unfinished { .. } => {
                    return Ok(Opened::Known);
                }
                Verdict::New { ordinal, .. } | Verdict::Truncated { ordinal, .. } => {
                    let form = match kinds::recognise(self.spec, &sample) {
                        Ok(form) => form,
                        Err(what) => return Ok(Opened::Foreign(what)),
                    };
                    let (epoch, odd) = self.odd(&verdict);
                    let position = Position::start(stamp, head, epoch);
                    let mut log = self.new_log(found, form, (base, ordinal), position, follows);
                    content.end_at(self.reading.until.get(&log.state.log_id).copied());
                    log.first_day = dates::first_day(self.spec, &sample, found, &self.limits);
                    return Ok(Opened::Read(
                        Box::new(Chunks::new(content, &self.limits, pool)),
                        Box::new(log),
                        odd,
                    ));
                }
                Verdict::Resume { known, offset, .. } | Verdict::SameLogElsewhere { known, offset, .. } => {
                    (known, offset)
                }
            };
            content.end_at(self.reading.until.get(&self.known[index].state.log_id).copied());
            let position = &known[index].position;
            debug_assert_eq!(position.mark.offset, offset);
            match Chunks::resume(content, &position.mark, &position.marks, &self.limits, pool) {
                Ok(chunks) => {
                    let form = kinds::recognise(self.spec, &sample)
                        .unwrap_or_else(|_| kinds::Recognised::plain(kinds::Format::Plain));
                    let log = self.known_log(index, found, form, head);
                    return Ok(Opened::Read(Box::new(chunks), Box::new(log), None));
                }
                // A copy that ends before what was read already holds nothing new.
                Err(ResumeError::Marker(MarkerMismatch {
                    content_len: Some(_),
                    agreed_to,
                })) if agreed_to > HEAD_BYTES as u64 => {
                    return Ok(Opened::Known);
                }
                Err(ResumeError::Marker(_)) => refuted.push(index),
                Err(ResumeError::Source(error)) => return Err(error),
            }
        }
    }

    /// Whether a file holds all that it is going to: only a tail comes back for the rest.
    fn is_settled(&self, stamp: &Stamp) -> bool {
        let is_quiet = self.reading.now_ms - stamp.mtime_ms > QUIET_MS;
        !self.reading.following || is_quiet || stamp.codec != Codec::Plain
    }

    /// Epoch of a log that is read from its start, and what is odd about that.
    fn odd(&self, verdict: &Verdict) -> (u32, Option<String>) {
        let path = |index: usize| super::position::path_of(&self.known[index].state).display().to_string();
        match verdict {
            Verdict::Truncated {
                epoch,
                lost_bytes_possible,
                ..
            } => (
                *epoch,
                Some(format!(
                    "was truncated or rewritten since the last run: read from its start as a new log; \
                     {lost_bytes_possible} bytes that stood there had not been read and are lost"
                )),
            ),
            Verdict::New {
                resembles: Some(index), ..
            } => (
                0,
                Some(format!(
                    "begins like {} and goes on differently: kept apart as a log of its own. Messages that stand in \
                     both count once",
                    path(*index)
                )),
            ),
            _ => (0, None),
        }
    }

    fn new_log(
        &self,
        found: &Found,
        form: kinds::Recognised,
        (base, ordinal): (Option<u64>, u32),
        position: Position,
        follows: bool,
    ) -> OpenLog {
        let head = position.head.hash;
        let id = match base {
            Some(base) => numbered_id(self.host, self.spec.kind, base, ordinal),
            None => log_id(self.host, self.spec.kind, &head, ordinal),
        };
        let state = LogState {
            log_id: id,
            path: found.path.as_os_str().as_bytes().to_vec(),
            position: String::new(),
            size: found.size,
            mtime_ms: found.mtime_ms,
            span_ms: None,
            follows,
            damaged: None,
            counts: Counts::default(),
            skipped_bytes: 0,
            ahead: 0,
        };
        OpenLog {
            path: found.path.clone(),
            format: form.format,
            head: form.head,
            base,
            ordinal,
            position,
            place: None,
            state,
            first_day: None,
        }
    }

    fn known_log(&self, index: usize, found: &Found, form: kinds::Recognised, head: &[u8]) -> OpenLog {
        let KnownLog { known, state } = &self.known[index];
        let mut position = known.position.clone();
        let grown = Position::start(found.stamp(), head, position.epoch);
        // The head grows with the file until it is 1 024 bytes long.
        position.head = grown.head;
        position.stamp = grown.stamp;
        // Only its end makes it so: a commit before that must not say that all of the file as it is now was delivered.
        position.complete = false;
        let state = LogState {
            path: found.path.as_os_str().as_bytes().to_vec(),
            size: found.size,
            mtime_ms: found.mtime_ms,
            damaged: None,
            ..state.clone()
        };
        OpenLog {
            path: found.path.clone(),
            format: form.format,
            head: form.head,
            base: known.base,
            ordinal: known.ordinal,
            position,
            place: None,
            state,
            first_day: None,
        }
    }

    fn read(&mut self, mut chunks: Chunks, log: OpenLog, last: bool, to: Sink<'_>) -> Result<(), Hangup> {
        let stamp = *chunks.content().stamp();
        let may_grow = (last || self.reading.following) && stamp.codec == Codec::Plain;
        let live = may_grow && self.reading.now_ms - stamp.mtime_ms <= QUIET_MS;
        chunks.flush_partial(!live);
        let (path, base, ordinal) = (log.path.clone(), log.base, log.ordinal);
        let (mut position, state) = (log.position.clone(), log.state.clone());
        to(Item::Open(Box::new(log)))?;
        let damaged = loop {
            match chunks.next_chunk() {
                Ok(Some(chunk)) => {
                    position.advance(chunk.end(), chunk.rungs());
                    to(Item::Chunk(chunk))?;
                }
                Ok(None) => break None,
                Err(error) => {
                    problem(to, &path, true, error.to_string())?;
                    break Some(error.to_string());
                }
            }
        };
        for note in chunks.content().notes() {
            problem(to, &path, false, note.to_string())?;
        }
        position.complete = damaged.is_none() && chunks.partial().is_none() && !chunks.content().is_cut();
        to(Item::Close {
            complete: position.complete,
            damaged,
            live,
        })?;
        self.known
            .retain(|log| (log.known.base, log.known.ordinal) != (base, ordinal));
        let old_file = OldFile::Alive {
            size: stamp.size,
            mtime_ms: stamp.mtime_ms,
        };
        self.known.push(KnownLog {
            known: Known {
                base,
                ordinal,
                position,
                old_file,
            },
            state,
        });
        Ok(())
    }
}

fn problem(to: Sink<'_>, path: &Path, error: bool, what: String) -> Result<(), Hangup> {
    to(Item::Problem(Problem {
        path: path.to_owned(),
        what,
        error,
    }))
}

enum Opened {
    /// With a word on what is odd about it.
    Read(Box<Chunks>, Box<OpenLog>, Option<String>),
    Known,
    Empty,
    Foreign(String),
}

/// Whether nothing is missing between two siblings, by their names: `mainlog.3.gz` is followed by `mainlog.2.gz`.
/// Dated names say too little: there the times in the logs decide later.
fn follows(older: &Path, newer: &Path) -> bool {
    match (rotation(older), rotation(newer)) {
        (Some(older), Some(newer)) => older == newer + 1,
        (Some(older), None) => older == 1,
        _ => true,
    }
}

/// The number in `mainlog.7`, `mainlog.7.gz`.
fn rotation(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    let name = [".gz", ".zst", ".bz2", ".xz"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    let (_, number) = name.rsplit_once('.')?;
    if number.len() > 4 { None } else { number.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_archive_is_a_hole() {
        let follows = |a: &str, b: &str| follows(Path::new(a), Path::new(b));
        assert!(follows("mainlog.3.gz", "mainlog.2.gz"));
        assert!(follows("mainlog.1", "mainlog"));
        assert!(!follows("mainlog.4.gz", "mainlog.2.gz"));
        assert!(!follows("mainlog.2.gz", "mainlog"));
        assert!(follows("mainlog-20180605.gz", "mainlog-20180606"));
    }
}
