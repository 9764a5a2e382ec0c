//! Compaction: small segments become one.

use crate::model::time::{CivilDay, UtcMs};
use crate::store::catalogue::{Segment, restored_segments};
use crate::store::columnar::{self, ColumnarError, EncodedSegment, Parts, ROLLUP_ROWS_MIN, RollUps};
use crate::store::commit::replace;
use crate::store::error::StoreError;
use crate::store::handle::Store;
use crate::store::retention::{Retention, expire};
use crate::store::segments::SegmentPart;

/// What compaction did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Segments before, of those that were touched.
    pub merged: u64,
    /// Segments that came of them.
    pub into: u64,
    /// Segments older than the retention, removed.
    pub expired: u64,
    /// Segments of an older program that were given roll-ups.
    pub rolled_up: u64,
}

/// Merges small segments of a source and day, and removes days that are older than the retention. Readers see
/// either the old segments or the new one.
pub fn compact(store: &Store, retention: Option<&Retention>) -> Result<Compacted, StoreError> {
    let mut done = Compacted::default();
    if let Some(retention) = retention {
        done.expired = expire(store, retention)?;
    }
    let mut segments = segments_to_merge(store)?;
    segments.sort_unstable_by_key(|segment| (segment.source, segment.day, segment.id));
    for group in segments.chunk_by(|a, b| (a.source, a.day) == (b.source, b.day)) {
        for run in runs(group, columnar::SEGMENT_ROWS_MAX as u64)
            .into_iter()
            .filter(|run| run.len() > 1)
        {
            if replace_run(store, run, Parts::merge)? {
                done.merged += run.len() as u64;
                done.into += 1;
            }
        }
    }
    for segment in segments_to_merge(store)? {
        let found = || RollUps::open(&store.files().rates(segment.id));
        let is_old = || found().is_ok_and(|found| found.is_none_or(|rollups| !rollups.has_keys()));
        if segment.rows >= ROLLUP_ROWS_MIN
            && is_old()
            && replace_run(store, std::slice::from_ref(&segment), Parts::join)?
        {
            done.rolled_up += 1;
        }
    }
    Ok(done)
}

/// Merges segments of a source and day as a tail makes them, so that each row is rewritten a few times at most:
/// when there are many small ones, when there are some of middle size, and once when a day is over. Returns how
/// many were merged.
pub fn compact_small(store: &Store) -> Result<u64, StoreError> {
    let mut segments = segments_to_merge(store)?;
    segments.sort_unstable_by_key(|segment| (segment.source, segment.day, segment.id));
    let mut merged = 0;
    for source in segments.chunk_by(|a, b| a.source == b.source) {
        let newest = source.last().map_or(CivilDay::EPOCH, |segment| segment.day);
        for group in source.chunk_by(|a, b| a.day == b.day) {
            let is_over = group[0].day < newest;
            for tier in TIERS {
                // When a day is over, what is left of it is one tier.
                let rows = if is_over { 0..JOINED_ROWS.end } else { tier.rows };
                let alike: Vec<Segment> = group.iter().filter(|s| rows.contains(&s.rows)).cloned().collect();
                if alike.len() < if is_over { 2 } else { tier.enough } {
                    continue;
                }
                for run in runs(&alike, ROWS_AT_ONCE).into_iter().filter(|run| run.len() > 1) {
                    if replace_run(store, run, if is_over { Parts::merge } else { tier.how })? {
                        merged += run.len() as u64;
                    }
                }
                break;
            }
        }
    }
    // What readers have let go of meanwhile.
    store.files().retire(&[]);
    Ok(merged)
}

/// All but those that were restored a moment ago: what becomes of them is not told as of others.
fn segments_to_merge(store: &Store) -> Result<Vec<Segment>, StoreError> {
    let mut segments = store.segments().all()?;
    let restored = restored_segments(&store.catalogue().connection())?;
    segments.retain(|segment| !restored.contains(&segment.id));
    Ok(segments)
}

/// Puts one segment in the place of a run of them.
/// What cannot be read stays as it is, noted.
fn replace_run(store: &Store, run: &[Segment], how: MergeMethod) -> Result<bool, StoreError> {
    for (segment, part) in run
        .iter()
        .flat_map(|one| [(one, SegmentPart::Events), (one, SegmentPart::Rates)])
    {
        if let Err(error) = store.segments().has_its_size(segment, part) {
            store.segments().note_broken(segment, part, error)?;
            return Ok(false);
        }
    }
    let first_ms = run.iter().map(|segment| segment.first_ms).min();
    let last_ms = run.iter().map(|segment| segment.last_ms).max();
    let encoded = match how(&Parts {
        events: run.iter().map(|segment| store.files().events(segment.id)).collect(),
        rates: run.iter().map(|segment| store.files().rates(segment.id)).collect(),
        span_ms: (first_ms.unwrap_or(UtcMs::EPOCH), last_ms.unwrap_or(UtcMs::EPOCH)),
    }) {
        Ok(encoded) => encoded,
        Err(error) => return broken_run(store, run, error).map(|()| false),
    };
    let ids: Vec<i64> = run.iter().map(|segment| segment.id).collect();
    let mut connection = store.catalogue().connection();
    let transaction = connection.begin()?;
    replace(store, &transaction, &ids, run[0].source, &encoded)?;
    store.files().sync()?;
    transaction.commit()?;
    drop(connection);
    store.files().retire(&ids);
    Ok(true)
}

/// Notes the segment of a run that an error is about.
fn broken_run(store: &Store, run: &[Segment], error: ColumnarError) -> Result<(), StoreError> {
    let path = match &error {
        ColumnarError::Damaged { path, .. } | ColumnarError::Io { path, .. } => path.clone(),
        ColumnarError::Engine(_) => return Err(error.into()),
    };
    let parts = run
        .iter()
        .flat_map(|one| [(one, SegmentPart::Events), (one, SegmentPart::Rates)]);
    let broken = parts
        .into_iter()
        .find(|(one, part)| store.segments().path_of(one.id, *part) == path);
    match broken {
        Some((segment, part)) => store.segments().note_broken(segment, part, error),
        None => Err(error.into()),
    }
}

/// Makes one segment of several.
type MergeMethod = fn(&Parts) -> Result<EncodedSegment, ColumnarError>;

/// Rows of segments that are joined as they are: a second or two of a busy log each. To encode them anew would make them
/// a tenth smaller, and cost a tail as much as all else that it does; `store compact` does it.
const JOINED_ROWS: std::ops::Range<u64> = 4_096..40_000;

/// What a tail does with segments of so many rows when there are enough of them.
struct Tier {
    rows: std::ops::Range<u64>,
    enough: usize,
    how: MergeMethod,
}

/// The small segments of a tail's rounds, and what came of these or of busier rounds.
const TIERS: [Tier; 2] = [
    Tier {
        rows: 0..JOINED_ROWS.start,
        enough: 32,
        how: Parts::merge,
    },
    Tier {
        rows: JOINED_ROWS,
        enough: 8,
        how: Parts::join,
    },
];

/// Rows that a tail merges at once: what is in memory by it.
const ROWS_AT_ONCE: u64 = 80_000;

/// Cuts the segments of a day into runs of at most so many rows.
fn runs(group: &[Segment], rows_max: u64) -> Vec<&[Segment]> {
    let mut runs = Vec::new();
    let (mut start, mut rows) = (0, 0);
    for (at, segment) in group.iter().enumerate() {
        if at > start && rows + segment.rows > rows_max {
            runs.push(&group[start..at]);
            (start, rows) = (at, 0);
        }
        rows += segment.rows;
    }
    runs.push(&group[start..]);
    runs
}
