//! What `top` shows. Pure: no clock, no terminal, no store.

use super::boards::{BoardWish, CellMaker, TopSort, TopTab, rows};
use super::style::TerminalStyle;
use super::table::TopRow;
use crate::analysis::overview::{BoardSnapshot, SnapshotClock};
use crate::model::time::{MINUTE_MS, UtcMs};
use ratatui::crossterm::event::KeyEvent;
use std::collections::HashMap;

/// A board that is older than it should be by more than this shows nothing of now.
const OLD_MS: i64 = MINUTE_MS;

/// What happens.
#[derive(Debug)]
pub(super) enum TopEvent {
    Key(KeyEvent),
    /// Columns and lines of the terminal.
    Size(u16, u16),
    /// A board, or why there is none.
    Board(Result<Box<BoardSnapshot>, String>, BoardTimes),
    /// The report of an alarm's incident, or why there is none.
    Report(String, Result<String, String>),
}

/// When a board came, and when the next one will, milliseconds since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BoardTimes {
    pub at_ms: i64,
    pub next_in_ms: i64,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TopAction {
    Quit,
    /// Everything is drawn again.
    Redraw,
    /// The report of this alarm's incident is wanted.
    AskReport(String),
}

/// A board, and when it came.
#[derive(Debug, Clone)]
pub(super) struct ShownBoard {
    pub board: BoardSnapshot,
    pub times: BoardTimes,
}

impl ShownBoard {
    /// The time on the clock of whoever made the board; where it does not run, the end of its time.
    pub(super) fn now_ms(&self, at_ms: i64) -> UtcMs {
        match self.board.clock {
            SnapshotClock::Live => self.board.now + (at_ms - self.times.at_ms).max(0),
            SnapshotClock::Ended | SnapshotClock::Stopped => self.board.as_of,
        }
    }

    /// Whether it is too old to say anything of now.
    pub(super) fn is_old(&self, at_ms: i64) -> bool {
        self.now_ms(at_ms) - self.board.as_of > self.times.next_in_ms + OLD_MS
    }
}

/// A search for a name.
#[derive(Debug, Default)]
pub(super) struct TopSearch {
    pub pattern: String,
    /// It is being typed; the row that was chosen before it.
    pub typing: Option<usize>,
    pub has_failed: bool,
}

/// What a page is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PageAbout {
    Help,
    Verdict,
    Row(Box<TopRow>),
}

/// The report of an incident, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PageReport {
    /// There is no alarm.
    None,
    Asked(String),
    Come(String),
    Failed(String),
}

/// A page over the boards.
#[derive(Debug)]
pub(super) struct TopPage {
    pub about: PageAbout,
    pub report: PageReport,
    pub scroll: usize,
}

/// All of it.
#[derive(Debug)]
pub(super) struct TopApp {
    pub look: TerminalStyle,
    /// Columns and lines.
    pub size: (u16, u16),
    pub shown: Option<ShownBoard>,
    /// What came while the board was frozen.
    pub held: Option<ShownBoard>,
    pub is_frozen: bool,
    /// Why the last question had no answer.
    pub fault: Option<String>,
    pub wish: BoardWish,
    /// By tab, the row that is chosen, by its key and its place.
    pub places: HashMap<&'static str, (String, usize)>,
    pub search: TopSearch,
    pub page: Option<TopPage>,
}

impl TopApp {
    /// Before anything has come.
    pub(super) fn new(look: TerminalStyle, size: (u16, u16)) -> TopApp {
        TopApp {
            look,
            size,
            shown: None,
            held: None,
            is_frozen: false,
            fault: None,
            wish: BoardWish {
                tab: TopTab::Services,
                sort: TopSort::State,
                is_reversed: false,
                all: false,
            },
            places: HashMap::new(),
            search: TopSearch::default(),
            page: None,
        }
    }

    /// The rows of the tab, and how many are left out for want of mail.
    pub(super) fn rows(&self, at_ms: i64) -> (Vec<TopRow>, usize) {
        let Some(shown) = &self.shown else {
            return (Vec::new(), 0);
        };
        let maker = CellMaker {
            look: self.look,
            now_ms: shown.now_ms(at_ms),
            as_of: shown.board.as_of,
        };
        rows(&shown.board, self.wish, maker)
    }

    /// The place of the row that is chosen.
    pub(super) fn chosen(&self, rows: &[TopRow]) -> usize {
        let Some((key, at)) = self.places.get(self.wish.tab.title()) else {
            return 0;
        };
        let found = rows.iter().position(|row| row.key == *key);
        found.unwrap_or((*at).min(rows.len().saturating_sub(1)))
    }

    /// Whether a row is what is searched for.
    pub(super) fn is_match(&self, row: &TopRow) -> bool {
        let pattern = self.search.pattern.to_lowercase();
        !pattern.is_empty() && row.name.to_lowercase().contains(&pattern)
    }
}
