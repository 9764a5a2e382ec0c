//! A table that fits a width: columns go, the least important first, until the rest has room. Pure.

use super::spark::spark;
use super::words::{padded, width};
use crate::analysis::overview::StateClass;
use crate::model::time::UtcMs;

/// Between columns.
const SPACE: usize = 2;
/// Below this the name says nothing.
const NAME_MIN: usize = 10;
/// Above this it takes room from others.
const NAME_MAX: usize = 40;
/// A column of text beside the name is cut there.
const TEXT_MAX: usize = 40;
/// The picture of a day has so many points at least, and at most.
const DAY: (usize, usize) = (12, 48);

/// What a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnKind {
    Text,
    Number,
    Name,
    Day,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct TopColumn {
    title: &'static str,
    kind: ColumnKind,
    /// The larger, the sooner it goes.
    goes: u8,
}

impl TopColumn {
    const fn new(title: &'static str, kind: ColumnKind, goes: u8) -> TopColumn {
        TopColumn { title, kind, goes }
    }

    pub(super) fn title(&self) -> &'static str {
        self.title
    }

    pub(super) fn text(title: &'static str, goes: u8) -> TopColumn {
        TopColumn::new(title, ColumnKind::Text, goes)
    }

    pub(super) fn number(title: &'static str, goes: u8) -> TopColumn {
        TopColumn::new(title, ColumnKind::Number, goes)
    }

    pub(super) fn name(title: &'static str) -> TopColumn {
        TopColumn::new(title, ColumnKind::Name, 0)
    }

    pub(super) fn day(title: &'static str) -> TopColumn {
        TopColumn::new(title, ColumnKind::Day, u8::MAX)
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TopRow {
    /// By what it is found again after an update.
    pub key: String,
    /// Its name, harmless.
    pub name: String,
    pub class: StateClass,
    pub is_quiet: bool,
    /// The alarm to open.
    pub alarm: Option<String>,
    pub volume: f64,
    pub last_ms: Option<UtcMs>,
    /// One a column, harmless; empty where the column is the name or the day.
    pub cells: Vec<String>,
    pub day: Vec<Option<f64>>,
}

impl TopRow {
    pub(super) fn new(key: String, name: String, class: StateClass) -> TopRow {
        TopRow {
            key,
            name,
            class,
            is_quiet: false,
            alarm: None,
            volume: 0.0,
            last_ms: None,
            cells: Vec::new(),
            day: Vec::new(),
        }
    }
}

/// The columns that have room, and how much of it.
#[derive(Debug)]
pub(super) struct FittedTable {
    columns: Vec<(usize, TopColumn, usize)>,
}

impl FittedTable {
    /// Fits the columns of rows into a width.
    pub(super) fn new(columns: &[TopColumn], rows: &[TopRow], columns_max: usize) -> FittedTable {
        let natural = |(at, column): (usize, &TopColumn)| {
            let cells = || rows.iter().filter_map(|row| row.cells.get(at)).map(|cell| width(cell));
            let name = || rows.iter().map(|row| width(&row.name)).max().unwrap_or(0);
            let content = match column.kind {
                ColumnKind::Text => cells().max().unwrap_or(0).min(TEXT_MAX),
                ColumnKind::Number => cells().max().unwrap_or(0),
                ColumnKind::Name => name().clamp(NAME_MIN, NAME_MAX),
                ColumnKind::Day => DAY.0,
            };
            (at, *column, content.max(width(column.title)))
        };
        let mut fitted: Vec<(usize, TopColumn, usize)> = columns.iter().enumerate().map(natural).collect();
        let taken = |fitted: &[(usize, TopColumn, usize)]| {
            let sum: usize = fitted.iter().map(|(_, _, wide)| wide + SPACE).sum();
            sum.saturating_sub(SPACE)
        };
        let name_of =
            |fitted: &[(usize, TopColumn, usize)]| fitted.iter().position(|one| one.1.kind == ColumnKind::Name);
        while taken(&fitted) > columns_max {
            let over = taken(&fitted) - columns_max;
            let name = name_of(&fitted);
            let least = fitted.iter().enumerate().max_by_key(|(_, (_, column, _))| column.goes);
            // A name that is a little shorter is better than a column less.
            match (name, least) {
                (Some(name), _) if fitted[name].2 >= NAME_MIN + over => fitted[name].2 -= over,
                (_, Some((least, (_, column, _)))) if column.goes > 0 => {
                    fitted.remove(least);
                }
                (Some(name), _) => {
                    fitted[name].2 = fitted[name].2.saturating_sub(over).max(1);
                    break;
                }
                (None, _) => break,
            }
        }
        let free = columns_max.saturating_sub(taken(&fitted));
        if let Some(day) = fitted.iter_mut().find(|one| one.1.kind == ColumnKind::Day) {
            day.2 = (day.2 + free).min(DAY.1);
        }
        FittedTable { columns: fitted }
    }

    /// The titles.
    pub(super) fn head(&self) -> String {
        let title = |(_, column, wide): &(usize, TopColumn, usize)| {
            padded(column.title, *wide, column.kind == ColumnKind::Number)
        };
        self.columns
            .iter()
            .map(title)
            .collect::<Vec<_>>()
            .join(&" ".repeat(SPACE))
    }

    /// A row, as its columns one by one: the text, and whether it is the state.
    pub(super) fn line(&self, row: &TopRow) -> Vec<(String, bool)> {
        let cell = |(at, column, wide): &(usize, TopColumn, usize)| {
            let text = match column.kind {
                ColumnKind::Name => row.name.clone(),
                ColumnKind::Day => spark(&row.day, *wide),
                ColumnKind::Text | ColumnKind::Number => row.cells.get(*at).cloned().unwrap_or_default(),
            };
            (
                padded(&text, *wide, column.kind == ColumnKind::Number),
                column.title == "state",
            )
        };
        self.columns.iter().map(cell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str) -> TopRow {
        TopRow {
            cells: ["ok", "", "1,234", "about 1,200", ""].map(str::to_owned).to_vec(),
            day: vec![Some(1.0); 96],
            ..TopRow::new(name.to_owned(), name.to_owned(), StateClass::Ok)
        }
    }

    #[test]
    fn columns_go_by_what_they_are_worth_and_never_the_state_or_the_name() {
        let columns = [
            TopColumn::text("state", 0),
            TopColumn::name("name"),
            TopColumn::number("hour", 1),
            TopColumn::number("expected", 2),
            TopColumn::day("24 hours"),
        ];
        let rows = [row("gerrit"), row(&"x".repeat(200))];
        let heads = |wide: usize| {
            let fitted = FittedTable::new(&columns, &rows, wide);
            let line: String = fitted
                .line(&rows[1])
                .into_iter()
                .map(|(cell, _)| cell)
                .collect::<Vec<_>>()
                .join("  ");
            assert!(width(&line) <= wide, "{wide}: {line:?}");
            assert_eq!(width(&line), width(&fitted.head()), "{wide}");
            let titles = fitted.head();
            titles
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(heads(120), "state name hour expected 24 hours");
        assert_eq!(heads(56), "state name hour expected 24 hours");
        assert_eq!(heads(44), "state name hour expected");
        assert_eq!(heads(30), "state name hour");
        assert_eq!(heads(18), "state name");
        assert_eq!(heads(9), "state n…");
    }
}
