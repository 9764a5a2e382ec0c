//! Which events a segment holds: their logs and offsets.

use super::ColumnarError;
use super::read::SegmentReader;
use crate::model::time::UtcMs;
use std::path::Path;

/// Calls `each` with log and offset of every row.
pub(crate) fn event_ids(path: &Path, mut each: impl FnMut(u64, u64)) -> Result<(), ColumnarError> {
    let mut reader = SegmentReader::open(path)?;
    let logs = reader.texts("log")?;
    let offsets = reader.numbers("log_offset")?;
    let numbers = logs.values.iter().map(|name| u64::from_str_radix(name, 16).ok());
    let numbers: Option<Vec<u64>> = numbers.collect();
    let numbers = numbers.ok_or_else(|| reader.damaged("a log's number is none"))?;
    for (code, offset) in logs.codes.iter().zip(&offsets) {
        each(numbers[*code as usize], *offset as u64);
    }
    Ok(())
}

/// When each row's event happened.
pub fn times(path: &Path) -> Result<Vec<UtcMs>, ColumnarError> {
    let times = SegmentReader::open(path)?.numbers("ts_ms")?;
    Ok(times.into_iter().map(UtcMs::new).collect())
}
