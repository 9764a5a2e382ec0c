//! Frames that are parts of one.

use crate::store::columnar::ColumnarError;
use polars::prelude::{DataFrame, IntoColumn, StringChunked};

/// Rows that wait to be put together, at least.
pub(super) const PENDING_ROWS: usize = 64 << 10;

/// Frames one below the other.
pub(super) fn joined(frames: &mut Vec<DataFrame>) -> Result<DataFrame, ColumnarError> {
    let mut frames = frames.drain(..);
    let mut all = frames.next().unwrap_or_default();
    for frame in frames {
        all.vstack_mut(&frame)?;
    }
    Ok(all)
}

/// The same rows in memory of their own. What the engine picks of texts keeps the memory of all that they were picked from.
pub(super) fn compact(rows: DataFrame) -> Result<DataFrame, ColumnarError> {
    let columns = rows.columns().iter().map(|column| {
        let series = column.as_materialized_series();
        Ok(match series.str() {
            Ok(texts) => texts
                .iter()
                .collect::<StringChunked>()
                .with_name(series.name().clone())
                .into_column(),
            Err(_) => series.rechunk().into_column(),
        })
    });
    let columns = columns.collect::<Result<Vec<_>, ColumnarError>>()?;
    Ok(DataFrame::new(rows.height(), columns)?)
}
