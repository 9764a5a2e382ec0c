//! Parquet bytes → columns. Only the columns that are asked for are read and unpacked.

use super::write::{Columns, Numbers, QUEUE_ID};
use super::{Error, NONE_NUMBER};
use hashbrown::HashMap;
use polars::prelude::{Column as PlColumn, DataFrame, Series};
use polars_arrow::array::{Array, BooleanArray, DictionaryArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::datatypes::{ArrowDataType, Field};
use polars_parquet::read::{
    BasicDecompressor, FileMetadata, PageReader, column_iter_to_arrays, infer_schema, read_metadata,
};
use rustc_hash::FxBuildHasher;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// An open Parquet file of ours: one row group.
pub(super) struct Reader<'p> {
    path: &'p Path,
    file: File,
    metadata: FileMetadata,
    fields: Vec<Field>,
}

impl<'p> Reader<'p> {
    pub(super) fn open(path: &'p Path) -> Result<Self, Error> {
        let mut file = File::open(path).map_err(|source| Error::Io {
            path: path.into(),
            source,
        })?;
        let metadata = read_metadata(&mut file)?;
        let fields = infer_schema(&metadata)?.iter_values().cloned().collect();
        Ok(Reader {
            path,
            file,
            metadata,
            fields,
        })
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> Error {
        Error::Damaged {
            path: self.path.into(),
            what: what.into(),
        }
    }

    /// One column; `as_text` unpacks a dictionary into its values.
    fn column(&mut self, name: &str, as_text: bool) -> Result<Box<dyn Array>, Error> {
        let Some(field) = self.fields.iter().find(|field| field.name.as_str() == name) else {
            return Err(self.damaged(format!("no column {name}")));
        };
        let mut field = field.clone();
        if as_text && matches!(field.dtype, ArrowDataType::Dictionary(..)) {
            field.dtype = ArrowDataType::Utf8View;
        }
        let [group] = self.metadata.row_groups.as_slice() else {
            return Err(self.damaged("has not exactly one row group"));
        };
        let chunks = group.parquet_columns();
        let Some(chunk) = chunks
            .iter()
            .find(|c| c.descriptor().path_in_schema[0].as_str() == name)
        else {
            return Err(self.damaged(format!("no data for column {name}")));
        };
        let range = chunk.byte_range();
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let io = |source| Error::Io {
            path: self.path.into(),
            source,
        };
        self.file.seek(SeekFrom::Start(range.start)).map_err(io)?;
        self.file.read_exact(&mut bytes).map_err(io)?;
        let pages = PageReader::new(Cursor::new(bytes.into()), chunk, vec![], usize::MAX);
        let pages = BasicDecompressor::new(pages, vec![]);
        let type_ = &chunk.descriptor().descriptor.primitive_type;
        let (mut arrays, _) = column_iter_to_arrays(vec![pages], vec![type_], field, None)?;
        match (arrays.pop(), arrays.is_empty()) {
            (Some(array), true) => Ok(array),
            _ => Err(self.damaged(format!("column {name} has not exactly one chunk"))),
        }
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.metadata.num_rows
    }

    /// Every column, by name, in the file's order.
    pub(super) fn all(&mut self) -> Result<Vec<(String, AnyColumn)>, Error> {
        let names: Vec<String> = self.fields.iter().map(|field| field.name.to_string()).collect();
        names
            .into_iter()
            .map(|name| self.any(&name).map(|column| (name, column)))
            .collect()
    }

    /// A text column.
    pub(super) fn texts(&mut self, name: &str) -> Result<Texts, Error> {
        texts(self, name)
    }

    /// A column of numbers.
    pub(super) fn numbers(&mut self, name: &str) -> Result<Vec<i64>, Error> {
        numbers(self, name)
    }

    /// A column of numbers that may be missing.
    pub(super) fn optional(&mut self, name: &str) -> Result<Vec<u64>, Error> {
        match self.any(name)? {
            AnyColumn::Optional(values) => Ok(values),
            _ => Err(self.damaged(format!("column {name} is of another type"))),
        }
    }

    /// A column of flags.
    pub(super) fn flags(&mut self, name: &str) -> Result<Vec<bool>, Error> {
        match self.any(name)? {
            AnyColumn::Flags(values) => Ok(values),
            _ => Err(self.damaged(format!("column {name} is of another type"))),
        }
    }

    fn any(&mut self, name: &str) -> Result<AnyColumn, Error> {
        let array = self.column(name, false)?;
        let any = array.as_any();
        if any.is::<DictionaryArray<u32>>() || name == QUEUE_ID {
            return Ok(AnyColumn::Texts(texts_of(&*array).ok_or_else(|| self.damaged(name))?));
        }
        if let Some(array) = any.downcast_ref::<BooleanArray>() {
            return Ok(AnyColumn::Flags(array.values_iter().collect()));
        }
        if let Some(array) = any.downcast_ref::<Utf8ViewArray>() {
            return Ok(AnyColumn::Plain(array.values_iter().map(str::to_owned).collect()));
        }
        let Some(array) = any.downcast_ref::<PrimitiveArray<i64>>() else {
            return Err(self.damaged(format!("column {name} has type {:?}", array.dtype())));
        };
        let nullable = self
            .fields
            .iter()
            .any(|field| field.name.as_str() == name && field.is_nullable);
        let values = array
            .iter()
            .map(|value| value.map_or(NONE_NUMBER, |v| *v as u64))
            .collect();
        Ok(if nullable {
            AnyColumn::Optional(values)
        } else {
            AnyColumn::Numbers(values)
        })
    }
}

/// A column as it is rewritten.
pub(super) enum AnyColumn {
    Texts(Texts),
    Plain(Vec<String>),
    Flags(Vec<bool>),
    Numbers(Vec<u64>),
    Optional(Vec<u64>),
}

impl AnyColumn {
    fn len(&self) -> usize {
        match self {
            AnyColumn::Texts(texts) => texts.codes.len(),
            AnyColumn::Plain(values) => values.len(),
            AnyColumn::Flags(values) => values.len(),
            AnyColumn::Numbers(values) | AnyColumn::Optional(values) => values.len(),
        }
    }

    /// Adds another file's column; false when the types differ.
    pub(super) fn append(&mut self, other: AnyColumn) -> bool {
        match (self, other) {
            (AnyColumn::Texts(all), AnyColumn::Texts(more)) => {
                let map: Vec<u32> = more.values.iter().map(|value| all.code(value)).collect();
                all.codes.extend(more.codes.iter().map(|code| map[*code as usize]));
            }
            (AnyColumn::Plain(all), AnyColumn::Plain(more)) => all.extend(more),
            (AnyColumn::Flags(all), AnyColumn::Flags(more)) => all.extend(more),
            (AnyColumn::Numbers(all), AnyColumn::Numbers(more))
            | (AnyColumn::Optional(all), AnyColumn::Optional(more)) => all.extend(more),
            _ => return false,
        }
        true
    }

    /// Writes the column as [`super::segment`] wrote it.
    pub(super) fn write(self, out: &mut Columns, name: &str) -> Result<(), Error> {
        match self {
            AnyColumn::Texts(texts) if name == QUEUE_ID => {
                let id = |code: &u32| texts.values[*code as usize].as_bytes();
                out.incremental(name, texts.codes.iter().map(id))
            }
            AnyColumn::Texts(texts) => out.dictionary(name, &texts.values, &texts.codes),
            AnyColumn::Plain(values) => out.plain(name, values.iter().map(String::len), values.concat().as_bytes()),
            AnyColumn::Flags(values) => out.flags(name, values.into_iter()),
            AnyColumn::Numbers(values) => {
                let values: Vec<i64> = values.into_iter().map(|value| value as i64).collect();
                match name {
                    "messages" | "recipients" => out.few(name, &values),
                    _ => out.growing(name, &values),
                }
            }
            AnyColumn::Optional(values) => {
                let how = match name {
                    "message_key" | "bytes" => Numbers::Random,
                    _ => Numbers::Few,
                };
                out.optional(name, &values, how)
            }
        }
    }
}

/// Columns of a file as a frame, dictionaries unpacked to text.
pub(super) fn read_events(path: &Path, columns: &[String]) -> Result<DataFrame, Error> {
    let mut reader = Reader::open(path)?;
    let rows = reader.metadata.num_rows;
    let columns = columns
        .iter()
        .map(|name| {
            let array = reader.column(name, true)?;
            Ok(PlColumn::from(Series::from_arrow(name.as_str().into(), array)?))
        })
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(DataFrame::new(rows, columns)?)
}

/// Number of rows of a file, after every column has been unpacked.
pub fn verify(path: &Path) -> Result<u64, Error> {
    let mut reader = Reader::open(path)?;
    let rows = reader.rows();
    for (name, column) in reader.all()? {
        if column.len() != rows {
            return Err(reader.damaged(format!("column {name} has {} rows of {rows}", column.len())));
        }
    }
    Ok(rows as u64)
}

/// A text column as its distinct values and a code a row.
#[derive(Debug, Default)]
pub struct Texts {
    /// Distinct values.
    pub values: Vec<String>,
    /// Index into `values`, one a row.
    pub codes: Vec<u32>,
    /// Numbers of the values, made on the first change.
    numbers: HashMap<String, u32, FxBuildHasher>,
}

impl Texts {
    /// Number of a value; a new one is added.
    pub fn code(&mut self, value: &str) -> u32 {
        if self.numbers.len() != self.values.len() {
            self.numbers = self.values.iter().cloned().zip(0..).collect();
        }
        if let Some(code) = self.numbers.get(value) {
            return *code;
        }
        let code = self.values.len() as u32;
        self.values.push(value.to_owned());
        self.numbers.insert(value.to_owned(), code);
        code
    }
}

/// The rates of one segment, columns of equal length.
#[derive(Debug, Default)]
pub struct RateBlock {
    /// Start of the minute, UTC milliseconds.
    pub ts_ms: Vec<i64>,
    /// The column that was asked for.
    pub by: Texts,
    /// Kind of event.
    pub kind: Texts,
    /// Destination.
    pub destination: Texts,
    /// First hop only?
    pub first_hop: Vec<bool>,
    /// The measure that was asked for.
    pub value: Vec<i64>,
}

impl RateBlock {
    /// Keeps only the rows that have this value in a column of the same file.
    pub fn keep(&mut self, column: &Texts, value: &str) {
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
        only(&mut self.first_hop, &keep);
        only(&mut self.value, &keep);
    }
}

/// Reads one text column of a segment's file.
pub fn read_texts(path: &Path, name: &str) -> Result<Texts, Error> {
    texts(&mut Reader::open(path)?, name)
}

/// Reads the rates of a segment, one naming column and one measure.
pub fn read_rates(path: &Path, by: &str, measure: &str) -> Result<RateBlock, Error> {
    let mut reader = Reader::open(path)?;
    Ok(RateBlock {
        ts_ms: numbers(&mut reader, "ts_ms")?,
        by: texts(&mut reader, by)?,
        kind: texts(&mut reader, "kind")?,
        destination: texts(&mut reader, "destination")?,
        first_hop: {
            let array = reader.column("first_hop", false)?;
            let array = array
                .as_any()
                .downcast_ref::<BooleanArray>()
                .ok_or_else(|| reader.damaged("first_hop"))?;
            array.values_iter().collect()
        },
        value: numbers(&mut reader, measure)?,
    })
}

fn numbers(reader: &mut Reader<'_>, name: &str) -> Result<Vec<i64>, Error> {
    let array = reader.column(name, false)?;
    let array = array
        .as_any()
        .downcast_ref::<PrimitiveArray<i64>>()
        .ok_or_else(|| reader.damaged(name))?;
    Ok(array.values().as_slice().to_vec())
}

fn texts(reader: &mut Reader<'_>, name: &str) -> Result<Texts, Error> {
    let array = reader.column(name, false)?;
    texts_of(&*array).ok_or_else(|| reader.damaged(name))
}

/// Text in either form that segments have it in: as a dictionary, or a value a row.
fn texts_of(array: &dyn Array) -> Option<Texts> {
    if let Some(array) = array.as_any().downcast_ref::<Utf8ViewArray>() {
        let mut texts = Texts::default();
        for value in array.values_iter() {
            let code = match texts.codes.last() {
                Some(last) if texts.values[*last as usize] == value => *last,
                _ => texts.code(value),
            };
            texts.codes.push(code);
        }
        return Some(texts);
    }
    let array = array.as_any().downcast_ref::<DictionaryArray<u32>>()?;
    let values = array.values().as_any().downcast_ref::<Utf8ViewArray>()?;
    Some(Texts {
        values: values.values_iter().map(str::to_owned).collect(),
        codes: array.keys().values().as_slice().to_vec(),
        ..Texts::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(folder: &Path, name: &str, rows: usize, fill: impl FnOnce(&mut Columns)) -> std::path::PathBuf {
        let mut columns = Columns::new(rows).unwrap();
        fill(&mut columns);
        let path = folder.join(name);
        std::fs::write(&path, columns.encode().unwrap()).unwrap();
        path
    }

    fn rows(texts: &Texts) -> Vec<&str> {
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
            out.dictionary(QUEUE_ID, &ids, &[0, 0, 2, 3, 0]).unwrap()
        });
        let new = file_of(folder.path(), "new", 5, |out| {
            out.incremental(QUEUE_ID, ids.iter().map(String::as_bytes)).unwrap();
        });
        let column = |path: &Path| Reader::open(path).unwrap().any(QUEUE_ID).unwrap();
        let mut both = column(&old);
        assert!(both.append(column(&new)));
        let merged = file_of(folder.path(), "merged", 10, |out| both.write(out, QUEUE_ID).unwrap());
        let expected: Vec<&str> = ids.iter().chain(&ids).map(String::as_str).collect();
        let read = read_texts(&merged, QUEUE_ID).unwrap();
        assert_eq!((rows(&read), read.values.len()), (expected, 3));
        assert_eq!(read_events(&merged, &[QUEUE_ID.to_owned()]).unwrap().shape(), (10, 1));
        assert_eq!(verify(&merged).unwrap(), 10);
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
}
