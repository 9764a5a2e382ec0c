//! SQL over the segments of this disk.

use super::answer::{QueryAnswer, QueryError};
use super::coarsest::{SumsOf, pieces};
use super::columns::TABLES;
use super::plan::{QueryPlan, plan, times};
use super::window::Window;
use super::{guard, sql};
use crate::model::time::{DAY_MS, MINUTE_MS, UtcMs};
use crate::store::Store;
use crate::store::catalogue::Segment;
use crate::store::columnar::{self, ColumnarError, Input, LookupKey, ScanFile, Table, TableScan, Values};
use crate::store::segments::SegmentPart;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Reads; once more with a fresh list when a segment of the list has been merged away meanwhile.
pub fn steadily<T>(read: impl Fn() -> Result<T, QueryError>) -> Result<T, QueryError> {
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

/// What of the segments a SELECT reads.
#[derive(Debug, Clone, Copy)]
enum Reads<'k> {
    /// All rows.
    Rows,
    /// The coarsest roll-ups that give the same answer.
    Sums(SumsOf),
    /// Segments that may have one of these keys.
    Keys(&'k [LookupKey]),
}

/// Runs one SELECT of ours over the store. `window` cuts `events`, `rates` and `sources` before the query sees them.
pub fn select(store: &Store, text: &str, window: Window) -> Result<Table, QueryError> {
    guard::check(text, &TABLES).map_err(QueryError::Question)?;
    Ok(answer(store, text, window, Reads::Rows)?.0)
}

/// The same of one that asks for nothing but rows with one of some keys.
pub fn look_up(store: &Store, text: &str, window: Window, keys: &[LookupKey]) -> Result<Table, QueryError> {
    guard::check(text, &TABLES).map_err(QueryError::Question)?;
    Ok(answer(store, text, window, Reads::Keys(keys))?.0)
}

/// The same of one that adds up what `sums` says: from the coarsest roll-ups that give the same answer.
pub fn add_up(store: &Store, text: &str, window: Window, sums: SumsOf) -> Result<Table, QueryError> {
    guard::check(text, &TABLES).map_err(QueryError::Question)?;
    Ok(answer(store, text, window, Reads::Sums(sums))?.0)
}

/// Runs one SELECT of a user's over the store. `window` cuts `events`, `rates` and `sources` before the query sees them.
///
/// # Errors
/// What is wrong with the text, or what the engine cannot do, in one line; the store.
pub fn ask(store: &Store, text: &str, window: Window) -> Result<QueryAnswer, QueryError> {
    let (table, times) = answer(store, text, window, Reads::Rows).map_err(|error| match error {
        QueryError::Engine(ColumnarError::Engine(error)) => QueryError::Question(in_one_line(&error.to_string())),
        other => other,
    })?;
    Ok(QueryAnswer { table, times })
}

/// Rows, and which of their columns are times.
fn answer(store: &Store, text: &str, window: Window, reads: Reads<'_>) -> Result<(Table, Vec<String>), QueryError> {
    let question = sql::for_embedded(text).map_err(QueryError::Question)?;
    let plan = plan(&question);
    let mut table = steadily(|| select_once(store, &plan, window, reads))?;
    let mut times = Vec::new();
    for (column, (name, is_time)) in table.columns.iter_mut().zip(question.columns) {
        if is_time {
            times.push(name.clone());
        }
        column.name = name;
    }
    Ok((table, times))
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

fn select_once(store: &Store, plan: &QueryPlan, window: Window, reads: Reads<'_>) -> Result<Table, QueryError> {
    let failed = RefCell::new(None);
    let mut inputs = Vec::new();
    // One list for all tables of a query: they are of one moment.
    let mut segments = store.segments().to_read(window.since_ms, window.until_ms)?;
    if let Reads::Keys(keys) = reads {
        segments.retain(|segment| store.segments().may_have(segment, keys));
    }
    let sums = match reads {
        Reads::Sums(sums) => Some(sums),
        Reads::Rows | Reads::Keys(_) => None,
    };
    let mut files = SegmentOfPath::new();
    for (table, scan) in &plan.scans {
        if *table == "sources" {
            let mut parts = SourceParts::of(store, window)?;
            let failed = &failed;
            let next = move || parts.next().map_err(|error| failed.replace(Some(error))).ok().flatten();
            inputs.push(Input::Given {
                scan: scan.clone(),
                next: Box::new(next),
            });
            continue;
        }
        inputs.push(Input::Scanned {
            scan: scan.clone(),
            files: found(store, (table, scan, sums), window, &segments, &mut files)?,
        });
    }
    let answer = columnar::select(&plan.steps, &plan.sql, inputs, &mut |path, error| {
        let Some((segment, part)) = files.get(path) else {
            return Err(error);
        };
        // An error of the store ends the reading, and is the one that is told.
        store.segments().note_broken(segment, *part, error).map_err(|error| {
            let gone = std::io::ErrorKind::NotFound.into();
            failed.replace(Some(error.into()));
            ColumnarError::Io {
                path: path.to_owned(),
                source: gone,
            }
        })
    });
    match failed.take() {
        Some(error) => Err(error),
        None => Ok(answer?),
    }
}

/// Which segment a file is of, and which of its files.
type SegmentOfPath<'s> = BTreeMap<PathBuf, (&'s Segment, SegmentPart)>;

/// The files that a scan reads, and what of them.
fn found<'s>(
    store: &Store,
    (table, scan, sums): (&str, &TableScan, Option<SumsOf>),
    window: Window,
    segments: &'s [Segment],
    files: &mut SegmentOfPath<'s>,
) -> Result<Vec<ScanFile>, QueryError> {
    let times = times(scan);
    let mut found = Vec::new();
    for segment in segments {
        // Rates are of whole minutes.
        let span_ms = (segment.first_ms.floor_to(MINUTE_MS), segment.last_ms);
        if span_ms.1 < times.start || span_ms.0 >= times.end {
            continue;
        }
        let within = window.since_ms.max(times.start)..window.until_ms.min(times.end);
        for piece in pieces(store.segments(), segment, table, sums, within) {
            let path = store.segments().path_of(segment.id, piece.file);
            match store.segments().has_its_size(segment, piece.file) {
                Ok(()) => found.push(ScanFile {
                    path: path.clone(),
                    part: piece.part,
                    span_ms,
                    within: piece.within,
                }),
                Err(error) => store.segments().note_broken(segment, piece.file, error)?,
            }
            files.insert(path, (segment, piece.file));
        }
    }
    Ok(found)
}

/// Lines per source and minute, a day at a time.
struct SourceParts<'s> {
    store: &'s Store,
    window: Window,
    /// From when on there may be more; none when all was given.
    next_ms: Option<UtcMs>,
}

/// So much of `sources` is in memory at once.
const SOURCES_MS: i64 = DAY_MS;

impl<'s> SourceParts<'s> {
    fn of(store: &'s Store, window: Window) -> Result<Self, QueryError> {
        let known = store.coverage().minutes_span()?;
        let (first, last) = known.unwrap_or((UtcMs::EPOCH, UtcMs::EPOCH));
        let window = Window {
            since_ms: window.since_ms.max(first),
            until_ms: window.until_ms.min(last.saturating_add(MINUTE_MS)),
        };
        Ok(SourceParts {
            store,
            window,
            next_ms: Some(window.since_ms),
        })
    }

    /// The first one comes also where there is nothing: it has the columns.
    fn next(&mut self) -> Result<Option<Table>, QueryError> {
        let Some(since_ms) = self.next_ms else { return Ok(None) };
        let end_ms = since_ms.saturating_add(SOURCES_MS).floor_to(MINUTE_MS);
        let until_ms = end_ms.min(self.window.until_ms);
        self.next_ms = (until_ms < self.window.until_ms).then_some(until_ms);
        Ok(Some(sources(self.store, Window { since_ms, until_ms })?))
    }
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
        ("ts_ms", int(|row| row.ts_ms.get())),
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
