//! Entries of systemd's journal. What an entry's cursor says is its identity: the sequence's name makes the
//! log, the number in it the offset. How far each sequence has been read stands in the catalogue, in the same commit as
//! the rows.
//!
//! A folder of several machines' journals holds several sequences, and an entry can arrive later than one that is
//! younger. So reading starts at the oldest of the places where the sequences ended, and what a sequence's number says
//! is known is passed over. The first entry must be the one that was asked for; if it is gone (rotated, vacuumed), we
//! start an hour before it, by time, and say so.

use crate::ingest::journal_position::{StoredCursor, is_position, sequence_id};
use crate::ingest::open_log::OpenLog;
use crate::ingest::position::unreadable;
use crate::ingest::report::Problem;
use crate::ingest::wrapping::{Wrapping, WrappingForm};
use crate::model::time::UtcMs;
use crate::source::identity::Position;
use crate::source::journal::{Cursor, JournalError, JournalSource, Start, cursor, parse_cursor};
use crate::source::{Chunk, Codec, Limits, Stamp};
use crate::store::StoreError;
use crate::store::catalogue::{Counts, LogState};
use rustc_hash::FxHashMap;
use std::os::unix::ffi::OsStrExt;

/// Looked at again when the place where reading ended is gone.
const OVERLAP_US: i64 = 3_600_000_000;
/// A sequence that has been silent for so long, against the youngest, is not waited for.
const LATE_US_MAX: i64 = 7 * 86_400_000_000;

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

/// Reads a journal from where it was left to its end.
pub(in crate::ingest) struct JournalReader<'j> {
    host: &'j str,
    kind: &'static str,
    journal: &'j JournalSource,
    limits: &'j Limits,
    /// Where sequences wait for the clock.
    until: &'j FxHashMap<u64, u64>,
    sequences: FxHashMap<u64, Sequence>,
    /// Entries that were known already.
    known: u64,
    /// The entry that was asked for was not the first.
    gone: bool,
    /// There were entries that were not known.
    new: bool,
}

/// Takes a run of entries of one sequence, and gives the sequence's state behind them.
type EntrySink<'s, E> = &'s mut dyn FnMut(OpenLog, Chunk) -> Result<LogState, E>;

/// What came of one run of the tool: a word of it, or why it failed.
type Ran = Result<Option<String>, JournalError>;

impl<'j> JournalReader<'j> {
    /// Of a source with these logs. `until` says which sequences wait for the clock, and up to which number they are read.
    ///
    /// # Errors
    /// The position of one of its sequences cannot be read.
    pub(crate) fn new(
        (host, kind): (&'j str, &'static str),
        journal: &'j JournalSource,
        logs: Vec<LogState>,
        limits: &'j Limits,
        until: &'j FxHashMap<u64, u64>,
    ) -> Result<Self, StoreError> {
        Ok(JournalReader {
            host,
            kind,
            journal,
            limits,
            until,
            sequences: sequences(logs)?,
            known: 0,
            gone: false,
            new: false,
        })
    }

    /// Reads to the end; `to` takes the entries. Gives what there is to tell, and the sequences of which something new is
    /// known beside their entries.
    pub(crate) fn read<E>(
        &mut self,
        mut to: impl FnMut(OpenLog, Chunk) -> Result<LogState, E>,
    ) -> Result<(Vec<Problem>, Vec<OpenLog>), E> {
        let from = self.start();
        let start = match &from {
            None => Start::Oldest,
            Some((Some(cursor), _)) => Start::At(cursor),
            Some((None, us)) => Start::Since(us - OVERLAP_US),
        };
        let mut result = self.entries(start, &mut to)?;
        let (mut problems, mut changed) = (Vec::new(), Vec::new());
        if let (Ok(_), true, Some((_, us))) = (&result, self.gone, &from) {
            result = self.entries(Start::Since(us - OVERLAP_US), &mut to)?;
            if result.is_ok() {
                changed = self.mark_gone();
            }
            problems.push(Problem {
                path: self.journal.name(),
                what: format!(
                    "the entry where the last run ended is no longer in the journal (rotated, vacuumed): read again \
                     from an hour before it; {} entries were known. What was removed before it was read is lost; \
                     raise SystemMaxUse= in journald.conf, or run more often",
                    self.known
                ),
                error: false,
            });
        }
        let word = match result {
            Ok(None) => None,
            Ok(Some(words)) => Some((words, false)),
            Err(error) => Some((error.to_string(), true)),
        };
        problems.extend(word.map(|(what, error)| {
            let path = self.journal.name();
            Problem { path, what, error }
        }));
        Ok((problems, changed))
    }

    /// Whether entries were read that were not known.
    pub(crate) fn has_new(&self) -> bool {
        self.new
    }

    /// One of its sequences, as far as it was read.
    pub(crate) fn any_log(&self) -> Option<OpenLog> {
        let sequence = self.sequences.values().next()?;
        Some(open(self.journal, sequence))
    }

    /// The cursor and the time where reading starts; without the cursor by time alone.
    fn start(&self) -> Option<(Option<String>, i64)> {
        let newest = self.sequences.values().map(|sequence| sequence.realtime_us).max()?;
        let awaited = self
            .sequences
            .values()
            .filter(|sequence| !sequence.gone && newest - sequence.realtime_us <= LATE_US_MAX);
        let oldest = awaited.min_by_key(|sequence| sequence.realtime_us);
        // With all of them gone: by time, behind the youngest.
        Some(oldest.map_or((None, newest), |oldest| {
            (Some(oldest.cursor.clone()), oldest.realtime_us)
        }))
    }

    /// One run of the tool. Entries of one sequence in a row become one chunk.
    fn entries<E>(&mut self, start: Start<'_>, to: EntrySink<'_, E>) -> Result<Ran, E> {
        let mut entries = match self.journal.read(start, self.limits) {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(error)),
        };
        let wanted = match start {
            Start::At(cursor) => parse_cursor(cursor),
            Start::Oldest | Start::Since(_) => None,
        };
        let mut run = EntryRun::default();
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
                self.gone = true;
                return Ok(Ok(None));
            }
            let id = at.map_or(run.id, |at| sequence_id(self.host, self.kind, at.sequence));
            if at.is_some_and(|at| self.is_passed_over(id, at, &run)) {
                continue;
            }
            if run.id != id || run.bytes.len() >= self.limits.chunk_bytes {
                self.deliver(&mut run, to)?;
            }
            run.add(id, at, &line);
        }
        // With no entry at all the one that was asked for is gone as well.
        self.gone |= first && wanted.is_some();
        self.deliver(&mut run, to)?;
        Ok(entries.finish())
    }

    /// Whether an entry of the sequence `id` is known, or has to wait for the clock.
    fn is_passed_over(&mut self, id: u64, at: Cursor<'_>, run: &EntryRun) -> bool {
        let sequence = self.sequences.get_mut(&id);
        let read_to = sequence.map(|sequence| {
            sequence.seen = true;
            sequence.number
        });
        let read_to = read_to.or(run.number_of(id)).max(run.number_of(id));
        if read_to.is_some_and(|to| at.number <= to) {
            self.known += 1;
            return true;
        }
        self.until.get(&id).is_some_and(|until| at.number >= *until)
    }

    /// Hands a run of entries on. The sequence's position advances behind the last of them.
    fn deliver<E>(&mut self, run: &mut EntryRun, to: EntrySink<'_, E>) -> Result<(), E> {
        let EntryRun { id, bytes, last } = std::mem::take(run);
        if bytes.is_empty() {
            return Ok(());
        }
        self.new = true;
        let (is_first, journal) = (self.sequences.is_empty(), self.journal);
        let sequence = self.sequences.entry(id).or_insert_with(|| Sequence {
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
        sequence.state = to(open(journal, sequence), Chunk::of_lines(bytes))?;
        Ok(())
    }

    /// After an overlap was read: what did not show in it will not come back where it ended.
    fn mark_gone(&mut self) -> Vec<OpenLog> {
        let journal = self.journal;
        let lost = self
            .sequences
            .values_mut()
            .filter(|sequence| !sequence.seen && !sequence.gone);
        lost.map(|sequence| {
            sequence.gone = true;
            open(journal, sequence)
        })
        .collect()
    }
}

/// Sequences that the store knows.
fn sequences(logs: Vec<LogState>) -> Result<FxHashMap<u64, Sequence>, StoreError> {
    let mut sequences = FxHashMap::default();
    // The others are files.
    for state in logs.into_iter().filter(|state| is_position(&state.position)) {
        let stored: Option<StoredCursor> = serde_json::from_str(&state.position).ok();
        if stored.as_ref().is_some_and(|stored| stored.journal_cursor.is_empty()) {
            continue;
        }
        let at = stored.as_ref().and_then(|stored| parse_cursor(&stored.journal_cursor));
        let (Some(stored), Some(at)) = (&stored, at) else {
            return Err(unreadable(&state));
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

/// The sequence as a log that goes on after its cursor.
fn open(journal: &JournalSource, sequence: &Sequence) -> OpenLog {
    let place = StoredCursor {
        journal_cursor: sequence.cursor.clone(),
        gone: sequence.gone,
    };
    OpenLog {
        path: journal.name(),
        form: WrappingForm::plain(Wrapping::Journal),
        by_line: false,
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
struct EntryRun {
    id: u64,
    bytes: Vec<u8>,
    /// Cursor of the last one.
    last: Option<(String, u64, i64)>,
}

impl EntryRun {
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

fn new_state(journal: &JournalSource, log_id: u64, follows: bool) -> LogState {
    LogState {
        log_id,
        path: journal.name().as_os_str().as_bytes().to_vec(),
        position: String::new(),
        size: 0,
        mtime_ms: UtcMs::new(0),
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
        mtime_ms: UtcMs::new(0),
        codec: Codec::Plain,
    }
}
