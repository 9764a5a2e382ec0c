//! What pages are made of below their headline: facts, tables, graphs, lists. One template shows them all.

use super::frame::PageFrame;
use super::marks::StateMark;
use super::range::PageRange;
use crate::model::human;
use crate::model::time::UtcMs;
use crate::query::Window;
use crate::store::columnar::{Table, Values};
use crate::web::html::short;
use crate::web::links::Links;
use crate::web::zone::PageZone;
use askama::Template;

/// A cell of a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableCell {
    pub text: String,
    pub link: Option<String>,
    pub mark: Option<StateMark>,
    /// To the right: a number.
    pub is_number: bool,
}

impl TableCell {
    pub(crate) fn text(text: impl AsRef<str>) -> TableCell {
        TableCell {
            text: short(text.as_ref()),
            ..TableCell::default()
        }
    }

    pub(crate) fn number(text: impl Into<String>) -> TableCell {
        TableCell {
            text: text.into(),
            is_number: true,
            ..TableCell::default()
        }
    }

    pub(crate) fn count(number: impl TryInto<i64>) -> TableCell {
        TableCell::number(human::count(number.try_into().unwrap_or(i64::MAX)))
    }

    pub(crate) fn link(text: &str, link: String) -> TableCell {
        TableCell {
            link: Some(link),
            ..TableCell::text(text)
        }
    }

    pub(crate) fn mark(mark: StateMark) -> TableCell {
        TableCell {
            mark: Some(mark),
            ..TableCell::default()
        }
    }
}

/// TableBlock below names.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableBlock {
    pub title: String,
    /// A sentence above it.
    pub lead: String,
    pub head: Vec<(&'static str, bool)>,
    pub rows: Vec<Vec<TableCell>>,
    /// What stands in the place of rows.
    pub empty: &'static str,
}

/// A graph with all its forms.
#[derive(Debug, Clone, Default)]
pub(crate) struct GraphBlock {
    pub title: String,
    /// What is to be seen, in a sentence.
    pub lead: String,
    pub light: String,
    pub dark: String,
    /// First moment, and the one after the last, UTC milliseconds.
    pub from_ms: UtcMs,
    pub to_ms: UtcMs,
    /// Length of a row of the table.
    pub step_ms: i64,
    /// Links to the same as CSV, JSON, SVG, and PNG.
    pub forms: Vec<(&'static str, String)>,
    /// The same as a table.
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// A part of a page.
#[derive(Debug, Clone)]
pub(crate) enum PageBlock {
    /// Words and values.
    Facts(Vec<(&'static str, String)>),
    /// A table.
    Table(TableBlock),
    /// A graph.
    Graph(GraphBlock),
    /// Moments and what happened.
    Timeline(String, Vec<(String, String)>),
    List(&'static str, Vec<String>),
}

/// The time of a page, with links to others.
#[derive(Debug, Clone)]
pub(crate) struct RangeForm {
    pub words: String,
    pub name: String,
    pub range: PageRange,
    pub links: Vec<(String, String, bool)>,
}

impl RangeForm {
    pub(crate) fn of(range: &PageRange, (page, name): (&str, &str), window: Window, links: &Links) -> RangeForm {
        RangeForm {
            words: PageRange::words(window, links.zone()),
            name: name.to_owned(),
            links: range.links(links, page, name, window),
            range: range.clone(),
        }
    }
}

/// A page of blocks.
#[derive(Template)]
#[template(path = "page.html", config = "src/web/askama.toml")]
pub(crate) struct BlockPage {
    pub frame: PageFrame,
    /// What kind of page it is, above its name.
    pub kind: &'static str,
    pub title: String,
    pub mark: Option<StateMark>,
    pub lead: Vec<String>,
    pub range: Option<RangeForm>,
    /// A question that a form asks: its label, its parameter, and what was asked.
    pub ask: Option<(&'static str, &'static str, String)>,
    pub links: Vec<(String, String)>,
    pub blocks: Vec<PageBlock>,
}

impl BlockPage {
    /// A page without anything on it.
    pub(crate) fn new(frame: PageFrame, kind: &'static str, title: &str) -> BlockPage {
        BlockPage {
            frame,
            kind,
            title: short(title),
            mark: None,
            lead: Vec::new(),
            range: None,
            ask: None,
            links: Vec::new(),
            blocks: Vec::new(),
        }
    }
}

/// Some columns of a table for people, of the rows that `wants` chooses: numbers with units, times as clocks.
pub(crate) fn rows_of(
    (table, zone): (&Table, &PageZone),
    wants: &dyn Fn(usize) -> bool,
    columns: &[(&'static str, &'static str)],
) -> TableBlock {
    let found: Vec<(&'static str, &'static str, &Values)> = columns
        .iter()
        .filter_map(|(name, word)| {
            let column = table.columns.iter().find(|column| column.name == *name)?;
            Some((*name, *word, &column.values))
        })
        .collect();
    let is_number = |values: &Values| !matches!(values, Values::Text(_));
    let rows = (0..table.rows()).filter(|row| wants(*row));
    TableBlock {
        head: found
            .iter()
            .map(|(_, word, values)| (*word, is_number(values)))
            .collect(),
        rows: rows
            .map(|row| {
                found
                    .iter()
                    .map(|(name, _, values)| cell(name, values, (row, zone)))
                    .collect()
            })
            .collect(),
        ..TableBlock::default()
    }
}

fn cell(name: &str, values: &Values, (row, zone): (usize, &PageZone)) -> TableCell {
    match values {
        Values::Int(all) => {
            let value = all.get(row).copied().flatten();
            let text = value.map(|value| match name {
                "ts" | "last_minute" => zone.clock(UtcMs::new(value)),
                name if name.ends_with("_ms") => human::duration(value),
                "smtp_code" => value.to_string(),
                "bytes" => human::size(u64::try_from(value).unwrap_or(0)),
                _ => human::count(value),
            });
            TableCell::number(text.unwrap_or_default())
        }
        Values::Float(all) => {
            let value = all.get(row).copied().flatten();
            let unit = if name.ends_with("_percent") { " %" } else { "" };
            TableCell::number(value.map(|value| format!("{value:.1}{unit}")).unwrap_or_default())
        }
        Values::Text(all) => TableCell::text(all.get(row).and_then(Option::as_deref).unwrap_or_default()),
        Values::Bool(all) => TableCell::text(match all.get(row).copied().flatten() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        }),
    }
}
