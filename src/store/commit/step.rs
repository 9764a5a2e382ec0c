//! What one step of reading adds to the store.

use super::amend::amend;
use super::contents::Commit;
use crate::model::time::Minute;
use crate::normalise::derived::NameChanges;
use crate::store::catalogue::{self, AttributionNote, CatalogueError, Reason, Segment, Transaction};
use crate::store::error::StoreError;
use crate::store::handle::Store;
use std::collections::BTreeMap;

/// Commits: one transaction, after which nothing of it is read again, and before which nothing has happened.
///
/// # Errors
/// The store cannot be written; the outbox is full.
pub fn commit(store: &Store, commit: &Commit) -> Result<(), StoreError> {
    let mut connection = store.catalogue().connection();
    let first = catalogue::next_segment(&connection)?;
    let mut segments = Vec::with_capacity(commit.segments.len());
    let all = commit
        .parts()
        .flat_map(|part| part.segments.iter().map(|encoded| (part.source, encoded)));
    for (id, (source, encoded)) in (first..).zip(all) {
        segments.push(store.files().write(id, source, encoded)?);
    }
    if !segments.is_empty() {
        store.files().sync()?;
    }
    let has_new_rows = !segments.is_empty() && commit.again.is_none();
    let transaction = connection.begin()?;
    store.outbox().has_room(&transaction)?;
    if !commit.is_sent() {
        store.outbox().note_gap(&transaction)?;
    }
    // What was stored before is of the old attribution: noted before rows of the new one are added.
    if has_new_rows {
        store.expected_attribution().note(&transaction)?;
    }
    for part in commit.parts() {
        catalogue::put_services(&transaction, part.source, &part.changes.derived)?;
        if part.again.is_none() {
            note_evicted(&transaction, &part.changes.derived)?;
        }
    }
    let mut new = &segments[..];
    for part in commit.parts() {
        let (own, rest) = new.split_at(part.segments.len());
        add_segments(store, &transaction, part, own)?;
        add_lines(store, &transaction, part)?;
        new = rest;
    }
    if let Some(minute) = first_minute(commit, &segments) {
        catalogue::note_changed(&transaction, minute)?;
    }
    let mut replaced = Vec::new();
    for part in commit.parts() {
        catalogue::put_message_changes(&transaction, part.join_source(), &part.changes)?;
        catalogue::put_split_lines(&transaction, part.source, part.split_lines.as_deref())?;
        replaced.extend(amend(store, &transaction, part)?);
    }
    store.outbox().sync_if_it_ships()?;
    transaction.commit()?;
    drop(connection);
    if has_new_rows {
        store.expected_attribution().clear();
    }
    // Nobody names them any more; a crash before this line leaves them to the next writer.
    store.files().retire(&replaced);
    Ok(())
}

/// The first minute of which a commit says anything.
fn first_minute(commit: &Commit, segments: &[Segment]) -> Option<Minute> {
    let rows = segments.iter().map(|segment| segment.first_ms.minute());
    let lines = commit.parts().flat_map(|part| &part.minutes).map(|(minute, _)| *minute);
    rows.chain(lines).min()
}

/// Names the new segments, and posts them.
fn add_segments(
    store: &Store,
    transaction: &Transaction<'_>,
    commit: &Commit,
    segments: &[Segment],
) -> Result<(), StoreError> {
    let outbox = store.outbox();
    for (segment, encoded) in segments.iter().zip(&commit.segments) {
        catalogue::insert_segment(transaction, segment)?;
        catalogue::note_logs(transaction, segment.id, &encoded.logs)?;
        catalogue::note_orphans(transaction, commit.source, segment.id, &encoded.orphans)?;
        if let Some(again) = &commit.again {
            catalogue::note_restored(transaction, segment.id, again)?;
        }
        if outbox.ships() && !commit.is_sent() {
            outbox.post_segment(transaction, segment)?;
        }
    }
    Ok(())
}

/// Positions move forward, and lines are counted.
fn add_lines(store: &Store, transaction: &Transaction<'_>, commit: &Commit) -> Result<(), StoreError> {
    if store.outbox().ships() {
        store
            .outbox()
            .post_minutes(transaction, commit.source, &commit.minutes)?;
    }
    for log in &commit.logs {
        catalogue::put_log(transaction, commit.source, log)?;
    }
    catalogue::add_minutes(transaction, commit.source, &commit.minutes)?;
    catalogue::add_unparsed(transaction, commit.source, &commit.unparsed)?;
    catalogue::add_odd_fields(transaction, commit.source, &commit.odd_fields)?;
    Ok(())
}

/// Notes that services ended because others took their places, unless another source goes on with the name. Before rows are
/// added, and after the names of this source are put.
fn note_evicted(transaction: &Transaction<'_>, names: &NameChanges) -> Result<(), CatalogueError> {
    let mut ended: BTreeMap<Minute, Vec<String>> = BTreeMap::new();
    for (name, ts_ms) in catalogue::ended_services(transaction, names)? {
        ended.entry(ts_ms.minute()).or_default().push(name);
    }
    for (minute, mut names) in ended {
        names.sort_unstable();
        let note = AttributionNote::ended(Reason::Eviction, names);
        catalogue::note_attribution_from(transaction, minute, &note)?;
    }
    Ok(())
}
