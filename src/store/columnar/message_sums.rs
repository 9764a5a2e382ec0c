//! Messages of a segment that has just been encoded, by who sent them: what counters count as it is committed.

use super::ColumnarError;
use super::read::SegmentReader;
use super::segment::EncodedSegment;
use super::write::{DIRECTION, ORIGIN};
use crate::model::time::UtcMs;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

/// Messages of a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSum {
    /// Start of the minute, UTC milliseconds.
    pub ts_ms: UtcMs,
    /// Service.
    pub service: String,
    /// Relay.
    pub relay: String,
    /// Kind of event.
    pub kind: String,
    /// Whose mail it is.
    pub origin: String,
    /// Direction; empty of what is about no recipient.
    pub direction: String,
    /// How many.
    pub messages: u64,
}

/// The messages of a segment, by all that they are counted under.
///
/// # Errors
/// The segment is damaged.
pub fn message_sums(segment: &EncodedSegment) -> Result<Vec<MessageSum>, ColumnarError> {
    let mut reader = SegmentReader::of(Path::new("rates in memory"), Cursor::new(&segment.rates[..]))?;
    let (minutes, messages) = (reader.numbers("ts_ms")?, reader.numbers("messages")?);
    let columns = [
        reader.texts("service")?,
        reader.texts("relay")?,
        reader.texts("kind")?,
        reader.texts(ORIGIN)?,
        reader.texts(DIRECTION)?,
    ];
    let mut sums: BTreeMap<(i64, [u32; 5]), i64> = BTreeMap::new();
    for (row, (ts_ms, messages)) in minutes.into_iter().zip(messages).enumerate() {
        let codes = [0, 1, 2, 3, 4].map(|column| columns[column].at(row).0);
        *sums.entry((ts_ms, codes)).or_default() += messages;
    }
    let sum = |((ts_ms, codes), messages): ((i64, [u32; 5]), i64)| {
        let name = |column: usize| columns[column].values[codes[column] as usize].clone();
        let [service, relay, kind, origin, direction] = [0, 1, 2, 3, 4].map(name);
        Some(MessageSum {
            ts_ms: UtcMs::new(ts_ms),
            service,
            relay,
            kind,
            origin,
            direction,
            messages: u64::try_from(messages).ok().filter(|messages| *messages > 0)?,
        })
    };
    Ok(sums.into_iter().filter_map(sum).collect())
}
