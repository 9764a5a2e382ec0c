//! Columns → Parquet bytes, each with the encoding that fits what it holds.
//!
//! Times and offsets grow: delta. Names repeat: dictionary with the batch's own codes. Pseudonyms are random:
//! plain lengths and bytes. Zstandard goes over all of it. There is one row group a file: a segment never
//! crosses a UTC day and is small enough to be read as a whole.

use super::super::batch::NONE;
use super::Error;
use polars_arrow::array::{Array, BooleanArray, DictionaryArray, MutableBinaryViewArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_arrow::record_batch::RecordBatchT;
use polars_parquet::write::{
    CompressionOptions, Encoding, FileWriter, RowGroupIterator, StatisticsOptions, Version, WriteOptions, ZstdLevel,
};
use std::sync::Arc;

/// Level 3 is where the store gets small for little time; measured in ARCHITECTURE.md.
const ZSTD_LEVEL: i32 = 3;

/// Numbers without a pattern.
pub(super) const PLAIN: Encoding = Encoding::Plain;
/// Numbers near their neighbours.
pub(super) const DELTA: Encoding = Encoding::DeltaBinaryPacked;
/// Numbers with few values.
pub(super) const FEW: Encoding = Encoding::RleDictionary;

/// Columns of one file on their way to Parquet.
#[derive(Default)]
pub(super) struct Columns {
    fields: Vec<Field>,
    arrays: Vec<Box<dyn Array>>,
    encodings: Vec<Encoding>,
}

impl Columns {
    fn push(&mut self, name: &str, array: Box<dyn Array>, encoding: Encoding, nullable: bool) {
        self.fields.push(Field::new(name.into(), array.dtype().clone(), nullable));
        self.arrays.push(array);
        self.encodings.push(encoding);
    }

    /// Text with few values: `codes` index into `values`.
    pub(super) fn dictionary(&mut self, name: &str, values: Vec<String>, codes: Vec<u32>) -> Result<(), Error> {
        let values = Utf8ViewArray::from_slice_values(values);
        let keys = PrimitiveArray::from_vec(codes);
        let array = DictionaryArray::try_from_keys(keys, values.boxed(), false)?;
        self.push(name, array.boxed(), Encoding::RleDictionary, false);
        Ok(())
    }

    /// One text for all rows.
    pub(super) fn constant(&mut self, name: &str, value: &str, rows: usize) -> Result<(), Error> {
        self.dictionary(name, vec![value.to_owned()], vec![0; rows])
    }

    /// Text that hardly repeats.
    pub(super) fn plain<'a>(&mut self, name: &str, values: impl Iterator<Item = &'a str>, len: usize) {
        let mut array = MutableBinaryViewArray::<str>::with_capacity(len);
        values.for_each(|value| array.push_value(value));
        let array: Utf8ViewArray = array.freeze();
        self.push(name, array.boxed(), Encoding::DeltaLengthByteArray, false);
    }

    /// Numbers that grow, or are close to their neighbours.
    pub(super) fn growing(&mut self, name: &str, values: Vec<i64>) {
        self.push(name, PrimitiveArray::from_vec(values).boxed(), Encoding::DeltaBinaryPacked, false);
    }

    /// Numbers of which [`NONE`] means null.
    pub(super) fn optional(&mut self, name: &str, values: Vec<u64>, encoding: Encoding) {
        let valid: Bitmap = values.iter().map(|value| *value != NONE).collect();
        let values: Vec<i64> = values.into_iter().map(|v| if v == NONE { 0 } else { v as i64 }).collect();
        let array = PrimitiveArray::new(ArrowDataType::Int64, values.into(), Some(valid));
        self.push(name, array.boxed(), encoding, true);
    }

    /// Numbers with few values.
    pub(super) fn few(&mut self, name: &str, values: Vec<i64>) {
        self.push(name, PrimitiveArray::from_vec(values).boxed(), Encoding::RleDictionary, false);
    }

    pub(super) fn flags(&mut self, name: &str, values: impl Iterator<Item = bool>) {
        let array = BooleanArray::new(ArrowDataType::Boolean, values.collect(), None);
        self.push(name, array.boxed(), Encoding::Plain, false);
    }

    /// The bytes of a Parquet file.
    pub(super) fn encode(self, rows: usize) -> Result<Vec<u8>, Error> {
        let schema: ArrowSchema = self.fields.into_iter().map(|field| (field.name.clone(), field)).collect();
        let options = WriteOptions {
            statistics: StatisticsOptions::empty(),
            version: Version::V1,
            compression: CompressionOptions::Zstd(Some(ZstdLevel::try_new(ZSTD_LEVEL)?)),
            data_page_size: None,
        };
        let schema = Arc::new(schema);
        let encodings = self.encodings.into_iter().map(|encoding| vec![encoding]).collect();
        let group = RecordBatchT::try_new(rows, schema.clone(), self.arrays)?;
        let mut writer = FileWriter::try_new(Vec::with_capacity(rows * 16), (*schema).clone(), options)?;
        for group in RowGroupIterator::try_new(std::iter::once(Ok(group)), &schema, options, encodings)? {
            writer.write(rows as u64, group?)?;
        }
        writer.end(None)?;
        Ok(writer.into_inner())
    }
}
