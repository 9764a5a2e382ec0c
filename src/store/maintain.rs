//! Keeping the store small and honest: compaction, verification.

use super::catalogue::{self, Segment};
use super::columnar::{EncodedSegment, Parts};
use super::incomplete::Part;
use super::retention::Retention;
use super::{Error, Store, columnar};
use rustc_hash::FxHashSet;

/// How often the list of segments is taken again by who reads them all, at most.
pub(super) const LISTS_MAX: u32 = 8;

/// What compaction did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Segments before, of those that were touched.
    pub merged: u64,
    /// Segments that came of them.
    pub into: u64,
    /// Segments older than the retention, removed.
    pub expired: u64,
}

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

impl Store {
    /// Merges small segments of a source and day, and removes days that are older than the retention. Readers see
    /// either the old segments or the new one.
    pub fn compact(&self, retention: Option<&Retention>) -> Result<Compacted, Error> {
        let mut done = Compacted::default();
        if let Some(retention) = retention {
            done.expired = self.expire(retention)?;
        }
        let mut segments = self.segments_to_merge()?;
        segments.sort_unstable_by_key(|segment| (segment.source, segment.day, segment.id));
        for group in segments.chunk_by(|a, b| (a.source, a.day) == (b.source, b.day)) {
            for run in runs(group, columnar::SEGMENT_ROWS_MAX as u64)
                .into_iter()
                .filter(|run| run.len() > 1)
            {
                if self.replace_run(run, Parts::merge)? {
                    done.merged += run.len() as u64;
                    done.into += 1;
                }
            }
        }
        Ok(done)
    }

    /// Merges segments of a source and day as a tail makes them, so that each row is rewritten a few times at most:
    /// when there are many small ones, when there are some of middle size, and once when a day is over. Returns how
    /// many were merged.
    pub fn compact_small(&self) -> Result<u64, Error> {
        let mut segments = self.segments_to_merge()?;
        segments.sort_unstable_by_key(|segment| (segment.source, segment.day, segment.id));
        let mut merged = 0;
        for source in segments.chunk_by(|a, b| a.source == b.source) {
            let newest = source.last().map_or(0, |segment| segment.day);
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
                        if self.replace_run(run, if is_over { Parts::merge } else { tier.how })? {
                            merged += run.len() as u64;
                        }
                    }
                    break;
                }
            }
        }
        // What readers have let go of meanwhile.
        self.remove_segments(&[]);
        Ok(merged)
    }

    /// All but those that were restored a moment ago: what becomes of them is not told as of others.
    fn segments_to_merge(&self) -> Result<Vec<Segment>, Error> {
        let mut segments = self.segments(i64::MIN, i64::MAX)?;
        let connection = self.connection();
        let mut restored = connection.prepare("SELECT segment FROM restored")?;
        let restored: Vec<i64> = restored.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        segments.retain(|segment| !restored.contains(&segment.id));
        Ok(segments)
    }

    /// Puts one segment in the place of a run of them.
    /// What cannot be read stays as it is, noted.
    fn replace_run(&self, run: &[Segment], how: How) -> Result<bool, Error> {
        for (segment, part) in run.iter().flat_map(|one| [(one, Part::Events), (one, Part::Rates)]) {
            if let Err(error) = self.has_its_size(segment, part) {
                self.note_broken(segment, part, error)?;
                return Ok(false);
            }
        }
        let first_ms = run.iter().map(|segment| segment.first_ms).min();
        let last_ms = run.iter().map(|segment| segment.last_ms).max();
        let encoded = match how(&Parts {
            events: run.iter().map(|segment| self.events_path(segment.id)).collect(),
            rates: run.iter().map(|segment| self.rates_path(segment.id)).collect(),
            span_ms: (first_ms.unwrap_or(0), last_ms.unwrap_or(0)),
        }) {
            Ok(encoded) => encoded,
            Err(error) => return self.broken_run(run, error).map(|()| false),
        };
        let ids: Vec<i64> = run.iter().map(|segment| segment.id).collect();
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        self.replace(&transaction, &ids, run[0].source, &encoded)?;
        self.sync_folder()?;
        transaction.commit()?;
        drop(connection);
        self.remove_segments(&ids);
        Ok(true)
    }

    /// Notes the segment of a run that an error is about.
    fn broken_run(&self, run: &[Segment], error: columnar::Error) -> Result<(), Error> {
        let path = match &error {
            columnar::Error::Damaged { path, .. } | columnar::Error::Io { path, .. } => path.clone(),
            columnar::Error::Engine(_) => return Err(error.into()),
        };
        let parts = run.iter().flat_map(|one| [(one, Part::Events), (one, Part::Rates)]);
        let broken = parts
            .into_iter()
            .find(|(one, part)| self.path_of(one.id, *part) == path);
        match broken {
            Some((segment, part)) => self.note_broken(segment, part, error),
            None => Err(error.into()),
        }
    }

    /// Whether the catalogue names a segment (still).
    pub(super) fn is_named(&self, segment: i64) -> Result<bool, Error> {
        let connection = self.connection();
        let mut find = connection.prepare_cached("SELECT 1 FROM segment WHERE id = ?1")?;
        Ok(find.exists([segment])?)
    }

    fn verify_segment(&self, segment: &Segment) -> Vec<String> {
        let files = [
            (self.events_path(segment.id), &segment.events_hash, Some(segment.rows)),
            (self.rates_path(segment.id), &segment.rates_hash, None),
        ];
        let fault = |(path, hash, rows): (std::path::PathBuf, &String, Option<u64>)| {
            let fault = verify_file(&path, hash, rows).err()?;
            Some(format!("{}: {fault}", path.display()))
        };
        files.into_iter().filter_map(fault).collect()
    }

    /// What SQLite finds wrong with the catalogue, one line each.
    fn catalogue_faults(&self) -> Result<Vec<String>, Error> {
        let connection = self.connection();
        let look = || -> Result<Vec<String>, rusqlite::Error> {
            let mut check = connection.prepare("PRAGMA integrity_check(20)")?;
            let rows = check.query_map([], |row| row.get(0))?;
            rows.collect()
        };
        let mut words = look().unwrap_or_else(|error| vec![error.to_string()]);
        words.extend(super::catalogue::check_texts(&connection).err());
        let path = self.path().join("catalogue.sqlite");
        let fault = |words: &String| format!("{}: {words}; `mailpulse store repair` mends it", path.display());
        Ok(words.iter().filter(|words| *words != "ok").map(fault).collect())
    }

    /// Reads every segment and compares it with the catalogue: hashes, rows, stray files, and the sums of lines.
    pub fn verify(&self) -> Result<Verified, Error> {
        let mut found = Verified {
            faults: self.catalogue_faults()?,
            ..Verified::default()
        };
        let mut seen = FxHashSet::default();
        // A writer beside this may put others in the place of some of them: these are looked at in their turn.
        for _ in 0..LISTS_MAX {
            let segments = self.segments(i64::MIN, i64::MAX)?;
            let news: Vec<&Segment> = segments.iter().filter(|segment| !seen.contains(&segment.id)).collect();
            if news.is_empty() {
                break;
            }
            for segment in news {
                seen.insert(segment.id);
                let faults = self.verify_segment(segment);
                if !faults.is_empty() && !self.is_named(segment.id)? {
                    continue;
                }
                found.segments += 1;
                found.rows += segment.rows;
                found.faults.extend(faults);
            }
        }
        found.faults.extend(self.payload_faults()?);
        for one in self.missing(None)? {
            found.faults.push(one.words());
        }
        let strays = if self.is_written_elsewhere() {
            Vec::new()
        } else {
            self.strays()?
        };
        for path in strays {
            found.faults.push(format!(
                "{}: no segment of the catalogue; the next writer moves it to lost+found",
                path.display()
            ));
        }
        let connection = self.connection();
        let mut statement = connection.prepare("SELECT path, lines, events + ignored + unparsed FROM log")?;
        let logs = statement.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?, row.get(2)?)))?;
        for log in logs {
            let (path, lines, sum): (Vec<u8>, i64, i64) = log?;
            if lines != sum {
                let path = crate::model::text::text(&path);
                found.faults.push(format!(
                    "{path}: {lines} lines, but events + ignored + unparsed = {sum}"
                ));
            }
        }
        Ok(found)
    }
}

/// Makes one segment of several.
type How = fn(&Parts) -> Result<EncodedSegment, columnar::Error>;

/// Rows of segments that are joined as they are: a second or two of a busy log each. To encode them anew would make them
/// a tenth smaller, and cost a tail as much as all else that it does; `store compact` does it.
const JOINED_ROWS: std::ops::Range<u64> = 4_096..40_000;

/// What a tail does with segments of so many rows when there are enough of them.
struct Tier {
    rows: std::ops::Range<u64>,
    enough: usize,
    how: How,
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

pub(super) fn verify_file(path: &std::path::Path, hash: &str, rows: Option<u64>) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    if blake3::hash(&bytes).to_hex().as_str() != hash {
        return Err("its content is not what was committed (hash differs); `mailpulse store repair` mends it".into());
    }
    let found = columnar::verify(path).map_err(|error| error.to_string())?;
    match rows {
        Some(rows) if rows != found => Err(format!("has {found} rows, committed were {rows}")),
        _ => Ok(()),
    }
}
