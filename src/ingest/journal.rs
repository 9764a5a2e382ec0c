//! Reads systemd's journal into a source. What an entry's cursor says is its identity: the sequence's name makes the
//! log, the number in it the offset. How far each sequence has been read stands in the catalogue, in the same commit as
//! the rows.
//!
//! A folder of several machines' journals holds several sequences, and an entry can arrive later than one that is
//! younger. So reading starts at the oldest of the places where the sequences ended, and what a sequence's number says
//! is known is passed over. The first entry must be the one that was asked for; if it is gone (rotated, vacuumed), we
//! start an hour before it, by time, and say so.

use super::digest::Digest;
use super::feed::OpenLog;
use super::kinds::{Format, Head, Spec};
use super::line::{Line, Stop, unreadable_position};
use super::report::Problem;
use crate::normalise::join::Recall;
use crate::source::identity::{Position, log_id};
use crate::source::journal::{Cursor, Journal, JournalError, Start, cursor, parse_cursor};
use crate::source::{Chunk, Codec, Stamp};
use crate::store::catalogue::{Counts, LogState};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// Looked at again when the place where reading ended is gone.
const OVERLAP_US: i64 = 3_600_000_000;
/// A sequence that has been silent for so long, against the youngest, is not waited for.
const LATE_US_MAX: i64 = 7 * 86_400_000_000;

/// A sequence's position, as the catalogue has it.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    journal_cursor: String,
    /// That entry has left the journal, and nothing came after it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
}

/// One sequence of numbers of the journal.
struct Sequence {
    state: LogState,
    /// Where it was read to; empty before its first entry.
    cursor: String,
    number: u64,
    realtime_us: i64,
    gone: bool,
    /// An entry of it was read in this run, known or new.
    seen: bool,
}

/// What was learnt while reading.
#[derive(Default)]
struct Tally {
    /// Entries that were known already.
    known: u64,
    /// The entry that was asked for was not the first.
    gone: bool,
    new: bool,
}

/// Whether a log's position is one in a journal.
pub(super) fn is_position(position: &str) -> bool {
    position.contains("\"journal_cursor\"")
}

/// Identity of a sequence as a log.
pub(super) fn sequence_id(host: &str, kind: &str, sequence: &str) -> u64 {
    log_id(host, kind, format!("journal s={sequence}").as_bytes(), 0)
}

impl Line<'_> {
    /// Reads a journal from where it was left to its end.
    pub(super) fn journal<R: Recall>(
        &mut self,
        spec: &Arc<Spec>,
        journal: &Journal,
        digest: &mut Digest<'_, R>,
    ) -> Result<(), Stop> {
        digest.set_spec(spec);
        let mut known = self.sequences()?;
        let newest = known.values().map(|sequence| sequence.realtime_us).max();
        let from = newest.map(|newest| {
            let awaited = known
                .values()
                .filter(|sequence| !sequence.gone && newest - sequence.realtime_us <= LATE_US_MAX);
            let oldest = awaited.min_by_key(|sequence| sequence.realtime_us);
            // With all of them gone: by time, behind the youngest.
            oldest.map_or((None, newest), |oldest| {
                (Some(oldest.cursor.clone()), oldest.realtime_us)
            })
        });
        self.is_first_chunk = true;
        let mut tally = Tally::default();
        let mut result = match &from {
            None => self.entries(spec, journal, Start::Oldest, &mut known, &mut tally, digest)?,
            Some((Some(cursor), _)) => {
                self.entries(spec, journal, Start::At(cursor), &mut known, &mut tally, digest)?
            }
            Some((None, us)) => {
                let since = Start::Since(us - OVERLAP_US);
                self.entries(spec, journal, since, &mut known, &mut tally, digest)?
            }
        };
        if let (Ok(_), true, Some((_, us))) = (&result, tally.gone, from) {
            let since = Start::Since(us - OVERLAP_US);
            result = self.entries(spec, journal, since, &mut known, &mut tally, digest)?;
            if result.is_ok() {
                mark_gone(journal, &mut known, digest);
            }
            digest.problem(Problem {
                path: journal.name(),
                what: format!(
                    "the entry where the last run ended is no longer in the journal (rotated, vacuumed): read again \
                     from an hour before it; {} entries were known. What was removed before it was read is lost; \
                     raise SystemMaxUse= in journald.conf, or run more often",
                    tally.known
                ),
                error: false,
            });
        }
        let (what, error) = match result {
            Ok(None) => (None, false),
            Ok(Some(words)) => (Some(words), false),
            Err(error) => (Some(error.to_string()), true),
        };
        if let Some(what) = what {
            let path = journal.name();
            digest.problem(Problem { path, what, error });
        }
        let last = known.values().next().map(|sequence| open(journal, sequence));
        digest.compare(None);
        digest.journal_done(last, tally.new);
        self.look_at_clock(digest.doubt_of_journal(journal.name().as_os_str().as_bytes()))?;
        self.seal(digest)?;
        self.wait(0)
    }

    /// Sequences that the store knows.
    fn sequences(&self) -> Result<FxHashMap<u64, Sequence>, Stop> {
        let logs = self
            .store
            .positions()
            .logs(self.source)
            .map_err(|error| Some(error.into()))?;
        let mut sequences = FxHashMap::default();
        // The others are files.
        for state in logs.into_iter().filter(|state| is_position(&state.position)) {
            let stored: Option<Stored> = serde_json::from_str(&state.position).ok();
            if stored.as_ref().is_some_and(|stored| stored.journal_cursor.is_empty()) {
                continue;
            }
            let at = stored.as_ref().and_then(|stored| parse_cursor(&stored.journal_cursor));
            let (Some(stored), Some(at)) = (&stored, at) else {
                return Err(Some(unreadable_position(&state)));
            };
            let sequence = Sequence {
                cursor: stored.journal_cursor.clone(),
                number: at.number,
                realtime_us: at.realtime_us,
                gone: stored.gone,
                seen: false,
                state,
            };
            sequences.insert(sequence.state.log_id, sequence);
        }
        Ok(sequences)
    }

    /// One run of the tool. Entries of one sequence in a row become one chunk.
    fn entries<R: Recall>(
        &mut self,
        spec: &Spec,
        journal: &Journal,
        start: Start<'_>,
        known: &mut FxHashMap<u64, Sequence>,
        tally: &mut Tally,
        digest: &mut Digest<'_, R>,
    ) -> Result<Result<Option<String>, JournalError>, Stop> {
        let mut entries = match journal.read(start, &self.limits.source) {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(error)),
        };
        let wanted = match start {
            Start::At(cursor) => parse_cursor(cursor),
            Start::Oldest | Start::Since(_) => None,
        };
        let mut run = Run::default();
        let mut first = true;
        loop {
            let begin = run.bytes.len();
            match entries.next_line(&mut run.bytes) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Ok(Err(error)),
            }
            let line = run.bytes.split_off(begin);
            let at = cursor(&line);
            if std::mem::take(&mut first)
                && let Some(wanted) = wanted
                && at.is_none_or(|at| (at.sequence, at.number) != (wanted.sequence, wanted.number))
            {
                tally.gone = true;
                return Ok(Ok(None));
            }
            let id = at.map_or(run.id, |at| sequence_id(&self.job.host, self.job.kind, at.sequence));
            if let Some(sequence) = known.get_mut(&id) {
                sequence.seen = true;
            }
            let read_to = known.get(&id).map(|sequence| sequence.number).or(run.number_of(id));
            if let Some(at) = at
                && read_to.max(run.number_of(id)).is_some_and(|to| at.number <= to)
            {
                tally.known += 1;
                continue;
            }
            if let (Some(at), Some(until)) = (at, self.reading_until(id))
                && at.number >= until
            {
                continue;
            }
            if run.id != id || run.bytes.len() >= self.limits.source.chunk_bytes {
                self.deliver(spec, journal, &mut run, known, tally, digest)?;
            }
            run.add(id, at, &line);
        }
        // With no entry at all the one that was asked for is gone as well.
        tally.gone |= first && wanted.is_some();
        self.deliver(spec, journal, &mut run, known, tally, digest)?;
        Ok(entries.finish())
    }

    /// Hands a run of entries on, and commits when there is enough.
    fn deliver<R: Recall>(
        &mut self,
        spec: &Spec,
        journal: &Journal,
        run: &mut Run,
        known: &mut FxHashMap<u64, Sequence>,
        tally: &mut Tally,
        digest: &mut Digest<'_, R>,
    ) -> Result<(), Stop> {
        let Run { id, bytes, last } = std::mem::take(run);
        if bytes.is_empty() {
            return Ok(());
        }
        tally.new = true;
        self.progress.content(bytes.len() as u64);
        let is_first = known.is_empty();
        let sequence = known.entry(id).or_insert_with(|| Sequence {
            state: new_state(journal, id, !is_first),
            cursor: String::new(),
            number: 0,
            realtime_us: 0,
            gone: false,
            seen: true,
        });
        if let Some((text, number, realtime_us)) = last {
            (sequence.cursor, sequence.number, sequence.realtime_us) = (text, number, realtime_us);
        }
        sequence.gone = false;
        let (log, chunk) = (open(journal, sequence), Chunk::of_lines(bytes));
        if std::mem::take(&mut self.is_first_chunk)
            && let Some(compared) = self.overlap(spec, &log, &chunk, digest)
        {
            self.compare(compared, digest)?;
        }
        sequence.state = digest.journal_entries(log, &chunk);
        if digest.is_full(self.limits.batch_rows, self.limits.batch_bytes) {
            self.seal(digest)?;
        }
        Ok(())
    }
}

/// After an overlap was read: what did not show in it will not come back where it ended.
fn mark_gone<R: Recall>(journal: &Journal, known: &mut FxHashMap<u64, Sequence>, digest: &mut Digest<'_, R>) {
    for sequence in known.values_mut().filter(|sequence| !sequence.seen && !sequence.gone) {
        sequence.gone = true;
        digest.journal_state(&open(journal, sequence));
    }
}

/// The sequence as a log that goes on after its cursor.
fn open(journal: &Journal, sequence: &Sequence) -> OpenLog {
    let place = Stored {
        journal_cursor: sequence.cursor.clone(),
        gone: sequence.gone,
    };
    OpenLog {
        path: journal.name(),
        format: Format::Journal,
        head: Head::default(),
        base: None,
        ordinal: 0,
        position: Position::start(no_file(), b"", 0),
        place: serde_json::to_string(&place).ok(),
        state: sequence.state.clone(),
        first_day: None,
    }
}

/// Entries of one sequence in a row.
#[derive(Default)]
struct Run {
    id: u64,
    bytes: Vec<u8>,
    /// Cursor of the last one.
    last: Option<(String, u64, i64)>,
}

impl Run {
    fn add(&mut self, id: u64, at: Option<Cursor<'_>>, line: &[u8]) {
        self.id = id;
        self.bytes.extend_from_slice(line);
        if let Some(at) = at {
            self.last = Some((at.text.to_owned(), at.number, at.realtime_us));
        }
    }

    /// Number of the last entry, if they are of that sequence.
    fn number_of(&self, id: u64) -> Option<u64> {
        let (_, number, _) = self.last.as_ref().filter(|_| self.id == id)?;
        Some(*number)
    }
}

fn new_state(journal: &Journal, log_id: u64, follows: bool) -> LogState {
    LogState {
        log_id,
        path: journal.name().as_os_str().as_bytes().to_vec(),
        position: String::new(),
        size: 0,
        mtime_ms: 0,
        span_ms: None,
        // The journal goes on, whatever sequence its entries are of.
        follows,
        damaged: None,
        counts: Counts::default(),
        skipped_bytes: 0,
        ahead: 0,
    }
}

fn no_file() -> Stamp {
    Stamp {
        dev: 0,
        ino: 0,
        size: 0,
        mtime_ms: 0,
        codec: Codec::Plain,
    }
}
