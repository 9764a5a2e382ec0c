//! Sending: which payloads go out together, and what becomes of them.

use super::payload_files::payload_path;
use super::post::{Outbox, names};
use crate::model::time::UtcMs;
use crate::store::catalogue::{
    self, BatchLimits, Connection, OutboxState, PayloadBatch, PayloadKind, numbers, payload_hash,
};
use crate::store::columnar::{self, ColumnarError};
use crate::store::error::StoreError;
use std::fs;
use std::path::PathBuf;

impl Outbox<'_> {
    /// What goes out next: a batch that was begun, or a new one of the oldest payloads.
    ///
    /// # Errors
    /// The catalogue cannot be written; a payload is not what was posted.
    pub(crate) fn next_batch(&self, limits: &BatchLimits) -> Result<Option<PayloadBatch>, StoreError> {
        let mut connection = self.catalogue.connection();
        let transaction = connection.begin()?;
        let Some((batch, begun)) = catalogue::next_batch(&transaction, limits)? else {
            return Ok(None);
        };
        if !begun {
            // Before it is begun: what is begun counts as sent when its segment is mended.
            self.payloads_are_whole(&transaction, &batch)?;
        }
        transaction.commit()?;
        Ok(Some(batch))
    }

    /// The bytes of a batch, the same however often it is asked for: Parquet, or JSON lines.
    pub fn batch_bytes(&self, batch: &PayloadBatch) -> Result<Vec<u8>, StoreError> {
        let paths: Vec<PathBuf> = batch
            .payloads
            .iter()
            .map(|id| payload_path(self.store, *id, batch.kind))
            .collect();
        self.payloads_are_whole(&self.catalogue.connection(), batch)?;
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|source| StoreError::Io {
                path: path.clone(),
                source,
            })
        };
        match (batch.kind, &paths[..]) {
            (_, [only]) => read(only),
            (PayloadKind::Minutes, all) => Ok(all.iter().map(read).collect::<Result<Vec<_>, _>>()?.concat()),
            (_, all) => Ok(columnar::concatenate(all)?),
        }
    }

    /// What is not what was posted is not sent.
    fn payloads_are_whole(&self, connection: &Connection, batch: &PayloadBatch) -> Result<(), StoreError> {
        for id in &batch.payloads {
            let path = payload_path(self.store, *id, batch.kind);
            let hash = payload_hash(connection, *id)?;
            let damaged = |what: String| ColumnarError::Damaged {
                path: path.clone(),
                what: format!("{what}; nothing is sent: `mailpulse store repair` repairs it"),
            };
            let bytes = fs::read(&path).map_err(|error| damaged(error.to_string()))?;
            if blake3::hash(&bytes).to_hex().as_str() != hash {
                return Err(damaged("its content differs from what was posted (hash mismatch)".to_owned()).into());
            }
        }
        Ok(())
    }

    /// A token that is the batch's alone: of this store, this batch, these bytes, and this try of an operator's.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn token(&self, batch: &PayloadBatch) -> Result<String, StoreError> {
        let store = numbers::get(&self.catalogue.connection(), names::STORE_ID)?;
        let hash = batch.hash.get(..32).unwrap_or_default();
        Ok(format!("{store:016x}-{}-{}-{hash}", batch.id, batch.generation))
    }

    /// The batch has been taken.
    ///
    /// # Errors
    /// The catalogue cannot be written.
    pub fn sent(&self, batch: &PayloadBatch) -> Result<(), StoreError> {
        let mut connection = self.catalogue.connection();
        let transaction = connection.begin()?;
        catalogue::remove_batch(&transaction, batch.id)?;
        transaction.commit()?;
        drop(connection);
        for id in &batch.payloads {
            let path = payload_path(self.store, *id, batch.kind);
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove what was sent");
            }
        }
        Ok(())
    }

    /// This host's clock, UTC milliseconds.
    ///
    /// # Errors
    /// The catalogue cannot be asked.
    pub fn clock_ms(&self) -> Result<UtcMs, StoreError> {
        Ok(numbers::clock_ms(&self.catalogue.connection())?)
    }

    /// Notes by how much the server's clock is ahead.
    ///
    /// # Errors
    /// The catalogue cannot be written.
    pub(crate) fn note_clock(&self, ahead_ms: i64) -> Result<(), StoreError> {
        Ok(numbers::put(&self.catalogue.connection(), "clock_ahead_ms", ahead_ms)?)
    }

    /// The batch will never be taken as it is.
    ///
    /// # Errors
    /// The catalogue cannot be written.
    pub fn quarantine(&self, batch: &PayloadBatch, why: &str) -> Result<(), StoreError> {
        Ok(catalogue::quarantine_batch(
            &self.catalogue.connection(),
            batch.id,
            why,
        )?)
    }

    /// What is quarantined is to be tried again, under a new token. Returns how many payloads.
    ///
    /// # Errors
    /// The catalogue cannot be written.
    pub fn retry_quarantined(&self) -> Result<u64, StoreError> {
        Ok(catalogue::release_quarantined(&self.catalogue.connection())?)
    }

    /// What waits; None where nothing was ever posted.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn waiting(&self) -> Result<Option<OutboxState>, StoreError> {
        let connection = self.catalogue.connection();
        if numbers::get(&connection, names::SHIPPING)? == 0 {
            return Ok(None);
        }
        Ok(Some(catalogue::outbox_state(&connection)?))
    }
}
