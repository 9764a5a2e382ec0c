//! Groups, summed up a part of their rows at a time. Sums, counts, least and greatest of parts make those of the whole; what
//! they do not make (different values, quantiles) is made of how often each value came.

use super::parts::{PENDING_ROWS, compact, joined};
use super::quantiles::{Share, TIMES, quantile};
use super::spec::{Summary, WEIGHT};
use crate::store::columnar::ColumnarError;
use polars::prelude::{
    DataFrame, DataType, Expr, IntoLazy, JoinArgs, JoinType, LazyFrame, MaintainOrderJoin, Schema, col, len, lit, when,
};

/// Groups of rows.
pub(super) struct Grouped<'f> {
    keys: &'f [String],
    made: &'f [(String, Summary)],
    /// What parts add up to, and then for each of `values` how often each came.
    tables: Vec<PartialTable>,
    /// Columns whose values are kept.
    values: Vec<&'f str>,
}

/// Parts on their way to one.
#[derive(Default)]
struct PartialTable {
    parts: Vec<DataFrame>,
    rows: usize,
    settled: usize,
}

impl<'f> Grouped<'f> {
    pub(super) fn new(keys: &'f [String], made: &'f [(String, Summary)]) -> Self {
        let mut values: Vec<&str> = made.iter().filter_map(|(_, summary)| summary.values_of()).collect();
        values.sort_unstable();
        values.dedup();
        Grouped {
            keys,
            made,
            tables: (0..=values.len()).map(|_| PartialTable::default()).collect(),
            values,
        }
    }

    /// What rows add: sums by group, and of each column whose values are kept how often each came.
    pub(super) fn part(&self, rows: &DataFrame, is_weighted: bool) -> Result<Vec<DataFrame>, ColumnarError> {
        let schema = rows.schema();
        let exprs: Vec<Expr> = self
            .made
            .iter()
            .flat_map(|(name, summary)| states(name, summary, schema, is_weighted))
            .collect();
        let mut tables = vec![grouped(rows.clone().lazy(), self.keys, exprs)?];
        for value in &self.values {
            let mut keys = self.keys.to_vec();
            keys.push((*value).to_owned());
            let times = if is_weighted {
                col(WEIGHT).sum()
            } else {
                len().cast(DataType::Int64)
            };
            let rows = rows.clone().lazy().filter(col(*value).is_not_null());
            tables.push(grouped(rows, &keys, vec![times.alias(TIMES)])?);
        }
        Ok(tables)
    }

    pub(super) fn add(&mut self, parts: Vec<DataFrame>) -> Result<(), ColumnarError> {
        for (at, part) in parts.into_iter().enumerate() {
            let table = &mut self.tables[at];
            table.rows += part.height();
            table.parts.push(part);
            if table.rows > PENDING_ROWS + 2 * table.settled {
                self.settle(at)?;
            }
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tables[0].parts.is_empty()
    }

    /// Puts the parts of a table together.
    fn settle(&mut self, at: usize) -> Result<DataFrame, ColumnarError> {
        let all = joined(&mut self.tables[at].parts)?;
        let mut keys = self.keys.to_vec();
        let exprs = match at.checked_sub(1) {
            None => self
                .made
                .iter()
                .flat_map(|(name, summary)| merged(name, summary))
                .collect(),
            Some(value) => {
                keys.push(self.values[value].to_owned());
                vec![col(TIMES).sum()]
            }
        };
        let all = grouped(all.lazy(), &keys, exprs)?;
        let table = &mut self.tables[at];
        (table.rows, table.settled) = (all.height(), all.height());
        table.parts.push(all.clone());
        Ok(all)
    }

    /// The groups, a row each.
    pub(super) fn finish(mut self) -> Result<DataFrame, ColumnarError> {
        let mut all = self.settle(0)?.lazy();
        for at in 0..self.values.len() {
            let value = self.values[at];
            let times = self.settle(at + 1)?;
            for (name, summary) in self
                .made
                .iter()
                .filter(|(_, summary)| summary.values_of() == Some(value))
            {
                let made = match summary {
                    Summary::Median(_) => quantile(&times, self.keys, value, (name, Share::Median))?,
                    Summary::Quantile(_, share) => quantile(&times, self.keys, value, (name, Share::Below(*share)))?,
                    _ => grouped(
                        times.clone().lazy(),
                        self.keys,
                        vec![len().cast(DataType::Int64).alias(name.as_str())],
                    )?,
                };
                all = self.beside(all, made, name);
            }
        }
        let mut exprs: Vec<Expr> = self.keys.iter().map(|key| col(key.as_str())).collect();
        exprs.extend(self.made.iter().map(|(name, summary)| finished(name, summary)));
        Ok(all.select(exprs).collect()?)
    }

    /// One more column of the groups; a group that it does not have has no values.
    fn beside(&self, all: LazyFrame, made: DataFrame, name: &str) -> LazyFrame {
        if self.keys.is_empty() {
            let value = made
                .column(name)
                .ok()
                .and_then(|column| column.get(0).ok().map(|v| v.into_static()));
            let dtype = made
                .column(name)
                .map_or(DataType::Int64, |column| column.dtype().clone());
            let scalar = polars::prelude::Scalar::new(dtype, value.unwrap_or(polars::prelude::AnyValue::Null));
            return all.with_columns([lit(scalar).alias(name)]);
        }
        let keys: Vec<Expr> = self.keys.iter().map(|key| col(key.as_str())).collect();
        let args = JoinArgs {
            nulls_equal: true,
            maintain_order: MaintainOrderJoin::Left,
            ..JoinArgs::new(JoinType::Left)
        };
        all.join(made.lazy(), keys.clone(), keys, args)
    }
}

impl Summary {
    /// The column of which values are kept.
    fn values_of(&self) -> Option<&str> {
        match self {
            Summary::Distinct(column) | Summary::Median(column) | Summary::Quantile(column, _) => Some(column),
            _ => None,
        }
    }
}

/// One row of each group, or of all rows; in the order in which groups appear.
pub(super) fn grouped(rows: LazyFrame, keys: &[String], exprs: Vec<Expr>) -> Result<DataFrame, ColumnarError> {
    let keys: Vec<Expr> = keys.iter().map(|key| col(key.as_str())).collect();
    let made = match (keys.is_empty(), exprs.is_empty()) {
        (true, _) => rows.select(exprs),
        (false, true) => rows
            .select(keys)
            .unique_stable(None, polars::prelude::UniqueKeepStrategy::First),
        (false, false) => rows.group_by_stable(keys).agg(exprs),
    };
    compact(made.with_projection_pushdown(false).collect()?)
}

/// Name of the second column that a mean needs.
fn count_of(name: &str) -> String {
    format!("{name}_count")
}

/// What a part keeps of its rows.
fn states(name: &str, summary: &Summary, schema: &Schema, is_weighted: bool) -> Vec<Expr> {
    let count = |column: &str| match is_weighted {
        true => when(col(column).is_not_null())
            .then(col(WEIGHT))
            .otherwise(lit(0_i64))
            .sum(),
        false => col(column).count().cast(DataType::Int64),
    };
    let sum = |column: &str, dtype: DataType| {
        let values = col(column).cast(dtype.clone());
        match is_weighted {
            true => (values * col(WEIGHT).cast(dtype)).sum(),
            false => values.sum(),
        }
    };
    match summary {
        Summary::Rows if is_weighted => vec![col(WEIGHT).sum().alias(name)],
        Summary::Rows => vec![len().cast(DataType::Int64).alias(name)],
        Summary::Count(column) => vec![count(column).alias(name)],
        Summary::Sum(column) => {
            let is_float = schema.get(column.as_str()).is_some_and(DataType::is_float);
            let dtype = if is_float { DataType::Float64 } else { DataType::Int64 };
            vec![sum(column, dtype).alias(name)]
        }
        Summary::Mean(column) => vec![
            sum(column, DataType::Float64).alias(name),
            count(column).alias(count_of(name)),
        ],
        Summary::Min(column) => vec![col(column.as_str()).min().alias(name)],
        Summary::Max(column) => vec![col(column.as_str()).max().alias(name)],
        Summary::Distinct(_) | Summary::Median(_) | Summary::Quantile(..) => Vec::new(),
    }
}

/// What parts make together.
fn merged(name: &str, summary: &Summary) -> Vec<Expr> {
    match summary {
        Summary::Rows | Summary::Count(_) | Summary::Sum(_) => vec![col(name).sum()],
        Summary::Mean(_) => vec![col(name).sum(), col(count_of(name)).sum()],
        Summary::Min(_) => vec![col(name).min()],
        Summary::Max(_) => vec![col(name).max()],
        Summary::Distinct(_) | Summary::Median(_) | Summary::Quantile(..) => Vec::new(),
    }
}

/// The column of an answer.
fn finished(name: &str, summary: &Summary) -> Expr {
    match summary {
        Summary::Mean(_) => {
            let count = col(count_of(name)).cast(DataType::Float64);
            let mean = col(name) / count.clone();
            when(count.gt(lit(0.0)))
                .then(mean)
                .otherwise(lit(polars::prelude::NULL))
                .alias(name)
        }
        Summary::Distinct(_) => col(name).fill_null(lit(0_i64)),
        _ => col(name),
    }
}
