//! Frames of the engine: what they are made of, and what leaves this room of them.

use super::{Column, ColumnarError, Table, Values};
use polars::prelude::{
    AnyValue, Column as PlColumn, DataFrame, DataType, NamedFrom, Series, col, concat_str, lit, when,
};
use std::path::Path;

/// Columns that are made of stored ones when they are read: name, and what it needs.
pub(crate) const LOGICAL: [(&str, &[&str]); 4] = [
    ("ts", &["ts_ms"]),
    ("event_id", &["log", "log_offset"]),
    ("sender", &["sender_local", "sender_domain"]),
    ("recipient", &["recipient_local", "recipient_domain"]),
];

/// Told of a file that cannot be read; an error ends the reading.
pub(crate) type Broken<'b> = &'b mut dyn FnMut(&Path, ColumnarError) -> Result<(), ColumnarError>;

pub(super) fn logical(column: &str) -> Option<polars::prelude::Expr> {
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
pub(crate) const NUMBERS: [&str; 17] = [
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

pub(super) fn empty(columns: &[String]) -> DataFrame {
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

pub(super) fn frame(table: Table) -> Result<DataFrame, ColumnarError> {
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

pub(super) fn table(frame: &DataFrame) -> Table {
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
