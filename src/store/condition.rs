//! Is the catalogue the one that belongs to the segments? Asked before a store is opened: a catalogue that was lost must not
//! be started afresh beside segments that it does not name, because these would count as what a crash left behind.
//!
//! A catalogue has a number that nobody else has, and `catalogue.id` beside it says the same. Segments' numbers are never
//! used twice, so that a catalogue that was put back from elsewhere is told by its hourly copy, which knows newer ones.

use super::copies;
use crate::files;
use crate::store::catalogue::{self, CatalogueError, Connection, next_segment, numbers};
use crate::store::error::{Lost, StoreError};
use crate::store::segments::segment_files;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// Says which catalogue the segments belong to.
const ID_FILE: &str = "catalogue.id";

/// Refuses a catalogue file that cannot be opened as what it should be. None: there is a good one, or nothing to lose.
pub(crate) fn look_at_file(store: &Path) -> Result<Option<Lost>, StoreError> {
    let path = store.join(catalogue::FILE);
    let io = |source| StoreError::Io {
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
pub(crate) fn look_inside(store: &Path, connection: &Connection) -> Result<Option<Lost>, StoreError> {
    let look =
        || -> Result<(i64, i64), CatalogueError> { Ok((next_segment(connection)? - 1, numbers::id_of(connection)?)) };
    let (last, id) = match look() {
        Ok(found) => found,
        Err(error) => {
            return match error.damage() {
                Some(words) => Ok(Some(Lost::Damaged(words))),
                None => Err(error.into()),
            };
        }
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
pub(crate) fn put_id(store: &Path, connection: &Connection) -> Result<(), StoreError> {
    let id = match numbers::id_of(connection)? {
        0 => numbers::new_id(connection)?,
        id => id,
    };
    match id_beside(store) == Some(id) {
        true => Ok(()),
        false => write_id(store, id),
    }
}

/// Says beside the catalogue which it is.
pub(crate) fn write_id(store: &Path, id: i64) -> Result<(), StoreError> {
    let path = store.join(ID_FILE);
    let written = files::write_whole(&path, id_text(id).as_bytes());
    written
        .and_then(|()| files::sync_folder(store))
        .map_err(|source| StoreError::Io { path, source })
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
    format!("{id:016x} {}\n", sum.get(..8).unwrap_or_default())
}

/// Whether a file in the segments' folder has a segment's name.
fn has_segments(store: &Path) -> Result<bool, StoreError> {
    Ok(!segment_files(store)?.is_empty())
}
