//! Messages that have rows and whose arrival nobody has read: it may stand in an older archive.

use super::{CatalogueError, Connection};
use crate::model::queue_id::QueueId;
use crate::model::text::text;
use hashbrown::HashSet;
use rusqlite::params;
use std::hash::RandomState;

/// Notes the orphans of a new segment.
pub(crate) fn note_orphans(
    transaction: &Connection,
    source: i64,
    segment: i64,
    orphans: &[QueueId],
) -> Result<(), CatalogueError> {
    let mut insert = transaction.prepare_cached("INSERT OR IGNORE INTO orphan VALUES (?1, ?2, ?3)")?;
    for id in orphans {
        insert.execute(params![source, id.as_bytes(), segment])?;
    }
    Ok(())
}

/// Segments that hold rows of a message whose arrival has now been read; it is no orphan any more.
pub(crate) fn take_orphan(connection: &Connection, source: i64, id: &[u8]) -> Result<Vec<i64>, CatalogueError> {
    let mut find = connection.prepare_cached("SELECT segment FROM orphan WHERE source = ?1 AND queue_id = ?2")?;
    let segments = find.query_map(params![source, id], |row| row.get(0))?;
    let segments = segments.collect::<Result<_, _>>()?;
    connection.execute(
        "DELETE FROM orphan WHERE source = ?1 AND queue_id = ?2",
        params![source, id],
    )?;
    Ok(segments)
}

/// A segment takes the place of another.
pub(crate) fn move_orphans(connection: &Connection, from: i64, to: i64) -> Result<(), CatalogueError> {
    // A message can be an orphan in several of the segments that become one.
    connection.execute(
        "UPDATE OR IGNORE orphan SET segment = ?1 WHERE segment = ?2",
        params![to, from],
    )?;
    Ok(())
}

/// Messages of a segment whose arrival nobody has read.
pub(crate) fn orphans_of(
    connection: &Connection,
    segment: i64,
) -> Result<HashSet<String, RandomState>, CatalogueError> {
    let mut find = connection.prepare_cached("SELECT queue_id FROM orphan WHERE segment = ?1")?;
    let ids = find.query_map([segment], |row| Ok(text(&row.get::<_, Vec<u8>>(0)?)))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Forgets those of a source.
pub(crate) fn forget_orphans(connection: &Connection, source: i64) -> Result<(), CatalogueError> {
    connection.execute("DELETE FROM orphan WHERE source = ?1", [source])?;
    Ok(())
}
