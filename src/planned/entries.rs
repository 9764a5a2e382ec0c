//! Files of planned work: written whole or not at all, under a lock of their own, bounded.

use crate::files;
use crate::model::time::UtcMs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// A larger file is not one of ours.
const BYTES_MAX: u64 = 16 << 20;
/// Others hold the lock for as long as a small file takes to write.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// What such a file lists.
pub(crate) trait PlannedEntry: Serialize + DeserializeOwned {
    /// Most that are kept; beyond it the one that ended first is forgotten.
    const MAX: usize;

    /// Its number.
    fn number(&self) -> u64;

    /// Gives it its number.
    fn set_number(&mut self, number: u64);

    /// When it is over.
    fn end_ms(&self) -> UtcMs;

    /// What is wrong with it.
    fn problem(&self) -> Option<String>;
}

/// A file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedList<T> {
    /// The number that was given last: none is given twice.
    last: u64,
    /// In the order in which they were added.
    pub entries: Vec<T>,
}

impl<T> Default for PlannedList<T> {
    fn default() -> Self {
        PlannedList {
            last: 0,
            entries: Vec::new(),
        }
    }
}

impl<T: PlannedEntry> PlannedList<T> {
    /// Adds one; its number. Where there are too many, the one that ended first goes.
    ///
    /// # Errors
    /// What is wrong with it, or that none of the others is over.
    pub(crate) fn add(&mut self, mut entry: T, now_ms: UtcMs) -> io::Result<u64> {
        if let Some(why) = entry.problem() {
            return Err(io::Error::new(ErrorKind::InvalidInput, why));
        }
        if self.entries.len() >= T::MAX {
            let over = self.entries.iter().enumerate();
            let over = over.filter(|(_, one)| one.end_ms() <= now_ms);
            let Some((oldest, _)) = over.min_by_key(|(_, one)| one.end_ms()) else {
                let what = format!("there are {} already, and none of them is over", T::MAX);
                return Err(io::Error::new(ErrorKind::QuotaExceeded, what));
            };
            self.entries.remove(oldest);
        }
        self.last += 1;
        entry.set_number(self.last);
        self.entries.push(entry);
        Ok(self.last)
    }
}

/// Reads a file; empty if there is none.
///
/// # Errors
/// It cannot be read, or is damaged ([`ErrorKind::InvalidData`]).
pub(crate) fn load<T: PlannedEntry>(path: &Path) -> io::Result<PlannedList<T>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(PlannedList::default()),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    let damaged = |why: String| io::Error::new(ErrorKind::InvalidData, format!("it is damaged ({why})"));
    if bytes.len() as u64 > BYTES_MAX {
        return Err(damaged(format!("it has more than {BYTES_MAX} bytes")));
    }
    let list: PlannedList<T> = serde_json::from_slice(&bytes).map_err(|why| damaged(why.to_string()))?;
    let problem = list.entries.iter().find_map(|one| Some((one.number(), one.problem()?)));
    match problem {
        Some((number, why)) => Err(damaged(format!("number {number}: {why}"))),
        None if list.entries.len() > T::MAX => Err(damaged(format!("it has more than {} entries", T::MAX))),
        None => Ok(list),
    }
}

/// Changes a file under its lock: it is written when the change returns.
///
/// # Errors
/// It cannot be read or written, or the change fails: then nothing is written.
pub(crate) fn change<T: PlannedEntry, R>(
    path: &Path,
    change: impl FnOnce(&mut PlannedList<T>) -> io::Result<R>,
) -> io::Result<R> {
    if let Some(folder) = path.parent() {
        files::make_folder(folder)?;
    }
    let _lock = lock(&path.with_extension("lock"))?;
    let mut list = load(path)?;
    let result = change(&mut list)?;
    files::write_whole(path, &serde_json::to_vec(&list)?)?;
    if let Some(folder) = path.parent() {
        files::sync_folder(folder)?;
    }
    Ok(result)
}

fn lock(path: &Path) -> io::Result<File> {
    let file = files::open_own(path)?;
    let begin = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begin.elapsed() < LOCK_WAIT => thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::WouldBlock) => {
                let what = format!("{}: another process has held it for 5 s", path.display());
                return Err(io::Error::new(ErrorKind::ResourceBusy, what));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planned::WorkMark;

    fn mark(at_ms: UtcMs, text: &str) -> WorkMark {
        WorkMark {
            id: 0,
            at_ms,
            text: text.to_owned(),
            service: None,
        }
    }

    #[test]
    fn numbers_are_given_once_and_a_failed_change_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks.json");
        let add = |text: &str| change(&path, |list| list.add(mark(UtcMs::new(5), text), UtcMs::new(10)));
        assert_eq!((add("a").unwrap(), add("b").unwrap()), (1, 2));
        change(&path, |list: &mut PlannedList<WorkMark>| {
            list.entries.retain(|one| one.id != 2);
            Ok(())
        })
        .unwrap();
        assert_eq!(add("c").unwrap(), 3);
        assert!(add("a\u{1b}").is_err());
        let kept: PlannedList<WorkMark> = load(&path).unwrap();
        assert_eq!(kept.entries.iter().map(|one| one.id).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn threads_that_add_at_once_lose_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks.json");
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| change(&path, |list| list.add(mark(UtcMs::new(5), "x"), UtcMs::new(10))).unwrap());
            }
        });
        let kept: PlannedList<WorkMark> = load(&path).unwrap();
        let mut ids: Vec<u64> = kept.entries.iter().map(|one| one.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, (1..=8).collect::<Vec<_>>());
    }

    #[test]
    fn the_number_is_bounded_and_what_ended_first_goes_first() {
        let mut list = PlannedList::default();
        for at in 0..WorkMark::MAX as i64 {
            list.add(mark(UtcMs::new(at), "x"), UtcMs::EPOCH).unwrap();
        }
        assert!(
            list.add(mark(UtcMs::new(1), "y"), UtcMs::new(-1)).is_err(),
            "none is over"
        );
        list.add(mark(UtcMs::new(1), "y"), UtcMs::new(100)).unwrap();
        assert_eq!(list.entries.len(), WorkMark::MAX);
        assert!(
            list.entries.iter().all(|one| one.at_ms > UtcMs::EPOCH),
            "the first is forgotten"
        );
    }

    #[test]
    fn a_file_that_is_not_one_of_ours_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks.json");
        for text in [
            "",
            "{}",
            "[]",
            r#"{"last":1,"entries":[{"id":1,"at_ms":5,"text":"a\u001b"}]}"#,
            r#"{"last":1,"entries":[{"id":1,"at_ms":5,"text":"a","other":1}]}"#,
        ] {
            std::fs::write(&path, text).unwrap();
            let error = load::<WorkMark>(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{text}");
        }
    }
}
