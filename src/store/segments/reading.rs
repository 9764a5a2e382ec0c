//! Reading segments: which there are, and their files, broken ones left out.

use super::incomplete::{AnswerLack, Incomplete};
use super::segment_files::{SegmentFiles, SegmentPart};
use crate::model::time::UtcMs;
use crate::store::catalogue::{self, Catalogue, CatalogueError, MissingRows, Positions, Segment, source_of_segment};
use crate::store::columnar::{ColumnarError, LookupKey, ROLLUP_ROWS_MIN, RollUps};
use crate::store::error::StoreError;
use crate::store::permissions::refused;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The segments of a store, to be read.
#[derive(Debug, Clone, Copy)]
pub struct Segments<'s> {
    pub(in crate::store) catalogue: &'s Catalogue,
    pub(in crate::store) files: &'s SegmentFiles,
    pub(in crate::store) incomplete: &'s Incomplete,
}

/// What the segments of a store hold.
#[derive(Debug, Clone, Copy)]
pub struct SegmentTotals {
    /// Events.
    pub events: u64,
    /// Segments.
    pub segments: usize,
    /// Bytes of their files.
    pub bytes: u64,
}

impl Segments<'_> {
    /// The events' file of a segment.
    pub fn events_path(&self, segment: i64) -> PathBuf {
        self.files.events(segment)
    }

    /// The rates' file of a segment.
    pub fn rates_path(&self, segment: i64) -> PathBuf {
        self.files.rates(segment)
    }

    /// A file of a segment.
    pub fn path_of(&self, segment: i64, part: SegmentPart) -> PathBuf {
        self.files.part(segment, part)
    }

    /// Segments that may hold events in `[since_ms, until_ms)`, oldest first.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn between(&self, since_ms: UtcMs, until_ms: UtcMs) -> Result<Vec<Segment>, CatalogueError> {
        catalogue::segments(&self.catalogue.connection(), since_ms, until_ms)
    }

    /// All segments, oldest first.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn all(&self) -> Result<Vec<Segment>, CatalogueError> {
        self.between(UtcMs::MIN, UtcMs::MAX)
    }

    /// Whether a segment has roll-ups. One that should have them and has none is noted; one that cannot be read has none.
    pub(crate) fn has_rollups(&self, segment: &Segment) -> bool {
        if segment.rows < ROLLUP_ROWS_MIN {
            return false;
        }
        match RollUps::open(&self.files.rates(segment.id)) {
            Ok(Some(_)) => true,
            Ok(None) => {
                self.incomplete.add_without_rollups(segment.id);
                false
            }
            Err(_) => false,
        }
    }

    /// Whether a segment may have a row of one of some keys. One without filters may, as may one that cannot be read.
    pub fn may_have(&self, segment: &Segment, keys: &[LookupKey]) -> bool {
        if segment.rows < ROLLUP_ROWS_MIN {
            return true;
        }
        let path = self.files.rates(segment.id);
        match RollUps::open(&path) {
            Ok(Some(mut rollups)) => rollups.may_have(&path, keys).unwrap_or(true),
            _ => true,
        }
    }

    /// What they hold together.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn totals(&self) -> Result<SegmentTotals, CatalogueError> {
        let all = self.all()?;
        Ok(SegmentTotals {
            events: all.iter().map(|segment| segment.rows).sum(),
            segments: all.len(),
            bytes: all
                .iter()
                .map(|segment| segment.events_bytes + segment.rates_bytes)
                .sum(),
        })
    }

    /// Files in the segments' folder that the catalogue does not name.
    ///
    /// # Errors
    /// The catalogue or the folder cannot be read.
    pub(crate) fn orphan_files(&self) -> Result<Vec<PathBuf>, StoreError> {
        self.files.others(&self.all()?)
    }

    /// Whether a file is as long as it was when it was committed: what costs next to nothing to ask.
    ///
    /// # Errors
    /// It is not, or it is not there.
    pub(crate) fn has_its_size(&self, segment: &Segment, part: SegmentPart) -> Result<(), ColumnarError> {
        self.files.has_its_size(segment, part)
    }

    /// Segments that an answer about `[since_ms, until_ms)` reads, oldest first. Rows that are missing are noted.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub(crate) fn to_read(self, since_ms: UtcMs, until_ms: UtcMs) -> Result<Vec<Segment>, CatalogueError> {
        let overlaps = |one: &MissingRows| one.span_ms.1 >= since_ms && one.span_ms.0 < until_ms;
        let missing = Positions(self.catalogue).missing(None)?;
        for one in missing.into_iter().filter(overlaps).filter(|one| !one.lost) {
            let lack = AnswerLack {
                path: None,
                why: String::new(),
                host: one.host,
                kind: one.kind,
                span_ms: one.span_ms,
                rows: one.rows,
            };
            self.incomplete.add(one.segment, false, lack);
        }
        self.between(since_ms, until_ms)
    }

    /// Reads a file of a segment. None if it is broken: that is noted, and whoever reads goes on.
    ///
    /// # Errors
    /// Other than what is wrong with the file; and [`ColumnarError::Io`] where it is gone because the segment is.
    pub fn read_part<T>(
        &self,
        segment: &Segment,
        part: SegmentPart,
        read: impl FnOnce(&Path) -> Result<T, ColumnarError>,
    ) -> Result<Option<T>, StoreError> {
        let path = self.files.part(segment.id, part);
        match self.files.has_its_size(segment, part).and_then(|()| read(&path)) {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.note_broken(segment, part, error).map(|()| None),
        }
    }

    /// Notes that a file cannot be read.
    ///
    /// # Errors
    /// The error itself, where it is not about the file, or where the segment has been replaced meanwhile.
    pub(crate) fn note_broken(
        &self,
        segment: &Segment,
        part: SegmentPart,
        error: ColumnarError,
    ) -> Result<(), StoreError> {
        if !error.is_about_a_file() {
            return Err(refused(error.into()));
        }
        let named = source_of_segment(&self.catalogue.connection(), segment.id)?;
        // Merged away between list and reading: whoever reads takes a fresh list.
        let Some((host, kind)) = named else {
            return Err(ColumnarError::Io {
                path: self.files.part(segment.id, part),
                source: ErrorKind::NotFound.into(),
            }
            .into());
        };
        let why = match &error {
            ColumnarError::Io { source, .. } if source.kind() == ErrorKind::NotFound => "it is not there".to_owned(),
            ColumnarError::Io { source, .. } => source.to_string(),
            ColumnarError::Damaged { what, .. } => what.clone(),
            ColumnarError::Engine(words) => words.to_string(),
        };
        let lack = AnswerLack {
            path: Some(self.files.part(segment.id, part)),
            why,
            host,
            kind,
            span_ms: (segment.first_ms, segment.last_ms),
            rows: segment.rows,
        };
        self.incomplete.add(segment.id, part == SegmentPart::Rates, lack);
        Ok(())
    }
}
