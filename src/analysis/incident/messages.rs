//! The messages of an incident that nobody will deliver any more: those to send again.

use super::Incident;
use super::report::escaped;
use crate::model::time::{UtcMs, rfc3339};
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window, quoted};
use crate::store::columnar::{LookupKey, Table, Values};
use std::collections::BTreeSet;

/// A message, or one of its recipients, that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LostMessage {
    /// When, UTC milliseconds.
    pub ts_ms: UtcMs,
    /// Host whose log says so.
    pub host: String,
    /// Queue ID; of what was never handed in, the application's own ID.
    pub queue_id: String,
    pub service: String,
    /// What became of it: `bounced`, `expired`, `discarded`, or `submit_failed`.
    pub kind: String,
    /// Sender, as it is stored.
    pub sender: String,
    /// Recipient, as it is stored.
    pub recipient: String,
    /// Reply code.
    pub smtp_code: Option<i64>,
    pub reason: String,
}

/// Messages that were given up.
#[derive(Debug, Default)]
pub(crate) struct LostMessages {
    /// The first ones, by time.
    pub all: Vec<LostMessage>,
    /// There are more.
    pub is_cut: bool,
}

const COLUMNS: &str = "ts_ms, host, queue_id, service, kind, sender, recipient, smtp_code, reason";
/// Ours to send again: mail of the world is its senders'.
const GIVEN_UP: &str =
    "kind IN ('bounced', 'expired', 'discarded', 'submit_failed') AND queue_id <> '' AND origin <> 'outside'";

/// The first messages that were given up from the incident's beginning to the end of its recovery.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn lost_messages(
    store: &dyn MailHistory,
    incident: &Incident,
    messages_max: usize,
) -> Result<LostMessages, QueryError> {
    let (from, until) = incident.judged.span;
    let window = Window {
        since_ms: from.start(),
        until_ms: until.start(),
    };
    // A failure that is followed by a success is not looked for beyond what is shown: one more tells that there are others.
    let text = format!(
        "SELECT {COLUMNS} FROM events WHERE {GIVEN_UP} ORDER BY ts_ms, host, queue_id, recipient LIMIT {}",
        messages_max + 1
    );
    let mut all = rows(&store.select(&text, window)?);
    let is_cut = all.len() > messages_max;
    all.truncate(messages_max);
    let handed_in = handed_in(store, &all, window)?;
    all.retain(|one| one.kind != "submit_failed" || !handed_in.contains(&(one.host.clone(), one.queue_id.clone())));
    // An application tries a mail many times.
    let mut seen = BTreeSet::new();
    all.retain(|one| {
        one.kind != "submit_failed" || seen.insert((one.host.clone(), one.queue_id.clone(), one.recipient.clone()))
    });
    Ok(LostMessages { all, is_cut })
}

/// Host and ID of mails that an application could hand in at last.
fn handed_in(
    store: &dyn MailHistory,
    all: &[LostMessage],
    window: Window,
) -> Result<BTreeSet<(String, String)>, QueryError> {
    let failed = all.iter().filter(|one| one.kind == "submit_failed");
    let ids: BTreeSet<&str> = failed.map(|one| one.queue_id.as_str()).collect();
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let keys = ids.iter().map(|id| LookupKey::of_queue_id(id.as_bytes()));
    let keys: Option<Vec<LookupKey>> = keys.collect();
    let ids: Vec<String> = ids.into_iter().map(quoted).collect();
    let text = format!(
        "SELECT {COLUMNS} FROM events WHERE kind = 'submitted' AND queue_id IN ({})",
        ids.join(", ")
    );
    let found = match keys {
        Some(keys) => store.look_up(&text, window, &keys)?,
        None => store.select(&text, window)?,
    };
    Ok(rows(&found).into_iter().map(|one| (one.host, one.queue_id)).collect())
}

fn rows(table: &Table) -> Vec<LostMessage> {
    let row = |row: usize| {
        let mut columns = table.columns.iter().map(|column| &column.values);
        let mut text = || match columns.next() {
            Some(Values::Text(texts)) => texts[row].clone().unwrap_or_default(),
            Some(Values::Int(numbers)) => numbers[row].map(|number| number.to_string()).unwrap_or_default(),
            _ => String::new(),
        };
        LostMessage {
            ts_ms: text().parse().map(UtcMs::new).unwrap_or_default(),
            host: text(),
            queue_id: text(),
            service: text(),
            kind: text(),
            sender: text(),
            recipient: text(),
            smtp_code: text().parse().ok(),
            reason: text(),
        }
    };
    (0..table.rows()).map(row).collect()
}

/// A table in Markdown.
pub(crate) fn markdown(all: &[LostMessage]) -> String {
    let mut page = "| ts | host | queue ID | service | kind | sender | recipient | reply |\n\
                    |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for one in all {
        let code = one.smtp_code.map(|code| code.to_string()).unwrap_or_default();
        let reply = format!("{code} {}", one.reason);
        let texts = [
            &rfc3339(one.ts_ms),
            &one.host,
            &one.queue_id,
            &one.service,
            &one.kind,
            &one.sender,
            &one.recipient,
            reply.trim(),
        ];
        let cells: Vec<String> = texts.into_iter().map(escaped).collect();
        page.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    page
}

/// A line a message and recipient.
pub(crate) fn table(all: &[LostMessage]) -> Table {
    let text =
        |cell: fn(&LostMessage) -> &String| Values::Text(all.iter().map(|one| Some(cell(one).clone())).collect());
    Table::of([
        ("ts", Values::Int(all.iter().map(|one| Some(one.ts_ms.get())).collect())),
        ("host", text(|one| &one.host)),
        ("queue_id", text(|one| &one.queue_id)),
        ("service", text(|one| &one.service)),
        ("kind", text(|one| &one.kind)),
        ("sender", text(|one| &one.sender)),
        ("recipient", text(|one| &one.recipient)),
        ("smtp_code", Values::Int(all.iter().map(|one| one.smtp_code).collect())),
        ("reason", text(|one| &one.reason)),
    ])
}
