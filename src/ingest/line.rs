//! One host's logs of one kind, open over any number of rounds: `backfill` makes one, `tail` one a second.

use super::digest::Digest;
use super::feed::{Feed, Hangup, Item, Reading};
use super::kinds::Spec;
use super::position::{self, KnownLog};
use super::report::SourceReport;
use super::writer::{self, Draft};
use super::{Job, Progress, RunLimits};
use crate::normalise::attribution::Attribution;
use crate::normalise::join::{OpenRecord, QueueId, Recall};
use crate::normalise::messages::Messages;
use crate::source::{Codec, Family, Found, Limits, Pool};
use crate::store::batch::Batch;
use crate::store::commit::LogState;
use crate::store::state::Recaller;
use crate::store::{Error, Store};
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;

/// What is read at once of a file that is read where it is parsed: as much as stays near the processor.
const NEAR_BYTES: usize = 128 << 10;

/// A line has more bytes than these even in an archive.
const LINE_BYTES_MIN: u64 = 8;

/// What is open between rounds. After an error it says more than was committed: drop it and open it anew.
pub struct OpenSource<'s> {
    store: &'s Store,
    id: i64,
    limits: RunLimits,
    digest: Digest<'s, Recaller>,
    kept: Kept,
}

/// What a line takes over from the round before.
struct Kept {
    /// Logs of the source as they were committed.
    known: Vec<KnownLog>,
    pool: Pool,
    used: Option<Batch>,
    sequence: u32,
}

impl Kept {
    fn learn(&mut self, state: LogState) {
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
    ) -> Result<Self, Error> {
        let id = store.source(host, spec.kind)?;
        let mut messages = Messages::new(attribution, host);
        let (open, all) = store.open_messages(id, limits.open_messages / 2)?;
        messages.join.set_evicted(all - open.len() as u64);
        messages.attributor.load_derived(store.derived_services(id)?);
        for (id, record) in open {
            messages.join.load(id, record, &mut messages.attributor.origins);
        }
        Ok(OpenSource {
            store,
            id,
            limits: *limits,
            digest: Digest::new(messages, store.recaller(id)?, spec),
            kept: Kept {
                known: store.logs(id)?.into_iter().filter_map(position::known).collect(),
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

    /// Reads what the job's logs have that was not read yet, and commits it.
    pub fn read(&mut self, job: &Job, reading: &Reading<'_>, progress: &dyn Progress) -> Result<(), Error> {
        let (store, source) = (self.store, self.id);
        let (drafts, to_write) = crossbeam_channel::bounded(1);
        let (committed, commits) = crossbeam_channel::unbounded();
        let digest = &mut self.digest;
        let mut line = Line {
            store,
            source,
            job,
            limits: &self.limits,
            progress,
            reading,
            drafts,
            commits,
            kept: &mut self.kept,
            waiting: 0,
            sent: Vec::new(),
        };
        std::thread::scope(|scope| {
            let writer = scope.spawn(move || writer::run(store, source, &to_write, &committed));
            let mut families = job.families.iter();
            let fed = families.try_for_each(|(spec, family)| line.family(spec, family, digest));
            let fed = fed.and_then(|()| {
                let mut journals = job.journals.iter();
                journals.try_for_each(|(spec, journal)| line.journal(spec, journal, digest))
            });
            drop(line);
            let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            // A writer that gave up is the cause of everything else.
            written.and(fed.or_else(|stop| stop.map_or(Ok(()), Err)))
        })
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

/// The middle of one host's line, in one round.
pub(super) struct Line<'r> {
    pub(super) store: &'r Store,
    pub(super) source: i64,
    pub(super) job: &'r Job,
    pub(super) limits: &'r RunLimits,
    pub(super) progress: &'r dyn Progress,
    reading: &'r Reading<'r>,
    drafts: Sender<Draft>,
    commits: Receiver<Batch>,
    /// What lives on.
    kept: &'r mut Kept,
    /// Drafts that are not committed yet.
    waiting: u64,
    /// What they say of logs.
    sent: Vec<LogState>,
}

/// Why a line stopped: an error of the store, or None when the writer has hung up (and says why itself).
pub(super) type Stop = Option<Error>;

impl<'r> Line<'r> {
    fn family<R: crate::normalise::join::Recall>(
        &mut self,
        spec: &Arc<Spec>,
        family: &Family,
        digest: &mut Digest<'_, R>,
    ) -> Result<(), Stop> {
        digest.set_spec(spec);
        digest.make_room(self.rows_expected(family));
        self.kept.known.iter_mut().for_each(KnownLog::look_again);
        let mut files = family.files.iter();
        if family.files.iter().all(|file| file.codec == Codec::Plain) {
            let mut taken = Ok(());
            let mut near = self.limits.source;
            near.chunk_bytes = near.chunk_bytes.min(NEAR_BYTES);
            let pool = Pool::new(&near, 2);
            let feed = self.feed(spec, family, near, pool).to(|item| {
                taken = self.item(item, &mut files, digest);
                if taken.is_ok() { Ok(()) } else { Err(Hangup) }
            });
            feed.run();
            taken?;
        } else {
            let (to, items) = crossbeam_channel::bounded(4);
            let feed = self.feed(spec, family, self.limits.source, self.kept.pool.clone());
            let feed = feed.to(move |item| to.send(item).map_err(|_| Hangup));
            std::thread::scope(|scope| {
                scope.spawn(move || feed.run());
                items
                    .into_iter()
                    .try_for_each(|item| self.item(item, &mut files, digest))
            })?;
        }
        digest.family_done();
        // The positions of a family are complete before the next one asks for them.
        self.seal(digest)?;
        self.wait(0)?;
        Ok(())
    }

    fn feed<'f>(&self, spec: &'f Spec, family: &'f Family, limits: Limits, pool: Pool) -> Feed<'f, ()>
    where
        'r: 'f,
    {
        Feed {
            host: &self.job.host,
            spec,
            family,
            known: self.kept.known.clone(),
            limits,
            reading: self.reading,
            pool,
            to: (),
        }
    }

    /// Takes what the reading side has to give.
    fn item<R: Recall>(
        &mut self,
        item: Item,
        files: &mut std::slice::Iter<'_, Found>,
        digest: &mut Digest<'_, R>,
    ) -> Result<(), Stop> {
        let file_done = matches!(item, Item::Close { .. } | Item::Known(_) | Item::Empty(_));
        if let Item::Chunk(chunk) = &item {
            self.progress.content(chunk.bytes().len() as u64);
        }
        digest.item(item);
        if file_done && let Some(found) = files.next() {
            self.progress.file(found.size);
        }
        if digest.is_full(self.limits.batch_rows, self.limits.batch_bytes) {
            self.seal(digest)?;
        }
        if self.reading.is_stopped() {
            return self.stop(digest);
        }
        Ok(())
    }

    /// Rows of a batch, at most: room that is not used costs nothing, and columns that grow are copied. What is followed
    /// grows by little.
    fn rows_expected(&self, family: &Family) -> usize {
        if self.reading.following {
            return 0;
        }
        // A batch ends with a chunk.
        let bytes: u64 = family.files.iter().map(|file| file.size).sum();
        let full = self.limits.batch_rows + self.limits.batch_rows / 16;
        usize::try_from(bytes / LINE_BYTES_MIN).map_or(full, |rows| rows.min(full))
    }

    /// Ends in the middle. What stands in an unfinished record of several lines is read again next time.
    fn stop<R: Recall>(&mut self, digest: &mut Digest<'_, R>) -> Result<(), Stop> {
        if !digest.is_inside() {
            self.seal(digest)?;
            self.wait(0)?;
        }
        Err(None)
    }

    pub(super) fn seal<R: crate::normalise::join::Recall>(&mut self, digest: &mut Digest<'_, R>) -> Result<(), Stop> {
        if !digest.has_news() {
            return Ok(());
        }
        self.kept.sequence += 1;
        while let Ok(batch) = self.commits.try_recv() {
            self.kept.used = Some(batch);
            self.waiting -= 1;
        }
        let draft = digest.seal(self.kept.sequence, self.kept.used.take());
        self.sent.extend_from_slice(&draft.logs);
        self.drafts.send(draft).map_err(|_| None)?;
        self.waiting += 1;
        if digest.wants_trim(self.limits.open_messages) {
            self.wait(0)?;
            digest.trim(self.limits.open_messages);
        }
        Ok(())
    }

    /// Waits until at most `left` drafts are not committed. With none left, what they said of logs is known.
    pub(super) fn wait(&mut self, left: u64) -> Result<(), Stop> {
        while self.waiting > left {
            self.kept.used = Some(self.commits.recv().map_err(|_| None)?);
            self.waiting -= 1;
        }
        if left == 0 {
            self.sent.drain(..).for_each(|state| self.kept.learn(state));
        }
        Ok(())
    }
}
