//! One mail's story: what all logs say of it, over all hosts and hops.
//!
//! It is found by its queue ID, its Message-ID, or an address. What an MTA calls by one queue ID is a stay in one queue;
//! stays whose arrivals have the same Message-ID are one mail. Local parts of addresses are compared as they are stored.

mod question;
mod story;

pub use question::TraceQuestion;
pub use story::{TraceEvent, TracedMail};

use crate::model::time::{DAY_MS, HOUR_MS};
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window, quoted};
use crate::store::columnar::{LookupKey, Table, Values};
use std::collections::{BTreeMap, BTreeSet};

/// The most rows that an ID or address is looked up by, the newest first.
const FOUND_MAX: usize = 1_000;

/// The most stays in queues that are followed.
const STAYS_MAX: usize = 200;

/// Hops of a mail: more are a loop.
const HOPS_MAX: usize = 16;

/// How long before a row of it a mail may have come, and how long after one it may stay: MTAs give up after days, what is
/// frozen stays for weeks.
const BEFORE_MS: i64 = 7 * DAY_MS;
const AFTER_MS: i64 = 35 * DAY_MS;

/// What was found.
#[derive(Debug, Default)]
pub struct Trace {
    /// The mails, the oldest first.
    pub mails: Vec<TracedMail>,
    /// Whether there are more, which are older.
    pub is_cut: bool,
    /// From when to when the store has events, within the window, UTC milliseconds; none without any.
    pub searched: Option<(i64, i64)>,
}

/// Follows the newest `mails_max` mails that a question means and that have a row in `window`.
///
/// # Errors
/// The store cannot be read.
pub fn trace(
    store: &dyn MailHistory,
    question: &TraceQuestion,
    window: Window,
    mails_max: usize,
) -> Result<Trace, QueryError> {
    let Some((first, last)) = store.span(window.until_ms.saturating_sub(1))? else {
        return Ok(Trace::default());
    };
    let searched = (window.since_ms.max(first), last);
    let found = look_up(store, question, window)?;
    let mut is_cut = found.len() == FOUND_MAX;
    let rows = follow(store, &found)?;
    let mut mails = story::mails(rows);
    let is_meant = |mail: &TracedMail| mail.events.iter().any(|event| found.contains(event));
    mails.retain(is_meant);
    let older = mails.len().saturating_sub(mails_max);
    is_cut |= older > 0;
    mails.drain(..older);
    Ok(Trace {
        mails,
        is_cut,
        searched: Some(searched),
    })
}

/// The newest rows that an ID or address means.
fn look_up(
    store: &dyn MailHistory,
    question: &TraceQuestion,
    window: Window,
) -> Result<BTreeSet<TraceEvent>, QueryError> {
    // An ID that holds its time says where its arrival is: what comes after it is followed from there.
    if let Some(arrived_ms) = question.arrived_ms {
        let near = Window {
            since_ms: window.since_ms.max(arrived_ms - HOUR_MS),
            until_ms: window.until_ms.min(arrived_ms + HOUR_MS),
        };
        if near.since_ms < near.until_ms {
            let rows = newest(store, question, near)?;
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
    }
    newest(store, question, window)
}

fn newest(
    store: &dyn MailHistory,
    question: &TraceQuestion,
    window: Window,
) -> Result<BTreeSet<TraceEvent>, QueryError> {
    let order = format!("ORDER BY ts_ms DESC LIMIT {FOUND_MAX}");
    let mut rows = BTreeSet::new();
    for (condition, keys) in question.conditions() {
        rows.extend(select(store, (&condition, &keys), &order, window)?);
    }
    // Of several answers the newest rows.
    while rows.len() > FOUND_MAX {
        rows.pop_first();
    }
    Ok(rows)
}

/// Host and queue ID of stays in a queue.
type StayId = (String, String);

/// All rows of the stays that some rows name, and of the mail's other hops.
fn follow(store: &dyn MailHistory, found: &BTreeSet<TraceEvent>) -> Result<BTreeSet<TraceEvent>, QueryError> {
    let mut rows = found.clone();
    let (mut stays, mut keys) = (BTreeSet::<StayId>::new(), BTreeSet::<i64>::new());
    for _ in 0..HOPS_MAX {
        let room = STAYS_MAX.saturating_sub(stays.len());
        let news: BTreeSet<StayId> = rows
            .iter()
            .rev()
            .filter(|row| !row.queue_id.is_empty())
            .map(|row| (row.host.clone(), row.queue_id.clone()))
            .filter(|stay| !stays.contains(stay))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .take(room)
            .collect();
        rows.extend(rows_of(store, &news, &rows)?);
        stays.extend(news);
        let new_keys: BTreeSet<i64> = rows
            .iter()
            .filter_map(|row| row.message_key)
            .filter(|key| !keys.contains(key))
            .take(STAYS_MAX)
            .collect();
        if new_keys.is_empty() {
            break;
        }
        let lookup_keys = new_keys.iter().filter_map(|key| u64::try_from(*key).ok());
        let lookup_keys: Vec<LookupKey> = lookup_keys.map(LookupKey::of_message).collect();
        let list: Vec<String> = new_keys.iter().map(i64::to_string).collect();
        let hops = select(
            store,
            (&format!("message_key IN ({})", list.join(", ")), &lookup_keys),
            &format!("ORDER BY ts_ms LIMIT {FOUND_MAX}"),
            around(&rows, DAY_MS, BEFORE_MS),
        )?;
        keys.extend(new_keys);
        rows.extend(hops);
    }
    Ok(rows)
}

/// Rows of some stays: those of a day, and where a mail was not gone by then, of all the time that it may have been there.
fn rows_of(
    store: &dyn MailHistory,
    stays: &BTreeSet<StayId>,
    known: &BTreeSet<TraceEvent>,
) -> Result<Vec<TraceEvent>, QueryError> {
    if stays.is_empty() {
        return Ok(Vec::new());
    }
    let is_of_them = |row: &TraceEvent| stays.contains(&(row.host.clone(), row.queue_id.clone()));
    let theirs: BTreeSet<TraceEvent> = known.iter().filter(|row| is_of_them(row)).cloned().collect();
    let ids: BTreeSet<&str> = stays.iter().map(|(_, id)| id.as_str()).collect();
    // One that has no key is in any segment.
    let keys = ids.iter().map(|id| LookupKey::of_queue_id(id.as_bytes()));
    let keys: Vec<LookupKey> = keys.collect::<Option<_>>().unwrap_or_default();
    let ids: Vec<String> = ids.into_iter().map(quoted).collect();
    let condition = format!("queue_id IN ({})", ids.join(", "));
    let mut rows = Vec::new();
    for (before_ms, after_ms) in [(HOUR_MS, DAY_MS), (BEFORE_MS, AFTER_MS)] {
        let window = around(&theirs, before_ms, after_ms);
        rows = select(
            store,
            (&condition, &keys),
            &format!("ORDER BY ts_ms LIMIT {}", 20 * FOUND_MAX),
            window,
        )?;
        rows.retain(is_of_them);
        if are_whole(stays, &rows) {
            break;
        }
    }
    Ok(rows)
}

/// Whether arrival and end of each stay are there.
fn are_whole(stays: &BTreeSet<StayId>, rows: &[TraceEvent]) -> bool {
    let mut seen: BTreeMap<(&str, &str), (bool, bool)> = BTreeMap::new();
    for row in rows {
        let stay = seen.entry((&row.host, &row.queue_id)).or_default();
        stay.0 |= row.is_arrival();
        stay.1 |= row.is_end();
    }
    seen.len() == stays.len() && seen.values().all(|(came, went)| *came && *went)
}

fn around(rows: &BTreeSet<TraceEvent>, before_ms: i64, after_ms: i64) -> Window {
    let times = || rows.iter().map(|row| row.ts_ms);
    Window {
        since_ms: times().min().unwrap_or(0).saturating_sub(before_ms),
        until_ms: times().max().unwrap_or(0).saturating_add(after_ms),
    }
}

/// Columns of a row, in the order of [`event`].
const COLUMNS: &str = "ts_ms, log_offset, host, source, kind, service, queue_id, message_key, client, sender, recipient, destination, \
                       remote_host, remote_ip, smtp_code, enhanced_code, reason, bytes, queue_ms, delivery_ms";

/// Rows that fulfill a condition; with keys, all of them have one of these.
fn select(
    store: &dyn MailHistory,
    (condition, keys): (&str, &[LookupKey]),
    order: &str,
    window: Window,
) -> Result<Vec<TraceEvent>, QueryError> {
    let text = format!("SELECT {COLUMNS} FROM events WHERE {condition} {order}");
    let table = match keys {
        [] => store.select(&text, window)?,
        keys => store.look_up(&text, window, keys)?,
    };
    Ok((0..table.rows()).map(|row| event(&table, row)).collect())
}

fn event(table: &Table, row: usize) -> TraceEvent {
    let mut columns = table.columns.iter().map(|column| &column.values);
    let mut text = || match columns.next() {
        Some(Values::Text(texts)) => texts[row].clone().unwrap_or_default(),
        Some(Values::Int(numbers)) => numbers[row].map(|number| number.to_string()).unwrap_or_default(),
        _ => String::new(),
    };
    let number = |text: String| text.parse::<i64>().ok();
    TraceEvent {
        ts_ms: number(text()).unwrap_or_default(),
        log_offset: number(text()).unwrap_or_default(),
        host: text(),
        source: text(),
        kind: text(),
        service: text(),
        queue_id: text(),
        message_key: number(text()),
        client: text(),
        sender: text(),
        recipient: text(),
        destination: text(),
        remote_host: text(),
        remote_ip: text(),
        smtp_code: number(text()),
        enhanced_code: text(),
        reason: text(),
        bytes: number(text()),
        queue_ms: number(text()),
        delivery_ms: number(text()),
    }
}
