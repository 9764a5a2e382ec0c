//! Rows of `events` as a trace reads them.

use super::story::TraceEvent;
use crate::model::time::UtcMs;
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window};
use crate::store::columnar::{LookupKey, Table, Values};

/// The most rows of an answer.
pub(super) const ROWS_MAX: usize = 1_000;

/// Columns of a row, in the order of [`event`].
const COLUMNS: &str = "ts_ms, log_offset, host, source, kind, service, queue_id, message_key, client, sender, recipient, destination, \
                       remote_host, remote_ip, smtp_code, enhanced_code, reason, reply, bytes, queue_ms, delivery_ms";

/// Rows that fulfill a condition; with keys, all of them have one of these.
pub(super) fn select(
    store: &dyn MailHistory,
    (condition, keys): (&str, &[LookupKey]),
    order: &str,
    window: Window,
) -> Result<Vec<TraceEvent>, QueryError> {
    if window.since_ms >= window.until_ms {
        return Ok(Vec::new());
    }
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
        ts_ms: UtcMs::new(number(text()).unwrap_or_default()),
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
        reply: text(),
        bytes: number(text()),
        queue_ms: number(text()),
        delivery_ms: number(text()),
    }
}
