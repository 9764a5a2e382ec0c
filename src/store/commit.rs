//! The commit: what one step of reading adds to the store, in one transaction.

use super::columnar::{self, EncodedSegment};
use super::outbox::{Bytes, Kind};
use super::reread::{Again, inherit, is_quiet, note_restored};
use super::{Error, Store, catalogue, derived};
use crate::model::queue_id::QueueId;
use crate::normalise::join::Changes;
use hashbrown::HashMap;
use rusqlite::{Transaction, params};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// What a reader has for a query, from the list of segments to the last of them.
const READERS_TIME: Duration = Duration::from_secs(60);

/// Lines of a source and what became of them: `lines = events + ignored + unparsed`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Complete lines.
    pub lines: u64,
    /// Lines that gave an event.
    pub events: u64,
    /// Lines that were understood and tell nothing about mail, or nothing new.
    pub ignored: u64,
    /// Of these, lines that another program than the log's own wrote.
    pub foreign: u64,
    /// Of these, lines whose event another line had given: the logging wrote them twice.
    pub duplicates: u64,
    /// Lines that did not parse.
    pub unparsed: u64,
    /// Bytes of content.
    pub bytes: u64,
}

impl Counts {
    /// Adds other counts.
    pub fn add(&mut self, other: &Counts) {
        self.lines += other.lines;
        self.events += other.events;
        self.ignored += other.ignored;
        self.foreign += other.foreign;
        self.duplicates += other.duplicates;
        self.unparsed += other.unparsed;
        self.bytes += other.bytes;
    }
}

/// How far a log has been read, and what was found in it.
#[derive(Debug, Clone)]
pub struct LogState {
    /// Identity: host, kind, first line, and a number where these are equal.
    pub log_id: u64,
    /// Where it was last seen, as bytes: names need not be UTF-8.
    pub path: Vec<u8>,
    /// Position, as JSON.
    pub position: String,
    /// Size and modification time of the file when it was read.
    pub size: u64,
    /// Modification time, milliseconds.
    pub mtime_ms: i64,
    /// First and last time in it.
    pub span_ms: Option<(i64, i64)>,
    /// The log continues its older sibling without a hole.
    pub follows: bool,
    /// What is wrong with the file, if it could not be read to its end.
    pub damaged: Option<String>,
    /// Lines, whole life.
    pub counts: Counts,
    /// Bytes left out of over-long lines and NUL blocks.
    pub skipped_bytes: u64,
    /// Which of its newest hundred lines that have a time are in the future: a bit each, the newest lowest.
    pub ahead: u128,
}

/// A shape of lines that did not parse.
#[derive(Debug, Clone)]
pub struct UnparsedShape {
    /// Digits and addresses replaced, so that alike lines have one shape.
    pub shape: String,
    /// How many.
    pub count: u64,
    /// One of them, safe text.
    pub sample: String,
    /// Where and why it did not parse.
    pub why: String,
    /// File it stood in.
    pub path: String,
}

/// A field that was left out of lines because its value is not of its form; the lines gave their events without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddField {
    /// Its name.
    pub field: String,
    /// Lines.
    pub count: u64,
    /// A value, safe text; empty where there was none.
    pub sample: String,
    /// File it stood in.
    pub path: String,
}

/// Everything that becomes true at once.
#[derive(Debug)]
pub struct Commit {
    /// Number of the source.
    pub source: i64,
    /// New segments.
    pub segments: Vec<EncodedSegment>,
    /// Logs read.
    pub logs: Vec<LogState>,
    /// Counts by minute since the epoch, to be added.
    pub minutes: Vec<(i64, Counts)>,
    /// Changes of the join.
    pub changes: Changes,
    /// Shapes of unparsed lines, to be added.
    pub unparsed: Vec<UnparsedShape>,
    /// Its rows were stored before and were lost: only they count, everything else is known.
    pub again: Option<Again>,
    /// Fields that were left out, to be added.
    pub odd_fields: Vec<OddField>,
    /// Lines of which pieces are still to come, as JSON, if they changed; empty if there are none.
    pub split_lines: Option<String>,
}

impl Commit {
    /// Which source the open messages are of. What is read again has its own, so that those of today stay as they are.
    fn join_source(&self) -> i64 {
        match self.again {
            Some(_) => super::reread::shadow(self.source),
            None => self.source,
        }
    }
}

/// Shapes kept for a source; further ones are counted in the source only.
const SHAPES_MAX: i64 = 200;

impl Store {
    /// Commits.
    pub fn commit(&self, commit: &Commit) -> Result<(), Error> {
        let mut connection = self.connection();
        let first = catalogue::next_segment(&connection)?;
        let mut segments = Vec::with_capacity(commit.segments.len());
        for (id, encoded) in (first..).zip(&commit.segments) {
            segments.push(self.write_segment(id, commit.source, encoded)?);
        }
        if !segments.is_empty() {
            self.sync_folder()?;
        }
        let transaction = catalogue::begin(&mut connection)?;
        self.outbox_has_room(&transaction)?;
        let is_sent = commit.again.is_some_and(|again| again.sent);
        if !is_sent {
            self.note_gap(&transaction)?;
        }
        // What was stored before is of the old attribution: noted before rows of the new one are added.
        if !segments.is_empty() && commit.again.is_none() {
            self.note_expected(&transaction)?;
        }
        derived::put(&transaction, commit.source, &commit.changes.derived)?;
        if commit.again.is_none() {
            derived::note_evicted(&transaction, &commit.changes.derived)?;
        }
        for (segment, encoded) in segments.iter().zip(&commit.segments) {
            catalogue::insert_segment(&transaction, segment)?;
            note_logs(&transaction, segment.id, &encoded.logs)?;
            note_orphans(&transaction, commit.source, segment.id, &encoded.orphans)?;
            if let Some(again) = &commit.again {
                note_restored(&transaction, segment.id, again)?;
            }
            if self.ships() && !is_sent {
                self.post_segment(&transaction, segment)?;
            }
        }
        if self.ships() {
            self.post_minutes(&transaction, commit.source, &commit.minutes)?;
        }
        commit
            .logs
            .iter()
            .try_for_each(|log| put_log(&transaction, commit.source, log))?;
        add_minutes(&transaction, commit.source, &commit.minutes)?;
        add_unparsed(&transaction, commit.source, &commit.unparsed)?;
        add_odd_fields(&transaction, commit.source, &commit.odd_fields)?;
        put_changes(&transaction, commit.join_source(), &commit.changes)?;
        put_split_lines(&transaction, commit.source, commit.split_lines.as_deref())?;
        let replaced = self.amend(&transaction, commit)?;
        if self.ships() {
            self.sync_outbox()?;
        }
        transaction.commit()?;
        drop(connection);
        if !segments.is_empty() && commit.again.is_none() {
            self.expected_is_noted();
        }
        // Nobody names them any more; a crash before this line leaves them to the next writer.
        self.remove_segments(&replaced);
        Ok(())
    }

    /// Writes the files of a segment; it counts when a transaction names it.
    pub(super) fn write_segment(
        &self,
        id: i64,
        source: i64,
        encoded: &EncodedSegment,
    ) -> Result<catalogue::Segment, Error> {
        self.write_file(&self.events_path(id), &encoded.events)?;
        self.write_file(&self.rates_path(id), &encoded.rates)?;
        Ok(catalogue::Segment {
            id,
            source,
            day: encoded.day,
            first_ms: encoded.span_ms.0,
            last_ms: encoded.span_ms.1,
            rows: encoded.rows,
            events_bytes: encoded.events.len() as u64,
            rates_bytes: encoded.rates.len() as u64,
            events_hash: blake3::hash(&encoded.events).to_hex().to_string(),
            rates_hash: blake3::hash(&encoded.rates).to_hex().to_string(),
        })
    }

    /// Removes the files of segments that nobody names any more, when readers who took the list before have had their
    /// time; at the latest when the store is closed.
    pub(super) fn remove_segments(&self, segments: &[i64]) {
        let now = Instant::now();
        let mut condemned = self.condemned.lock().unwrap_or_else(PoisonError::into_inner);
        condemned.extend(segments.iter().map(|id| (now, *id)));
        let due = condemned.partition_point(|(since, _)| now.duration_since(*since) >= READERS_TIME);
        let due: Vec<i64> = condemned.drain(..due).map(|(_, id)| id).collect();
        drop(condemned);
        self.remove_files(&due);
    }

    pub(super) fn remove_files(&self, segments: &[i64]) {
        for id in segments {
            for path in [self.events_path(*id), self.rates_path(*id)] {
                if let Err(error) = std::fs::remove_file(&path) {
                    tracing::warn!(path = %path.display(), %error, "cannot remove a replaced segment");
                }
            }
        }
    }

    /// Gives rows of earlier segments the sender that has now been found. Returns the segments it replaced.
    fn amend(&self, transaction: &Transaction<'_>, commit: &Commit) -> Result<Vec<i64>, Error> {
        let mut by_segment: HashMap<i64, Vec<&crate::normalise::join::Amendment>> = HashMap::new();
        for amendment in &commit.changes.amendments {
            let id = amendment.queue_id.as_bytes();
            if !amendment.orphan {
                let mut find = transaction.prepare_cached(
                    "SELECT id FROM segment WHERE source = ?1 AND last_ms >= ?2
                     AND (?3 OR id IN (SELECT segment FROM restored))",
                )?;
                let is_new = commit.again.is_none();
                for segment in find.query_map(params![commit.source, amendment.from_ms, is_new], |row| row.get(0))? {
                    by_segment.entry(segment?).or_default().push(amendment);
                }
                continue;
            }
            let mut find =
                transaction.prepare_cached("SELECT segment FROM orphan WHERE source = ?1 AND queue_id = ?2")?;
            for segment in find.query_map(params![commit.source, id], |row| row.get(0))? {
                by_segment.entry(segment?).or_default().push(amendment);
            }
            transaction.execute(
                "DELETE FROM orphan WHERE source = ?1 AND queue_id = ?2",
                params![commit.source, id],
            )?;
        }
        let mut segments: Vec<_> = by_segment.into_iter().collect();
        segments.sort_unstable_by_key(|(id, _)| *id);
        let mut replaced = Vec::new();
        for (old, amendments) in segments {
            let encoded = match columnar::amend(&self.events_path(old), &amendments) {
                Ok(encoded) => encoded,
                Err(error) if error.is_about_a_file() => {
                    self.amend_later(transaction, old, &error)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            self.change(transaction, old, commit.source, &encoded)?;
            replaced.push(old);
        }
        if !replaced.is_empty() {
            self.sync_folder()?;
        }
        Ok(replaced)
    }

    /// A segment that is broken gets its senders when it is read again. What was sent of it stays as it is until then, and
    /// that is noted.
    fn amend_later(&self, transaction: &Transaction<'_>, segment: i64, why: &columnar::Error) -> Result<(), Error> {
        tracing::warn!("{why}; `mailpulse store repair` mends it");
        if self.ships() {
            transaction.execute(
                "INSERT INTO state VALUES ('ship_stale', 1) ON CONFLICT DO UPDATE SET value = value + 1",
                [],
            )?;
        }
        let _ = segment;
        Ok(())
    }

    /// Puts a segment in the place of one whose rows it says differently, inside a transaction.
    pub(super) fn change(
        &self,
        transaction: &Transaction<'_>,
        old: i64,
        source: i64,
        encoded: &EncodedSegment,
    ) -> Result<(), Error> {
        let is_quiet = is_quiet(transaction, old)?;
        let new = self.replace(transaction, &[old], source, encoded)?;
        if is_quiet {
            return Ok(());
        }
        self.note_gap(transaction)?;
        if self.ships()
            && let Some((rows, bytes)) = columnar::difference(&self.events_path(old), &self.events_path(new))?
        {
            self.post(transaction, Kind::Changes, encoded.day, rows, &Bytes::Given(&bytes))?;
        }
        Ok(())
    }

    /// Puts a segment in the place of others that have the same rows, inside a transaction. Returns its number.
    pub(super) fn replace(
        &self,
        transaction: &Transaction<'_>,
        old: &[i64],
        source: i64,
        encoded: &EncodedSegment,
    ) -> Result<i64, Error> {
        let segment = self.write_segment(catalogue::next_segment(transaction)?, source, encoded)?;
        catalogue::insert_segment(transaction, &segment)?;
        inherit(transaction, segment.id, old)?;
        for id in old {
            // A message can be an orphan in several of the segments that become one.
            transaction.execute(
                "UPDATE OR IGNORE orphan SET segment = ?1 WHERE segment = ?2",
                params![segment.id, id],
            )?;
            transaction.execute("DELETE FROM orphan WHERE segment = ?1", [id])?;
            transaction.execute("DELETE FROM segment WHERE id = ?1", [id])?;
        }
        Ok(segment.id)
    }
}

fn note_logs(transaction: &Transaction<'_>, segment: i64, logs: &[(u64, i64, i64)]) -> Result<(), Error> {
    let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO segment_log VALUES (?1, ?2, ?3, ?4)")?;
    for (log, first, last) in logs {
        insert.execute(params![segment, *log as i64, first, last])?;
    }
    Ok(())
}

fn note_orphans(transaction: &Transaction<'_>, source: i64, segment: i64, orphans: &[QueueId]) -> Result<(), Error> {
    let mut insert = transaction.prepare_cached("INSERT OR IGNORE INTO orphan VALUES (?1, ?2, ?3)")?;
    for id in orphans {
        insert.execute(params![source, id.as_bytes(), segment])?;
    }
    Ok(())
}

fn put_log(transaction: &Transaction<'_>, source: i64, log: &LogState) -> Result<(), Error> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO log (source, log_id, path, position, size, mtime_ms, first_ms, last_ms, follows, damaged,
                          lines, events, ignored, unparsed, skipped_bytes, duplicates, read_ms, ahead)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
                 CAST(unixepoch('subsec') * 1000 AS INTEGER), ?17)
         ON CONFLICT (source, log_id) DO UPDATE SET path = excluded.path, position = excluded.position, size = excluded.size,
             mtime_ms = excluded.mtime_ms, first_ms = excluded.first_ms, last_ms = excluded.last_ms,
             follows = excluded.follows, damaged = excluded.damaged, lines = excluded.lines,
             events = excluded.events, ignored = excluded.ignored, unparsed = excluded.unparsed,
             skipped_bytes = excluded.skipped_bytes, duplicates = excluded.duplicates, read_ms = excluded.read_ms,
             ahead = excluded.ahead",
    )?;
    put.execute(params![
        source,
        log.log_id as i64,
        log.path,
        log.position,
        log.size as i64,
        log.mtime_ms,
        log.span_ms.map(|span| span.0),
        log.span_ms.map(|span| span.1),
        log.follows,
        log.damaged,
        log.counts.lines as i64,
        log.counts.events as i64,
        log.counts.ignored as i64,
        log.counts.unparsed as i64,
        log.skipped_bytes as i64,
        log.counts.duplicates as i64,
        (log.ahead != 0).then(|| format!("{:x}", log.ahead))
    ])?;
    // It is read again.
    let mut trusted = transaction.prepare_cached("DELETE FROM clock_doubt WHERE source = ?1 AND log_id = ?2")?;
    trusted.execute(params![source, log.log_id as i64])?;
    Ok(())
}

fn add_minutes(transaction: &Transaction<'_>, source: i64, minutes: &[(i64, Counts)]) -> Result<(), Error> {
    let mut add = transaction.prepare_cached(
        "INSERT INTO source_minute (source, minute, lines, events, ignored, unparsed, bytes, foreign_lines)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT DO UPDATE SET lines = lines + excluded.lines, events = events + excluded.events,
             ignored = ignored + excluded.ignored, unparsed = unparsed + excluded.unparsed,
             bytes = bytes + excluded.bytes, foreign_lines = foreign_lines + excluded.foreign_lines",
    )?;
    for (minute, n) in minutes {
        let [lines, events, ignored, unparsed, bytes, foreign] =
            [n.lines, n.events, n.ignored, n.unparsed, n.bytes, n.foreign].map(|count| count as i64);
        add.execute(params![
            source, minute, lines, events, ignored, unparsed, bytes, foreign
        ])?;
    }
    Ok(())
}

fn add_unparsed(transaction: &Transaction<'_>, source: i64, shapes: &[UnparsedShape]) -> Result<(), Error> {
    for shape in shapes {
        transaction.execute(
            "INSERT INTO unparsed SELECT ?1, ?2, ?3, ?4, ?5, ?6
             WHERE EXISTS (SELECT 1 FROM unparsed WHERE source = ?1 AND shape = ?2)
                OR (SELECT count(*) FROM unparsed WHERE source = ?1) < ?7
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
            params![
                source,
                shape.shape,
                shape.count as i64,
                shape.sample,
                shape.why,
                shape.path,
                SHAPES_MAX
            ],
        )?;
    }
    Ok(())
}

fn add_odd_fields(transaction: &Transaction<'_>, source: i64, fields: &[OddField]) -> Result<(), Error> {
    for field in fields {
        let OddField {
            field,
            count,
            sample,
            path,
        } = field;
        transaction.execute(
            "INSERT INTO odd_field SELECT ?1, ?2, ?3, ?4, ?5
             WHERE EXISTS (SELECT 1 FROM odd_field WHERE source = ?1 AND field = ?2)
                OR (SELECT count(*) FROM odd_field WHERE source = ?1) < ?6
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
            params![source, field, *count as i64, sample, path, SHAPES_MAX],
        )?;
    }
    Ok(())
}

fn put_split_lines(transaction: &Transaction<'_>, source: i64, lines: Option<&str>) -> Result<(), Error> {
    match lines {
        None => {}
        Some("") => {
            transaction.execute("DELETE FROM split_line WHERE source = ?1", [source])?;
        }
        Some(lines) => {
            transaction.execute(
                "INSERT OR REPLACE INTO split_line VALUES (?1, ?2)",
                params![source, lines],
            )?;
        }
    }
    Ok(())
}

/// `source` has the open messages.
fn put_changes(transaction: &Transaction<'_>, source: i64, changes: &Changes) -> Result<(), Error> {
    // First: Postfix uses an ID again as soon as it is free.
    let mut delete = transaction.prepare_cached("DELETE FROM open_message WHERE source = ?1 AND queue_id = ?2")?;
    for id in &changes.deletes {
        delete.execute(params![source, id.as_bytes()])?;
    }
    let mut put = transaction.prepare_cached(
        "INSERT INTO open_message VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET last_ms = excluded.last_ms, state = excluded.state",
    )?;
    for (id, record) in &changes.upserts {
        let state = serde_json::to_string(record).map_err(catalogue::Error::from)?;
        put.execute(params![source, id.as_bytes(), record.last_ms, state])?;
    }
    Ok(())
}
