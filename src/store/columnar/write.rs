//! Columns → Parquet bytes, each with the encoding that fits what it holds.
//!
//! Times and offsets grow: delta. Names repeat: dictionary with the batch's own codes. Pseudonyms are random:
//! plain lengths and bytes. Zstandard goes over all of it. There is one row group a file: a segment never
//! crosses a UTC day and is small enough to be read as a whole.

use super::super::batch::NONE;
use super::Error;
use polars::error::PolarsError;
use polars_arrow::array::{
    Array, BooleanArray, DictionaryArray, MutableBinaryViewArray, PrimitiveArray, Utf8ViewArray,
};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_parquet::write::{
    CompressedPage, CompressionOptions, DynIter, DynStreamingIterator, Encoding, FileWriter, StatisticsOptions,
    Version, WriteOptions, ZstdLevel, array_to_columns, compress, fallible_streaming_iterator, to_parquet_type,
};

/// Level 3 is where the store gets small for little time; measured in ARCHITECTURE.md.
const ZSTD_LEVEL: i32 = 3;

/// Numbers without a pattern.
pub(super) const PLAIN: Encoding = Encoding::Plain;
/// Numbers near their neighbours.
pub(super) const DELTA: Encoding = Encoding::DeltaBinaryPacked;
/// Numbers with few values.
pub(super) const FEW: Encoding = Encoding::RleDictionary;

/// Columns of one file on their way to Parquet. Each is encoded and compressed as it comes, so that no more than one
/// is in memory unpacked.
#[derive(Default)]
pub(super) struct Columns {
    fields: Vec<Field>,
    pages: Vec<Vec<CompressedPage>>,
}

/// How every column is written.
fn options() -> Result<WriteOptions, Error> {
    Ok(WriteOptions {
        statistics: StatisticsOptions::empty(),
        version: Version::V1,
        compression: CompressionOptions::Zstd(Some(ZstdLevel::try_new(ZSTD_LEVEL)?)),
        data_page_size: None,
    })
}

impl Columns {
    fn push(&mut self, name: &str, array: &dyn Array, encoding: Encoding, nullable: bool) -> Result<(), Error> {
        let field = Field::new(name.into(), array.dtype().clone(), nullable);
        let type_ = to_parquet_type(&field)?;
        let options = options()?;
        let mut pages = Vec::new();
        for column in array_to_columns(array, type_, options, &[encoding])? {
            for page in column {
                let page = compress(page?, Vec::new(), options.compression);
                pages.push(page.map_err(PolarsError::from)?);
            }
        }
        self.fields.push(field);
        self.pages.push(pages);
        Ok(())
    }

    /// Text with few values: `codes` index into `values`.
    pub(super) fn dictionary(&mut self, name: &str, values: Vec<String>, codes: Vec<u32>) -> Result<(), Error> {
        let len = values.len();
        self.dictionary_of(name, values.iter().map(String::as_str), len, codes)
    }

    /// Text whose values stand somewhere already; `len` is how many there are.
    pub(super) fn dictionary_of<'a>(
        &mut self,
        name: &str,
        values: impl Iterator<Item = &'a str>,
        len: usize,
        codes: Vec<u32>,
    ) -> Result<(), Error> {
        let mut array = MutableBinaryViewArray::<str>::with_capacity(len);
        values.for_each(|value| array.push_value(value));
        let values: Utf8ViewArray = array.freeze();
        let keys = PrimitiveArray::from_vec(codes);
        let array = DictionaryArray::try_from_keys(keys, values.boxed(), false)?;
        self.push(name, &array, Encoding::RleDictionary, false)
    }

    /// One text for all rows.
    pub(super) fn constant(&mut self, name: &str, value: &str, rows: usize) -> Result<(), Error> {
        self.dictionary(name, vec![value.to_owned()], vec![0; rows])
    }

    /// Text that hardly repeats.
    pub(super) fn plain<'a>(
        &mut self,
        name: &str,
        values: impl Iterator<Item = &'a str>,
        len: usize,
    ) -> Result<(), Error> {
        let mut array = MutableBinaryViewArray::<str>::with_capacity(len);
        values.for_each(|value| array.push_value(value));
        let array: Utf8ViewArray = array.freeze();
        self.push(name, &array, Encoding::DeltaLengthByteArray, false)
    }

    /// Numbers that grow, or are close to their neighbours.
    pub(super) fn growing(&mut self, name: &str, values: Vec<i64>) -> Result<(), Error> {
        self.push(
            name,
            &PrimitiveArray::from_vec(values),
            Encoding::DeltaBinaryPacked,
            false,
        )
    }

    /// Numbers of which [`NONE`] means null.
    pub(super) fn optional(&mut self, name: &str, values: Vec<u64>, encoding: Encoding) -> Result<(), Error> {
        let valid: Bitmap = values.iter().map(|value| *value != NONE).collect();
        let values: Vec<i64> = values
            .into_iter()
            .map(|v| if v == NONE { 0 } else { v as i64 })
            .collect();
        let array = PrimitiveArray::new(ArrowDataType::Int64, values.into(), Some(valid));
        self.push(name, &array, encoding, true)
    }

    /// Numbers with few values.
    pub(super) fn few(&mut self, name: &str, values: Vec<i64>) -> Result<(), Error> {
        self.push(name, &PrimitiveArray::from_vec(values), Encoding::RleDictionary, false)
    }

    pub(super) fn flags(&mut self, name: &str, values: impl Iterator<Item = bool>) -> Result<(), Error> {
        let array = BooleanArray::new(ArrowDataType::Boolean, values.collect(), None);
        self.push(name, &array, Encoding::Plain, false)
    }

    /// The bytes of a Parquet file.
    pub(super) fn encode(self, rows: usize) -> Result<Vec<u8>, Error> {
        let schema: ArrowSchema = self
            .fields
            .into_iter()
            .map(|field| (field.name.clone(), field))
            .collect();
        let mut writer = FileWriter::try_new(Vec::new(), schema, options()?)?;
        let columns = self.pages.iter().map(|pages| {
            let pages = fallible_streaming_iterator::convert(pages.iter().map(Ok::<&CompressedPage, PolarsError>));
            Ok(DynStreamingIterator::new(pages))
        });
        writer.write(rows as u64, DynIter::new(columns))?;
        writer.end(None)?;
        Ok(writer.into_inner())
    }
}
