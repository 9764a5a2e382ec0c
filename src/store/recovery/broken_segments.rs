//! Segments and payloads that are broken. Rates are made again of the events, a segment of the payload that has the same
//! bytes, a payload of the segment; what is left goes to `lost+found/`, and its rows are noted as missing, so that the next
//! `backfill` or `tail` reads them again from the logs ([`crate::store::recovery`]).

use crate::store::catalogue::{self, Payload, PayloadKind, Segment};
use crate::store::columnar;
use crate::store::error::StoreError;
use crate::store::handle::Store;
use crate::store::maintenance::{has_hash, verify_file};
use crate::store::outbox::{note_ship_gap, outbox_folder, payload_path};
use crate::store::segments::write_file;
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

/// Looks at every segment and payload, and mends what it can.
///
/// # Errors
/// The store cannot be written.
pub(crate) fn repair_segments(store: &Store) -> Result<Mended, StoreError> {
    let mut mended = Mended::default();
    for segment in store.segments().all()? {
        mended.segments += 1;
        repair_segment(store, &segment, &mut mended)?;
    }
    repair_payloads(store, &mut mended)?;
    Ok(mended)
}

fn repair_segment(store: &Store, segment: &Segment, mended: &mut Mended) -> Result<(), StoreError> {
    let events = store.files().events(segment.id);
    if verify_file(&events, &segment.events_hash, Some(segment.rows)).is_err() {
        match payload_with(store, &segment.events_hash)? {
            Some(path) => {
                put_copy(store, &path, &events)?;
                mended.copied += 1;
            }
            None => {
                quarantine(store, segment)?;
                mended.quarantined += 1;
                mended.rows += segment.rows;
                return Ok(());
            }
        }
    }
    let rates = store.files().rates(segment.id);
    if verify_file(&rates, &segment.rates_hash, None).is_err() {
        let bytes = columnar::rates_of(&events)?;
        store.move_to_lost_found(std::slice::from_ref(&rates))?;
        write_file(&rates, &bytes)?;
        store.files().sync()?;
        let hash = blake3::hash(&bytes).to_hex();
        catalogue::put_rates(&store.catalogue().connection(), segment.id, bytes.len() as u64, &hash)?;
        mended.rates += 1;
    }
    Ok(())
}

/// Notes a segment's rows as missing, and moves its files away.
fn quarantine(store: &Store, segment: &Segment) -> Result<(), StoreError> {
    let mut files = vec![store.files().events(segment.id), store.files().rates(segment.id)];
    let mut connection = store.catalogue().connection();
    let transaction = connection.begin()?;
    // Its payload, if it waits still, has the same bytes: they are as broken.
    let payload = catalogue::payload_of_rows(&transaction, &segment.events_hash)?;
    // What is begun may have been sent, and what was sent must not be sent again under another token.
    let unsent = payload.filter(|(_, begun)| !begun).map(|(id, _)| id);
    catalogue::note_missing(&transaction, segment, unsent.is_none())?;
    catalogue::remove_segment(&transaction, segment.id)?;
    if let Some(id) = unsent {
        catalogue::remove_payload(&transaction, id)?;
        files.push(payload_path(store.path(), id, PayloadKind::Rows));
    }
    transaction.commit()?;
    drop(connection);
    store.move_to_lost_found(&files)
}

/// A payload that has these bytes.
fn payload_with(store: &Store, hash: &str) -> Result<Option<PathBuf>, StoreError> {
    let payloads = catalogue::payloads(&store.catalogue().connection())?;
    let same = payloads.iter().filter(|payload| payload.hash == hash);
    Ok(same
        .map(|payload| payload_path(store.path(), payload.id, payload.kind))
        .find(|path| has_hash(path, hash)))
}

fn repair_payloads(store: &Store, mended: &mut Mended) -> Result<(), StoreError> {
    let payloads = catalogue::payloads(&store.catalogue().connection())?;
    for payload in payloads {
        let path = payload_path(store.path(), payload.id, payload.kind);
        if has_hash(&path, &payload.hash) {
            continue;
        }
        let segment = catalogue::segment_with_hash(&store.catalogue().connection(), &payload.hash)?;
        let events = segment.map(|id| store.files().events(id));
        match events.filter(|events| payload.kind == PayloadKind::Rows && has_hash(events, &payload.hash)) {
            Some(events) => {
                put_copy(store, &events, &path)?;
                mended.copied += 1;
            }
            None => {
                give_up(store, &payload, &path)?;
                mended.payloads_lost += 1;
            }
        }
    }
    Ok(())
}

/// What the payload said cannot be said again: everything must be sent anew.
fn give_up(store: &Store, payload: &Payload, path: &Path) -> Result<(), StoreError> {
    let mut connection = store.catalogue().connection();
    let transaction = connection.begin()?;
    catalogue::remove_payload(&transaction, payload.id)?;
    note_ship_gap(&transaction)?;
    transaction.commit()?;
    drop(connection);
    tracing::warn!(
        path = %path.display(), bytes = payload.bytes, begun = payload.begun,
        "cannot be made again: the server lacks what it said"
    );
    store.move_to_lost_found(&[path.to_owned()])
}

/// Puts a copy of a file in the place of another; what stood there goes to `lost+found/`.
fn put_copy(store: &Store, from: &Path, to: &Path) -> Result<(), StoreError> {
    let bytes = std::fs::read(from).map_err(|source| StoreError::Io {
        path: from.to_owned(),
        source,
    })?;
    store.move_to_lost_found(&[to.to_owned()])?;
    write_file(to, &bytes)?;
    store.files().sync()?;
    match to.starts_with(outbox_folder(store.path())) {
        true => store.outbox().sync(),
        false => Ok(()),
    }
}
