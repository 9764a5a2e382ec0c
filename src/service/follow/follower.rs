//! All followed sources, round by round.

use crate::ingest::accounting::Doubt;
use crate::ingest::read_stage::{QUIET_MS, Reading};
use crate::ingest::report::SourceReport;
use crate::ingest::spec::Spec;
use crate::ingest::{Job, Progress, RunLimits, SourcePipeline};
use crate::model::time::UtcMs;
use crate::normalise::attribution::Attribution;
use crate::service::follow::future_logs::Waits;
use crate::service::follow::open_file::{OpenFile, Poll};
use crate::service::follow::presence::Presence;
use crate::service::follow::{Backoff, FollowLimits};
use crate::source::{Codec, Family, Found, Stamp};
use crate::store::{Store, StoreError};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A whole archive is decoded to be tried again: not more often than this.
const ARCHIVE_RETRY_MS: (i64, i64) = (5_000, 600_000);
/// A store that cannot be written is tried again so often.
const STORE_RETRY_MS: (i64, i64) = (1_000, 60_000);
/// A plain file that was read to its end and rested for so long is closed; scans see when it grows.
const REST_MS: i64 = 600_000;

/// What a round did.
#[derive(Debug, Default)]
pub struct Round {
    /// What was read, by source; sources without news are left out.
    pub reports: Vec<SourceReport>,
    /// Sources that could not be read or committed; they are tried again.
    pub troubles: Vec<SourceTrouble>,
    /// A file became shorter: the names must be looked at.
    pub wants_scan: bool,
    /// Files that were given up although a program may still write to them: deleted, and open for long enough.
    pub given_up: Vec<PathBuf>,
}

impl Round {
    /// Lines read.
    pub fn lines(&self) -> u64 {
        self.reports.iter().map(|report| report.counts.lines).sum()
    }
}

/// A source that stands still.
#[derive(Debug)]
pub struct SourceTrouble {
    /// Host.
    pub host: String,
    /// Kind.
    pub kind: &'static str,
    /// Why.
    pub error: StoreError,
}

/// Follows the logs of all sources.
pub struct Follower<'s> {
    with: With<'s>,
    sources: BTreeMap<(String, &'static str), Followed<'s>>,
}

/// What all sources are read with.
struct With<'s> {
    store: &'s Store,
    attribution: &'s Attribution,
    run: RunLimits,
    limits: FollowLimits,
    progress: &'s dyn Progress,
}

/// A round that looks at names: when, within which limits, and where it notes what it gave up.
struct NameScan<'r> {
    now_ms: UtcMs,
    limits: &'r FollowLimits,
    round: &'r mut Round,
}

/// One source.
struct Followed<'s> {
    /// None before its first round, and after an error: what is in memory then says more than was committed.
    source: Option<SourcePipeline<'s>>,
    /// As the last scan found it.
    job: Job,
    held: Vec<OpenFile>,
    /// Journals as they were when they were read.
    journals: HashMap<PathBuf, Option<(UtcMs, u64)>, FxBuildHasher>,
    /// Archives that could not be read to their end.
    archives: HashMap<PathBuf, Backoff, FxBuildHasher>,
    store: Backoff,
    /// Logs that wait for the clock.
    waits: Waits,
    /// Whether all of it is there and can be read.
    presence: Presence,
}

impl<'s> Follower<'s> {
    /// Follows nothing yet: the first round is told what. `progress` is told what is read while a round goes on.
    pub fn new(
        store: &'s Store,
        attribution: &'s Attribution,
        run: &RunLimits,
        limits: &FollowLimits,
        progress: &'s dyn Progress,
    ) -> Self {
        Follower {
            with: With {
                store,
                attribution,
                run: *run,
                limits: *limits,
                progress,
            },
            sources: BTreeMap::new(),
        }
    }

    /// Reads and commits what is new. With `scanned`, the names were looked at; without, only files that are open are.
    /// `stop` ends it early, with what was read until then committed.
    pub fn round(&mut self, now_ms: UtcMs, scanned: Option<Vec<Job>>, stop: &AtomicBool) -> Round {
        let mut round = Round::default();
        let is_scan = scanned.is_some();
        if let Some(jobs) = scanned {
            self.take_jobs(jobs);
        }
        for ((host, kind), followed) in &mut self.sources {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if !followed.store.is_due(now_ms) {
                continue;
            }
            followed.presence.is_unreachable = false;
            let mut work = if is_scan {
                followed.names(&mut NameScan {
                    now_ms,
                    limits: &self.with.limits,
                    round: &mut round,
                })
            } else {
                followed.growth(now_ms, &mut round)
            };
            followed.waits.leave_out(&mut work, now_ms);
            if work.families.is_empty() && work.journals.is_empty() {
                continue;
            }
            match followed.read(&self.with, &work, now_ms, stop) {
                Ok(report) => round.reports.extend(report),
                Err(error) => {
                    followed.source = None;
                    followed.waits.give_up_round();
                    followed.held.iter_mut().for_each(OpenFile::forget_read);
                    followed.store.failed(now_ms);
                    round.troubles.push(SourceTrouble {
                        host: host.clone(),
                        kind,
                        error,
                    });
                }
            }
        }
        round
    }

    /// Hosts and kinds that are followed.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.sources.keys().map(|(host, kind)| (host.as_str(), *kind))
    }

    /// Files that are open.
    pub fn open_files(&self) -> usize {
        self.sources.values().map(|followed| followed.held.len()).sum()
    }

    /// Sources that have been read to their end: host, kind and number in the store. Not those of which a log is gone,
    /// cannot be read, or waits.
    pub fn at_end(&self) -> impl Iterator<Item = (&str, &'static str, i64)> {
        self.sources.iter().filter_map(|((host, kind), followed)| {
            let is_whole = followed.waits.is_empty() && followed.presence.is_whole(&followed.job);
            let source = followed.source.as_ref().filter(|_| is_whole)?;
            Some((host.as_str(), *kind, source.id()))
        })
    }

    /// What other hosts' logs told of messages that are open here.
    pub fn relink(&mut self, changed: &[(i64, crate::model::queue_id::QueueId, crate::normalise::join::OpenRecord)]) {
        for (id, queue_id, record) in changed {
            let sources = self
                .sources
                .values_mut()
                .filter_map(|followed| followed.source.as_mut());
            for source in sources {
                source.relink(*id, queue_id, record);
            }
        }
    }

    fn take_jobs(&mut self, jobs: Vec<Job>) {
        // A source without files keeps what is open: its folder may come back.
        for followed in self.sources.values_mut() {
            followed.job.families.clear();
            followed.job.journals.clear();
        }
        for job in jobs {
            let key = (job.host.clone(), job.kind);
            match self.sources.get_mut(&key) {
                Some(followed) => followed.job = job,
                None => {
                    let followed = Followed {
                        source: None,
                        job,
                        held: Vec::new(),
                        journals: HashMap::default(),
                        archives: HashMap::default(),
                        store: Backoff::new(STORE_RETRY_MS.0, STORE_RETRY_MS.1),
                        waits: Waits::default(),
                        presence: Presence::default(),
                    };
                    self.sources.insert(key, followed);
                }
            }
        }
    }
}

impl<'s> Followed<'s> {
    /// The work of a round that looks at open files alone.
    fn growth(&mut self, now_ms: UtcMs, round: &mut Round) -> Job {
        let mut work = self.no_work();
        for held in &self.held {
            match held.look(now_ms, QUIET_MS) {
                Ok(Poll::Same) => {}
                Err(_) => self.presence.is_unreachable = true,
                Ok(Poll::Less(_)) => round.wants_scan = true,
                Ok(Poll::More(found)) => add(&mut work, held, found),
            }
        }
        for (spec, journal) in &self.job.journals {
            if journal.newest() != self.journals.get(&journal.name()).copied().flatten() {
                work.journals.push((Arc::clone(spec), journal.clone()));
            }
        }
        // Something of a family may wait behind a file that became shorter: its copy has the older lines.
        if round.wants_scan {
            work.families.clear();
        }
        work
    }

    /// The work of a round that looks at names: all files of the scan, and open files that have none any more.
    fn names(&mut self, scan: &mut NameScan<'_>) -> Job {
        if let Some(source) = &self.source {
            self.presence.seed(source.known());
        }
        self.presence.scanned(&self.job, scan.now_ms);
        let mut work = self.no_work();
        work.journals.clone_from(&self.job.journals);
        let scanned = std::mem::take(&mut self.job.families);
        let mut named: Vec<(u64, u64)> = Vec::new();
        for (spec, family) in &scanned {
            let mut files = Vec::with_capacity(family.files.len());
            for found in &family.files {
                if let Some(found) = self.look_at(found, family, spec, scan) {
                    named.push((found.dev, found.ino));
                    files.push(found);
                }
            }
            if !files.is_empty() {
                let stem = family.stem.clone();
                work.families.push((Arc::clone(spec), Family { stem, files }));
            }
        }
        self.job.families = scanned;
        self.nameless(&named, &mut work, scan);
        work
    }

    /// A file of the scan: opened if it is a live log. None if there is nothing to read in it now.
    fn look_at(&mut self, found: &Found, family: &Family, spec: &Arc<Spec>, scan: &NameScan<'_>) -> Option<Found> {
        if let Some(held) = self.held.iter_mut().find(|held| held.key() == (found.dev, found.ino)) {
            held.path.clone_from(&found.path);
            held.nameless_since = None;
            return Some(found.clone());
        }
        if self.is_read(found) {
            return None;
        }
        if found.codec != Codec::Plain {
            let retry = self.archives.get(&found.path);
            return retry
                .is_none_or(|retry| retry.is_due(scan.now_ms))
                .then(|| found.clone());
        }
        if self.held.len() >= scan.limits.open_files_max {
            return Some(found.clone());
        }
        // What cannot be opened is told by the reading side.
        let Ok((held, opened)) = OpenFile::open(found, &family.stem, spec) else {
            return Some(found.clone());
        };
        if self.held.iter().all(|other| other.key() != held.key()) {
            self.held.push(held);
        }
        Some(opened)
    }

    /// Whether all of a file stands in the store.
    fn is_read(&self, found: &Found) -> bool {
        let stamp = found.stamp();
        let known = self.source.as_ref().map(SourcePipeline::known).unwrap_or_default();
        known
            .iter()
            .any(|log| log.known.position.complete && log.known.position.stamp == stamp)
    }

    /// Open files that the scan did not find: renamed to where no pattern leads, or deleted. They are read before the
    /// files of their family that came after them, and closed when nobody wrote to them for long enough.
    fn nameless(&mut self, named: &[(u64, u64)], work: &mut Job, scan: &mut NameScan<'_>) {
        let (now_ms, limits) = (scan.now_ms, scan.limits);
        let mut keep = Vec::with_capacity(self.held.len());
        for mut held in std::mem::take(&mut self.held) {
            if named.contains(&held.key()) {
                let rests = held.mtime_ms().is_some_and(|mtime_ms| now_ms - mtime_ms > REST_MS);
                if !rests || held.look(now_ms, QUIET_MS).is_ok_and(|look| look != Poll::Same) {
                    keep.push(held);
                }
                continue;
            }
            if held.given_up {
                continue;
            }
            let since = *held.nameless_since.get_or_insert(now_ms);
            if let Ok(Poll::More(found) | Poll::Less(found)) = held.look(now_ms, QUIET_MS) {
                before_newest(work, &held, found);
                if now_ms - since > 10 * limits.deleted_wait_ms {
                    held.given_up = true;
                    scan.round.given_up.push(held.path.clone());
                }
                keep.push(held);
                continue;
            }
            let written = held.mtime_ms().unwrap_or(since).max(since);
            if now_ms - written <= limits.deleted_wait_ms {
                keep.push(held);
            }
        }
        self.held = keep;
    }

    fn read(
        &mut self,
        with: &With<'s>,
        work: &Job,
        now_ms: UtcMs,
        stop: &AtomicBool,
    ) -> Result<Option<SourceReport>, StoreError> {
        let first = work.families.first().map(|(spec, _)| spec);
        let Some(spec) = first.or(work.journals.first().map(|(spec, _)| spec)) else {
            return Ok(None);
        };
        let mut reading = Reading {
            now_ms,
            following: true,
            open_files: self
                .held
                .iter()
                .map(|held| (held.key(), Arc::clone(&held.file)))
                .collect(),
            stop: Some(stop),
            until: self.waits.until(),
        };
        // Before they are read: what comes meanwhile is another reason to look.
        let journals = work
            .journals
            .iter()
            .map(|(_, journal)| (journal.name(), journal.newest()));
        let journals: Vec<_> = journals.collect();
        let mut doubts: Vec<Doubt> = Vec::new();
        let source = loop {
            let source = match &mut self.source {
                Some(source) => source,
                none => none.insert(SourcePipeline::open(
                    with.store,
                    with.attribution,
                    &work.host,
                    spec,
                    &with.run,
                )?),
            };
            let Some(doubt) = source.read(work, &reading, with.progress)? else {
                break source;
            };
            // What is in memory says more than was committed.
            self.source = None;
            reading.until.insert(doubt.log_id, doubt.offset);
            doubts.push(doubt);
        };
        self.journals.extend(journals);
        self.store = Backoff::new(STORE_RETRY_MS.0, STORE_RETRY_MS.1);
        let mut report = source.take_report();
        source.report_doubts(&doubts, now_ms, &mut report)?;
        doubts.into_iter().for_each(|doubt| self.waits.add(doubt, work, now_ms));
        if !stop.load(Ordering::Relaxed) {
            let failed = report.problems.iter().filter(|problem| problem.error);
            let failed: Vec<PathBuf> = failed.map(|problem| problem.path.clone()).collect();
            self.waits.end_round();
            self.presence.read(work, &failed);
            self.note(work, now_ms);
        } else {
            self.waits.give_up_round();
        }
        Ok((report.counts.lines > 0 || !report.problems.is_empty()).then_some(report))
    }

    /// What was read need not be looked at again before it changes.
    fn note(&mut self, work: &Job, now_ms: UtcMs) {
        for found in work.families.iter().flat_map(|(_, family)| &family.files) {
            let stamp: Stamp = found.stamp();
            if self.presence.is_unread(&found.path) {
                // It is tried again when the names are looked at.
            } else if let Some(held) = self.held.iter_mut().find(|held| held.key() == (found.dev, found.ino)) {
                held.note_read(&stamp, now_ms, QUIET_MS);
            } else if found.codec != Codec::Plain {
                if self.is_read(found) {
                    self.archives.remove(&found.path);
                } else {
                    let retry = self.archives.entry(found.path.clone());
                    let retry = retry.or_insert(Backoff::new(ARCHIVE_RETRY_MS.0, ARCHIVE_RETRY_MS.1));
                    retry.failed(now_ms);
                }
            }
        }
    }

    fn no_work(&self) -> Job {
        Job {
            host: self.job.host.clone(),
            kind: self.job.kind,
            families: Vec::new(),
            journals: Vec::new(),
        }
    }
}

/// The family of an open file in a round's work.
fn family_of<'w>(work: &'w mut Job, held: &OpenFile) -> &'w mut Family {
    let same = |(spec, family): &(Arc<Spec>, Family)| family.stem == held.stem && Arc::ptr_eq(spec, &held.spec);
    let at = work.families.iter().position(same).unwrap_or_else(|| {
        let stem = held.stem.clone();
        work.families.push((
            Arc::clone(&held.spec),
            Family {
                stem,
                files: Vec::new(),
            },
        ));
        work.families.len() - 1
    });
    &mut work.families[at].1
}

fn add(work: &mut Job, held: &OpenFile, found: Found) {
    family_of(work, held).files.push(found);
}

/// A file that lost its name is older than the one that has it now.
fn before_newest(work: &mut Job, held: &OpenFile, found: Found) {
    let same_stem = work.families.iter().position(|(_, family)| family.stem == held.stem);
    let family = match same_stem {
        Some(at) => &mut work.families[at].1,
        None => family_of(work, held),
    };
    let at = family
        .files
        .iter()
        .position(|file| file.path == held.path)
        .unwrap_or(family.files.len());
    family.files.insert(at, found);
}
