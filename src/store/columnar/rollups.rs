//! Roll-ups of a segment: what its rows add up to by hour and day, and which of them are alike. They stand in the file of its
//! rates, so that they are written, replaced and removed with it.
//!
//! Each roll-up is a Parquet file of its own. They stand one behind the other between the pages of the rates and their footer,
//! which only names the pages: other programs, and older ones of ours, see the rates by minute and nothing else.
//!
//! ```text
//! pages of the rates │ roll-up … │ directory │ its length │ CRC-32 of it │ MAGIC │ footer of the rates
//! ```

use super::ColumnarError;
use super::key_filter::{LookupKey, may_have};
use super::read::SegmentReader;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// A roll-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RollUp {
    /// Rates by hour. The time of a row is the last minute that it sums up.
    Hours = 1,
    /// Rates by day. The time of a row is the last minute that it sums up.
    Days = 2,
    /// Events that name another host: deferrals, bounces, and what was handed to another relay. A row for those that are alike,
    /// with a weight.
    Peers = 3,
    /// Deliveries to the outside by their times in the queue and on the way, which have two digits. Rows have a weight.
    Latencies = 4,
    /// What one host's events tell of another, by minute, and failures that an application logged again. Rows have a weight.
    Witnesses = 5,
    /// By which keys rows may be found; no Parquet file, but what `key_filter` writes.
    Keys = 6,
}

const ALL: [RollUp; 6] = [
    RollUp::Hours,
    RollUp::Days,
    RollUp::Peers,
    RollUp::Latencies,
    RollUp::Witnesses,
    RollUp::Keys,
];

/// With what roll-ups mean: of those of another number nothing is read.
const MAGIC: &[u8; 8] = b"MPROLL01";

/// Events that a segment must have to be given roll-ups: of fewer the rows themselves are read as fast.
pub const ROLLUP_ROWS_MIN: u64 = 4_096;

/// Bytes behind the directory: its length, its CRC, and [`MAGIC`].
const TAIL: u64 = 16;
/// Bytes of an entry of the directory: which roll-up, and its length.
const ENTRY: usize = 5;
/// Bytes behind a Parquet footer: its length, and four letters.
const FOOTER_TAIL: u64 = 8;

/// Puts roll-ups into a file of rates.
pub(super) fn put(mut rates: Vec<u8>, rollups: &[(RollUp, Vec<u8>)]) -> Vec<u8> {
    let footer = rates.len().saturating_sub(FOOTER_TAIL as usize);
    let len = rates.get(footer..).and_then(|tail| tail.first_chunk::<4>());
    let footer = footer.saturating_sub(len.map_or(0, |len| u32::from_le_bytes(*len) as usize));
    let footer = rates.split_off(footer);
    let mut directory = Vec::new();
    for (which, bytes) in rollups {
        directory.push(*which as u8);
        directory.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        rates.extend_from_slice(bytes);
    }
    rates.extend_from_slice(&directory);
    rates.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    rates.extend_from_slice(&crc32fast::hash(&directory).to_le_bytes());
    rates.extend_from_slice(MAGIC);
    rates.extend_from_slice(&footer);
    rates
}

/// The roll-ups of a file of rates.
#[derive(Debug)]
pub struct RollUps {
    file: File,
    /// Which, where it begins, and its length.
    entries: Vec<(RollUp, u64, usize)>,
}

impl RollUps {
    /// None if the file has none, as files of older programs and small segments have not.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn open(path: &Path) -> Result<Option<RollUps>, ColumnarError> {
        let io = |source| ColumnarError::Io {
            path: path.into(),
            source,
        };
        let mut file = File::open(path).map_err(io)?;
        let Some((directory, end)) = directory(&mut file).map_err(io)? else {
            return Ok(None);
        };
        let damaged = || ColumnarError::Damaged {
            path: path.into(),
            what: "the directory of its roll-ups does not fit it".to_owned(),
        };
        let directory = directory.ok_or_else(damaged)?;
        let mut entries = Vec::new();
        let mut start = end;
        // From the last one to the first: the end of all is known.
        for entry in directory.chunks(ENTRY).rev() {
            let (Some(code), Some(len)) = (entry.first(), entry.get(1..).and_then(|len| len.first_chunk::<4>())) else {
                return Err(damaged());
            };
            let len = u32::from_le_bytes(*len);
            start = start.checked_sub(u64::from(len)).ok_or_else(damaged)?;
            let which = ALL.into_iter().find(|which| *which as u8 == *code);
            entries.extend(which.map(|which| (which, start, len as usize)));
        }
        Ok(Some(RollUps { file, entries }))
    }

    /// The bytes of one of them; none if it is not there.
    pub(super) fn bytes(&mut self, path: &Path, which: RollUp) -> Result<Option<Vec<u8>>, ColumnarError> {
        let entry = self.entries.iter().find(|(known, ..)| *known == which);
        let Some((_, start, len)) = entry else { return Ok(None) };
        let mut bytes = vec![0; *len];
        let read = self.file.seek(SeekFrom::Start(*start));
        read.and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|source| ColumnarError::Io {
                path: path.into(),
                source,
            })?;
        Ok(Some(bytes))
    }

    /// Whether its segment may have a row of one of some keys; one that was written without filters may.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn may_have(&mut self, path: &Path, keys: &[LookupKey]) -> Result<bool, ColumnarError> {
        let filters = self.bytes(path, RollUp::Keys)?;
        Ok(filters.is_none_or(|filters| may_have(&filters, keys)))
    }

    /// Whether it has filters of keys: older programs wrote none.
    pub(crate) fn has_keys(&self) -> bool {
        self.entries.iter().any(|(which, ..)| *which == RollUp::Keys)
    }

    /// Reads one of them; none if it has no rows.
    pub(super) fn reader<'p>(
        &mut self,
        path: &'p Path,
        which: RollUp,
    ) -> Result<Option<SegmentReader<'p, Cursor<Vec<u8>>>>, ColumnarError> {
        let bytes = self.bytes(path, which)?;
        bytes
            .map(|bytes| SegmentReader::of(path, Cursor::new(bytes)))
            .transpose()
    }
}

/// The directory, and where it begins; none in the place of a directory that is damaged.
fn directory(file: &mut File) -> std::io::Result<Option<(Option<Vec<u8>>, u64)>> {
    let len = file.seek(SeekFrom::End(0))?;
    let Some(tail) = len.checked_sub(FOOTER_TAIL) else {
        return Ok(None);
    };
    let mut footer = [0; 4];
    read_at(file, tail, &mut footer)?;
    let Some(at) = tail
        .checked_sub(u64::from(u32::from_le_bytes(footer)))
        .and_then(|footer| footer.checked_sub(TAIL))
    else {
        return Ok(None);
    };
    let mut end = [0; TAIL as usize];
    read_at(file, at, &mut end)?;
    let ([a, b, c, d, e, f, g, h], magic) = match end {
        [a, b, c, d, e, f, g, h, magic @ ..] => ([a, b, c, d, e, f, g, h], magic),
    };
    if magic != *MAGIC {
        return Ok(None);
    }
    let entries = u32::from_le_bytes([a, b, c, d]) as usize;
    let Some(start) = at
        .checked_sub(entries as u64)
        .filter(|_| entries <= ENTRY * usize::from(u8::MAX))
    else {
        return Ok(Some((None, 0)));
    };
    let mut directory = vec![0; entries];
    read_at(file, start, &mut directory)?;
    let is_whole = crc32fast::hash(&directory) == u32::from_le_bytes([e, f, g, h]);
    Ok(Some((is_whole.then_some(directory), start)))
}

fn read_at(file: &mut File, at: u64, into: &mut [u8]) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(into)
}
