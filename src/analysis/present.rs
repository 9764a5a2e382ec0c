//! Where time ends for a store, and the history up to there.
//!
//! Time has one *end*: the clock, or the minute after the newest event where that is over a day old. A row with a date that is
//! yet to come is not part of any answer.

use super::fleet::{Timeline, fleet};
use crate::detect::engine::{Engine, Options};
use crate::detect::fleet::{Fleet, Names};
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

/// The history as the detection sees it, up to a moment, a part at a time.
pub fn timeline_until(store: &dyn MailHistory, until_ms: i64, now_ms: i64) -> Result<Timeline<'_>> {
    let so_far = so_far(store, now_ms)?;
    let until_ms = until_ms.min(so_far.until_ms);
    Ok(Timeline::open(store, Window { until_ms, ..so_far }, &Names::default())?)
}

/// The detection after a replay.
#[derive(Debug)]
pub struct ReplayedHistory {
    /// What it knows.
    pub engine: Engine,
    /// Names of what it judged.
    pub names: Names,
    /// The first minute, and the one after the last.
    pub span: (i64, i64),
}

/// Replays the detection over the history up to a moment.
pub fn replay(store: &dyn MailHistory, options: Options, until_ms: i64, now_ms: i64) -> Result<ReplayedHistory> {
    let mut timeline = timeline_until(store, until_ms, now_ms)?;
    let mut engine = Engine::new(options);
    while let Some(minutes) = timeline.next_part()? {
        for minute in &minutes {
            engine.step(&timeline.names, minute);
        }
    }
    Ok(ReplayedHistory {
        engine,
        span: timeline.span(),
        names: timeline.names,
    })
}
