//! SQL over the segments of this disk.

use super::answer::{QueryAnswer, QueryError};
use super::columns::{EVENT_COLUMNS, RATE_COLUMNS, TABLES};
use super::window::Window;
use super::{guard, sql};
use crate::store::Store;
use crate::store::catalogue::Segment;
use crate::store::columnar::{self, ColumnarError, Input, LOGICAL, Table, Values};
use crate::store::segments::SegmentPart;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Reads; once more with a fresh list when a segment of the list has been merged away meanwhile.
pub(crate) fn steadily<T>(read: impl Fn() -> Result<T, QueryError>) -> Result<T, QueryError> {
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

/// Runs one SELECT of ours over the store. `window` cuts `events`, `rates` and `sources` before the query sees them.
pub fn select(store: &Store, text: &str, window: Window) -> Result<Table, QueryError> {
    let named = guard::check(text, &TABLES).map_err(QueryError::Question)?;
    let mut columns = BTreeMap::new();
    for (table, all) in [("events", EVENT_COLUMNS.as_slice()), ("rates", RATE_COLUMNS.as_slice())] {
        if named.tables.contains(table) {
            columns.insert(table, wanted(all, &named));
        }
    }
    if named.tables.contains("sources") {
        columns.insert("sources", Vec::new());
    }
    steadily(|| select_once(store, &[], text, &columns, window))
}

/// Runs one SELECT of a user's over the store. `window` cuts `events`, `rates` and `sources` before the query sees them.
///
/// # Errors
/// What is wrong with the text, or what the engine cannot do, in one line; the store.
pub fn ask(store: &Store, text: &str, window: Window) -> Result<QueryAnswer, QueryError> {
    let question = sql::for_embedded(text).map_err(QueryError::Question)?;
    let columns = question
        .used
        .iter()
        .map(|(table, columns)| (*table, columns.iter().cloned().collect()));
    let columns: BTreeMap<&str, Vec<String>> = columns.collect();
    let answer = steadily(|| select_once(store, &question.steps, &question.sql, &columns, window));
    let mut table = answer.map_err(|error| match error {
        QueryError::Engine(ColumnarError::Engine(error)) => QueryError::Question(in_one_line(&error.to_string())),
        other => other,
    })?;
    let mut times = Vec::new();
    for (column, (name, is_time)) in table.columns.iter_mut().zip(question.columns) {
        if is_time {
            times.push(name.clone());
        }
        column.name = name;
    }
    Ok(QueryAnswer { table, times })
}

/// The engine's words without the plan of the query, which may be thousands of lines.
fn in_one_line(words: &str) -> String {
    let line = words
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    if line.contains("recursion limit") {
        return "the query is nested too deeply: use fewer levels".to_owned();
    }
    let short: String = line.chars().take(200).collect();
    format!("the engine cannot answer this: {}", short.escape_debug())
}

fn select_once(
    store: &Store,
    steps: &[(String, String)],
    text: &str,
    columns: &BTreeMap<&str, Vec<String>>,
    window: Window,
) -> Result<Table, QueryError> {
    let mut inputs = Vec::new();
    let segments = store.segments().to_read(window.since_ms, window.until_ms)?;
    let mut files: BTreeMap<PathBuf, (&Segment, SegmentPart)> = BTreeMap::new();
    for (table, part) in [("events", SegmentPart::Events), ("rates", SegmentPart::Rates)] {
        let Some(columns) = columns.get(table) else {
            continue;
        };
        let mut paths = Vec::with_capacity(segments.len());
        for segment in &segments {
            let path = store.segments().path_of(segment.id, part);
            match store.segments().has_its_size(segment, part) {
                Ok(()) => paths.push(path.clone()),
                Err(error) => store.segments().note_broken(segment, part, error)?,
            }
            files.insert(path, (segment, part));
        }
        inputs.push(Input::Segments {
            name: table,
            paths,
            columns: columns.clone(),
            since_ms: window.since_ms,
            until_ms: window.until_ms,
        });
    }
    if columns.contains_key("sources") {
        inputs.push(Input::Rows {
            name: "sources",
            table: sources(store, window)?,
        });
    }
    let mut failed = None;
    let answer = columnar::select(steps, text, inputs, &mut |path, error| {
        let Some((segment, part)) = files.get(path) else {
            return Err(error);
        };
        // An error of the store ends the reading, and is the one that is told.
        store.segments().note_broken(segment, *part, error).map_err(|error| {
            let gone = std::io::ErrorKind::NotFound.into();
            failed = Some(error);
            ColumnarError::Io {
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
fn wanted(columns: &[&str], named: &guard::QueryNames) -> Vec<String> {
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
fn sources(store: &Store, window: Window) -> Result<Table, QueryError> {
    let rows = store.coverage().minutes(window.since_ms, window.until_ms)?;
    let text = |pick: fn(&crate::store::catalogue::SourceMinute) -> &String| {
        Values::Text(rows.iter().map(|row| Some(pick(row).clone())).collect())
    };
    let int = |pick: fn(&crate::store::catalogue::SourceMinute) -> i64| {
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
