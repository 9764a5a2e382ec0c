//! The only place that prints: answers on stdout, as a table for people, JSON for programs, CSV for spreadsheets; talk on
//! stderr. Log text is hostile: each form escapes what would harm its reader, on a terminal and off it.

mod cell;
pub(super) mod tables;

use crate::model::time::{UtcMs, rfc3339};
use crate::store::columnar::{Column, Table, Values};
use cell::cell;
use mailpulse_parsers::harmless::{safe_json, safe_lines, safe_text};
use serde_json::{Map, Value};
use std::io::{self, IsTerminal as _, Write};
use tables::Numbers;

/// Form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Aligned columns
    Table,
    /// An array of objects
    Json,
    /// Comma-separated values with a header
    Csv,
}

/// Prints a line (or several) on stdout; what would steer a terminal is escaped.
pub(super) fn line(text: &str) -> io::Result<()> {
    verbatim(&safe_lines(text))
}

/// Prints text of our own on stdout as it is: a drawing with colours, completions, a page that is escaped already.
pub(super) fn verbatim(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Prints a line (or several) on stderr; what would steer a terminal is escaped. Nobody is told when nobody listens.
pub(super) fn talk(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", safe_lines(text));
}

/// Prints JSON on stdout, indented; what would steer a terminal is escaped, so that readers get the same values.
pub(super) fn json(value: &Value) -> io::Result<()> {
    verbatim(&safe_json(&format!("{value:#}")))
}

/// Prints an array of JSON on stdout, a value a line.
pub(super) fn array(values: impl Iterator<Item = Value>) -> io::Result<()> {
    let mut out = writer();
    print_array(&mut out, values)?;
    out.flush()
}

/// Stdout for what is written bit by bit, by [`print()`] or as [`compact`] lines.
pub(super) fn writer() -> io::BufWriter<io::StdoutLock<'static>> {
    io::BufWriter::new(io::stdout().lock())
}

/// JSON on one line, as [`json`] has it.
pub(super) fn compact(value: &Value) -> String {
    safe_json(&value.to_string())
}

/// Prints a table on stdout; for people, numbers have units that suit them and columns are cut to the terminal.
pub(super) fn table(table: &Table, times: &[&str], format: Format) -> io::Result<()> {
    to_stdout(table, times, format, Numbers::ForPeople)
}

/// The same with numbers as they are, for questions of a user's own.
pub(super) fn raw_table(table: &Table, times: &[&str], format: Format) -> io::Result<()> {
    to_stdout(table, times, format, Numbers::Raw)
}

fn to_stdout(table: &Table, times: &[&str], format: Format, numbers: Numbers) -> io::Result<()> {
    let mut out = writer();
    match format {
        Format::Table => {
            let left_out = tables::print(&mut out, table, times, numbers, columns())?;
            out.flush()?;
            if !left_out.is_empty() {
                talk(&format!(
                    "not shown, for want of room: {} (--format json has all)",
                    left_out.join(", ")
                ));
            }
            Ok(())
        }
        _ => {
            print(&mut out, table, times, format)?;
            out.flush()
        }
    }
}

/// Width that lines are cut to: that of the terminal, or `COLUMNS`; off a terminal none.
pub(super) fn columns() -> Option<usize> {
    let asked = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let is_terminal = || {
        io::stdout()
            .is_terminal()
            .then(|| usize::from(console::Term::stdout().size().1))
    };
    asked.or_else(is_terminal).filter(|columns| *columns >= COLUMNS_MIN)
}

/// Narrower is taken for no width at all.
const COLUMNS_MIN: usize = 20;

/// Prints a table. Columns named in `times` hold UTC milliseconds and are printed as RFC 3339.
pub(super) fn print(out: &mut impl Write, table: &Table, times: &[&str], format: Format) -> io::Result<()> {
    match format {
        Format::Table => tables::print(out, table, times, Numbers::ForPeople, None).map(|_| ()),
        Format::Json => print_json(out, table, times),
        Format::Csv => print_csv(out, table, times),
    }
}

fn is_time(times: &[&str], name: &str) -> bool {
    times.contains(&name)
}

fn value(values: &Values, row: usize, time: bool) -> Value {
    match values {
        Values::Int(v) if time => v[row].map_or(Value::Null, |v| rfc3339(UtcMs::new(v)).into()),
        Values::Int(v) => v[row].map_or(Value::Null, Value::from),
        Values::Float(v) => v[row].map_or(Value::Null, Value::from),
        Values::Text(v) => v[row].clone().map_or(Value::Null, Value::from),
        Values::Bool(v) => v[row].map_or(Value::Null, Value::from),
    }
}

/// The rows of a table as objects.
pub(super) fn json_rows(table: &Table, times: &[&str]) -> Vec<Value> {
    (0..table.rows()).map(|row| object(table, times, row)).collect()
}

fn object(table: &Table, times: &[&str], row: usize) -> Value {
    let cell = |column: &Column| {
        let value = value(&column.values, row, is_time(times, &column.name));
        (column.name.clone(), value)
    };
    Value::Object(table.columns.iter().map(cell).collect::<Map<_, _>>())
}

fn print_json(out: &mut impl Write, table: &Table, times: &[&str]) -> io::Result<()> {
    print_array(out, (0..table.rows()).map(|row| object(table, times, row)))
}

fn print_array(out: &mut impl Write, values: impl Iterator<Item = Value>) -> io::Result<()> {
    writeln!(out, "[")?;
    let mut values = values.peekable();
    while let Some(value) = values.next() {
        let comma = if values.peek().is_some() { "," } else { "" };
        writeln!(out, "  {}{comma}", compact(&value))?;
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

/// A cell that no spreadsheet runs and no terminal obeys.
fn harmless(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let mark = if formula { "'" } else { "" };
    format!("{mark}{}", safe_text(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailpulse_parsers::harmless::deceives;

    /// A formula, a colour, a link of a terminal, a C1 control, a turn of the writing direction.
    const HOSTILE: &str = "=cmd()\u{1b}[31m\u{1b}]8;;http://evil\u{7}x\n\u{9b}2J\u{202e}";

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
                    Values::Text(vec![Some(HOSTILE.into()), Some("a,\"b".into())]),
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
        for format in [Format::Table, Format::Csv, Format::Json] {
            let text = printed(format);
            assert!(text.chars().all(|c| c == '\n' || !deceives(c)), "{text:?}");
            assert!(text.contains("\\u{1b}[31m") || text.contains("\\u001b[31m"), "{text}");
        }
        // One row, one line: a line feed of a log makes no row.
        assert_eq!(printed(Format::Csv).lines().count(), 3);
        assert!(printed(Format::Csv).contains("'=cmd()"));
        assert!(printed(Format::Csv).contains(",-7\n"));
        let json: Value = serde_json::from_str(&printed(Format::Json)).unwrap();
        assert_eq!(json[0]["ts"], "1970-01-01T00:00:00Z");
        assert_eq!(json[0]["service"], HOSTILE);
        assert_eq!(json[1]["service"], "a,\"b");
        assert_eq!(json[1]["ts"], Value::Null);
    }
}
