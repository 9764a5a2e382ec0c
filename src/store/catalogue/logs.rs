//! Logs: how far each has been read, and the numbers of those that are known no more. Logs of one host and kind with an equal
//! first line are told apart by a number, and their lines' identities by the log's: a number that was given once is not
//! given again, also after the log has been forgotten.

use super::{CatalogueError, Connection, Counts};
use crate::model::time::UtcMs;
use rusqlite::{OptionalExtension as _, Row, params};
use rustc_hash::FxHashMap;

/// First lines that are kept for a source, the newest: programs that begin all their logs alike take one.
const FORGOTTEN_MAX: i64 = 10_000;

/// How far a log has been read, and what was found in it.
#[derive(Debug, Clone)]
pub struct LogState {
    /// Identity: host, kind, first line, and a number where these are equal.
    pub log_id: u64,
    /// Where it was last seen, as bytes: names need not be UTF-8.
    pub path: Vec<u8>,
    /// Position, as JSON.
    pub position: String,
    /// Size and modification time of the file when it was read.
    pub size: u64,
    /// Modification time.
    pub mtime_ms: UtcMs,
    /// First and last time in it.
    pub span_ms: Option<(UtcMs, UtcMs)>,
    /// The log continues its older sibling without a hole.
    pub follows: bool,
    /// What is wrong with the file, if it could not be read to its end.
    pub damaged: Option<String>,
    /// Lines, whole life.
    pub counts: Counts,
    /// Bytes left out of over-long lines and NUL blocks.
    pub skipped_bytes: u64,
    /// Which of its newest hundred lines that have a time are in the future: a bit each, the newest lowest.
    pub ahead: u128,
}

/// What is read of a log; see [`log_of`].
const LOGS: &str = "SELECT log_id, path, position, size, mtime_ms, first_ms, last_ms, follows, damaged, lines, events,
                           ignored, unparsed, skipped_bytes, duplicates, ahead FROM log";

fn log_of(row: &Row<'_>) -> rusqlite::Result<LogState> {
    let number = |at: usize| row.get::<_, i64>(at).map(|n| n as u64);
    let first: Option<i64> = row.get(5)?;
    let last: Option<i64> = row.get(6)?;
    let ahead: Option<String> = row.get(15)?;
    Ok(LogState {
        log_id: number(0)?,
        path: row.get(1)?,
        position: row.get(2)?,
        size: number(3)?,
        mtime_ms: row.get(4).map(UtcMs::new)?,
        span_ms: first.map(UtcMs::new).zip(last.map(UtcMs::new)),
        follows: row.get(7)?,
        damaged: row.get(8)?,
        counts: Counts {
            lines: number(9)?,
            events: number(10)?,
            ignored: number(11)?,
            unparsed: number(12)?,
            duplicates: number(14)?,
            ..Counts::default()
        },
        skipped_bytes: number(13)?,
        ahead: ahead.and_then(|bits| u128::from_str_radix(&bits, 16).ok()).unwrap_or(0),
    })
}

/// Logs of a source, in the order in which they were first seen.
pub(super) fn logs(connection: &Connection, source: i64) -> Result<Vec<LogState>, CatalogueError> {
    let mut statement = connection.prepare(&format!("{LOGS} WHERE source = ?1 ORDER BY id"))?;
    let logs = statement.query_map([source], log_of)?;
    Ok(logs.collect::<Result<_, _>>()?)
}

/// The first of all logs, of every source, that is sought.
pub(crate) fn find_log(
    connection: &Connection,
    mut is_sought: impl FnMut(&LogState) -> bool,
) -> Result<Option<LogState>, CatalogueError> {
    let mut statement = connection.prepare(LOGS)?;
    for log in statement.query_map([], log_of)? {
        let log = log?;
        if is_sought(&log) {
            return Ok(Some(log));
        }
    }
    Ok(None)
}

/// One log of a source.
pub(super) fn log(connection: &Connection, source: i64, log_id: u64) -> Result<Option<LogState>, CatalogueError> {
    let mut statement = connection.prepare_cached(&format!("{LOGS} WHERE source = ?1 AND log_id = ?2"))?;
    Ok(statement.query_row(params![source, log_id as i64], log_of).optional()?)
}

/// Puts how far a log has been read.
pub(crate) fn put_log(transaction: &Connection, source: i64, log: &LogState) -> Result<(), CatalogueError> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO log (source, log_id, path, position, size, mtime_ms, first_ms, last_ms, follows, damaged,
                          lines, events, ignored, unparsed, skipped_bytes, duplicates, read_ms, ahead)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
                 CAST(unixepoch('subsec') * 1000 AS INTEGER), ?17)
         ON CONFLICT (source, log_id) DO UPDATE SET path = excluded.path, position = excluded.position, size = excluded.size,
             mtime_ms = excluded.mtime_ms, first_ms = excluded.first_ms, last_ms = excluded.last_ms,
             follows = excluded.follows, damaged = excluded.damaged, lines = excluded.lines,
             events = excluded.events, ignored = excluded.ignored, unparsed = excluded.unparsed,
             skipped_bytes = excluded.skipped_bytes, duplicates = excluded.duplicates, read_ms = excluded.read_ms,
             ahead = excluded.ahead",
    )?;
    put.execute(params![
        source,
        log.log_id as i64,
        log.path,
        log.position,
        log.size as i64,
        log.mtime_ms.get(),
        log.span_ms.map(|span| span.0.get()),
        log.span_ms.map(|span| span.1.get()),
        log.follows,
        log.damaged,
        log.counts.lines as i64,
        log.counts.events as i64,
        log.counts.ignored as i64,
        log.counts.unparsed as i64,
        log.skipped_bytes as i64,
        log.counts.duplicates as i64,
        (log.ahead != 0).then(|| format!("{:x}", log.ahead))
    ])?;
    // It is read again.
    let mut trusted = transaction.prepare_cached("DELETE FROM clock_doubt WHERE source = ?1 AND log_id = ?2")?;
    trusted.execute(params![source, log.log_id as i64])?;
    Ok(())
}

/// How far each log has been read; None where its position is no offset.
pub(crate) fn offsets_by_log(connection: &Connection) -> Result<FxHashMap<u64, Option<i64>>, CatalogueError> {
    let mut statement = connection.prepare("SELECT log_id, position FROM log")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let mut positions = FxHashMap::default();
    for row in rows {
        let (log, position) = row?;
        let position: Option<serde_json::Value> = serde_json::from_str(&position).ok();
        let offset = position.and_then(|position| position.get("offset")?.as_i64());
        positions.insert(log as u64, offset);
    }
    Ok(positions)
}

/// Logs whose lines are not what became of them: file, lines, sum.
pub(crate) fn unbalanced_logs(connection: &Connection) -> Result<Vec<(Vec<u8>, i64, i64)>, CatalogueError> {
    let mut statement = connection.prepare("SELECT path, lines, events + ignored + unparsed FROM log")?;
    let logs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut unbalanced = logs.collect::<Result<Vec<(Vec<u8>, i64, i64)>, _>>()?;
    unbalanced.retain(|(_, lines, sum)| lines != sum);
    Ok(unbalanced)
}

/// A log in the catalogue.
#[derive(Debug)]
pub(crate) struct LogRow {
    /// Its number there.
    pub id: i64,
    /// Its identity.
    pub log_id: u64,
    /// Its first time.
    pub first_ms: Option<UtcMs>,
}

/// Logs of a source, by their numbers.
pub(crate) fn log_rows(connection: &Connection, source: i64) -> Result<Vec<LogRow>, CatalogueError> {
    let mut logs = connection.prepare("SELECT id, log_id, first_ms FROM log WHERE source = ?1")?;
    let rows = logs.query_map([source], |row| {
        Ok(LogRow {
            id: row.get(0)?,
            log_id: row.get::<_, i64>(1)? as u64,
            first_ms: row.get::<_, Option<i64>>(2)?.map(UtcMs::new),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// As if a log had not been read.
pub(crate) fn remove_log(connection: &Connection, log: i64) -> Result<(), CatalogueError> {
    connection.execute("DELETE FROM log WHERE id = ?1", [log])?;
    Ok(())
}

/// Logs that were not read since a time and have no line after it: number, file, and whether another log has that file now.
pub(crate) fn logs_before(
    connection: &Connection,
    before_ms: UtcMs,
) -> Result<Vec<(i64, Vec<u8>, bool)>, CatalogueError> {
    let mut old = connection.prepare(
        "SELECT id, path, EXISTS (
             SELECT 1 FROM log AS newer WHERE newer.source = log.source AND newer.path = log.path AND newer.id > log.id)
         FROM log WHERE read_ms < ?1 AND last_ms < ?1",
    )?;
    let old = old.query_map([before_ms.get()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(old.collect::<Result<_, _>>()?)
}

/// The highest number of a source's forgotten logs, by their identity without the number.
pub(crate) fn forgotten_ordinals(connection: &Connection, source: i64) -> Result<FxHashMap<u64, u32>, CatalogueError> {
    let mut all = connection.prepare("SELECT base, ordinal FROM forgotten_log WHERE source = ?1")?;
    let rows = all.query_map([source], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    let mut ordinals = FxHashMap::default();
    for row in rows {
        let (base, ordinal) = row?;
        ordinals.extend(u64::from_str_radix(&base, 16).ok().map(|base| (base, ordinal)));
    }
    Ok(ordinals)
}

/// Removes what is known of a log, but for its number. Returns how many logs that were.
pub(crate) fn forget_log(connection: &Connection, log: i64) -> Result<u64, CatalogueError> {
    connection.execute(
        "INSERT OR REPLACE INTO forgotten_log (source, base, ordinal)
         SELECT source, base, max(ordinal, coalesce((
                    SELECT known.ordinal FROM forgotten_log AS known
                    WHERE known.source = gone.source AND known.base = gone.base), 0))
         FROM (SELECT source, json_extract(position, '$.base') AS base, json_extract(position, '$.ordinal') AS ordinal
               FROM log WHERE id = ?1 AND json_valid(position)) AS gone
         WHERE base IS NOT NULL AND ordinal IS NOT NULL",
        [log],
    )?;
    connection.execute(
        "DELETE FROM forgotten_log WHERE source = (SELECT source FROM log WHERE id = ?1) AND id <= (
             SELECT id FROM forgotten_log WHERE source = (SELECT source FROM log WHERE id = ?1)
             ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        params![log, FORGOTTEN_MAX],
    )?;
    Ok(connection.execute("DELETE FROM log WHERE id = ?1", [log])? as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::catalogue::{open, source};

    #[test]
    fn a_number_outlives_its_log_and_the_oldest_first_lines_go_at_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open(&folder.path().join("catalogue.sqlite")).unwrap();
        let source = source(&connection, "mx1", "exim").unwrap();
        let log = |base: u64, ordinal: u32| {
            connection
                .execute(
                    "INSERT INTO log (source, log_id, path, position, size, mtime_ms, lines, events, ignored, unparsed, read_ms)
                     VALUES (?1, ?2, x'', ?3, 0, 0, 0, 0, 0, 0, 0)",
                    params![
                        source,
                        (base * 10 + u64::from(ordinal)) as i64,
                        format!(r#"{{"base":"{base:016x}","ordinal":{ordinal}}}"#)
                    ],
                )
                .unwrap();
            let id = connection.sqlite().last_insert_rowid();
            assert_eq!(forget_log(&connection, id).unwrap(), 1);
        };
        log(7, 2);
        log(7, 1);
        log(8, 0);
        let known = forgotten_ordinals(&connection, source).unwrap();
        assert_eq!((known[&7], known[&8]), (2, 0));
        let many = "WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n LIMIT ?2)
                    INSERT INTO forgotten_log (source, base, ordinal) SELECT ?1, printf('%016x', i), 0 FROM n";
        let made = connection.execute(many, params![source, FORGOTTEN_MAX - 3]);
        assert_eq!(made.unwrap() as i64, FORGOTTEN_MAX - 3);
        [50, 51].into_iter().for_each(|base| log(base, 0));
        let known = forgotten_ordinals(&connection, source).unwrap();
        assert_eq!(known.len() as i64, FORGOTTEN_MAX);
        assert!(!known.contains_key(&7) && known.contains_key(&8));
        // A log whose position nobody can read is forgotten all the same.
        connection
            .execute(
                "INSERT INTO log (source, log_id, path, position, size, mtime_ms, lines, events, ignored, unparsed, read_ms)
                 VALUES (?1, 1, x'', 'torn', 0, 0, 0, 0, 0, 0, 0)",
                [source],
            )
            .unwrap();
        let id = connection.sqlite().last_insert_rowid();
        assert_eq!(forget_log(&connection, id).unwrap(), 1);
    }
}
