//! What has become older than the retention is removed.

use super::horizon::{Advance, Horizon, MachineTime, advance, force, limit_day};
use crate::model::time::{CivilDay, DAY_MS, UtcMs};
use crate::store::catalogue::{self, CatalogueError, Connection, numbers};
use crate::store::error::StoreError;
use crate::store::handle::Store;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

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
    /// The moment that retention counts from.
    pub horizon_ms: UtcMs,
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
    /// The first and the last of them.
    pub span_ms: (UtcMs, UtcMs),
}

impl HeldBack {
    /// Events of all sources.
    pub fn events(&self) -> u64 {
        self.sources.iter().map(|source| source.events).sum()
    }
}

/// Removes days that are older than the retention, and what is known of logs that have nothing but such days and
/// that nobody has seen for as long, at least for a month: their positions would be kept for ever. Returns how many
/// segments and how many logs.
pub fn forget_old(store: &Store, retention: &Retention) -> Result<(u64, u64), StoreError> {
    let segments = expire(store, retention)?;
    let connection = store.catalogue().connection();
    // By the horizon as well: a wrong clock forgets no position.
    let Some(horizon) = stored(&connection)? else {
        return Ok((segments, 0));
    };
    let before = horizon.at_ms - i64::from(retention.days.max(LOG_DAYS)) * DAY_MS;
    let old = catalogue::logs_before(&connection, before)?;
    let mut logs = 0;
    for (id, path, replaced) in old {
        // What lies there still would be read again, unless the file holds another log by now.
        if replaced || !Path::new(OsStr::from_bytes(&path)).exists() {
            logs += catalogue::forget_log(&connection, id)?;
        }
    }
    Ok((segments, logs))
}

/// Removes what has become older than the retention since the last time. Returns how many segments.
pub fn expire(store: &Store, retention: &Retention) -> Result<u64, StoreError> {
    let mut connection = store.catalogue().connection();
    let transaction = connection.begin()?;
    let Some(Advance { horizon, expired, .. }) = look(&transaction, retention)? else {
        return Ok(0);
    };
    let old = catalogue::segments_of_days(&transaction, &expired)?;
    for id in &old {
        catalogue::remove_segment(&transaction, *id)?;
    }
    let (from, to) = (expired.start.start(), expired.end.start());
    catalogue::expire_minutes(&transaction, from.minute(), to.minute())?;
    catalogue::expire_open_messages(&transaction, from, to)?;
    catalogue::expire_missing(&transaction, &expired)?;
    put(&transaction, &horizon)?;
    transaction.commit()?;
    drop(connection);
    store.files().retire(&old);
    Ok(old.len() as u64)
}

/// What is older than the retention and stays all the same, until [`Retention::force`].
pub fn held_back(store: &Store, retention: &Retention) -> Result<HeldBack, StoreError> {
    let connection = store.catalogue().connection();
    let (Some(target_ms), Some(next)) = (target(&connection, retention)?, look(&connection, retention)?) else {
        return Ok(HeldBack::default());
    };
    let limit = limit_day(target_ms, retention.days);
    let sources = catalogue::rows_before(&connection, limit, &next.expired)?;
    let held = |(host, kind, events, span_ms)| HeldSource {
        host,
        kind,
        events,
        span_ms,
    };
    Ok(HeldBack {
        sources: sources.into_iter().map(held).collect(),
        step_ms: next.held_ms,
        horizon_ms: next.horizon.at_ms,
    })
}

/// The moment that retention counts from: the present is not before it, whatever a clock says.
pub fn horizon_ms(store: &Store) -> Result<Option<UtcMs>, StoreError> {
    Ok(stored(&store.catalogue().connection())?.map(|horizon| horizon.at_ms))
}

/// What a look at the time says; None while there is no event that could be believed.
fn look(connection: &Connection, retention: &Retention) -> Result<Option<Advance>, StoreError> {
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
fn target(connection: &Connection, retention: &Retention) -> Result<Option<UtcMs>, CatalogueError> {
    let wall_ms = retention.machine.wall_ms;
    let newest = catalogue::newest_until(connection, wall_ms.saturating_add(DAY_MS))?;
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

fn stored(connection: &Connection) -> Result<Option<Horizon>, CatalogueError> {
    let mut values = [0; NAMES.len()];
    for (name, value) in NAMES.iter().zip(&mut values) {
        let Some(found) = numbers::find(connection, name)? else {
            return Ok(None);
        };
        *value = found;
    }
    let [at_ms, done_day, boot, uptime_ms, credit_ms] = values;
    Ok(Some(Horizon {
        at_ms: UtcMs::new(at_ms),
        done_day: CivilDay::new(done_day),
        boot,
        uptime_ms,
        credit_ms,
    }))
}

fn put(connection: &Connection, horizon: &Horizon) -> Result<(), CatalogueError> {
    let Horizon {
        at_ms,
        done_day,
        boot,
        uptime_ms,
        credit_ms,
    } = *horizon;
    for (name, value) in NAMES
        .iter()
        .zip([at_ms.get(), done_day.get(), boot, uptime_ms, credit_ms])
    {
        numbers::put(connection, name, value)?;
    }
    Ok(())
}
