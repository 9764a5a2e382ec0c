//! Where time ends for a store, and the history up to there.
//!
//! Time has one *end*: the clock, or the minute after the newest event where that is over a day old. A row with a date that is
//! yet to come is not part of any answer.

use super::fleet::fleet;
use crate::detect::engine::{Engine, Options};
use crate::detect::fleet::Fleet;
use crate::model::time::{AHEAD_MS, DAY_MS, End, MINUTE_MS};
use crate::query::Window;
use crate::query::history::{MailHistory, present};
use anyhow::{Result, anyhow};

/// Everything that has happened: the whole history, up to the present.
pub fn so_far(store: &dyn MailHistory, now_ms: i64) -> Result<Window> {
    Ok(Window {
        until_ms: present(store, now_ms)?.saturating_add(1),
        ..Window::ALL
    })
}

/// The history as the detection sees it, up to a moment.
pub fn fleet_until(store: &dyn MailHistory, until_ms: i64, now_ms: i64) -> Result<Fleet> {
    let so_far = so_far(store, now_ms)?;
    let until_ms = until_ms.min(so_far.until_ms);
    Ok(fleet(store, Window { until_ms, ..so_far })?)
}

/// First and last event that have happened; `None` of an empty store.
pub fn span(store: &dyn MailHistory, now_ms: i64) -> Result<Option<(i64, i64)>> {
    Ok(store.span(present(store, now_ms)?.saturating_add(AHEAD_MS))?)
}

/// Where time ends for a store whose newest event is `newest`.
pub fn end(newest: Option<i64>, now_ms: i64) -> End {
    let at_ms = match newest {
        Some(newest) if newest < now_ms - DAY_MS => (newest / MINUTE_MS + 1) * MINUTE_MS,
        _ => now_ms,
    };
    End { now_ms, at_ms }
}

/// Where time ends for this store: what relative times count from.
pub fn end_of(store: &dyn MailHistory, now_ms: i64) -> Result<End> {
    Ok(end(span(store, now_ms)?.map(|(_, last)| last), now_ms))
}

/// All that is stored.
///
/// # Errors
/// The store is empty, or cannot be read.
pub fn whole(store: &dyn MailHistory) -> Result<Window> {
    let (first, last) = store
        .span(i64::MAX)?
        .ok_or_else(|| anyhow!("the store is empty: `mailpulse backfill` fills it"))?;
    Ok(Window {
        since_ms: first,
        until_ms: last + 1,
    })
}

/// Replays the detection over the history up to a moment.
pub fn replay(store: &dyn MailHistory, options: Options, until_ms: i64, now_ms: i64) -> Result<(Engine, Fleet)> {
    let fleet = fleet_until(store, until_ms, now_ms)?;
    let engine = Engine::replay(&fleet, options);
    Ok((engine, fleet))
}
