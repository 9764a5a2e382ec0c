//! Answers on stdout: as a table for people, JSON for programs, CSV for spreadsheets. Log text is hostile: each form
//! takes what would harm its reader out of it.

use crate::query::time::rfc3339;
use crate::store::columnar::{Table, Values};
use mailpulse_parsers::reject::safe_text;
use serde_json::{Map, Value};
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// Form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns.
    Table,
    /// An array of objects.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

/// Prints one line on stdout.
pub fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Prints a table on stdout.
pub fn table(table: &Table, times: &[&str], format: Format) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    print(&mut out, table, times, format)?;
    out.flush()
}

/// Prints a table. Columns named in `times` hold UTC milliseconds and are printed as RFC 3339.
pub fn print(out: &mut impl Write, table: &Table, times: &[&str], format: Format) -> io::Result<()> {
    match format {
        Format::Table => print_table(out, table, times),
        Format::Json => print_json(out, table, times),
        Format::Csv => print_csv(out, table, times),
    }
}

fn is_time(times: &[&str], name: &str) -> bool {
    times.contains(&name)
}

fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn cell(values: &Values, row: usize, time: bool) -> String {
    match values {
        Values::Int(v) if time => v[row].map(rfc3339).unwrap_or_default(),
        Values::Int(v) => v[row].map(|v| v.to_string()).unwrap_or_default(),
        Values::Float(v) => v[row].map(number).unwrap_or_default(),
        Values::Text(v) => v[row].clone().unwrap_or_default(),
        Values::Bool(v) => v[row].map(|v| v.to_string()).unwrap_or_default(),
    }
}

fn print_table(out: &mut impl Write, table: &Table, times: &[&str]) -> io::Result<()> {
    let columns: Vec<Vec<String>> = table
        .columns
        .iter()
        .map(|column| {
            let time = is_time(times, &column.name);
            let head = std::iter::once(safe_text(column.name.as_bytes()));
            head.chain((0..table.rows()).map(|row| safe_text(cell(&column.values, row, time).as_bytes())))
                .collect()
        })
        .collect();
    let widths: Vec<usize> = columns
        .iter()
        .map(|cells| cells.iter().map(|c| c.width()).max().unwrap_or(0))
        .collect();
    for row in 0..=table.rows() {
        let mut line = String::new();
        for (at, cells) in columns.iter().enumerate() {
            let pad = " ".repeat(widths[at] - cells[row].width());
            let right = matches!(table.columns[at].values, Values::Int(_) | Values::Float(_))
                && !is_time(times, &table.columns[at].name);
            line += &if right {
                pad + &cells[row]
            } else {
                cells[row].clone() + &pad
            };
            line += "  ";
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn json(values: &Values, row: usize, time: bool) -> Value {
    match values {
        Values::Int(v) if time => v[row].map_or(Value::Null, |v| rfc3339(v).into()),
        Values::Int(v) => v[row].map_or(Value::Null, Value::from),
        Values::Float(v) => v[row].map_or(Value::Null, Value::from),
        Values::Text(v) => v[row].clone().map_or(Value::Null, Value::from),
        Values::Bool(v) => v[row].map_or(Value::Null, Value::from),
    }
}

fn print_json(out: &mut impl Write, table: &Table, times: &[&str]) -> io::Result<()> {
    writeln!(out, "[")?;
    for row in 0..table.rows() {
        let object: Map<String, Value> = table
            .columns
            .iter()
            .map(|column| {
                (
                    column.name.clone(),
                    json(&column.values, row, is_time(times, &column.name)),
                )
            })
            .collect();
        let comma = if row + 1 < table.rows() { "," } else { "" };
        writeln!(out, "  {}{comma}", Value::Object(object))?;
    }
    writeln!(out, "]")
}

fn print_csv(out: &mut impl Write, table: &Table, times: &[&str]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(table.columns.iter().map(|column| harmless(&column.name)))?;
    for row in 0..table.rows() {
        writer.write_record(table.columns.iter().map(|column| {
            let text = cell(&column.values, row, is_time(times, &column.name));
            // A number may begin with a minus; text that does is a formula to a spreadsheet.
            if matches!(column.values, Values::Text(_)) {
                harmless(&text)
            } else {
                text
            }
        }))?;
    }
    writer.flush()
}

/// A cell that no spreadsheet runs.
fn harmless(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::columnar::Column;

    fn printed(format: Format) -> String {
        let column = |name: &str, values| Column {
            name: name.to_owned(),
            values,
        };
        let table = Table {
            columns: vec![
                column("ts", Values::Int(vec![Some(0), None])),
                column(
                    "service",
                    Values::Text(vec![Some("=cmd()\u{1b}[31m".into()), Some("a,\"b".into())]),
                ),
                column("n", Values::Int(vec![Some(-7), Some(12)])),
            ],
        };
        let mut out = Vec::new();
        print(&mut out, &table, &["ts"], format).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hostile_text_harms_no_reader() {
        assert!(!printed(Format::Table).contains('\u{1b}'));
        assert!(printed(Format::Csv).contains("'=cmd()"));
        assert!(printed(Format::Csv).contains(",-7\n"));
        let json: Value = serde_json::from_str(&printed(Format::Json)).unwrap();
        assert_eq!(json[0]["ts"], "1970-01-01T00:00:00Z");
        assert_eq!(json[1]["service"], "a,\"b");
        assert_eq!(json[1]["ts"], Value::Null);
    }
}
