//! The board as plain text, once: for scripts, mails, and terminals that cannot be steered.

use super::boards::{BoardWish, TopSort, TopTab};
use super::state::{BoardTimes, TopApp, TopEvent};
use super::style::TerminalStyle;
use super::table::FittedTable;
use super::view::{as_of, notes, sentence, standing};
use crate::analysis::overview::BoardSnapshot;

/// Columns of a text that nobody cuts.
const WIDE: usize = 1_000;

/// The board as lines; tables are cut to `columns`.
#[must_use]
pub(crate) fn plain(board: BoardSnapshot, look: TerminalStyle, columns: Option<usize>) -> Vec<String> {
    let columns = columns.unwrap_or(WIDE);
    let notes = notes(&board);
    let next = board.verdict.next.clone();
    let mut app = TopApp::new(look, (80, 24));
    app.update(TopEvent::Board(Ok(Box::new(board)), BoardTimes::default()));
    let mut lines = Vec::new();
    let Some(shown) = app.shown.clone() else {
        return lines;
    };
    lines.push(as_of(&shown, 0, WIDE));
    lines.push(format!("{}  {}", standing(&app, 0).1, sentence(&app)));
    lines.extend(next.map(|next| format!("Next: {}", look.text(&next))));
    lines.extend(notes.iter().map(|note| look.text(note)));
    for tab in TopTab::all(Some(&shown.board)) {
        app.wish = BoardWish {
            tab,
            sort: TopSort::State,
            is_reversed: false,
            all: false,
        };
        let (rows, hidden) = app.rows(0);
        lines.extend([String::new(), tab.title().to_owned()]);
        if rows.is_empty() {
            lines.push(tab.empty(&shown.board).to_owned());
        } else {
            let fitted = FittedTable::new(&tab.columns(), &rows, columns);
            lines.push(fitted.head().trim_end().to_owned());
            for row in &rows {
                let cells: Vec<String> = fitted.line(row).into_iter().map(|(cell, _)| cell).collect();
                lines.push(cells.join("  ").trim_end().to_owned());
            }
        }
        if hidden > 0 {
            lines.push(format!("and {hidden} without mail for a day"));
        }
    }
    lines.iter().map(|line| look.drawn(line)).collect()
}
