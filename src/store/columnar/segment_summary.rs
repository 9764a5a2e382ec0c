//! What a file of events says of itself: whose rows it has, of which day, and which they are. For catalogues that were lost.

use super::ColumnarError;
use super::any_column::AnyColumn;
use super::rewrite::EventColumns;
use crate::model::queue_id::QueueId;
use crate::model::time::{CivilDay, UtcMs};
use rustc_hash::FxHashSet;
use std::path::Path;

/// What a catalogue has to know of a segment.
#[derive(Debug)]
pub struct Described {
    /// Host whose log it is of.
    pub host: String,
    /// Kind of source.
    pub source: String,
    /// Day, of UTC.
    pub day: CivilDay,
    /// First and last event.
    pub span_ms: (UtcMs, UtcMs),
    /// Log and offset of each row.
    pub ids: Vec<(u64, i64)>,
    /// Messages whose arrival may not have been seen: nothing is said of their senders.
    pub orphans: Vec<QueueId>,
    /// Parquet bytes of the rates of these rows.
    pub rates: Vec<u8>,
}

/// Reads all of a file.
///
/// # Errors
/// It cannot be read, or is no segment: rows of several sources or days, or none.
pub fn describe(path: &Path) -> Result<Described, ColumnarError> {
    let rows = EventColumns::read(path)?;
    let damaged = |what: &str| ColumnarError::Damaged {
        path: path.to_owned(),
        what: what.to_owned(),
    };
    if let Some((name, _)) = rows.columns().iter().find(|(_, column)| column.len() != rows.len()) {
        return Err(damaged(&format!("column {name} has another number of rows")));
    }
    let only = |name: &str| -> Result<String, ColumnarError> {
        let texts = rows.texts(name)?;
        let first = *texts.codes.first().ok_or_else(|| damaged("it has no rows"))?;
        match texts.codes.iter().all(|code| *code == first) {
            true => Ok(texts.values[first as usize].clone()),
            false => Err(damaged(&format!("its rows have several values of {name}"))),
        }
    };
    let (host, source) = (only("host")?, only("source")?);
    let times = rows.numbers("ts_ms")?.iter().map(|time| UtcMs::new(*time as i64));
    let span_ms = times.fold((UtcMs::MAX, UtcMs::MIN), |(first, last), time| {
        (first.min(time), last.max(time))
    });
    if span_ms.0.day() != span_ms.1.day() {
        return Err(damaged("its rows are of several days"));
    }
    Ok(Described {
        host,
        source,
        day: span_ms.0.day(),
        span_ms,
        ids: ids(&rows, path)?,
        orphans: orphans(&rows)?,
        rates: rows.rates()?,
    })
}

fn ids(rows: &EventColumns, path: &Path) -> Result<Vec<(u64, i64)>, ColumnarError> {
    let logs = rows.texts("log")?;
    let numbers = logs.values.iter().map(|log| u64::from_str_radix(log, 16).ok());
    let numbers = numbers
        .collect::<Option<Vec<u64>>>()
        .ok_or_else(|| ColumnarError::Damaged {
            path: path.to_owned(),
            what: "a log's number is none".to_owned(),
        })?;
    let offsets = rows.numbers("log_offset")?;
    let ids = logs.codes.iter().zip(offsets);
    Ok(ids
        .map(|(code, offset)| (numbers[*code as usize], *offset as i64))
        .collect())
}

/// Messages of which a row names no sender and no client, and that did not arrive in this file. Some of them have none; to
/// look one up in vain costs little.
fn orphans(rows: &EventColumns) -> Result<Vec<QueueId>, ColumnarError> {
    let [ids, kinds, domains, locals, clients] =
        ["queue_id", "kind", "sender_domain", "sender_local", "client"].map(|name| rows.texts(name));
    let (ids, kinds) = (ids?, kinds?);
    let nobody = [domains?, locals?, clients?];
    let mut arrived = FxHashSet::default();
    let mut unknown = FxHashSet::default();
    for row in 0..rows.len() {
        let code = ids.codes[row];
        if matches!(kinds.at(row).1, b"accepted" | b"submitted") {
            arrived.insert(code);
        } else if nobody.iter().all(|texts| texts.at(row).1.is_empty()) {
            unknown.insert(code);
        }
    }
    let unknown = unknown.difference(&arrived);
    Ok(unknown
        .filter_map(|code| QueueId::new(ids.values[*code as usize].as_bytes()))
        .collect())
}

/// The segment at `path` without some of its rows; `keep` says of each whether it stays.
pub(crate) fn thinned(path: &Path, keep: &[bool]) -> Result<super::EncodedSegment, ColumnarError> {
    let rows: Vec<usize> = (0..keep.len()).filter(|row| keep[*row]).collect();
    EventColumns::read(path)?.only(&rows).encode()
}

impl EventColumns {
    fn only(self, rows: &[usize]) -> EventColumns {
        let take = |(name, column): &(String, AnyColumn)| (name.clone(), column.take(rows));
        let taken: Vec<(String, AnyColumn)> = self.columns().iter().map(take).collect();
        self.with(rows.len(), taken)
    }
}
