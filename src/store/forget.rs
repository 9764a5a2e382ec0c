//! `store forget`: rows are taken back, here and (by rows with sign −1 in the outbox) on the server, and their logs are read
//! again by the next `backfill` or `tail` as if for the first time: after a wrong zone or host was set right.
//!
//! With a point in time the rows before it stay. Their logs are read again from the start all the same, because what comes
//! later depends on what came before; what is stored is not added a second time ([`super::reread`]).

use super::catalogue::{self, Segment};
use super::commit::Counts;
use super::outbox::{Bytes, Kind};
use super::reread::shadow;
use super::{Error, Store, columnar, privacy};
use rusqlite::{Transaction, params};
use rustc_hash::FxHashSet;

const MINUTE_MS: i64 = 60_000;

/// What would be forgotten of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgetting {
    /// Number of the source.
    pub source: i64,
    /// From when on, UTC milliseconds; none: all.
    pub since_ms: Option<i64>,
    /// Logs that can be read again, by their numbers.
    pub there: FxHashSet<u64>,
    /// Rows that are taken back.
    pub rows: u64,
    /// First and last of them, UTC milliseconds, as far as their segments say.
    pub span_ms: Option<(i64, i64)>,
    /// Logs with such rows whose files are gone.
    pub logs_gone: u64,
    /// Their lines.
    pub lines_gone: u64,
    /// Rows that are missing here already, and may stand on a server.
    pub missing: u64,
}

impl Store {
    /// Looks what would be forgotten; changes nothing. `there` are the logs of the source whose files were found.
    ///
    /// # Errors
    /// A segment cannot be read.
    pub fn look_forget(&self, source: i64, since_ms: Option<i64>, there: FxHashSet<u64>) -> Result<Forgetting, Error> {
        let from = since_ms.unwrap_or(i64::MIN);
        let mut rows = 0;
        let mut span_ms: Option<(i64, i64)> = None;
        for segment in self.segments_of(source, from)? {
            rows += match segment.first_ms >= from {
                true => segment.rows,
                false => columnar::times(&self.events_path(segment.id))?
                    .iter()
                    .filter(|time| **time >= from)
                    .count() as u64,
            };
            let first = segment.first_ms.max(from);
            span_ms = Some(span_ms.map_or((first, segment.last_ms), |(a, b)| {
                (a.min(first), b.max(segment.last_ms))
            }));
        }
        let logs = self.logs(source)?;
        let gone = || {
            let late = |span: Option<(i64, i64)>| span.is_some_and(|(_, last)| last >= from);
            let logs = logs.iter().filter(|log| !there.contains(&log.log_id));
            logs.filter(move |log| late(log.span_ms))
        };
        let missing = self.missing(Some(source))?;
        Ok(Forgetting {
            source,
            since_ms,
            rows,
            span_ms,
            logs_gone: gone().count() as u64,
            lines_gone: gone().map(|log| log.counts.lines).sum(),
            missing: missing.iter().filter(|one| one.again.sent).map(|one| one.rows).sum(),
            there,
        })
    }

    /// Forgets, in one transaction.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn forget(&self, what: &Forgetting) -> Result<(), Error> {
        let from = what.since_ms.unwrap_or(i64::MIN);
        let mut replaced = Vec::new();
        let segments = self.segments_of(what.source, from)?;
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        for segment in &segments {
            self.take_back(&transaction, segment, from)?;
            replaced.push(segment.id);
        }
        self.forget_lines(&transaction, what)?;
        forget_state(&transaction, what)?;
        if what.since_ms.is_some() {
            self.adopt_rest(&transaction, what.source)?;
        }
        self.note_gap(&transaction)?;
        self.sync_folder()?;
        if self.ships() {
            self.sync_outbox()?;
        }
        transaction.commit()?;
        drop(connection);
        self.remove_segments(&replaced);
        Ok(())
    }

    fn segments_of(&self, source: i64, from_ms: i64) -> Result<Vec<Segment>, Error> {
        let mut segments = self.segments(from_ms, i64::MAX)?;
        segments.retain(|segment| segment.source == source);
        Ok(segments)
    }

    /// Takes the rows of a segment back from a time on; the others stay.
    fn take_back(&self, transaction: &Transaction<'_>, segment: &Segment, from_ms: i64) -> Result<(), Error> {
        let path = self.events_path(segment.id);
        let times = columnar::times(&path)?;
        if self.ships()
            && let Some((rows, bytes)) = columnar::taken_back(&path, from_ms)?
        {
            self.post(transaction, Kind::Changes, segment.day, rows, &Bytes::Given(&bytes))?;
        }
        let keep: Vec<bool> = times.iter().map(|time| *time < from_ms).collect();
        if keep.iter().any(|keep| *keep) {
            let rest = columnar::thinned(&path, &keep)?;
            self.replace(transaction, &[segment.id], segment.source, &rest)?;
            return Ok(());
        }
        transaction.execute("DELETE FROM orphan WHERE segment = ?1", [segment.id])?;
        transaction.execute("DELETE FROM segment WHERE id = ?1", [segment.id])?;
        Ok(())
    }

    /// The lines of what is read again are counted again: from the first minute on in which one of these logs has a line.
    fn forget_lines(&self, transaction: &Transaction<'_>, what: &Forgetting) -> Result<(), Error> {
        let mut first: Option<i64> = None;
        {
            let mut logs = transaction.prepare("SELECT log_id, first_ms FROM log WHERE source = ?1")?;
            let rows = logs.query_map([what.source], |row| {
                Ok((row.get::<_, i64>(0)? as u64, row.get::<_, Option<i64>>(1)?))
            })?;
            for row in rows {
                let (log, first_ms) = row?;
                let begin = first_ms.filter(|_| what.there.contains(&log) || what.since_ms.is_none());
                first = begin.map_or(first, |begin| Some(first.map_or(begin, |first| first.min(begin))));
            }
        }
        let from = first.map_or(i64::MAX, |first| first.div_euclid(MINUTE_MS));
        let mut minutes: Vec<(i64, Counts)> = Vec::new();
        {
            let mut counted = transaction.prepare(
                "SELECT minute, lines, events, ignored, unparsed, bytes, foreign_lines FROM source_minute
                 WHERE source = ?1 AND minute >= ?2 AND lines > 0",
            )?;
            let rows = counted.query_map([what.source, from], |row| {
                // Taken back: what the server adds up is nothing then.
                let number = |at: usize| row.get::<_, i64>(at).map(|n| n.wrapping_neg() as u64);
                let counts = Counts {
                    lines: number(1)?,
                    events: number(2)?,
                    ignored: number(3)?,
                    unparsed: number(4)?,
                    bytes: number(5)?,
                    foreign: number(6)?,
                    duplicates: 0,
                };
                Ok((row.get(0)?, counts))
            })?;
            minutes.extend(rows.collect::<Result<Vec<_>, _>>()?);
        }
        if self.ships() {
            self.post_minutes(transaction, what.source, &minutes)?;
        }
        transaction.execute(
            "DELETE FROM source_minute WHERE source = ?1 AND minute >= ?2 AND heartbeats = 0",
            [what.source, from],
        )?;
        transaction.execute(
            "UPDATE source_minute SET lines = 0, events = 0, ignored = 0, unparsed = 0, bytes = 0,
                 foreign_lines = 0
             WHERE source = ?1 AND minute >= ?2",
            [what.source, from],
        )?;
        Ok(())
    }

    /// The rows that stay are not added again when their logs are.
    fn adopt_rest(&self, transaction: &Transaction<'_>, source: i64) -> Result<(), Error> {
        let mut find = transaction.prepare(
            "SELECT id, EXISTS (SELECT 1 FROM segment_log WHERE segment = id) FROM segment WHERE source = ?1",
        )?;
        let rest = find.query_map([source], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rest: Vec<(i64, bool)> = rest.collect::<Result<_, _>>()?;
        for (segment, is_known) in rest {
            transaction.execute("INSERT OR IGNORE INTO adopted VALUES (?1)", [segment])?;
            if is_known {
                continue;
            }
            // Written by an older program.
            let mut spans = std::collections::BTreeMap::new();
            columnar::event_ids(&self.events_path(segment), |log, offset| {
                let span = spans.entry(log).or_insert((offset, offset));
                *span = (span.0.min(offset), span.1.max(offset));
            })?;
            for (log, (first, last)) in spans {
                transaction.execute(
                    "INSERT OR IGNORE INTO segment_log VALUES (?1, ?2, ?3, ?4)",
                    [segment, log as i64, first as i64, last as i64],
                )?;
            }
        }
        Ok(())
    }
}

/// Positions, messages in the queue, what did not parse: as if these logs had not been read.
fn forget_state(transaction: &Transaction<'_>, what: &Forgetting) -> Result<(), Error> {
    let source = what.source;
    let logs: Vec<(i64, u64, Option<i64>)> = {
        let mut logs = transaction.prepare("SELECT id, log_id, first_ms FROM log WHERE source = ?1")?;
        let rows = logs.query_map([source], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)? as u64, row.get(2)?))
        })?;
        rows.collect::<Result<_, _>>()?
    };
    let is_read_again = |log: u64| what.since_ms.is_none() || what.there.contains(&log);
    let mut begin = i64::MAX;
    for (id, log, first_ms) in logs {
        if is_read_again(log) {
            begin = begin.min(first_ms.unwrap_or(i64::MAX));
            transaction.execute("DELETE FROM log WHERE id = ?1", [id])?;
        }
    }
    if what.since_ms.is_none() {
        transaction.execute("DELETE FROM derived_service WHERE source = ?1", [source])?;
        privacy::forget(transaction, source)?;
        transaction.execute("DELETE FROM orphan WHERE source = ?1", [source])?;
        begin = i64::MIN;
    }
    transaction.execute(
        "DELETE FROM open_message WHERE source = ?1 AND last_ms >= ?2",
        [source, begin],
    )?;
    transaction.execute("DELETE FROM open_message WHERE source = ?1", [shadow(source)])?;
    transaction.execute("DELETE FROM unparsed WHERE source = ?1", [source])?;
    transaction.execute("DELETE FROM odd_field WHERE source = ?1", [source])?;
    transaction.execute("DELETE FROM split_line WHERE source = ?1", [source])?;
    let from = what.since_ms.unwrap_or(i64::MIN);
    transaction.execute(
        "DELETE FROM missing WHERE source = ?1 AND last_ms >= ?2",
        params![source, from],
    )?;
    Ok(())
}
