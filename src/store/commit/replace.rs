//! A segment in the place of others.

use crate::model::time::Minute;
use crate::store::catalogue::{
    Segment, Transaction, inherit, insert_segment, is_quiet, move_orphans, next_segment, note_changed, remove_segment,
};
use crate::store::columnar::{self, EncodedSegment};
use crate::store::error::StoreError;
use crate::store::handle::Store;

/// Puts a segment in the place of others that have the same rows, inside a transaction. Returns its number.
///
/// # Errors
/// The store cannot be written.
pub fn replace(
    store: &Store,
    transaction: &Transaction<'_>,
    old: &[i64],
    source: i64,
    encoded: &EncodedSegment,
) -> Result<i64, StoreError> {
    let segment = store.files().write(next_segment(transaction)?, source, encoded)?;
    insert_segment(transaction, &segment)?;
    inherit(transaction, segment.id, old)?;
    for id in old {
        move_orphans(transaction, *id, segment.id)?;
        remove_segment(transaction, *id)?;
    }
    Ok(segment.id)
}

/// Puts a segment in the place of one whose rows it says differently, inside a transaction.
///
/// # Errors
/// The store cannot be written.
pub fn change(
    store: &Store,
    transaction: &Transaction<'_>,
    old: i64,
    source: i64,
    encoded: &EncodedSegment,
) -> Result<(), StoreError> {
    let is_quiet = is_quiet(transaction, old)?;
    let new = replace(store, transaction, &[old], source, encoded)?;
    if let Some(minute) = first_difference(store, old, new, encoded) {
        note_changed(transaction, minute)?;
    }
    if is_quiet {
        return Ok(());
    }
    let (outbox, files) = (store.outbox(), store.files());
    outbox.note_gap(transaction)?;
    if outbox.ships()
        && let Some((rows, bytes)) = columnar::difference(&files.events(old), &files.events(new))?
    {
        outbox.post_changes(transaction, encoded.day, rows, &bytes)?;
    }
    Ok(())
}

/// From when on a segment says other rates than the one before it; from its first row on where the old one cannot be read.
fn first_difference(store: &Store, old: i64, new: i64, encoded: &EncodedSegment) -> Option<Minute> {
    let read = |segment| columnar::read_flows(&store.files().rates(segment));
    match (read(old), read(new)) {
        (Ok(old), Ok(new)) => columnar::first_difference(&old, &new),
        _ => Some(encoded.span_ms.0.minute()),
    }
}

/// Puts a segment in the place of one that says otherwise; what `also` does is part of the same transaction.
///
/// # Errors
/// The store cannot be written.
pub fn put_in_place(
    store: &Store,
    segment: &Segment,
    encoded: &EncodedSegment,
    also: impl FnOnce(&Transaction<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut connection = store.catalogue().connection();
    let transaction = connection.begin()?;
    also(&transaction)?;
    change(store, &transaction, segment.id, segment.source, encoded)?;
    store.files().sync()?;
    store.outbox().sync_if_it_ships()?;
    transaction.commit()?;
    drop(connection);
    store.files().retire(&[segment.id]);
    Ok(())
}
