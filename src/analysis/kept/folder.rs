//! Snapshots in a folder, or in memory: which of them fits, and which are kept.

use super::expected_hours::ExpectedHours;
use super::header::{KeptHeader, SNAPSHOT};
use super::snapshot::{Snapshot, Standing};
use super::subject::KeptSubject;
use crate::detect::engine::Options;
use crate::files;
use crate::model::time::{DAY_MIN, HOUR_MIN, Minute};
use crate::query::QueryError;
use crate::query::history::MailHistory;
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Extension of the files; their names are the minutes.
const EXTENSION: &str = "kept";

/// The file of what was expected of each hour.
const EXPECTED: &str = "expected.hours";
/// The part of all bytes that it may take.
pub(crate) const EXPECTED_PART: u64 = 4;

/// A snapshot is written at each quarter of an hour.
pub(crate) const EVERY: i64 = 15;
/// Those of the last hours are all kept, so that rows of minutes ago cost minutes.
const QUARTERS: i64 = 2 * HOUR_MIN;
/// For rows of the last day, some of that day are.
const HOURS: i64 = 26 * HOUR_MIN;
const HOURLY: i64 = 3 * HOUR_MIN;
/// Daily ones, and weekly ones beyond.
const DAYS: i64 = 14 * DAY_MIN;
/// So many are kept whatever their size: the newest, and one to go back to.
const LEAST: usize = 2;

/// Bytes of those in memory: weeks of a dozen services, or days of hundreds.
const MEMORY_MAX: u64 = 12 << 20;

/// Snapshots by their minutes.
type MemorySnapshots = BTreeMap<Minute, Arc<[u8]>>;

/// Snapshots of the detection in a folder.
#[derive(Debug, Clone)]
pub struct Kept {
    folder: PathBuf,
    /// Those that this process writes, if it may not write to the folder; its clones share them.
    memory: Option<Arc<Mutex<MemorySnapshots>>>,
}

/// Where a snapshot is.
enum SnapshotPlace {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

/// A snapshot that may be read.
struct SnapshotFile {
    at: Minute,
    place: SnapshotPlace,
    bytes: u64,
}

impl SnapshotFile {
    fn read(&self) -> Result<Arc<[u8]>> {
        match &self.place {
            SnapshotPlace::File(path) => Ok(fs::read(path).context("it cannot be read")?.into()),
            SnapshotPlace::Memory(bytes) => Ok(Arc::clone(bytes)),
        }
    }

    fn name(&self) -> String {
        match &self.place {
            SnapshotPlace::File(path) => path.display().to_string(),
            SnapshotPlace::Memory(_) => format!("the state of minute {}", self.at.get()),
        }
    }
}

impl Kept {
    /// Those in a folder, which need not be there.
    pub fn new(folder: &Path) -> Kept {
        Kept {
            folder: folder.to_owned(),
            memory: None,
        }
    }

    /// Those in a folder, which is only read, and further ones in memory.
    pub fn with_memory(folder: &Path) -> Kept {
        Kept {
            memory: Some(Arc::default()),
            ..Kept::new(folder)
        }
    }

    /// Whether it writes to memory alone.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.memory.is_some()
    }

    /// The newest snapshot that has judged no minute from `until` on, and of which no minute from `since` on has changed. One
    /// that is of no use is passed over: what it would have saved is replayed.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn newest(
        &self,
        store: &dyn MailHistory,
        options: &Options,
        (since, until): (Minute, Minute),
    ) -> Result<Option<Snapshot>, QueryError> {
        let entries = self.entries();
        if entries.iter().all(|entry| entry.at > until) {
            return Ok(None);
        }
        let subject = KeptSubject::of(store, options)?;
        for entry in entries.iter().rev().filter(|entry| entry.at <= until) {
            let found = entry
                .read()
                .and_then(|bytes| Ok((KeptHeader::of(&bytes, SNAPSHOT, &subject)?.0.mark, bytes)));
            let (mark, bytes) = match found {
                Ok(found) => found,
                Err(why) => {
                    tracing::debug!("{}: {why:#}", entry.name());
                    continue;
                }
            };
            if let Some(changed) = store.first_change(&mark, since.min(entry.at), entry.at)? {
                tracing::debug!("{}: rows changed since minute {}", entry.name(), changed.get());
                continue;
            }
            match Snapshot::of_bytes(&bytes, &subject, options) {
                Ok(snapshot) => return Ok(Some(snapshot)),
                Err(why) => tracing::debug!("{}: {why:#}", entry.name()),
            }
        }
        Ok(None)
    }

    /// Whether a snapshot of a minute would be kept while the detection stands at another.
    pub fn is_wanted(at: Minute, now: Minute) -> bool {
        let age = now - at;
        let day = at.day();
        let is_midnight = at == day.first_minute();
        // 1970-01-05 was a Monday.
        let is_monday = is_midnight && (day - 4).get().rem_euclid(7) == 0;
        age < QUARTERS && at == at.floor_to(EVERY)
            || age < HOURS && at == at.floor_to(HOURLY)
            || age < DAYS && is_midnight
            || is_monday
    }

    /// What was expected of each hour, as far as a watcher has written it down and no row has come or changed for since: and the
    /// minute up to which it counts.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(crate) fn expected_hours(
        &self,
        store: &dyn MailHistory,
        options: &Options,
    ) -> Result<Option<(ExpectedHours, Minute)>, QueryError> {
        let subject = KeptSubject::of(store, options)?;
        let Some((hours, header)) = self.written_hours(&subject) else {
            return Ok(None);
        };
        let changed = store.first_change(&header.mark, Minute::MIN, header.at)?;
        Ok(Some((hours, changed.unwrap_or(header.at))))
    }

    /// The same as it was written.
    pub(crate) fn hours_as_written(&self, subject: &KeptSubject) -> Option<ExpectedHours> {
        Some(self.written_hours(subject)?.0)
    }

    fn written_hours(&self, subject: &KeptSubject) -> Option<(ExpectedHours, KeptHeader)> {
        let path = self.folder.join(EXPECTED);
        let bytes = fs::read(&path).ok()?;
        match ExpectedHours::of_bytes(&bytes, subject) {
            Ok(found) => Some(found),
            Err(why) => {
                tracing::debug!("{}: {why:#}", path.display());
                None
            }
        }
    }

    /// Writes what was expected of each hour before a snapshot of that minute, so that it is never older; gives the bytes that are
    /// left for snapshots.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn put_hours(
        &self,
        hours: &ExpectedHours,
        (standing, subject): (&Standing<'_>, &KeptSubject),
        bytes_max: u64,
    ) -> Result<u64> {
        let name = || self.folder.display().to_string();
        files::make_folder(&self.folder).with_context(name)?;
        let header = KeptHeader::new(subject, (standing.first, standing.at), standing.mark);
        let bytes = hours.to_bytes(&header)?;
        files::write_whole(&self.folder.join(EXPECTED), &bytes).with_context(name)?;
        Ok(bytes_max.saturating_sub(bytes.len() as u64))
    }

    /// Writes a snapshot, and removes those that are not wanted any more, or would take more than so many bytes.
    ///
    /// # Errors
    /// The disk.
    pub fn put(&self, snapshot: &Standing<'_>, subject: &KeptSubject, bytes_max: u64) -> Result<()> {
        if let Some(memory) = &self.memory {
            let bytes = snapshot.to_bytes(subject)?.into();
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.insert(snapshot.at, bytes);
            let gone = superfluous(held(&memory), snapshot.at, bytes_max.min(MEMORY_MAX));
            gone.iter().for_each(|entry| _ = memory.remove(&entry.at));
            return Ok(());
        }
        let name = || self.folder.display().to_string();
        files::make_folder(&self.folder).with_context(name)?;
        let bytes = snapshot.to_bytes(subject)?;
        let path = self.folder.join(format!("{}.{EXTENSION}", snapshot.at.get()));
        files::write_whole(&path, &bytes)
            .and_then(|()| files::sync_folder(&self.folder))
            .with_context(|| path.display().to_string())?;
        self.thin(snapshot.at, bytes_max).with_context(name)
    }

    /// Removes those that have judged a minute, or anything after it.
    ///
    /// # Errors
    /// The disk.
    pub fn remove_after(&self, minute: Minute) -> io::Result<()> {
        if let Some(memory) = &self.memory {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.retain(|at, _| *at <= minute);
            return Ok(());
        }
        remove(self.files().iter().filter(|entry| entry.at > minute))
    }

    /// Removes what a kill has left half written. Only who holds the watcher's lock may.
    pub fn sweep(&self) {
        let Ok(files) = fs::read_dir(&self.folder) else { return };
        let is_left = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "tmp");
        for path in files.flatten().map(|file| file.path()).filter(is_left) {
            let _ = fs::remove_file(path);
        }
    }

    /// Minutes and bytes of what is kept, oldest first.
    pub fn list(&self) -> Vec<(Minute, u64)> {
        self.files().iter().map(|entry| (entry.at, entry.bytes)).collect()
    }

    /// Oldest first, in the folder and in memory.
    fn entries(&self) -> Vec<SnapshotFile> {
        let mut entries = self.files();
        if let Some(memory) = &self.memory {
            entries.extend(held(&memory.lock().unwrap_or_else(PoisonError::into_inner)));
            entries.sort_by_key(|entry| entry.at);
        }
        entries
    }

    /// Those in the folder, oldest first.
    fn files(&self) -> Vec<SnapshotFile> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let entry = |file: fs::DirEntry| {
            let path = file.path();
            let at = Minute::new(path.file_stem()?.to_str()?.parse().ok()?);
            let is_kept = path.extension().is_some_and(|extension| extension == EXTENSION);
            let bytes = file.metadata().ok().filter(|found| found.is_file())?.len();
            let place = SnapshotPlace::File(path);
            is_kept.then_some(SnapshotFile { at, place, bytes })
        };
        let mut entries: Vec<SnapshotFile> = files.filter_map(entry).collect();
        entries.sort_unstable_by_key(|entry| entry.at);
        entries
    }

    fn thin(&self, now: Minute, bytes_max: u64) -> io::Result<()> {
        remove(superfluous(self.files(), now, bytes_max).iter())
    }
}

/// What is in memory, oldest first.
fn held(memory: &MemorySnapshots) -> Vec<SnapshotFile> {
    let entry = |(at, bytes): (&Minute, &Arc<[u8]>)| SnapshotFile {
        at: *at,
        bytes: bytes.len() as u64,
        place: SnapshotPlace::Memory(Arc::clone(bytes)),
    };
    memory.iter().map(entry).collect()
}

/// Those that are not wanted any more, or would take more than so many bytes.
fn superfluous(mut entries: Vec<SnapshotFile>, now: Minute, bytes_max: u64) -> Vec<SnapshotFile> {
    let newest = entries.len().saturating_sub(LEAST);
    let (old, new) = (entries.drain(..newest).collect::<Vec<_>>(), entries);
    let (mut left, mut gone): (Vec<_>, Vec<_>) = old.into_iter().partition(|entry| Kept::is_wanted(entry.at, now));
    left.extend(new);
    while left.len() > LEAST && left.iter().map(|entry| entry.bytes).sum::<u64>() > bytes_max {
        let at = most_crowded(&left, now);
        gone.push(left.remove(at));
    }
    gone
}

fn remove<'e>(mut entries: impl Iterator<Item = &'e SnapshotFile>) -> io::Result<()> {
    entries.try_for_each(|entry| match &entry.place {
        SnapshotPlace::File(path) => fs::remove_file(path),
        SnapshotPlace::Memory(_) => Ok(()),
    })
}

/// The one that is missed least: beside its age, little lies between its neighbours.
fn most_crowded(entries: &[SnapshotFile], now: Minute) -> usize {
    let room = |at: usize| {
        let before = if at == 0 {
            entries[0].at - DAYS
        } else {
            entries[at - 1].at
        };
        let gap = entries[at + 1].at - before;
        gap as f64 / (now - entries[at].at + EVERY) as f64
    };
    let candidates = 0..entries.len().saturating_sub(LEAST);
    candidates.min_by(|a, b| room(*a).total_cmp(&room(*b))).unwrap_or(0)
}
