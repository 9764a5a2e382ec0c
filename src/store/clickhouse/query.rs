//! Questions to a server: the same texts as to the embedded store, and answers as the same table.

use super::{ClickHouseClient, ClickHouseError, migrate};
use crate::store::columnar::{Column, Table, Values};
use serde_json::Value;

/// Runs one SELECT of ours over the views `events`, `rates` and `sources`.
///
/// # Errors
/// What the server or the network says; tables of an earlier version.
pub fn select(client: &ClickHouseClient, sql: &str, params: &[(&str, String)]) -> Result<Table, ClickHouseError> {
    let database = [("database", client.endpoint().database.as_str())];
    let answer = client.rows_with(sql, params, &database);
    let answer = answer.map_err(|error| migrate::explained(client, error))?;
    Ok(table(&answer))
}

/// What makes a server answer a user's SELECT as SQL means it, and as the embedded engine does: nothing summed up is NULL,
/// no match of an outer JOIN is NULL, and UNION, EXCEPT and INTERSECT say each row once.
const AS_SQL: [(&str, &str); 5] = [
    ("aggregate_functions_null_for_empty", "1"),
    ("join_use_nulls", "1"),
    ("union_default_mode", "DISTINCT"),
    ("except_default_mode", "DISTINCT"),
    ("intersect_default_mode", "DISTINCT"),
];

/// Runs one SELECT of a user's.
///
/// # Errors
/// As [`select`].
pub fn ask(client: &ClickHouseClient, sql: &str) -> Result<Table, ClickHouseError> {
    let mut settings = vec![("database", client.endpoint().database.as_str())];
    settings.extend(AS_SQL);
    let answer = client.rows_with(sql, &[], &settings);
    let answer = answer.map_err(|error| migrate::explained(client, error))?;
    Ok(table(&answer))
}

/// ClickHouse's `JSONCompact` as a table.
fn table(answer: &Value) -> Table {
    let none = Vec::new();
    let rows = answer["data"].as_array().unwrap_or(&none);
    let meta = answer["meta"].as_array().unwrap_or(&none);
    let columns = meta.iter().enumerate().map(|(at, meta)| {
        let kind = meta["type"].as_str().unwrap_or_default();
        let kind = ["LowCardinality(", "Nullable("]
            .iter()
            .fold(kind, |kind, wrap| kind.strip_prefix(wrap).unwrap_or(kind));
        let cells = rows.iter().map(|row| &row[at]);
        let values = match kind {
            _ if kind.starts_with("Int") || kind.starts_with("UInt") => {
                Values::Int(cells.map(|cell| cell.as_i64()).collect())
            }
            _ if kind.starts_with("Float") || kind.starts_with("Decimal") => {
                Values::Float(cells.map(|cell| cell.as_f64()).collect())
            }
            _ if kind.starts_with("Bool") => Values::Bool(cells.map(Value::as_bool).collect()),
            _ => Values::Text(cells.map(|cell| cell.as_str().map(str::to_owned)).collect()),
        };
        Column {
            name: meta["name"].as_str().unwrap_or_default().to_owned(),
            values,
        }
    });
    Table {
        columns: columns.collect(),
    }
}
