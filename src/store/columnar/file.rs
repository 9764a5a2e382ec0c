//! The pages of columns, and the Parquet file that they make.

use super::ColumnarError;
use super::checks::Checked;
use polars::error::PolarsError;
use polars_arrow::datatypes::ArrowSchema;
use polars_parquet::parquet::CowBuffer;
use polars_parquet::parquet::compression::Compression;
use polars_parquet::parquet::encoding::Encoding;
use polars_parquet::parquet::metadata::Descriptor;
use polars_parquet::parquet::page::{
    CompressedDataPage, CompressedDictPage, CompressedPage, DataPageHeader, DataPageHeaderV1,
};
use polars_parquet::parquet::schema::types::PrimitiveType;
use polars_parquet::write::{
    CompressionOptions, DynIter, DynStreamingIterator, FileWriter, StatisticsOptions, Version, WriteOptions,
    fallible_streaming_iterator, schema_to_metadata_key,
};
use std::io::Cursor;
use std::ops::Range;
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, Strategy, compress_bound};

/// The pages of a column.
pub(super) struct Pages {
    pub type_: PrimitiveType,
    /// A dictionary's page, and how many values it has.
    pub dictionary: Option<(CompressedValues, usize)>,
    pub data: CompressedValues,
    pub encoding: Encoding,
    pub codec: Compression,
}

/// Where a page stands among all pages of a file, and its length before it was compressed.
#[derive(Debug, Clone)]
pub(super) struct CompressedValues {
    range: Range<usize>,
    plain_len: usize,
}

impl Pages {
    /// The pages as they are written, cut out of `bytes`.
    pub(super) fn pages(&self, rows: usize, bytes: &CowBuffer) -> Vec<CompressedPage> {
        let dictionary = self.dictionary.as_ref().map(|(at, count)| {
            let page = CompressedDictPage::new(at.cut(bytes), self.codec, at.plain_len, *count, false);
            CompressedPage::Dict(page)
        });
        let header = DataPageHeader::V1(DataPageHeaderV1 {
            num_values: rows as i32,
            encoding: self.encoding.into(),
            definition_level_encoding: Encoding::Rle.into(),
            repetition_level_encoding: Encoding::Rle.into(),
            statistics: None,
        });
        let descriptor = Descriptor {
            primitive_type: self.type_.clone(),
            max_def_level: 0,
            max_rep_level: 0,
        };
        let (data, len) = (self.data.cut(bytes), self.data.plain_len);
        let data = CompressedDataPage::new(header, data, self.codec, len, descriptor, rows);
        dictionary.into_iter().chain([CompressedPage::Data(data)]).collect()
    }
}

impl CompressedValues {
    fn cut(&self, bytes: &CowBuffer) -> CowBuffer {
        match bytes {
            CowBuffer::Borrowed(bytes) => CowBuffer::Borrowed(bytes.clone().sliced(self.range.clone())),
            CowBuffer::Owned(bytes) => CowBuffer::Owned(bytes[self.range.clone()].to_vec()),
        }
    }
}

/// How a page is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CompressionLevel {
    /// Not at all.
    None,
    /// Codes and packed numbers: what comes again in them is long, and a small table finds it in four fifths of the time
    /// of level 1.
    Packed,
    /// Level 1 of Zstandard, with a smaller table: nine tenths of the time, and a thousandth more bytes.
    Text,
    /// Level 3: twice the time of level 1.
    LargeText,
}

/// Compresses pages; keeps its memory from one to the next.
#[derive(Default)]
pub(super) struct PageCompressor {
    packed: Option<Compressor<'static>>,
    text: Option<Compressor<'static>>,
    large_text: Option<Compressor<'static>>,
}

impl PageCompressor {
    fn with(&mut self, level: CompressionLevel) -> std::io::Result<Option<&mut Compressor<'static>>> {
        let (compressor, zstd_level) = match level {
            CompressionLevel::None => return Ok(None),
            CompressionLevel::Packed => (&mut self.packed, 1),
            CompressionLevel::Text => (&mut self.text, 1),
            CompressionLevel::LargeText => (&mut self.large_text, 3),
        };
        let compressor = match compressor {
            Some(compressor) => compressor,
            none => {
                let fresh = none.insert(Compressor::new(zstd_level)?);
                if level != CompressionLevel::LargeText {
                    fresh.set_parameter(CParameter::HashLog(12))?;
                }
                if level == CompressionLevel::Packed {
                    fresh.set_parameter(CParameter::Strategy(Strategy::ZSTD_fast))?;
                    fresh.set_parameter(CParameter::MinMatch(7))?;
                }
                fresh
            }
        };
        Ok(Some(compressor))
    }

    /// Adds a page to `pages`.
    pub(super) fn compress(
        &mut self,
        page: &[u8],
        level: CompressionLevel,
        pages: &mut Vec<u8>,
    ) -> Result<CompressedValues, ColumnarError> {
        let start = pages.len();
        match self.with(level).map_err(engine)? {
            Some(zstd) => {
                pages.reserve(compress_bound(page.len()));
                let mut rest = Cursor::new(&mut *pages);
                rest.set_position(start as u64);
                zstd.compress_to_buffer(page, &mut rest).map_err(engine)?;
            }
            None => pages.extend_from_slice(page),
        }
        Ok(CompressedValues {
            range: start..pages.len(),
            plain_len: page.len(),
        })
    }
}

/// A file of ours on its way; each page is compressed already.
pub(super) struct GroupWriter {
    writer: FileWriter<Checked>,
    file: Checked,
}

impl GroupWriter {
    /// Writes to empty memory.
    pub(super) fn new(schema: ArrowSchema, file: Vec<u8>) -> Result<Self, ColumnarError> {
        let options = WriteOptions {
            statistics: StatisticsOptions::empty(),
            version: Version::V1,
            compression: CompressionOptions::Uncompressed,
            data_page_size: None,
        };
        let file = Checked::new(file);
        let writer = FileWriter::try_new(file.clone(), schema, options)?;
        Ok(GroupWriter { writer, file })
    }

    /// Adds a group of so many rows: the pages of each column.
    pub(super) fn group(&mut self, rows: usize, columns: &[Vec<CompressedPage>]) -> Result<(), ColumnarError> {
        // A page is asked for when the one before has been written; behind the last stands a copy of the footer's part.
        let columns = columns.iter().map(|pages| {
            let file = self.file.clone();
            file.begin_column();
            let mut pages = pages.iter();
            let pages = std::iter::from_fn(move || {
                let page = pages.next();
                if page.is_none() {
                    file.end_column();
                }
                page.map(Ok::<&CompressedPage, PolarsError>)
            });
            Ok(DynStreamingIterator::new(fallible_streaming_iterator::convert(pages)))
        });
        Ok(self.writer.write(rows as u64, DynIter::new(columns))?)
    }

    /// The file.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, ColumnarError> {
        let notes = vec![schema_to_metadata_key(self.writer.schema()), self.file.note()];
        self.writer.end(Some(notes))?;
        Ok(self.file.into_file())
    }
}

/// An error of the engine's kind.
pub(super) fn engine(error: std::io::Error) -> ColumnarError {
    ColumnarError::Engine(PolarsError::from(error))
}
