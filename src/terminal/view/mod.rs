//! What is drawn, as lines for a size: pure, of what the app knows and of the time.

mod header;
mod pages;

use super::boards::TopTab;
use super::state::{PageAbout, TopApp};
use super::table::{FittedTable, TopRow};
use super::words::{cut, padded, width, wrapped, wrapped_within};
use crate::model::human;
use header::header;
pub(super) use header::{as_of, notes, sentence, standing};
use pages::page_text;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Below this nothing but the verdict has room.
const SIZE_MIN: (u16, u16) = (32, 8);
/// The tabs, the titles, and the line of keys.
const FIXED_LINES: usize = 3;

pub(super) fn draw(app: &TopApp, at_ms: i64, frame: &mut Frame<'_>) {
    let area = frame.area();
    let (columns, height) = (usize::from(area.width), usize::from(area.height));
    let lines = match () {
        () if area.width < SIZE_MIN.0 || area.height < SIZE_MIN.1 => tiny(app, at_ms, columns, height),
        () if app.page.is_some() => page(app, at_ms, columns, height),
        () => board(app, at_ms, columns, height),
    };
    for (at, line) in lines.into_iter().take(height).enumerate() {
        let Ok(y) = u16::try_from(at) else { break };
        let place = Rect::new(area.x, area.y + y, area.width, 1);
        frame.render_widget(Paragraph::new(line), place);
    }
}

/// Lines that the table has.
pub(super) fn table_lines(app: &TopApp) -> usize {
    let (columns, height) = (usize::from(app.size.0), usize::from(app.size.1));
    height.saturating_sub(header(app, 0, columns, height).len() + FIXED_LINES)
}

/// Lines of the page, and how many of them have room.
pub(super) fn page_lines(app: &TopApp) -> (usize, usize) {
    let (columns, height) = (usize::from(app.size.0), usize::from(app.size.1));
    (page_text(app, 0, columns).len(), height.saturating_sub(2))
}

/// The verdict in a few words, where nothing else has room.
fn tiny(app: &TopApp, at_ms: i64, columns: usize, height: usize) -> Vec<Line<'static>> {
    let (style, word) = header::standing(app, at_ms);
    let needs = format!(
        "{}x{}: too small, {}x{} needed",
        columns, height, SIZE_MIN.0, SIZE_MIN.1
    );
    // The shape alone, where the word has no room.
    let word = wrapped(&word, columns).swap_remove(0);
    let mut lines = vec![Line::styled(word, style)];
    let sentence = header::sentence(app);
    let left = height.saturating_sub(2).max(1);
    lines.extend(plain(&wrapped_within(&sentence, columns, left)));
    lines.truncate(height.saturating_sub(1).max(1));
    lines.extend(plain(&[cut(&needs, columns)]));
    all_drawn(app, lines)
}

fn plain(lines: &[String]) -> Vec<Line<'static>> {
    lines.iter().map(|line| Line::raw(line.clone())).collect()
}

/// Lines in the characters that the terminal has.
fn all_drawn(app: &TopApp, mut lines: Vec<Line<'static>>) -> Vec<Line<'static>> {
    for line in &mut lines {
        for span in &mut line.spans {
            span.content = app.look.drawn(&span.content).into();
        }
    }
    lines
}

fn board(app: &TopApp, at_ms: i64, columns: usize, height: usize) -> Vec<Line<'static>> {
    let mut lines = header(app, at_ms, columns, height);
    let room = height.saturating_sub(lines.len() + FIXED_LINES);
    let (rows, hidden) = app.rows(at_ms);
    lines.push(tabs(app, columns));
    lines.extend(table(app, &rows, columns, room));
    lines.resize(height.saturating_sub(1), Line::raw(""));
    lines.push(footer(app, (rows.len(), hidden), columns));
    all_drawn(app, lines)
}

/// The tabs, the one that is shown in between of its neighbours where not all have room.
fn tabs(app: &TopApp, columns: usize) -> Line<'static> {
    let board = app.shown.as_ref().map(|shown| &shown.board);
    let all = TopTab::all(board);
    let title = |tab: &TopTab| match (tab, board) {
        (TopTab::Alarms, Some(board)) if !board.alarms.is_empty() => {
            format!(" {} {} ", tab.title(), board.alarms.len())
        }
        _ => format!(" {} ", tab.title()),
    };
    let at = all.iter().position(|tab| *tab == app.wish.tab).unwrap_or(0);
    let titles: Vec<String> = all.iter().map(title).collect();
    // From the left as many as it takes to show the one that is chosen.
    let fits = |first: usize| {
        titles
            .get(first..=at)
            .is_some_and(|part| part.iter().map(|t| width(t)).sum::<usize>() <= columns)
    };
    let first = (0..=at).find(|first| fits(*first)).unwrap_or(at);
    let mut spans = Vec::new();
    let mut left = columns;
    for (number, title) in titles.iter().enumerate().skip(first) {
        let title = cut(title, left);
        left -= width(&title);
        let style = if number == at { app.look.chosen() } else { Style::new() };
        spans.push(Span::styled(title, style));
    }
    Line::from(spans)
}

fn table(app: &TopApp, rows: &[TopRow], columns: usize, room: usize) -> Vec<Line<'static>> {
    let Some(shown) = &app.shown else {
        return Vec::new();
    };
    if rows.is_empty() {
        return plain(&["".to_owned(), cut(app.wish.tab.empty(&shown.board), columns)]);
    }
    let fitted = FittedTable::new(&app.wish.tab.columns(), rows, columns);
    let chosen = app.chosen(rows);
    // The row that is chosen stays in the middle, as far as there are rows.
    let first = chosen.saturating_sub(room / 2).min(rows.len().saturating_sub(room));
    let mut lines = vec![Line::styled(fitted.head(), app.look.head())];
    for (at, row) in rows.iter().enumerate().skip(first).take(room) {
        let mut style = Style::new();
        if app.is_match(row) {
            style = style.add_modifier(Modifier::UNDERLINED);
        }
        if at == chosen {
            style = style.patch(app.look.chosen());
        }
        let mut spans: Vec<Span<'static>> = Vec::new();
        for (cell, is_state) in fitted.line(row) {
            if !spans.is_empty() {
                spans.push(Span::styled("  ", style));
            }
            let own = if is_state {
                app.look.style(row.class)
            } else {
                Style::new()
            };
            spans.push(Span::styled(cell, own.patch(style)));
        }
        lines.push(Line::from(spans));
    }
    lines
}

/// What can be done, or what is being typed.
fn footer(app: &TopApp, (rows, hidden): (usize, usize), columns: usize) -> Line<'static> {
    if app.search.typing.is_some() {
        let found = if app.search.has_failed { "  no match" } else { "" };
        return Line::raw(cut(
            &format!("/{}_{found}", app.look.name(&app.search.pattern)),
            columns,
        ));
    }
    if app.search.has_failed {
        return Line::raw(cut(
            &format!("no match: {}", app.look.name(&app.search.pattern)),
            columns,
        ));
    }
    let order = if app.wish.is_reversed { ", reversed" } else { "" };
    let hidden = if hidden > 0 {
        format!(", {hidden} quiet (a)")
    } else {
        String::new()
    };
    let rows = human::counted(rows as u64, "row");
    let count = format!("{rows}{hidden}  by {}{order}", app.wish.sort.title());
    let keys = "? help  / search  e expand  s sort  f freeze  q quit";
    match width(keys) + width(&count) + 2 <= columns {
        true => Line::raw(format!("{}{count}", padded(keys, columns - width(&count), false))),
        false => Line::raw(cut(&format!("? help  q quit  {count}"), columns)),
    }
}

fn page(app: &TopApp, at_ms: i64, columns: usize, height: usize) -> Vec<Line<'static>> {
    let Some(page) = &app.page else {
        return Vec::new();
    };
    let text = page_text(app, at_ms, columns);
    let room = height.saturating_sub(2);
    let first = page.scroll.min(text.len().saturating_sub(room));
    let last = (first + room).min(text.len());
    let title = match &page.about {
        PageAbout::Help => "Keys".to_owned(),
        PageAbout::Verdict => "Verdict".to_owned(),
        PageAbout::Row(row) => format!("{}: {}", app.wish.tab.title(), row.name),
    };
    let (style, word) = header::standing(app, at_ms);
    let left = columns.saturating_sub(width(&word) + 2);
    let mut lines = vec![Line::from(vec![
        Span::styled(padded(&title, left, false), app.look.head()),
        Span::raw("  "),
        Span::styled(cut(&word, columns), style),
    ])];
    for (line, is_head) in text.iter().skip(first).take(room) {
        let style = if *is_head { app.look.head() } else { Style::new() };
        lines.push(Line::styled(cut(line, columns), style));
    }
    lines.resize(height.saturating_sub(1), Line::raw(""));
    let place = format!("{} to {last} of {}", (first + 1).min(last), text.len());
    lines.push(Line::raw(cut(
        &format!("q back  j, k, PgDn, PgUp scroll  {place}"),
        columns,
    )));
    all_drawn(app, lines)
}
