//! SQL over the columns that a query names. Checking the text is the caller's: what arrives here is one harmless SELECT.

use super::read::read_events;
use super::{Column, ColumnarError, Table, Values};
use polars::prelude::{
    AnyValue, Column as PlColumn, DataFrame, DataType, IntoLazy, LazyFrame, NamedFrom, Series, UnionArgs, col, concat,
    concat_str, lit, when,
};
use polars::sql::SQLContext;
use std::path::{Path, PathBuf};

/// A table that a query may name.
#[derive(Debug)]
pub enum Input {
    /// Columns of segments, oldest first, cut to `[since_ms, until_ms)`.
    Segments {
        /// Name in the query.
        name: &'static str,
        /// Parquet files.
        paths: Vec<PathBuf>,
        /// Columns that the query names; see [`LOGICAL`] for what may be named beside the stored ones.
        columns: Vec<String>,
        /// First millisecond.
        since_ms: i64,
        /// First millisecond that is not in it.
        until_ms: i64,
    },
    /// Rows that the caller has.
    Rows {
        /// Name in the query.
        name: &'static str,
        /// The rows.
        table: Table,
    },
}

/// Columns that are made of stored ones when they are read: name, and what it needs.
pub const LOGICAL: [(&str, &[&str]); 4] = [
    ("ts", &["ts_ms"]),
    ("event_id", &["log", "log_offset"]),
    ("sender", &["sender_local", "sender_domain"]),
    ("recipient", &["recipient_local", "recipient_domain"]),
];

/// Told of a file that cannot be read; an error ends the reading.
pub type Broken<'b> = &'b mut dyn FnMut(&Path, ColumnarError) -> Result<(), ColumnarError>;

/// Runs one SELECT over `inputs`, and over the rows of `steps` before it: names and SELECTs. Files that cannot be read are
/// left out, and `broken` is told.
pub fn select(
    steps: &[(String, String)],
    sql: &str,
    inputs: Vec<Input>,
    broken: Broken<'_>,
) -> Result<Table, ColumnarError> {
    let mut context = SQLContext::new();
    for input in inputs {
        match input {
            Input::Segments {
                name,
                paths,
                columns,
                since_ms,
                until_ms,
            } => {
                context.register(name, segments(&paths, &columns, since_ms, until_ms, broken)?);
            }
            Input::Rows { name, table } => context.register(name, frame(table)?.lazy()),
        }
    }
    for (name, step) in steps {
        let frame = context.execute(step)?;
        context.register(name, frame);
    }
    // The inputs hold the named columns only. Pushing projections down would gain nothing, and makes of a lone
    // `COUNT(*)` over several segments a cast that this build of the engine does not have.
    let frame = context.execute(sql)?.with_projection_pushdown(false).collect()?;
    Ok(table(&frame))
}

fn segments(
    paths: &[PathBuf],
    columns: &[String],
    since_ms: i64,
    until_ms: i64,
    broken: Broken<'_>,
) -> Result<LazyFrame, ColumnarError> {
    let mut stored: Vec<String> = vec!["ts_ms".to_owned()];
    for column in columns {
        let needs = LOGICAL
            .iter()
            .find(|(logical, _)| logical == column)
            .map(|(_, needs)| *needs);
        match needs {
            Some(needs) => stored.extend(needs.iter().map(|need| (*need).to_owned())),
            None => stored.push(column.clone()),
        }
    }
    stored.sort_unstable();
    stored.dedup();
    let within = col("ts_ms").gt_eq(lit(since_ms)).and(col("ts_ms").lt(lit(until_ms)));
    let mut frames = Vec::with_capacity(paths.len());
    for path in paths {
        match read_events(path, &stored) {
            Ok(frame) => frames.push(frame.lazy().filter(within.clone())),
            Err(error) => broken(path, error)?,
        }
    }
    let frame = match frames.is_empty() {
        true => empty(&stored).lazy(),
        false => concat(
            frames,
            UnionArgs {
                rechunk: false,
                parallel: true,
                ..UnionArgs::default()
            },
        )?,
    };
    let made = frame.with_columns(columns.iter().filter_map(|column| logical(column)).collect::<Vec<_>>());
    // `SELECT *` shows the columns in the order in which they are documented.
    Ok(made.select(columns.iter().map(col).collect::<Vec<_>>()))
}

fn logical(column: &str) -> Option<polars::prelude::Expr> {
    let address = |local: &str, domain: &str| {
        let whole = concat_str([col(local), lit("@"), col(domain)], "", true);
        when(col(domain).eq(lit(""))).then(col(local)).otherwise(whole)
    };
    Some(match column {
        "ts" => col("ts_ms").alias("ts"),
        "event_id" => concat_str(
            [col("log"), lit("-"), col("log_offset").cast(DataType::String)],
            "",
            true,
        )
        .alias("event_id"),
        "sender" => address("sender_local", "sender_domain").alias("sender"),
        "recipient" => address("recipient_local", "recipient_domain").alias("recipient"),
        _ => return None,
    })
}

/// Columns of whole numbers, in `events`, `rates` and `sources`; `first_hop` is a flag, `ts` a time, all others are text.
pub const NUMBERS: [&str; 17] = [
    "log_offset",
    "ts_ms",
    "message_key",
    "bytes",
    "messages",
    "recipients",
    "attempts",
    "queue_ms",
    "delivery_ms",
    "smtp_code",
    "lines",
    "events",
    "ignored",
    "unparsed",
    "heartbeats",
    "lag_ms",
    "foreign_lines",
];

fn empty(columns: &[String]) -> DataFrame {
    let columns = columns
        .iter()
        .map(|name| {
            let dtype = match name.as_str() {
                "first_hop" => DataType::Boolean,
                number if NUMBERS.contains(&number) => DataType::Int64,
                _ => DataType::String,
            };
            PlColumn::new_empty(name.as_str().into(), &dtype)
        })
        .collect();
    DataFrame::new(0, columns).unwrap_or_default()
}

fn frame(table: Table) -> Result<DataFrame, ColumnarError> {
    let rows = table.rows();
    let columns = table
        .columns
        .into_iter()
        .map(|column| {
            let name = column.name.as_str().into();
            PlColumn::from(match column.values {
                Values::Int(v) => Series::new(name, v),
                Values::Float(v) => Series::new(name, v),
                Values::Text(v) => Series::new(name, v),
                Values::Bool(v) => Series::new(name, v),
            })
        })
        .collect();
    Ok(DataFrame::new(rows, columns)?)
}

fn table(frame: &DataFrame) -> Table {
    let columns = frame.columns().iter().map(|column| Column {
        name: column.name().to_string(),
        values: values(column),
    });
    Table {
        columns: columns.collect(),
    }
}

fn values(column: &PlColumn) -> Values {
    let series = column.as_materialized_series();
    let dtype = series.dtype();
    if dtype.is_integer() {
        Values::Int(series.iter().map(|v| v.extract::<i64>()).collect())
    } else if dtype.is_float() {
        Values::Float(series.iter().map(|v| v.extract::<f64>()).collect())
    } else if dtype.is_bool() {
        Values::Bool(
            series
                .iter()
                .map(|v| if let AnyValue::Boolean(b) = v { Some(b) } else { None })
                .collect(),
        )
    } else {
        let text = |v: AnyValue<'_>| match v {
            AnyValue::Null => None,
            v => Some(v.str_value().into_owned()),
        };
        Values::Text(series.iter().map(text).collect())
    }
}
