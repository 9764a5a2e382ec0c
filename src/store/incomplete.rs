//! What answers lack: segments that are broken, and rows that are missing. Whoever reads goes on with the rest, and whoever
//! asked is told afterwards.

use super::catalogue::Segment;
use super::columnar::{self, Error as ColumnarError};
use super::reread::Missing;
use super::{Error, Store};
use rusqlite::OptionalExtension;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Lacks that are named; of more only the number is known.
const NAMED_MAX: usize = 1_000;

/// One thing that an answer lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The file, if there is one.
    pub path: Option<PathBuf>,
    /// Why it cannot be read; empty for rows that are known to be missing.
    pub why: String,
    /// Host of the source.
    pub host: String,
    /// Its kind.
    pub kind: String,
    /// First and last event, UTC milliseconds.
    pub span_ms: (i64, i64),
    /// Rows.
    pub rows: u64,
}

/// What was found to be lacking; shared by whoever reads and whoever tells.
#[derive(Debug, Clone, Default)]
pub struct Incomplete(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    /// By segment, and whether it is of the rates.
    lacks: BTreeMap<(i64, bool), Lack>,
    more: u64,
}

impl Incomplete {
    /// What is lacking, and how much more there is than is named.
    pub fn lacks(&self) -> (Vec<Lack>, u64) {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (found.lacks.values().cloned().collect(), found.more)
    }

    /// Forgets what was told.
    pub fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Found::default();
    }

    fn add(&self, segment: i64, is_rates: bool, lack: Lack) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match found.lacks.len() < NAMED_MAX || found.lacks.contains_key(&(segment, is_rates)) {
            true => _ = found.lacks.insert((segment, is_rates), lack),
            false => found.more += 1,
        }
    }
}

/// Which file of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Events.
    Events,
    /// Rates.
    Rates,
}

impl Store {
    /// What readers of this store found to be lacking.
    pub fn incomplete(&self) -> &Incomplete {
        &self.incomplete
    }

    /// From now on what is lacking is noted there.
    pub fn note_incomplete_in(&mut self, incomplete: &Incomplete) {
        self.incomplete = incomplete.clone();
    }

    /// A file of a segment.
    pub fn path_of(&self, segment: i64, part: Part) -> PathBuf {
        match part {
            Part::Events => self.events_path(segment),
            Part::Rates => self.rates_path(segment),
        }
    }

    /// Segments that an answer about `[since_ms, until_ms)` reads, oldest first. Rows that are missing are noted.
    pub fn segments_to_read(&self, since_ms: i64, until_ms: i64) -> Result<Vec<Segment>, Error> {
        let overlaps = |one: &Missing| one.span_ms.1 >= since_ms && one.span_ms.0 < until_ms;
        for one in self.missing(None)?.into_iter().filter(overlaps).filter(|one| !one.lost) {
            let lack = Lack {
                path: None,
                why: String::new(),
                host: one.host,
                kind: one.kind,
                span_ms: one.span_ms,
                rows: one.rows,
            };
            self.incomplete.add(one.segment, false, lack);
        }
        self.segments(since_ms, until_ms)
    }

    /// Reads a file of a segment. None if it is broken: that is noted, and whoever reads goes on.
    ///
    /// # Errors
    /// Other than what is wrong with the file; and [`columnar::Error::Io`] where it is gone because the segment is.
    pub fn read_part<T>(
        &self,
        segment: &Segment,
        part: Part,
        read: impl FnOnce(&Path) -> Result<T, ColumnarError>,
    ) -> Result<Option<T>, Error> {
        let path = self.path_of(segment.id, part);
        match self.has_its_size(segment, part).and_then(|()| read(&path)) {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.note_broken(segment, part, error).map(|()| None),
        }
    }

    /// Whether a file is as long as it was when it was committed: what costs next to nothing to ask.
    pub fn has_its_size(&self, segment: &Segment, part: Part) -> Result<(), ColumnarError> {
        let path = self.path_of(segment.id, part);
        let committed = match part {
            Part::Events => segment.events_bytes,
            Part::Rates => segment.rates_bytes,
        };
        match std::fs::metadata(&path) {
            Ok(found) if found.is_file() && found.len() == committed => Ok(()),
            Ok(found) => Err(ColumnarError::Damaged {
                path,
                what: format!("it has {} bytes, and {committed} were committed", found.len()),
            }),
            Err(source) => Err(ColumnarError::Io { path, source }),
        }
    }

    /// Notes that a file cannot be read.
    ///
    /// # Errors
    /// The error itself, where it is not about the file, or where the segment has been replaced meanwhile.
    pub fn note_broken(&self, segment: &Segment, part: Part, error: ColumnarError) -> Result<(), Error> {
        if !error.is_about_a_file() {
            return Err(super::reader::refused(error.into()));
        }
        let connection = self.connection();
        let named: Option<(String, String)> = connection
            .prepare_cached("SELECT host, kind FROM segment JOIN source ON source.id = source WHERE segment.id = ?1")?
            .query_row([segment.id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        drop(connection);
        // Merged away between list and reading: whoever reads takes a fresh list.
        let Some((host, kind)) = named else {
            return Err(columnar::Error::Io {
                path: self.path_of(segment.id, part),
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
        let lack = Lack {
            path: Some(self.path_of(segment.id, part)),
            why,
            host,
            kind,
            span_ms: (segment.first_ms, segment.last_ms),
            rows: segment.rows,
        };
        self.incomplete.add(segment.id, part == Part::Rates, lack);
        Ok(())
    }
}
