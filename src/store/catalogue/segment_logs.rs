//! Which offsets of which logs a segment holds, so that one that breaks can be read again.

use super::{CatalogueError, Connection};
use rusqlite::params;
use serde::{Deserialize, Serialize};

/// Offsets of a log, first and last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetSpan {
    /// Which log.
    pub log: u64,
    /// The first row's offset.
    pub first: u64,
    /// The last row's.
    pub last: u64,
}

/// Notes what a new segment holds: log, first and last offset.
pub(crate) fn note_logs(
    transaction: &Connection,
    segment: i64,
    logs: &[(u64, i64, i64)],
) -> Result<(), CatalogueError> {
    let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO segment_log VALUES (?1, ?2, ?3, ?4)")?;
    for (log, first, last) in logs {
        insert.execute(params![segment, *log as i64, first, last])?;
    }
    Ok(())
}

/// Notes what a segment of an older program holds, where it is not known.
pub(crate) fn note_logs_of_old(
    connection: &Connection,
    segment: i64,
    logs: &[(u64, i64, i64)],
) -> Result<(), CatalogueError> {
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO segment_log VALUES (?1, ?2, ?3, ?4)")?;
    for (log, first, last) in logs {
        insert.execute(params![segment, *log as i64, first, last])?;
    }
    Ok(())
}

/// Segments of a source, each with whether it is known what it holds.
pub(crate) fn segments_with_logs(connection: &Connection, source: i64) -> Result<Vec<(i64, bool)>, CatalogueError> {
    let mut find = connection
        .prepare("SELECT id, EXISTS (SELECT 1 FROM segment_log WHERE segment = id) FROM segment WHERE source = ?1")?;
    let rows = find.query_map([source], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a segment holds.
pub(crate) fn logs_of_segment(connection: &Connection, segment: i64) -> Result<Vec<OffsetSpan>, CatalogueError> {
    let mut logs = connection.prepare("SELECT log, first_offset, last_offset FROM segment_log WHERE segment = ?1")?;
    let spans = logs.query_map([segment], |row| {
        Ok(OffsetSpan {
            log: row.get::<_, i64>(0)? as u64,
            first: row.get::<_, i64>(1)? as u64,
            last: row.get::<_, i64>(2)? as u64,
        })
    })?;
    Ok(spans.collect::<Result<_, _>>()?)
}

/// A segment takes the place of others: it has their logs, and their past.
pub(crate) fn inherit(transaction: &Connection, new: i64, old: &[i64]) -> Result<(), CatalogueError> {
    let mut unknown = transaction.prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM segment_log WHERE segment = ?1)")?;
    let mut is_known = true;
    for id in old {
        let is_unknown: bool = unknown.query_row([id], |row| row.get(0))?;
        is_known &= !is_unknown;
    }
    for id in old {
        if is_known {
            transaction.execute(
                "INSERT INTO segment_log SELECT ?1, log, first_offset, last_offset FROM segment_log WHERE segment = ?2
                 ON CONFLICT DO UPDATE SET first_offset = min(first_offset, excluded.first_offset),
                     last_offset = max(last_offset, excluded.last_offset)",
                [new, *id],
            )?;
        }
        transaction.execute(
            "INSERT OR IGNORE INTO restored SELECT ?1, quiet FROM restored WHERE segment = ?2",
            [new, *id],
        )?;
        transaction.execute(
            "INSERT OR IGNORE INTO adopted SELECT ?1 FROM adopted WHERE segment = ?2",
            [new, *id],
        )?;
    }
    Ok(())
}
