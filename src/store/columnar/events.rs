//! Rows of a segment, one by one: what tells them apart, for a comparison with the lines of another log, and what became of
//! a mail.

use super::ColumnarError;
use super::read::SegmentReader;
use super::texts::TextColumn;
use super::write::PROVIDER;
use crate::model::time::UtcMs;
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

/// A row, as far as it says which event it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventRow<'r> {
    pub ts_ms: UtcMs,
    /// Whose line it was: a log ID as 16 hexadecimal digits.
    pub log: &'r str,
    /// Where the line stands in that log.
    pub offset: u64,
    pub kind: &'r str,
    /// The MTA's ID; empty for a line without one.
    pub queue_id: &'r str,
    /// Recipient's local part, as stored.
    pub recipient_local: &'r str,
    /// Recipient's domain.
    pub recipient_domain: &'r str,
    /// Next hop's name.
    pub remote_host: &'r str,
    /// Next hop's address.
    pub remote_ip: &'r str,
}

/// Shows the rows of a segment within a span of time.
///
/// # Errors
/// The file cannot be read or is damaged.
pub(crate) fn events_between(
    path: &Path,
    span_ms: Range<UtcMs>,
    each: &mut dyn FnMut(EventRow<'_>),
) -> Result<(), ColumnarError> {
    let span_ms = span_ms.start.get()..span_ms.end.get();
    let mut reader = SegmentReader::open(path)?;
    let times = reader.numbers("ts_ms")?;
    if !times.iter().any(|ts_ms| span_ms.contains(ts_ms)) {
        return Ok(());
    }
    let names = [
        "log",
        "kind",
        "queue_id",
        "recipient_domain",
        "remote_host",
        "remote_ip",
    ];
    let [logs, kinds, ids, domains, hosts, ips] = names.map(|name| reader.texts(name));
    let (logs, kinds, ids, domains, hosts, ips) = (logs?, kinds?, ids?, domains?, hosts?, ips?);
    let offsets = reader.numbers("log_offset")?;
    let locals = reader.strings("recipient_local")?;
    fn at(texts: &TextColumn, row: usize) -> &str {
        &texts.values[texts.codes[row] as usize]
    }
    for (row, ts_ms) in times.iter().enumerate().filter(|(_, ts_ms)| span_ms.contains(ts_ms)) {
        each(EventRow {
            ts_ms: UtcMs::new(*ts_ms),
            log: at(&logs, row),
            offset: offsets[row] as u64,
            kind: at(&kinds, row),
            queue_id: at(&ids, row),
            recipient_local: locals.get(row),
            recipient_domain: at(&domains, row),
            remote_host: at(&hosts, row),
            remote_ip: at(&ips, row),
        });
    }
    Ok(())
}

/// A row, as far as it says what became of a mail.
#[derive(Debug, Clone, Copy)]
pub struct MailRow<'r> {
    /// When.
    pub ts_ms: UtcMs,
    /// Whose mail.
    pub service: &'r str,
    /// The host that says so.
    pub host: &'r str,
    /// The mail's ID there.
    pub queue_id: &'r str,
    /// Kind.
    pub kind: &'r str,
}

/// Shows the rows of some kinds within a span of time.
///
/// # Errors
/// The file cannot be read or is damaged.
pub(crate) fn mails_between(
    path: &Path,
    kinds: &[&str],
    span_ms: Range<UtcMs>,
    each: &mut dyn FnMut(MailRow<'_>),
) -> Result<(), ColumnarError> {
    let mut reader = SegmentReader::open(path)?;
    let texts = reader.texts("kind")?;
    let wanted: Vec<bool> = texts.values.iter().map(|kind| kinds.contains(&kind.as_str())).collect();
    let mut rows: Vec<usize> = (0..texts.codes.len())
        .filter(|row| wanted[texts.codes[*row] as usize])
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let times = reader.numbers("ts_ms")?;
    let span_ms = span_ms.start.get()..span_ms.end.get();
    rows.retain(|row| span_ms.contains(&times[*row]));
    if rows.is_empty() {
        return Ok(());
    }
    let (services, hosts) = (reader.texts("service")?, reader.texts("host")?);
    let ids = reader.strings("queue_id")?;
    fn at(texts: &TextColumn, row: usize) -> &str {
        &texts.values[texts.codes[row] as usize]
    }
    for row in rows {
        each(MailRow {
            ts_ms: UtcMs::new(times[row]),
            service: at(&services, row),
            host: at(&hosts, row),
            queue_id: ids.get(row),
            kind: at(&texts, row),
        });
    }
    Ok(())
}

/// A row, as far as it says where a mail's copies are.
#[derive(Debug, Clone, Copy)]
pub struct StayRow<'r> {
    /// When.
    pub ts_ms: UtcMs,
    /// Where its line stands in its log.
    pub offset: i64,
    /// Whose mail.
    pub service: &'r str,
    /// The host that says so.
    pub host: &'r str,
    /// The mail's ID there.
    pub queue_id: &'r str,
    /// Kind.
    pub kind: &'r str,
    /// Recipients that it is about.
    pub recipients: i64,
    /// Recipient's local part, as stored.
    pub recipient_local: &'r str,
    /// Recipient's domain.
    pub recipient_domain: &'r str,
    /// Who runs the receiving side.
    pub provider: &'r str,
}

/// Shows the rows of some queue IDs within a span of time.
///
/// # Errors
/// The file cannot be read or is damaged.
pub(crate) fn stays_between(
    path: &Path,
    queue_ids: &HashSet<String>,
    span_ms: Range<UtcMs>,
    each: &mut dyn FnMut(StayRow<'_>),
) -> Result<(), ColumnarError> {
    let span_ms = span_ms.start.get()..span_ms.end.get();
    let mut reader = SegmentReader::open(path)?;
    let times = reader.numbers("ts_ms")?;
    if !times.iter().any(|ts_ms| span_ms.contains(ts_ms)) {
        return Ok(());
    }
    let ids = reader.strings("queue_id")?;
    let is_meant = |row: &usize| span_ms.contains(&times[*row]) && queue_ids.contains(ids.get(*row));
    let rows: Vec<usize> = (0..times.len()).filter(is_meant).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let names = ["service", "host", "kind", "recipient_domain", PROVIDER];
    let [services, hosts, kinds, domains, providers] = names.map(|name| reader.texts(name));
    let (services, hosts, kinds, domains, providers) = (services?, hosts?, kinds?, domains?, providers?);
    let recipients = reader.numbers("recipients")?;
    let offsets = reader.numbers("log_offset")?;
    let locals = reader.strings("recipient_local")?;
    fn at(texts: &TextColumn, row: usize) -> &str {
        &texts.values[texts.codes[row] as usize]
    }
    for row in rows {
        each(StayRow {
            ts_ms: UtcMs::new(times[row]),
            offset: offsets[row],
            service: at(&services, row),
            host: at(&hosts, row),
            queue_id: ids.get(row),
            kind: at(&kinds, row),
            recipients: recipients[row],
            recipient_local: locals.get(row),
            recipient_domain: at(&domains, row),
            provider: at(&providers, row),
        });
    }
    Ok(())
}
