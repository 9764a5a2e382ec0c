//! Columns → Parquet bytes, each with the encoding that fits what it holds.
//!
//! Times and offsets grow: delta. Names repeat: dictionary with the batch's own codes. Queue IDs repeat within a few rows
//! and begin alike: what the one before does not have. Pseudonyms are random: plain lengths and bytes. Zstandard goes
//! over what it can make smaller. A file is one row group, since a segment never crosses a UTC day and is small enough to
//! be read as a whole; those of a busy tail are joined ([`super::Parts`]).

use super::super::batch::NONE;
use super::Error;
use super::pack::{deltas, hybrid, increments, width_of};
use polars::error::PolarsError;
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field, IntegerType};
use polars_parquet::parquet::CowBuffer;
use polars_parquet::parquet::compression::Compression;
use polars_parquet::parquet::encoding::Encoding;
use polars_parquet::parquet::metadata::Descriptor;
use polars_parquet::parquet::page::{
    CompressedDataPage, CompressedDictPage, CompressedPage, DataPageHeader, DataPageHeaderV1,
};
use polars_parquet::parquet::schema::types::{ParquetType, PrimitiveType};
use polars_parquet::write::{
    CompressionOptions, DynIter, DynStreamingIterator, FileWriter, StatisticsOptions, Version, WriteOptions,
    fallible_streaming_iterator, to_parquet_type,
};
use rustc_hash::FxHashMap;

/// Level 1 takes half the time of level 3.
const ZSTD_LEVEL: i32 = 1;

/// Of a dictionary with so many bytes, level 3: names in large ones are alike, and it finds that.
const LARGE_BYTES: usize = 256 << 10;
const ZSTD_LEVEL_LARGE: i32 = 3;

/// Places in which [`Columns::number_codes`] looks first.
const RECENT: usize = 256;

/// The column that is written by [`Columns::incremental`]; older segments have a dictionary.
pub(super) const QUEUE_ID: &str = "queue_id";

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// As good as random: packed deltas, and nothing that Zstandard could make smaller.
    Random,
    /// Few values: dictionary, unless there are many after all.
    Few,
}

/// Columns of one file on their way to Parquet. Each is encoded and compressed as it comes, so that no more than one
/// is in memory unpacked.
pub(super) struct Columns {
    rows: usize,
    /// Of all pages, compressed.
    bytes: usize,
    fields: Vec<Field>,
    pages: Vec<Vec<CompressedPage>>,
    zstd: zstd::bulk::Compressor<'static>,
    /// The page in hand, not compressed; kept for its memory.
    page: Vec<u8>,
    codes: Vec<u32>,
    present: Vec<i64>,
    lengths: [Vec<u32>; 2],
    squeezed: Vec<u8>,
}

/// A dictionary's values as they stand in its page, and how many.
struct Values {
    bytes: Vec<u8>,
    count: usize,
}

impl Columns {
    /// Columns of so many rows.
    pub(super) fn new(rows: usize) -> Result<Self, Error> {
        Ok(Columns {
            rows,
            bytes: 0,
            fields: Vec::new(),
            pages: Vec::new(),
            zstd: zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(engine)?,
            page: Vec::new(),
            codes: Vec::new(),
            present: Vec::new(),
            lengths: [Vec::new(), Vec::new()],
            squeezed: Vec::new(),
        })
    }

    /// Text with few values: `codes` index into `values`.
    pub(super) fn dictionary(&mut self, name: &str, values: &[String], codes: &[u32]) -> Result<(), Error> {
        self.dictionary_of(name, values.iter().map(String::as_bytes), codes)
    }

    /// Text whose values stand somewhere already; they must be UTF-8.
    pub(super) fn dictionary_of<'a>(
        &mut self,
        name: &str,
        values: impl Iterator<Item = &'a [u8]>,
        codes: &[u32],
    ) -> Result<(), Error> {
        let mut plain = Values {
            bytes: Vec::new(),
            count: 0,
        };
        for value in values {
            plain.bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
            plain.bytes.extend_from_slice(value);
            plain.count += 1;
        }
        let texts = ArrowDataType::Dictionary(IntegerType::UInt32, Box::new(ArrowDataType::Utf8View), false);
        self.page.clear();
        self.keys(plain.count, codes);
        self.push(name, texts, false, Some(plain), Encoding::RleDictionary, true)
    }

    /// The body of a page of dictionary keys.
    fn keys(&mut self, values: usize, codes: &[u32]) {
        let width = width_of(values.saturating_sub(1) as u32);
        self.page.push(width as u8);
        hybrid(codes, width, &mut self.page);
    }

    /// One text for all rows.
    pub(super) fn constant(&mut self, name: &str, value: &str) -> Result<(), Error> {
        self.codes.clear();
        self.codes.resize(self.rows, 0);
        let codes = std::mem::take(&mut self.codes);
        let done = self.dictionary_of(name, std::iter::once(value.as_bytes()), &codes);
        self.codes = codes;
        done
    }

    /// Text that hardly repeats, UTF-8: the lengths, and all bytes end to end.
    pub(super) fn plain(
        &mut self,
        name: &str,
        lengths: impl ExactSizeIterator<Item = usize>,
        bytes: &[u8],
    ) -> Result<(), Error> {
        self.page.clear();
        deltas(lengths.map(|len| len as i64), &mut self.page);
        self.page.extend_from_slice(bytes);
        self.push(
            name,
            ArrowDataType::Utf8View,
            false,
            None,
            Encoding::DeltaLengthByteArray,
            true,
        )
    }

    /// Text that begins as the one before it does, UTF-8: a value a row, without what both have in common.
    pub(super) fn incremental<'a>(&mut self, name: &str, values: impl Iterator<Item = &'a [u8]>) -> Result<(), Error> {
        self.page.clear();
        increments(values, &mut self.lengths, &mut self.page);
        let encoding = Encoding::DeltaByteArray;
        self.push(name, ArrowDataType::Utf8View, false, None, encoding, true)
    }

    /// Numbers that grow, or are close to their neighbours.
    pub(super) fn growing(&mut self, name: &str, values: &[i64]) -> Result<(), Error> {
        self.page.clear();
        deltas(values.iter().copied(), &mut self.page);
        self.push(
            name,
            ArrowDataType::Int64,
            false,
            None,
            Encoding::DeltaBinaryPacked,
            true,
        )
    }

    /// Numbers of which [`NONE`] means null.
    pub(super) fn optional(&mut self, name: &str, values: &[u64], how: Numbers) -> Result<(), Error> {
        self.page.clear();
        self.page.extend_from_slice(&[0; 4]);
        self.codes.clear();
        self.codes.extend(values.iter().map(|value| u32::from(*value != NONE)));
        hybrid(&self.codes, 1, &mut self.page);
        let levels = self.page.len() as u32 - 4;
        self.page[..4].copy_from_slice(&levels.to_le_bytes());
        // Without a branch a value: what is missing comes in no order that a processor could guess.
        let mut present = std::mem::take(&mut self.present);
        present.resize(values.len(), 0);
        let mut count = 0;
        for value in values {
            present[count] = *value as i64;
            count += usize::from(*value != NONE);
        }
        let done = self.numbers(name, &present[..count], how, true);
        self.present = present;
        done
    }

    /// Numbers with few values.
    pub(super) fn few(&mut self, name: &str, values: &[i64]) -> Result<(), Error> {
        self.page.clear();
        self.numbers(name, values, Numbers::Few, false)
    }

    fn numbers(&mut self, name: &str, present: &[i64], how: Numbers, nullable: bool) -> Result<(), Error> {
        if how == Numbers::Few
            && let Some(values) = self.number_codes(present)
        {
            let codes = std::mem::take(&mut self.codes);
            self.keys(values.count, &codes);
            self.codes = codes;
            return self.push(
                name,
                ArrowDataType::Int64,
                nullable,
                Some(values),
                Encoding::RleDictionary,
                true,
            );
        }
        deltas(present.iter().copied(), &mut self.page);
        let squeeze = how != Numbers::Random;
        self.push(
            name,
            ArrowDataType::Int64,
            nullable,
            None,
            Encoding::DeltaBinaryPacked,
            squeeze,
        )
    }

    /// Puts the codes of the numbers in `codes`; none if there are too many values for a dictionary to pay.
    fn number_codes(&mut self, numbers: &[i64]) -> Option<Values> {
        let mut known: FxHashMap<i64, u32> = FxHashMap::default();
        let mut values = Values {
            bytes: Vec::new(),
            count: 0,
        };
        let count_max = 1024.max(numbers.len() / 4);
        // Most values are one of a few dozen: a place for each saves the hash.
        let mut recent = [(0, u32::MAX); RECENT];
        self.codes.clear();
        for number in numbers {
            let last = &mut recent[(number ^ number >> 10) as usize % RECENT];
            if *number != last.0 || last.1 == u32::MAX {
                let code = *known.entry(*number).or_insert_with(|| {
                    values.bytes.extend_from_slice(&number.to_le_bytes());
                    values.count += 1;
                    values.count as u32 - 1
                });
                *last = (*number, code);
                if values.count > count_max {
                    return None;
                }
            }
            self.codes.push(last.1);
        }
        Some(values)
    }

    pub(super) fn flags(&mut self, name: &str, flags: impl Iterator<Item = bool>) -> Result<(), Error> {
        self.page.clear();
        let (mut byte, mut bits) = (0u8, 0);
        for flag in flags {
            byte |= u8::from(flag) << bits;
            bits += 1;
            if bits == 8 {
                self.page.push(byte);
                (byte, bits) = (0, 0);
            }
        }
        if bits > 0 {
            self.page.push(byte);
        }
        self.push(name, ArrowDataType::Boolean, false, None, Encoding::Plain, true)
    }

    /// Adds a column of the page in hand and a dictionary; `squeeze` says whether to compress them.
    fn push(
        &mut self,
        name: &str,
        dtype: ArrowDataType,
        nullable: bool,
        values: Option<Values>,
        encoding: Encoding,
        squeeze: bool,
    ) -> Result<(), Error> {
        let field = Field::new(name.into(), dtype, nullable);
        let ParquetType::PrimitiveType(type_) = to_parquet_type(&field)? else {
            return Err(engine(std::io::Error::other("a nested column")));
        };
        let mut pages = Vec::with_capacity(2);
        let codec = if squeeze {
            Compression::Zstd
        } else {
            Compression::Uncompressed
        };
        if let Some(values) = values {
            let bytes = CowBuffer::Owned(self.squeezed(&values.bytes, squeeze, true)?);
            let page = CompressedDictPage::new(bytes, codec, values.bytes.len(), values.count, false);
            pages.push(CompressedPage::Dict(page));
        }
        let page = std::mem::take(&mut self.page);
        let bytes = CowBuffer::Owned(self.squeezed(&page, squeeze, false)?);
        pages.push(CompressedPage::Data(self.data_page(
            bytes,
            page.len(),
            codec,
            encoding,
            type_,
        )));
        self.page = page;
        self.fields.push(field);
        self.pages.push(pages);
        Ok(())
    }

    fn data_page(
        &self,
        bytes: CowBuffer,
        plain_len: usize,
        codec: Compression,
        encoding: Encoding,
        type_: PrimitiveType,
    ) -> CompressedDataPage {
        let header = DataPageHeader::V1(DataPageHeaderV1 {
            num_values: self.rows as i32,
            encoding: encoding.into(),
            definition_level_encoding: Encoding::Rle.into(),
            repetition_level_encoding: Encoding::Rle.into(),
            statistics: None,
        });
        let descriptor = Descriptor {
            primitive_type: type_,
            max_def_level: 0,
            max_rep_level: 0,
        };
        CompressedDataPage::new(header, bytes, codec, plain_len, descriptor, self.rows)
    }

    fn squeezed(&mut self, bytes: &[u8], squeeze: bool, names: bool) -> Result<Vec<u8>, Error> {
        let bytes = match squeeze {
            true => {
                let large = names && bytes.len() > LARGE_BYTES;
                let level = if large { ZSTD_LEVEL_LARGE } else { ZSTD_LEVEL };
                self.zstd.set_compression_level(level).map_err(engine)?;
                self.squeezed.clear();
                self.squeezed.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
                self.zstd
                    .compress_to_buffer(bytes, &mut self.squeezed)
                    .map_err(engine)?;
                self.squeezed.as_slice().to_vec()
            }
            false => bytes.to_vec(),
        };
        self.bytes += bytes.len();
        Ok(bytes)
    }

    /// The bytes of a Parquet file.
    pub(super) fn encode(self) -> Result<Vec<u8>, Error> {
        let schema: ArrowSchema = self
            .fields
            .into_iter()
            .map(|field| (field.name.clone(), field))
            .collect();
        let mut writer = file_writer(schema, self.bytes + (32 << 10))?;
        write_group(&mut writer, self.rows, &self.pages)?;
        writer.end(None)?;
        Ok(writer.into_inner())
    }
}

/// A file of ours with room for so many bytes; each page is compressed already.
pub(super) fn file_writer(schema: ArrowSchema, bytes: usize) -> Result<FileWriter<Vec<u8>>, Error> {
    let options = WriteOptions {
        statistics: StatisticsOptions::empty(),
        version: Version::V1,
        compression: CompressionOptions::Uncompressed,
        data_page_size: None,
    };
    Ok(FileWriter::try_new(Vec::with_capacity(bytes), schema, options)?)
}

/// Adds a group of so many rows: the pages of each column.
pub(super) fn write_group(
    writer: &mut FileWriter<Vec<u8>>,
    rows: usize,
    columns: &[Vec<CompressedPage>],
) -> Result<(), Error> {
    let columns = columns.iter().map(|pages| {
        let pages = fallible_streaming_iterator::convert(pages.iter().map(Ok::<&CompressedPage, PolarsError>));
        Ok(DynStreamingIterator::new(pages))
    });
    Ok(writer.write(rows as u64, DynIter::new(columns))?)
}

fn engine(error: std::io::Error) -> Error {
    Error::Engine(PolarsError::from(error))
}
