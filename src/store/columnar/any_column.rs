//! A column whose type only the file knows, as it is rewritten.

use super::ColumnarError;
use super::texts::{Strings, TextColumn};
use super::write::{Columns, NumberEncoding, QUEUE_ID};

/// A column as it is rewritten.
pub(super) enum AnyColumn {
    Texts(TextColumn),
    Plain(Strings),
    Flags(Vec<bool>),
    Numbers(Vec<u64>),
    Optional(Vec<u64>),
}

impl AnyColumn {
    pub(super) fn len(&self) -> usize {
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
            (AnyColumn::Plain(all), AnyColumn::Plain(more)) => all.extend(more.iter()),
            (AnyColumn::Flags(all), AnyColumn::Flags(more)) => all.extend(more),
            (AnyColumn::Numbers(all), AnyColumn::Numbers(more))
            | (AnyColumn::Optional(all), AnyColumn::Optional(more)) => all.extend(more),
            _ => return false,
        }
        true
    }

    /// Writes the column as [`super::segment`] wrote it.
    pub(super) fn write(self, out: &mut Columns, name: &str) -> Result<(), ColumnarError> {
        match self {
            AnyColumn::Texts(texts) if name == QUEUE_ID => {
                let id = |code: &u32| texts.values[*code as usize].as_bytes();
                out.incremental(name, texts.codes.iter().map(id))
            }
            AnyColumn::Texts(texts) => out.dictionary(name, &texts.values, &texts.codes),
            AnyColumn::Plain(values) => out.plain(name, values.lengths(), values.as_bytes()),
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
                    "message_key" | "bytes" => NumberEncoding::Random,
                    _ => NumberEncoding::Few,
                };
                out.optional(name, &values, how)
            }
        }
    }
}
