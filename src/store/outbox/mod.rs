//! The outbox: what is to be sent to another store, in the order in which it became true here.
//!
//! A payload comes into being by the transaction that makes it true: a segment's own bytes (a hard link to its file, so that
//! compaction cannot touch it), the rows that a later log changed (the old ones taken back, the new ones said), and the
//! lines that a commit counted. Replayed in order, the outbox gives the rows of the store. A payload leaves it when it has
//! been taken; one that is refused stays, aside, until somebody decides.
//!
//! Small payloads go out together. Which do is written down before they are sent, so that a repetition has the same rows
//! under the same token.

mod minutes;
mod resume;

use super::{Error, Store, catalogue, columnar};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::fs;
use std::path::PathBuf;

/// Name of the state that says that nobody has decided what becomes of what was sent.
pub(super) const UNDECIDED: &str = "ship_undecided";

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// New rows.
    Rows,
    /// Rows that are taken back, and what is said instead: column `sign`.
    Changes,
    /// Lines by minute, and what became of them.
    Minutes,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Rows, Kind::Changes, Kind::Minutes];

    /// By its name in the catalogue.
    pub(super) fn named(name: &str) -> Kind {
        let known = Kind::ALL.into_iter().find(|known| known.as_str() == name);
        known.unwrap_or(Kind::Rows)
    }

    /// Its name in the catalogue.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Rows => "rows",
            Kind::Changes => "changes",
            Kind::Minutes => "minutes",
        }
    }
}

/// Payloads that go out together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Number: that of its first payload.
    pub id: i64,
    /// What it is of.
    pub kind: Kind,
    /// Payloads, oldest first.
    pub payloads: Vec<i64>,
    /// Rows.
    pub rows: u64,
    /// Counts deliberate repetitions.
    pub generation: i64,
    /// Hash of the payloads' hashes.
    pub hash: String,
    /// When the oldest of them was posted, UTC milliseconds.
    pub created_ms: i64,
}

/// What waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Payloads that are not sent, those that are aside not among them.
    pub payloads: u64,
    /// Bytes of all, on disk.
    pub bytes: u64,
    /// When the oldest was posted, UTC milliseconds.
    pub oldest_ms: Option<i64>,
    /// Payloads that were refused, and the reason of the oldest.
    pub refused: u64,
    /// Why.
    pub why: Option<String>,
    /// When something was sent last, UTC milliseconds.
    pub sent_ms: Option<i64>,
    /// By how much the server's clock is ahead of this host's, milliseconds, when it was last asked.
    pub clock_ahead_ms: i64,
}

/// Bounds of a batch.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// Rows; a server drops repeated blocks only below half a million.
    pub rows: u64,
    /// Payloads.
    pub payloads: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        BatchLimits {
            rows: 250_000,
            payloads: 2_000,
        }
    }
}

/// Where a payload's bytes come from.
pub(super) enum Bytes<'b> {
    /// A segment's file.
    Segment(i64),
    /// These.
    Given(&'b [u8]),
}

impl Store {
    /// From now on what is committed is posted, up to so many bytes. The first time, what is there already is posted too.
    /// Nothing is where the catalogue was rebuilt: see [`Store::ship_undecided`].
    pub fn start_shipping(&mut self, bytes_max: u64) -> Result<(), Error> {
        if self.ship_undecided()? {
            // What is committed meanwhile is compared with what the server has, when that is decided.
            self.outbox_bytes_max = None;
            return Ok(());
        }
        self.outbox_bytes_max = Some(bytes_max);
        let folder = self.outbox_folder();
        crate::files::make_folder(&folder).map_err(|source| Error::Io { path: folder, source })?;
        let segments = self.segments(i64::MIN, i64::MAX)?;
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        if get(&transaction, "ship_gap")? != 0 {
            return Err(Error::ShipGap {
                path: self.path().to_owned(),
            });
        }
        if get(&transaction, "shipping")? != 1 {
            // What comes back later has not been sent either.
            transaction.execute("UPDATE missing SET sent = 0", [])?;
            if get(&transaction, "store_id")? == 0 {
                put(&transaction, "store_id", random() & i64::MAX)?;
            }
            for segment in &segments {
                self.post_segment(&transaction, segment)?;
            }
            let minutes = minutes::all(&transaction)?;
            for rows in minutes.chunks(20_000) {
                self.post(
                    &transaction,
                    Kind::Minutes,
                    0,
                    rows.len() as u64,
                    &Bytes::Given(rows.concat().as_bytes()),
                )?;
            }
            put(&transaction, "shipping", 1)?;
        }
        self.sync_outbox()?;
        transaction.commit()?;
        Ok(())
    }

    /// Whether the catalogue was rebuilt and nobody has said what the server keeps: then nothing is posted, and nothing sent.
    pub fn ship_undecided(&self) -> Result<bool, Error> {
        Ok(get(&self.connection(), UNDECIDED)? != 0)
    }

    /// Notes that something becomes true here that is not posted, although earlier things were.
    pub(super) fn note_gap(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        match !self.ships() && get(transaction, "shipping")? == 1 {
            true => put(transaction, "ship_gap", 1),
            false => Ok(()),
        }
    }

    /// Forgets what was sent and what waits: the next [`Store::start_shipping`] posts everything, under tokens that no server
    /// has seen.
    pub fn ship_anew(&mut self) -> Result<(), Error> {
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        transaction.execute("DELETE FROM outbox", [])?;
        for (name, value) in [
            (UNDECIDED, 0),
            ("shipping", 0),
            ("ship_gap", 0),
            ("outbox_bytes", 0),
            ("store_id", random() & i64::MAX),
        ] {
            put(&transaction, name, value)?;
        }
        transaction.commit()?;
        drop(connection);
        // The segments that these payloads were made of are there.
        for path in self.unposted()? {
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    /// Whether what is committed is posted.
    pub fn ships(&self) -> bool {
        self.outbox_bytes_max.is_some()
    }

    /// Refuses a commit when the outbox is full: what cannot be sent is not read either.
    pub(super) fn outbox_has_room(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let Some(max) = self.outbox_bytes_max else {
            return Ok(());
        };
        let bytes = get(transaction, "outbox_bytes")? as u64;
        match bytes > max {
            true => Err(Error::OutboxFull {
                path: self.outbox_folder(),
                bytes,
                max,
            }),
            false => Ok(()),
        }
    }

    /// Posts a segment's rows.
    pub(super) fn post_segment(
        &self,
        transaction: &Transaction<'_>,
        segment: &catalogue::Segment,
    ) -> Result<(), Error> {
        let bytes = Bytes::Segment(segment.id);
        self.post(transaction, Kind::Rows, segment.day, segment.rows, &bytes)
    }

    /// Posts a payload, by the transaction that makes it true. The folder is to be synced before that commits.
    pub(super) fn post(
        &self,
        transaction: &Transaction<'_>,
        kind: Kind,
        day: i64,
        rows: u64,
        bytes: &Bytes<'_>,
    ) -> Result<(), Error> {
        let last: Option<i64> = transaction
            .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'", [], |row| {
                row.get(0)
            })
            .optional()?;
        let id = last.unwrap_or(0) + 1;
        let path = self.payload_path(id, kind);
        let _ = fs::remove_file(&path);
        let io = |source| Error::Io {
            path: path.clone(),
            source,
        };
        let hash = match bytes {
            Bytes::Segment(segment) => {
                let from = self.events_path(*segment);
                // Some file systems know no hard links.
                fs::hard_link(&from, &path)
                    .or_else(|_| fs::copy(&from, &path).map(|_| ()))
                    .map_err(io)?;
                transaction.query_row("SELECT events_hash FROM segment WHERE id = ?1", [segment], |row| {
                    row.get(0)
                })?
            }
            Bytes::Given(bytes) => {
                self.write_file(&path, bytes)?;
                blake3::hash(bytes).to_hex().to_string()
            }
        };
        let size = fs::metadata(&path).map_err(io)?.len() as i64;
        transaction.execute(
            "INSERT INTO outbox (id, kind, day, rows, bytes, hash, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6,
             CAST(unixepoch('subsec') * 1000 AS INTEGER))",
            params![id, kind.as_str(), day, rows as i64, size, hash],
        )?;
        put(transaction, "outbox_bytes", get(transaction, "outbox_bytes")? + size)
    }

    /// What goes out next: a batch that was begun, or a new one of the oldest payloads.
    pub fn next_batch(&self, limits: &BatchLimits) -> Result<Option<Batch>, Error> {
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        let begun: Option<i64> = transaction.query_row(
            "SELECT min(batch) FROM outbox WHERE batch IS NOT NULL AND refused IS NULL",
            [],
            |row| row.get(0),
        )?;
        let id = match begun {
            Some(id) => id,
            None => match begin_batch(&transaction, limits)? {
                Some(id) => id,
                None => return Ok(None),
            },
        };
        let batch = read_batch(&transaction, id)?;
        if let (None, Some(batch)) = (begun, &batch) {
            // Before it is begun: what is begun counts as sent when its segment is mended.
            self.payloads_are_whole(&transaction, batch)?;
        }
        transaction.commit()?;
        Ok(batch)
    }

    /// The bytes of a batch, the same however often it is asked for: Parquet, or JSON lines.
    pub fn batch_bytes(&self, batch: &Batch) -> Result<Vec<u8>, Error> {
        let paths: Vec<PathBuf> = batch
            .payloads
            .iter()
            .map(|id| self.payload_path(*id, batch.kind))
            .collect();
        self.payloads_are_whole(&self.connection(), batch)?;
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|source| Error::Io {
                path: path.clone(),
                source,
            })
        };
        match (batch.kind, &paths[..]) {
            (_, [only]) => read(only),
            (Kind::Minutes, all) => Ok(all.iter().map(read).collect::<Result<Vec<_>, _>>()?.concat()),
            (_, all) => Ok(columnar::concatenate(all)?),
        }
    }

    /// What is not what was posted is not sent.
    fn payloads_are_whole(&self, connection: &Connection, batch: &Batch) -> Result<(), Error> {
        let mut find = connection.prepare_cached("SELECT hash FROM outbox WHERE id = ?1")?;
        for id in &batch.payloads {
            let path = self.payload_path(*id, batch.kind);
            let hash: String = find.query_row([id], |row| row.get(0))?;
            let damaged = |what: String| columnar::Error::Damaged {
                path: path.clone(),
                what: format!("{what}; nothing is sent: `mailpulse store repair` mends it"),
            };
            let bytes = fs::read(&path).map_err(|error| damaged(error.to_string()))?;
            if blake3::hash(&bytes).to_hex().as_str() != hash {
                return Err(damaged("it is not what was posted (hash differs)".to_owned()).into());
            }
        }
        Ok(())
    }

    /// A token that is the batch's alone: of this store, this batch, these bytes, and this try of an operator's.
    pub fn token(&self, batch: &Batch) -> Result<String, Error> {
        let store = get(&self.connection(), "store_id")?;
        Ok(format!(
            "{store:016x}-{}-{}-{}",
            batch.id,
            batch.generation,
            &batch.hash[..32]
        ))
    }

    /// The batch has been taken.
    pub fn sent(&self, batch: &Batch) -> Result<(), Error> {
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        let bytes: i64 = transaction.query_row(
            "SELECT coalesce(sum(bytes), 0) FROM outbox WHERE batch = ?1",
            [batch.id],
            |row| row.get(0),
        )?;
        transaction.execute("DELETE FROM outbox WHERE batch = ?1", [batch.id])?;
        put(&transaction, "outbox_bytes", get(&transaction, "outbox_bytes")? - bytes)?;
        transaction.execute(
            "INSERT INTO state VALUES ('sent_ms', CAST(unixepoch('subsec') * 1000 AS INTEGER))
             ON CONFLICT DO UPDATE SET value = excluded.value",
            [],
        )?;
        transaction.commit()?;
        drop(connection);
        for id in &batch.payloads {
            let path = self.payload_path(*id, batch.kind);
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove what was sent");
            }
        }
        Ok(())
    }

    /// This host's clock, UTC milliseconds.
    pub fn clock_ms(&self) -> Result<i64, Error> {
        let now = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
        Ok(self.connection().query_row(now, [], |row| row.get(0))?)
    }

    /// Notes by how much the server's clock is ahead.
    pub fn note_clock(&self, ahead_ms: i64) -> Result<(), Error> {
        put(&self.connection(), "clock_ahead_ms", ahead_ms)
    }

    /// The batch will never be taken as it is: aside with it.
    pub fn set_aside(&self, batch: &Batch, why: &str) -> Result<(), Error> {
        self.connection().execute(
            "UPDATE outbox SET refused = ?2 WHERE batch = ?1",
            params![batch.id, why],
        )?;
        Ok(())
    }

    /// What is aside is to be tried again, under a new token. Returns how many payloads.
    pub fn retry_refused(&self) -> Result<u64, Error> {
        let changed = self.connection().execute(
            "UPDATE outbox SET refused = NULL, generation = generation + 1 WHERE refused IS NOT NULL",
            [],
        )?;
        Ok(changed as u64)
    }

    /// What waits; None where nothing was ever posted.
    pub fn waiting(&self) -> Result<Option<Waiting>, Error> {
        let connection = self.connection();
        if get(&connection, "shipping")? == 0 {
            return Ok(None);
        }
        let (payloads, oldest_ms): (i64, Option<i64>) = connection.query_row(
            "SELECT count(*), min(created_ms) FROM outbox WHERE refused IS NULL",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let refused: i64 =
            connection.query_row("SELECT count(*) FROM outbox WHERE refused IS NOT NULL", [], |row| {
                row.get(0)
            })?;
        let why = connection
            .query_row(
                "SELECT refused FROM outbox WHERE refused IS NOT NULL ORDER BY id LIMIT 1",
                [],
                |row| row.get(0),
            )
            .optional()?;
        let sent = get(&connection, "sent_ms")?;
        Ok(Some(Waiting {
            payloads: payloads as u64,
            bytes: get(&connection, "outbox_bytes")? as u64,
            oldest_ms,
            refused: refused as u64,
            why,
            sent_ms: (sent > 0).then_some(sent),
            clock_ahead_ms: get(&connection, "clock_ahead_ms")?,
        }))
    }

    pub(super) fn outbox_folder(&self) -> PathBuf {
        self.path().join("outbox")
    }

    pub(super) fn payload_path(&self, id: i64, kind: Kind) -> PathBuf {
        let end = if kind == Kind::Minutes { "json" } else { "parquet" };
        self.outbox_folder().join(format!("{id}.{}.{end}", kind.as_str()))
    }

    /// After links and files were made, before the transaction that names them.
    pub(super) fn sync_outbox(&self) -> Result<(), Error> {
        let folder = self.outbox_folder();
        let sync = fs::File::open(&folder).and_then(|file| file.sync_all());
        sync.map_err(|source| Error::Io { path: folder, source })
    }

    /// Sets aside files of payloads that no transaction posted, or that were sent.
    pub(super) fn tidy_outbox(&self) -> Result<(), Error> {
        self.set_aside_files(&self.unposted()?)
    }

    fn unposted(&self) -> Result<Vec<PathBuf>, Error> {
        let Ok(entries) = fs::read_dir(self.outbox_folder()) else {
            return Ok(Vec::new());
        };
        let connection = self.connection();
        let mut known = connection.prepare("SELECT 1 FROM outbox WHERE id = ?1")?;
        let mut unposted = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()) {
            let id = path
                .file_name()
                .and_then(|name| name.to_str()?.split('.').next()?.parse::<i64>().ok());
            let is_known = match id {
                Some(id) => known.exists([id])?,
                None => false,
            };
            if !is_known {
                unposted.push(path);
            }
        }
        Ok(unposted)
    }
}

/// Payloads that may go out now. Corrections wait for older rows of their day, and for older corrections that were refused: a
/// server keeps the last of several rows of one event, and must get them in their order.
const FREE: &str = "batch IS NULL AND refused IS NULL AND NOT (kind = 'changes' AND EXISTS (
    SELECT 1 FROM outbox AS older WHERE older.id < outbox.id AND older.day = outbox.day
        AND (older.kind = 'rows' OR older.kind = 'changes' AND older.refused IS NOT NULL)))";

/// Writes down which payloads go out together: of the kind and day of the oldest.
fn begin_batch(transaction: &Transaction<'_>, limits: &BatchLimits) -> Result<Option<i64>, Error> {
    let oldest: Option<(i64, String, i64)> = transaction
        .query_row(
            &format!("SELECT id, kind, day FROM outbox WHERE {FREE} ORDER BY id LIMIT 1"),
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((first, kind, day)) = oldest else {
        return Ok(None);
    };
    let ids: Vec<(i64, i64)> = transaction
        .prepare(&format!(
            "SELECT id, rows FROM outbox WHERE {FREE} AND kind = ?1 AND day = ?2 ORDER BY id LIMIT ?3"
        ))?
        .query_map(params![kind, day, limits.payloads as i64], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut rows = 0;
    for (id, more) in ids {
        rows += more as u64;
        if id != first && rows > limits.rows {
            break;
        }
        transaction.execute("UPDATE outbox SET batch = ?2 WHERE id = ?1", [id, first])?;
    }
    Ok(Some(first))
}

fn read_batch(transaction: &Transaction<'_>, id: i64) -> Result<Option<Batch>, Error> {
    let mut find = transaction
        .prepare("SELECT id, kind, rows, hash, generation, created_ms FROM outbox WHERE batch = ?1 ORDER BY id")?;
    let mut found = find.query([id])?;
    let mut batch: Option<Batch> = None;
    let mut hasher = blake3::Hasher::new();
    while let Some(row) = found.next()? {
        let kind: String = row.get(1)?;
        let batch = batch.get_or_insert(Batch {
            id,
            kind: Kind::named(&kind),
            payloads: Vec::new(),
            rows: 0,
            generation: row.get(4)?,
            hash: String::new(),
            created_ms: row.get(5)?,
        });
        batch.payloads.push(row.get(0)?);
        batch.rows += row.get::<_, i64>(2)? as u64;
        hasher.update(row.get::<_, String>(3)?.as_bytes());
    }
    Ok(batch.map(|batch| Batch {
        hash: hasher.finalize().to_hex().to_string(),
        ..batch
    }))
}

pub(super) fn get(connection: &Connection, name: &str) -> Result<i64, Error> {
    let value = connection
        .query_row("SELECT value FROM state WHERE name = ?1", [name], |row| row.get(0))
        .optional()?;
    Ok(value.unwrap_or(0))
}

pub(super) fn put(connection: &Connection, name: &str, value: i64) -> Result<(), Error> {
    connection.execute(
        "INSERT INTO state VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
        params![name, value],
    )?;
    Ok(())
}

/// A number that nobody else has: the seed that the standard library takes from the system.
pub(super) fn random() -> i64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish() as i64
}
