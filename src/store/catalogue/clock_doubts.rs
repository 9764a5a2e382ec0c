//! Logs that wait because their newest lines are in the future.

use super::{CatalogueError, Connection};
use crate::model::time::UtcMs;
use rusqlite::params;
use std::fmt;

/// A log that waits: most of its newest lines are later than this machine's clock, so that the clock is in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockDoubt {
    /// Identity of the log.
    pub log_id: u64,
    /// Its file, as bytes.
    pub path: Vec<u8>,
    /// Time of the first line that waits.
    pub first_ms: UtcMs,
    /// The clock.
    pub clock_ms: UtcMs,
    /// Lines in the future among the newest that have a time.
    pub ahead: u32,
    /// How many of the newest were looked at.
    pub newest: u32,
}

impl fmt::Display for ClockDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |at: UtcMs| at.timestamp().unwrap_or_default();
        write!(
            f,
            "{} of the newest {} lines of {} are in the future (from {} on), and this machine's clock says {}: the \
             clock is in doubt. These lines were not stored; they are read when the clock is right",
            self.ahead,
            self.newest,
            crate::model::text::text(&self.path),
            time(self.first_ms),
            time(self.clock_ms)
        )
    }
}

/// Notes which logs of a source wait for the clock. A log that is committed again waits no more.
pub(crate) fn put_clock_doubts(
    connection: &Connection,
    source: i64,
    doubts: &[ClockDoubt],
) -> Result<(), CatalogueError> {
    for doubt in doubts {
        connection.execute(
            "INSERT OR REPLACE INTO clock_doubt VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                source,
                doubt.log_id as i64,
                doubt.path,
                doubt.first_ms.get(),
                doubt.clock_ms.get(),
                doubt.ahead,
                doubt.newest
            ],
        )?;
    }
    Ok(())
}

/// Logs of a source that wait for the clock.
pub(super) fn clock_doubts(connection: &Connection, source: i64) -> Result<Vec<ClockDoubt>, CatalogueError> {
    let mut statement = connection.prepare(
        "SELECT log_id, path, first_ms, clock_ms, ahead, newest FROM clock_doubt WHERE source = ?1 ORDER BY path",
    )?;
    let doubts = statement.query_map([source], |row| {
        Ok(ClockDoubt {
            log_id: row.get::<_, i64>(0)? as u64,
            path: row.get(1)?,
            first_ms: row.get(2).map(UtcMs::new)?,
            clock_ms: row.get(3).map(UtcMs::new)?,
            ahead: row.get(4)?,
            newest: row.get(5)?,
        })
    })?;
    Ok(doubts.collect::<Result<_, _>>()?)
}
