//! Posting: what becomes true here goes into the outbox, by the same transaction.

use super::payload_files::{outbox_folder, payload_path};
use crate::model::time::CivilDay;
use crate::store::catalogue::{
    Catalogue, CatalogueError, Connection, NewPayload, PayloadKind, Segment, Transaction, events_hash, insert_payload,
    next_payload, numbers, payload_bytes,
};
use crate::store::error::StoreError;
use crate::store::segments::{SegmentFiles, write_file};
use std::fs;
use std::path::{Path, PathBuf};

/// Names of what is noted of sending, in the table `state`.
pub(super) mod names {
    /// Nobody has decided what becomes of what was sent.
    pub(crate) const UNDECIDED: &str = "ship_undecided";
    /// What is committed is posted.
    pub(crate) const SHIPPING: &str = "shipping";
    /// Something was committed meanwhile that is not posted.
    pub(crate) const GAP: &str = "ship_gap";
    /// The store's own number, for tokens.
    pub(crate) const STORE_ID: &str = "store_id";
    /// To which minute heartbeats have been posted.
    pub(crate) const BEATS_POSTED: &str = "beats_posted";
}

/// The outbox of a store.
#[derive(Debug, Clone, Copy)]
pub struct Outbox<'s> {
    pub(in crate::store) store: &'s Path,
    pub(in crate::store) catalogue: &'s Catalogue,
    pub(in crate::store) files: &'s SegmentFiles,
    /// What is committed is posted, up to so many bytes.
    pub(in crate::store) bytes_max: Option<u64>,
}

/// A payload that is no segment's file.
struct PayloadContent<'p> {
    kind: PayloadKind,
    /// Day of its rows since the epoch, UTC; 0 for lines.
    day: CivilDay,
    rows: u64,
    bytes: &'p [u8],
}

impl Outbox<'_> {
    /// Whether what is committed is posted.
    pub fn ships(&self) -> bool {
        self.bytes_max.is_some()
    }

    /// Notes that something becomes true here that is not posted, although earlier things were.
    pub(in crate::store) fn note_gap(&self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        if !self.ships() && numbers::get(transaction, names::SHIPPING)? == 1 {
            note_ship_gap(transaction)?;
        }
        Ok(())
    }

    /// Refuses a commit when the outbox is full: what cannot be sent is not read either.
    pub(in crate::store) fn has_room(&self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let Some(max) = self.bytes_max else {
            return Ok(());
        };
        let bytes = payload_bytes(transaction)?;
        match bytes > max {
            true => Err(StoreError::OutboxFull {
                path: outbox_folder(self.store),
                bytes,
                max,
            }),
            false => Ok(()),
        }
    }

    /// Posts a segment's rows: a hard link to its file.
    pub(in crate::store) fn post_segment(
        &self,
        transaction: &Transaction<'_>,
        segment: &Segment,
    ) -> Result<(), StoreError> {
        let (id, path) = self.next(transaction, PayloadKind::Rows)?;
        let from = self.files.events(segment.id);
        // Some file systems know no hard links.
        fs::hard_link(&from, &path)
            .or_else(|_| fs::copy(&from, &path).map(|_| ()))
            .map_err(|source| StoreError::Io {
                path: path.clone(),
                source,
            })?;
        let hash = events_hash(transaction, segment.id)?;
        let payload = NewPayload {
            id,
            kind: PayloadKind::Rows,
            day: segment.day,
            rows: segment.rows,
            bytes: size_of_file(&path)?,
            hash: &hash,
        };
        Ok(insert_payload(transaction, &payload)?)
    }

    /// Posts rows of a day that are taken back, and what is said instead.
    pub(in crate::store) fn post_changes(
        &self,
        transaction: &Transaction<'_>,
        day: CivilDay,
        rows: u64,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let content = PayloadContent {
            kind: PayloadKind::Changes,
            day,
            rows,
            bytes,
        };
        self.post_bytes(transaction, &content)
    }

    /// Posts lines of minutes.
    pub(super) fn post_lines(&self, transaction: &Transaction<'_>, rows: u64, lines: &str) -> Result<(), StoreError> {
        let content = PayloadContent {
            kind: PayloadKind::Minutes,
            day: CivilDay::new(0),
            rows,
            bytes: lines.as_bytes(),
        };
        self.post_bytes(transaction, &content)
    }

    fn post_bytes(&self, transaction: &Transaction<'_>, content: &PayloadContent<'_>) -> Result<(), StoreError> {
        let PayloadContent { kind, day, rows, bytes } = *content;
        let (id, path) = self.next(transaction, kind)?;
        write_file(&path, bytes)?;
        let payload = NewPayload {
            id,
            kind,
            day,
            rows,
            bytes: size_of_file(&path)?,
            hash: &blake3::hash(bytes).to_hex(),
        };
        Ok(insert_payload(transaction, &payload)?)
    }

    /// Number and file of the next payload. The folder is to be synced before its transaction commits.
    fn next(&self, transaction: &Transaction<'_>, kind: PayloadKind) -> Result<(i64, PathBuf), StoreError> {
        let id = next_payload(transaction)?;
        let path = payload_path(self.store, id, kind);
        let _ = fs::remove_file(&path);
        Ok((id, path))
    }

    /// After links and files were made, before the transaction that names them.
    pub(in crate::store) fn sync(&self) -> Result<(), StoreError> {
        let folder = outbox_folder(self.store);
        let sync = crate::files::sync_folder(&folder);
        sync.map_err(|source| StoreError::Io { path: folder, source })
    }

    /// The same, where anything is posted at all.
    pub(in crate::store) fn sync_if_it_ships(&self) -> Result<(), StoreError> {
        match self.ships() {
            true => self.sync(),
            false => Ok(()),
        }
    }
}

/// Something is true here that a server will not get.
///
/// # Errors
/// The catalogue cannot be written.
pub(crate) fn note_ship_gap(connection: &Connection) -> Result<(), CatalogueError> {
    numbers::put(connection, names::GAP, 1)
}

fn size_of_file(path: &Path) -> Result<u64, StoreError> {
    let found = fs::metadata(path).map_err(|source| StoreError::Io {
        path: path.to_owned(),
        source,
    })?;
    Ok(found.len())
}
