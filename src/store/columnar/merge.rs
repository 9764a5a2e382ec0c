//! Several segments of one source and day as one: compaction makes large files of small ones. Either a column at a time
//! goes from all files into the new one, so that no more than one is in memory unpacked; or the files' groups of rows
//! are put into one file as they are, which costs a copy. Rates add up without the rows.

use super::ColumnarError;
use super::any_column::AnyColumn;
use super::file::GroupWriter;
use super::rates::Rates;
use super::read::SegmentReader;
use super::rewrite::{EventColumns, add_keys_of};
use super::rollups::{ROLLUP_ROWS_MIN, RollUp, RollUps};
use super::segment::EncodedSegment;
use super::tally::Tallies;
use super::texts::Strings;
use super::write::{Columns, QUEUE_ID, Scratch};
use crate::model::dictionary::Dictionary;
use crate::model::time::UtcMs;
use polars::error::PolarsError;
use polars_parquet::parquet::page::CompressedPage;
use std::io::Cursor;
use std::path::PathBuf;

type Loaded<'p> = SegmentReader<'p, Cursor<Vec<u8>>>;

/// What becomes one segment.
pub struct Parts {
    /// Files of events, in the order of their rows.
    pub events: Vec<PathBuf>,
    /// Their files of rates.
    pub rates: Vec<PathBuf>,
    /// First and last time of their events.
    pub span_ms: (UtcMs, UtcMs),
}

/// Where the filters of keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filters {
    /// From the rows: one filter, which says fewest times "yes" where it is "no".
    Anew,
    /// From the parts, as they are.
    OfParts,
}

impl Parts {
    /// Columns encoded anew: the smallest file.
    pub fn merge(&self) -> Result<EncodedSegment, ColumnarError> {
        let (rows, events) = merged(load(&self.events)?)?;
        self.segment(rows, events, Filters::Anew)
    }

    /// Groups of rows as they are: nothing is unpacked. Files that have a column in another form are merged.
    pub fn join(&self) -> Result<EncodedSegment, ColumnarError> {
        let mut files = load(&self.events)?;
        if files.iter().any(|file| file.schema() != files[0].schema()) {
            return self.merge();
        }
        let rows = files.iter().map(SegmentReader::rows).sum();
        let schema = files.first().map(SegmentReader::schema).unwrap_or_default();
        let mut out = GroupWriter::new(schema, Vec::new())?;
        for file in &mut files {
            let names: Vec<String> = file.stored_names().map(str::to_owned).collect();
            for group in 0..file.groups() {
                let rows = file.group_rows(group);
                let columns: Vec<Vec<CompressedPage>> = names
                    .iter()
                    .map(|name| pages(file, name, group, rows))
                    .collect::<Result<_, _>>()?;
                out.group(rows, &columns)?;
            }
        }
        self.segment(rows, out.finish()?, Filters::OfParts)
    }

    fn segment(&self, rows: usize, events: Vec<u8>, filters: Filters) -> Result<EncodedSegment, ColumnarError> {
        let mut sums = Rates::default();
        self.rates.iter().try_for_each(|path| sums.add_file(path))?;
        let tallies = match rows as u64 >= ROLLUP_ROWS_MIN {
            true => Some(self.tallies(&events, filters)?),
            false => None,
        };
        Ok(EncodedSegment {
            day: self.span_ms.0.day(),
            rows: rows as u64,
            span_ms: self.span_ms,
            events,
            rates: sums.encode(tallies, &mut Scratch::default())?,
            orphans: Vec::new(),
            logs: Vec::new(),
        })
    }
}

impl Parts {
    /// Those of the parts add up; where one has none, they are made of the rows.
    fn tallies(&self, events: &[u8], filters: Filters) -> Result<Tallies, ColumnarError> {
        let mut tallies = Tallies::default();
        let mut parts = Vec::new();
        for path in &self.rates {
            let Some(mut rollups) = RollUps::open(path)? else {
                return EventColumns::of(&self.events[0], events)?.tallies();
            };
            tallies.add_file(|which| rollups.reader(path, which))?;
            parts.push(rollups.bytes(path, RollUp::Keys)?);
        }
        tallies.seen(self.span_ms.1.get());
        match parts.into_iter().collect::<Option<Vec<_>>>() {
            Some(parts) if filters == Filters::OfParts || parts.len() == 1 => {
                parts.iter().for_each(|filters| tallies.keys.add_written(filters));
            }
            _ => add_keys_of(&self.events[0], events, &mut tallies.keys)?,
        }
        Ok(tallies)
    }
}

/// Several files of equal columns as one, rows in the order of the files.
pub(crate) fn concatenate(paths: &[PathBuf]) -> Result<Vec<u8>, ColumnarError> {
    Ok(merged(load(paths)?)?.1)
}

fn load(paths: &[PathBuf]) -> Result<Vec<Loaded<'_>>, ColumnarError> {
    let files = paths.iter().map(|path| SegmentReader::load(path));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    match files.iter().find(|file| !file.names().eq(files[0].names())) {
        Some(other) => Err(other.damaged("has other columns than the files before it")),
        None => Ok(files),
    }
}

/// Rows of all files, and the bytes of the one that has them.
fn merged(mut files: Vec<Loaded<'_>>) -> Result<(usize, Vec<u8>), ColumnarError> {
    let names: Vec<String> = files
        .first()
        .map_or_else(Vec::new, |first| first.names().map(str::to_owned).collect());
    let rows: usize = files.iter().map(SegmentReader::rows).sum();
    let mut out = Columns::new(rows)?;
    for name in &names {
        if name == QUEUE_ID {
            merge_strings(&mut files, name, &mut out)?;
        } else if files[0].is_dictionary(name) {
            merge_dictionaries(&mut files, name, rows, &mut out)?;
        } else {
            merge_values(&mut files, name)?.write(&mut out, name)?;
        }
    }
    Ok((rows, out.encode()?))
}

/// A column's pages of one group, still compressed.
fn pages(file: &mut Loaded<'_>, name: &str, group: usize, rows: usize) -> Result<Vec<CompressedPage>, ColumnarError> {
    let (pages, _) = file.pages(name, group)?;
    let counted = |page| match page {
        CompressedPage::Data(mut page) => {
            page.num_rows = Some(rows);
            CompressedPage::Data(page)
        }
        page => page,
    };
    let pages = pages.map(|page| page.map(counted)).collect::<Result<Vec<_>, _>>();
    Ok(pages.map_err(PolarsError::from)?)
}

/// Text that hardly repeats, in whichever form a file has it.
fn merge_strings(files: &mut [Loaded<'_>], name: &str, out: &mut Columns) -> Result<(), ColumnarError> {
    let mut all = Strings::default();
    for file in files {
        all.extend(file.strings(name)?.iter());
    }
    out.incremental(name, all.iter().map(str::as_bytes))
}

/// Only the values of each file are looked up, never those of a row.
fn merge_dictionaries(
    files: &mut [Loaded<'_>],
    name: &str,
    rows: usize,
    out: &mut Columns,
) -> Result<(), ColumnarError> {
    let mut all = Dictionary::default();
    let mut codes: Vec<u32> = Vec::with_capacity(rows);
    for file in files {
        let (values, keys) = file.dictionary(name)?;
        let map: Vec<u32> = values.iter().map(|value| all.code(value.as_bytes())).collect();
        codes.extend(keys.into_iter().map(|key| map[key as usize]));
    }
    out.dictionary_of(name, all.values().iter(), &codes)
}

fn merge_values(files: &mut [Loaded<'_>], name: &str) -> Result<AnyColumn, ColumnarError> {
    let (first, others) = files.split_at_mut(1);
    let mut column = first[0].any(name)?;
    for file in others {
        let more = file.any(name)?;
        if !column.append(more) {
            return Err(file.damaged(format!("column {name} is of another type")));
        }
    }
    Ok(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(folder: &std::path::Path, name: &str, fill: impl FnOnce(&mut Columns)) -> PathBuf {
        let mut columns = Columns::new(3).unwrap();
        fill(&mut columns);
        columns.growing("ts_ms", &[5, 6, 7]).unwrap();
        let path = folder.join(name);
        std::fs::write(&path, columns.encode().unwrap()).unwrap();
        path
    }

    #[test]
    fn files_without_providers_codes_are_joined_with_others() {
        let folder = tempfile::tempdir().unwrap();
        let (reasons, codes) = (["spam", "auth"].map(str::to_owned), ["", "TSS04"].map(str::to_owned));
        let old = |name| {
            file_of(folder.path(), name, |out| {
                out.dictionary("reason", &reasons, [0, 1, 0]).unwrap()
            })
        };
        let new = file_of(folder.path(), "new", |out| {
            out.dictionary("reason", &reasons, [1, 0, 1]).unwrap();
            out.dictionary("provider_code", &codes, [0, 1, 0]).unwrap();
        });
        let all = [old("old"), old("older"), new];
        for events in [&all[..2], &all] {
            let parts = Parts {
                events: events.to_vec(),
                rates: Vec::new(),
                span_ms: (UtcMs::new(5), UtcMs::new(7)),
            };
            for joined in [parts.join().unwrap(), parts.merge().unwrap()] {
                let path = folder.path().join("joined");
                std::fs::write(&path, joined.events).unwrap();
                let mut reader = SegmentReader::load(&path).unwrap();
                let names = [
                    "reason",
                    "provider_code",
                    "origin",
                    "direction",
                    "provider",
                    "reply",
                    "ts_ms",
                ];
                assert_eq!(reader.names().collect::<Vec<_>>(), names);
                assert!(reader.strings("direction").unwrap().iter().all(str::is_empty));
                let codes: Vec<String> = reader
                    .strings("provider_code")
                    .unwrap()
                    .iter()
                    .map(str::to_owned)
                    .collect();
                let expected: &[&str] = &["", "", "", "", "", "", "", "TSS04", ""];
                assert_eq!(codes, expected[..events.len() * 3]);
                let reasons = reader.strings("reason").unwrap();
                assert_eq!(
                    reasons.iter().take(3).collect::<Vec<_>>(),
                    ["content", "smtp_auth", "content"]
                );
            }
        }
    }

    #[test]
    fn files_with_queue_ids_in_the_old_form_are_joined_with_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        let ids = ["1fOXU8-00", "1fOXU9-00"].map(str::to_owned);
        let old = file_of(folder.path(), "old", |out| {
            out.dictionary(QUEUE_ID, &ids, [0, 1, 0]).unwrap()
        });
        let new = |name| {
            file_of(folder.path(), name, |out| {
                out.incremental(
                    QUEUE_ID,
                    [&ids[1], &ids[1], &ids[0]].map(|id| id.as_bytes()).into_iter(),
                )
                .unwrap();
            })
        };
        let (new, newer) = (new("new"), new("newer"));
        for (events, groups) in [([old, new.clone()], 1), ([new, newer], 2)] {
            let parts = Parts {
                events: events.to_vec(),
                rates: Vec::new(),
                span_ms: (UtcMs::new(5), UtcMs::new(7)),
            };
            let joined = parts.join().unwrap();
            let path = folder.path().join("joined");
            std::fs::write(&path, joined.events).unwrap();
            let mut reader = SegmentReader::load(&path).unwrap();
            assert_eq!((reader.rows(), joined.rows, reader.groups()), (6, 6, groups));
            assert_eq!(reader.numbers("ts_ms").unwrap(), [5, 6, 7, 5, 6, 7]);
            let read = reader.strings(QUEUE_ID).unwrap();
            let first = read.get(0);
            assert!(ids.iter().any(|id| id == first));
            assert_eq!(read.iter().collect::<Vec<_>>()[3..], [&ids[1], &ids[1], &ids[0]]);
        }
    }
}
