//! Lines of a source by minute, and heartbeats: when a tail had read it to its end.

use super::{CatalogueError, Connection, Counts};
use crate::model::time::{MINUTE_MS, Minute, UtcMs};
use rusqlite::{OptionalExtension as _, Row, params};

/// Lines of a source in one minute.
#[derive(Debug, Clone)]
pub struct SourceMinute {
    /// Start of the minute.
    pub ts_ms: UtcMs,
    /// Host.
    pub host: String,
    /// Kind of source.
    pub kind: String,
    /// Lines and what became of them.
    pub counts: Counts,
    /// How often in this minute, of the reading host's clock, a tail said that it had read all there was.
    pub heartbeats: u64,
    /// How old the newest line was when it was read, at most, in this minute of the reading host's clock.
    pub lag_ms: Option<i64>,
}

/// A source that a tail has read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// Number of the source.
    pub source: i64,
    /// How old the newest line was when it was read, if one was.
    pub lag_ms: Option<i64>,
}

/// Counts in a row from this column on: lines, events, ignored, unparsed, bytes; those of other programs are in a column of
/// their own.
fn counts_at(row: &Row<'_>, first: usize, foreign: usize) -> rusqlite::Result<Counts> {
    let number = |at: usize| row.get::<_, i64>(at).map(|n| n as u64);
    Ok(Counts {
        lines: number(first)?,
        events: number(first + 1)?,
        ignored: number(first + 2)?,
        unparsed: number(first + 3)?,
        duplicates: 0,
        bytes: number(first + 4)?,
        foreign: number(foreign)?,
    })
}

/// A minute in a row.
fn minute_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Minute> {
    row.get(column).map(Minute::new)
}

/// Its start.
fn start_at(row: &Row<'_>, column: usize) -> rusqlite::Result<UtcMs> {
    minute_at(row, column).map(Minute::start)
}

/// Adds what was counted.
pub(crate) fn add_minutes(
    transaction: &Connection,
    source: i64,
    minutes: &[(Minute, Counts)],
) -> Result<(), CatalogueError> {
    let mut add = transaction.prepare_cached(
        "INSERT INTO source_minute (source, minute, lines, events, ignored, unparsed, bytes, foreign_lines)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT DO UPDATE SET lines = lines + excluded.lines, events = events + excluded.events,
             ignored = ignored + excluded.ignored, unparsed = unparsed + excluded.unparsed,
             bytes = bytes + excluded.bytes, foreign_lines = foreign_lines + excluded.foreign_lines",
    )?;
    for (minute, n) in minutes {
        let [lines, events, ignored, unparsed, bytes, foreign] =
            [n.lines, n.events, n.ignored, n.unparsed, n.bytes, n.foreign].map(|count| count as i64);
        add.execute(params![
            source,
            minute.get(),
            lines,
            events,
            ignored,
            unparsed,
            bytes,
            foreign
        ])?;
    }
    Ok(())
}

/// Adds heartbeats of a minute.
pub(crate) fn add_heartbeats(
    connection: &Connection,
    heartbeats: &[Heartbeat],
    minute: Minute,
) -> Result<(), CatalogueError> {
    let mut put = connection.prepare_cached(
        "INSERT INTO source_minute (source, minute, lines, events, ignored, unparsed, bytes, heartbeats, lag_ms)
         VALUES (?1, ?2, 0, 0, 0, 0, 0, 1, ?3)
         ON CONFLICT DO UPDATE SET heartbeats = heartbeats + 1,
             lag_ms = coalesce(max(lag_ms, excluded.lag_ms), lag_ms, excluded.lag_ms)",
    )?;
    let mut named = connection.prepare_cached("SELECT source FROM host_of_log WHERE reader = ?1")?;
    for heartbeat in heartbeats {
        put.execute(params![heartbeat.source, minute.get(), heartbeat.lag_ms])?;
        // What was read to its end was that of all hosts in it.
        let hosts: Vec<i64> = named
            .query_map([heartbeat.source], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for host in hosts {
            put.execute(params![host, minute.get(), heartbeat.lag_ms])?;
        }
    }
    Ok(())
}

/// The last time not later than `until_ms` at which a tail had read a source to its end, to the minute: its start.
pub(crate) fn last_heartbeat_ms(connection: &Connection, until_ms: UtcMs) -> Result<Option<UtcMs>, CatalogueError> {
    let last: Option<i64> = connection.query_row(
        "SELECT max(minute) FROM source_minute WHERE heartbeats > 0 AND minute <= ?1",
        [until_ms.minute().get()],
        |row| row.get(0),
    )?;
    Ok(last.map(|minute| Minute::new(minute).start()))
}

/// The last time not later than `until_ms` of a line, whatever it says, to the minute: its start.
pub(crate) fn last_line_ms(connection: &Connection, until_ms: UtcMs) -> Result<Option<UtcMs>, CatalogueError> {
    // By source: then it is one look at the end of the index for each.
    let last: Option<i64> = connection
        .prepare_cached(
            "SELECT max((SELECT minute FROM source_minute WHERE source = source.id AND minute <= ?1 AND lines > 0
                         ORDER BY minute DESC LIMIT 1)) FROM source",
        )?
        .query_row([until_ms.minute().get()], |row| row.get(0))?;
    Ok(last.map(|minute| Minute::new(minute).start()))
}

/// Minutes with lines or heartbeats in `[since_ms, until_ms)`.
pub(super) fn source_minutes(
    connection: &Connection,
    since_ms: UtcMs,
    until_ms: UtcMs,
) -> Result<Vec<SourceMinute>, CatalogueError> {
    // By source: then it is one range of the key for each, and not all minutes.
    let mut statement = connection.prepare_cached(
        "SELECT minute, host, kind, lines, events, ignored, unparsed, bytes, heartbeats, lag_ms,
                foreign_lines
         FROM source CROSS JOIN source_minute ON source_minute.source = source.id
         WHERE minute >= ?1 AND minute < ?2 ORDER BY minute, host, kind",
    )?;
    let until = if until_ms == UtcMs::MAX {
        Minute::MAX
    } else {
        until_ms.saturating_add(MINUTE_MS - 1).minute()
    };
    let rows = statement.query_map(params![since_ms.minute().get(), until.get()], |row| {
        Ok(SourceMinute {
            ts_ms: start_at(row, 0)?,
            host: row.get(1)?,
            kind: row.get(2)?,
            counts: counts_at(row, 3, 10)?,
            heartbeats: row.get::<_, i64>(8)? as u64,
            lag_ms: row.get(9)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts of a source by minute (its start), oldest first: so many milliseconds back from its newest.
pub(super) fn minutes_of(
    connection: &Connection,
    source: i64,
    length_ms: i64,
) -> Result<Vec<(UtcMs, Counts)>, CatalogueError> {
    let mut statement = connection.prepare_cached(
        "SELECT minute, lines, events, ignored, unparsed, bytes, foreign_lines FROM source_minute
         WHERE source = ?1 AND lines > 0
         AND minute > (SELECT max(minute) FROM source_minute WHERE source = ?1 AND lines > 0) - ?2 ORDER BY minute",
    )?;
    let rows = statement.query_map(params![source, length_ms.div_euclid(MINUTE_MS)], |row| {
        let counts = counts_at(row, 1, 6)?;
        Ok((start_at(row, 0)?, counts))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts, and the first and the last minute of them.
pub(crate) type SummedMinutes = (Counts, (UtcMs, UtcMs));

/// Counts of a source over all minutes, and its first and last minute with lines (their starts).
pub(crate) fn sum_of(connection: &Connection, source: i64) -> Result<Option<SummedMinutes>, CatalogueError> {
    let mut statement = connection.prepare_cached(
        "SELECT min(minute), max(minute), sum(lines), sum(events), sum(ignored), sum(unparsed), sum(bytes), sum(foreign_lines)
         FROM source_minute WHERE source = ?1 AND lines > 0 HAVING count(*) > 0",
    )?;
    let sum = statement.query_row([source], |row| {
        let span = (start_at(row, 0)?, start_at(row, 1)?);
        Ok((counts_at(row, 2, 7)?, span))
    });
    Ok(sum.optional()?)
}

/// Minutes with heartbeats, from a minute on, source by source: source, host, minute.
pub(crate) fn heard_minutes(
    connection: &Connection,
    from: Minute,
) -> Result<Vec<(i64, String, Minute)>, CatalogueError> {
    let mut statement = connection.prepare_cached(
        "SELECT source, host, minute FROM source_minute JOIN source ON source.id = source
         WHERE heartbeats > 0 AND minute >= ?1 ORDER BY source, minute",
    )?;
    let rows = statement.query_map([from.get()], |row| Ok((row.get(0)?, row.get(1)?, minute_at(row, 2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Heartbeats of a source in a minute.
#[derive(Debug)]
pub(crate) struct Beats {
    /// The minute.
    pub minute: Minute,
    pub host: String,
    /// Kind of source.
    pub kind: String,
    /// How many.
    pub heartbeats: i64,
    /// How old the newest line was, at most.
    pub lag_ms: Option<i64>,
}

/// Heartbeats of the minutes between two.
pub(crate) fn heartbeats_between(
    connection: &Connection,
    after: Minute,
    before: Minute,
) -> Result<Vec<Beats>, CatalogueError> {
    let mut over = connection.prepare_cached(
        "SELECT minute, host, kind, heartbeats, lag_ms FROM source_minute JOIN source ON source.id = source
         WHERE heartbeats > 0 AND minute > ?1 AND minute < ?2 ORDER BY minute, source",
    )?;
    let beats = over.query_map([after.get(), before.get()], |row| {
        Ok(Beats {
            minute: minute_at(row, 0)?,
            host: row.get(1)?,
            kind: row.get(2)?,
            heartbeats: row.get(3)?,
            lag_ms: row.get(4)?,
        })
    })?;
    Ok(beats.collect::<Result<_, _>>()?)
}

/// Lines of a source in a minute, and whose they are: host and kind.
pub(crate) type CountedMinute = (Minute, String, String, Counts);

/// All that was counted so far, oldest first.
pub(crate) fn counted_minutes(connection: &Connection) -> Result<Vec<CountedMinute>, CatalogueError> {
    let mut all = connection.prepare(
        "SELECT minute, host, kind, lines, events, ignored, unparsed, bytes, foreign_lines FROM source_minute
         JOIN source ON source.id = source WHERE lines > 0 ORDER BY minute, source",
    )?;
    let rows = all.query_map([], |row| {
        Ok((minute_at(row, 0)?, row.get(1)?, row.get(2)?, counts_at(row, 3, 8)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts of a source from a minute on.
pub(crate) fn minutes_from(
    connection: &Connection,
    source: i64,
    from: Minute,
) -> Result<Vec<(Minute, Counts)>, CatalogueError> {
    let mut counted = connection.prepare(
        "SELECT minute, lines, events, ignored, unparsed, bytes, foreign_lines FROM source_minute
         WHERE source = ?1 AND minute >= ?2 AND lines > 0",
    )?;
    let rows = counted.query_map([source, from.get()], |row| {
        Ok((minute_at(row, 0)?, counts_at(row, 1, 6)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The lines of a source are counted no more from a minute on; heartbeats stay.
pub(crate) fn remove_minutes(connection: &Connection, source: i64, from: Minute) -> Result<(), CatalogueError> {
    connection.execute(
        "DELETE FROM source_minute WHERE source = ?1 AND minute >= ?2 AND heartbeats = 0",
        [source, from.get()],
    )?;
    connection.execute(
        "UPDATE source_minute SET lines = 0, events = 0, ignored = 0, unparsed = 0, bytes = 0,
             foreign_lines = 0
         WHERE source = ?1 AND minute >= ?2",
        [source, from.get()],
    )?;
    Ok(())
}

/// Removes minutes that are older than the retention, and all heartbeats before its end: a heartbeat alone is no archive.
pub(crate) fn expire_minutes(connection: &Connection, from: Minute, to: Minute) -> Result<(), CatalogueError> {
    connection.execute(
        "DELETE FROM source_minute WHERE minute < ?2 AND (minute >= ?1 OR lines = 0)",
        [from.get(), to.get()],
    )?;
    Ok(())
}

/// First and last minute with lines or heartbeats: their starts.
pub(crate) fn minutes_span(connection: &Connection) -> Result<Option<(UtcMs, UtcMs)>, CatalogueError> {
    let span: (Option<i64>, Option<i64>) =
        connection.query_row("SELECT min(minute), max(minute) FROM source_minute", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok(span
        .0
        .zip(span.1)
        .map(|(first, last)| (Minute::new(first).start(), Minute::new(last).start())))
}

/// The last minute with a line or a heartbeat of any source.
pub(super) fn last_minute(connection: &Connection) -> Result<Option<Minute>, CatalogueError> {
    let last = "SELECT max((SELECT max(minute) FROM source_minute WHERE source = source.id)) FROM source";
    let found: Option<Option<i64>> = connection.query_row(last, [], |row| row.get(0)).optional()?;
    Ok(found.flatten().map(Minute::new))
}

/// Sources with heartbeats since a minute: host and kind.
pub(crate) fn beating_since(connection: &Connection, minute: Minute) -> Result<Vec<(String, String)>, CatalogueError> {
    let mut beating = connection.prepare(
        "SELECT host, kind FROM source WHERE id IN
         (SELECT source FROM source_minute WHERE heartbeats > 0 AND minute >= ?1) ORDER BY host, kind",
    )?;
    let rows = beating.query_map([minute.get()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
