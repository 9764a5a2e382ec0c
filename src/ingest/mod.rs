//! One run over logs: source → parsers → normalise → store, for any number of hosts at once.
//!
//! ```text
//! feed (thread)          digest (thread)              writer (thread)
//! read, unpack, cut ──▶  parse, join, attribute  ──▶  encode, fsync, commit
//!            chunks                          drafts
//! ```
//!
//! What is not packed is read by the digest's own thread, a little at a time: bytes that another core has read are far from
//! the one that parses them.
//!
//! Each host's logs go through one such line, in the order of time, because the message join depends on order.
//! Hosts run beside each other, as many as there are cores. Queues are short: memory is bounded by the batch and by
//! the join, whatever the size of the input.

mod dates;
pub mod desk;
pub mod digest;
pub mod feed;
pub mod future;
mod journal;
pub mod kinds;
mod line;
pub mod lines;
mod odd;
mod overlap;
pub mod position;
pub mod report;
mod reread;
pub mod shapes;
pub mod survey;
pub mod writer;

use crate::normalise::attribution::Attribution;
use crate::normalise::hops::is_mta;
use crate::source::journal::Journal;
use crate::source::{Family, Limits};
use crate::store::catalogue::Counts;
use crate::store::{Store, StoreError};
use feed::Reading;
use kinds::Spec;
pub use line::OpenSource;
use report::SourceReport;
pub use reread::{Reread, logs_there, reread};
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
    /// Logs that stand under another host are read all the same.
    pub anyway: bool,
}

impl Default for RunLimits {
    fn default() -> Self {
        RunLimits {
            source: Limits::default(),
            batch_rows: 150_000,
            batch_bytes: 48 << 20,
            open_messages: 200_000,
            parallel: std::thread::available_parallelism().map_or(2, usize::from),
            anyway: false,
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
) -> Result<Vec<SourceReport>, StoreError> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let reports: Mutex<Vec<(usize, Result<SourceReport, StoreError>)>> = Mutex::new(Vec::new());
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
) -> Result<SourceReport, StoreError> {
    let first = job.families.first().map(|(spec, _)| spec);
    let Some(spec) = first.or(job.journals.first().map(|(spec, _)| spec)) else {
        return Ok(SourceReport::default());
    };
    let mut reading = Reading {
        // Whether a file is quiet is a question of now.
        now_ms: crate::clock::now_ms(),
        ..Reading::default()
    };
    let (mut doubts, mut before) = (Vec::new(), Counts::default());
    loop {
        let mut source = OpenSource::open(store, attribution, &job.host, spec, limits)?;
        let Some(doubt) = source.read(job, &reading, progress)? else {
            let mut told = SourceReport::default();
            source.tell_doubts(&doubts, reading.now_ms, &mut told)?;
            let mut report = source.finish();
            report.counts.add(&before);
            report.problems.append(&mut told.problems);
            return Ok(report);
        };
        // What is in memory says more than was committed: anew, up to where the log waits.
        before.add(&source.committed());
        reading.until.insert(doubt.log_id, doubt.offset);
        doubts.push(doubt);
    }
}

/// Tells the attribution whose MTA's logs are read, now or before. Returns these hosts.
pub fn cover(attribution: &mut Attribution, jobs: &[Job], store: &Store) -> Result<Vec<String>, StoreError> {
    let now = jobs.iter().filter(|job| is_mta(job.kind)).map(|job| job.host.clone());
    let known = store.positions().sources()?;
    let before = known
        .iter()
        .filter(|source| is_mta(&source.kind))
        .map(|source| source.host.clone());
    let hosts: Vec<String> = now.chain(before).collect();
    hosts.iter().for_each(|host| attribution.cover(host));
    Ok(hosts)
}
