//! Questions to the store: SQL by name or of one's own, and rates as series for graphs and detection.

pub mod fleet;
pub mod guard;
pub mod health;
pub mod history;
pub mod human;
pub mod named;
pub mod pending;
pub mod rates;
mod remote;
pub mod routes;
pub mod series;
pub mod time;

use crate::store::catalogue::Segment;
use crate::store::columnar::{self, Input, LOGICAL, Table, Values};
use crate::store::incomplete::Part;
use crate::store::{Error as StoreError, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Tables that SQL may name.
pub const TABLES: [&str; 3] = ["events", "rates", "sources"];

/// Columns of `events`, in the order of `SELECT *`.
pub const EVENT_COLUMNS: [&str; 32] = [
    "event_id",
    "ts",
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
    "sender",
    "sender_local",
    "sender_domain",
    "recipient",
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
    "enhanced_code",
    "reason",
    "log_offset",
];

/// Columns of `rates`, in the order of `SELECT *`.
pub const RATE_COLUMNS: [&str; 11] = [
    "ts_ms",
    "service",
    "hostgroup",
    "relay",
    "kind",
    "destination",
    "first_hop",
    "messages",
    "recipients",
    "attempts",
    "bytes",
];

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The question is wrong.
    #[error("{0}")]
    Question(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server failed, or refused.
    #[error(transparent)]
    ClickHouse(#[from] crate::store::clickhouse::Error),
    /// The engine refused.
    #[error("query: {0}")]
    Engine(#[from] columnar::Error),
}

impl Error {
    /// Whether a segment was merged away between the list and the reading.
    fn is_gone(&self) -> bool {
        let error = match self {
            Error::Engine(error) | Error::Store(StoreError::Columnar(error)) => error,
            _ => return false,
        };
        matches!(error, columnar::Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}

/// Reads; once more with a fresh list when a segment of the list has been merged away meanwhile.
fn steadily<T>(read: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 0..TRIES {
        match read() {
            Err(error) if error.is_gone() => {}
            result => return result,
        }
    }
    read()
}

/// A writer keeps replaced segments for a minute: more than one try means that it has just ended.
const TRIES: usize = 4;

/// Time from which and until which, UTC milliseconds, the end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First millisecond.
    pub since_ms: i64,
    /// First millisecond that is not in it.
    pub until_ms: i64,
}

impl Window {
    /// All time.
    pub const ALL: Window = Window {
        since_ms: i64::MIN,
        until_ms: i64::MAX,
    };
}

/// Runs one SELECT over the store. `window` cuts `events`, `rates` and `sources` before the query sees them.
pub fn sql(store: &Store, text: &str, window: Window) -> Result<Table, Error> {
    steadily(|| sql_once(store, text, window))
}

fn sql_once(store: &Store, text: &str, window: Window) -> Result<Table, Error> {
    let named = guard::check(text, &TABLES).map_err(Error::Question)?;
    let mut inputs = Vec::new();
    let segments = store.segments_to_read(window.since_ms, window.until_ms)?;
    let mut files: BTreeMap<PathBuf, (&Segment, Part)> = BTreeMap::new();
    for (table, columns) in [("events", EVENT_COLUMNS.as_slice()), ("rates", RATE_COLUMNS.as_slice())] {
        if !named.tables.contains(table) {
            continue;
        }
        let part = if table == "events" { Part::Events } else { Part::Rates };
        let mut paths = Vec::with_capacity(segments.len());
        for segment in &segments {
            let path = store.path_of(segment.id, part);
            match store.has_its_size(segment, part) {
                Ok(()) => paths.push(path.clone()),
                Err(error) => store.note_broken(segment, part, error)?,
            }
            files.insert(path, (segment, part));
        }
        inputs.push(Input::Segments {
            name: table,
            paths,
            columns: wanted(columns, &named),
            since_ms: window.since_ms,
            until_ms: window.until_ms,
        });
    }
    if named.tables.contains("sources") {
        inputs.push(Input::Rows {
            name: "sources",
            table: sources(store, window)?,
        });
    }
    let mut failed = None;
    let answer = columnar::select(text, inputs, &mut |path, error| {
        let Some((segment, part)) = files.get(path) else {
            return Err(error);
        };
        // An error of the store ends the reading, and is the one that is told.
        store.note_broken(segment, *part, error).map_err(|error| {
            let gone = std::io::ErrorKind::NotFound.into();
            failed = Some(error);
            columnar::Error::Io {
                path: path.to_owned(),
                source: gone,
            }
        })
    });
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(answer?),
    }
}

/// The columns of a table that a query may mean.
fn wanted(columns: &[&str], named: &guard::Named) -> Vec<String> {
    let logical: BTreeSet<&str> = LOGICAL.iter().map(|(name, _)| *name).collect();
    let all = |name: &&&str| named.wildcard || named.words.contains(**name);
    let mut wanted: Vec<String> = columns.iter().filter(all).map(|name| (*name).to_owned()).collect();
    // `SELECT COUNT(*)` names no column, and needs one to count.
    if wanted.is_empty() || wanted.iter().all(|name| logical.contains(name.as_str())) {
        wanted.push("ts_ms".to_owned());
        wanted.dedup();
    }
    wanted
}

/// Lines per source and minute, as a table.
fn sources(store: &Store, window: Window) -> Result<Table, Error> {
    let rows = store.source_minutes(window.since_ms, window.until_ms)?;
    let text = |pick: fn(&crate::store::state::SourceMinute) -> &String| {
        Values::Text(rows.iter().map(|row| Some(pick(row).clone())).collect())
    };
    let int = |pick: fn(&crate::store::state::SourceMinute) -> i64| {
        Values::Int(rows.iter().map(|row| Some(pick(row))).collect())
    };
    let columns = [
        ("ts_ms", int(|row| row.ts_ms)),
        ("host", text(|row| &row.host)),
        ("source", text(|row| &row.kind)),
        ("lines", int(|row| row.counts.lines as i64)),
        ("events", int(|row| row.counts.events as i64)),
        ("ignored", int(|row| row.counts.ignored as i64)),
        ("unparsed", int(|row| row.counts.unparsed as i64)),
        ("bytes", int(|row| row.counts.bytes as i64)),
        ("heartbeats", int(|row| row.heartbeats as i64)),
        ("lag_ms", Values::Int(rows.iter().map(|row| row.lag_ms).collect())),
        ("foreign_lines", int(|row| row.counts.foreign as i64)),
    ];
    Ok(Table::of(columns))
}
