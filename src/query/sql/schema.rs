//! The tables that SQL may name, with the types of their columns.

use super::node::Type;
use crate::query::columns::{EVENT_COLUMNS, RATE_COLUMNS, SOURCE_COLUMNS};
use crate::store::columnar::NUMBERS;

/// A table and its columns, in the order of `SELECT *`.
pub(super) fn table(name: &str) -> Option<(&'static str, &'static [&'static str])> {
    Some(match name {
        "events" => ("events", &EVENT_COLUMNS),
        "rates" => ("rates", &RATE_COLUMNS),
        "sources" => ("sources", &SOURCE_COLUMNS),
        _ => return None,
    })
}

/// What the values of a column are.
pub(super) fn kind(column: &str) -> Type {
    match column {
        "ts" => Type::Time,
        "ts_ms" => Type::TimeMs,
        "first_hop" => Type::Bool,
        number if NUMBERS.contains(&number) => Type::Int,
        _ => Type::Text,
    }
}
