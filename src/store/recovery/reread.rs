//! Rows that were stored and are there no more, and how they come back: their logs are read again from the start, by a join
//! of its own, and of what that gives only the rows that are missing are added. Lines, positions and open messages stay as
//! they are: they were counted when the rows were stored first.
//!
//! ```text
//! repair:   segment ──▶ missing (which logs, which offsets, was it sent?)     its files go to lost+found/
//! backfill, tail: read again ──▶ restored (segments; quiet while a server has their rows) ──▶ linked ──▶ missing is done
//! ```
//!
//! A kill in between costs nothing: what was restored is stored, and stored rows are not added again.

use crate::model::time::{CivilDay, UtcMs};
use crate::store::batch::WantedRows;
use crate::store::catalogue::{self, MissingRows, OffsetSpan, Segment, shadow};
use crate::store::columnar;
use crate::store::error::StoreError;
use crate::store::handle::Store;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::hash_map::Entry;

/// Rows of one pass whose identities are in memory, four bytes each: more days are read in several passes.
const IDS_MAX: u64 = 8_000_000;

/// Begins to read a source again: the open messages of a try that was killed are forgotten.
///
/// # Errors
/// The catalogue cannot be written.
pub(crate) fn begin_reread(store: &Store, source: i64) -> Result<(), StoreError> {
    let connection = store.catalogue().connection();
    Ok(catalogue::forget_open_messages(
        &connection,
        shadow(source),
        UtcMs::MIN,
    )?)
}

/// What of `missing` (all of one source and of one fate) is to be added in the next pass: as many days as fit into
/// memory, oldest first. Returns the days too.
pub fn wanted(store: &Store, missing: &[MissingRows]) -> Result<(WantedRows, FxHashSet<CivilDay>), StoreError> {
    let source = missing.first().map_or(0, |first| first.source);
    let all = store.segments().all()?;
    let own: Vec<&Segment> = all.iter().filter(|segment| segment.source == source).collect();
    let mut wanted = WantedRows::default();
    let mut days: FxHashMap<CivilDay, Option<Vec<OffsetSpan>>> = FxHashMap::default();
    let mut ids = 0;
    for one in missing {
        if !days.contains_key(&one.day) {
            let there = own.iter().filter(|segment| segment.day == one.day);
            let rows: u64 = there.clone().map(|segment| segment.rows).sum();
            if ids > 0 && ids + rows > IDS_MAX {
                continue;
            }
            ids += rows.max(1);
            for segment in there {
                let add = |log, offset| wanted.stored.add(log, offset);
                columnar::event_ids(&store.segments().events_path(segment.id), add)?;
            }
        }
        match days.entry(one.day).or_insert_with(|| Some(Vec::new())) {
            spans if one.logs.is_empty() => *spans = None,
            Some(spans) => spans.extend_from_slice(&one.logs),
            None => {}
        }
    }
    wanted.stored.settle();
    let named = days.keys().copied().collect();
    wanted.days = Some(days);
    Ok((wanted, named))
}

/// What is to be added of logs whose rows are there already in part: all but the rows of segments that were taken over
/// without their logs' positions. None where there are no such segments.
pub(crate) fn all_but_adopted(store: &Store, source: i64) -> Result<Option<WantedRows>, StoreError> {
    let adopted: FxHashSet<i64> = catalogue::adopted_segments(&store.catalogue().connection())?
        .into_iter()
        .collect();
    if adopted.is_empty() {
        return Ok(None);
    }
    let mut wanted = WantedRows::default();
    let mut any = false;
    let segments = store.segments().all()?;
    for segment in segments
        .iter()
        .filter(|s| s.source == source && adopted.contains(&s.id))
    {
        any = true;
        let add = |log, offset| wanted.stored.add(log, offset);
        columnar::event_ids(&store.segments().events_path(segment.id), add)?;
    }
    wanted.stored.settle();
    Ok(any.then_some(wanted))
}

/// A pass is over: `restored` says of which days, `replayed` of which logs all was read again, `gone` which logs have no
/// file any more. Returns rows that came back and rows that are lost for good by what is there now.
pub(crate) fn end_reread(
    store: &Store,
    missing: &[MissingRows],
    days: &FxHashSet<CivilDay>,
    replayed: &FxHashSet<u64>,
    gone: &dyn Fn(u64) -> bool,
) -> Result<(u64, u64), StoreError> {
    let mut connection = store.catalogue().connection();
    let transaction = connection.begin()?;
    let (mut back, mut lost) = (0, 0);
    let mut came: FxHashMap<i64, u64> = FxHashMap::default();
    for one in missing.iter().filter(|one| days.contains(&one.day)) {
        let came = match came.entry(one.day.get()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert(catalogue::take_restored(&transaction, one.source, one.day)?),
        };
        let rows = one.rows.min(*came);
        *came -= rows;
        back += rows;
        if rows == one.rows {
            catalogue::remove_missing(&transaction, one.segment)?;
            continue;
        }
        let mut tried: FxHashSet<u64> = one.tried.iter().copied().collect();
        tried.extend(replayed.iter().filter(|log| one.needs(**log)));
        let is_lost = one.logs.iter().all(|span| tried.contains(&span.log) || gone(span.log));
        lost += if is_lost && !one.lost { one.rows - rows } else { 0 };
        let tried: Vec<u64> = tried.into_iter().collect();
        catalogue::put_missing(&transaction, one.segment, one.rows - rows, is_lost, &tried)?;
    }
    if let Some(first) = missing.first() {
        catalogue::forget_open_messages(&transaction, shadow(first.source), UtcMs::MIN)?;
    }
    transaction.commit()?;
    Ok((back, lost))
}

/// What is linked from here on of restored rows is news to a server that has them as they were before.
///
/// # Errors
/// The catalogue cannot be written.
pub(crate) fn unlinked_are_loud(store: &Store) -> Result<(), StoreError> {
    Ok(catalogue::unlinked_are_loud(&store.catalogue().connection())?)
}
