//! The files of segments: their names, how they are written, and how they go.

use crate::files;
use crate::store::catalogue::Segment;
use crate::store::columnar::{ColumnarError, EncodedSegment};
use crate::store::error::StoreError;
use rustc_hash::FxHashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a reader has for a query, from the list of segments to the last of them.
const READERS_TIME: Duration = Duration::from_secs(60);

/// Which file of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentPart {
    /// Events.
    Events,
    /// Rates.
    Rates,
}

/// The folder of a store's segments.
#[derive(Debug)]
pub(crate) struct SegmentFiles {
    folder: PathBuf,
    /// Segments that nobody names any more, and since when.
    retired: Mutex<Vec<(Instant, i64)>>,
}

impl Drop for SegmentFiles {
    fn drop(&mut self) {
        let retired = std::mem::take(self.retired.get_mut().unwrap_or_else(PoisonError::into_inner));
        let ids: Vec<i64> = retired.into_iter().map(|(_, id)| id).collect();
        self.remove(&ids);
    }
}

impl SegmentFiles {
    /// Those of a store.
    pub(crate) fn of(store: &Path) -> Self {
        SegmentFiles {
            folder: segments_folder(store),
            retired: Mutex::default(),
        }
    }

    /// The events' file of a segment.
    pub(crate) fn events(&self, segment: i64) -> PathBuf {
        self.folder.join(format!("{segment}.events.parquet"))
    }

    /// The rates' file of a segment.
    pub(crate) fn rates(&self, segment: i64) -> PathBuf {
        self.folder.join(format!("{segment}.rates.parquet"))
    }

    /// A file of a segment.
    pub(crate) fn part(&self, segment: i64, part: SegmentPart) -> PathBuf {
        match part {
            SegmentPart::Events => self.events(segment),
            SegmentPart::Rates => self.rates(segment),
        }
    }

    /// Writes the files of a segment; it counts when a transaction names it. [`SegmentFiles::sync`] must come before that.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn write(&self, id: i64, source: i64, encoded: &EncodedSegment) -> Result<Segment, StoreError> {
        write_file(&self.events(id), &encoded.events)?;
        write_file(&self.rates(id), &encoded.rates)?;
        Ok(Segment {
            id,
            source,
            day: encoded.day,
            first_ms: encoded.span_ms.0,
            last_ms: encoded.span_ms.1,
            rows: encoded.rows,
            events_bytes: encoded.events.len() as u64,
            rates_bytes: encoded.rates.len() as u64,
            events_hash: blake3::hash(&encoded.events).to_hex().to_string(),
            rates_hash: blake3::hash(&encoded.rates).to_hex().to_string(),
        })
    }

    /// After files were written, before the transaction that names them.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| StoreError::Io {
            path: self.folder.clone(),
            source,
        })
    }

    /// Removes the files of segments that nobody names any more, when readers who took the list before have had their
    /// time; at the latest when the store is closed.
    pub(crate) fn retire(&self, segments: &[i64]) {
        let now = Instant::now();
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.extend(segments.iter().map(|id| (now, *id)));
        let due = retired.partition_point(|(since, _)| now.duration_since(*since) >= READERS_TIME);
        let due: Vec<i64> = retired.drain(..due).map(|(_, id)| id).collect();
        drop(retired);
        self.remove(&due);
    }

    fn remove(&self, segments: &[i64]) {
        for id in segments {
            for path in [self.events(*id), self.rates(*id)] {
                if let Err(error) = fs::remove_file(&path) {
                    tracing::warn!(path = %path.display(), %error, "cannot remove a replaced segment");
                }
            }
        }
    }

    /// Files in the folder that are none of these segments'.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn others(&self, named: &[Segment]) -> Result<Vec<PathBuf>, StoreError> {
        let known: FxHashSet<PathBuf> = named
            .iter()
            .flat_map(|segment| [self.events(segment.id), self.rates(segment.id)])
            .collect();
        let io = |source| StoreError::Io {
            path: self.folder.clone(),
            source,
        };
        let mut others = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if !known.contains(&path) {
                others.push(path);
            }
        }
        Ok(others)
    }

    /// Whether a file is as long as it was when it was committed: what costs next to nothing to ask.
    ///
    /// # Errors
    /// It is not, or it is not there.
    pub(crate) fn has_its_size(&self, segment: &Segment, part: SegmentPart) -> Result<(), ColumnarError> {
        let path = self.part(segment.id, part);
        let committed = match part {
            SegmentPart::Events => segment.events_bytes,
            SegmentPart::Rates => segment.rates_bytes,
        };
        match fs::metadata(&path) {
            Ok(found) if found.is_file() && found.len() == committed => Ok(()),
            Ok(found) => Err(ColumnarError::Damaged {
                path,
                what: format!("it has {} bytes, but {committed} were committed", found.len()),
            }),
            Err(source) => Err(ColumnarError::Io { path, source }),
        }
    }
}

/// Where the segments of a store are.
pub(crate) fn segments_folder(store: &Path) -> PathBuf {
    store.join("segments")
}

/// The events' files in the segments' folder, with their numbers, in their order.
pub(crate) fn segment_files(store: &Path) -> Result<Vec<(i64, PathBuf)>, StoreError> {
    let folder = segments_folder(store);
    let io = |source| StoreError::Io {
        path: folder.clone(),
        source,
    };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(io)?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".events.parquet")?.parse().ok());
        found.extend(number.filter(|number| *number > 0).map(|number| (number, path)));
    }
    found.sort_unstable();
    Ok(found)
}

/// Writes a file that is either there whole or not at all, also after a power cut.
///
/// # Errors
/// The disk.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    files::write_whole(path, bytes).map_err(|source| StoreError::Io {
        path: path.to_owned(),
        source,
    })
}
