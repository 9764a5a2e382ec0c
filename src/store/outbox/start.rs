//! Sending begins: for the first time, or anew.

use super::minutes;
use super::payload_files::outbox_folder;
use super::post::{Outbox, names};
use crate::files;
use crate::model::time::UtcMs;
use crate::store::catalogue::{
    self, CatalogueError, Connection, has_payload, none_missing_is_sent, numbers, remove_payloads,
};
use crate::store::error::StoreError;
use std::fs;
use std::path::PathBuf;

impl Outbox<'_> {
    /// Whether the catalogue was rebuilt and nobody has said what the server keeps: then nothing is posted, and nothing sent.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn is_undecided(&self) -> Result<bool, StoreError> {
        Ok(numbers::get(&self.catalogue.connection(), names::UNDECIDED)? != 0)
    }

    /// Whether what was there has been posted, so that what is committed is.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn has_begun(&self) -> Result<bool, StoreError> {
        Ok(numbers::get(&self.catalogue.connection(), names::SHIPPING)? != 0)
    }

    /// The first time, what is there already is posted.
    pub(in crate::store) fn start(&self) -> Result<(), StoreError> {
        let folder = outbox_folder(self.store);
        files::make_folder(&folder).map_err(|source| StoreError::Io { path: folder, source })?;
        let mut connection = self.catalogue.connection();
        let segments = catalogue::segments(&connection, UtcMs::MIN, UtcMs::MAX)?;
        let transaction = connection.begin()?;
        if numbers::get(&transaction, names::GAP)? != 0 {
            return Err(StoreError::ShipGap {
                path: self.store.to_owned(),
            });
        }
        if numbers::get(&transaction, names::SHIPPING)? != 1 {
            // What comes back later has not been sent either.
            none_missing_is_sent(&transaction)?;
            if numbers::get(&transaction, names::STORE_ID)? == 0 {
                numbers::put(&transaction, names::STORE_ID, numbers::random() & i64::MAX)?;
            }
            for segment in &segments {
                self.post_segment(&transaction, segment)?;
            }
            let minutes = minutes::all(&transaction)?;
            for rows in minutes.chunks(20_000) {
                self.post_lines(&transaction, rows.len() as u64, &rows.concat())?;
            }
            numbers::put(&transaction, names::SHIPPING, 1)?;
        }
        self.sync()?;
        Ok(transaction.commit()?)
    }

    /// Forgets what was sent and what waits: the next start posts everything, under tokens that no server has seen.
    ///
    /// # Errors
    /// The catalogue cannot be written.
    pub fn forget_all(&self) -> Result<(), StoreError> {
        let mut connection = self.catalogue.connection();
        let transaction = connection.begin()?;
        remove_payloads(&transaction)?;
        for (name, value) in [
            (names::UNDECIDED, 0),
            (names::SHIPPING, 0),
            (names::GAP, 0),
            (names::STORE_ID, numbers::random() & i64::MAX),
        ] {
            numbers::put(&transaction, name, value)?;
        }
        transaction.commit()?;
        drop(connection);
        // The segments that these payloads were made of are there.
        for path in self.orphan_files()? {
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    /// Files of payloads that no transaction posted, or that were sent.
    pub(in crate::store) fn orphan_files(&self) -> Result<Vec<PathBuf>, StoreError> {
        let Ok(entries) = fs::read_dir(outbox_folder(self.store)) else {
            return Ok(Vec::new());
        };
        let connection = self.catalogue.connection();
        let mut orphans = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()) {
            let id = path
                .file_name()
                .and_then(|name| name.to_str()?.split('.').next()?.parse::<i64>().ok());
            let is_known = match id {
                Some(id) => has_payload(&connection, id)?,
                None => false,
            };
            if !is_known {
                orphans.push(path);
            }
        }
        Ok(orphans)
    }
}

/// Whether what was committed was posted, or nobody had decided what becomes of it.
///
/// # Errors
/// The catalogue cannot be read.
pub(crate) fn was_shipping(connection: &Connection) -> Result<bool, CatalogueError> {
    Ok(numbers::get(connection, names::SHIPPING)? != 0 || numbers::get(connection, names::UNDECIDED)? != 0)
}

/// Nothing is posted and nothing sent before somebody decides what becomes of what was sent: the catalogue was rebuilt.
///
/// # Errors
/// The catalogue cannot be written.
pub(crate) fn leave_undecided(connection: &Connection) -> Result<(), CatalogueError> {
    remove_payloads(connection)?;
    numbers::add(connection, "generation", 1)?;
    for (name, value) in [
        (names::UNDECIDED, 1),
        (names::SHIPPING, 0),
        (names::GAP, 0),
        // No token of the new catalogue is one of the old.
        (names::STORE_ID, numbers::random() & i64::MAX),
    ] {
        numbers::put(connection, name, value)?;
    }
    Ok(())
}
