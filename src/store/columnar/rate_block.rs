//! Rates for graphs: one naming column and one measure, by minute or from a roll-up.

use super::ColumnarError;
use super::read::SegmentReader;
use super::rollups::RollUps;
use super::scan::ScanPart;
use super::texts::TextColumn;
use super::write::{DIRECTION, ORIGIN};
use std::io::{Read, Seek};
use std::path::Path;

/// The rates of one segment, columns of equal length.
#[derive(Debug, Default)]
pub(crate) struct RateBlock {
    /// Start of the minute, UTC milliseconds.
    pub ts_ms: Vec<i64>,
    /// The column that was asked for.
    pub by: TextColumn,
    /// Kind of event.
    pub kind: TextColumn,
    pub destination: TextColumn,
    /// Whose mail it is.
    pub origin: TextColumn,
    pub direction: TextColumn,
    /// First hop only?
    pub first_hop: Vec<bool>,
    /// The measure that was asked for.
    pub value: Vec<i64>,
}

impl RateBlock {
    /// Keeps only the rows that have this value in a column of the same file.
    fn keep(&mut self, column: &TextColumn, value: &str) {
        let wanted: Vec<bool> = column.values.iter().map(|known| known == value).collect();
        let keep: Vec<bool> = column.codes.iter().map(|code| wanted[*code as usize]).collect();
        fn only<T>(values: &mut Vec<T>, keep: &[bool]) {
            let mut rows = keep.iter();
            values.retain(|_| rows.next().is_some_and(|keep| *keep));
        }
        only(&mut self.ts_ms, &keep);
        only(&mut self.by.codes, &keep);
        only(&mut self.kind.codes, &keep);
        only(&mut self.destination.codes, &keep);
        only(&mut self.origin.codes, &keep);
        only(&mut self.direction.codes, &keep);
        only(&mut self.first_hop, &keep);
        only(&mut self.value, &keep);
    }
}

/// Reads the rates of a segment by minute, or a roll-up of them: one naming column and one measure, of one service where it is
/// named.
pub(crate) fn read_rates(
    path: &Path,
    part: ScanPart,
    (by, measure): (&str, &str),
    service: Option<&str>,
) -> Result<RateBlock, ColumnarError> {
    let ScanPart::RollUp(which) = part else {
        return rates_in(&mut SegmentReader::open(path)?, (by, measure), service);
    };
    match RollUps::open(path)?
        .map(|mut rollups| rollups.reader(path, which))
        .transpose()?
        .flatten()
    {
        Some(mut reader) => rates_in(&mut reader, (by, measure), service),
        None => Ok(RateBlock::default()),
    }
}

fn rates_in<F: Read + Seek>(
    reader: &mut SegmentReader<'_, F>,
    (by, measure): (&str, &str),
    service: Option<&str>,
) -> Result<RateBlock, ColumnarError> {
    let mut block = RateBlock {
        ts_ms: reader.numbers("ts_ms")?,
        by: reader.texts(by)?,
        kind: reader.texts("kind")?,
        destination: reader.texts("destination")?,
        origin: reader.texts(ORIGIN)?,
        direction: reader.texts(DIRECTION)?,
        first_hop: reader.flags("first_hop")?,
        value: reader.numbers(measure)?,
    };
    if let Some(service) = service {
        block.keep(&reader.texts("service")?, service);
    }
    Ok(block)
}
