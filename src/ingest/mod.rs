//! One run over logs: source → parsers → normalise → store, for any number of hosts at once.
//!
//! ```text
//! feed (thread)          digest (thread)              writer (thread)
//! read, unpack, cut ──▶  parse, join, attribute  ──▶  encode, fsync, commit
//!            chunks                          drafts
//! ```
//!
//! Each host's logs go through one such line, in the order of time, because the message join depends on order.
//! Hosts run beside each other, as many as there are cores. Queues are short: memory is bounded by the batch and by
//! the join, whatever the size of the input.

mod dates;
pub mod desk;
pub mod digest;
pub mod feed;
mod journal;
pub mod kinds;
pub mod lines;
pub mod position;
pub mod report;
pub mod shapes;
pub mod writer;

use crate::normalise::attribution::Attribution;
use crate::normalise::messages::Messages;
use crate::source::journal::Journal;
use crate::source::{Family, Limits};
use crate::store::batch::Batch;
use crate::store::{Error, Store};
use digest::Digest;
use feed::{Feed, Item};
use kinds::Spec;
use report::SourceReport;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Bounds of a run; the configuration may state them.
#[derive(Debug, Clone, Copy)]
pub struct RunLimits {
    /// Bounds of reading.
    pub source: Limits,
    /// Rows of a batch: what is read twice after a kill.
    pub batch_rows: usize,
    /// Bytes of a batch in memory; up to three batches of a host are under way.
    pub batch_bytes: usize,
    /// Open messages in memory for each host (about 200 bytes each); the rest stays in the store.
    pub open_messages: usize,
    /// Hosts read at the same time.
    pub parallel: usize,
}

impl Default for RunLimits {
    fn default() -> Self {
        RunLimits {
            source: Limits::default(),
            batch_rows: 250_000,
            batch_bytes: 48 << 20,
            open_messages: 200_000,
            parallel: std::thread::available_parallelism().map_or(2, usize::from),
        }
    }
}

/// The logs of one host and kind: families that share queue IDs are read one after the other.
#[derive(Debug)]
pub struct Job {
    /// Host.
    pub host: String,
    /// Name of the kind.
    pub kind: &'static str,
    /// Its logs, and how each is read.
    pub families: Vec<(Arc<Spec>, Family)>,
    /// Parts of journals that are its logs too.
    pub journals: Vec<(Arc<Spec>, Journal)>,
}

/// Told about progress: called from several threads.
pub trait Progress: Sync {
    /// So many bytes of content have been parsed.
    fn content(&self, bytes: u64);
    /// A file of this size on disk is done.
    fn file(&self, bytes: u64);
}

/// Runs all jobs. Reports come in the order of the jobs; the first error of the store stops everything, with what
/// was committed until then kept.
pub fn run(
    store: &Store,
    attribution: &Attribution,
    jobs: &[Job],
    limits: &RunLimits,
    progress: &dyn Progress,
) -> Result<Vec<SourceReport>, Error> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let reports: Mutex<Vec<(usize, Result<SourceReport, Error>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..limits.parallel.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(at) else { return };
                    if failed.load(Ordering::Relaxed) {
                        return;
                    }
                    let result = run_job(store, attribution, job, limits, progress);
                    failed.fetch_or(result.is_err(), Ordering::Relaxed);
                    reports
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .push((at, result));
                }
            });
        }
    });
    let mut reports = reports.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    reports.sort_by_key(|(at, _)| *at);
    reports.into_iter().map(|(_, result)| result).collect()
}

fn run_job(
    store: &Store,
    attribution: &Attribution,
    job: &Job,
    limits: &RunLimits,
    progress: &dyn Progress,
) -> Result<SourceReport, Error> {
    let source = store.source(&job.host, job.kind)?;
    let first = job.families.first().map(|(spec, _)| spec);
    let Some(spec) = first.or(job.journals.first().map(|(spec, _)| spec)) else {
        return Ok(SourceReport::default());
    };
    let mut messages = Messages::new(attribution, &job.host);
    let (open, all) = store.open_messages(source, limits.open_messages / 2)?;
    messages.join.set_evicted(all - open.len() as u64);
    messages.attributor.load_derived(store.derived_services(source)?);
    for (id, record) in open {
        messages.join.load(id, record, &mut messages.attributor.origins);
    }
    let recall = store.recaller(source)?;
    let mut digest = Digest::new(messages, recall, spec);
    let (drafts, to_write) = crossbeam_channel::bounded(1);
    let (committed, commits) = crossbeam_channel::unbounded();
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(move || writer::run(store, source, &to_write, &committed));
        let mut line = Line {
            store,
            source,
            job,
            limits,
            progress,
            drafts,
            commits,
            used: None,
            sequence: 1,
            waiting: 0,
        };
        let fed = job
            .families
            .iter()
            .try_for_each(|(spec, family)| line.family(spec, family, &mut digest));
        let fed = fed.and_then(|()| {
            let mut journals = job.journals.iter();
            journals.try_for_each(|(spec, journal)| line.journal(spec, journal, &mut digest))
        });
        drop(line);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // A writer that gave up is the cause of everything else.
        written.and(fed.or_else(|stop| stop.map_or(Ok(()), Err)))
    });
    written?;
    Ok(digest.finish())
}

/// The middle of one host's line.
struct Line<'r> {
    store: &'r Store,
    source: i64,
    job: &'r Job,
    limits: &'r RunLimits,
    progress: &'r dyn Progress,
    drafts: crossbeam_channel::Sender<writer::Draft>,
    commits: crossbeam_channel::Receiver<Batch>,
    used: Option<Batch>,
    sequence: u32,
    /// Drafts that are not committed yet.
    waiting: u64,
}

/// Why a line stopped: an error of the store, or None when the writer has hung up (and says why itself).
type Stop = Option<Error>;

impl Line<'_> {
    fn family<R: crate::normalise::join::Recall>(
        &mut self,
        spec: &Arc<Spec>,
        family: &Family,
        digest: &mut Digest<'_, R>,
    ) -> Result<(), Stop> {
        digest.set_spec(spec);
        let known = self
            .store
            .logs(self.source)
            .map_err(Some)?
            .into_iter()
            .filter_map(position::known)
            .collect();
        let (to, items) = crossbeam_channel::bounded(4);
        let feed = Feed {
            host: &self.job.host,
            spec,
            family,
            known,
            limits: self.limits.source,
            to,
        };
        std::thread::scope(|scope| {
            scope.spawn(move || feed.run());
            let mut files = family.files.iter();
            for item in items {
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
            }
            digest.family_done();
            // The positions of a family are complete before the next one asks for them.
            self.seal(digest)?;
            self.wait(0)?;
            Ok(())
        })
    }

    fn seal<R: crate::normalise::join::Recall>(&mut self, digest: &mut Digest<'_, R>) -> Result<(), Stop> {
        if !digest.has_news() {
            return Ok(());
        }
        self.sequence += 1;
        while let Ok(batch) = self.commits.try_recv() {
            self.used = Some(batch);
            self.waiting -= 1;
        }
        self.drafts
            .send(digest.seal(self.sequence, self.used.take()))
            .map_err(|_| None)?;
        self.waiting += 1;
        if digest.wants_trim(self.limits.open_messages) {
            self.wait(0)?;
            digest.trim(self.limits.open_messages);
        }
        Ok(())
    }

    /// Waits until at most `left` drafts are not committed.
    fn wait(&mut self, left: u64) -> Result<(), Stop> {
        while self.waiting > left {
            self.used = Some(self.commits.recv().map_err(|_| None)?);
            self.waiting -= 1;
        }
        Ok(())
    }
}
