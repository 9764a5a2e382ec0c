//! Segments that count.

use super::{CatalogueError, Connection};
use crate::model::time::{CivilDay, UtcMs};
use rusqlite::{OptionalExtension as _, params};
use std::ops::Range;

/// A committed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Number; also the files' name.
    pub id: i64,
    /// Source.
    pub source: i64,
    /// Day, of UTC.
    pub day: CivilDay,
    /// First event.
    pub first_ms: UtcMs,
    /// Last event.
    pub last_ms: UtcMs,
    /// Rows of events.
    pub rows: u64,
    /// Size of the events' file.
    pub events_bytes: u64,
    /// Size of the rates' file.
    pub rates_bytes: u64,
    /// BLAKE3 of the events' file, hexadecimal.
    pub events_hash: String,
    /// BLAKE3 of the rates' file, hexadecimal.
    pub rates_hash: String,
}

/// Adds a segment; its number was taken from [`next_segment`].
pub(crate) fn insert_segment(transaction: &Connection, segment: &Segment) -> Result<(), CatalogueError> {
    transaction.execute(
        "INSERT INTO segment VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            segment.id,
            segment.source,
            segment.day.get(),
            segment.first_ms.get(),
            segment.last_ms.get(),
            segment.rows as i64,
            segment.events_bytes as i64,
            segment.rates_bytes as i64,
            segment.events_hash,
            segment.rates_hash
        ],
    )?;
    Ok(())
}

/// The next number that no segment ever had: a removed segment's number is not used again.
pub(crate) fn next_segment(connection: &Connection) -> Result<i64, CatalogueError> {
    let last: Option<i64> = connection
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'segment'", [], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(last.unwrap_or(0) + 1)
}

/// No segment has got a number above this one, and the next gets a larger one.
pub(crate) fn raise_last_segment(connection: &Connection, last: i64) -> Result<(), CatalogueError> {
    connection.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'segment', 0
         WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'segment')",
        [],
    )?;
    connection.execute(
        "UPDATE sqlite_sequence SET seq = max(seq, ?1) WHERE name = 'segment'",
        [last],
    )?;
    Ok(())
}

/// Segments that may hold events in `[since_ms, until_ms)`, oldest first.
pub fn segments(connection: &Connection, since_ms: UtcMs, until_ms: UtcMs) -> Result<Vec<Segment>, CatalogueError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, source, day, first_ms, last_ms, rows, events_bytes, rates_bytes, events_hash, rates_hash
         FROM segment WHERE last_ms >= ?1 AND first_ms < ?2 ORDER BY first_ms, id",
    )?;
    let rows = statement.query_map(params![since_ms.get(), until_ms.get()], |row| {
        Ok(Segment {
            id: row.get(0)?,
            source: row.get(1)?,
            day: row.get(2).map(CivilDay::new)?,
            first_ms: row.get(3).map(UtcMs::new)?,
            last_ms: row.get(4).map(UtcMs::new)?,
            rows: row.get::<_, i64>(5)? as u64,
            events_bytes: row.get::<_, i64>(6)? as u64,
            rates_bytes: row.get::<_, i64>(7)? as u64,
            events_hash: row.get(8)?,
            rates_hash: row.get(9)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A segment counts no more.
pub(crate) fn remove_segment(connection: &Connection, segment: i64) -> Result<(), CatalogueError> {
    connection.execute("DELETE FROM orphan WHERE segment = ?1", [segment])?;
    connection.execute("DELETE FROM segment WHERE id = ?1", [segment])?;
    Ok(())
}

/// Whether the catalogue names a segment (still).
pub fn is_named(connection: &Connection, segment: i64) -> Result<bool, CatalogueError> {
    let mut find = connection.prepare_cached("SELECT 1 FROM segment WHERE id = ?1")?;
    Ok(find.exists([segment])?)
}

/// How many segments there are.
pub(crate) fn count_segments(connection: &Connection) -> Result<u64, CatalogueError> {
    let count: i64 = connection.query_row("SELECT count(*) FROM segment", [], |row| row.get(0))?;
    Ok(count as u64)
}

/// Segments of some days.
pub(crate) fn segments_of_days(connection: &Connection, days: &Range<CivilDay>) -> Result<Vec<i64>, CatalogueError> {
    let mut find = connection.prepare("SELECT id FROM segment WHERE day >= ?1 AND day < ?2")?;
    let ids = find.query_map([days.start.get(), days.end.get()], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Segments of a source with rows at a time or later; `restored`: of those that were read again alone.
pub(crate) fn segments_from(
    connection: &Connection,
    source: i64,
    from_ms: UtcMs,
    restored: bool,
) -> Result<Vec<i64>, CatalogueError> {
    let mut find = connection.prepare_cached(
        "SELECT id FROM segment WHERE source = ?1 AND last_ms >= ?2
         AND (NOT ?3 OR id IN (SELECT segment FROM restored))",
    )?;
    let ids = find.query_map(params![source, from_ms.get(), restored], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Host and kind of a segment's source; none where the segment counts no more.
pub(crate) fn source_of_segment(
    connection: &Connection,
    segment: i64,
) -> Result<Option<(String, String)>, CatalogueError> {
    let named = connection
        .prepare_cached("SELECT host, kind FROM segment JOIN source ON source.id = source WHERE segment.id = ?1")?
        .query_row([segment], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(named)
}

/// Hash of a segment's events.
pub(crate) fn events_hash(connection: &Connection, segment: i64) -> Result<String, CatalogueError> {
    let hash = connection.query_row("SELECT events_hash FROM segment WHERE id = ?1", [segment], |row| {
        row.get(0)
    })?;
    Ok(hash)
}

/// The segment whose events have this hash.
pub(crate) fn segment_with_hash(connection: &Connection, hash: &str) -> Result<Option<i64>, CatalogueError> {
    let segment = connection
        .query_row("SELECT id FROM segment WHERE events_hash = ?1", [hash], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(segment)
}

/// The rates of a segment were made again.
pub(crate) fn put_rates(connection: &Connection, segment: i64, bytes: u64, hash: &str) -> Result<(), CatalogueError> {
    connection.execute(
        "UPDATE segment SET rates_bytes = ?2, rates_hash = ?3 WHERE id = ?1",
        params![segment, bytes as i64, hash],
    )?;
    Ok(())
}

/// First and last event that are not later than a time.
pub fn span_until(connection: &Connection, until_ms: UtcMs) -> Result<Option<(UtcMs, UtcMs)>, CatalogueError> {
    let span: (Option<i64>, Option<i64>) = connection
        .prepare_cached("SELECT min(first_ms), max(min(last_ms, ?1)) FROM segment WHERE first_ms <= ?1")?
        .query_row([until_ms.get()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(span.0.map(UtcMs::new).zip(span.1.map(UtcMs::new)))
}

/// The last event of a segment that ends not later than a time.
pub(crate) fn newest_until(connection: &Connection, until_ms: UtcMs) -> Result<Option<UtcMs>, CatalogueError> {
    let newest: Option<i64> = connection.query_row(
        "SELECT max(last_ms) FROM segment WHERE last_ms <= ?1",
        [until_ms.get()],
        |row| row.get(0),
    )?;
    Ok(newest.map(UtcMs::new))
}

/// What a source has of days before a limit, but of some: host, kind, rows, first and last event.
pub(crate) type OldRows = (String, String, u64, (UtcMs, UtcMs));

/// Rows of days before `limit`, without those of `but`, by source.
pub(crate) fn rows_before(
    connection: &Connection,
    limit: CivilDay,
    but: &Range<CivilDay>,
) -> Result<Vec<OldRows>, CatalogueError> {
    let mut statement = connection.prepare(
        "SELECT host, kind, sum(rows), min(first_ms), max(last_ms) FROM segment JOIN source ON source.id = source
         WHERE day < ?1 AND NOT (day >= ?2 AND day < ?3) GROUP BY source ORDER BY host, kind",
    )?;
    let sources = statement.query_map([limit.get(), but.start.get(), but.end.get()], |row| {
        let rows = row.get::<_, i64>(2)? as u64;
        let [first, last] = [3, 4].map(|column| row.get(column).map(UtcMs::new));
        Ok((row.get(0)?, row.get(1)?, rows, (first?, last?)))
    })?;
    Ok(sources.collect::<Result<_, _>>()?)
}
