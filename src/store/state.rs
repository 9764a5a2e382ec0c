//! What an earlier run left behind: positions of logs, minutes, what did not parse.

use super::commit::{Counts, LogState, OddField, UnparsedShape};
use super::{Error, Store, catalogue};
use rusqlite::{OptionalExtension, Row, params};

impl Store {
    /// Number of a source; made when it is new.
    pub fn source(&self, host: &str, kind: &str) -> Result<i64, Error> {
        Ok(catalogue::source(&self.connection(), host, kind)?)
    }

    /// Hosts whose logs have been read.
    pub fn hosts(&self) -> Result<Vec<String>, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare("SELECT DISTINCT host FROM source ORDER BY host")?;
        let hosts = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(hosts)
    }

    /// Logs of a source, in the order in which they were first seen.
    pub fn logs(&self, source: i64) -> Result<Vec<LogState>, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare(&format!("{LOGS} WHERE source = ?1 ORDER BY id"))?;
        let logs = statement.query_map([source], log_of)?;
        Ok(logs.collect::<Result<_, _>>()?)
    }

    /// One log of a source.
    pub fn log(&self, source: i64, log_id: u64) -> Result<Option<LogState>, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&format!("{LOGS} WHERE source = ?1 AND log_id = ?2"))?;
        Ok(statement.query_row(params![source, log_id as i64], log_of).optional()?)
    }

    /// Sources of a kind, each with its host.
    pub fn hosts_of(&self, kind: &str) -> Result<Vec<(i64, String)>, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT id, host FROM source WHERE kind = ?1 ORDER BY host")?;
        let hosts = statement.query_map([kind], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(hosts.collect::<Result<_, _>>()?)
    }

    /// Lines of a source of which pieces are still to come, as JSON; see [`super::commit::Commit::split_lines`].
    pub fn split_lines(&self, source: i64) -> Result<Option<String>, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare("SELECT lines FROM split_line WHERE source = ?1")?;
        Ok(statement.query_row([source], |row| row.get(0)).optional()?)
    }
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
        mtime_ms: row.get(4)?,
        span_ms: first.zip(last),
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

/// Lines of a source in one minute.
#[derive(Debug, Clone)]
pub struct SourceMinute {
    /// Start of the minute, UTC milliseconds.
    pub ts_ms: i64,
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

/// A log that waits: most of its newest lines are later than this machine's clock, so that the clock is in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockDoubt {
    /// Identity of the log.
    pub log_id: u64,
    /// Its file, as bytes.
    pub path: Vec<u8>,
    /// Time of the first line that waits, UTC milliseconds.
    pub first_ms: i64,
    /// The clock, UTC milliseconds.
    pub clock_ms: i64,
    /// Lines in the future among the newest that have a time.
    pub ahead: u32,
    /// How many of the newest were looked at.
    pub newest: u32,
}

impl std::fmt::Display for ClockDoubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = |ms| jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
        write!(
            f,
            "{} of the newest {} lines of {} are in the future (from {} on), and this machine's clock says {}: the clock is \
             in doubt. Nothing of these lines was stored; they are read when the clock is right",
            self.ahead,
            self.newest,
            crate::model::text::text(&self.path),
            time(self.first_ms),
            time(self.clock_ms)
        )
    }
}

/// A stretch of time in which a host's log could be read, UTC milliseconds, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covered {
    /// Host.
    pub host: String,
    /// First line.
    pub from_ms: i64,
    /// Last line.
    pub to_ms: i64,
}

/// A source and all that is known of it.
#[derive(Debug, Clone)]
pub struct SourceState {
    /// Number.
    pub id: i64,
    /// Host.
    pub host: String,
    /// Kind.
    pub kind: String,
    /// Logs.
    pub logs: Vec<LogState>,
    /// Messages that are in the queue, as far as the logs say.
    pub open_messages: u64,
    /// When something of it was last committed, UTC milliseconds.
    pub read_ms: Option<i64>,
}

const MINUTE_MS: i64 = 60_000;

impl Store {
    /// Notes that these sources had been read to their ends at `now_ms`.
    pub fn put_heartbeats(&self, heartbeats: &[Heartbeat], now_ms: i64) -> Result<(), Error> {
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        {
            let mut put = transaction.prepare_cached(
                "INSERT INTO source_minute (source, minute, lines, events, ignored, unparsed, bytes, heartbeats, lag_ms)
                 VALUES (?1, ?2, 0, 0, 0, 0, 0, 1, ?3)
                 ON CONFLICT DO UPDATE SET heartbeats = heartbeats + 1,
                     lag_ms = coalesce(max(lag_ms, excluded.lag_ms), lag_ms, excluded.lag_ms)",
            )?;
            for heartbeat in heartbeats {
                put.execute(params![
                    heartbeat.source,
                    now_ms.div_euclid(MINUTE_MS),
                    heartbeat.lag_ms
                ])?;
            }
        }
        self.post_heartbeats(&transaction, now_ms.div_euclid(MINUTE_MS))?;
        transaction.commit()?;
        Ok(())
    }

    /// Notes which logs of a source wait for the clock. A log that is committed again waits no more.
    pub fn put_clock_doubts(&self, source: i64, doubts: &[ClockDoubt]) -> Result<(), Error> {
        let connection = self.connection();
        for doubt in doubts {
            connection.execute(
                "INSERT OR REPLACE INTO clock_doubt VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    source,
                    doubt.log_id as i64,
                    doubt.path,
                    doubt.first_ms,
                    doubt.clock_ms,
                    doubt.ahead,
                    doubt.newest
                ],
            )?;
        }
        Ok(())
    }

    /// Logs of a source that wait for the clock.
    pub fn clock_doubts(&self, source: i64) -> Result<Vec<ClockDoubt>, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT log_id, path, first_ms, clock_ms, ahead, newest FROM clock_doubt WHERE source = ?1 ORDER BY path",
        )?;
        let doubts = statement.query_map([source], |row| {
            Ok(ClockDoubt {
                log_id: row.get::<_, i64>(0)? as u64,
                path: row.get(1)?,
                first_ms: row.get(2)?,
                clock_ms: row.get(3)?,
                ahead: row.get(4)?,
                newest: row.get(5)?,
            })
        })?;
        Ok(doubts.collect::<Result<_, _>>()?)
    }

    /// The last time not later than `until_ms` at which a tail had read a source to its end, to the minute: start of the
    /// minute, UTC milliseconds.
    pub fn heartbeat_ms(&self, until_ms: i64) -> Result<Option<i64>, Error> {
        let connection = self.connection();
        let last: Option<i64> = connection.query_row(
            "SELECT max(minute) FROM source_minute WHERE heartbeats > 0 AND minute <= ?1",
            [until_ms.div_euclid(MINUTE_MS)],
            |row| row.get(0),
        )?;
        Ok(last.map(|minute| minute * MINUTE_MS))
    }

    /// The last time not later than `until_ms` of a line, whatever it says, to the minute: start of the minute, UTC
    /// milliseconds.
    pub fn line_ms(&self, until_ms: i64) -> Result<Option<i64>, Error> {
        let connection = self.connection();
        // By source: then it is one look at the end of the index for each.
        let last: Option<i64> = connection
            .prepare_cached(
                "SELECT max((SELECT minute FROM source_minute WHERE source = source.id AND minute <= ?1 AND lines > 0
                             ORDER BY minute DESC LIMIT 1)) FROM source",
            )?
            .query_row([until_ms.div_euclid(MINUTE_MS)], |row| row.get(0))?;
        Ok(last.map(|minute| minute * MINUTE_MS))
    }

    /// Minutes with lines or heartbeats in `[since_ms, until_ms)`.
    pub fn source_minutes(&self, since_ms: i64, until_ms: i64) -> Result<Vec<SourceMinute>, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT minute, host, kind, lines, events, ignored, unparsed, bytes, heartbeats, lag_ms,
                    foreign_lines
             FROM source_minute JOIN source ON source.id = source WHERE minute >= ?1 AND minute < ?2
             ORDER BY minute, host, kind",
        )?;
        let minute = |ms: i64| ms.div_euclid(MINUTE_MS);
        let until = if until_ms == i64::MAX {
            i64::MAX
        } else {
            minute(until_ms.saturating_add(MINUTE_MS - 1))
        };
        let rows = statement.query_map(params![minute(since_ms), until], |row| {
            let number = |at: usize| row.get::<_, i64>(at).map(|n| n as u64);
            Ok(SourceMinute {
                ts_ms: row.get::<_, i64>(0)? * MINUTE_MS,
                host: row.get(1)?,
                kind: row.get(2)?,
                counts: Counts {
                    lines: number(3)?,
                    events: number(4)?,
                    ignored: number(5)?,
                    unparsed: number(6)?,
                    duplicates: 0,
                    bytes: number(7)?,
                    foreign: number(10)?,
                },
                heartbeats: number(8)?,
                lag_ms: row.get(9)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Counts of a source by minute (start in UTC milliseconds), oldest first: so many milliseconds back from its newest.
    pub fn minutes_of(&self, source: i64, length_ms: i64) -> Result<Vec<(i64, Counts)>, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT minute, lines, events, ignored, unparsed, bytes, foreign_lines FROM source_minute
             WHERE source = ?1 AND lines > 0
             AND minute > (SELECT max(minute) FROM source_minute WHERE source = ?1 AND lines > 0) - ?2 ORDER BY minute",
        )?;
        let rows = statement.query_map(params![source, length_ms.div_euclid(MINUTE_MS)], |row| {
            let number = |at: usize| row.get::<_, i64>(at).map(|n| n as u64);
            let counts = Counts {
                lines: number(1)?,
                events: number(2)?,
                ignored: number(3)?,
                unparsed: number(4)?,
                duplicates: 0,
                bytes: number(5)?,
                foreign: number(6)?,
            };
            Ok((row.get::<_, i64>(0)? * MINUTE_MS, counts))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Stretches of time, UTC milliseconds, in which some log could be read: from its first to its last line, and over
    /// to the sibling that continues it; and minutes in which a tail found nothing more to read. Silence inside one is no
    /// mail; silence outside is no data. Of the second kind, those from `since_ms` on.
    pub fn coverage(&self, since_ms: i64) -> Result<Vec<Covered>, Error> {
        let mut all = self.heard(since_ms)?;
        for source in self.sources()? {
            let mut covered: Vec<(i64, i64)> = Vec::new();
            let mut spans: Vec<(i64, i64, bool)> = source
                .logs
                .iter()
                .filter_map(|log| log.span_ms.map(|(a, b)| (a, b, log.follows)))
                .collect();
            spans.sort_unstable();
            for (from, to, follows) in spans {
                match covered.last_mut() {
                    Some((_, last)) if follows && *last <= to => *last = to,
                    _ => covered.push((from, to)),
                }
            }
            let host = source.host;
            all.extend(covered.into_iter().map(|(from_ms, to_ms)| Covered {
                host: host.clone(),
                from_ms,
                to_ms,
            }));
        }
        Ok(all)
    }

    /// Minutes with heartbeats, those in a row together.
    fn heard(&self, since_ms: i64) -> Result<Vec<Covered>, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT host, minute, source FROM source_minute JOIN source ON source.id = source
             WHERE heartbeats > 0 AND minute >= ?1 ORDER BY source, minute",
        )?;
        let mut all: Vec<Covered> = Vec::new();
        let mut before = None;
        let mut rows = statement.query([since_ms.div_euclid(MINUTE_MS)])?;
        while let Some(row) = rows.next()? {
            let (host, minute, source): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let goes_on = before.replace(source) == Some(source);
            let (from_ms, to_ms) = (minute * MINUTE_MS, minute * MINUTE_MS + MINUTE_MS - 1);
            match all.last_mut() {
                Some(last) if goes_on && last.to_ms + 1 == from_ms => last.to_ms = to_ms,
                _ => all.push(Covered { host, from_ms, to_ms }),
            }
        }
        Ok(all)
    }

    /// All sources with their logs.
    pub fn sources(&self) -> Result<Vec<SourceState>, Error> {
        let ids: Vec<(i64, String, String, i64, Option<i64>)> = {
            let connection = self.connection();
            let mut statement = connection.prepare(
                "SELECT id, host, kind, (SELECT count(*) FROM open_message WHERE source = source.id),
                        (SELECT max(read_ms) FROM log WHERE source = source.id) FROM source ORDER BY host, kind",
            )?;
            let rows = statement.query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })?;
            rows.collect::<Result<_, _>>()?
        };
        ids.into_iter()
            .map(|(id, host, kind, open, read_ms)| {
                Ok(SourceState {
                    id,
                    host,
                    kind,
                    logs: self.logs(id)?,
                    open_messages: open as u64,
                    read_ms,
                })
            })
            .collect()
    }

    /// Shapes of unparsed lines of a source, most frequent first.
    pub fn unparsed(&self, source: i64, max: usize) -> Result<Vec<UnparsedShape>, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT shape, count, sample, why, path FROM unparsed WHERE source = ?1 ORDER BY count DESC, shape LIMIT ?2",
        )?;
        let rows = statement.query_map(params![source, max as i64], |row| {
            Ok(UnparsedShape {
                shape: row.get(0)?,
                count: row.get::<_, i64>(1)? as u64,
                sample: row.get(2)?,
                why: row.get(3)?,
                path: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Fields that were left out of a source's lines, most frequent first.
    pub fn odd_fields(&self, source: i64) -> Result<Vec<OddField>, Error> {
        let connection = self.connection();
        let mut statement = connection
            .prepare("SELECT field, count, sample, path FROM odd_field WHERE source = ?1 ORDER BY count DESC, field")?;
        let rows = statement.query_map([source], |row| {
            Ok(OddField {
                field: row.get(0)?,
                count: row.get::<_, i64>(1)? as u64,
                sample: row.get(2)?,
                path: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// First and last event of the store, UTC milliseconds.
    pub fn span(&self) -> Result<Option<(i64, i64)>, Error> {
        self.span_until(i64::MAX)
    }

    /// First and last event that are not later than `until_ms`, UTC milliseconds.
    pub fn span_until(&self, until_ms: i64) -> Result<Option<(i64, i64)>, Error> {
        let connection = self.connection();
        let span: (Option<i64>, Option<i64>) = connection
            .prepare_cached("SELECT min(first_ms), max(min(last_ms, ?1)) FROM segment WHERE first_ms <= ?1")?
            .query_row([until_ms], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(span.0.zip(span.1))
    }
}
