//! One run over logs: every job through a pipeline of its own, several side by side.

use super::job::{Job, Progress, RunLimits};
use super::pipeline::SourcePipeline;
use super::read_stage::Reading;
use super::report::SourceReport;
use crate::model::log_kinds::is_mta;
use crate::normalise::attribution::Attribution;
use crate::store::catalogue::Counts;
use crate::store::{Store, StoreError};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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
    let limits = &RunLimits {
        parallel: limits.parallel.clamp(1, jobs.len().max(1)),
        ..*limits
    };
    std::thread::scope(|scope| {
        for _ in 0..limits.parallel {
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
        let mut source = SourcePipeline::open(store, attribution, &job.host, spec, limits)?;
        let Some(doubt) = source.read(job, &reading, progress)? else {
            let mut doubted = SourceReport::default();
            source.report_doubts(&doubts, reading.now_ms, &mut doubted)?;
            let mut report = source.finish();
            report.counts.add(&before);
            report.problems.append(&mut doubted.problems);
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
    // Hosts of applications' logs too.
    let all = jobs.iter().map(|job| &job.host);
    all.chain(known.iter().map(|source| &source.host))
        .for_each(|host| attribution.ours.add_host(host));
    Ok(hosts)
}
