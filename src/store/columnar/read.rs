//! Parquet bytes → columns. Only the columns that are asked for are read and unpacked.

use super::ColumnarError;
use super::any_column::AnyColumn;
use super::checks::Checksums;
use super::panics::contained;
use super::texts::{PlainValues, Strings, TextColumn};
use super::write::{DIRECTION, LATER, ORIGIN, PROVIDER, QUEUE_ID, REASON};
use crate::model::dictionary::Dictionary;
use crate::store::batch::NONE;
use mailpulse_parsers::reply::today;
use polars::error::PolarsError;
use polars_arrow::array::{Array, BooleanArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_parquet::parquet::compression::DecompressionContext;
use polars_parquet::parquet::encoding::hybrid_rle::HybridRleDecoder;
use polars_parquet::parquet::page::Page;
use polars_parquet::parquet::read::decompress;
use polars_parquet::parquet::schema::types::PrimitiveType;
use polars_parquet::read::{
    BasicDecompressor, FileMetadata, PageReader, column_iter_to_arrays, infer_schema, read_metadata,
};
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// An open Parquet file of ours.
pub(super) struct SegmentReader<'p, F = File> {
    path: &'p Path,
    file: F,
    metadata: FileMetadata,
    fields: Vec<Field>,
    checksums: Checksums,
    /// Zstandard's memory, kept from page to page.
    zstd: DecompressionContext,
}

/// Rows of a file, at most: what a length that was flipped may not exceed.
const ROWS_MAX: usize = 4_000_000;
/// Bytes of a page before it was compressed, at most.
const PAGE_BYTES_MAX: usize = 1 << 30;

impl<'p> SegmentReader<'p> {
    /// Opens a file; columns are read from it when they are asked for.
    pub(super) fn open(path: &'p Path) -> Result<Self, ColumnarError> {
        let io = |source| ColumnarError::Io {
            path: path.into(),
            source,
        };
        SegmentReader::of(path, File::open(path).map_err(io)?)
    }
}

impl<'p> SegmentReader<'p, Cursor<Vec<u8>>> {
    /// Takes a file into memory: no descriptor stays open, however many files there are.
    pub(super) fn load(path: &'p Path) -> Result<Self, ColumnarError> {
        let io = |source| ColumnarError::Io {
            path: path.into(),
            source,
        };
        SegmentReader::of(path, Cursor::new(std::fs::read(path).map_err(io)?))
    }
}

impl<'p, F: Read + Seek> SegmentReader<'p, F> {
    pub(super) fn of(path: &'p Path, mut file: F) -> Result<Self, ColumnarError> {
        let (metadata, fields) = contained(path, || {
            let metadata = read_metadata(&mut file)?;
            let fields = infer_schema(&metadata)?.iter_values().cloned().collect();
            Ok((metadata, fields))
        })
        .map_err(|error| error.of(path))?;
        let reader = SegmentReader {
            path,
            file,
            fields,
            checksums: Checksums::of(&metadata),
            metadata,
            zstd: DecompressionContext::Unset,
        };
        reader.plausible()
    }

    /// Refuses lengths that cannot be: nothing is made room for because a footer says so.
    fn plausible(mut self) -> Result<Self, ColumnarError> {
        let len = self.file.seek(SeekFrom::End(0)).map_err(|source| ColumnarError::Io {
            path: self.path.into(),
            source,
        })?;
        let groups = &self.metadata.row_groups;
        let rows: usize = groups
            .iter()
            .map(|group| group.num_rows())
            .fold(0, usize::saturating_add);
        let chunks = groups.iter().flat_map(|group| group.parquet_columns());
        let mut outside = chunks.filter(|chunk| {
            let range = contained(self.path, || Ok(chunk.byte_range()));
            range.map_or(true, |range| range.start > range.end || range.end > len)
        });
        if rows > ROWS_MAX || rows != self.metadata.num_rows || outside.next().is_some() {
            return Err(self.damaged("its footer does not fit it"));
        }
        Ok(self)
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> ColumnarError {
        ColumnarError::Damaged {
            path: self.path.into(),
            what: what.into(),
        }
    }

    /// One column, an array a row group.
    fn column(&mut self, name: &str) -> Result<Vec<Box<dyn Array>>, ColumnarError> {
        let mut arrays = Vec::with_capacity(self.groups());
        for group in 0..self.groups() {
            arrays.extend(self.group_column(name, group)?);
        }
        Ok(arrays)
    }

    /// One column of one group of rows.
    fn group_column(&mut self, name: &str, group: usize) -> Result<Vec<Box<dyn Array>>, ColumnarError> {
        let Some(field) = self.fields.iter().find(|field| field.name.as_str() == name) else {
            return Err(self.damaged(format!("no column {name}")));
        };
        let field = field.clone();
        let (pages, type_) = self.pages(name, group)?;
        let rows = self.group_rows(group);
        let decoded = contained(self.path, || {
            let pages = BasicDecompressor::new(pages, vec![]);
            Ok(column_iter_to_arrays(vec![pages], vec![&type_], field, None)?.0)
        });
        let decoded = decoded.map_err(|error| error.of(self.path))?;
        if decoded.iter().map(|array| array.len()).sum::<usize>() != rows {
            return Err(self.damaged(format!("column {name} has another number of rows")));
        }
        Ok(decoded)
    }

    /// How many groups of rows the file has: one, or those of the segments that were joined to this one.
    pub(super) fn groups(&self) -> usize {
        self.metadata.row_groups.len()
    }

    /// Rows of a group.
    pub(super) fn group_rows(&self, group: usize) -> usize {
        self.metadata.row_groups[group].num_rows()
    }

    /// The columns' names and types.
    pub(super) fn schema(&self) -> ArrowSchema {
        let fields = self.fields.iter();
        fields.map(|field| (field.name.clone(), field.clone())).collect()
    }

    /// The compressed pages of a column in a group of rows, and its type.
    pub(super) fn pages(&mut self, name: &str, group: usize) -> Result<(PageReader, PrimitiveType), ColumnarError> {
        let chunks = self.metadata.row_groups[group].parquet_columns();
        let at = chunks
            .iter()
            .position(|c| c.descriptor().path_in_schema[0].as_str() == name);
        let Some(at) = at else {
            return Err(self.damaged(format!("no data for column {name}")));
        };
        let chunk = &chunks[at];
        let range = chunk.byte_range();
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let io = |source| ColumnarError::Io {
            path: self.path.into(),
            source,
        };
        self.file.seek(SeekFrom::Start(range.start)).map_err(io)?;
        self.file.read_exact(&mut bytes).map_err(io)?;
        if !self.checksums.agree(group * chunks.len() + at, &bytes) {
            return Err(self.damaged(format!("the checksum of column {name} differs")));
        }
        let type_ = chunk.descriptor().descriptor.primitive_type.clone();
        Ok((
            PageReader::new(Cursor::new(bytes.into()), chunk, vec![], PAGE_BYTES_MAX),
            type_,
        ))
    }

    /// Whether this is a column that files of earlier versions do not have: it is read as one without values.
    fn lacks(&self, name: &str) -> bool {
        LATER.contains(&name) && !self.stored_names().any(|known| known == name)
    }

    /// Whether a column stands in the file as a dictionary of text.
    pub(super) fn is_dictionary(&self, name: &str) -> bool {
        if self.lacks(name) {
            return true;
        }
        let field = self.fields.iter().find(|field| field.name.as_str() == name);
        field.is_some_and(|field| matches!(field.dtype, ArrowDataType::Dictionary(..)))
    }

    /// A dictionary of text, and a code a row.
    pub(super) fn dictionary(&mut self, name: &str) -> Result<(PlainValues, Vec<u32>), ColumnarError> {
        if self.groups() == 1 {
            return self.group_dictionary(name, 0);
        }
        let (mut all, mut codes) = (Dictionary::default(), Vec::with_capacity(self.rows()));
        for group in 0..self.groups() {
            let (values, keys) = self.group_dictionary(name, group)?;
            let map: Vec<u32> = values.iter().map(|value| all.code(value.as_bytes())).collect();
            codes.extend(keys.into_iter().map(|key| map[key as usize]));
        }
        Ok((PlainValues::from_iter(all.values().iter()), codes))
    }

    /// The dictionary of one group of rows as it stands in its page. The engine's own way to a dictionary hashes every
    /// value; this hashes none.
    pub(super) fn group_dictionary(
        &mut self,
        name: &str,
        group: usize,
    ) -> Result<(PlainValues, Vec<u32>), ColumnarError> {
        if self.lacks(name) {
            let nothing = PlainValues::from_iter([&b""[..]].into_iter());
            return Ok((nothing, vec![0; self.group_rows(group)]));
        }
        let (pages, _) = self.pages(name, group)?;
        let path = self.path;
        let (values, codes) =
            contained(path, || self.decoded_dictionary(name, group, pages)).map_err(|error| error.of(path))?;
        Ok(match name {
            REASON => under_todays_names(values, codes),
            _ => (values, codes),
        })
    }

    fn decoded_dictionary(
        &mut self,
        name: &str,
        group: usize,
        pages: PageReader,
    ) -> Result<(PlainValues, Vec<u32>), ColumnarError> {
        let rows = self.group_rows(group);
        let (mut values, mut codes) = (PlainValues::default(), Vec::with_capacity(rows));
        let mut buffer = Vec::new();
        for page in pages {
            let page = page.and_then(|page| decompress(page, &mut buffer, &mut self.zstd));
            match page.map_err(PolarsError::from)? {
                Page::Dict(page) => {
                    values = PlainValues::of(page.buffer.to_vec(), page.num_values)
                        .ok_or_else(|| self.damaged(format!("the dictionary of column {name} is no text")))?;
                }
                Page::Data(page) => {
                    let Some((width, packed)) = page.buffer().split_first().filter(|(width, _)| **width <= 32) else {
                        return Err(self.damaged(format!("column {name} has no keys")));
                    };
                    if page.num_values() > rows {
                        return Err(self.damaged(format!("column {name} has more values than rows")));
                    }
                    let keys = HybridRleDecoder::new(packed, u32::from(*width), page.num_values()).collect();
                    codes.extend(keys.map_err(PolarsError::from)?);
                }
            }
        }
        if codes.len() != rows || codes.iter().any(|code| *code as usize >= values.len()) {
            return Err(self.damaged(format!("the keys of column {name} do not fit its dictionary")));
        }
        Ok((values, codes))
    }

    /// Names of the columns, in the file's order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let is_of_events = self.stored_names().any(|name| name == REASON);
        let lacking = LATER.map(|name| (is_of_events && self.lacks(name), name));
        // Behind the last of them that stands there.
        let first = lacking.iter().position(|(lacks, _)| *lacks).unwrap_or(LATER.len());
        let last = first.checked_sub(1).map_or(REASON, |at| LATER[at]);
        let behind = move |name: &str| if name == last { &lacking[first..] } else { &[] }.to_vec();
        self.stored_names().flat_map(move |name| {
            let missing = behind(name).into_iter().filter(|(lacks, _)| *lacks);
            std::iter::once(name).chain(missing.map(|(_, name)| name))
        })
    }

    /// Names of the columns that stand in the file.
    pub(super) fn stored_names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.name.as_str())
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.metadata.num_rows
    }

    /// Every column, by name, in the file's order.
    pub(super) fn all(&mut self) -> Result<Vec<(String, AnyColumn)>, ColumnarError> {
        let names: Vec<String> = self.names().map(str::to_owned).collect();
        names
            .into_iter()
            .map(|name| self.any(&name).map(|column| (name, column)))
            .collect()
    }

    /// A text column.
    pub(super) fn texts(&mut self, name: &str) -> Result<TextColumn, ColumnarError> {
        texts(self, name)
    }

    /// A text column, a value a row, in whichever form the file has it.
    pub(super) fn strings(&mut self, name: &str) -> Result<Strings, ColumnarError> {
        let mut all = Strings::default();
        if self.is_dictionary(name) {
            let texts = self.texts(name)?;
            all.extend(texts.codes.iter().map(|code| texts.values[*code as usize].as_str()));
            return Ok(all);
        }
        for array in self.column(name)? {
            let array = array.as_any().downcast_ref::<Utf8ViewArray>();
            all.extend(array.ok_or_else(|| self.damaged(name))?.values_iter());
        }
        Ok(all)
    }

    /// A column of numbers.
    pub(super) fn numbers(&mut self, name: &str) -> Result<Vec<i64>, ColumnarError> {
        numbers(self, name)
    }

    /// A column of numbers that may be missing.
    pub(super) fn optional(&mut self, name: &str) -> Result<Vec<u64>, ColumnarError> {
        match self.any(name)? {
            AnyColumn::Optional(values) => Ok(values),
            _ => Err(self.damaged(format!("column {name} is of another type"))),
        }
    }

    /// A column of flags.
    pub(super) fn flags(&mut self, name: &str) -> Result<Vec<bool>, ColumnarError> {
        match self.any(name)? {
            AnyColumn::Flags(values) => Ok(values),
            _ => Err(self.damaged(format!("column {name} is of another type"))),
        }
    }

    /// A column as it is rewritten.
    pub(super) fn any(&mut self, name: &str) -> Result<AnyColumn, ColumnarError> {
        if name == QUEUE_ID || self.is_dictionary(name) {
            return Ok(AnyColumn::Texts(self.texts(name)?));
        }
        let arrays = self.column(name)?;
        self.any_of(name, &arrays)
    }

    /// A column of a group of rows: a value a row, unless it is a dictionary.
    pub(super) fn group_any(&mut self, name: &str, group: usize) -> Result<AnyColumn, ColumnarError> {
        if self.is_dictionary(name) {
            let (values, codes) = self.group_dictionary(name, group)?;
            let values = values.iter().map(str::to_owned).collect();
            return Ok(AnyColumn::Texts(TextColumn::of(values, codes)));
        }
        let arrays = self.group_column(name, group)?;
        self.any_of(name, &arrays)
    }

    fn any_of(&self, name: &str, arrays: &[Box<dyn Array>]) -> Result<AnyColumn, ColumnarError> {
        let is_optional = self
            .fields
            .iter()
            .any(|field| field.name.as_str() == name && field.is_nullable);
        let mut column: Option<AnyColumn> = None;
        for array in arrays {
            let any = array.as_any();
            let more = if let Some(array) = any.downcast_ref::<BooleanArray>() {
                AnyColumn::Flags(array.values_iter().collect())
            } else if let Some(array) = any.downcast_ref::<Utf8ViewArray>() {
                AnyColumn::Plain(array.values_iter().collect())
            } else if let Some(array) = any.downcast_ref::<PrimitiveArray<i64>>() {
                let mut values: Vec<u64> = array.values().iter().map(|value| *value as u64).collect();
                if let Some(validity) = array.validity() {
                    let unset = values.iter_mut().zip(validity).filter(|(_, is_set)| !is_set);
                    unset.for_each(|(value, _)| *value = NONE);
                }
                match is_optional {
                    true => AnyColumn::Optional(values),
                    false => AnyColumn::Numbers(values),
                }
            } else {
                return Err(self.damaged(format!("column {name} has type {:?}", array.dtype())));
            };
            match &mut column {
                None => column = Some(more),
                Some(column) => {
                    column.append(more);
                }
            }
        }
        column.ok_or_else(|| self.damaged(format!("column {name} has no rows")))
    }
}

/// Reasons under the names that they have today. Two names may have become one.
fn under_todays_names(values: PlainValues, codes: Vec<u32>) -> (PlainValues, Vec<u32>) {
    if values.iter().all(|value| today(value) == value) {
        return (values, codes);
    }
    let mut all = Dictionary::default();
    let map: Vec<u32> = values.iter().map(|value| all.code(today(value).as_bytes())).collect();
    let codes = codes.into_iter().map(|code| map[code as usize]).collect();
    (PlainValues::from_iter(all.values().iter()), codes)
}

/// Number of rows of a file, after every column has been unpacked.
pub fn verify(path: &Path) -> Result<u64, ColumnarError> {
    let mut reader = SegmentReader::open(path)?;
    let rows = reader.rows();
    for (name, column) in reader.all()? {
        if column.len() != rows {
            return Err(reader.damaged(format!("column {name} has {} rows of {rows}", column.len())));
        }
    }
    Ok(rows as u64)
}

/// The rates of one segment as the detection reads them, columns of equal length.
#[derive(Debug, Default)]
pub struct FlowBlock {
    /// Start of the minute, UTC milliseconds.
    pub ts_ms: Vec<i64>,
    /// Service.
    pub service: TextColumn,
    /// Hostgroup.
    pub hostgroup: TextColumn,
    /// Relay.
    pub relay: TextColumn,
    /// Kind of event.
    pub kind: TextColumn,
    /// Destination.
    pub destination: TextColumn,
    /// Provider, by its name in rates.
    pub provider: TextColumn,
    /// Whose mail it is.
    pub origin: TextColumn,
    /// Direction.
    pub direction: TextColumn,
    /// First hop only?
    pub first_hop: Vec<bool>,
    /// Messages.
    pub messages: Vec<i64>,
    /// Attempts.
    pub attempts: Vec<i64>,
    /// Recipients.
    pub recipients: Vec<i64>,
}

/// Reads the rates of a segment for the detection.
pub(crate) fn read_flows(path: &Path) -> Result<FlowBlock, ColumnarError> {
    let mut reader = SegmentReader::open(path)?;
    Ok(FlowBlock {
        ts_ms: reader.numbers("ts_ms")?,
        service: reader.texts("service")?,
        hostgroup: reader.texts("hostgroup")?,
        relay: reader.texts("relay")?,
        kind: reader.texts("kind")?,
        destination: reader.texts("destination")?,
        provider: reader.texts(PROVIDER)?,
        origin: reader.texts(ORIGIN)?,
        direction: reader.texts(DIRECTION)?,
        first_hop: reader.flags("first_hop")?,
        messages: reader.numbers("messages")?,
        attempts: reader.numbers("attempts")?,
        recipients: reader.numbers("recipients")?,
    })
}

/// The different values of a text column of a segment's file.
pub(crate) fn read_names(path: &Path, name: &str) -> Result<Vec<String>, ColumnarError> {
    Ok(texts(&mut SegmentReader::open(path)?, name)?.values)
}

fn numbers<F: Read + Seek>(reader: &mut SegmentReader<'_, F>, name: &str) -> Result<Vec<i64>, ColumnarError> {
    let mut numbers = Vec::with_capacity(reader.rows());
    for array in reader.column(name)? {
        let array = array.as_any().downcast_ref::<PrimitiveArray<i64>>();
        numbers.extend_from_slice(array.ok_or_else(|| reader.damaged(name))?.values().as_slice());
    }
    Ok(numbers)
}

/// Text in either form that segments have it in: as a dictionary, or a value a row.
fn texts<F: Read + Seek>(reader: &mut SegmentReader<'_, F>, name: &str) -> Result<TextColumn, ColumnarError> {
    if !reader.is_dictionary(name) {
        let mut texts = TextColumn::default();
        for value in reader.strings(name)?.iter() {
            let code = match texts.codes.last() {
                Some(last) if texts.values[*last as usize] == value => *last,
                _ => texts.code(value),
            };
            texts.codes.push(code);
        }
        return Ok(texts);
    }
    let (values, codes) = reader.dictionary(name)?;
    Ok(TextColumn::of(values.iter().map(str::to_owned).collect(), codes))
}

#[cfg(test)]
mod tests {
    use super::super::write::Columns;
    use super::*;

    fn read_texts(path: &Path, name: &str) -> Result<TextColumn, ColumnarError> {
        texts(&mut SegmentReader::open(path)?, name)
    }

    fn file_of(folder: &Path, name: &str, rows: usize, fill: impl FnOnce(&mut Columns)) -> std::path::PathBuf {
        let mut columns = Columns::new(rows).unwrap();
        fill(&mut columns);
        let path = folder.join(name);
        std::fs::write(&path, columns.encode().unwrap()).unwrap();
        path
    }

    fn rows(texts: &TextColumn) -> Vec<&str> {
        texts
            .codes
            .iter()
            .map(|code| texts.values[*code as usize].as_str())
            .collect()
    }

    #[test]
    fn queue_ids_are_read_in_both_forms_and_written_in_one() {
        let folder = tempfile::tempdir().unwrap();
        let ids = [
            "1fOXU8-002aYZ-oS",
            "1fOXU8-002aYZ-oS",
            "",
            "1fOXU9-00",
            "1fOXU8-002aYZ-oS",
        ]
        .map(str::to_owned);
        let old = file_of(folder.path(), "old", 5, |out| {
            out.dictionary(QUEUE_ID, &ids, [0, 0, 2, 3, 0]).unwrap()
        });
        let new = file_of(folder.path(), "new", 5, |out| {
            out.incremental(QUEUE_ID, ids.iter().map(String::as_bytes)).unwrap();
        });
        let column = |path: &Path| SegmentReader::open(path).unwrap().any(QUEUE_ID).unwrap();
        let mut both = column(&old);
        assert!(both.append(column(&new)));
        let merged = file_of(folder.path(), "merged", 10, |out| both.write(out, QUEUE_ID).unwrap());
        let expected: Vec<&str> = ids.iter().chain(&ids).map(String::as_str).collect();
        let read = read_texts(&merged, QUEUE_ID).unwrap();
        assert_eq!((rows(&read), read.values.len()), (expected, 3));
        assert_eq!(verify(&merged).unwrap(), 10);
    }

    #[test]
    fn reasons_of_earlier_versions_are_read_under_todays_names() {
        let folder = tempfile::tempdir().unwrap();
        let stored = ["", "spam", "no_such_user", "routing", "size", "auth", "policy"].map(str::to_owned);
        let path = file_of(folder.path(), "old", 8, |out| {
            out.dictionary(REASON, &stored, [0, 1, 2, 3, 4, 5, 6, 3]).unwrap()
        });
        let read = read_texts(&path, REASON).unwrap();
        let expected = [
            "",
            "content",
            "no_such_user",
            "no_such_user",
            "message_too_big",
            "smtp_auth",
            "policy",
        ];
        assert_eq!(rows(&read)[..7], expected);
        // A value stands once: groups are made of codes.
        assert_eq!((rows(&read)[7], read.values.len()), ("no_such_user", 6));
    }

    #[test]
    fn many_increments_come_back() {
        let folder = tempfile::tempdir().unwrap();
        for count in [0, 1, 127, 128, 129, 1000] {
            let ids: Vec<String> = (0..count)
                .map(|n: u32| format!("{:x}-{}", n / 3, "x".repeat(n as usize % 40)))
                .collect();
            let path = file_of(folder.path(), &count.to_string(), ids.len(), |out| {
                out.incremental(QUEUE_ID, ids.iter().map(String::as_bytes)).unwrap();
            });
            assert_eq!(rows(&read_texts(&path, QUEUE_ID).unwrap()), ids, "{count}");
        }
    }

    #[test]
    #[ignore = "slow: tests/run runs it"]
    fn a_flipped_bit_is_noticed_in_whatever_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let ids: Vec<String> = (0..500).map(|n| format!("1fOXU8-{n:06}")).collect();
        let path = file_of(folder.path(), "file", ids.len(), |out| {
            out.incremental(QUEUE_ID, ids.iter().map(String::as_bytes)).unwrap();
            out.growing("ts_ms", &(0..500).map(|n| n * n).collect::<Vec<_>>())
                .unwrap();
            out.few("messages", (0..500).map(|n| n % 2).collect::<Vec<i64>>())
                .unwrap();
            let keys: Vec<u64> = (0..500)
                .map(|n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 4)
                .collect();
            out.optional("message_key", &keys, super::super::write::NumberEncoding::Random)
                .unwrap();
            let kinds = ["accepted", "delivered"].map(str::to_owned);
            out.dictionary("kind", &kinds, (0..500).map(|n| n % 2)).unwrap();
            out.flags("first_hop", (0..500).map(|n| n % 3 == 0)).unwrap();
        });
        let good = std::fs::read(&path).unwrap();
        let rows = |path: &Path| -> Result<Vec<(String, String)>, ColumnarError> {
            let all = SegmentReader::open(path)?.all()?.into_iter();
            Ok(all.map(|(name, column)| (name, shown(&column))).collect())
        };
        let expected = rows(&path).unwrap();
        assert_eq!(verify(&path).unwrap(), 500);
        let mut unnoticed = 0;
        for at in 0..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 1 << (at % 8);
            std::fs::write(&path, &flipped).unwrap();
            // What no reader needs may be flipped: the copies of the footer's parts between the columns.
            match rows(&path) {
                Ok(read) => {
                    assert_eq!(read, expected, "another answer, byte {at} of {} flipped", good.len());
                    unnoticed += 1;
                }
                Err(error) => assert!(error.is_about_a_file(), "{error:?}"),
            }
        }
        eprintln!(
            "{unnoticed} of {} flips changed no answer, all others were noticed",
            good.len()
        );
    }

    fn shown(column: &AnyColumn) -> String {
        match column {
            AnyColumn::Texts(texts) => format!("{:?}", rows(texts)),
            AnyColumn::Plain(texts) => format!("{:?}", texts.iter().collect::<Vec<_>>()),
            AnyColumn::Flags(flags) => format!("{flags:?}"),
            AnyColumn::Numbers(numbers) => format!("{numbers:?}"),
            AnyColumn::Optional(numbers) => format!("optional {numbers:?}"),
        }
    }

    #[test]
    fn what_is_none_of_ours_is_an_error_and_takes_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("foreign");
        let good = {
            let ids = ["a", "b"].map(str::as_bytes);
            let made = file_of(folder.path(), "good", 2, |out| {
                out.incremental(QUEUE_ID, ids.into_iter()).unwrap()
            });
            std::fs::read(made).unwrap()
        };
        let noise: Vec<u8> = (0..4_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let mut footer = noise.clone();
        // A footer as long as a file can be.
        footer.extend_from_slice(&u32::MAX.to_le_bytes());
        footer.extend_from_slice(b"PAR1");
        let mut inside = noise.clone();
        inside.extend_from_slice(&3_000_u32.to_le_bytes());
        inside.extend_from_slice(b"PAR1");
        for bytes in [
            &b""[..],
            b"PAR1",
            &noise,
            &footer,
            &inside,
            &good[..good.len() / 2],
            &good[1..],
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = verify(&path).unwrap_err();
            assert!(
                error.is_about_a_file() && error.to_string().contains("foreign"),
                "{error:?}"
            );
        }
    }
}
