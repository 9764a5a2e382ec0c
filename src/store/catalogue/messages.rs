//! Open messages: what is in a queue, as far as the logs say, and how one that memory had no room for is brought back.

use super::{Catalogue, CatalogueError, Connection};
use crate::model::queue_id::QueueId;
use crate::model::time::UtcMs;
use crate::normalise::join::{Changes, OpenRecord, Recall};
use rusqlite::{OptionalExtension as _, params};
use std::sync::{Arc, Mutex, PoisonError};

/// What a commit changes of the open messages of a source.
pub(crate) fn put_message_changes(
    transaction: &Connection,
    source: i64,
    changes: &Changes,
) -> Result<(), CatalogueError> {
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
        let state = serde_json::to_string(record)?;
        put.execute(params![source, id.as_bytes(), record.last_ms.get(), state])?;
    }
    Ok(())
}

/// The newest open messages of a source, at most `max`, and how many there are in all.
fn open_messages(
    connection: &Connection,
    source: i64,
    max: usize,
) -> Result<(Vec<(QueueId, OpenRecord)>, u64), CatalogueError> {
    let mut statement = connection
        .prepare("SELECT queue_id, state FROM open_message WHERE source = ?1 ORDER BY last_ms DESC LIMIT ?2")?;
    let rows = statement.query_map(params![source, max as i64], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?))
    })?;
    let mut messages = Vec::new();
    for row in rows {
        let (id, state) = row?;
        let Some(id) = QueueId::new(&id) else { continue };
        messages.extend(open_record(&id, &state).map(|record| (id, record)));
    }
    let all: i64 = connection.query_row("SELECT count(*) FROM open_message WHERE source = ?1", [source], |r| {
        r.get(0)
    })?;
    Ok((messages, all as u64))
}

/// Goes through all open messages: source, ID, state.
pub(crate) fn each_open(
    connection: &Connection,
    mut each: impl FnMut(i64, &[u8], OpenRecord) -> Result<(), CatalogueError>,
) -> Result<(), CatalogueError> {
    let mut all = connection.prepare("SELECT source, queue_id, state FROM open_message")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let (source, id, state): (i64, Vec<u8>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        each(source, &id, serde_json::from_str(&state)?)?;
    }
    Ok(())
}

/// One open message; none where there is none.
pub fn open_message(connection: &Connection, source: i64, id: &[u8]) -> Result<Option<OpenRecord>, CatalogueError> {
    let mut find = connection.prepare_cached("SELECT state FROM open_message WHERE source = ?1 AND queue_id = ?2")?;
    let state: Option<String> = find.query_row(params![source, id], |row| row.get(0)).optional()?;
    Ok(state.map(|state| serde_json::from_str(&state)).transpose()?)
}

/// Puts another state of an open message.
pub(crate) fn put_open_message(
    connection: &Connection,
    source: i64,
    id: &[u8],
    record: &OpenRecord,
) -> Result<(), CatalogueError> {
    let state = serde_json::to_string(record)?;
    let mut put =
        connection.prepare_cached("UPDATE open_message SET state = ?3 WHERE source = ?1 AND queue_id = ?2")?;
    put.execute(params![source, id, state])?;
    Ok(())
}

/// Forgets the open messages of a source with lines at a time or later, UTC milliseconds.
pub(crate) fn forget_open_messages(connection: &Connection, source: i64, from_ms: UtcMs) -> Result<(), CatalogueError> {
    connection.execute(
        "DELETE FROM open_message WHERE source = ?1 AND last_ms >= ?2",
        [source, from_ms.get()],
    )?;
    Ok(())
}

/// Forgets open messages whose last line is within a time, UTC milliseconds.
pub(crate) fn expire_open_messages(
    connection: &Connection,
    from_ms: UtcMs,
    to_ms: UtcMs,
) -> Result<(), CatalogueError> {
    connection.execute(
        "DELETE FROM open_message WHERE last_ms >= ?1 AND last_ms < ?2",
        [from_ms.get(), to_ms.get()],
    )?;
    Ok(())
}

/// A state that cannot be read costs its own message, which then counts as one whose arrival has not been seen.
fn open_record(id: &QueueId, state: &str) -> Option<OpenRecord> {
    let record = serde_json::from_str(state);
    record
        .inspect_err(|error| tracing::warn!(%error, message = ?id, "the stored state of an open message is damaged"))
        .ok()
}

/// Open messages.
#[derive(Debug, Clone, Copy)]
pub struct OpenMessages<'c>(pub(in crate::store) &'c Catalogue);

impl OpenMessages<'_> {
    /// The newest open messages of a source, at most `max`, and how many there are in all.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn newest(&self, source: i64, max: usize) -> Result<(Vec<(QueueId, OpenRecord)>, u64), CatalogueError> {
        open_messages(&self.0.connection(), source, max)
    }

    /// Brings back messages of a source that are no longer in memory.
    ///
    /// # Errors
    /// The catalogue cannot be opened once more.
    pub(crate) fn recaller(&self, source: i64) -> Result<Recaller, CatalogueError> {
        Ok(Recaller {
            connection: Arc::new(Mutex::new(self.0.connect()?)),
            source,
            error: RecallError::default(),
        })
    }
}

/// What went wrong while messages were brought back: what was made of them since then must not be committed.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecallError(Arc<Mutex<Option<rusqlite::Error>>>);

impl RecallError {
    /// The first error since the last call.
    pub(crate) fn take(&self) -> Option<CatalogueError> {
        let error = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        error.map(CatalogueError::from)
    }

    fn is_there(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn put(&self, error: rusqlite::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// Looks up open messages one by one, beside the connection that commits.
#[derive(Debug)]
pub(crate) struct Recaller {
    connection: Arc<Mutex<Connection>>,
    source: i64,
    error: RecallError,
}

impl Recaller {
    /// The same for another source, by the same connection.
    pub(crate) fn of(&self, source: i64) -> Recaller {
        Recaller {
            connection: Arc::clone(&self.connection),
            source,
            error: self.error.clone(),
        }
    }

    /// Where its errors are told: a message that was not found because of one is not unknown.
    pub(crate) fn error(&self) -> RecallError {
        self.error.clone()
    }
}

impl Recall for Recaller {
    fn recall(&mut self, id: &QueueId) -> Option<OpenRecord> {
        // Nothing is committed any more: each further question may cost the time of a lock.
        if self.error.is_there() {
            return None;
        }
        let find = || -> Result<Option<String>, rusqlite::Error> {
            let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
            connection
                .prepare_cached("SELECT state FROM open_message WHERE source = ?1 AND queue_id = ?2")?
                .query_row(params![self.source, id.as_bytes()], |row| row.get(0))
                .optional()
        };
        match find() {
            Ok(state) => state.and_then(|state| open_record(id, &state)),
            Err(error) => {
                self.error.put(error);
                None
            }
        }
    }
}
