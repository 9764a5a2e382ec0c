//! A segment whose reasons are made anew from the words that it keeps. The other columns pass through as they are.

use super::ColumnarError;
use super::read::SegmentReader;
use super::rewrite::EventColumns;
use super::segment::EncodedSegment;
use super::texts::TextColumn;
use super::write::{REASON, REPLY};
use crate::model::time::UtcMs;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

/// A reply, as rows have it.
#[derive(Debug, Clone, Copy)]
pub struct StoredReply<'r> {
    /// Kind of the log.
    pub source: &'r str,
    /// Its words.
    pub words: &'r str,
    /// `5.7.1`, or empty.
    pub enhanced_code: &'r str,
}

/// What a segment's words say.
#[derive(Debug, Default)]
pub struct JudgedReplies {
    /// The segment with other reasons; none where all stay.
    pub segment: Option<EncodedSegment>,
    /// Rows whose words are kept.
    pub rows: u64,
    /// Rows by their reason before and after, where these differ.
    pub moved: BTreeMap<(String, String), u64>,
}

/// The segment at `path` with the reasons that `reason_of` finds in the words of rows in `span_ms`; where it finds none, the
/// reason stays.
///
/// # Errors
/// The file cannot be read or is damaged.
pub fn reclassify(
    path: &Path,
    span_ms: Range<UtcMs>,
    reason_of: &dyn Fn(StoredReply<'_>) -> Option<&'static str>,
) -> Result<JudgedReplies, ColumnarError> {
    let span_ms = span_ms.start.get()..span_ms.end.get();
    let mut judged = JudgedReplies::default();
    // Most segments keep no words.
    let words = SegmentReader::open(path)?.texts(REPLY)?;
    if words.values.iter().all(String::is_empty) {
        return Ok(judged);
    }
    let mut rows = EventColumns::read(path)?;
    let [source, enhanced, reasons] = ["source", "enhanced_code", REASON].map(|name| rows.texts(name));
    let (source, enhanced, reasons) = (source?, enhanced?, reasons?);
    let times = rows.numbers("ts_ms")?;
    fn at(texts: &TextColumn, row: usize) -> &str {
        &texts.values[texts.codes[row] as usize]
    }
    let mut known: HashMap<[u32; 3], Option<&'static str>> = HashMap::new();
    let mut changes: Vec<(usize, &'static str)> = Vec::new();
    for (row, code) in words.codes.iter().enumerate() {
        let text = &words.values[*code as usize];
        if text.is_empty() || !span_ms.contains(&(times[row] as i64)) {
            continue;
        }
        judged.rows += 1;
        let reply = StoredReply {
            source: at(source, row),
            words: text,
            enhanced_code: at(enhanced, row),
        };
        let key = [source.codes[row], *code, enhanced.codes[row]];
        let reason = *known.entry(key).or_insert_with(|| reason_of(reply));
        let before = at(reasons, row);
        if let Some(reason) = reason.filter(|reason| *reason != before) {
            *judged.moved.entry((before.to_owned(), reason.to_owned())).or_default() += 1;
            changes.push((row, reason));
        }
    }
    if changes.is_empty() {
        return Ok(judged);
    }
    let column = rows.texts_mut(REASON)?;
    for (row, reason) in changes {
        column.codes[row] = column.code(reason);
    }
    judged.segment = Some(rows.encode()?);
    Ok(judged)
}
