//! Mending a store. A catalogue that is lost, damaged or of another store is made anew (`rebuild`): from its newest
//! good copy, and from what the segments say that the copy does not know.
//!
//! What a catalogue alone has, and a copy has not yet, comes back by reading the logs again: the positions of the copy are
//! older than the rows of newer segments, so these are *adopted*, and a row of theirs that is read again is not added
//! again. Lines, open messages and derived services are counted and noted as they were the first time.

use super::broken_segments::{Mended, repair_segments};
use super::rebuild::{Rebuilt, rebuild};
use crate::files;
use crate::model::time::UtcMs;
use crate::store::catalogue::{self, LogState};
use crate::store::condition;
use crate::store::error::{Lost, StoreError};
use crate::store::handle::{Store, open_catalogue, take_lock};
use crate::store::segments::{segment_files, segments_folder};
use std::path::Path;

/// What was mended, and the store.
#[derive(Debug)]
pub struct Repaired {
    /// The store, for writing.
    pub store: Store,
    /// The catalogue that was made anew; none where it was good.
    pub rebuilt: Option<Rebuilt>,
    /// What became of segments and payloads that were broken.
    pub mended: Mended,
}

/// Mends a store that nobody else writes to. What is in the way goes to `lost+found`, of at most so many bytes.
/// `now_ms` is the clock, UTC milliseconds: heartbeats are lost up to now. `is_readable` says whether a log's position can be
/// read: whoever wrote it knows its form, and SQLite finds nothing wrong with a text of which a bit was flipped.
///
/// # Errors
/// There is no store; another process writes; the disk. A kill in between costs nothing: call it again.
pub fn repair(
    path: &Path,
    lost_found_bytes_max: u64,
    now_ms: UtcMs,
    is_readable: &dyn Fn(&LogState) -> bool,
) -> Result<Repaired, StoreError> {
    if !path.join(catalogue::FILE).exists() && segment_files(path)?.is_empty() {
        return Err(StoreError::Missing(path.to_owned()));
    }
    let io = |source| StoreError::Io {
        path: path.to_owned(),
        source,
    };
    files::make_folder(&segments_folder(path)).map_err(io)?;
    let lock = take_lock(path)?;
    let rebuilt = match find_fault(path, is_readable)? {
        None => None,
        Some(lost) => Some(rebuild(path, lost, lost_found_bytes_max, now_ms)?),
    };
    let store = Store::open_locked(path, lock, lost_found_bytes_max)?;
    Ok(Repaired {
        mended: repair_segments(&store)?,
        store,
        rebuilt,
    })
}

/// What is wrong with the catalogue, looked through to its last page.
fn find_fault(path: &Path, is_readable: &dyn Fn(&LogState) -> bool) -> Result<Option<Lost>, StoreError> {
    if let Some(lost) = condition::look_at_file(path)? {
        return Ok(Some(lost));
    }
    let connection = match open_catalogue(path) {
        Ok(connection) => connection,
        Err(StoreError::Lost { lost, .. }) => return Ok(Some(lost)),
        Err(error) => return Err(error),
    };
    if let Err(why) = catalogue::check(&connection) {
        return Ok(Some(Lost::Damaged(why)));
    }
    if let Some(log) = catalogue::find_log(&connection, |log| !is_readable(log))? {
        let path = crate::model::text::text(&log.path);
        return Ok(Some(Lost::Damaged(format!(
            "the position of the log {path} is damaged"
        ))));
    }
    condition::look_inside(path, &connection)
}
