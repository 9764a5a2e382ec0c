//! Segments and payloads that are broken. Rates are made again of the events, a segment of the payload that has the same
//! bytes, a payload of the segment; what is left goes to `lost+found/`, and its rows are noted as missing, so that the next
//! `backfill` or `tail` reads them again from the logs ([`crate::store::reread`]).

use crate::store::catalogue::{self, Segment};
use crate::store::incomplete::Part;
use crate::store::outbox::Kind;
use crate::store::{Error, Store, columnar, maintain};
use rusqlite::{OptionalExtension, Transaction, params};
use std::path::{Path, PathBuf};

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mended {
    /// Segments that were looked at.
    pub segments: u64,
    /// Rates that were made again of their events.
    pub rates: u64,
    /// Files that were there in another place.
    pub copied: u64,
    /// Segments whose rows are missing now.
    pub quarantined: u64,
    /// Their rows.
    pub rows: u64,
    /// Payloads that cannot be made again: the server lacks what they said.
    pub payloads_lost: u64,
}

/// A payload of the outbox, as the catalogue has it.
struct Payload {
    id: i64,
    path: PathBuf,
    kind: String,
    hash: String,
    bytes: i64,
    /// It was begun to be sent: whether it was is not known.
    begun: bool,
}

impl Store {
    /// Looks at every segment and payload, and mends what it can.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn repair_segments(&self) -> Result<Mended, Error> {
        let mut mended = Mended::default();
        for segment in self.segments(i64::MIN, i64::MAX)? {
            mended.segments += 1;
            self.repair_segment(&segment, &mut mended)?;
        }
        self.repair_payloads(&mut mended)?;
        Ok(mended)
    }

    fn repair_segment(&self, segment: &Segment, mended: &mut Mended) -> Result<(), Error> {
        let events = self.path_of(segment.id, Part::Events);
        if maintain::verify_file(&events, &segment.events_hash, Some(segment.rows)).is_err() {
            match self.payload_with(&segment.events_hash)? {
                Some(path) => {
                    self.put_copy(&path, &events)?;
                    mended.copied += 1;
                }
                None => {
                    self.quarantine(segment)?;
                    mended.quarantined += 1;
                    mended.rows += segment.rows;
                    return Ok(());
                }
            }
        }
        let rates = self.path_of(segment.id, Part::Rates);
        if maintain::verify_file(&rates, &segment.rates_hash, None).is_err() {
            let bytes = columnar::rates_of(&events)?;
            self.set_aside_files(std::slice::from_ref(&rates))?;
            self.write_file(&rates, &bytes)?;
            self.sync_folder()?;
            self.connection().execute(
                "UPDATE segment SET rates_bytes = ?2, rates_hash = ?3 WHERE id = ?1",
                params![segment.id, bytes.len() as i64, blake3::hash(&bytes).to_hex().as_str()],
            )?;
            mended.rates += 1;
        }
        Ok(())
    }

    /// Notes a segment's rows as missing, and sets its files aside.
    fn quarantine(&self, segment: &Segment) -> Result<(), Error> {
        let files = [Part::Events, Part::Rates].map(|part| self.path_of(segment.id, part));
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        // Its payload, if it waits still, has the same bytes: they are as broken.
        let payload: Option<(i64, bool)> = transaction
            .query_row(
                "SELECT id, batch IS NOT NULL FROM outbox WHERE kind = 'rows' AND hash = ?1",
                [&segment.events_hash],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        // What is begun may have been sent, and what was sent must not be sent again under another token.
        let unsent = payload.filter(|(_, begun)| !begun).map(|(id, _)| id);
        note_missing(&transaction, segment, unsent.is_none())?;
        transaction.execute("DELETE FROM orphan WHERE segment = ?1", [segment.id])?;
        transaction.execute("DELETE FROM segment WHERE id = ?1", [segment.id])?;
        let mut files = files.to_vec();
        if let Some(id) = unsent {
            self.drop_payload(&transaction, id)?;
            files.push(self.payload_path(id, Kind::Rows));
        }
        transaction.commit()?;
        drop(connection);
        self.set_aside_files(&files)
    }

    /// A payload that has these bytes.
    fn payload_with(&self, hash: &str) -> Result<Option<PathBuf>, Error> {
        let payloads = self.payloads()?;
        let same = payloads.into_iter().filter(|payload| payload.hash == hash);
        Ok(same.map(|payload| payload.path).find(|path| has_hash(path, hash)))
    }

    fn repair_payloads(&self, mended: &mut Mended) -> Result<(), Error> {
        for payload in self.payloads()? {
            if has_hash(&payload.path, &payload.hash) {
                continue;
            }
            let segment: Option<i64> = self
                .connection()
                .query_row(
                    "SELECT id FROM segment WHERE events_hash = ?1",
                    [&payload.hash],
                    |row| row.get(0),
                )
                .optional()?;
            let events = segment.map(|id| self.events_path(id));
            match events.filter(|path| payload.kind == Kind::Rows.as_str() && has_hash(path, &payload.hash)) {
                Some(path) => {
                    self.put_copy(&path, &payload.path)?;
                    mended.copied += 1;
                }
                None => {
                    self.give_up(&payload)?;
                    mended.payloads_lost += 1;
                }
            }
        }
        Ok(())
    }

    /// What the payload said cannot be said again: everything must be sent anew.
    fn give_up(&self, payload: &Payload) -> Result<(), Error> {
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        self.drop_payload(&transaction, payload.id)?;
        transaction.execute(
            "INSERT INTO state VALUES ('ship_gap', 1) ON CONFLICT DO UPDATE SET value = 1",
            [],
        )?;
        transaction.commit()?;
        drop(connection);
        tracing::warn!(
            path = %payload.path.display(), bytes = payload.bytes, begun = payload.begun,
            "cannot be made again: the server lacks what it said"
        );
        self.set_aside_files(std::slice::from_ref(&payload.path))
    }

    fn drop_payload(&self, transaction: &Transaction<'_>, id: i64) -> Result<(), Error> {
        transaction.execute(
            "UPDATE state SET value = value - coalesce((SELECT bytes FROM outbox WHERE id = ?1), 0)
             WHERE name = 'outbox_bytes'",
            [id],
        )?;
        transaction.execute("DELETE FROM outbox WHERE id = ?1", [id])?;
        Ok(())
    }

    /// All payloads that are in the outbox.
    fn payloads(&self) -> Result<Vec<Payload>, Error> {
        let connection = self.connection();
        let mut all = connection.prepare("SELECT id, kind, hash, bytes, batch IS NOT NULL FROM outbox ORDER BY id")?;
        let rows = all.query_map([], |row| {
            Ok((
                row.get(0)?,
                row.get::<_, String>(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
            ))
        })?;
        let payload = |(id, kind, hash, bytes, begun): (i64, String, String, i64, bool)| Payload {
            id,
            path: self.payload_path(id, Kind::named(&kind)),
            kind,
            hash,
            bytes,
            begun,
        };
        Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().map(payload).collect())
    }

    /// What is wrong with the payloads that wait, one line each.
    pub(in crate::store) fn payload_faults(&self) -> Result<Vec<String>, Error> {
        let broken = self
            .payloads()?
            .into_iter()
            .filter(|payload| !has_hash(&payload.path, &payload.hash));
        let words = broken.map(|payload| {
            format!(
                "{}: its content is not what is to be sent (hash differs); `mailpulse store repair` mends it",
                payload.path.display()
            )
        });
        Ok(words.collect())
    }

    /// Puts a copy of a file in the place of another; what stood there goes to `lost+found/`.
    fn put_copy(&self, from: &Path, to: &Path) -> Result<(), Error> {
        let bytes = std::fs::read(from).map_err(|source| Error::Io {
            path: from.to_owned(),
            source,
        })?;
        self.set_aside_files(&[to.to_owned()])?;
        self.write_file(to, &bytes)?;
        self.sync_folder()?;
        match to.starts_with(self.outbox_folder()) {
            true => self.sync_outbox(),
            false => Ok(()),
        }
    }
}

/// Whether a file has these bytes.
fn has_hash(path: &Path, hash: &str) -> bool {
    std::fs::read(path).is_ok_and(|bytes| blake3::hash(&bytes).to_hex().as_str() == hash)
}

fn note_missing(transaction: &Transaction<'_>, segment: &Segment, sent: bool) -> Result<(), Error> {
    let mut logs = transaction.prepare("SELECT log, first_offset, last_offset FROM segment_log WHERE segment = ?1")?;
    let spans = logs.query_map([segment.id], |row| {
        Ok(crate::store::reread::Span {
            log: row.get::<_, i64>(0)? as u64,
            first: row.get::<_, i64>(1)? as u64,
            last: row.get::<_, i64>(2)? as u64,
        })
    })?;
    let spans = spans.collect::<Result<Vec<_>, _>>()?;
    let spans = serde_json::to_string(&spans).map_err(catalogue::Error::from)?;
    let linked_to: Option<i64> = transaction
        .query_row("SELECT value FROM state WHERE name = 'hops_linked_to'", [], |row| {
            row.get(0)
        })
        .optional()?;
    // What was read again, and broke before it was linked, is as it was.
    transaction.execute(
        "INSERT OR REPLACE INTO missing (segment, source, day, first_ms, last_ms, rows, sent, linked, noted_ms, logs)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, CAST(unixepoch('subsec') * 1000 AS INTEGER), ?9)",
        params![
            segment.id,
            segment.source,
            segment.day,
            segment.first_ms,
            segment.last_ms,
            segment.rows as i64,
            sent,
            linked_to.is_some_and(|to| segment.id <= to),
            spans
        ],
    )?;
    Ok(())
}
