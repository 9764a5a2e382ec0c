//! Whether a source has been read to its end: that nothing failed is not enough. A log that is gone (a folder that is
//! not mounted, a link that leads nowhere, a file that may not be opened) reads as well as one in which nothing
//! happens, and means the opposite.

use crate::ingest::Job;
use crate::ingest::position::{KnownLog, path_of};
use crate::model::time::{DAY_MS, UtcMs};
use crate::source::{Codec, Family, Found};
use rustc_hash::{FxHashMap, FxHashSet};
use std::path::{Path, PathBuf};

/// A log that was written to so recently was alive, milliseconds.
const ALIVE_MS: i64 = DAY_MS;
/// A log that has been gone for so long will not come back, milliseconds.
const GONE_MS: i64 = 14 * DAY_MS;

/// The file that a log was written to when it was looked at last.
#[derive(Debug, Clone)]
struct LiveFile {
    path: PathBuf,
    file: (u64, u64),
    mtime_ms: UtcMs,
    /// Since when nothing is there, by the clock.
    missing_since: Option<UtcMs>,
}

/// What a source's logs are, and which of them cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    /// By stem of the family.
    live: FxHashMap<PathBuf, LiveFile>,
    /// Families of which something has been read.
    good: FxHashSet<PathBuf>,
    /// Files that could not be read to their end.
    unread: FxHashSet<PathBuf>,
    /// A file that is open could not be looked at.
    pub(crate) is_unreachable: bool,
    seeded: bool,
}

impl Presence {
    /// What the store knows of logs that an earlier run has read.
    pub(crate) fn seed(&mut self, known: &[KnownLog]) {
        if std::mem::replace(&mut self.seeded, true) {
            return;
        }
        for log in known
            .iter()
            .filter(|log| log.known.position.stamp.codec == Codec::Plain)
        {
            let stamp = &log.known.position.stamp;
            let path = path_of(&log.state);
            // A name without a generation is that of the log that is being written.
            if let Some(live) = self.live.get_mut(&path)
                && live.mtime_ms < stamp.mtime_ms
            {
                *live = LiveFile {
                    path,
                    file: (stamp.dev, stamp.ino),
                    mtime_ms: stamp.mtime_ms,
                    missing_since: None,
                };
            }
        }
    }

    /// The names were looked at.
    pub(crate) fn scanned(&mut self, job: &Job, now_ms: UtcMs) {
        let families = || job.families.iter().map(|(_, family)| family);
        for family in families() {
            let newest = family.files.iter().rfind(|found| found.codec == Codec::Plain);
            match (self.live.get_mut(&family.stem), newest) {
                (Some(live), _) if live.is_gone_from(family) => {
                    live.missing_since.get_or_insert(now_ms);
                }
                (_, Some(newest)) => {
                    self.live.insert(family.stem.clone(), LiveFile::of(newest));
                }
                // It was compressed at once, and nothing has been written since.
                (Some(live), None) => live.missing_since = None,
                (None, None) => {}
            }
        }
        self.live.retain(|stem, live| {
            if families().any(|family| family.stem == *stem) {
                return true;
            }
            let since = *live.missing_since.get_or_insert(now_ms);
            let was_alive = since - live.mtime_ms <= ALIVE_MS;
            was_alive && now_ms - since <= GONE_MS
        });
        let named: FxHashSet<&Path> = families()
            .flat_map(|family| &family.files)
            .map(|found| found.path.as_path())
            .collect();
        let journals: Vec<PathBuf> = job.journals.iter().map(|(_, journal)| journal.name()).collect();
        self.unread
            .retain(|path| named.contains(path.as_path()) || journals.contains(path));
    }

    /// What was read, and which files could not be.
    pub(crate) fn read(&mut self, work: &Job, failed: &[PathBuf]) {
        for (_, family) in &work.families {
            for found in &family.files {
                if !failed.contains(&found.path) {
                    self.unread.remove(&found.path);
                    self.good.insert(family.stem.clone());
                } else if found.codec == Codec::Plain && self.good.contains(&family.stem) {
                    // A file of another kind that lies beside the logs is no log; a damaged archive is told of itself.
                    self.unread.insert(found.path.clone());
                }
            }
        }
        for (_, journal) in &work.journals {
            match failed.contains(&journal.name()) {
                true => self.unread.insert(journal.name()),
                false => self.unread.remove(&journal.name()),
            };
        }
    }

    /// Whether all of the source's logs are there and have been read as far as they go.
    pub(crate) fn is_whole(&self, job: &Job) -> bool {
        let has_logs = !job.families.is_empty() || !job.journals.is_empty();
        has_logs
            && !self.is_unreachable
            && self.unread.is_empty()
            && self.live.values().all(|live| live.missing_since.is_none())
    }

    /// Whether a file could not be read to its end when it was read last.
    pub(crate) fn is_unread(&self, path: &Path) -> bool {
        self.unread.contains(path)
    }
}

impl LiveFile {
    fn of(found: &Found) -> LiveFile {
        LiveFile {
            path: found.path.clone(),
            file: (found.dev, found.ino),
            mtime_ms: found.mtime_ms,
            missing_since: None,
        }
    }

    /// Whether the log that was written to cannot be seen any more, neither under its name nor under another, and
    /// nothing that is newer has taken its place.
    fn is_gone_from(&self, family: &Family) -> bool {
        if family.files.iter().any(|found| found.path == self.path) {
            return false;
        }
        let renamed = family.files.iter().any(|found| (found.dev, found.ino) == self.file);
        // Its name leads nowhere now, or to a folder.
        let is_blocked = std::fs::symlink_metadata(&self.path).is_ok_and(|metadata| !metadata.is_file());
        let is_replaced = family.files.iter().any(|found| match found.codec {
            Codec::Plain => found.mtime_ms > self.mtime_ms,
            // An archive has the time of what was packed.
            _ => found.mtime_ms >= self.mtime_ms,
        });
        is_blocked || !renamed && !is_replaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::spec::{Grammar, Spec};
    use jiff::tz::TimeZone;
    use std::sync::Arc;

    const NOW: i64 = 1_800_000_000_000;

    fn found(name: &str, ino: u64, mtime_ms: UtcMs) -> Found {
        Found {
            path: PathBuf::from("/nowhere").join(name),
            dev: 1,
            ino,
            size: 10,
            mtime_ms,
            codec: if name.ends_with(".gz") {
                Codec::Gzip
            } else {
                Codec::Plain
            },
        }
    }

    /// A family of these files: name, inode, age in seconds.
    fn job(files: &[(&str, u64, i64)]) -> Job {
        let files: Vec<Found> = files
            .iter()
            .map(|(name, ino, age)| found(name, *ino, UtcMs::new(NOW - age * 1000)))
            .collect();
        let family = Family {
            stem: PathBuf::from("/nowhere/mainlog"),
            files,
        };
        let spec = Arc::new(Spec::of(Grammar::Exim, TimeZone::UTC));
        Job {
            host: "mx".to_owned(),
            kind: "exim",
            families: if family.files.is_empty() {
                Vec::new()
            } else {
                vec![(spec, family)]
            },
            journals: Vec::new(),
        }
    }

    /// Whether a source that was first as `before` is whole when it is as `after`.
    fn is_whole(before: &[(&str, u64, i64)], after: &[(&str, u64, i64)]) -> bool {
        let mut presence = Presence::default();
        presence.scanned(&job(before), UtcMs::new(NOW));
        assert!(presence.is_whole(&job(before)));
        let after = job(after);
        presence.scanned(&after, UtcMs::new(NOW + 1000));
        presence.is_whole(&after)
    }

    const LIVE: (&str, u64, i64) = ("mainlog", 2, 10);
    const OLD: (&str, u64, i64) = ("mainlog.1", 1, 90_000);

    #[test]
    fn a_rotation_hides_nothing() {
        assert!(is_whole(&[OLD, LIVE], &[OLD, LIVE]));
        // Renamed, with and without a new one; removed and made anew; copied and truncated; compressed.
        assert!(is_whole(&[LIVE], &[("mainlog.1", 2, 10), ("mainlog", 3, 0)]));
        assert!(is_whole(&[LIVE], &[("mainlog.1", 2, 10)]));
        assert!(is_whole(&[LIVE], &[("mainlog", 3, 0)]));
        assert!(is_whole(&[LIVE], &[("mainlog.1.gz", 5, 10)]));
        assert!(is_whole(&[OLD, LIVE], &[LIVE]));
        // Another name for each hour, and a cleaner.
        assert!(is_whole(&[("log.18", 1, 3000)], &[("log.19", 2, 20)]));
    }

    #[test]
    fn a_log_that_is_gone_is_no_silent_log() {
        assert!(!is_whole(&[LIVE], &[]));
        assert!(!is_whole(&[OLD, LIVE], &[OLD]));
        assert!(!is_whole(&[LIVE], &[("mainlog.2.gz", 5, 80_000)]));
    }

    #[test]
    fn a_log_that_comes_back_is_whole_again_and_one_that_nobody_wrote_is_not_awaited() {
        let mut presence = Presence::default();
        let other = job(&[("other", 7, 5)]);
        presence.scanned(&job(&[OLD, LIVE]), UtcMs::new(NOW));
        presence.scanned(&job(&[OLD]), UtcMs::new(NOW + 1));
        assert!(!presence.is_whole(&job(&[OLD])));
        presence.scanned(&job(&[OLD, LIVE]), UtcMs::new(NOW + 2));
        assert!(presence.is_whole(&job(&[OLD, LIVE])));
        let mut quiet = Presence::default();
        let old = Job {
            families: other.families.clone(),
            ..job(&[])
        };
        quiet.scanned(&job(&[("mainlog", 2, 200_000)]), UtcMs::new(NOW));
        let old = Job {
            families: old
                .families
                .into_iter()
                .map(|(spec, family)| {
                    (
                        spec,
                        Family {
                            stem: PathBuf::from("/nowhere/other"),
                            ..family
                        },
                    )
                })
                .collect(),
            ..old
        };
        quiet.scanned(&old, UtcMs::new(NOW + 1));
        assert!(quiet.is_whole(&old));
    }

    #[test]
    fn a_file_that_cannot_be_read_counts_from_when_its_log_was_read_before() {
        let mut presence = Presence::default();
        let job = job(&[OLD, LIVE]);
        let live = vec![PathBuf::from("/nowhere/mainlog")];
        let both = vec![PathBuf::from("/nowhere/mainlog.1"), live[0].clone()];
        presence.scanned(&job, UtcMs::new(NOW));
        presence.read(&job, &both);
        assert!(presence.is_whole(&job), "no log of this kind");
        presence.read(&job, &[]);
        presence.read(&job, &live);
        assert!(!presence.is_whole(&job));
        presence.read(&job, &[]);
        assert!(presence.is_whole(&job));
    }
}
