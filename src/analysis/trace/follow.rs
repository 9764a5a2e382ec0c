//! All that the logs say of mails of which some rows are known: the rows of their stays in queues, and of the other hops.

use super::rows::{ROWS_MAX, select};
use super::story::TraceEvent;
use crate::model::queue_id::exim_time_ms;
use crate::model::time::{DAY_MS, HOUR_MS, UtcMs};
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window, quoted};
use crate::store::columnar::LookupKey;
use std::collections::{BTreeMap, BTreeSet};

/// The most stays in queues that are followed.
pub(super) const STAYS_MAX: usize = 1_000;

/// Hops of a mail: more are a loop.
const HOPS_MAX: usize = 16;

/// How long before a row of it a mail may have come, and how long after one it may stay: MTAs give up after days, what is
/// frozen stays for weeks. Most are gone within the day, which is read first.
const SPANS_MS: [(i64, i64); 3] = [(HOUR_MS, DAY_MS), (DAY_MS, 6 * DAY_MS), (7 * DAY_MS, 35 * DAY_MS)];

/// Times that lie closer are asked for at once.
const APART_MS: i64 = DAY_MS;

/// Host and queue ID of a stay in a queue.
type StayId = (String, String);

/// All rows of the stays that some rows name, and of the mail's other hops. The store's last event is at `last_ms`.
pub(super) fn follow(
    store: &dyn MailHistory,
    found: &BTreeSet<TraceEvent>,
    last_ms: UtcMs,
) -> Result<BTreeSet<TraceEvent>, QueryError> {
    let mut rows = found.clone();
    let (mut stays, mut keys) = (BTreeSet::<StayId>::new(), BTreeSet::<i64>::new());
    for _ in 0..HOPS_MAX {
        let room = STAYS_MAX.saturating_sub(stays.len());
        let mut news: BTreeMap<StayId, (UtcMs, UtcMs)> = BTreeMap::new();
        for row in rows.iter().rev().filter(|row| !row.queue_id.is_empty()) {
            let id = stay_of(row);
            if stays.contains(&id) || (news.len() >= room && !news.contains_key(&id)) {
                continue;
            }
            let span = news.entry(id).or_insert((row.ts_ms, row.ts_ms));
            *span = (span.0.min(row.ts_ms), span.1.max(row.ts_ms));
        }
        stays.extend(news.keys().cloned());
        rows_of(store, news, last_ms, &mut rows)?;
        let new_keys: BTreeMap<i64, UtcMs> = rows
            .iter()
            .filter_map(|row| Some((row.message_key?, row.ts_ms)))
            .filter(|(key, _)| !keys.contains(key))
            .collect();
        if new_keys.is_empty() {
            break;
        }
        keys.extend(new_keys.keys());
        for near in together(new_keys.into_iter().map(|(key, at)| (key, (at, at)))) {
            rows.extend(hops(store, &near)?);
        }
    }
    Ok(rows)
}

/// What belongs to times that lie close, and the span of these.
struct Near<T> {
    all: Vec<T>,
    span: (UtcMs, UtcMs),
}

impl<T> Near<T> {
    fn window(&self, before_ms: i64, after_ms: i64) -> Window {
        Window {
            since_ms: self.span.0.saturating_sub(before_ms),
            until_ms: self.span.1.saturating_add(after_ms),
        }
    }
}

/// What lies close in time together: mails of one address may be months apart.
fn together<T>(all: impl Iterator<Item = (T, (UtcMs, UtcMs))>) -> Vec<Near<T>> {
    let mut all: Vec<(T, (UtcMs, UtcMs))> = all.collect();
    all.sort_by_key(|(_, span)| *span);
    let mut groups: Vec<Near<T>> = Vec::new();
    for (one, span) in all {
        match groups.last_mut() {
            Some(near) if span.0 - near.span.1 <= APART_MS => {
                near.span.1 = near.span.1.max(span.1);
                near.all.push(one);
            }
            _ => groups.push(Near { all: vec![one], span }),
        }
    }
    groups
}

/// Arrivals with one of some Message-IDs.
fn hops(store: &dyn MailHistory, near: &Near<i64>) -> Result<Vec<TraceEvent>, QueryError> {
    let list: Vec<String> = near.all.iter().map(i64::to_string).collect();
    select(
        store,
        (&format!("message_key IN ({})", list.join(", ")), &[]),
        &format!("ORDER BY ts_ms LIMIT {}", 20 * ROWS_MAX),
        near.window(DAY_MS, 7 * DAY_MS),
    )
}

/// Adds the rows of some stays, of which the times of some rows are known: those of a day, and where a mail was not gone by then, of
/// more and more of the time that it may have been there.
fn rows_of(
    store: &dyn MailHistory,
    mut open: BTreeMap<StayId, (UtcMs, UtcMs)>,
    last_ms: UtcMs,
    rows: &mut BTreeSet<TraceEvent>,
) -> Result<(), QueryError> {
    // Nothing was read yet.
    let mut read = (0, 0);
    for (before_ms, after_ms) in SPANS_MS {
        let is_first = read == (0, 0);
        // An ID that holds its time says when it came.
        let since = |(id, span): (StayId, (UtcMs, UtcMs))| match exim_time_ms(id.1.as_bytes()) {
            Some(arrived_ms) => ((id, true), (arrived_ms.min(span.0), span.1)),
            None => ((id, false), span),
        };
        for near in together(open.clone().into_iter().map(since)) {
            let all = near.window(before_ms, after_ms);
            let known = near.window(read.0, read.1);
            let is_dated = near.all.iter().all(|(_, is_dated)| *is_dated);
            let near = Near {
                all: near.all.into_iter().map(|(id, _)| id).collect(),
                span: near.span,
            };
            if is_first {
                rows.extend(stay_rows(store, &near.all, all)?);
                continue;
            }
            let after = Window {
                since_ms: known.until_ms,
                until_ms: all.until_ms.min(last_ms.saturating_add(HOUR_MS)),
            };
            rows.extend(stay_rows(store, &near.all, after)?);
            if !is_dated {
                let before = Window {
                    since_ms: all.since_ms,
                    until_ms: known.since_ms,
                };
                rows.extend(stay_rows(store, &near.all, before)?);
            }
        }
        read = (before_ms, after_ms);
        let whole = whole(rows);
        open.retain(|id, _| !whole.contains(id));
        if open.is_empty() {
            break;
        }
    }
    Ok(())
}

fn stay_rows(store: &dyn MailHistory, stays: &[StayId], window: Window) -> Result<Vec<TraceEvent>, QueryError> {
    let wanted: BTreeSet<&StayId> = stays.iter().collect();
    let ids: BTreeSet<&str> = stays.iter().map(|(_, id)| id.as_str()).collect();
    // One that has no key is in any segment.
    let keys = ids.iter().map(|id| LookupKey::of_queue_id(id.as_bytes()));
    let keys: Vec<LookupKey> = keys.collect::<Option<_>>().unwrap_or_default();
    let ids: Vec<String> = ids.into_iter().map(quoted).collect();
    let mut rows = select(
        store,
        (&format!("queue_id IN ({})", ids.join(", ")), &keys),
        &format!("ORDER BY ts_ms LIMIT {}", 20 * ROWS_MAX),
        window,
    )?;
    rows.retain(|row| wanted.contains(&stay_of(row)));
    Ok(rows)
}

/// Stays of which arrival and end are there.
fn whole(rows: &BTreeSet<TraceEvent>) -> BTreeSet<StayId> {
    let mut seen: BTreeMap<StayId, (bool, bool)> = BTreeMap::new();
    for row in rows {
        let stay = seen.entry(stay_of(row)).or_default();
        stay.0 |= row.is_arrival();
        stay.1 |= row.is_end();
    }
    let whole = seen.into_iter().filter(|(_, (came, went))| *came && *went);
    whole.map(|(id, _)| id).collect()
}

fn stay_of(row: &TraceEvent) -> StayId {
    (row.host.clone(), row.queue_id.clone())
}
