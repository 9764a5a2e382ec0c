//! Rows that were stored and are there no more, and how they come back: their logs are read again from the start, by a join
//! of its own, and of what that gives only the rows that are missing are added. Lines, positions and open messages stay as
//! they are: they were counted when the rows were stored first.
//!
//! ```text
//! repair:   segment ──▶ missing (which logs, which offsets, was it sent?)     its files go to lost+found/
//! backfill, tail: read again ──▶ restored (segments; quiet while a server has their rows) ──▶ linked ──▶ missing is done
//! ```
//!
//! A kill in between costs nothing: what was restored is stored, and stored rows are not added again.

use super::batch::DAY_MS;
use super::catalogue::{self, Segment};
use super::{Error, Store, columnar};
use rusqlite::{OptionalExtension, Transaction, params};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use std::collections::hash_map::Entry;

/// Rows of one pass whose identities are in memory, four bytes each: more days are read in several passes.
pub const IDS_MAX: u64 = 8_000_000;

/// What is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// A server has these rows: they are not posted.
    pub sent: bool,
    /// What they become when arrivals are linked has been sent too.
    pub linked: bool,
}

/// Offsets of a log, first and last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Which log.
    pub log: u64,
    /// The first row's offset.
    pub first: u64,
    /// The last row's.
    pub last: u64,
}

/// A segment whose rows are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The segment's number.
    pub segment: i64,
    /// Of which source.
    pub source: i64,
    /// Host of the source.
    pub host: String,
    /// Its kind.
    pub kind: String,
    /// Day since the epoch, UTC.
    pub day: i64,
    /// First and last event, UTC milliseconds.
    pub span_ms: (i64, i64),
    /// Rows that are still missing.
    pub rows: u64,
    /// What a server has of it.
    pub again: Again,
    /// Which logs; empty where an older program wrote it: then all of the source.
    pub logs: Vec<Span>,
    /// No log that could give it is there any more.
    pub lost: bool,
    /// Logs that were read again for it, in vain.
    pub tried: Vec<u64>,
}

impl Missing {
    /// Whether rows of this log may be among it.
    pub fn needs(&self, log: u64) -> bool {
        self.logs.is_empty() || self.logs.iter().any(|span| span.log == log)
    }
}

impl Missing {
    /// What is missing, where, and what helps.
    pub fn words(&self) -> String {
        let [from, to] = [self.span_ms.0, self.span_ms.1].map(|ms| {
            let time = jiff::Timestamp::from_millisecond(ms);
            time.map_or_else(|_| ms.to_string(), |time| format!("{time:.0}"))
        });
        let Missing { host, kind, rows, .. } = self;
        match self.lost {
            true => format!(
                "{host} ({kind}): {rows} events from {from} to {to} are lost for good: no log has them any more"
            ),
            false => format!(
                "{host} ({kind}): {rows} events from {from} to {to} are missing; the next `mailpulse backfill` or `tail` \
                 reads them again from the logs"
            ),
        }
    }
}

/// The source under whose number the open messages of what is read again are kept.
pub fn shadow(source: i64) -> i64 {
    -source
}

/// Identities of stored rows: of each log the offsets, in pieces of 4 GiB, ascending.
#[derive(Debug, Default)]
pub struct Stored {
    offsets: FxHashMap<(u64, u32), Vec<u32>>,
}

impl Stored {
    fn add(&mut self, log: u64, offset: u64) {
        let piece = self.offsets.entry((log, (offset >> 32) as u32)).or_default();
        // A line may give several rows.
        if piece.last() != Some(&(offset as u32)) {
            piece.push(offset as u32);
        }
    }

    fn settle(&mut self) {
        for piece in self.offsets.values_mut() {
            piece.sort_unstable();
            piece.dedup();
        }
    }

    fn has(&self, log: u64, offset: u64) -> bool {
        let piece = self.offsets.get(&(log, (offset >> 32) as u32));
        piece.is_some_and(|piece| piece.binary_search(&(offset as u32)).is_ok())
    }
}

/// Which rows of what is read are added.
#[derive(Debug, Default)]
pub struct Wanted {
    stored: Stored,
    /// Only these days, and of each day these offsets of logs (none: all). None: all that is not stored.
    days: Option<FxHashMap<i64, Option<Vec<Span>>>>,
    /// Up to where each log had been read; what comes after it was never stored.
    read_to: Option<FxHashMap<u64, u64>>,
}

impl Wanted {
    /// Nothing that stands behind what was read of its log, or in a log that was not read.
    pub fn read_only(&mut self, read_to: FxHashMap<u64, u64>) {
        self.read_to = Some(read_to);
    }

    /// Whether a row is to be added.
    pub fn has(&self, log: u64, offset: u64, ts_ms: i64) -> bool {
        let is_missing = match &self.days {
            None => true,
            Some(days) => match days.get(&ts_ms.div_euclid(DAY_MS)) {
                None => false,
                Some(None) => true,
                Some(Some(spans)) => {
                    let holds = |span: &Span| span.log == log && (span.first..=span.last).contains(&offset);
                    spans.iter().any(holds)
                }
            },
        };
        let was_read = || match &self.read_to {
            None => true,
            Some(read_to) => read_to.get(&log).is_some_and(|to| offset < *to),
        };
        is_missing && was_read() && !self.stored.has(log, offset)
    }
}

impl Store {
    /// Rows that are missing, of one source or of all, oldest first.
    pub fn missing(&self, source: Option<i64>) -> Result<Vec<Missing>, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT segment, source, host, kind, day, first_ms, last_ms, rows, sent, linked, logs, lost, tried
             FROM missing JOIN source ON source.id = source WHERE ?1 IS NULL OR source = ?1 ORDER BY first_ms, segment",
        )?;
        let mut found = statement.query([source])?;
        let mut missing = Vec::new();
        while let Some(row) = found.next()? {
            let (logs, tried): (String, String) = (row.get(10)?, row.get(12)?);
            missing.push(Missing {
                segment: row.get(0)?,
                source: row.get(1)?,
                host: row.get(2)?,
                kind: row.get(3)?,
                day: row.get(4)?,
                span_ms: (row.get(5)?, row.get(6)?),
                rows: row.get::<_, i64>(7)? as u64,
                again: Again {
                    sent: row.get(8)?,
                    linked: row.get(9)?,
                },
                logs: serde_json::from_str(&logs).map_err(catalogue::Error::from)?,
                lost: row.get(11)?,
                tried: serde_json::from_str(&tried).map_err(catalogue::Error::from)?,
            });
        }
        Ok(missing)
    }

    /// Whether there are rows, or were.
    pub fn has_rows(&self) -> Result<bool, Error> {
        let any = "SELECT EXISTS (SELECT 1 FROM segment) OR EXISTS (SELECT 1 FROM missing)";
        Ok(self.connection().query_row(any, [], |row| row.get(0))?)
    }

    /// Number of a source that is known.
    pub fn known_source(&self, host: &str, kind: &str) -> Result<Option<i64>, Error> {
        let connection = self.connection();
        let id = connection
            .query_row(
                "SELECT id FROM source WHERE host = ?1 AND kind = ?2",
                params![host, kind],
                |row| row.get(0),
            )
            .optional()?;
        Ok(id)
    }

    /// Begins to read a source again: the open messages of a try that was killed are forgotten.
    pub fn begin_reread(&self, source: i64) -> Result<(), Error> {
        let shadow = shadow(source);
        self.connection()
            .execute("DELETE FROM open_message WHERE source = ?1", [shadow])?;
        Ok(())
    }

    /// What of `missing` (all of one source and of one fate) is to be added in the next pass: as many days as fit into
    /// memory, oldest first. Returns the days too.
    pub fn wanted(&self, missing: &[Missing]) -> Result<(Wanted, FxHashSet<i64>), Error> {
        let source = missing.first().map_or(0, |first| first.source);
        let all = self.segments(i64::MIN, i64::MAX)?;
        let own: Vec<&Segment> = all.iter().filter(|segment| segment.source == source).collect();
        let mut wanted = Wanted::default();
        let mut days: FxHashMap<i64, Option<Vec<Span>>> = FxHashMap::default();
        let mut ids = 0;
        for one in missing {
            if !days.contains_key(&one.day) {
                let there = own.iter().filter(|segment| segment.day == one.day);
                let rows: u64 = there.clone().map(|segment| segment.rows).sum();
                if ids > 0 && ids + rows > IDS_MAX {
                    continue;
                }
                ids += rows.max(1);
                for segment in there {
                    let add = |log, offset| wanted.stored.add(log, offset);
                    columnar::event_ids(&self.events_path(segment.id), add)?;
                }
            }
            match days.entry(one.day).or_insert_with(|| Some(Vec::new())) {
                spans if one.logs.is_empty() => *spans = None,
                Some(spans) => spans.extend_from_slice(&one.logs),
                None => {}
            }
        }
        wanted.stored.settle();
        let named = days.keys().copied().collect();
        wanted.days = Some(days);
        Ok((wanted, named))
    }

    /// What is to be added of logs whose rows are there already in part: all but the rows of segments that were taken over
    /// without their logs' positions. None where there are no such segments.
    pub fn all_but_adopted(&self, source: i64) -> Result<Option<Wanted>, Error> {
        let adopted: FxHashSet<i64> = {
            let connection = self.connection();
            let mut statement = connection.prepare_cached("SELECT segment FROM adopted")?;
            let ids = statement.query_map([], |row| row.get(0))?;
            ids.collect::<Result<_, _>>()?
        };
        if adopted.is_empty() {
            return Ok(None);
        }
        let mut wanted = Wanted::default();
        let mut any = false;
        let segments = self.segments(i64::MIN, i64::MAX)?;
        for segment in segments
            .iter()
            .filter(|s| s.source == source && adopted.contains(&s.id))
        {
            any = true;
            let add = |log, offset| wanted.stored.add(log, offset);
            columnar::event_ids(&self.events_path(segment.id), add)?;
        }
        wanted.stored.settle();
        Ok(any.then_some(wanted))
    }

    /// Logs of a source that segments hold which were taken over, each with the time of the newest row, UTC milliseconds: it
    /// may be newer than what the catalogue knows of the log, if it knows it.
    pub fn adopted_logs(&self, source: i64) -> Result<Vec<(u64, i64)>, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT segment_log.log, max(segment.last_ms) FROM adopted JOIN segment ON segment.id = adopted.segment
             JOIN segment_log ON segment_log.segment = segment.id WHERE segment.source = ?1 GROUP BY segment_log.log",
        )?;
        let logs = statement.query_map([source], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)))?;
        Ok(logs.collect::<Result<_, _>>()?)
    }

    /// A pass is over: `restored` says of which days, `replayed` of which logs all was read again, `gone` which logs have no
    /// file any more. Returns rows that came back and rows that are lost for good by what is there now.
    pub fn end_reread(
        &self,
        missing: &[Missing],
        days: &FxHashSet<i64>,
        replayed: &FxHashSet<u64>,
        gone: &dyn Fn(u64) -> bool,
    ) -> Result<(u64, u64), Error> {
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        let (mut back, mut lost) = (0, 0);
        let mut came: FxHashMap<i64, u64> = FxHashMap::default();
        for one in missing.iter().filter(|one| days.contains(&one.day)) {
            let came = match came.entry(one.day) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => free.insert(take_restored(&transaction, one.source, one.day)?),
            };
            let rows = one.rows.min(*came);
            *came -= rows;
            back += rows;
            if rows == one.rows {
                transaction.execute("DELETE FROM missing WHERE segment = ?1", [one.segment])?;
                continue;
            }
            let mut tried: FxHashSet<u64> = one.tried.iter().copied().collect();
            tried.extend(replayed.iter().filter(|log| one.needs(**log)));
            let is_lost = one.logs.iter().all(|span| tried.contains(&span.log) || gone(span.log));
            lost += if is_lost && !one.lost { one.rows - rows } else { 0 };
            let tried: Vec<u64> = tried.into_iter().collect();
            let tried = serde_json::to_string(&tried).map_err(catalogue::Error::from)?;
            transaction.execute(
                "UPDATE missing SET rows = ?2, lost = ?3, tried = ?4 WHERE segment = ?1",
                params![one.segment, (one.rows - rows) as i64, is_lost, tried],
            )?;
        }
        if let Some(first) = missing.first() {
            transaction.execute("DELETE FROM open_message WHERE source = ?1", [shadow(first.source)])?;
        }
        transaction.commit()?;
        Ok((back, lost))
    }

    /// What is linked from here on of restored rows is news to a server that has them as they were before.
    pub fn unlinked_are_loud(&self) -> Result<(), Error> {
        let loud = "UPDATE restored SET quiet = 0 WHERE quiet = 2";
        self.connection().execute(loud, [])?;
        Ok(())
    }
}

/// Rows of a day that were restored; they are rows like all others from now on.
fn take_restored(transaction: &Transaction<'_>, source: i64, day: i64) -> Result<u64, Error> {
    let rows: i64 = transaction.query_row(
        "SELECT coalesce(sum(rows), 0) FROM segment WHERE source = ?1 AND day = ?2
         AND id IN (SELECT segment FROM restored)",
        [source, day],
        |row| row.get(0),
    )?;
    transaction.execute(
        "DELETE FROM restored WHERE segment IN (SELECT id FROM segment WHERE source = ?1 AND day = ?2)",
        [source, day],
    )?;
    Ok(rows as u64)
}

/// A segment was made again.
pub(super) fn note_restored(transaction: &Transaction<'_>, segment: i64, again: &Again) -> Result<(), Error> {
    let quiet = match (again.sent, again.linked) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => 2,
    };
    transaction.execute("INSERT INTO restored VALUES (?1, ?2)", [segment, quiet])?;
    Ok(())
}

/// Whether what a segment's rows become is known to the server already.
pub(super) fn is_quiet(transaction: &Transaction<'_>, segment: i64) -> Result<bool, Error> {
    let mut find = transaction.prepare_cached("SELECT 1 FROM restored WHERE segment = ?1 AND quiet > 0")?;
    Ok(find.exists([segment])?)
}

/// A segment takes the place of others: it has their logs, and their past.
pub(super) fn inherit(transaction: &Transaction<'_>, new: i64, old: &[i64]) -> Result<(), Error> {
    let mut unknown = transaction.prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM segment_log WHERE segment = ?1)")?;
    let mut is_known = true;
    for id in old {
        let is_unknown: bool = unknown.query_row([id], |row| row.get(0))?;
        is_known &= !is_unknown;
    }
    for id in old {
        if is_known {
            transaction.execute(
                "INSERT INTO segment_log SELECT ?1, log, first_offset, last_offset FROM segment_log WHERE segment = ?2
                 ON CONFLICT DO UPDATE SET first_offset = min(first_offset, excluded.first_offset),
                     last_offset = max(last_offset, excluded.last_offset)",
                [new, *id],
            )?;
        }
        transaction.execute(
            "INSERT OR IGNORE INTO restored SELECT ?1, quiet FROM restored WHERE segment = ?2",
            [new, *id],
        )?;
        transaction.execute(
            "INSERT OR IGNORE INTO adopted SELECT ?1 FROM adopted WHERE segment = ?2",
            [new, *id],
        )?;
    }
    Ok(())
}
