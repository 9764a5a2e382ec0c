//! Columns → Parquet bytes, each with the encoding that fits what it holds.
//!
//! Times and offsets grow: delta. Names repeat: dictionary with the batch's own codes. Queue IDs repeat within a few rows
//! and begin alike: what the one before does not have. Pseudonyms are random: plain lengths and bytes. Zstandard goes over
//! what it can make smaller. A file is one row group, since a segment never crosses a UTC day and is small enough to be
//! read as a whole; those of a busy tail are joined ([`super::Parts`]).

use super::super::batch::NONE;
use super::ColumnarError;
use super::encodings::{IncrementScratch, bytes_of, deltas, hybrid, increments, presence, run, width_of};
use super::file::{CompressedValues, CompressionLevel, GroupWriter, PageCompressor, Pages, engine};
use hashbrown::HashSet;
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field, IntegerType};
use polars_parquet::parquet::CowBuffer;
use polars_parquet::parquet::compression::Compression;
use polars_parquet::parquet::encoding::Encoding;
use polars_parquet::parquet::page::CompressedPage;
use polars_parquet::parquet::schema::types::{ParquetType, PrimitiveType};
use polars_parquet::write::to_parquet_type;
use rustc_hash::FxHashMap;
use std::borrow::Borrow;

/// In more bytes of text that repeats many names are alike, and more effort finds that.
const LARGE_BYTES: usize = 256 << 10;

/// The compression level for so many bytes of text that repeats.
fn level_for(text_bytes: usize) -> CompressionLevel {
    if text_bytes > LARGE_BYTES {
        CompressionLevel::LargeText
    } else {
        CompressionLevel::Text
    }
}

/// Places in which [`Columns::number_codes`] looks first.
const RECENT: usize = 256;

/// The column that is written by [`Columns::incremental`]; older segments have a dictionary.
pub(super) const QUEUE_ID: &str = "queue_id";
/// The column of reasons, whose names have changed.
pub(super) const REASON: &str = "reason";
/// Whose mail it is.
pub(super) const ORIGIN: &str = "origin";
/// The direction of a recipient's copy.
pub(super) const DIRECTION: &str = "direction";
/// Who runs the receiving side.
pub(super) const PROVIDER: &str = "provider";
/// The words of replies, where they are kept.
pub(super) const REPLY: &str = "reply";
/// Columns that files of earlier versions lack, all or the last of them; in events they stand in this order behind
/// [`REASON`].
pub(super) const LATER: [&str; 5] = ["provider_code", ORIGIN, DIRECTION, PROVIDER, REPLY];

/// What a column is, and how its page was made.
struct ColumnForm {
    dtype: ArrowDataType,
    nullable: bool,
    encoding: Encoding,
    level: CompressionLevel,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberEncoding {
    /// As good as random: packed deltas, and nothing that Zstandard could make smaller.
    Random,
    /// Few values: dictionary, unless there are many after all.
    Few,
}

/// Memory for [`Columns`], kept from file to file: the system charges dearly for fresh pages.
#[derive(Default)]
pub(super) struct Scratch {
    compressor: PageCompressor,
    /// Values of the dictionary in hand, as they stand in its page.
    dictionary: Vec<u8>,
    /// The page in hand, not compressed.
    page: Vec<u8>,
    codes: Vec<u32>,
    present: Vec<i64>,
    increments: IncrementScratch,
    /// Pages of all columns, compressed, end to end.
    pages: Vec<u8>,
    /// Room for the file.
    pub file: Vec<u8>,
}

/// Columns of one file on their way to Parquet. Each is encoded and compressed as it comes, so that no more than one
/// is in memory unpacked.
pub(super) struct Columns {
    rows: usize,
    fields: Vec<Field>,
    columns: Vec<Pages>,
    scratch: Scratch,
}

impl Columns {
    /// Columns of so many rows.
    pub(super) fn new(rows: usize) -> Result<Self, ColumnarError> {
        Columns::within(rows, Scratch::default())
    }

    /// Columns of so many rows, made in memory that [`Columns::finish`] gives back.
    pub(super) fn within(rows: usize, mut scratch: Scratch) -> Result<Self, ColumnarError> {
        scratch.pages.clear();
        Ok(Columns {
            rows,
            fields: Vec::new(),
            columns: Vec::new(),
            scratch,
        })
    }

    /// Text with few values: `codes` index into `values`.
    pub(super) fn dictionary(
        &mut self,
        name: &str,
        values: &[String],
        codes: impl IntoIterator<Item: Borrow<u32>>,
    ) -> Result<(), ColumnarError> {
        self.dictionary_of(name, values.iter().map(String::as_bytes), codes)
    }

    /// Text whose values stand somewhere already; they must be UTF-8.
    pub(super) fn dictionary_of<'a>(
        &mut self,
        name: &str,
        values: impl Iterator<Item = &'a [u8]>,
        codes: impl IntoIterator<Item: Borrow<u32>>,
    ) -> Result<(), ColumnarError> {
        let count = self.text_values(values);
        let Scratch { page, codes: keys, .. } = &mut self.scratch;
        page.clear();
        if count == 1 && self.rows > 0 {
            // No bits a key, and one run of them.
            page.push(0);
            run(self.rows, 0, 0, page);
        } else {
            keys.clear();
            keys.extend(codes.into_iter().map(|code| *code.borrow()));
            self.keys(count);
        }
        self.push(
            name,
            Some(count),
            ColumnForm {
                dtype: texts(),
                nullable: false,
                encoding: Encoding::RleDictionary,
                level: CompressionLevel::Packed,
            },
        )
    }

    /// How many columns there are so far.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// A dictionary whose codes are those of an earlier column: its page is that column's.
    pub(super) fn dictionary_like<'a>(
        &mut self,
        column: usize,
        name: &str,
        values: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), ColumnarError> {
        let count = self.text_values(values);
        let data = match self.columns.get(column) {
            Some(like) if like.dictionary.as_ref().is_some_and(|known| known.1 == count) => like.data.clone(),
            _ => return Err(engine(std::io::Error::other("no dictionary of that size there"))),
        };
        let dictionary = (self.compressed_dictionary()?, count);
        self.add(name, texts(), false, |type_| Pages {
            type_,
            dictionary: Some(dictionary),
            data,
            encoding: Encoding::RleDictionary,
            codec: Compression::Zstd,
        })
    }

    /// Puts a dictionary's values together; gives their number.
    fn text_values<'a>(&mut self, values: impl Iterator<Item = &'a [u8]>) -> usize {
        let bytes = &mut self.scratch.dictionary;
        bytes.clear();
        let mut count = 0;
        for value in values {
            bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
            bytes.extend_from_slice(value);
            count += 1;
        }
        count
    }

    /// The body of a page of dictionary keys, from the codes in hand.
    fn keys(&mut self, values: usize) {
        let width = width_of(values.saturating_sub(1) as u32);
        let Scratch { page, codes, .. } = &mut self.scratch;
        page.push(width as u8);
        hybrid(codes, width, page);
    }

    /// One text for all rows.
    pub(super) fn constant(&mut self, name: &str, value: &str) -> Result<(), ColumnarError> {
        self.dictionary_of(
            name,
            std::iter::once(value.as_bytes()),
            std::iter::repeat_n(0, self.rows),
        )
    }

    /// Text that hardly repeats, UTF-8: the lengths, and all bytes end to end.
    pub(super) fn plain(
        &mut self,
        name: &str,
        lengths: impl ExactSizeIterator<Item = usize> + Clone,
        bytes: &[u8],
    ) -> Result<(), ColumnarError> {
        let page = &mut self.scratch.page;
        page.clear();
        deltas(lengths.clone().map(|len| len as i64), page);
        page.extend_from_slice(bytes);
        // Where no name comes again a search finds nothing; what is left to gain is the alphabet.
        let level = match level_for(page.len()) {
            CompressionLevel::LargeText if !comes_again(lengths, bytes) => CompressionLevel::Text,
            level => level,
        };
        let (dtype, encoding) = (ArrowDataType::Utf8View, Encoding::DeltaLengthByteArray);
        self.push(
            name,
            None,
            ColumnForm {
                dtype,
                nullable: false,
                encoding,
                level,
            },
        )
    }

    /// Text that begins as the one before it does, UTF-8: a value a row, without what both have in common.
    pub(super) fn incremental<'a>(
        &mut self,
        name: &str,
        values: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Result<(), ColumnarError> {
        let Scratch {
            page,
            increments: scratch,
            ..
        } = &mut self.scratch;
        page.clear();
        increments(values, scratch, page);
        let (dtype, encoding) = (ArrowDataType::Utf8View, Encoding::DeltaByteArray);
        self.push(
            name,
            None,
            ColumnForm {
                dtype,
                nullable: false,
                encoding,
                level: CompressionLevel::Text,
            },
        )
    }

    /// Numbers that grow, or are close to their neighbours.
    pub(super) fn growing(&mut self, name: &str, values: &[i64]) -> Result<(), ColumnarError> {
        let page = &mut self.scratch.page;
        page.clear();
        deltas(values.iter().copied(), page);
        let (dtype, encoding) = (ArrowDataType::Int64, Encoding::DeltaBinaryPacked);
        self.push(
            name,
            None,
            ColumnForm {
                dtype,
                nullable: false,
                encoding,
                level: CompressionLevel::Packed,
            },
        )
    }

    /// Numbers of which [`NONE`] means null.
    pub(super) fn optional(&mut self, name: &str, values: &[u64], how: NumberEncoding) -> Result<(), ColumnarError> {
        let Scratch { page, present, .. } = &mut self.scratch;
        page.clear();
        page.extend_from_slice(&[0; 4]);
        if present.len() < values.len() + 8 {
            present.resize(values.len() + 8, 0);
        }
        let count = presence(values, NONE, present, page);
        let levels = page.len() as u32 - 4;
        page[..4].copy_from_slice(&levels.to_le_bytes());
        self.numbers(name, count, how, true)
    }

    /// Numbers with few values.
    pub(super) fn few(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item: Borrow<i64>>,
    ) -> Result<(), ColumnarError> {
        let Scratch { page, present, .. } = &mut self.scratch;
        page.clear();
        present.clear();
        present.extend(values.into_iter().map(|value| *value.borrow()));
        self.numbers(name, self.rows, NumberEncoding::Few, false)
    }

    /// Adds the first `count` of the numbers in hand to the page in hand.
    fn numbers(&mut self, name: &str, count: usize, how: NumberEncoding, nullable: bool) -> Result<(), ColumnarError> {
        let dtype = ArrowDataType::Int64;
        if how == NumberEncoding::Few
            && let Some(values) = self.number_codes(count)
        {
            self.keys(values);
            return self.push(
                name,
                Some(values),
                ColumnForm {
                    dtype,
                    nullable,
                    encoding: Encoding::RleDictionary,
                    level: CompressionLevel::Packed,
                },
            );
        }
        let Scratch { page, present, .. } = &mut self.scratch;
        deltas(present[..count].iter().copied(), page);
        let level = match how {
            NumberEncoding::Random => CompressionLevel::None,
            NumberEncoding::Few => CompressionLevel::Packed,
        };
        self.push(
            name,
            None,
            ColumnForm {
                dtype,
                nullable,
                encoding: Encoding::DeltaBinaryPacked,
                level,
            },
        )
    }

    /// Puts the codes of the first `count` numbers in hand into `codes`, and their values into the dictionary; gives the
    /// number of these, none if there are too many for a dictionary to pay.
    fn number_codes(&mut self, count: usize) -> Option<usize> {
        let Scratch {
            dictionary,
            codes,
            present,
            ..
        } = &mut self.scratch;
        dictionary.clear();
        codes.resize(count, 0);
        let mut known: FxHashMap<i64, u32> = FxHashMap::default();
        let count_max = 1024.max(count / 4);
        // Most values are one of a few dozen: a place for each saves the hash.
        let mut recent = [(0, u32::MAX); RECENT];
        for (number, place) in present[..count].iter().zip(&mut *codes) {
            let last = &mut recent[(number ^ number >> 10) as usize % RECENT];
            if *number != last.0 || last.1 == u32::MAX {
                let next = known.len() as u32;
                let code = *known.entry(*number).or_insert_with(|| {
                    dictionary.extend_from_slice(&number.to_le_bytes());
                    next
                });
                *last = (*number, code);
                if known.len() > count_max {
                    return None;
                }
            }
            *place = last.1;
        }
        Some(known.len())
    }

    /// Truths, a bit each.
    pub(super) fn flags(&mut self, name: &str, flags: impl Iterator<Item = bool>) -> Result<(), ColumnarError> {
        let page = &mut self.scratch.page;
        page.clear();
        bytes_of(flags, page);
        self.push_flags(name)
    }

    /// Truths that are all true.
    pub(super) fn all_set(&mut self, name: &str) -> Result<(), ColumnarError> {
        let page = &mut self.scratch.page;
        page.clear();
        page.resize(self.rows / 8, 0xff);
        if !self.rows.is_multiple_of(8) {
            page.push(0xff >> (8 - self.rows % 8));
        }
        self.push_flags(name)
    }

    fn push_flags(&mut self, name: &str) -> Result<(), ColumnarError> {
        let (dtype, encoding) = (ArrowDataType::Boolean, Encoding::Plain);
        self.push(
            name,
            None,
            ColumnForm {
                dtype,
                nullable: false,
                encoding,
                level: CompressionLevel::Packed,
            },
        )
    }

    /// Adds a column of the page in hand, and of so many values of the dictionary in hand.
    fn push(&mut self, name: &str, values: Option<usize>, form: ColumnForm) -> Result<(), ColumnarError> {
        let dictionary = match values {
            Some(count) => Some((self.compressed_dictionary()?, count)),
            None => None,
        };
        let Scratch {
            compressor,
            page,
            pages,
            ..
        } = &mut self.scratch;
        let data = compressor.compress(page, form.level, pages)?;
        let codec = match form.level {
            CompressionLevel::None => Compression::Uncompressed,
            _ => Compression::Zstd,
        };
        self.add(name, form.dtype, form.nullable, |type_| Pages {
            type_,
            dictionary,
            data,
            encoding: form.encoding,
            codec,
        })
    }

    fn compressed_dictionary(&mut self) -> Result<CompressedValues, ColumnarError> {
        let Scratch {
            compressor,
            dictionary,
            pages,
            ..
        } = &mut self.scratch;
        let level = level_for(dictionary.len());
        compressor.compress(dictionary, level, pages)
    }

    fn add(
        &mut self,
        name: &str,
        dtype: ArrowDataType,
        nullable: bool,
        pages: impl FnOnce(PrimitiveType) -> Pages,
    ) -> Result<(), ColumnarError> {
        let field = Field::new(name.into(), dtype, nullable);
        let ParquetType::PrimitiveType(type_) = to_parquet_type(&field)? else {
            return Err(engine(std::io::Error::other("a nested column")));
        };
        self.fields.push(field);
        self.columns.push(pages(type_));
        Ok(())
    }

    /// The bytes of a Parquet file.
    pub(super) fn encode(self) -> Result<Vec<u8>, ColumnarError> {
        Ok(self.finish()?.0)
    }

    /// The bytes of a Parquet file; the memory that they were made in goes back.
    pub(super) fn encode_in(self, scratch: &mut Scratch) -> Result<Vec<u8>, ColumnarError> {
        let (file, used) = self.finish()?;
        *scratch = used;
        Ok(file)
    }

    /// The bytes of a Parquet file, in [`Scratch::file`], and the memory that they were made in.
    pub(super) fn finish(mut self) -> Result<(Vec<u8>, Scratch), ColumnarError> {
        let schema: ArrowSchema = self
            .fields
            .into_iter()
            .map(|field| (field.name.clone(), field))
            .collect();
        let mut file = std::mem::take(&mut self.scratch.file);
        file.clear();
        file.reserve(self.scratch.pages.len() + (32 << 10));
        let mut writer = GroupWriter::new(schema, file)?;
        let bytes = CowBuffer::Borrowed(std::mem::take(&mut self.scratch.pages).into());
        let rows = self.rows;
        let pages: Vec<Vec<CompressedPage>> = self.columns.iter().map(|column| column.pages(rows, &bytes)).collect();
        writer.group(rows, &pages)?;
        let file = writer.finish()?;
        // Without pages the memory is nobody else's.
        drop(pages);
        self.scratch.pages = match bytes {
            CowBuffer::Borrowed(bytes) => bytes.into_mut().right().unwrap_or_default(),
            CowBuffer::Owned(bytes) => bytes,
        };
        Ok((file, self.scratch))
    }
}

/// TextColumn that [`comes_again`] looks at.
const LOOK: usize = 1 << 16;

/// Whether many of these texts, whose bytes stand end to end, are there more than once. Among the first of them, those
/// that end in one of a few letters stand for all.
fn comes_again(lengths: impl Iterator<Item = usize>, bytes: &[u8]) -> bool {
    let mut distinct: HashSet<&[u8]> = HashSet::default();
    let (mut count, mut rest) = (0, bytes);
    for len in lengths.take(LOOK) {
        let Some((text, after)) = rest.split_at_checked(len) else {
            break;
        };
        rest = after;
        if text.last().is_some_and(|last| last & 31 == 1) {
            count += 1;
            distinct.insert(text);
        }
    }
    // Where there are few it costs little.
    count < 64 || distinct.len() * 8 < count * 7
}

fn texts() -> ArrowDataType {
    ArrowDataType::Dictionary(IntegerType::UInt32, Box::new(ArrowDataType::Utf8View), false)
}
