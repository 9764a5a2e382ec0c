//! `store forget`: rows are taken back, here and (by rows with sign −1 in the outbox) on the server, and their logs are read
//! again by the next `backfill` or `tail` as if for the first time: after a wrong zone or host was set right.
//!
//! With a point in time the rows before it stay. Their logs are read again from the start all the same, because what comes
//! later depends on what came before; what is stored is not added a second time ([`crate::store::recovery::reread`]).

use crate::model::time::{Minute, UtcMs};
use crate::store::catalogue::{self, CatalogueError, Counts, Segment, Transaction, shadow};
use crate::store::columnar;
use crate::store::commit::replace;
use crate::store::error::StoreError;
use crate::store::handle::Store;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;

/// What would be forgotten of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgetting {
    /// Number of the source.
    pub source: i64,
    /// From when on, UTC milliseconds; none: all.
    pub since_ms: Option<UtcMs>,
    /// Logs that can be read again, by their numbers.
    pub there: FxHashSet<u64>,
    /// Rows that are taken back.
    pub rows: u64,
    /// First and last of them, UTC milliseconds, as far as their segments say.
    pub span_ms: Option<(UtcMs, UtcMs)>,
    /// Logs with such rows whose files are gone.
    pub logs_gone: u64,
    /// Their lines.
    pub lines_gone: u64,
    /// Rows that are missing here already, and may stand on a server.
    pub missing: u64,
}

/// Looks what would be forgotten; changes nothing. `there` are the logs of the source whose files were found.
///
/// # Errors
/// A segment cannot be read.
pub fn look(
    store: &Store,
    source: i64,
    since_ms: Option<UtcMs>,
    there: FxHashSet<u64>,
) -> Result<Forgetting, StoreError> {
    let from = since_ms.unwrap_or(UtcMs::MIN);
    let mut rows = 0;
    let mut span_ms: Option<(UtcMs, UtcMs)> = None;
    for segment in segments_of(store, source, from)? {
        rows += match segment.first_ms >= from {
            true => segment.rows,
            false => columnar::times(&store.files().events(segment.id))?
                .iter()
                .filter(|time| **time >= from)
                .count() as u64,
        };
        let first = segment.first_ms.max(from);
        span_ms = Some(span_ms.map_or((first, segment.last_ms), |(a, b)| {
            (a.min(first), b.max(segment.last_ms))
        }));
    }
    let logs = store.positions().logs(source)?;
    let gone = || {
        let late = |span: Option<(UtcMs, UtcMs)>| span.is_some_and(|(_, last)| last >= from);
        let logs = logs.iter().filter(|log| !there.contains(&log.log_id));
        logs.filter(move |log| late(log.span_ms))
    };
    let missing = store.positions().missing(Some(source))?;
    Ok(Forgetting {
        source,
        since_ms,
        rows,
        span_ms,
        logs_gone: gone().count() as u64,
        lines_gone: gone().map(|log| log.counts.lines).sum(),
        missing: missing.iter().filter(|one| one.again.sent).map(|one| one.rows).sum(),
        there,
    })
}

/// Forgets, in one transaction.
///
/// # Errors
/// The store cannot be written.
pub fn forget(store: &Store, what: &Forgetting) -> Result<(), StoreError> {
    let from = what.since_ms.unwrap_or(UtcMs::MIN);
    let mut replaced = Vec::new();
    let segments = segments_of(store, what.source, from)?;
    let mut connection = store.catalogue().connection();
    let transaction = connection.begin()?;
    if let Some((first, _)) = what.span_ms {
        catalogue::note_changed(&transaction, first.minute())?;
    }
    for segment in &segments {
        take_back(store, &transaction, segment, from)?;
        replaced.push(segment.id);
    }
    forget_lines(store, &transaction, what)?;
    forget_state(&transaction, what)?;
    if what.since_ms.is_some() {
        adopt_rest(store, &transaction, what.source)?;
    }
    store.outbox().note_gap(&transaction)?;
    store.files().sync()?;
    store.outbox().sync_if_it_ships()?;
    transaction.commit()?;
    drop(connection);
    store.files().retire(&replaced);
    Ok(())
}

fn segments_of(store: &Store, source: i64, from_ms: UtcMs) -> Result<Vec<Segment>, StoreError> {
    let mut segments = store.segments().between(from_ms, UtcMs::MAX)?;
    segments.retain(|segment| segment.source == source);
    Ok(segments)
}

/// Takes the rows of a segment back from a time on; the others stay.
fn take_back(
    store: &Store,
    transaction: &Transaction<'_>,
    segment: &Segment,
    from_ms: UtcMs,
) -> Result<(), StoreError> {
    let path = store.files().events(segment.id);
    let times = columnar::times(&path)?;
    if store.outbox().ships()
        && let Some((rows, bytes)) = columnar::taken_back(&path, from_ms)?
    {
        store.outbox().post_changes(transaction, segment.day, rows, &bytes)?;
    }
    let keep: Vec<bool> = times.iter().map(|time| *time < from_ms).collect();
    if keep.iter().any(|keep| *keep) {
        let rest = columnar::thinned(&path, &keep)?;
        replace(store, transaction, &[segment.id], segment.source, &rest)?;
        return Ok(());
    }
    Ok(catalogue::remove_segment(transaction, segment.id)?)
}

/// The lines of what is read again are counted again: from the first minute on in which one of these logs has a line.
fn forget_lines(store: &Store, transaction: &Transaction<'_>, what: &Forgetting) -> Result<(), StoreError> {
    let mut first: Option<UtcMs> = None;
    for log in catalogue::log_rows(transaction, what.source)? {
        let begin = log
            .first_ms
            .filter(|_| what.there.contains(&log.log_id) || what.since_ms.is_none());
        first = begin.map_or(first, |begin| Some(first.map_or(begin, |first| first.min(begin))));
    }
    let from = first.map_or(Minute::MAX, UtcMs::minute);
    let counted = catalogue::minutes_from(transaction, what.source, from)?;
    if let Some(minute) = counted.iter().map(|(minute, _)| *minute).min() {
        catalogue::note_changed(transaction, minute)?;
    }
    // Taken back: what the server adds up is nothing then.
    let minutes: Vec<(Minute, Counts)> = counted
        .into_iter()
        .map(|(minute, counts)| (minute, negated(counts)))
        .collect();
    if store.outbox().ships() {
        store.outbox().post_minutes(transaction, what.source, &minutes)?;
    }
    Ok(catalogue::remove_minutes(transaction, what.source, from)?)
}

/// As u64, what is negative is the complement.
fn negated(counts: Counts) -> Counts {
    Counts {
        lines: counts.lines.wrapping_neg(),
        events: counts.events.wrapping_neg(),
        ignored: counts.ignored.wrapping_neg(),
        unparsed: counts.unparsed.wrapping_neg(),
        bytes: counts.bytes.wrapping_neg(),
        foreign: counts.foreign.wrapping_neg(),
        duplicates: 0,
    }
}

/// The rows that stay are not added again when their logs are.
fn adopt_rest(store: &Store, transaction: &Transaction<'_>, source: i64) -> Result<(), StoreError> {
    for (segment, is_known) in catalogue::segments_with_logs(transaction, source)? {
        catalogue::adopt(transaction, segment)?;
        if is_known {
            continue;
        }
        // Written by an older program.
        let mut spans: BTreeMap<u64, (i64, i64)> = BTreeMap::new();
        columnar::event_ids(&store.files().events(segment), |log, offset| {
            let span = spans.entry(log).or_insert((offset as i64, offset as i64));
            *span = (span.0.min(offset as i64), span.1.max(offset as i64));
        })?;
        let spans: Vec<(u64, i64, i64)> = spans
            .into_iter()
            .map(|(log, (first, last))| (log, first, last))
            .collect();
        catalogue::note_logs_of_old(transaction, segment, &spans)?;
    }
    Ok(())
}

/// Positions, messages in the queue, what did not parse: as if these logs had not been read.
fn forget_state(transaction: &Transaction<'_>, what: &Forgetting) -> Result<(), CatalogueError> {
    let source = what.source;
    let is_read_again = |log: u64| what.since_ms.is_none() || what.there.contains(&log);
    let mut begin = UtcMs::MAX;
    for log in catalogue::log_rows(transaction, source)? {
        if is_read_again(log.log_id) {
            begin = begin.min(log.first_ms.unwrap_or(UtcMs::MAX));
            catalogue::remove_log(transaction, log.id)?;
        }
    }
    if what.since_ms.is_none() {
        catalogue::forget_services(transaction, source)?;
        catalogue::forget_orphans(transaction, source)?;
        begin = UtcMs::MIN;
    }
    catalogue::forget_open_messages(transaction, source, begin)?;
    catalogue::forget_open_messages(transaction, shadow(source), UtcMs::MIN)?;
    catalogue::forget_samples(transaction, source)?;
    catalogue::forget_missing(transaction, source, what.since_ms.unwrap_or(UtcMs::MIN))
}
