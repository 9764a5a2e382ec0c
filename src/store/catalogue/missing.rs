//! Rows that were stored and are there no more (`missing`), segments that were made again of their logs (`restored`: quiet
//! while a server has their rows), and segments that were taken over without their logs' positions (`adopted`).

use super::numbers;
use super::{CatalogueError, Connection, OffsetSpan, Segment, logs_of_segment};
use crate::model::time::{CivilDay, UtcMs};
use rusqlite::params;
use std::ops::Range;

/// What is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// A server has these rows: they are not posted.
    pub sent: bool,
    /// What they become when arrivals are linked has been sent too.
    pub linked: bool,
}

/// A segment whose rows are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingRows {
    /// The segment's number.
    pub segment: i64,
    /// Of which source.
    pub source: i64,
    /// Host of the source.
    pub host: String,
    /// Its kind.
    pub kind: String,
    /// Day, of UTC.
    pub day: CivilDay,
    /// First and last event.
    pub span_ms: (UtcMs, UtcMs),
    /// Rows that are still missing.
    pub rows: u64,
    /// What a server has of it.
    pub again: Again,
    /// Which logs; empty where an older program wrote it: then all of the source.
    pub logs: Vec<OffsetSpan>,
    /// No log that could give it is there any more.
    pub lost: bool,
    /// Logs that were read again for it, in vain.
    pub tried: Vec<u64>,
}

impl MissingRows {
    /// Whether rows of this log may be among it.
    pub fn needs(&self, log: u64) -> bool {
        self.logs.is_empty() || self.logs.iter().any(|span| span.log == log)
    }

    /// What is missing, where, and what helps.
    pub fn words(&self) -> String {
        let [from, to] = [self.span_ms.0, self.span_ms.1].map(|ms| {
            let time = ms.timestamp();
            time.map_or_else(|_| ms.get().to_string(), |time| format!("{time:.0}"))
        });
        let MissingRows { host, kind, rows, .. } = self;
        match self.lost {
            true => format!(
                "{host} ({kind}): {rows} events from {from} to {to} are lost for good: no log contains them any more"
            ),
            false => format!(
                "{host} ({kind}): {rows} events from {from} to {to} are missing; the next `mailpulse backfill` or `tail` \
                 reads them again from the logs"
            ),
        }
    }
}

/// The source under whose number the open messages of what is read again are kept.
pub fn shadow(source: i64) -> i64 {
    -source
}

/// Rows that are missing, of one source or of all, oldest first.
pub(crate) fn missing_rows(connection: &Connection, source: Option<i64>) -> Result<Vec<MissingRows>, CatalogueError> {
    let mut statement = connection.prepare_cached(
        "SELECT segment, source, host, kind, day, first_ms, last_ms, rows, sent, linked, logs, lost, tried
         FROM missing JOIN source ON source.id = source WHERE ?1 IS NULL OR source = ?1 ORDER BY first_ms, segment",
    )?;
    let mut found = statement.query([source])?;
    let mut missing = Vec::new();
    while let Some(row) = found.next()? {
        let (logs, tried): (String, String) = (row.get(10)?, row.get(12)?);
        missing.push(MissingRows {
            segment: row.get(0)?,
            source: row.get(1)?,
            host: row.get(2)?,
            kind: row.get(3)?,
            day: row.get(4).map(CivilDay::new)?,
            span_ms: (row.get(5).map(UtcMs::new)?, row.get(6).map(UtcMs::new)?),
            rows: row.get::<_, i64>(7)? as u64,
            again: Again {
                sent: row.get(8)?,
                linked: row.get(9)?,
            },
            logs: serde_json::from_str(&logs)?,
            lost: row.get(11)?,
            tried: serde_json::from_str(&tried)?,
        });
    }
    Ok(missing)
}

/// Whether there are rows, or were.
pub(super) fn has_rows(connection: &Connection) -> Result<bool, CatalogueError> {
    let any = "SELECT EXISTS (SELECT 1 FROM segment) OR EXISTS (SELECT 1 FROM missing)";
    Ok(connection.query_row(any, [], |row| row.get(0))?)
}

/// Notes the rows of a segment as missing; `sent`: a server may have them.
pub(crate) fn note_missing(connection: &Connection, segment: &Segment, sent: bool) -> Result<(), CatalogueError> {
    let spans = serde_json::to_string(&logs_of_segment(connection, segment.id)?)?;
    let linked_to = numbers::find(connection, numbers::LINKED_TO)?;
    // What was read again, and broke before it was linked, is as it was.
    connection.execute(
        "INSERT OR REPLACE INTO missing (segment, source, day, first_ms, last_ms, rows, sent, linked, noted_ms, logs)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, CAST(unixepoch('subsec') * 1000 AS INTEGER), ?9)",
        params![
            segment.id,
            segment.source,
            segment.day.get(),
            segment.first_ms.get(),
            segment.last_ms.get(),
            segment.rows as i64,
            sent,
            linked_to.is_some_and(|to| segment.id <= to),
            spans
        ],
    )?;
    Ok(())
}

/// Nothing of what is missing has been sent: a server has nothing yet.
pub(crate) fn none_missing_is_sent(connection: &Connection) -> Result<(), CatalogueError> {
    connection.execute("UPDATE missing SET sent = 0", [])?;
    Ok(())
}

/// What is missing of a day and comes back: whether a server has it.
pub(crate) fn note_sent(connection: &Connection, source: i64, day: CivilDay, sent: bool) -> Result<(), CatalogueError> {
    connection.execute(
        "UPDATE missing SET sent = ?3, linked = ?3 WHERE source = ?1 AND day = ?2",
        params![source, day.get(), sent],
    )?;
    Ok(())
}

/// The rows of a segment have come back.
pub(crate) fn remove_missing(connection: &Connection, segment: i64) -> Result<(), CatalogueError> {
    connection.execute("DELETE FROM missing WHERE segment = ?1", [segment])?;
    Ok(())
}

/// So many rows of a segment are still missing, whether for good, and which logs were read for them in vain.
pub(crate) fn put_missing(
    connection: &Connection,
    segment: i64,
    rows: u64,
    lost: bool,
    tried: &[u64],
) -> Result<(), CatalogueError> {
    connection.execute(
        "UPDATE missing SET rows = ?2, lost = ?3, tried = ?4 WHERE segment = ?1",
        params![segment, rows as i64, lost, serde_json::to_string(tried)?],
    )?;
    Ok(())
}

/// Nobody misses rows of a source with events at a time or later.
pub(crate) fn forget_missing(connection: &Connection, source: i64, from_ms: UtcMs) -> Result<(), CatalogueError> {
    connection.execute(
        "DELETE FROM missing WHERE source = ?1 AND last_ms >= ?2",
        params![source, from_ms.get()],
    )?;
    Ok(())
}

/// Nobody misses rows of some days.
pub(crate) fn expire_missing(connection: &Connection, days: &Range<CivilDay>) -> Result<(), CatalogueError> {
    let expired = [days.start.get(), days.end.get()];
    connection.execute("DELETE FROM missing WHERE day >= ?1 AND day < ?2", expired)?;
    Ok(())
}

/// Rows of a day that were restored; they are rows like all others from now on.
pub(crate) fn take_restored(transaction: &Connection, source: i64, day: CivilDay) -> Result<u64, CatalogueError> {
    let rows: i64 = transaction.query_row(
        "SELECT coalesce(sum(rows), 0) FROM segment WHERE source = ?1 AND day = ?2
         AND id IN (SELECT segment FROM restored)",
        [source, day.get()],
        |row| row.get(0),
    )?;
    transaction.execute(
        "DELETE FROM restored WHERE segment IN (SELECT id FROM segment WHERE source = ?1 AND day = ?2)",
        [source, day.get()],
    )?;
    Ok(rows as u64)
}

/// A segment was made again.
pub(crate) fn note_restored(transaction: &Connection, segment: i64, again: &Again) -> Result<(), CatalogueError> {
    let quiet = match (again.sent, again.linked) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => 2,
    };
    transaction.execute("INSERT INTO restored VALUES (?1, ?2)", [segment, quiet])?;
    Ok(())
}

/// Whether what a segment's rows become is known to the server already.
pub fn is_quiet(transaction: &Connection, segment: i64) -> Result<bool, CatalogueError> {
    let mut find = transaction.prepare_cached("SELECT 1 FROM restored WHERE segment = ?1 AND quiet > 0")?;
    Ok(find.exists([segment])?)
}

/// What is linked from here on of restored rows is news to a server that has them as they were before.
pub(crate) fn unlinked_are_loud(connection: &Connection) -> Result<(), CatalogueError> {
    let loud = "UPDATE restored SET quiet = 0 WHERE quiet = 2";
    connection.execute(loud, [])?;
    Ok(())
}

/// Segments that were restored.
pub(crate) fn restored_segments(connection: &Connection) -> Result<Vec<i64>, CatalogueError> {
    let mut restored = connection.prepare("SELECT segment FROM restored")?;
    let restored = restored.query_map([], |row| row.get(0))?;
    Ok(restored.collect::<Result<_, _>>()?)
}

/// Segments that were taken over.
pub(crate) fn adopted_segments(connection: &Connection) -> Result<Vec<i64>, CatalogueError> {
    let mut statement = connection.prepare_cached("SELECT segment FROM adopted")?;
    let ids = statement.query_map([], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// A segment is taken over.
pub(crate) fn adopt(connection: &Connection, segment: i64) -> Result<(), CatalogueError> {
    connection.execute("INSERT OR IGNORE INTO adopted VALUES (?1)", [segment])?;
    Ok(())
}

/// Logs of a source that segments hold which were taken over, each with the time of the newest row: it
/// may be newer than what the catalogue knows of the log, if it knows it.
pub(crate) fn adopted_logs(connection: &Connection, source: i64) -> Result<Vec<(u64, UtcMs)>, CatalogueError> {
    let mut statement = connection.prepare_cached(
        "SELECT segment_log.log, max(segment.last_ms) FROM adopted JOIN segment ON segment.id = adopted.segment
         JOIN segment_log ON segment_log.segment = segment.id WHERE segment.source = ?1 GROUP BY segment_log.log",
    )?;
    let logs = statement.query_map([source], |row| {
        Ok((row.get::<_, i64>(0)? as u64, row.get(1).map(UtcMs::new)?))
    })?;
    Ok(logs.collect::<Result<_, _>>()?)
}

/// Forgets that segments were taken over whose logs have been read behind their last row.
pub(crate) fn settle_adopted(connection: &Connection) -> Result<(), CatalogueError> {
    connection.execute(
        "DELETE FROM adopted WHERE NOT EXISTS (
             SELECT 1 FROM segment_log LEFT JOIN log ON log.log_id = segment_log.log
             WHERE segment_log.segment = adopted.segment
                 AND coalesce(json_extract(log.position, '$.offset'), -1) <= segment_log.last_offset)
         AND EXISTS (SELECT 1 FROM segment_log WHERE segment_log.segment = adopted.segment)",
        [],
    )?;
    Ok(())
}

/// Segments that were taken over and whose logs have not been read again to their rows.
pub(crate) fn unread_adopted(connection: &Connection) -> Result<u64, CatalogueError> {
    settle_adopted(connection)?;
    let count: i64 = connection.query_row("SELECT count(*) FROM adopted", [], |row| row.get(0))?;
    Ok(count as u64)
}
