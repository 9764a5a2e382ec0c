//! Pages over the boards: a row with the incident of its alarm, the verdict as a whole, and the keys.

use super::header::{notes, sentence};
use crate::terminal::keys::HELP;
use crate::terminal::spark::spark;
use crate::terminal::state::{PageAbout, PageReport, TopApp};
use crate::terminal::table::TopRow;
use crate::terminal::words::{cut, padded, width, wrapped};

/// What signs mean.
const LEGEND: [&str; 2] = [
    "A bar stands for the mail of part of the last day. A bar on the ground is a time without mail; no bar is a time of which \
     nothing was read.",
    "A state with a question mark is provisional: the history is too short to be sure, and nobody is paged.",
];

/// A line, and whether it is a heading.
type PageLine = (String, bool);

/// The text of the page, as lines of so many columns.
pub(super) fn page_text(app: &TopApp, at_ms: i64, columns: usize) -> Vec<PageLine> {
    let Some(page) = &app.page else {
        return Vec::new();
    };
    let mut lines = match &page.about {
        PageAbout::Help => return help(columns),
        PageAbout::Verdict => verdict(app, columns),
        PageAbout::Row(row) => row_text(app, at_ms, row, columns),
    };
    match &page.report {
        PageReport::None => {}
        PageReport::Asked(_) => lines.extend(paragraph("The incident is being judged …", columns)),
        PageReport::Failed(why) => {
            lines.extend(paragraph(&format!("No incident: {}", app.look.text(why)), columns));
        }
        PageReport::Come(text) => lines.extend(report(app, text, columns)),
    }
    lines
}

fn heading(text: &str) -> Vec<PageLine> {
    vec![(String::new(), false), (text.to_owned(), true)]
}

fn paragraph(text: &str, columns: usize) -> Vec<PageLine> {
    let lines = wrapped(text, columns).into_iter().map(|line| (line, false));
    std::iter::once((String::new(), false)).chain(lines).collect()
}

fn help(columns: usize) -> Vec<PageLine> {
    let wide = HELP.iter().map(|(keys, _)| width(keys)).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (keys, what) in HELP {
        match columns >= wide + 30 {
            true => lines.push((format!("{}  {what}", padded(keys, wide, false)), false)),
            false => {
                lines.push((keys.to_owned(), true));
                lines.extend(
                    wrapped(what, columns.saturating_sub(2))
                        .into_iter()
                        .map(|line| (format!("  {line}"), false)),
                );
            }
        }
    }
    for text in LEGEND {
        lines.extend(paragraph(text, columns));
    }
    lines
}

fn verdict(app: &TopApp, columns: usize) -> Vec<PageLine> {
    let mut lines = paragraph(&sentence(app), columns);
    let Some(shown) = &app.shown else {
        return lines;
    };
    let board = &shown.board;
    if let Some(next) = &board.verdict.next {
        lines.extend(paragraph(&format!("Next: {}", app.look.text(next)), columns));
    }
    for note in notes(board) {
        lines.extend(paragraph(&app.look.text(&note), columns));
    }
    for alarm in &board.alarms {
        let text = |text: &String| app.look.text(text);
        let provisional = if alarm.provisional { ", provisional" } else { "" };
        lines.extend(heading(&format!(
            "{} {} {}{provisional}",
            text(&alarm.kind),
            text(&alarm.name),
            text(&alarm.state)
        )));
        for evidence in &alarm.evidence {
            lines.extend(wrapped(&text(evidence), columns).into_iter().map(|line| (line, false)));
        }
    }
    lines
}

/// A row with all its columns, whatever has room on the board.
fn row_text(app: &TopApp, at_ms: i64, row: &TopRow, columns: usize) -> Vec<PageLine> {
    // As it is now, if it is still there.
    let (rows, _) = app.rows(at_ms);
    let row = rows.iter().find(|one| one.key == row.key).unwrap_or(row);
    let titles = app.wish.tab.columns();
    let titles: Vec<&str> = titles.iter().map(|column| column.title()).collect();
    let wide = titles.iter().map(|title| width(title)).max().unwrap_or(0);
    let mut lines = vec![(String::new(), false)];
    for (title, cell) in titles.iter().zip(&row.cells).filter(|(_, cell)| !cell.is_empty()) {
        let cell = wrapped(cell, columns.saturating_sub(wide + 2).max(8));
        for (at, part) in cell.iter().enumerate() {
            let title = if at == 0 { *title } else { "" };
            lines.push((format!("{}  {part}", padded(title, wide, false)), false));
        }
    }
    if !row.day.is_empty() {
        lines.extend(heading("24 hours"));
        lines.push((spark(&row.day, columns), false));
        let peak = row.day.iter().flatten().copied().fold(0.0, f64::max);
        let step_s = app.shown.as_ref().map_or(900, |shown| shown.board.step_s);
        let minutes = (step_s / 60).max(1);
        lines.push((
            format!("highest: {} in {minutes} min", crate::model::human::decimal(peak)),
            false,
        ));
    }
    lines
}

/// A report of Markdown, for reading: headings, tables in columns, and paragraphs.
fn report(app: &TopApp, text: &str, columns: usize) -> Vec<PageLine> {
    let mut lines = Vec::new();
    let mut table: Vec<Vec<String>> = Vec::new();
    for line in text.lines() {
        if line.starts_with('|') {
            table.extend(cells(app, line));
            continue;
        }
        lines.extend(aligned(&std::mem::take(&mut table), columns));
        let line = app.look.text(&unescaped(line));
        match line
            .trim_start_matches('#')
            .strip_prefix(' ')
            .filter(|_| line.starts_with('#'))
        {
            Some(title) => lines.extend(wrapped(title, columns).into_iter().map(|line| (line, true))),
            None => lines.extend(wrapped(&line, columns).into_iter().map(|line| (line, false))),
        }
    }
    lines.extend(aligned(&table, columns));
    lines.insert(0, (String::new(), false));
    lines
}

/// The cells of a row; none of the line below the titles.
fn cells(app: &TopApp, line: &str) -> Option<Vec<String>> {
    if line.starts_with("|-") {
        return None;
    }
    let mut cells = vec![String::new()];
    let mut is_escaped = false;
    for c in line.trim_matches('|').chars() {
        match (c, cells.last_mut()) {
            ('|', _) if !is_escaped => cells.push(String::new()),
            (c, Some(cell)) => cell.push(c),
            (_, None) => {}
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    Some(
        cells
            .iter()
            .map(|cell| app.look.name(&unescaped(cell.trim())))
            .collect(),
    )
}

fn aligned(table: &[Vec<String>], columns: usize) -> Vec<PageLine> {
    let count = table.iter().map(Vec::len).max().unwrap_or(0);
    let wide = |at: usize| {
        table
            .iter()
            .filter_map(|row| row.get(at))
            .map(|cell| width(cell))
            .max()
            .unwrap_or(0)
    };
    let wide: Vec<usize> = (0..count).map(wide).map(|wide| wide.min(30)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&wide).enumerate();
        // Names and words are left, numbers right.
        let cells: Vec<String> = cells.map(|(at, (cell, wide))| padded(cell, *wide, at >= 2)).collect();
        cut(cells.join("  ").trim_end(), columns)
    };
    let mut lines: Vec<PageLine> = table.iter().map(|row| (line(row), false)).collect();
    if let Some(first) = lines.first_mut() {
        first.1 = true;
    }
    lines
}

/// Without what keeps a text of strangers from being Markdown.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_mark = c == '\\' && chars.peek().is_some_and(char::is_ascii_punctuation);
        match chars.next_if(|_| is_mark) {
            Some(marked) => out.push(marked),
            None => out.push(c),
        }
    }
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
