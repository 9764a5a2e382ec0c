//! Up to when a history can be judged: a minute is over when every source that is alive has come past it.

use crate::model::time::{MINUTE_MS, Minute, UtcMs};
use crate::query::Window;
use crate::query::history::MailHistory;
use anyhow::Result;
use std::collections::HashMap;

/// A minute is judged when the store holds events so much newer than its end.
const SETTLES_MS: i64 = 15_000;
/// A source is alive while a tail has said within so long that it had read all there was.
const ALIVE_MS: i64 = 10 * MINUTE_MS;
/// The slowest source is waited for so long at most: a host that does not come would keep all others from being judged.
const BEHIND_MS: i64 = 3 * MINUTE_MS;

/// The moment up to which all has come; `next` is the first minute that was not judged. None where nothing
/// is new.
pub(super) fn until(store: &dyn MailHistory, next: Option<Minute>, now: UtcMs) -> Result<Option<UtcMs>> {
    let since_ms = next.map_or(UtcMs::MIN, |next| next.start());
    let newest = match next {
        // Nothing but events says that there is a history.
        None => match store.span(now)? {
            Some((_, newest)) => Some(newest),
            None => return Ok(None),
        },
        Some(_) => store.newest(Window {
            since_ms,
            until_ms: now.saturating_add(1),
        })?,
    };
    // A line that is no event says as well as one that its minute has come.
    let newest = newest.max(store.line_ms(since_ms, now)?);
    // A tail that finds nothing more ends a minute as well as an event of the next one does.
    let fastest = newest
        .map(|newest| newest - SETTLES_MS)
        .max(store.heartbeat_ms(since_ms, now)?);
    let Some(fastest) = fastest else { return Ok(None) };
    let slowest = slowest(store, fastest, now)?.unwrap_or(fastest);
    Ok(Some(fastest.min(slowest.max(fastest - BEHIND_MS))))
}

/// How far the source has come that is the furthest behind, of those that a tail follows.
fn slowest(store: &dyn MailHistory, fastest: UtcMs, now: UtcMs) -> Result<Option<UtcMs>> {
    let recent = Window {
        since_ms: fastest - ALIVE_MS,
        until_ms: now.saturating_add(1),
    };
    let mut sources: HashMap<(String, String), (bool, UtcMs)> = HashMap::new();
    for minute in store.source_minutes(recent)? {
        let is_beat = minute.heartbeats > 0;
        if !is_beat && minute.counts.lines == 0 {
            continue;
        }
        let source = sources.entry((minute.host, minute.kind)).or_insert((false, UtcMs::MIN));
        *source = (source.0 || is_beat, source.1.max(minute.ts_ms));
    }
    let alive = sources.into_values().filter(|(beats, _)| *beats);
    Ok(alive.map(|(_, last)| last).min())
}
