//! Tables for people: aligned columns, cut to the width of the terminal, numbers in units that suit them.

use super::cell::cell;
use crate::model::human;
use crate::store::columnar::{Column, Table, Values};
use mailpulse_parsers::harmless::safe_text;
use std::io::{self, Write};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How numbers are printed in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// With units, by the names of their columns.
    ForPeople,
    /// As they are.
    Raw,
}

/// Off a terminal nothing is cut, but a long text widens its column only so far: one of 5 kB must not pad all rows.
const PAD_MAX: usize = 60;
/// Texts are not cut below this.
const TEXT_MIN: usize = 10;
/// Between two columns.
const GAP: usize = 2;

/// What a number counts, told by the name of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Time,
    Seconds,
    Milliseconds,
    Bytes,
    Percent,
    /// A code or number of something: digits that are no quantity.
    Name,
    Count,
}

fn unit(name: &str, is_time: bool) -> Unit {
    match name {
        _ if is_time => Unit::Time,
        "id" | "year" | "port" | "smtp_code" => Unit::Name,
        "bytes" => Unit::Bytes,
        _ if name.ends_with("_bytes") => Unit::Bytes,
        _ if name.ends_with("_ms") => Unit::Milliseconds,
        _ if name.ends_with("_s") => Unit::Seconds,
        _ if name.ends_with("_percent") => Unit::Percent,
        _ => Unit::Count,
    }
}

/// A column of texts.
struct Shown {
    name: String,
    cells: Vec<String>,
    right: bool,
    /// Whether it may be cut.
    is_text: bool,
    width: usize,
}

impl Shown {
    fn of(column: &Column, rows: usize, times: &[&str], numbers: Numbers) -> Shown {
        let is_time = times.contains(&column.name.as_str());
        let unit = match numbers {
            Numbers::ForPeople => unit(&column.name, is_time),
            Numbers::Raw if is_time => Unit::Time,
            Numbers::Raw => Unit::Name,
        };
        // A duration says its unit itself.
        let name = match unit {
            Unit::Seconds | Unit::Milliseconds => column.name.rsplit_once('_').map_or("", |(name, _)| name),
            _ => &column.name,
        };
        let name = safe_text(name.as_bytes());
        let cells: Vec<String> = (0..rows)
            .map(|row| safe_text(for_people(&column.values, row, unit).as_bytes()))
            .collect();
        let width = cells.iter().map(|cell| cell.width()).max().unwrap_or(0);
        Shown {
            width: width.max(name.width()),
            right: matches!(column.values, Values::Int(_) | Values::Float(_)) && unit != Unit::Time,
            // Half an id is none.
            is_text: matches!(column.values, Values::Text(_)) && column.name != "id",
            name,
            cells,
        }
    }
}

fn for_people(values: &Values, row: usize, unit: Unit) -> String {
    let number = match values {
        Values::Int(values) => values[row].map(|value| value as f64),
        Values::Float(values) => values[row],
        _ => None,
    };
    match (unit, number) {
        (Unit::Seconds, Some(seconds)) => human::duration((seconds * 1_000.0) as i64),
        (Unit::Milliseconds, Some(ms)) => human::duration(ms as i64),
        (Unit::Bytes, Some(bytes)) if bytes >= 0.0 => human::size(bytes as u64),
        (Unit::Percent, Some(percent)) => format!("{} %", super::cell::number((percent * 10.0).round() / 10.0)),
        (Unit::Count, Some(_)) => match values {
            Values::Int(values) => human::count(values[row].unwrap_or_default()),
            _ => cell(values, row, false),
        },
        _ => cell(values, row, unit == Unit::Time),
    }
}

/// Prints a table; with `width`, no line is longer. Names of columns for which there was no room.
pub(crate) fn print(
    out: &mut impl Write,
    table: &Table,
    times: &[&str],
    numbers: Numbers,
    width: Option<usize>,
) -> io::Result<Vec<String>> {
    let rows = table.rows();
    let shown = table.columns.iter();
    let mut shown: Vec<Shown> = shown.map(|column| Shown::of(column, rows, times, numbers)).collect();
    let left_out = match width {
        Some(width) => fit(&mut shown, width),
        None => {
            shown
                .iter_mut()
                .for_each(|column| column.width = column.width.min(PAD_MAX));
            Vec::new()
        }
    };
    let is_cut = width.is_some();
    line(out, shown.iter().map(|column| (column, column.name.as_str())), is_cut)?;
    for row in 0..rows {
        line(
            out,
            shown.iter().map(|column| (column, column.cells[row].as_str())),
            is_cut,
        )?;
    }
    Ok(left_out)
}

/// Makes columns so narrow that a line has `width` cells at most: where texts cannot be cut enough, columns are left out
/// from the right; then texts are cut, the longest first.
fn fit(columns: &mut Vec<Shown>, width: usize) -> Vec<String> {
    let least = |column: &Shown| match column.is_text {
        true => column.width.min(TEXT_MIN),
        false => column.width,
    };
    let total = |columns: &[Shown], of: &dyn Fn(&Shown) -> usize| {
        let all: usize = columns.iter().map(|column| of(column) + GAP).sum();
        all.saturating_sub(GAP)
    };
    columns
        .iter_mut()
        .for_each(|column| column.width = column.width.min(width));
    let mut left_out = Vec::new();
    while total(columns, &least) > width && columns.len() > 1 {
        left_out.extend(columns.pop().map(|column| column.name));
    }
    while total(columns, &|column| column.width) > width {
        let longest = columns
            .iter_mut()
            .filter(|column| column.is_text && column.width > TEXT_MIN);
        match longest.max_by_key(|column| column.width) {
            Some(column) => column.width -= 1,
            None => break,
        }
    }
    left_out.reverse();
    left_out
}

fn line<'a>(out: &mut impl Write, cells: impl Iterator<Item = (&'a Shown, &'a str)>, is_cut: bool) -> io::Result<()> {
    let mut line = String::new();
    for (column, text) in cells {
        let text = if is_cut {
            cut(text, column.width)
        } else {
            text.to_owned()
        };
        let pad = " ".repeat(column.width.saturating_sub(text.width()));
        line += &if column.right { pad + &text } else { text + &pad };
        line += "  ";
    }
    writeln!(out, "{}", line.trim_end())
}

/// The text in `width` cells at most; an ellipsis stands for what was cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let kept = text.chars().take_while(|c| {
        used += c.width().unwrap_or(0);
        used <= width
    });
    kept.collect::<String>() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: Vec<(&str, Values)>) -> Table {
        let columns = columns.into_iter().map(|(name, values)| Column {
            name: name.to_owned(),
            values,
        });
        Table {
            columns: columns.collect(),
        }
    }

    fn printed(table: &Table, numbers: Numbers, width: Option<usize>) -> (String, Vec<String>) {
        let mut out = Vec::new();
        let left_out = print(&mut out, table, &["ts"], numbers, width).unwrap();
        (String::from_utf8(out).unwrap(), left_out)
    }

    fn numbers() -> Table {
        table(vec![
            ("age_s", Values::Int(vec![Some(273_600), None])),
            ("queue_p50_ms", Values::Int(vec![Some(4_500), Some(0)])),
            ("bytes", Values::Int(vec![Some(17_249_000), Some(1)])),
            ("share_percent", Values::Float(vec![Some(12.345), Some(100.0)])),
            ("messages", Values::Int(vec![Some(1_234_567), Some(3)])),
            ("smtp_code", Values::Int(vec![Some(451), None])),
            ("ts", Values::Int(vec![Some(0), None])),
        ])
    }

    #[test]
    fn numbers_have_units_for_people_and_none_for_programs() {
        let (text, _) = printed(&numbers(), Numbers::ForPeople, None);
        let rows = [
            "    age  queue_p50    bytes  share_percent   messages  smtp_code  ts",
            "3 d 4 h      4.5 s  17.2 MB         12.3 %  1,234,567        451  1970-01-01T00:00:00Z",
            "               0 s      1 B          100 %          3",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), rows);
        let (raw, _) = printed(&numbers(), Numbers::Raw, None);
        let row: Vec<&str> = raw.lines().nth(1).unwrap().split_whitespace().collect();
        let values = [
            "273600",
            "4500",
            "17249000",
            "12.345",
            "1234567",
            "451",
            "1970-01-01T00:00:00Z",
        ];
        assert!(raw.trim_start().starts_with("age_s") && row == values, "{raw}");
    }

    #[test]
    fn a_long_text_pads_no_other_row_and_is_whole_off_a_terminal() {
        let helo = "x".repeat(5_000);
        let mut texts = vec![Some(helo.clone())];
        texts.extend(vec![Some("short".to_owned()); 6_000]);
        let counts = vec![Some(1); texts.len()];
        let table = table(vec![("client", Values::Text(texts)), ("n", Values::Int(counts))]);
        let (text, _) = printed(&table, Numbers::ForPeople, None);
        assert!(text.contains(&helo) && text.len() < 500_000, "{}", text.len());
    }

    #[test]
    fn lines_are_as_wide_as_the_terminal() {
        let text = |text: &str| Values::Text(vec![Some(text.to_owned())]);
        let table = table(vec![
            ("host", text("mx1001.example.org")),
            ("n", Values::Int(vec![Some(1)])),
            ("reason", text(&"日本語".repeat(40))),
            ("sample", text(&"y".repeat(300))),
        ]);
        for width in [20, 40, 80, 200] {
            let (shown, left_out) = printed(&table, Numbers::ForPeople, Some(width));
            assert!(shown.lines().all(|line| line.width() <= width), "{width}: {shown}");
            assert!(shown.contains('…'));
            assert_eq!(left_out.is_empty(), width >= 40, "{left_out:?}");
        }
        let (shown, _) = printed(&table, Numbers::ForPeople, Some(80));
        assert!(
            shown.contains("mx1001.example.org"),
            "the longest are cut first: {shown}"
        );
    }
}
