//! The reading side of one family of rotated logs: files in order, each from where it was left, as chunks of lines.
//! Where there is much to unpack, or a processor to spare, it runs on its own thread, so that decompression and parsing overlap. A
//! plain file is read a little at a time: what is read far ahead lies far from the processor that parses it.

use super::first_day::first_day;
use super::item::{Hangup, ReadItem, ReadSink, problem};
use super::other_hosts::{self, OfOthers};
use super::reading::{QUIET_MS, Reading};
use crate::ingest::open_log::OpenLog;
use crate::ingest::position::{self, KnownLog};
use crate::ingest::spec::Spec;
use crate::ingest::wrapping::{Wrapping, WrappingForm, hosts_of_sample, recognise};
use crate::source::chunks::{MarkerMismatch, ResumeError};
use crate::source::identity::{
    Candidate, HEAD_BYTES, KnownIdentity, LogVerdict, OldFile, Position, decide, first_line, log_id, numbered_id,
    unchanged,
};
use crate::source::{Chunks, Codec, Content, Family, Found, Limits, Pool, SourceError, Stamp};
use crate::store::catalogue::{Counts, LogState};
use rustc_hash::FxHashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// What is looked at to recognise the kind of a log.
pub(super) const SAMPLE_BYTES: usize = 64 << 10;

/// So many chunks at once of a log whose lines are sorted by host: what is remembered of a host comes near to the processor once
/// for all of its lines. Of 200 hosts, five lines each stand in 256 KiB.
const CHUNKS_BY_HOST: usize = 4;
/// Buffers of these that are kept: those that wait for the parser, and one at each end.
const BY_HOST_KEPT: usize = 6;

/// What is read: the logs of one host, oldest first.
pub(crate) struct ReadStage<'f> {
    pub host: &'f str,
    /// How its logs are read.
    pub spec: &'f Spec,
    pub family: &'f Family,
    /// Logs that the store knows of this source.
    pub known: Vec<KnownLog>,
    /// Highest numbers of logs that it knows no more, by their identity without the number.
    pub forgotten: FxHashMap<u64, u32>,
    /// Logs of other hosts that begin with a line, each with its host.
    pub of_others: &'f OfOthers<'f>,
    pub limits: Limits,
    pub reading: &'f Reading<'f>,
    pub pool: Pool,
}

impl ReadStage<'_> {
    /// Reads all files; `to` takes what is read.
    pub(crate) fn run(mut self, mut to: impl FnMut(ReadItem) -> Result<(), Hangup>) {
        let mut previous: Option<&Found> = None;
        for found in &self.family.files {
            let follows = previous.is_some_and(|older| follows(&older.path, &found.path));
            if self.file(found, follows, &mut to).is_err() {
                return;
            }
            previous = Some(found);
        }
    }

    fn file(&mut self, found: &Found, follows: bool, to: ReadSink<'_>) -> Result<(), Hangup> {
        if unchanged(self.known.iter().map(|log| &log.known), &found.stamp()).is_some() {
            return to(ReadItem::Known);
        }
        let known: Vec<KnownIdentity> = self.known.iter().map(|log| log.known.clone()).collect();
        match self.open(found, follows, &known) {
            Ok(Opened::Read(chunks, log, odd)) => {
                if let Some(odd) = odd {
                    problem(to, &found.path, false, odd)?;
                }
                let last = self.family.files.last().is_some_and(|last| last.path == found.path);
                self.read(*chunks, *log, last, to)
            }
            Ok(Opened::Known) => to(ReadItem::Known),
            Ok(Opened::Empty) => to(ReadItem::Empty),
            Ok(Opened::Foreign(what)) => problem(to, &found.path, true, what),
            Err(error) => problem(to, error.path(), true, error.to_string()),
        }
    }

    /// Decides what a file is and from where it is read.
    fn open(&self, found: &Found, follows: bool, known: &[KnownIdentity]) -> Result<Opened, SourceError> {
        let mut refuted = Vec::new();
        loop {
            let file = self.begin(found, follows)?;
            if file.sample.is_empty() {
                return Ok(Opened::Empty);
            }
            let stamp = *file.content.stamp();
            let candidate = Candidate {
                stamp,
                base: file.base,
                head: file.head(),
                content_len: file.content.len_known(),
                refuted: &refuted,
                forgotten: file.base.and_then(|base| self.forgotten.get(&base).copied()),
                settled: self.is_settled(&stamp),
            };
            let mut read_before = |offset, len| file.content.read_before(offset, len);
            let verdict = decide(known, &candidate, &mut read_before)
                .map_err(|error| SourceError::unreadable(&found.path, error))?;
            match verdict {
                LogVerdict::Complete { .. } | LogVerdict::ShorterCopy { .. } | LogVerdict::Unfinished { .. } => {
                    return Ok(Opened::Known);
                }
                LogVerdict::New { ordinal, .. } => {
                    let with = (&self.limits, &self.pool);
                    let other = other_hosts::held_by(self.of_others, &candidate, &file.content, &found.path, with)?;
                    return match other {
                        Some(other) => self.open_other_hosts(file, ordinal, &other),
                        None => self.open_new(file, ordinal, &verdict),
                    };
                }
                LogVerdict::Truncated { ordinal, .. } => return self.open_new(file, ordinal, &verdict),
                LogVerdict::Resume { known: index, .. } | LogVerdict::SameLogElsewhere { known: index, .. } => {
                    match self.resume(file, index, &known[index].position)? {
                        Some(opened) => return Ok(opened),
                        None => refuted.push(index),
                    }
                }
            }
        }
    }

    /// Opens a file and looks at its beginning.
    fn begin<'f>(&self, found: &'f Found, follows: bool) -> Result<FileStart<'f>, SourceError> {
        let mut content = match self.reading.open_files.get(&(found.dev, found.ino)) {
            Some(file) => Content::of(Arc::clone(file), found.codec, &found.path, &self.limits)?,
            None => Content::open(&found.path, &self.limits)?,
        };
        let sample = content.peek(SAMPLE_BYTES)?.to_vec();
        let head = &sample[..sample.len().min(HEAD_BYTES)];
        let base = first_line(head, sample.len() < HEAD_BYTES).map(|line| log_id(self.host, self.spec.kind, line, 0));
        Ok(FileStart {
            found,
            follows,
            content,
            sample,
            base,
        })
    }

    /// A log that is read from its start.
    fn open_new(&self, mut file: FileStart<'_>, ordinal: u32, verdict: &LogVerdict) -> Result<Opened, SourceError> {
        let form = match recognise(self.spec, &file.sample) {
            Ok(form) => form,
            Err(what) => return Ok(Opened::Foreign(what)),
        };
        let (epoch, odd) = self.odd(verdict);
        let position = Position::start(*file.content.stamp(), file.head(), epoch);
        let mut log = self.new_log(file.found, form, (file.base, ordinal), position);
        log.by_line = self.is_by_line(None, &file.sample);
        log.state.follows = file.follows;
        file.content.end_at(self.reading.until.get(&log.state.log_id).copied());
        log.first_day = first_day(self.spec, &file.sample, file.found, &self.limits);
        let chunks = Chunks::new(file.content, &self.limits, &self.pool_for(&log));
        Ok(Opened::Read(Box::new(chunks), Box::new(log), odd))
    }

    /// The log of another host: a backfill refuses it. A tail is on the host itself, which has got another name: it goes on
    /// where the log was left under the old one.
    fn open_other_hosts(
        &self,
        file: FileStart<'_>,
        ordinal: u32,
        other: &(String, KnownLog),
    ) -> Result<Opened, SourceError> {
        if !self.reading.following {
            return Ok(Opened::Foreign(other_hosts::refusal(self.host, other)));
        }
        let Ok(form) = recognise(self.spec, &file.sample) else {
            return Ok(Opened::Known);
        };
        let mut position = Position::start(file.found.stamp(), file.head(), 0);
        let Position { mark, marks, .. } = &other.1.known.position;
        let Ok(chunks) = Chunks::resume(file.content, mark, marks, &self.limits, &self.pool) else {
            // A shorter copy: nothing in it is new.
            return Ok(Opened::Known);
        };
        (position.mark, position.marks) = (*mark, marks.clone());
        let mut log = self.new_log(file.found, form, (file.base, ordinal), position);
        log.by_line = self.is_by_line(Some(other.1.by_line), &file.sample);
        log.state.follows = file.follows;
        let odd = other_hosts::taken_over(self.host, other);
        Ok(Opened::Read(Box::new(chunks), Box::new(log), Some(odd)))
    }

    /// A known log, from where it was left; None if the content before that is another.
    fn resume(
        &self,
        mut file: FileStart<'_>,
        index: usize,
        position: &Position,
    ) -> Result<Option<Opened>, SourceError> {
        let log_id = self.known[index].state.log_id;
        file.content.end_at(self.reading.until.get(&log_id).copied());
        let form = recognise(self.spec, &file.sample).unwrap_or_else(|_| WrappingForm::plain(Wrapping::Plain));
        let mut log = self.known_log(index, file.found, form, file.head());
        log.by_line = self.is_by_line(Some(self.known[index].by_line), &file.sample);
        let pool = self.pool_for(&log);
        match Chunks::resume(file.content, &position.mark, &position.marks, &self.limits, &pool) {
            Ok(chunks) => Ok(Some(Opened::Read(Box::new(chunks), Box::new(log), None))),
            // A copy that ends before what was read already holds nothing new.
            Err(ResumeError::Marker(MarkerMismatch {
                content_len: Some(_),
                agreed_to,
            })) if agreed_to > HEAD_BYTES as u64 => Ok(Some(Opened::Known)),
            Err(ResumeError::Marker(_)) => Ok(None),
            Err(ResumeError::Source(error)) => Err(error),
        }
    }

    /// Where the chunks of a log come from. What is followed grows by little.
    fn pool_for(&self, log: &OpenLog) -> Pool {
        if !log.by_line || self.reading.following {
            return self.pool.clone();
        }
        let chunk_bytes = self.limits.chunk_bytes * CHUNKS_BY_HOST;
        let limits = Limits {
            chunk_bytes,
            ..self.limits
        };
        Pool::new(&limits, BY_HOST_KEPT)
    }

    /// Whether each line is the host's that it names; `stored` is what was decided of a known log.
    fn is_by_line(&self, stored: Option<bool>, sample: &[u8]) -> bool {
        match (&self.spec.line_hosts, self.spec.grammar.mta()) {
            (Some(hosts), Some(mta)) => hosts.are_read(stored, || hosts_of_sample(mta, sample)),
            _ => false,
        }
    }

    /// Whether a file holds all that it is going to: only a tail comes back for the rest.
    fn is_settled(&self, stamp: &Stamp) -> bool {
        let is_quiet = self.reading.now_ms - stamp.mtime_ms > QUIET_MS;
        !self.reading.following || is_quiet || stamp.codec != Codec::Plain
    }

    /// Epoch of a log that is read from its start, and what is odd about that.
    fn odd(&self, verdict: &LogVerdict) -> (u32, Option<String>) {
        let path = |index: usize| position::path_of(&self.known[index].state).display().to_string();
        match verdict {
            LogVerdict::Truncated {
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
            LogVerdict::New {
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

    pub(super) fn new_log(
        &self,
        found: &Found,
        form: WrappingForm,
        (base, ordinal): (Option<u64>, u32),
        position: Position,
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
            follows: false,
            damaged: None,
            counts: Counts::default(),
            skipped_bytes: 0,
            ahead: 0,
        };
        OpenLog {
            path: found.path.clone(),
            form,
            by_line: false,
            base,
            ordinal,
            position,
            place: None,
            state,
            first_day: None,
        }
    }

    fn known_log(&self, index: usize, found: &Found, form: WrappingForm, head: &[u8]) -> OpenLog {
        let KnownLog { known, state, .. } = &self.known[index];
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
            form,
            by_line: false,
            base: known.base,
            ordinal: known.ordinal,
            position,
            place: None,
            state,
            first_day: None,
        }
    }

    fn read(&mut self, mut chunks: Chunks, log: OpenLog, last: bool, to: ReadSink<'_>) -> Result<(), Hangup> {
        let stamp = *chunks.content().stamp();
        let may_grow = (last || self.reading.following) && stamp.codec == Codec::Plain;
        let live = may_grow && self.reading.now_ms - stamp.mtime_ms <= QUIET_MS;
        chunks.flush_partial(!live);
        let (path, base, ordinal, by_line) = (log.path.clone(), log.base, log.ordinal, log.by_line);
        let (mut position, state) = (log.position.clone(), log.state.clone());
        to(ReadItem::Open(Box::new(log)))?;
        let damaged = loop {
            match next_chunk(&mut chunks, &mut position) {
                Ok(Some(item)) => to(item)?,
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
        to(ReadItem::Close {
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
            known: KnownIdentity {
                base,
                ordinal,
                position,
                old_file,
            },
            by_line,
            state,
        });
        Ok(())
    }
}

/// The next chunk of a log. Here, and for entries of a journal in `journal_entries`, positions advance: what the stages
/// behind commit is the position that comes with the last chunk.
pub(super) fn next_chunk(chunks: &mut Chunks, position: &mut Position) -> Result<Option<ReadItem>, SourceError> {
    let Some(chunk) = chunks.next_chunk()? else {
        return Ok(None);
    };
    position.advance(chunk.end(), chunk.rungs());
    Ok(Some(ReadItem::Chunk(chunk, Box::new(position.clone()))))
}

/// A file that was opened, and what it begins with.
struct FileStart<'f> {
    found: &'f Found,
    /// Nothing is missing between the file before it and this one.
    follows: bool,
    content: Content,
    sample: Vec<u8>,
    /// Identity of the log in it, without the number.
    base: Option<u64>,
}

impl FileStart<'_> {
    fn head(&self) -> &[u8] {
        &self.sample[..self.sample.len().min(HEAD_BYTES)]
    }
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
