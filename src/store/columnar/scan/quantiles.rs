//! Quantiles of values of which is known how often each came.

use crate::store::columnar::ColumnarError;
use polars::prelude::{Column as PlColumn, DataFrame, DataType, IntoLazy, NamedFrom, Series, SortMultipleOptions, col};

/// Column of how often a value came.
pub(super) const TIMES: &str = "times";

/// Which of the values.
#[derive(Debug, Clone, Copy)]
pub(super) enum Share {
    /// The middle one; between two, their mean.
    Median,
    /// The least that such a share of them does not exceed.
    Below(f64),
}

/// By `keys`, one of the values of a column: `times` has how often each came. The column that is made has `name`.
pub(super) fn quantile(
    times: &DataFrame,
    keys: &[String],
    value: &str,
    (name, share): (&str, Share),
) -> Result<DataFrame, ColumnarError> {
    let sorted = times
        .clone()
        .lazy()
        .sort([value], SortMultipleOptions::default())
        .collect()?;
    let values = sorted.column(value)?.cast(&DataType::Float64)?;
    let values = values.as_materialized_series().f64()?.to_vec();
    let counts = sorted.column(TIMES)?.as_materialized_series().i64()?.to_vec();
    let pick = |rows: &mut dyn Iterator<Item = u32>| {
        let pairs = rows.filter_map(|row| Some((values[row as usize]?, counts[row as usize]?)));
        share.of(&pairs.collect::<Vec<_>>())
    };
    if keys.is_empty() {
        let made = pick(&mut (0..values.len() as u32));
        return Ok(DataFrame::new(
            1,
            vec![PlColumn::from(Series::new(name.into(), vec![made]))],
        )?);
    }
    let by = sorted.group_by_stable(keys.iter().map(String::as_str))?;
    let made: Vec<Option<f64>> = by
        .get_groups()
        .iter()
        .map(|group| match group {
            polars::prelude::GroupsIndicator::Idx((_, rows)) => pick(&mut rows.iter().copied()),
            polars::prelude::GroupsIndicator::Slice([first, len]) => pick(&mut (first..first + len)),
        })
        .collect();
    let first = sorted
        .lazy()
        .group_by_stable(keys.iter().map(|key| col(key.as_str())).collect::<Vec<_>>())
        .agg([])
        .collect()?;
    let mut columns = first.columns().to_vec();
    columns.push(PlColumn::from(Series::new(name.into(), made)));
    Ok(DataFrame::new(first.height(), columns)?)
}

impl Share {
    /// Of values in their order, each with how often it came.
    fn of(self, values: &[(f64, i64)]) -> Option<f64> {
        let count: i64 = values.iter().map(|(_, times)| times).sum();
        let at = |place: i64| {
            let mut seen = 0;
            let mut found = values.iter().skip_while(|(_, times)| {
                seen += times;
                seen <= place
            });
            found.next().map(|(value, _)| *value)
        };
        if count == 0 {
            return None;
        }
        match self {
            Share::Below(share) => at(((count as f64 * share).ceil() - 1.0).max(0.0) as i64),
            Share::Median => {
                let (low, high) = (at((count - 1) / 2)?, at(count / 2)?);
                Some(if low == high { low } else { 0.5 * (high - low) + low })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn a_value_that_came_often_counts_often() {
        let values = [(1.0, 1), (2.0, 3), (9.0, 2)];
        assert_eq!(Share::Median.of(&values), Some(2.0));
        assert_eq!(Share::Median.of(&[(1.0, 2), (4.0, 2)]), Some(2.5));
        assert_eq!(Share::Below(0.5).of(&values), Some(2.0));
        assert_eq!(Share::Below(0.7).of(&values), Some(9.0));
        assert_eq!(Share::Below(0.0).of(&values), Some(1.0));
        assert_eq!(Share::Below(1.0).of(&values), Some(9.0));
        assert_eq!(Share::Median.of(&[]), None);
    }
}
