//! What a server has, compared with a store whose catalogue was rebuilt, and the difference sent: then both have the same
//! rows, and nobody need know what was sent before.
//!
//! First the sums of each hour, then, where these differ, its rows: one that the server has otherwise is taken back and said
//! anew, one that it lacks is sent. One that only the server has stays there: the server keeps what it has. Lines by minute
//! are raised to what is counted here, and never lowered. Done again, after a kill or a lost answer, it finds what is left.

use super::{ClickHouseClient, ClickHouseError, query, settings};
use crate::model::time::{CivilDay, HOUR_MS, Minute, UtcMs};
use crate::store::catalogue::Segment;
use crate::store::columnar::{self, Input, ScanFile, ScanPart, Table, TableScan, Values};
use crate::store::error::StoreError;
use crate::store::handle::Store;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of one insertion, at most.
const ROWS_MAX: usize = 50_000;

/// What was found and sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeepReport {
    /// Rows that the server lacked.
    pub sent: u64,
    /// Rows that it had otherwise.
    pub corrected: u64,
    /// Rows that only it has.
    pub only_there: u64,
    /// Minutes of a source whose lines it lacked.
    pub minutes: u64,
}

/// What the sums of an hour are made of.
const SUMS: &str = "SELECT ts_ms - ts_ms % 3600000 AS hour, service, hostgroup, relay, kind, destination, first_hop, \
     origin, direction, provider, COUNT(*) AS n, SUM(log_offset) AS offsets, SUM(messages) AS m, SUM(recipients) AS r, SUM(bytes) AS b FROM events";
const SUMS_BY: &str = "GROUP BY ts_ms - ts_ms % 3600000, service, hostgroup, relay, kind, destination, first_hop, \
     origin, direction, provider";
/// Columns of the server's table, without `sign` and `log`.
const COLUMNS: [&str; 32] = [
    "log_offset",
    "ts_ms",
    "host",
    "source",
    "kind",
    "service",
    "hostgroup",
    "relay",
    "first_hop",
    "destination",
    "queue_id",
    "message_key",
    "client",
    "client_ip",
    "sender_local",
    "sender_domain",
    "recipient_local",
    "recipient_domain",
    "remote_host",
    "remote_ip",
    "bytes",
    "messages",
    "recipients",
    "queue_ms",
    "delivery_ms",
    "smtp_code",
    "reason",
    "provider_code",
    "origin",
    "direction",
    "provider",
    "reply",
];
/// May be null in either of two ways.
const ENHANCED: &str = "enhanced_code";

/// Compares and sends. The store must be open for writing, so that nothing is committed meanwhile. `force`: also where logs
/// have not been read again whose rows are stored.
///
/// # Errors
/// The server, the network; logs that are to be read first.
pub fn keep_sent(store: &Store, client: &ClickHouseClient, force: bool) -> Result<KeepReport, ClickHouseError> {
    let unread = store.outbox().unread_adopted()?;
    if unread > 0 && !force {
        return Err(StoreError::UnreadLogs {
            path: store.path().to_owned(),
            segments: unread,
        }
        .into());
    }
    let now_minute = store.outbox().clock_ms()?.minute();
    let mut kept = KeepReport::default();
    let all = store.segments().all()?;
    for source in store.positions().sources()? {
        let own: Vec<&Segment> = all.iter().filter(|segment| segment.source == source.id).collect();
        let days: BTreeSet<CivilDay> = own.iter().map(|segment| segment.day).collect();
        let whose = Whose {
            store,
            client,
            host: &source.host,
            kind: &source.kind,
        };
        for day in days {
            let segments: Vec<&Segment> = own.iter().copied().filter(|segment| segment.day == day).collect();
            let only_there = whose.day(&segments, day, &mut kept)?;
            store.outbox().note_sent(source.id, day, only_there > 0)?;
            kept.only_there += only_there;
        }
    }
    minutes(store, client, now_minute, &mut kept)?;
    store.outbox().resume(now_minute - 1)?;
    Ok(kept)
}

/// A source, here and there.
struct Whose<'w> {
    store: &'w Store,
    client: &'w ClickHouseClient,
    host: &'w str,
    kind: &'w str,
}

impl Whose<'_> {
    /// Brings a day of the source there to what is here; gives the number of rows that only the server has.
    fn day(&self, segments: &[&Segment], day: CivilDay, kept: &mut KeepReport) -> Result<u64, ClickHouseError> {
        let (from, to) = (day.start(), (day + 1).start());
        let sums = |table: &Table| -> BTreeMap<UtcMs, BTreeSet<String>> {
            let mut hours: BTreeMap<UtcMs, BTreeSet<String>> = BTreeMap::new();
            for row in rows(table) {
                let hour = row.get("hour").and_then(Value::as_i64).map_or(from, UtcMs::new);
                hours.entry(hour).or_default().insert(Value::Object(row).to_string());
            }
            hours
        };
        let there = sums(&self.there(&format!("{SUMS} {} {SUMS_BY}", self.within()), from, to)?);
        let here = sums(&self.here(segments, &format!("{SUMS} {SUMS_BY}"), from, to)?);
        let hours: BTreeSet<UtcMs> = there.keys().chain(here.keys()).copied().collect();
        let mut only_there = 0;
        for hour in hours.into_iter().filter(|hour| there.get(hour) != here.get(hour)) {
            only_there += self.hour(segments, hour, kept)?;
        }
        Ok(only_there)
    }

    fn hour(&self, segments: &[&Segment], hour: UtcMs, kept: &mut KeepReport) -> Result<u64, ClickHouseError> {
        let columns = format!("SELECT event_id, {}, {ENHANCED} FROM events", COLUMNS.join(", "));
        let (from, to) = (hour, hour + HOUR_MS);
        let mut there = by_event(&self.there(&format!("{columns} {}", self.within()), from, to)?);
        let here = by_event(&self.here(segments, &columns, from, to)?);
        // A row that is taken back and what is said instead go together.
        let mut changes: Vec<Vec<String>> = Vec::new();
        for (event, is) in here {
            let was = there.remove(&event).unwrap_or_default();
            if was == is {
                continue;
            }
            let back: Vec<&Value> = was.iter().filter(|row| !is.contains(row)).collect();
            let new: Vec<&Value> = is.iter().filter(|row| !was.contains(row)).collect();
            kept.corrected += back.len() as u64;
            kept.sent += (new.len() - back.len().min(new.len())) as u64;
            let lines = back.iter().map(|row| line(row, -1));
            changes.push(lines.chain(new.iter().map(|row| line(row, 1))).collect());
        }
        let mut part: Vec<String> = Vec::new();
        for change in changes {
            part.extend(change);
            if part.len() >= ROWS_MAX {
                self.insert("events_log", &std::mem::take(&mut part))?;
            }
        }
        self.insert("events_log", &part)?;
        Ok(there.values().map(|rows| rows.len() as u64).sum())
    }

    fn within(&self) -> &'static str {
        "WHERE host = {host:String} AND source = {source:String} AND ts_ms >= {from:Int64} AND ts_ms < {to:Int64}"
    }

    fn there(&self, sql: &str, from: UtcMs, to: UtcMs) -> Result<Table, ClickHouseError> {
        let params = [
            ("host", self.host.to_owned()),
            ("source", self.kind.to_owned()),
            ("from", from.get().to_string()),
            ("to", to.get().to_string()),
        ];
        query::select(self.client, sql, &params)
    }

    fn here(&self, segments: &[&Segment], sql: &str, from: UtcMs, to: UtcMs) -> Result<Table, ClickHouseError> {
        let near = segments.iter().filter(|s| s.last_ms >= from && s.first_ms < to);
        let mut columns: Vec<String> = COLUMNS.iter().map(|name| (*name).to_owned()).collect();
        columns.extend(["event_id".to_owned(), ENHANCED.to_owned()]);
        let file = |segment: &&Segment| ScanFile {
            path: self.store.segments().events_path(segment.id),
            part: ScanPart::Rows,
            span_ms: (segment.first_ms, segment.last_ms),
            within: from..to,
        };
        let input = Input::Scanned {
            scan: TableScan::of_rows("events", columns),
            files: near.copied().map(|segment| file(&segment)).collect(),
        };
        // A segment that is broken is mended first.
        let answer = columnar::select(&[], sql, vec![input], &mut |_, error| Err(error));
        Ok(answer.map_err(StoreError::from)?)
    }

    fn insert(&self, table: &str, lines: &[String]) -> Result<(), ClickHouseError> {
        insert(self.store, self.client, table, lines)
    }
}

/// Inserts JSON lines under a token of theirs: after a lost answer the same lines are dropped.
fn insert(store: &Store, client: &ClickHouseClient, table: &str, lines: &[String]) -> Result<(), ClickHouseError> {
    if lines.is_empty() {
        return Ok(());
    }
    let bytes = lines.concat().into_bytes();
    let hash = blake3::hash(&bytes).to_hex();
    let token = format!(
        "{}-{}",
        store.outbox().keep_token()?,
        hash.get(..32).unwrap_or_default()
    );
    let database = &client.endpoint().database;
    client.insert(
        &format!("INSERT INTO {database}.{table} FORMAT JSONEachRow"),
        bytes,
        &token,
        &settings::agree(client)?,
    )
}

/// Raises the lines of each minute to what is counted here.
fn minutes(
    store: &Store,
    client: &ClickHouseClient,
    now_minute: Minute,
    kept: &mut KeepReport,
) -> Result<(), ClickHouseError> {
    const COUNTS: [&str; 7] = [
        "lines",
        "events",
        "ignored",
        "unparsed",
        "bytes",
        "heartbeats",
        "foreign_lines",
    ];
    let Some((first, last)) = store.coverage().minutes_span()? else {
        return Ok(());
    };
    for day in first.day().up_to(last.day() + 1) {
        let (from, to) = (day.start(), (day + 1).start());
        let here = store.coverage().minutes(from, to)?;
        if here.is_empty() {
            continue;
        }
        let sql = "SELECT ts_ms, host, source, lines, events, ignored, unparsed, bytes, heartbeats, foreign_lines \
                   FROM sources WHERE ts_ms >= {from:Int64} AND ts_ms < {to:Int64}";
        let params = [("from", from.get().to_string()), ("to", to.get().to_string())];
        let text = |row: &Map<String, Value>, name: &str| {
            let value = row.get(name).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let number = |row: &Map<String, Value>, name: &str| row.get(name).and_then(Value::as_i64).unwrap_or(0);
        let there: BTreeMap<(i64, String, String), [i64; 7]> = rows(&query::select(client, sql, &params)?)
            .into_iter()
            .map(|row| {
                let key = (number(&row, "ts_ms"), text(&row, "host"), text(&row, "source"));
                (key, COUNTS.map(|name| number(&row, name)))
            })
            .collect();
        let mut lines = Vec::new();
        for minute in here {
            let c = &minute.counts;
            // The heartbeats of the minute that goes on are posted when it is over.
            let beats = if minute.ts_ms.minute() < now_minute {
                minute.heartbeats
            } else {
                0
            };
            let is = [c.lines, c.events, c.ignored, c.unparsed, c.bytes, beats, c.foreign].map(|count| count as i64);
            let key = (minute.ts_ms.get(), minute.host.clone(), minute.kind.clone());
            let was = there.get(&key).copied().unwrap_or_default();
            let more: Vec<i64> = is.iter().zip(was).map(|(is, was)| (is - was).max(0)).collect();
            if more.iter().all(|count| *count == 0) {
                continue;
            }
            kept.minutes += 1;
            let mut row = json!({ "ts_ms": minute.ts_ms, "host": minute.host, "source": minute.kind,
                "lag_ms": minute.lag_ms.filter(|_| beats > 0).unwrap_or(-1) });
            for (name, count) in COUNTS.iter().zip(more) {
                row[*name] = count.into();
            }
            lines.push(format!("{row}\n"));
        }
        insert(store, client, "sources_minute", &lines)?;
    }
    Ok(())
}

/// Rows by the event that they are of; null and empty are the same.
fn by_event(table: &Table) -> BTreeMap<String, Vec<Value>> {
    let mut events: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in rows(table) {
        let id = row.get("event_id").and_then(Value::as_str).unwrap_or_default();
        let kind = row.get("kind").and_then(Value::as_str).unwrap_or_default();
        let event = format!("{id} {kind}");
        events.entry(event).or_default().push(Value::Object(row));
    }
    for rows in events.values_mut() {
        rows.sort_by_cached_key(Value::to_string);
    }
    events
}

/// A row of an answer as the server takes it.
fn line(row: &Value, sign: i64) -> String {
    let mut row = row.clone();
    let id = row["event_id"].as_str().unwrap_or_default();
    let log = id.split('-').next().unwrap_or_default().to_owned();
    if let Some(row) = row.as_object_mut() {
        row.remove("event_id");
        row.insert("log".to_owned(), log.into());
        row.insert("sign".to_owned(), sign.into());
    }
    format!("{row}\n")
}

/// Rows of a table as JSON objects.
fn rows(table: &Table) -> Vec<Map<String, Value>> {
    let mut rows = vec![Map::new(); table.rows()];
    for column in &table.columns {
        for (at, row) in rows.iter_mut().enumerate() {
            let value: Value = match &column.values {
                Values::Int(values) => values[at].into(),
                Values::Float(values) => values[at].into(),
                Values::Text(values) => values[at].clone().into(),
                Values::Bool(values) => values[at].into(),
            };
            row.insert(column.name.clone(), value);
        }
    }
    rows
}
