//! What a rewritten segment changed: the rows that differ, as they were and as they are.

use super::ColumnarError;
use super::any_column::AnyColumn;
use super::rewrite::EventColumns;
use super::write::Columns;
use crate::model::time::UtcMs;
use std::path::Path;

/// Rows that differ, twice each: as they were with `sign` −1, as they are with +1. Both files hold the same events in the
/// same order. None if nothing differs; else the number of rows, and Parquet.
pub fn difference(old: &Path, new: &Path) -> Result<Option<(u64, Vec<u8>)>, ColumnarError> {
    let old = EventColumns::read(old)?;
    let new = EventColumns::read(new)?;
    let mut differs = vec![old.len() != new.len(); old.len()];
    for ((_, was), (name, is)) in old.columns().iter().zip(new.columns()) {
        if !was.mark_differences(is, &mut differs) {
            return Err(new.damaged(name));
        }
    }
    let rows: Vec<usize> = (0..differs.len()).filter(|row| differs[*row]).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let mut out = Columns::new(2 * rows.len())?;
    for ((name, was), (_, is)) in old.columns().iter().zip(new.columns()) {
        let mut both = was.take(&rows);
        if !both.append(is.take(&rows)) {
            return Err(new.damaged(name));
        }
        both.write(&mut out, name)?;
    }
    let signs = [vec![-1_i64; rows.len()], vec![1; rows.len()]].concat();
    out.growing("sign", &signs)?;
    Ok(Some((2 * rows.len() as u64, out.encode()?)))
}

/// The rows from a time on, with `sign` −1. None if there are none; else their number, and Parquet.
pub(crate) fn taken_back(path: &Path, from_ms: UtcMs) -> Result<Option<(u64, Vec<u8>)>, ColumnarError> {
    let all = EventColumns::read(path)?;
    let times = all.numbers("ts_ms")?;
    let rows: Vec<usize> = (0..all.len())
        .filter(|row| times[*row] as i64 >= from_ms.get())
        .collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let mut out = Columns::new(rows.len())?;
    for (name, column) in all.columns() {
        column.take(&rows).write(&mut out, name)?;
    }
    out.growing("sign", &vec![-1_i64; rows.len()])?;
    Ok(Some((rows.len() as u64, out.encode()?)))
}

impl AnyColumn {
    /// Marks the rows whose values are others here and there; false when the columns do not compare.
    fn mark_differences(&self, other: &AnyColumn, differs: &mut [bool]) -> bool {
        fn mark<I>(a: I, b: I, differs: &mut [bool]) -> bool
        where
            I: ExactSizeIterator<Item: PartialEq>,
        {
            let is_as_long = a.len() == b.len();
            let pairs = a.zip(b).zip(differs.iter_mut());
            pairs.for_each(|((a, b), differs)| *differs |= a != b);
            is_as_long
        }
        match (self, other) {
            (AnyColumn::Texts(a), AnyColumn::Texts(b)) => {
                let text = |texts: &super::TextColumn, row: usize| texts.codes[row] as usize;
                let same = a.codes.len() == b.codes.len();
                for row in 0..if same { differs.len() } else { 0 } {
                    differs[row] |= a.values[text(a, row)] != b.values[text(b, row)];
                }
                same
            }
            (AnyColumn::Plain(a), AnyColumn::Plain(b)) => mark(a.iter(), b.iter(), differs),
            (AnyColumn::Flags(a), AnyColumn::Flags(b)) => mark(a.iter(), b.iter(), differs),
            (AnyColumn::Numbers(a), AnyColumn::Numbers(b)) | (AnyColumn::Optional(a), AnyColumn::Optional(b)) => {
                mark(a.iter(), b.iter(), differs)
            }
            _ => false,
        }
    }

    /// These rows.
    pub(super) fn take(&self, rows: &[usize]) -> AnyColumn {
        match self {
            AnyColumn::Texts(texts) => {
                let mut taken = super::TextColumn::default();
                for row in rows {
                    let code = taken.code(&texts.values[texts.codes[*row] as usize]);
                    taken.codes.push(code);
                }
                AnyColumn::Texts(taken)
            }
            AnyColumn::Plain(values) => AnyColumn::Plain(rows.iter().map(|row| values.get(*row)).collect()),
            AnyColumn::Flags(values) => AnyColumn::Flags(rows.iter().map(|row| values[*row]).collect()),
            AnyColumn::Numbers(values) => AnyColumn::Numbers(rows.iter().map(|row| values[*row]).collect()),
            AnyColumn::Optional(values) => AnyColumn::Optional(rows.iter().map(|row| values[*row]).collect()),
        }
    }
}
