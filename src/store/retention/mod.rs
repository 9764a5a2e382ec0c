//! Retention: what has been stored for longer than the configuration says is removed, and nothing else. `horizon` says
//! from which moment it counts.

mod horizon;

use super::{Error, Store, catalogue};
pub use horizon::MachineTime;
use horizon::{Advance, DAY_MS, Horizon, advance, force, limit_day};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::os::unix::ffi::OsStrExt;

/// Days that the position of a log is kept after its file was seen last, at least.
const LOG_DAYS: u32 = 30;

/// How long what is stored, and what time it is.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Days that are kept.
    pub days: u32,
    /// The machine's time.
    pub machine: MachineTime,
    /// Remove what is held back too: the operator says that the date is right.
    pub force: bool,
}

/// What is older than the retention and was not removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldBack {
    /// By host and kind of source.
    pub sources: Vec<HeldSource>,
    /// By how much the store's time would step if the clock and the newest event were believed, milliseconds; 0 if
    /// there is no such step. What is held back then is an archive alone.
    pub step_ms: i64,
    /// The moment that retention counts from, UTC milliseconds.
    pub horizon_ms: i64,
}

/// What a source has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldSource {
    /// Host.
    pub host: String,
    /// Kind of source.
    pub kind: String,
    /// Events.
    pub events: u64,
    /// The first and the last of them, UTC milliseconds.
    pub span_ms: (i64, i64),
}

impl HeldBack {
    /// Events of all sources.
    pub fn events(&self) -> u64 {
        self.sources.iter().map(|source| source.events).sum()
    }
}

impl Store {
    /// Removes days that are older than the retention, and what is known of logs that have nothing but such days and
    /// that nobody has seen for as long, at least for a month: their positions would be kept for ever. Returns how many
    /// segments and how many logs.
    pub fn forget_old(&self, retention: &Retention) -> Result<(u64, u64), Error> {
        let segments = self.expire(retention)?;
        let connection = self.connection();
        // By the horizon as well: a wrong clock forgets no position.
        let Some(horizon) = stored(&connection)? else {
            return Ok((segments, 0));
        };
        let before = horizon.at_ms - i64::from(retention.days.max(LOG_DAYS)) * DAY_MS;
        let mut old = connection.prepare(
            "SELECT id, path, EXISTS (
                 SELECT 1 FROM log AS newer WHERE newer.source = log.source AND newer.path = log.path AND newer.id > log.id)
             FROM log WHERE read_ms < ?1 AND last_ms < ?1",
        )?;
        let old: Vec<(i64, Vec<u8>, bool)> = old
            .query_map([before], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let mut logs = 0;
        for (id, path, replaced) in old {
            // What lies there still would be read again, unless the file holds another log by now.
            if replaced || !std::path::Path::new(std::ffi::OsStr::from_bytes(&path)).exists() {
                logs += super::ordinals::forget(&connection, id)?;
            }
        }
        Ok((segments, logs))
    }

    /// Removes what has become older than the retention since the last time. Returns how many segments.
    pub(super) fn expire(&self, retention: &Retention) -> Result<u64, Error> {
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        let Some(Advance { horizon, expired, .. }) = look(&transaction, retention)? else {
            return Ok(0);
        };
        let old: Vec<i64> = transaction
            .prepare("SELECT id FROM segment WHERE day >= ?1 AND day < ?2")?
            .query_map([expired.start, expired.end], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for id in &old {
            transaction.execute("DELETE FROM orphan WHERE segment = ?1", [id])?;
            transaction.execute("DELETE FROM segment WHERE id = ?1", [id])?;
        }
        let (from_ms, to_ms) = (expired.start.saturating_mul(DAY_MS), expired.end * DAY_MS);
        // A heartbeat alone is no archive.
        transaction.execute(
            "DELETE FROM source_minute WHERE minute < ?2 AND (minute >= ?1 OR lines = 0)",
            [from_ms.div_euclid(60_000), to_ms / 60_000],
        )?;
        transaction.execute(
            "DELETE FROM open_message WHERE last_ms >= ?1 AND last_ms < ?2",
            [from_ms, to_ms],
        )?;
        transaction.execute(
            "DELETE FROM missing WHERE day >= ?1 AND day < ?2",
            [expired.start, expired.end],
        )?;
        put(&transaction, &horizon)?;
        transaction.commit()?;
        drop(connection);
        self.remove_segments(&old);
        Ok(old.len() as u64)
    }

    /// What is older than the retention and stays all the same, until [`Retention::force`].
    pub fn held_back(&self, retention: &Retention) -> Result<HeldBack, Error> {
        let connection = self.connection();
        let (Some(target_ms), Some(next)) = (target(&connection, retention)?, look(&connection, retention)?) else {
            return Ok(HeldBack::default());
        };
        let mut statement = connection.prepare(
            "SELECT host, kind, sum(rows), min(first_ms), max(last_ms) FROM segment JOIN source ON source.id = source
             WHERE day < ?1 AND NOT (day >= ?2 AND day < ?3) GROUP BY source ORDER BY host, kind",
        )?;
        let limit = limit_day(target_ms, retention.days);
        let sources = statement.query_map([limit, next.expired.start, next.expired.end], |row| {
            Ok(HeldSource {
                host: row.get(0)?,
                kind: row.get(1)?,
                events: row.get::<_, i64>(2)? as u64,
                span_ms: (row.get(3)?, row.get(4)?),
            })
        })?;
        Ok(HeldBack {
            sources: sources.collect::<Result<_, _>>()?,
            step_ms: next.held_ms,
            horizon_ms: next.horizon.at_ms,
        })
    }

    /// The moment that retention counts from, UTC milliseconds: the present is not before it, whatever a clock says.
    pub fn horizon_ms(&self) -> Result<Option<i64>, Error> {
        Ok(stored(&self.connection())?.map(|horizon| horizon.at_ms))
    }
}

/// What a look at the time says; None while there is no event that could be believed.
fn look(connection: &Connection, retention: &Retention) -> Result<Option<Advance>, Error> {
    let Some(target_ms) = target(connection, retention)? else {
        return Ok(None);
    };
    let old = stored(connection)?;
    Ok(Some(match retention.force {
        true => force(old, target_ms, retention.days, &retention.machine),
        false => advance(old, target_ms, retention.days, &retention.machine),
    }))
}

/// The smaller of the clock and the newest event that is not in the future.
fn target(connection: &Connection, retention: &Retention) -> Result<Option<i64>, Error> {
    let wall_ms = retention.machine.wall_ms;
    let newest: Option<i64> = connection.query_row(
        "SELECT max(last_ms) FROM segment WHERE last_ms <= ?1",
        [wall_ms.saturating_add(DAY_MS)],
        |row| row.get(0),
    )?;
    Ok(newest.map(|newest| newest.min(wall_ms)))
}

/// Names of the horizon's parts in the table `state`.
const NAMES: [&str; 5] = [
    "horizon_ms",
    "horizon_done_day",
    "horizon_boot",
    "horizon_uptime_ms",
    "horizon_credit_ms",
];

fn stored(connection: &Connection) -> Result<Option<Horizon>, Error> {
    let mut find = connection.prepare_cached("SELECT value FROM state WHERE name = ?1")?;
    let mut values = [0; NAMES.len()];
    for (name, value) in NAMES.iter().zip(&mut values) {
        let Some(found) = find.query_row([name], |row| row.get(0)).optional()? else {
            return Ok(None);
        };
        *value = found;
    }
    let [at_ms, done_day, boot, uptime_ms, credit_ms] = values;
    Ok(Some(Horizon {
        at_ms,
        done_day,
        boot,
        uptime_ms,
        credit_ms,
    }))
}

fn put(transaction: &Transaction<'_>, horizon: &Horizon) -> Result<(), Error> {
    let Horizon {
        at_ms,
        done_day,
        boot,
        uptime_ms,
        credit_ms,
    } = *horizon;
    for (name, value) in NAMES.iter().zip([at_ms, done_day, boot, uptime_ms, credit_ms]) {
        transaction.execute(
            "INSERT INTO state VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
            params![name, value],
        )?;
    }
    Ok(())
}
