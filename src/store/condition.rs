//! Is the catalogue the one that belongs to the segments? Asked before a store is opened: a catalogue that was lost must not
//! be started afresh beside segments that it does not name, because these would count as what a crash left behind.
//!
//! A catalogue has a number that nobody else has, and `catalogue.id` beside it says the same. Segments' numbers are never
//! used twice, so that a catalogue that was put back from elsewhere is told by its hourly copy, which knows newer ones.

use super::{Error, catalogue, copies, outbox};
use crate::files;
use rusqlite::{Connection, OptionalExtension as _};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Says which catalogue the segments belong to.
pub(super) const ID_FILE: &str = "catalogue.id";
/// Name of that number in the catalogue.
const ID: &str = "catalogue_id";

/// Why a catalogue is not the one of its segments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// There is no file.
    #[error("its catalogue is gone, and there are segments")]
    Missing,
    /// There are no bytes.
    #[error("its catalogue is empty, and there are segments")]
    Empty,
    /// Another file has its name.
    #[error("its catalogue is no SQLite database")]
    NoDatabase,
    /// SQLite cannot read it.
    #[error("its catalogue is damaged ({0})")]
    Damaged(String),
    /// It never had a segment.
    #[error("its catalogue was started afresh, and knows none of the segments that are there")]
    Fresh,
    /// It is another store's.
    #[error("its catalogue belongs to other segments than those that are there")]
    Foreign,
    /// A copy knows more than it.
    #[error("its catalogue is older than the copy of it: it was put back from elsewhere")]
    Older,
}

/// Refuses a catalogue file that cannot be opened as what it should be. None: there is a good one, or nothing to lose.
pub(super) fn look_at_file(store: &Path) -> Result<Option<Lost>, Error> {
    let path = store.join("catalogue.sqlite");
    let io = |source| Error::Io {
        path: path.clone(),
        source,
    };
    let lost = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Lost::Missing,
        Err(error) => return Err(io(error)),
        Ok(mut file) => {
            let mut head = Vec::new();
            file.by_ref().take(16).read_to_end(&mut head).map_err(io)?;
            match &head[..] {
                b"SQLite format 3\0" => return Ok(None),
                [] => Lost::Empty,
                _ => return Ok(Some(Lost::NoDatabase)),
            }
        }
    };
    Ok(has_segments(store)?.then_some(lost))
}

/// Refuses a catalogue that is not the one of the segments.
pub(super) fn look_inside(store: &Path, connection: &Connection) -> Result<Option<Lost>, Error> {
    let look = || -> Result<(i64, i64), rusqlite::Error> {
        let last: Option<i64> = connection
            .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'segment'", [], |row| {
                row.get(0)
            })
            .optional()?;
        Ok((last.unwrap_or(0), id_of(connection)?))
    };
    let (last, id) = match look() {
        Ok(found) => found,
        Err(error) if catalogue::is_damage(&error) => return Ok(Some(Lost::Damaged(error.to_string()))),
        Err(error) => return Err(error.into()),
    };
    let beside = id_beside(store);
    let is_other = beside.is_some_and(|beside| beside != id);
    if copies::list(store).first().is_some_and(|copy| copy.last_segment > last) {
        return Ok(Some(Lost::Older));
    }
    // What was killed in its first commit has left segments as well, and its number.
    let is_unknown = last == 0 && (id == 0 || beside.is_none());
    if (is_other || is_unknown) && has_segments(store)? {
        return Ok(Some(if last == 0 { Lost::Fresh } else { Lost::Foreign }));
    }
    Ok(None)
}

/// Gives the catalogue a number, if it has none, and writes it beside it.
pub(super) fn put_id(store: &Path, connection: &Connection) -> Result<(), Error> {
    let mut id = id_of(connection)?;
    if id == 0 {
        id = new_id(connection)?;
    }
    if id_beside(store) != Some(id) {
        write_id(store, id)?;
    }
    Ok(())
}

/// Gives the catalogue another number. [`write_id`] must follow.
pub(super) fn new_id(connection: &Connection) -> Result<i64, Error> {
    let id = (outbox::random() & i64::MAX) | 1;
    outbox::put(connection, ID, id)?;
    Ok(id)
}

/// Says beside the catalogue which it is.
pub(super) fn write_id(store: &Path, id: i64) -> Result<(), Error> {
    let path = store.join(ID_FILE);
    let written = files::write_whole(&path, id_text(id).as_bytes());
    written
        .and_then(|()| files::sync_folder(store))
        .map_err(|source| Error::Io { path, source })
}

/// The catalogue's number; 0 where an older version made it.
pub(super) fn id_of(connection: &Connection) -> Result<i64, rusqlite::Error> {
    let id = connection
        .query_row("SELECT value FROM state WHERE name = ?1", [ID], |row| row.get(0))
        .optional()?;
    Ok(id.unwrap_or(0))
}

/// What the file says; nothing where it is damaged: that is no reason to doubt the catalogue.
fn id_beside(store: &Path) -> Option<i64> {
    let text = fs::read_to_string(store.join(ID_FILE)).ok()?;
    let id = i64::from_str_radix(text.split(' ').next()?, 16).ok()?;
    (text == id_text(id)).then_some(id)
}

/// The number, and a sum of it.
fn id_text(id: i64) -> String {
    let sum = blake3::hash(&id.to_le_bytes()).to_hex();
    format!("{id:016x} {}\n", &sum[..8])
}

/// Whether a file in the segments' folder has a segment's name.
fn has_segments(store: &Path) -> Result<bool, Error> {
    Ok(!segment_files(store)?.is_empty())
}

/// The events' files in the segments' folder, with their numbers, in their order.
pub(super) fn segment_files(store: &Path) -> Result<Vec<(i64, PathBuf)>, Error> {
    let folder = store.join("segments");
    let io = |source| Error::Io {
        path: folder.clone(),
        source,
    };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(io)?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".events.parquet")?.parse().ok());
        found.extend(number.filter(|number| *number > 0).map(|number| (number, path)));
    }
    found.sort_unstable();
    Ok(found)
}
