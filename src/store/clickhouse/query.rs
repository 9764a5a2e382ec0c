//! Questions to a server: the same texts as to the embedded store, and answers as the same table.

use super::{Client, Error};
use crate::store::columnar::{Column, Table, Values};
use serde_json::Value;

/// Runs one SELECT over the views `events`, `rates` and `sources`.
///
/// # Errors
/// What the server or the network says.
pub fn select(client: &Client, sql: &str, params: &[(&str, String)]) -> Result<Table, Error> {
    let database = &client.place().database;
    let mut text = translated(sql);
    // The guard has parsed the text: these words are names of tables there, or nothing that this would change.
    for table in ["events", "rates", "sources"] {
        text = qualified(&text, table, database);
    }
    let answer = client.rows(&text, params)?;
    Ok(table(&answer))
}

/// `QUANTILE_DISC(x, q)`: the smallest value at or below which the share `q` of all stands. ClickHouse's own quantiles
/// take the next one where `q` times the count is whole.
fn translated(sql: &str) -> String {
    const NAME: &str = "QUANTILE_DISC(";
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find(NAME) {
        out.push_str(&rest[..at]);
        let inside = &rest[at + NAME.len()..];
        let Some((args, behind)) = inside.split_once(')') else {
            break;
        };
        let (value, share) = args.split_once(',').unwrap_or((args, "0.5"));
        let (value, share) = (value.trim(), share.trim());
        out.push_str(&format!(
            "if(count({value}) = 0, NULL, arrayElement(arraySort(groupArray({value})), \
             toUInt32(greatest(1, ceil({share} * count({value}))))))"
        ));
        rest = behind;
    }
    out + rest
}

/// Puts the database before the name of a table.
fn qualified(sql: &str, table: &str, database: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 32);
    let mut rest = sql;
    while let Some(at) = rest.find(table) {
        let (before, behind) = (&rest[..at], &rest[at + table.len()..]);
        let word_before = before
            .trim_end()
            .rsplit(|c: char| !c.is_ascii_alphabetic())
            .next()
            .unwrap_or_default();
        let is_table = (before.ends_with(char::is_whitespace))
            && (word_before.eq_ignore_ascii_case("from") || word_before.eq_ignore_ascii_case("join"))
            && !behind.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        out.push_str(before);
        if is_table {
            out.push_str(database);
            out.push('.');
        }
        out.push_str(table);
        rest = behind;
    }
    out + rest
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tables_get_the_database() {
        let sql = "SELECT SUM(events) AS events FROM sources JOIN rates ON 1 = 1 WHERE kind = 'events' AND events > 1";
        let got = ["events", "rates", "sources"]
            .iter()
            .fold(sql.to_owned(), |sql, table| qualified(&sql, table, "mail"));
        assert_eq!(
            got,
            "SELECT SUM(events) AS events FROM mail.sources JOIN mail.rates ON 1 = 1 WHERE kind = 'events' AND events > 1"
        );
    }
}
