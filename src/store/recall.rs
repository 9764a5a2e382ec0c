//! Open messages that an earlier run left, and those that memory had no room for.

use super::{Error, Store, catalogue};
use crate::model::queue_id::QueueId;
use crate::normalise::join::{OpenRecord, Recall};
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::{Arc, Mutex, PoisonError};

impl Store {
    /// The newest open messages of a source, at most `max`, and how many there are in all.
    pub fn open_messages(&self, source: i64, max: usize) -> Result<(Vec<(QueueId, OpenRecord)>, u64), Error> {
        let connection = self.connection();
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

    /// Brings back messages of a source that are no longer in memory.
    pub fn recaller(&self, source: i64) -> Result<Recaller, Error> {
        Ok(Recaller {
            connection: catalogue::open(&self.path().join("catalogue.sqlite"))?,
            source,
            trouble: Trouble::default(),
        })
    }
}

/// A state that cannot be read costs its own message, which then counts as one whose arrival has not been seen.
fn open_record(id: &QueueId, state: &str) -> Option<OpenRecord> {
    let record = serde_json::from_str(state);
    record
        .inspect_err(|error| tracing::warn!(%error, message = ?id, "the stored state of an open message is damaged"))
        .ok()
}

/// What went wrong while messages were brought back: what was made of them since then must not be committed.
#[derive(Debug, Clone, Default)]
pub struct Trouble(Arc<Mutex<Option<rusqlite::Error>>>);

impl Trouble {
    /// The first error since the last call.
    pub fn take(&self) -> Option<Error> {
        let error = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        error.map(|error| Error::Catalogue(error.into()))
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
pub struct Recaller {
    connection: Connection,
    source: i64,
    trouble: Trouble,
}

impl Recaller {
    /// Where its errors are told: a message that was not found because of one is not unknown.
    pub fn trouble(&self) -> Trouble {
        self.trouble.clone()
    }
}

impl Recall for Recaller {
    fn recall(&mut self, id: &QueueId) -> Option<OpenRecord> {
        // Nothing is committed any more: each further question may cost the time of a lock.
        if self.trouble.is_there() {
            return None;
        }
        let find = || -> Result<Option<String>, rusqlite::Error> {
            self.connection
                .prepare_cached("SELECT state FROM open_message WHERE source = ?1 AND queue_id = ?2")?
                .query_row(params![self.source, id.as_bytes()], |row| row.get(0))
                .optional()
        };
        match find() {
            Ok(state) => state.and_then(|state| open_record(id, &state)),
            Err(error) => {
                self.trouble.put(error);
                None
            }
        }
    }
}
