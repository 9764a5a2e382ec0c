//! Payloads that wait in the outbox, and which of them go out together.

use super::{CatalogueError, Connection, numbers};
use crate::model::time::{CivilDay, UtcMs};
use rusqlite::{OptionalExtension as _, params};

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PayloadKind {
    /// New rows.
    Rows,
    /// Rows that are taken back, and what is said instead: column `sign`.
    Changes,
    /// Lines by minute, and what became of them.
    Minutes,
}

impl PayloadKind {
    const ALL: [PayloadKind; 3] = [PayloadKind::Rows, PayloadKind::Changes, PayloadKind::Minutes];

    /// By its name in the catalogue.
    pub fn named(name: &str) -> PayloadKind {
        let known = PayloadKind::ALL.into_iter().find(|known| known.as_str() == name);
        known.unwrap_or(PayloadKind::Rows)
    }

    /// Its name in the catalogue.
    pub fn as_str(self) -> &'static str {
        match self {
            PayloadKind::Rows => "rows",
            PayloadKind::Changes => "changes",
            PayloadKind::Minutes => "minutes",
        }
    }
}

/// Payloads that go out together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadBatch {
    /// Number: that of its first payload.
    pub id: i64,
    /// What it is of.
    pub kind: PayloadKind,
    /// Payloads, oldest first.
    pub payloads: Vec<i64>,
    /// Rows.
    pub rows: u64,
    /// Counts deliberate repetitions.
    pub generation: i64,
    /// Hash of the payloads' hashes.
    pub hash: String,
    /// When the oldest of them was posted, UTC milliseconds.
    pub created_ms: UtcMs,
}

/// What waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboxState {
    /// Payloads that are not sent, those that are aside not among them.
    pub payloads: u64,
    /// Bytes of all, on disk.
    pub bytes: u64,
    /// When the oldest was posted, UTC milliseconds.
    pub oldest_ms: Option<UtcMs>,
    /// Payloads that were refused, and the reason of the oldest.
    pub refused: u64,
    /// Why.
    pub why: Option<String>,
    /// When something was sent last, UTC milliseconds.
    pub sent_ms: Option<UtcMs>,
    /// By how much the server's clock is ahead of this host's, milliseconds, when it was last asked.
    pub clock_ahead_ms: i64,
}

/// Bounds of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchLimits {
    /// Rows; a server drops repeated blocks only below half a million.
    pub rows: u64,
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

/// A payload, as the catalogue has it.
#[derive(Debug)]
pub struct Payload {
    /// Its number.
    pub id: i64,
    /// What it is.
    pub kind: PayloadKind,
    /// Hash of its file.
    pub hash: String,
    /// Size of its file.
    pub bytes: i64,
    /// It was begun to be sent: whether it was is not known.
    pub begun: bool,
}

/// Bytes of all payloads, in the table `state`.
const BYTES: &str = "outbox_bytes";

/// Bytes of all payloads.
pub(crate) fn payload_bytes(connection: &Connection) -> Result<u64, CatalogueError> {
    Ok(numbers::get(connection, BYTES)? as u64)
}

/// The number of the next payload.
pub(crate) fn next_payload(connection: &Connection) -> Result<i64, CatalogueError> {
    let last: Option<i64> = connection
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'", [], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(last.unwrap_or(0) + 1)
}

/// A payload that is to be posted; its number was taken from [`next_payload`].
#[derive(Debug)]
pub(crate) struct NewPayload<'p> {
    /// Its number.
    pub id: i64,
    /// What it is.
    pub kind: PayloadKind,
    /// Day of its rows since the epoch, UTC; 0 for lines.
    pub day: CivilDay,
    pub rows: u64,
    /// Size of its file.
    pub bytes: u64,
    /// Hash of its file.
    pub hash: &'p str,
}

/// Posts a payload.
pub(crate) fn insert_payload(connection: &Connection, payload: &NewPayload<'_>) -> Result<(), CatalogueError> {
    let NewPayload {
        id,
        kind,
        day,
        rows,
        bytes,
        hash,
    } = payload;
    connection.execute(
        "INSERT INTO outbox (id, kind, day, rows, bytes, hash, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6,
         CAST(unixepoch('subsec') * 1000 AS INTEGER))",
        params![id, kind.as_str(), day.get(), *rows as i64, *bytes as i64, hash],
    )?;
    numbers::add(connection, BYTES, *bytes as i64)
}

/// Takes a payload back that was not sent.
pub(crate) fn remove_payload(connection: &Connection, payload: i64) -> Result<(), CatalogueError> {
    connection.execute(
        "UPDATE state SET value = value - coalesce((SELECT bytes FROM outbox WHERE id = ?1), 0)
         WHERE name = 'outbox_bytes'",
        [payload],
    )?;
    connection.execute("DELETE FROM outbox WHERE id = ?1", [payload])?;
    Ok(())
}

/// Takes all payloads back.
pub(crate) fn remove_payloads(connection: &Connection) -> Result<(), CatalogueError> {
    connection.execute("DELETE FROM outbox", [])?;
    numbers::put(connection, BYTES, 0)
}

/// All payloads, oldest first.
pub fn payloads(connection: &Connection) -> Result<Vec<Payload>, CatalogueError> {
    let mut all = connection.prepare("SELECT id, kind, hash, bytes, batch IS NOT NULL FROM outbox ORDER BY id")?;
    let rows = all.query_map([], |row| {
        Ok(Payload {
            id: row.get(0)?,
            kind: PayloadKind::named(&row.get::<_, String>(1)?),
            hash: row.get(2)?,
            bytes: row.get(3)?,
            begun: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether there is a payload of this number.
pub(crate) fn has_payload(connection: &Connection, payload: i64) -> Result<bool, CatalogueError> {
    let mut find = connection.prepare_cached("SELECT 1 FROM outbox WHERE id = ?1")?;
    Ok(find.exists([payload])?)
}

/// Hash of a payload's file.
pub(crate) fn payload_hash(connection: &Connection, payload: i64) -> Result<String, CatalogueError> {
    let mut find = connection.prepare_cached("SELECT hash FROM outbox WHERE id = ?1")?;
    Ok(find.query_row([payload], |row| row.get(0))?)
}

/// The payload of a segment's rows: its number, and whether it was begun to be sent.
pub(crate) fn payload_of_rows(connection: &Connection, hash: &str) -> Result<Option<(i64, bool)>, CatalogueError> {
    let payload = connection
        .query_row(
            "SELECT id, batch IS NOT NULL FROM outbox WHERE kind = 'rows' AND hash = ?1",
            [hash],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(payload)
}

/// Payloads that may go out now. Corrections wait for older rows of their day, and for older corrections that were refused: a
/// server keeps the last of several rows of one event, and must get them in their order.
const FREE: &str = "batch IS NULL AND refused IS NULL AND NOT (kind = 'changes' AND EXISTS (
    SELECT 1 FROM outbox AS older WHERE older.id < outbox.id AND older.day = outbox.day
        AND (older.kind = 'rows' OR older.kind = 'changes' AND older.refused IS NOT NULL)))";

/// What goes out next, and whether it was begun before: a batch that was begun, or a new one of the oldest payloads.
pub(crate) fn next_batch(
    connection: &Connection,
    limits: &BatchLimits,
) -> Result<Option<(PayloadBatch, bool)>, CatalogueError> {
    let begun: Option<i64> = connection.query_row(
        "SELECT min(batch) FROM outbox WHERE batch IS NOT NULL AND refused IS NULL",
        [],
        |row| row.get(0),
    )?;
    let id = match begun {
        Some(id) => id,
        None => match begin_batch(connection, limits)? {
            Some(id) => id,
            None => return Ok(None),
        },
    };
    Ok(read_batch(connection, id)?.map(|batch| (batch, begun.is_some())))
}

/// Writes down which payloads go out together: of the kind and day of the oldest.
fn begin_batch(transaction: &Connection, limits: &BatchLimits) -> Result<Option<i64>, CatalogueError> {
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

fn read_batch(transaction: &Connection, id: i64) -> Result<Option<PayloadBatch>, CatalogueError> {
    let mut find = transaction
        .prepare("SELECT id, kind, rows, hash, generation, created_ms FROM outbox WHERE batch = ?1 ORDER BY id")?;
    let mut found = find.query([id])?;
    let mut batch: Option<PayloadBatch> = None;
    let mut hasher = blake3::Hasher::new();
    while let Some(row) = found.next()? {
        let kind: String = row.get(1)?;
        let batch = batch.get_or_insert(PayloadBatch {
            id,
            kind: PayloadKind::named(&kind),
            payloads: Vec::new(),
            rows: 0,
            generation: row.get(4)?,
            hash: String::new(),
            created_ms: row.get(5).map(UtcMs::new)?,
        });
        batch.payloads.push(row.get(0)?);
        batch.rows += row.get::<_, i64>(2)? as u64;
        hasher.update(row.get::<_, String>(3)?.as_bytes());
    }
    Ok(batch.map(|batch| PayloadBatch {
        hash: hasher.finalize().to_hex().to_string(),
        ..batch
    }))
}

/// A batch has been taken.
pub(crate) fn remove_batch(connection: &Connection, batch: i64) -> Result<(), CatalogueError> {
    let bytes: i64 = connection.query_row(
        "SELECT coalesce(sum(bytes), 0) FROM outbox WHERE batch = ?1",
        [batch],
        |row| row.get(0),
    )?;
    connection.execute("DELETE FROM outbox WHERE batch = ?1", [batch])?;
    numbers::add(connection, BYTES, -bytes)?;
    numbers::put(connection, "sent_ms", numbers::clock_ms(connection)?.get())
}

/// A batch will never be taken as it is: it is quarantined.
pub(crate) fn quarantine_batch(connection: &Connection, batch: i64, why: &str) -> Result<(), CatalogueError> {
    connection.execute("UPDATE outbox SET refused = ?2 WHERE batch = ?1", params![batch, why])?;
    Ok(())
}

/// What is quarantined is to be tried again, under a new token. Returns how many payloads.
pub(crate) fn release_quarantined(connection: &Connection) -> Result<u64, CatalogueError> {
    let changed = connection.execute(
        "UPDATE outbox SET refused = NULL, generation = generation + 1 WHERE refused IS NOT NULL",
        [],
    )?;
    Ok(changed as u64)
}

/// What waits.
pub(crate) fn outbox_state(connection: &Connection) -> Result<OutboxState, CatalogueError> {
    let (payloads, oldest_ms): (i64, Option<i64>) = connection.query_row(
        "SELECT count(*), min(created_ms) FROM outbox WHERE refused IS NULL",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let refused: i64 = connection.query_row("SELECT count(*) FROM outbox WHERE refused IS NOT NULL", [], |row| {
        row.get(0)
    })?;
    let why = connection
        .query_row(
            "SELECT refused FROM outbox WHERE refused IS NOT NULL ORDER BY id LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()?;
    let sent = numbers::get(connection, "sent_ms")?;
    Ok(OutboxState {
        payloads: payloads as u64,
        bytes: payload_bytes(connection)?,
        oldest_ms: oldest_ms.map(UtcMs::new),
        refused: refused as u64,
        why,
        sent_ms: (sent > 0).then_some(UtcMs::new(sent)),
        clock_ahead_ms: numbers::get(connection, "clock_ahead_ms")?,
    })
}
