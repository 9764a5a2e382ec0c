//! PendingMail that is neither here nor there: in a queue, or tried again by its application.

use crate::detect::fleet::{Id, Names};
use crate::model::time::{DAY_MS, MINUTE_MS, UtcMs};
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window, steadily};
use crate::store::columnar::Table;
use std::collections::{BTreeMap, HashMap};

/// After this much longer than it took to try the last time, a mail is tried no more; and after this long at least.
const PATIENCE: i64 = 2;
const PATIENCE_MS: (i64, i64) = (15 * MINUTE_MS, 1440 * MINUTE_MS);

/// Mails by service, exactly, by their queue IDs.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct QueuedMail {
    /// An MTA took them or put them off in the window, and got rid of them only after it.
    pub late: BTreeMap<Id, u64>,
    /// An MTA took them in the window, and still has them.
    pub held: BTreeMap<Id, u64>,
}

/// A mail in its queue.
struct PendingMail {
    service: u32,
    /// It was taken in the window, not only put off.
    taken: bool,
    /// A copy was delivered, and none put off since.
    gone: bool,
}

/// What an MTA's log says of a mail. Of one millisecond the arrival comes first, and the end last.
const OF_QUEUES: [&str; 9] = [
    "accepted",
    "bounced",
    "deferred",
    "delivered",
    "discarded",
    "expired",
    "frozen",
    "suppressed",
    "completed",
];

/// What an application's log says of one, a failure first.
const OF_APPLICATIONS: [&str; 2] = ["submit_failed", "submitted"];

/// What became by `until_ms` of the mails that were in a queue in a window.
pub(crate) fn queued(
    store: &dyn MailHistory,
    window: Window,
    until_ms: UtcMs,
    names: &Names,
) -> Result<QueuedMail, QueryError> {
    let wide = Window {
        since_ms: window.since_ms,
        until_ms: until_ms.max(window.until_ms),
    };
    let mut waiting: HashMap<MailId, PendingMail> = HashMap::new();
    let (mut late, mut held) = (HashMap::<u32, u64>::new(), HashMap::<u32, u64>::new());
    let texts = in_order(store, &OF_QUEUES, wide, &mut |mail, kind| {
        let MailLine { ts_ms, service, id } = mail;
        match kind {
            "accepted" | "deferred" | "frozen" if ts_ms < window.until_ms => {
                let taken = kind == "accepted";
                let mail = waiting.entry(id).or_insert(PendingMail {
                    service,
                    taken,
                    gone: false,
                });
                (mail.taken, mail.gone) = (mail.taken || taken, false);
            }
            // A bounce of one recipient is followed by the end of the message.
            "accepted" | "deferred" | "frozen" | "bounced" => {}
            "delivered" => {
                let Some(mail) = waiting.get_mut(&id) else { return };
                if !std::mem::replace(&mut mail.gone, true) && ts_ms >= window.until_ms {
                    *late.entry(mail.service).or_default() += 1;
                }
            }
            _ => _ = waiting.remove(&id),
        }
    })?;
    for mail in waiting.values().filter(|mail| mail.taken && !mail.gone) {
        *held.entry(mail.service).or_default() += 1;
    }
    Ok(QueuedMail {
        late: by_id(&late, &texts, names),
        held: by_id(&held, &texts, names),
    })
}

/// What an application's log tells of one mail.
#[derive(Debug, Clone, Copy)]
struct Tries {
    last_ms: UtcMs,
    tries: u32,
    gap_ms: i64,
}

/// By service: mails that could not be handed in in a window, and that their application still tries at its end: the last
/// attempt is no longer ago than another one takes.
pub(crate) fn tried(store: &dyn MailHistory, window: Window, names: &Names) -> Result<BTreeMap<Id, u64>, QueryError> {
    let mut open: HashMap<(u32, MailId), Tries> = HashMap::new();
    // A service's longest time between two attempts: so long after a first one a mail may still be tried again.
    let mut gaps: HashMap<u32, i64> = HashMap::new();
    let texts = in_order(store, &OF_APPLICATIONS, window, &mut |mail, kind| {
        let MailLine { ts_ms, service, id } = mail;
        if id.queue_id.is_empty() {
            return;
        }
        let key = (service, id);
        if kind == "submitted" {
            open.remove(&key);
            return;
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
    })?;
    let mut tried = HashMap::<u32, u64>::new();
    for ((service, _), mail) in &open {
        let Some(longest) = gaps.get(service) else { continue };
        let gap_ms = if mail.tries > 1 { mail.gap_ms } else { *longest };
        let patience_ms = (PATIENCE * gap_ms).clamp(PATIENCE_MS.0, PATIENCE_MS.1);
        if window.until_ms - mail.last_ms <= patience_ms {
            *tried.entry(*service).or_default() += 1;
        }
    }
    Ok(by_id(&tried, &texts, names))
}

/// A mail on a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct MailId {
    host: u32,
    queue_id: Box<str>,
}

/// A line about a mail.
struct MailLine {
    ts_ms: UtcMs,
    /// Number of its service's name.
    service: u32,
    id: MailId,
}

/// Names by their numbers.
#[derive(Debug, Clone, Default)]
struct Texts {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Texts {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

/// The lines of a slice of time.
struct Slice {
    texts: Texts,
    /// Queue IDs, end to end.
    ids: String,
    lines: Vec<SliceLine>,
}

struct SliceLine {
    ts_ms: UtcMs,
    /// Place of its kind among those that are asked for.
    kind: u8,
    service: u32,
    host: u32,
    /// Where its queue ID begins and ends.
    queue_id: (u32, u32),
}

/// A slice is a day, as segments are: of less each segment would be read several times.
const SLICE_MS: i64 = DAY_MS;

/// Lines of some kinds, in the order of their times, those of one millisecond in the order of the kinds. Of a slice of time
/// they are in memory at once.
fn in_order(
    store: &dyn MailHistory,
    kinds: &[&str],
    window: Window,
    each: &mut dyn FnMut(MailLine, &str),
) -> Result<Texts, QueryError> {
    let mut texts = Texts::default();
    let Some((first, last)) = store.span(UtcMs::MAX)? else {
        return Ok(texts);
    };
    let end_ms = window.until_ms.min(last.saturating_add(1));
    let mut since_ms = window.since_ms.max(first);
    while since_ms < end_ms {
        let until_ms = (since_ms.floor_to(SLICE_MS) + SLICE_MS).min(end_ms);
        let mut slice = steadily(|| Slice::read(store, kinds, Window { since_ms, until_ms }, texts.clone()))?;
        let mut lines = std::mem::take(&mut slice.lines);
        lines.sort_by_key(|line| (line.ts_ms, line.kind));
        for line in lines {
            let id = MailId {
                host: line.host,
                queue_id: slice.queue_id(line.queue_id).into(),
            };
            let mail = MailLine {
                ts_ms: line.ts_ms,
                service: line.service,
                id,
            };
            each(mail, kinds[usize::from(line.kind)]);
        }
        texts = slice.texts;
        since_ms = until_ms;
    }
    Ok(texts)
}

impl Slice {
    fn read(store: &dyn MailHistory, kinds: &[&str], window: Window, texts: Texts) -> Result<Slice, QueryError> {
        let mut slice = Slice {
            texts,
            ids: String::new(),
            lines: Vec::new(),
        };
        store.mails(kinds, window, &mut |mail| {
            let Some(kind) = kinds.iter().position(|kind| *kind == mail.kind) else {
                return;
            };
            let start = slice.ids.len();
            slice.ids.push_str(mail.queue_id);
            slice.lines.push(SliceLine {
                ts_ms: mail.ts_ms,
                kind: kind as u8,
                service: slice.texts.number(mail.service),
                host: slice.texts.number(mail.host),
                queue_id: (start as u32, slice.ids.len() as u32),
            });
        })?;
        Ok(slice)
    }

    fn queue_id(&self, (start, end): (u32, u32)) -> &str {
        self.ids.get(start as usize..end as usize).unwrap_or_default()
    }
}

/// Hosts by service on which an application's own log tells of its mail.
pub(crate) fn tellers(
    store: &dyn MailHistory,
    window: Window,
    names: &Names,
) -> Result<BTreeMap<Id, Vec<Id>>, QueryError> {
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
fn by_id(counts: &HashMap<u32, u64>, texts: &Texts, names: &Names) -> BTreeMap<Id, u64> {
    let known = counts
        .iter()
        .filter_map(|(service, count)| Some((id(&texts.names[*service as usize], names)?, *count)));
    known.collect()
}

/// Rows of a time and texts; what has no time is left out, and no text is an empty one.
fn rows<const N: usize>(table: &Table) -> Vec<(i64, [&str; N])> {
    let row = |row| {
        Some((
            table.number(0, row)?,
            std::array::from_fn(|column| table.text(column + 1, row)),
        ))
    };
    (0..table.rows()).filter_map(row).collect()
}
