//! How keys and news change what `top` shows. Pure, as what it changes is.

use super::boards::TopTab;
use super::keys::{TopCommand, command};
use super::state::{PageAbout, PageReport, ShownBoard, TopAction, TopApp, TopEvent, TopPage, TopSearch};
use super::table::TopRow;
use super::view;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// Letters that a search may have.
const PATTERN_MAX: usize = 80;

impl TopApp {
    /// Takes what happens.
    pub(super) fn update(&mut self, event: TopEvent) -> Option<TopAction> {
        match event {
            TopEvent::Key(key) => return self.key(key),
            TopEvent::Size(columns, lines) => self.size = (columns, lines),
            TopEvent::Board(Ok(board), times) => {
                let board = ShownBoard { board: *board, times };
                self.fault = None;
                match self.is_frozen && self.shown.is_some() {
                    true => self.held = Some(board),
                    false => self.shown = Some(board),
                }
                if !TopTab::all(self.shown.as_ref().map(|shown| &shown.board)).contains(&self.wish.tab) {
                    self.wish.tab = TopTab::Services;
                }
            }
            TopEvent::Board(Err(why), _) => self.fault = Some(why),
            TopEvent::Report(alarm, report) => {
                if let Some(page) = &mut self.page
                    && page.report == PageReport::Asked(alarm)
                {
                    page.report = match report {
                        Ok(text) => PageReport::Come(text),
                        Err(why) => PageReport::Failed(why),
                    };
                }
            }
        }
        None
    }

    fn key(&mut self, key: KeyEvent) -> Option<TopAction> {
        if self.search.typing.is_some() {
            return self.typed(key);
        }
        let command = command(key)?;
        match command {
            TopCommand::Quit => return Some(TopAction::Quit),
            TopCommand::Redraw => return Some(TopAction::Redraw),
            TopCommand::Panic => panic!("asked for by a key"),
            TopCommand::Back if self.page.is_none() && key.code != KeyCode::Esc => return Some(TopAction::Quit),
            TopCommand::Back => {
                self.page = None;
                self.search.pattern.clear();
            }
            TopCommand::Freeze => self.freeze(),
            TopCommand::Help => self.open(PageAbout::Help, PageReport::None),
            TopCommand::Verdict => {
                let alarm = self.shown.as_ref()?.board.verdict.alarm.clone();
                return self.open_with(PageAbout::Verdict, alarm);
            }
            _ if self.page.is_some() => self.scroll(command),
            TopCommand::Expand => {
                let (mut rows, _) = self.rows(0);
                let at = self.chosen(&rows);
                let row = (at < rows.len()).then(|| rows.swap_remove(at))?;
                let alarm = row.alarm.clone();
                return self.open_with(PageAbout::Row(Box::new(row)), alarm);
            }
            TopCommand::NextTab => self.turn(1),
            TopCommand::PreviousTab => self.turn(-1),
            TopCommand::Tab(number) => {
                let tabs = TopTab::all(self.shown.as_ref().map(|shown| &shown.board));
                self.wish.tab = tabs.get(number - 1).copied().unwrap_or(self.wish.tab);
            }
            TopCommand::Search => {
                let (rows, _) = self.rows(0);
                self.search = TopSearch {
                    typing: Some(self.chosen(&rows)),
                    ..TopSearch::default()
                };
            }
            TopCommand::NextMatch => self.find(1),
            TopCommand::PreviousMatch => self.find(-1),
            TopCommand::Sort => self.wish.sort = self.wish.sort.next(),
            TopCommand::Reverse => self.wish.is_reversed = !self.wish.is_reversed,
            TopCommand::All => self.wish.all = !self.wish.all,
            TopCommand::Up
            | TopCommand::Down
            | TopCommand::PageUp
            | TopCommand::PageDown
            | TopCommand::First
            | TopCommand::Last => self.walk(command),
        }
        None
    }

    fn freeze(&mut self) {
        self.is_frozen = !self.is_frozen;
        if !self.is_frozen
            && let Some(held) = self.held.take()
        {
            self.shown = Some(held);
        }
    }

    fn open(&mut self, about: PageAbout, report: PageReport) {
        self.page = Some(TopPage {
            about,
            report,
            scroll: 0,
        });
    }

    fn open_with(&mut self, about: PageAbout, alarm: Option<String>) -> Option<TopAction> {
        let report = alarm.clone().map_or(PageReport::None, PageReport::Asked);
        self.open(about, report);
        alarm.map(TopAction::AskReport)
    }

    fn turn(&mut self, by: isize) {
        let tabs = TopTab::all(self.shown.as_ref().map(|shown| &shown.board));
        let at = tabs.iter().position(|tab| *tab == self.wish.tab).unwrap_or(0);
        self.wish.tab = tabs
            .get(stepped(at, by, tabs.len()))
            .copied()
            .unwrap_or(TopTab::Services);
    }

    fn walk(&mut self, command: TopCommand) {
        let (rows, _) = self.rows(0);
        let (at, last) = (self.chosen(&rows), rows.len().saturating_sub(1));
        let page = view::table_lines(self).saturating_sub(1).max(1);
        let to = match command {
            TopCommand::Up => at.saturating_sub(1),
            TopCommand::Down => at + 1,
            TopCommand::PageUp => at.saturating_sub(page),
            TopCommand::PageDown => at + page,
            TopCommand::First => 0,
            _ => last,
        };
        self.choose(&rows, to.min(last));
    }

    fn choose(&mut self, rows: &[TopRow], at: usize) {
        if let Some(row) = rows.get(at) {
            self.places.insert(self.wish.tab.title(), (row.key.clone(), at));
        }
    }

    fn scroll(&mut self, command: TopCommand) {
        let (lines, height) = view::page_lines(self);
        let Some(page) = &mut self.page else { return };
        let last = lines.saturating_sub(height);
        let step = height.saturating_sub(1).max(1);
        page.scroll = match command {
            TopCommand::Up => page.scroll.saturating_sub(1),
            TopCommand::Down => page.scroll + 1,
            TopCommand::PageUp => page.scroll.saturating_sub(step),
            TopCommand::PageDown => page.scroll + step,
            TopCommand::First => 0,
            TopCommand::Last => last,
            _ => page.scroll,
        }
        .min(last);
    }

    /// A key of a search that is being typed.
    fn typed(&mut self, key: KeyEvent) -> Option<TopAction> {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        let from = self.search.typing?;
        match key.code {
            _ if key.kind == KeyEventKind::Release => return None,
            KeyCode::Char('c') if is_control => return Some(TopAction::Quit),
            KeyCode::Char(_) if is_control => return None,
            KeyCode::Char(c) if self.search.pattern.chars().count() < PATTERN_MAX => self.search.pattern.push(c),
            KeyCode::Backspace => {
                self.search.pattern.pop();
            }
            KeyCode::Enter => self.search.typing = None,
            KeyCode::Esc => {
                self.search = TopSearch::default();
                let (rows, _) = self.rows(0);
                self.choose(&rows, from);
                return None;
            }
            _ => return None,
        }
        let (rows, _) = self.rows(0);
        self.jump(&rows, from, 1);
        None
    }

    /// To the next match, or to the one before.
    fn find(&mut self, by: isize) {
        let (rows, _) = self.rows(0);
        let from = stepped(self.chosen(&rows), by, rows.len());
        self.jump(&rows, from, by);
    }

    /// Chooses the first match from a place on, over the end if need be.
    fn jump(&mut self, rows: &[TopRow], from: usize, by: isize) {
        let mut at = from;
        for _ in 0..rows.len() {
            if rows.get(at).is_some_and(|row| self.is_match(row)) {
                self.search.has_failed = false;
                self.choose(rows, at);
                return;
            }
            at = stepped(at, by, rows.len());
        }
        self.search.has_failed = !self.search.pattern.is_empty();
    }
}

/// A step in a circle.
fn stepped(at: usize, by: isize, len: usize) -> usize {
    match len {
        0 => 0,
        _ if by < 0 => (at + len - 1) % len,
        _ => (at + 1) % len,
    }
}
