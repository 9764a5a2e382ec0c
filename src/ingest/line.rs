//! One host's logs of one kind, open over any number of rounds: `backfill` makes one, `tail` one every poll.

use super::digest::Digest;
use super::feed::elsewhere::logs_of_others;
use super::feed::{Feed, Hangup, Item, OpenLog, Reading};
use super::future::Doubt;
use super::kinds::Spec;
use super::overlap::Span;
use super::position::{self, KnownLog};
use super::report::{Problem, SourceReport};
use super::writer::{self, Draft};
use super::{Job, Progress, RunLimits};
use crate::model::queue_id::QueueId;
use crate::normalise::attribution::Attribution;
use crate::normalise::join::{OpenRecord, Recall};
use crate::normalise::messages::Messages;
use crate::normalise::origins::OriginTable;
use crate::source::{Codec, Family, Found, Limits, Pool};
use crate::store::batch::SealedBatch;
use crate::store::catalogue::ClockDoubt;
use crate::store::catalogue::{CatalogueError, RecallError, Recaller};
use crate::store::catalogue::{Counts, LogState};
use crate::store::columnar::Encoder;
use crate::store::recovery::reread;
use crate::store::{Store, StoreError};
use crossbeam_channel::{Receiver, Sender};
use rustc_hash::{FxHashMap, FxHashSet};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// What is read at once of a file that is read where it is parsed: as much as stays near the processor.
const NEAR_BYTES: usize = 128 << 10;

/// A line has more bytes than these even in an archive.
const LINE_BYTES_MIN: u64 = 8;

/// What is read without threads of its own, at most.
const LITTLE_BYTES: u64 = 4 << 20;

/// What is open between rounds. After an error it says more than was committed: drop it and open it anew.
pub struct OpenSource<'s> {
    store: &'s Store,
    id: i64,
    limits: RunLimits,
    digest: Digest<'s, Recaller>,
    /// Errors of the digest's questions to the store.
    trouble: RecallError,
    kept: Kept,
}

/// What a line takes over from the round before.
struct Kept {
    /// Logs of the source as they were committed.
    known: Vec<KnownLog>,
    /// Highest numbers of logs that were forgotten, by their identity without the number.
    forgotten: FxHashMap<u64, u32>,
    /// Times of all logs, those of journals too.
    spans: Vec<Span>,
    /// Logs that were read in this life.
    read: FxHashSet<u64>,
    pool: Pool,
    /// A batch that is committed.
    used: Option<SealedBatch>,
    sequence: u32,
}

impl Kept {
    fn learn(&mut self, state: LogState) {
        if let Some(span) = Span::of(&state) {
            match self.spans.iter_mut().find(|known| known.is_of(&state)) {
                Some(known) => *known = span,
                None => self.spans.push(span),
            }
        }
        let Some(new) = position::known(state) else { return };
        match self.known.iter_mut().find(|log| log.state.log_id == new.state.log_id) {
            Some(log) => *log = new,
            None => self.known.push(new),
        }
    }
}

impl<'s> OpenSource<'s> {
    /// Opens a source with what the store knows of it. `spec` says how the first of its logs is read.
    pub fn open(
        store: &'s Store,
        attribution: &'s Attribution,
        host: &str,
        spec: &Arc<Spec>,
        limits: &RunLimits,
    ) -> Result<Self, StoreError> {
        let id = store.positions().source(host, spec.kind)?;
        let mut messages = Messages::new(attribution, host);
        let (open, all) = store.messages().newest(id, limits.open_messages / 2)?;
        messages.join.set_evicted(all - open.len() as u64);
        messages.attributor.load_derived(store.services().derived(id)?);
        messages.attributor.load_accounts(store.services().accounts(id)?);
        for (id, record) in open {
            messages.join.load(id, record, &mut messages.attributor.origins);
        }
        let recaller = store.messages().recaller(id)?;
        let trouble = recaller.error();
        let mut digest = Digest::new(messages, recaller, spec);
        if let Some(wanted) = reread::all_but_adopted(store, id)? {
            digest.only(&Arc::new(wanted));
        }
        if let Some(lines) = store.positions().split_lines(id)? {
            digest.reopen_split_lines(&lines)?;
        }
        let logs = store.positions().logs(id)?;
        let mut spans: Vec<Span> = logs.iter().filter_map(Span::of).collect();
        Span::widen(&mut spans, store.positions().adopted_logs(id)?);
        Ok(OpenSource {
            store,
            id,
            limits: *limits,
            digest,
            trouble,
            kept: Kept {
                spans,
                read: FxHashSet::default(),
                known: known_logs(logs)?,
                forgotten: store.positions().forgotten_ordinals(id)?,
                pool: Pool::new(&limits.source, 8),
                used: None,
                sequence: 1,
            },
        })
    }

    /// Number of the source in the store.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Logs as they were committed.
    pub fn known(&self) -> &[KnownLog] {
        &self.kept.known
    }

    /// Reads what the job's logs have that was not read yet, and commits it. A log that makes this machine's clock
    /// doubtful ends it, with nothing of that log committed: open the source anew, and read up to where that log waits.
    pub fn read(
        &mut self,
        job: &Job,
        reading: &Reading<'_>,
        progress: &dyn Progress,
    ) -> Result<Option<Doubt>, StoreError> {
        let (store, source) = (self.store, self.id);
        let digest = &mut self.digest;
        digest.set_now(reading.now_ms);
        let mut line = Line {
            store,
            source,
            job,
            limits: &self.limits,
            progress,
            reading,
            writer: Writer::Here,
            trouble: &self.trouble,
            kept: &mut self.kept,
            waiting: 0,
            sent: Vec::new(),
            is_first_chunk: false,
            doubt: None,
        };
        if line.has_little() {
            line.read(digest).or_else(|stop| stop.map_or(Ok(()), Err))?;
            return Ok(line.doubt);
        }
        let (drafts, to_write) = crossbeam_channel::bounded(1);
        let (committed, commits) = crossbeam_channel::unbounded();
        line.writer = Writer::Behind { drafts, commits };
        std::thread::scope(|scope| {
            let writer = scope.spawn(move || writer::run(store, source, &to_write, &committed));
            let fed = line.read(digest);
            let doubt = line.doubt.take();
            drop(line);
            let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            // A writer that gave up is the cause of everything else.
            written.and(fed.or_else(|stop| stop.map_or(Ok(()), Err)))?;
            Ok(doubt)
        })
    }

    /// Notes which logs wait because of them, and says so.
    pub fn tell_doubts(&self, doubts: &[Doubt], now_ms: i64, report: &mut SourceReport) -> Result<(), StoreError> {
        let doubts: Vec<ClockDoubt> = doubts.iter().map(|doubt| doubt.as_of(now_ms)).collect();
        self.store.positions().put_clock_doubts(self.id, &doubts)?;
        report.problems.extend(doubts.iter().map(|doubt| Problem {
            path: std::path::PathBuf::from(std::ffi::OsStr::from_bytes(&doubt.path)),
            what: doubt.to_string(),
            error: true,
        }));
        Ok(())
    }

    /// Lines of this round that are committed: all but those behind a doubt.
    pub fn committed(&self) -> Counts {
        self.digest.sealed()
    }

    /// What other hosts' logs told of an open message.
    pub fn relink(&mut self, id: &QueueId, record: &OpenRecord) {
        self.digest.relink(id, record);
    }

    /// What there is to tell since the last call.
    pub fn take_report(&mut self) -> SourceReport {
        self.digest.take_report()
    }

    /// The report, with what only shows at the end.
    pub fn finish(self) -> SourceReport {
        self.digest.finish()
    }
}

/// Logs of a source in files. One whose position cannot be read would be read again, and its rows doubled.
fn known_logs(logs: Vec<LogState>) -> Result<Vec<KnownLog>, StoreError> {
    let mut known = Vec::new();
    for state in logs {
        match position::known(state.clone()) {
            Some(log) => known.push(log),
            None if super::journal::is_position(&state.position) => {}
            None => return Err(unreadable_position(&state)),
        }
    }
    Ok(known)
}

pub(super) fn unreadable_position(state: &LogState) -> StoreError {
    let path = position::path_of(state).display().to_string();
    StoreError::Catalogue(CatalogueError::Position { path })
}

/// The middle of one host's line, in one round.
pub(super) struct Line<'r> {
    pub(super) store: &'r Store,
    pub(super) source: i64,
    pub(super) job: &'r Job,
    pub(super) limits: &'r RunLimits,
    pub(super) progress: &'r dyn Progress,
    reading: &'r Reading<'r>,
    writer: Writer,
    trouble: &'r RecallError,
    /// What lives on.
    kept: &'r mut Kept,
    /// Drafts that are not committed yet.
    waiting: u64,
    /// What they say of logs.
    sent: Vec<LogState>,
    /// Nothing has been read yet of the log in hand.
    pub(super) is_first_chunk: bool,
    /// A log that makes the clock doubtful: the end of the round.
    doubt: Option<Doubt>,
}

/// Who commits.
enum Writer {
    /// The line itself: a tail's round has less to do than threads cost.
    Here,
    /// A thread beside it.
    Behind {
        drafts: Sender<Draft>,
        commits: Receiver<SealedBatch>,
    },
}

/// Why a line stopped: an error of the store, or None when the writer has hung up (and says why itself).
pub(super) type Stop = Option<StoreError>;

impl Line<'_> {
    /// Whether all files together have grown by little since they were read.
    fn has_little(&self) -> bool {
        let files = self.job.families.iter().flat_map(|(_, family)| &family.files);
        let grown = files.map(|found| {
            let path = found.path.as_os_str().as_bytes();
            let known = self.kept.known.iter().find(|log| log.state.path == path);
            match known.map(|log| log.state.size) {
                Some(size) if size <= found.size => found.size - size,
                _ => found.size,
            }
        });
        self.job.journals.is_empty() && grown.sum::<u64>() <= LITTLE_BYTES
    }

    fn read<R: Recall>(&mut self, digest: &mut Digest<'_, R>) -> Result<(), Stop> {
        for (spec, family) in &self.job.families {
            self.family(spec, family, digest)?;
        }
        for (spec, journal) in &self.job.journals {
            self.journal(spec, journal, digest)?;
        }
        Ok(())
    }

    fn family<R: Recall>(&mut self, spec: &Arc<Spec>, family: &Family, digest: &mut Digest<'_, R>) -> Result<(), Stop> {
        digest.set_spec(spec);
        digest.make_room(self.rows_expected(family));
        self.kept.known.iter_mut().for_each(KnownLog::look_again);
        let mut files = family.files.iter();
        let (here, pool) = match &self.writer {
            Writer::Here => (true, self.kept.pool.clone()),
            _ if family.files.iter().all(|file| file.codec == Codec::Plain) => {
                let chunk_bytes = self.limits.source.chunk_bytes.min(NEAR_BYTES);
                let near = Limits {
                    chunk_bytes,
                    ..self.limits.source
                };
                (true, Pool::new(&near, 2))
            }
            Writer::Behind { .. } => (false, self.kept.pool.clone()),
        };
        let (store, host, kind, anyway) = (self.store, &self.job.host, self.job.kind, self.limits.anyway);
        let of_others = |line: &[u8]| match anyway {
            true => Vec::new(),
            false => logs_of_others(store, host, kind, line).unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot look whether another host has a log");
                Vec::new()
            }),
        };
        let feed = Feed {
            host: &self.job.host,
            spec,
            family,
            known: self.kept.known.clone(),
            forgotten: self.kept.forgotten.clone(),
            of_others: &of_others,
            limits: self.limits.source,
            reading: self.reading,
            pool,
        };
        if here {
            let mut taken = Ok(());
            feed.run(|item| {
                taken = self.item(spec, item, &mut files, digest);
                if taken.is_err() { Err(Hangup) } else { Ok(()) }
            });
            taken?;
        } else {
            let (to, items) = crossbeam_channel::bounded(4);
            std::thread::scope(|scope| {
                scope.spawn(move || feed.run(|item| to.send(item).map_err(|_| Hangup)));
                items
                    .into_iter()
                    .try_for_each(|item| self.item(spec, item, &mut files, digest))
            })?;
        }
        digest.family_done();
        // The positions of a family are complete before the next one asks for them.
        self.seal(digest)?;
        self.wait(0)
    }

    /// Rows of a batch, at most: room that is not used costs nothing, and columns that grow are copied. What is followed
    /// grows by little.
    fn rows_expected(&self, family: &Family) -> usize {
        if self.reading.following || matches!(self.writer, Writer::Here) {
            return 0;
        }
        // A batch ends with a chunk.
        let bytes: u64 = family.files.iter().map(|file| file.size).sum();
        let full = self.limits.batch_rows + self.limits.batch_rows / 16;
        usize::try_from(bytes / LINE_BYTES_MIN).map_or(full, |rows| rows.min(full))
    }

    /// Takes what was read of the family whose `files` these are.
    fn item<'f, R: Recall>(
        &mut self,
        spec: &Spec,
        item: Item,
        files: &mut impl Iterator<Item = &'f Found>,
        digest: &mut Digest<'_, R>,
    ) -> Result<(), Stop> {
        let file_done = matches!(item, Item::Close { .. } | Item::Known(_) | Item::Empty(_));
        if let Item::Chunk(chunk) = &item {
            self.progress.content(chunk.bytes().len() as u64);
            if std::mem::take(&mut self.is_first_chunk)
                && let Some(log) = digest.log()
            {
                let compared = self.overlap(spec, log, chunk, digest);
                self.kept.read.insert(log.state.log_id);
                if let Some(compared) = compared {
                    self.compare(compared, digest)?;
                }
            }
        }
        self.is_first_chunk |= matches!(item, Item::Open(_));
        digest.item(item);
        self.look_at_clock(digest.take_doubt())?;
        if file_done && let Some(found) = files.next() {
            self.progress.file(found.size);
        }
        if digest.is_full(self.limits.batch_rows, self.limits.batch_bytes) {
            self.seal(digest)?;
        }
        match self.reading.is_stopped() {
            true => self.stop(digest),
            false => Ok(()),
        }
    }

    /// Where a log waits for the clock.
    pub(super) fn reading_until(&self, log_id: u64) -> Option<u64> {
        self.reading.until.get(&log_id).copied()
    }

    /// Ends the round if a log makes the clock doubtful and does not wait yet.
    pub(super) fn look_at_clock(&mut self, doubt: Option<Doubt>) -> Result<(), Stop> {
        self.doubt = doubt.filter(|doubt| !self.reading.until.contains_key(&doubt.log_id));
        if self.doubt.is_some() { Err(None) } else { Ok(()) }
    }

    /// Ends in the middle. What stands in an unfinished record of several lines is read again next time.
    fn stop<R: Recall>(&mut self, digest: &mut Digest<'_, R>) -> Result<(), Stop> {
        if !digest.is_inside() {
            self.seal(digest)?;
            self.wait(0)?;
        }
        Err(None)
    }

    /// Whether a log has not been read since the source was opened.
    pub(super) fn is_left_by_another_life(&self, log: &OpenLog) -> bool {
        !self.kept.read.contains(&log.state.log_id)
    }

    /// Times of the source's logs, as far as they were read.
    pub(super) fn spans(&self) -> impl Iterator<Item = Span> {
        let sent = self.sent.iter().filter_map(Span::of);
        self.kept.spans.iter().cloned().chain(sent)
    }

    pub(super) fn seal<R: Recall>(&mut self, digest: &mut Digest<'_, R>) -> Result<(), Stop> {
        // Rows of a message whose sender could not be asked for would say for ever that nobody knows it.
        if let Some(error) = self.trouble.take() {
            return Err(Some(error.into()));
        }
        if !digest.has_news() {
            return Ok(());
        }
        self.kept.sequence += 1;
        match &self.writer {
            Writer::Here => {
                let draft = digest.seal(self.kept.sequence, self.kept.used.take());
                self.sent.extend_from_slice(&draft.logs);
                let written = writer::write(self.store, self.source, draft, &mut Encoder::default())?;
                // Senders may be many beside the rows of a tail's round.
                self.kept.used = Some(SealedBatch {
                    origins: OriginTable::default(),
                    ..written
                });
            }
            Writer::Behind { drafts, commits } => {
                while let Ok(written) = commits.try_recv() {
                    self.kept.used = Some(written);
                    self.waiting -= 1;
                }
                let draft = digest.seal(self.kept.sequence, self.kept.used.take());
                self.sent.extend_from_slice(&draft.logs);
                drafts.send(draft).map_err(|_| None)?;
                self.waiting += 1;
            }
        }
        if digest.wants_trim(self.limits.open_messages) {
            self.wait(0)?;
            digest.trim(self.limits.open_messages);
        }
        Ok(())
    }

    /// Waits until at most `left` drafts are not committed. With none left, what they said of logs is known.
    pub(super) fn wait(&mut self, left: u64) -> Result<(), Stop> {
        if let Writer::Behind { commits, .. } = &self.writer {
            while self.waiting > left {
                self.kept.used = Some(commits.recv().map_err(|_| None)?);
                self.waiting -= 1;
            }
        }
        if left == 0 {
            self.sent.drain(..).for_each(|state| self.kept.learn(state));
        }
        Ok(())
    }
}
