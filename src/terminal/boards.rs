//! The boards as tables of text: one a tab, sorted and filtered as the reader wants. Pure.

use super::style::TerminalStyle;
use super::table::{TopColumn, TopRow};
use crate::analysis::overview::{
    BoardSnapshot, SnapshotAlarm, SnapshotClock, SnapshotProvider, SnapshotQueue, SnapshotRow, SnapshotSource,
    StateClass,
};
use crate::analysis::providers::Attempts;
use crate::model::human;
use crate::model::time::{UtcMs, rfc3339};

/// What a tab shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopTab {
    Services,
    Relays,
    Hostgroups,
    Providers,
    Backlog,
    Alarms,
    Sources,
}

impl TopTab {
    const ALL: [TopTab; 7] = [
        TopTab::Services,
        TopTab::Relays,
        TopTab::Hostgroups,
        TopTab::Providers,
        TopTab::Backlog,
        TopTab::Alarms,
        TopTab::Sources,
    ];

    /// Those that have something to show here.
    pub(super) fn all(board: Option<&BoardSnapshot>) -> Vec<TopTab> {
        let is_grouped = board.is_some_and(|board| !board.hostgroups.is_empty());
        let shown = |tab: &TopTab| *tab != TopTab::Hostgroups || is_grouped;
        TopTab::ALL.into_iter().filter(shown).collect()
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            TopTab::Services => "Services",
            TopTab::Relays => "Relays",
            TopTab::Hostgroups => "Hostgroups",
            TopTab::Providers => "Providers",
            TopTab::Backlog => "Backlog",
            TopTab::Alarms => "Alarms",
            TopTab::Sources => "Sources",
        }
    }

    /// What is said where there is no row.
    pub(super) fn empty(self, board: &BoardSnapshot) -> &'static str {
        match self {
            TopTab::Services => "No service has sent mail.",
            TopTab::Relays => "No relay has taken mail.",
            TopTab::Hostgroups => "No host of a group has sent mail.",
            TopTab::Providers => "No provider was asked to take mail in the last 24 hours.",
            TopTab::Backlog => "Nothing waits.",
            TopTab::Alarms => "No alarm fires.",
            TopTab::Sources if board.clock == SnapshotClock::Stopped => {
                "The clock is stopped: how the logs do today says nothing of that time."
            }
            TopTab::Sources => "Nothing has been read yet.",
        }
    }

    /// The columns, the most important first where room is short; the name takes what is left.
    pub(super) fn columns(self) -> Vec<TopColumn> {
        let text = TopColumn::text;
        let number = TopColumn::number;
        match self {
            TopTab::Services | TopTab::Relays | TopTab::Hostgroups => vec![
                text("state", 0),
                TopColumn::name("name"),
                number("hour", 1),
                number("expected", 2),
                number("last mail", 3),
                TopColumn::day("24 hours"),
            ],
            TopTab::Providers => vec![
                text("state", 0),
                TopColumn::name("provider"),
                number("attempts", 1),
                number("deferred", 2),
                number("usual", 4),
                number("bounced", 3),
                number("usual", 5),
                text("reason", 6),
            ],
            TopTab::Backlog => vec![
                TopColumn::name("service"),
                text("relay", 2),
                number("messages", 1),
                number("oldest", 3),
                number("drains", 5),
                number("gone", 4),
                number("next try", 6),
                number("frozen", 7),
                number("held", 8),
            ],
            TopTab::Alarms => vec![
                text("state", 0),
                TopColumn::name("about"),
                text("since", 1),
                number("lasts", 2),
                text("affected", 3),
            ],
            TopTab::Sources => vec![
                text("state", 0),
                TopColumn::name("host"),
                text("source", 1),
                number("last line", 2),
                number("lag", 3),
                number("unparsed", 4),
            ],
        }
    }
}

/// What the reader wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BoardWish {
    pub tab: TopTab,
    pub sort: TopSort,
    pub is_reversed: bool,
    /// Also rows without mail for a day.
    pub all: bool,
}

/// By what rows are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopSort {
    /// What is wrong comes first.
    State,
    Name,
    /// Who sends most.
    Volume,
    /// Whose last mail is oldest.
    Age,
}

impl TopSort {
    pub(super) fn title(self) -> &'static str {
        match self {
            TopSort::State => "state",
            TopSort::Name => "name",
            TopSort::Volume => "volume",
            TopSort::Age => "age",
        }
    }

    pub(super) fn next(self) -> TopSort {
        match self {
            TopSort::State => TopSort::Volume,
            TopSort::Volume => TopSort::Age,
            TopSort::Age => TopSort::Name,
            TopSort::Name => TopSort::State,
        }
    }
}

/// What cells are made with: a look, and the time that ages count to.
#[derive(Debug, Clone, Copy)]
pub(super) struct CellMaker {
    pub look: TerminalStyle,
    pub now_ms: UtcMs,
    /// Where the board's time ends.
    pub as_of: UtcMs,
}

/// The rows of a tab, and how many are left out for want of mail.
pub(super) fn rows(board: &BoardSnapshot, wish: BoardWish, maker: CellMaker) -> (Vec<TopRow>, usize) {
    let mut rows: Vec<TopRow> = match wish.tab {
        TopTab::Services => board.services.iter().map(|row| maker.of_row(row)).collect(),
        TopTab::Relays => board.relays.iter().map(|row| maker.of_row(row)).collect(),
        TopTab::Hostgroups => board.hostgroups.iter().map(|row| maker.of_row(row)).collect(),
        TopTab::Providers => board.providers.iter().map(|row| maker.of_provider(row)).collect(),
        TopTab::Backlog => maker.of_queues(board),
        TopTab::Alarms => board.alarms.iter().map(|row| maker.of_alarm(row)).collect(),
        TopTab::Sources => board.sources.iter().map(|row| maker.of_source(row)).collect(),
    };
    let before = rows.len();
    rows.retain(|row| wish.all || !row.is_quiet);
    let hidden = before - rows.len();
    match wish.sort {
        // As they come.
        TopSort::State => {}
        TopSort::Name => rows.sort_by_key(|row| row.name.to_lowercase()),
        TopSort::Volume => rows.sort_by(|a, b| b.volume.total_cmp(&a.volume)),
        TopSort::Age => rows.sort_by_key(|row| row.last_ms.unwrap_or(UtcMs::MIN)),
    }
    if wish.is_reversed {
        rows.reverse();
    }
    (rows, hidden)
}

impl CellMaker {
    /// `18:55`, with the day where it is not that of the board.
    pub(super) fn clock(self, at: UtcMs) -> String {
        let (text, now) = (rfc3339(at), rfc3339(self.as_of));
        match (text.get(..10), text.get(11..16)) {
            (Some(day), Some(time)) if now.get(..10) == Some(day) => time.to_owned(),
            (Some(day), Some(time)) => format!("{day} {time}"),
            _ => text,
        }
    }

    fn ago(self, ms: UtcMs) -> String {
        human::ago((self.now_ms - ms).max(0))
    }

    fn state(self, class: StateClass, word: &str, is_provisional: bool) -> String {
        let doubt = if is_provisional { "?" } else { "" };
        format!("{} {}{doubt}", self.look.shape(class), self.look.name(word))
    }

    fn of_row(self, row: &SnapshotRow) -> TopRow {
        let since = row.onset.map(|onset| self.clock(onset)).unwrap_or_default();
        let range = |low: f64, high: f64| format!("{} to {}", human::decimal(low.floor()), human::decimal(high.ceil()));
        let hour = match row.came_since {
            Some(came) => format!("{} since {since}", count(came)),
            None => human::count(row.hour as i64),
        };
        let expected = match (row.expected_since, row.expected_low, row.expected_high) {
            (Some(expected), ..) => format!("about {}", human::decimal(expected)),
            (None, Some(low), Some(high)) => range(low, high),
            _ => "not known".to_owned(),
        };
        let last = row
            .last
            .map_or_else(|| "over 30 d ago".to_owned(), |last| self.ago(last));
        TopRow {
            key: row.name.clone(),
            name: self.look.name(&row.name),
            class: row.class,
            is_quiet: row.state == "quiet",
            alarm: row.alarm.clone(),
            volume: row.day.iter().flatten().sum(),
            last_ms: row.last,
            cells: vec![
                self.state(row.class, &row.state, row.provisional),
                String::new(),
                hour,
                expected,
                last,
                String::new(),
            ],
            day: row.day.clone(),
        }
    }

    fn of_provider(self, row: &SnapshotProvider) -> TopRow {
        let percent = |attempts: Attempts, pick: fn((f64, f64)) -> f64| {
            attempts
                .percents()
                .map_or_else(|| "not known".to_owned(), |both| format!("{:.1} %", pick(both)))
        };
        let [now, usual] = row.attempts();
        TopRow {
            cells: vec![
                self.state(row.class, &row.state, row.provisional),
                String::new(),
                human::count(row.attempts),
                percent(now, |both| both.0),
                percent(usual, |both| both.0),
                percent(now, |both| both.1),
                percent(usual, |both| both.1),
                row.reason
                    .as_deref()
                    .map(|reason| self.look.name(reason))
                    .unwrap_or_default(),
            ],
            alarm: row.alarm.clone(),
            volume: row.attempts as f64,
            ..TopRow::new(row.name.clone(), self.look.name(&row.name), row.class)
        }
    }

    /// What waits, and above it the sum.
    fn of_queues(self, board: &BoardSnapshot) -> Vec<TopRow> {
        let is_empty = board.backlog == SnapshotQueue::default();
        let total = (!is_empty && board.queues.len() > 1).then(|| self.of_queue(&board.backlog, "all"));
        let rows = board.queues.iter().map(|row| self.of_queue(row, &row.service));
        total.into_iter().chain(rows).collect()
    }

    fn of_queue(self, row: &SnapshotQueue, name: &str) -> TopRow {
        let until = |at: Option<UtcMs>| {
            at.map(|at| format!("in {}", human::duration((at - self.now_ms).max(0))))
                .unwrap_or_default()
        };
        let over = if row.oldest_is_older { "over " } else { "" };
        TopRow {
            cells: vec![
                String::new(),
                self.look.name(&row.relay),
                count(row.messages),
                row.oldest
                    .map(|oldest| format!("{over}{}", human::duration((self.now_ms - oldest).max(0))))
                    .unwrap_or_default(),
                row.drain_per_minute.map(human::rate).unwrap_or_default(),
                until(row.gone_at),
                until(row.next_try),
                count(row.frozen),
                count(row.held),
            ],
            volume: row.messages as f64,
            last_ms: row.oldest,
            ..TopRow::new(format!("{name} {}", row.relay), self.look.name(name), StateClass::Calm)
        }
    }

    fn of_alarm(self, row: &SnapshotAlarm) -> TopRow {
        let members: Vec<String> = row.members.iter().map(|name| self.look.name(name)).collect();
        TopRow {
            cells: vec![
                self.state(row.class, &row.state, row.provisional),
                String::new(),
                self.clock(row.onset),
                human::duration((self.now_ms - row.onset).max(0)),
                members.join(", "),
            ],
            alarm: Some(row.id.clone()),
            volume: row.members.len() as f64,
            last_ms: Some(row.onset),
            ..TopRow::new(
                row.id.clone(),
                format!("{} {}", self.look.name(&row.kind), self.look.name(&row.name)),
                row.class,
            )
        }
    }

    fn of_source(self, row: &SnapshotSource) -> TopRow {
        TopRow {
            cells: vec![
                self.state(row.class, &row.state, false),
                String::new(),
                self.look.name(&row.source),
                row.last.map_or_else(|| "never".to_owned(), |last| self.ago(last)),
                row.lag_s.map(|lag| human::duration(lag * 1_000)).unwrap_or_default(),
                count(row.unparsed),
            ],
            volume: row.unparsed as f64,
            last_ms: row.last,
            ..TopRow::new(
                format!("{} {}", row.host, row.source),
                self.look.name(&row.host),
                row.class,
            )
        }
    }
}

fn count(number: u64) -> String {
    human::count(i64::try_from(number).unwrap_or(i64::MAX))
}
