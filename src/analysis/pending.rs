//! PendingMail that is neither here nor there: in a queue, or tried again by its application.

use crate::detect::fleet::{Id, Names};
use crate::model::time::MINUTE_MS;
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window};
use crate::store::columnar::{Table, Values};
use std::collections::{BTreeMap, HashMap};

/// After this much longer than it took to try the last time, a mail is tried no more; and after this long at least.
const PATIENCE: i64 = 2;
const PATIENCE_MS: (i64, i64) = (15 * MINUTE_MS, 1440 * MINUTE_MS);

/// Mails by service, exactly, by their queue IDs.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    /// An MTA took them or put them off in the window, and got rid of them only after it.
    pub late: BTreeMap<Id, u64>,
    /// An MTA took them in the window, and still has them.
    pub held: BTreeMap<Id, u64>,
}

/// A mail in its queue.
struct PendingMail<'t> {
    service: &'t str,
    /// It was taken in the window, not only put off.
    taken: bool,
    /// A copy was delivered, and none put off since.
    gone: bool,
}

/// What became by `until_ms` of the mails that were in a queue in a window.
pub fn queued(store: &dyn MailHistory, window: Window, until_ms: i64, names: &Names) -> Result<QueuedMail, QueryError> {
    let text = "SELECT ts_ms, service, host, queue_id, kind FROM events WHERE kind = 'accepted' OR kind = 'deferred' \
                OR kind = 'frozen' OR kind = 'delivered' OR kind = 'bounced' OR kind = 'expired' OR kind = 'completed' \
                OR kind = 'discarded' OR kind = 'suppressed'";
    let wide = Window {
        since_ms: window.since_ms,
        until_ms: until_ms.max(window.until_ms),
    };
    let table = store.select(text, wide)?;
    let mut all = rows(&table);
    // Of one millisecond the arrival comes first, and the end last.
    all.sort_by_key(|(ts_ms, [_, _, _, kind])| (*ts_ms, *kind == "completed", *kind));
    let mut waiting: HashMap<(&str, &str), PendingMail<'_>> = HashMap::new();
    let (mut late, mut held) = (HashMap::<&str, u64>::new(), HashMap::<&str, u64>::new());
    for (ts_ms, [service, host, queue_id, kind]) in all {
        match kind {
            "accepted" | "deferred" | "frozen" if ts_ms < window.until_ms => {
                let taken = kind == "accepted";
                let mail = waiting.entry((host, queue_id)).or_insert(PendingMail {
                    service,
                    taken,
                    gone: false,
                });
                (mail.taken, mail.gone) = (mail.taken || taken, false);
            }
            // A bounce of one recipient is followed by the end of the message.
            "accepted" | "deferred" | "frozen" | "bounced" => {}
            "delivered" => {
                let Some(mail) = waiting.get_mut(&(host, queue_id)) else {
                    continue;
                };
                if !std::mem::replace(&mut mail.gone, true) && ts_ms >= window.until_ms {
                    *late.entry(mail.service).or_default() += 1;
                }
            }
            _ => {
                waiting.remove(&(host, queue_id));
            }
        }
    }
    for mail in waiting.values().filter(|mail| mail.taken && !mail.gone) {
        *held.entry(mail.service).or_default() += 1;
    }
    Ok(QueuedMail {
        late: by_id(&late, names),
        held: by_id(&held, names),
    })
}

/// What an application's log tells of one mail.
#[derive(Debug, Clone, Copy)]
struct Tries {
    last_ms: i64,
    tries: u32,
    gap_ms: i64,
}

/// By service: mails that could not be handed in in a window, and that their application still tries at its end: the last
/// attempt is no longer ago than another one takes.
pub fn tried(store: &dyn MailHistory, window: Window, names: &Names) -> Result<BTreeMap<Id, u64>, QueryError> {
    let text =
        "SELECT ts_ms, service, host, queue_id, kind FROM events WHERE kind = 'submit_failed' OR kind = 'submitted'";
    let table = store.select(text, window)?;
    let mut all = rows(&table);
    all.sort_by_key(|(ts_ms, [_, _, _, kind])| (*ts_ms, *kind));
    let mut open: HashMap<(&str, &str, &str), Tries> = HashMap::new();
    // A service's longest time between two attempts: so long after a first one a mail may still be tried again.
    let mut gaps: HashMap<&str, i64> = HashMap::new();
    for (ts_ms, [service, host, queue_id, kind]) in all {
        let key = (service, host, queue_id);
        if queue_id.is_empty() {
            continue;
        }
        if kind == "submitted" {
            open.remove(&key);
            continue;
        }
        let mail = open.entry(key).or_insert(Tries {
            last_ms: ts_ms,
            tries: 0,
            gap_ms: 0,
        });
        mail.gap_ms = ts_ms - mail.last_ms;
        mail.last_ms = ts_ms;
        mail.tries += 1;
        if mail.tries > 1 {
            let longest = gaps.entry(service).or_default();
            *longest = (*longest).max(mail.gap_ms);
        }
    }
    let mut tried = HashMap::<&str, u64>::new();
    for ((service, ..), mail) in &open {
        let Some(longest) = gaps.get(service) else { continue };
        let gap_ms = if mail.tries > 1 { mail.gap_ms } else { *longest };
        let patience_ms = (PATIENCE * gap_ms).clamp(PATIENCE_MS.0, PATIENCE_MS.1);
        if window.until_ms - mail.last_ms <= patience_ms {
            *tried.entry(service).or_default() += 1;
        }
    }
    Ok(by_id(&tried, names))
}

/// Hosts by service on which an application's own log tells of its mail.
pub fn tellers(store: &dyn MailHistory, window: Window, names: &Names) -> Result<BTreeMap<Id, Vec<Id>>, QueryError> {
    let text = "SELECT MIN(ts_ms) AS first, service, host FROM events WHERE kind = 'submit_failed' OR kind = 'submitted' \
                GROUP BY service, host";
    let table = store.select(text, window)?;
    let mut hosts: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
    for (_, [service, host]) in rows(&table) {
        let host = names.hosts.iter().position(|name| name == host);
        if let (Some(service), Some(host)) = (id(service, names), host) {
            hosts.entry(service).or_default().push(host as Id);
        }
    }
    Ok(hosts)
}

fn id(service: &str, names: &Names) -> Option<Id> {
    let at = names.services.iter().position(|name| name == service)?;
    Some(at as Id)
}

/// Counts of services' names as those of services.
fn by_id(counts: &HashMap<&str, u64>, names: &Names) -> BTreeMap<Id, u64> {
    let known = counts
        .iter()
        .filter_map(|(service, count)| Some((id(service, names)?, *count)));
    known.collect()
}

/// Rows of a time and texts; what has no time is left out, and no text is an empty one.
fn rows<const N: usize>(table: &Table) -> Vec<(i64, [&str; N])> {
    let Some((times, texts)) = table.columns.split_first() else {
        return Vec::new();
    };
    let Values::Int(times) = &times.values else {
        return Vec::new();
    };
    let text = |column: usize, row: usize| match texts.get(column).map(|column| &column.values) {
        Some(Values::Text(texts)) => texts[row].as_deref().unwrap_or_default(),
        _ => "",
    };
    let row = |(row, time): (usize, &Option<i64>)| Some(((*time)?, std::array::from_fn(|column| text(column, row))));
    times.iter().enumerate().filter_map(row).collect()
}
