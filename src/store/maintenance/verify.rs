//! Verification: every file is read and compared with the catalogue.

use crate::model::text::text;
use crate::store::catalogue::{self, Segment, is_named, unbalanced_logs};
use crate::store::columnar;
use crate::store::error::StoreError;
use crate::store::handle::Store;
use crate::store::outbox::payload_path;
use crate::store::segments::SegmentPart;
use rustc_hash::FxHashSet;
use std::path::{Path, PathBuf};

/// How often the list of segments is taken again by who reads them all, at most.
pub(super) const LISTS_MAX: u32 = 8;

/// What verification found.
#[derive(Debug, Default)]
pub struct Verified {
    /// Segments read through.
    pub segments: u64,
    /// Rows of events in them.
    pub rows: u64,
    /// What is wrong, one line each; empty is good.
    pub faults: Vec<String>,
}

/// Reads every segment and compares it with the catalogue: hashes, rows, stray files, and the sums of lines.
pub fn verify(store: &Store) -> Result<Verified, StoreError> {
    let mut found = Verified {
        faults: catalogue_faults(store),
        ..Verified::default()
    };
    let mut seen = FxHashSet::default();
    // A writer beside this may put others in the place of some of them: these are looked at in their turn.
    for _ in 0..LISTS_MAX {
        let segments = store.segments().all()?;
        let news: Vec<&Segment> = segments.iter().filter(|segment| !seen.contains(&segment.id)).collect();
        if news.is_empty() {
            break;
        }
        for segment in news {
            seen.insert(segment.id);
            let faults = verify_segment(store, segment);
            if !faults.is_empty() && !is_named(&store.catalogue().connection(), segment.id)? {
                continue;
            }
            found.segments += 1;
            found.rows += segment.rows;
            found.faults.extend(faults);
        }
    }
    found.faults.extend(payload_faults(store)?);
    for one in store.positions().missing(None)? {
        found.faults.push(one.words());
    }
    let orphans = if store.is_written_elsewhere() {
        Vec::new()
    } else {
        store.segments().orphan_files()?
    };
    for path in orphans {
        found.faults.push(format!(
            "{}: the catalogue does not list it; the next writer moves it to lost+found",
            path.display()
        ));
    }
    for (path, lines, sum) in unbalanced_logs(&store.catalogue().connection())? {
        let path = text(&path);
        found.faults.push(format!(
            "{path}: {lines} lines, but events + ignored + unparsed = {sum}"
        ));
    }
    Ok(found)
}

/// Looks at the sizes of all files, and reads as many of the newest segments as `bytes_max` allows: what a look in passing
/// finds, one line a fault.
///
/// # Errors
/// The catalogue cannot be read.
pub fn spot_check(store: &Store, bytes_max: u64) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    let mut left = bytes_max;
    for segment in store.segments().all()?.iter().rev() {
        let bytes = segment.events_bytes + segment.rates_bytes;
        let found = match bytes <= left {
            true => verify_segment(store, segment),
            false => sizes_of(store, segment),
        };
        left = left.saturating_sub(bytes);
        // Merged away between list and reading.
        if !found.is_empty() && is_named(&store.catalogue().connection(), segment.id)? {
            faults.extend(found);
        }
    }
    Ok(faults)
}

fn sizes_of(store: &Store, segment: &Segment) -> Vec<String> {
    let segments = store.segments();
    let parts = [SegmentPart::Events, SegmentPart::Rates].into_iter();
    let fault = |part| {
        segments
            .has_its_size(segment, part)
            .err()
            .map(|error| error.to_string())
    };
    parts.filter_map(fault).collect()
}

fn verify_segment(store: &Store, segment: &Segment) -> Vec<String> {
    let files = [
        (
            store.files().events(segment.id),
            &segment.events_hash,
            Some(segment.rows),
        ),
        (store.files().rates(segment.id), &segment.rates_hash, None),
    ];
    let fault = |(path, hash, rows): (PathBuf, &String, Option<u64>)| {
        let fault = verify_file(&path, hash, rows).err()?;
        Some(format!("{}: {fault}", path.display()))
    };
    files.into_iter().filter_map(fault).collect()
}

/// What SQLite finds wrong with the catalogue, one line each.
fn catalogue_faults(store: &Store) -> Vec<String> {
    let path = store.path().join(catalogue::FILE);
    let fault = |words: &String| format!("{}: {words}; `mailpulse store repair` repairs it", path.display());
    catalogue::faults(&store.catalogue().connection())
        .iter()
        .map(fault)
        .collect()
}

/// What is wrong with the payloads that wait, one line each.
fn payload_faults(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    let payloads = catalogue::payloads(&store.catalogue().connection())?;
    for payload in payloads {
        let path = payload_path(store.path(), payload.id, payload.kind);
        if !has_hash(&path, &payload.hash) {
            faults.push(format!(
                "{}: its content differs from what is to be sent (hash mismatch); `mailpulse store repair` repairs it",
                path.display()
            ));
        }
    }
    Ok(faults)
}

/// Whether a file has these bytes.
pub(crate) fn has_hash(path: &Path, hash: &str) -> bool {
    std::fs::read(path).is_ok_and(|bytes| blake3::hash(&bytes).to_hex().as_str() == hash)
}

/// Reads a file of a segment through, and compares it with its hash and number of rows.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn verify_file(path: &Path, hash: &str, rows: Option<u64>) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    if blake3::hash(&bytes).to_hex().as_str() != hash {
        return Err(
            "its content differs from what was committed (hash mismatch); `mailpulse store repair` repairs \
             it"
            .into(),
        );
    }
    let found = columnar::verify(path).map_err(|error| error.to_string())?;
    match rows {
        Some(rows) if rows != found => Err(format!("has {found} rows, but {rows} were committed")),
        _ => Ok(()),
    }
}
