//! The board of a store: the overview that the pages show, and the backlog.

use super::source::BoardSource;
use crate::analysis::backlog::{BacklogQuestion, QueueBacklog, backlog};
use crate::analysis::incident::report::markdown;
use crate::analysis::incident::{Asked, judge};
use crate::analysis::incomplete::lines;
use crate::analysis::judgement::LiveJudge;
use crate::analysis::kept::Kept;
use crate::analysis::overview::{BoardSnapshot, SnapshotClock};
use crate::clock::now_ms;
use crate::config::Config;
use crate::model::text::safe_error;
use crate::model::time::{Minute, UtcMs};
use crate::query::Window;
use crate::query::history::{Backend, MailHistory};
use crate::query::history_version::HistoryVersion;
use crate::setup::Setup;
use crate::setup::detection::{Overrides, kept_in_memory, options};
use crate::setup::overview::{OverviewAsked, overview_of};
use crate::setup::planned::planned;
use crate::store::segments::Incomplete;
use anyhow::{Context as _, Result};

/// A store, embedded or a ClickHouse.
pub(crate) struct LocalBoard {
    setup: Setup,
    config: Config,
    judge: LiveJudge,
    kept: Kept,
    /// Where the clock stands, if it does.
    at_ms: Option<UtcMs>,
    last: Option<KnownBoard>,
}

/// A board, and what the store was like when it was computed.
struct KnownBoard {
    mark: HistoryVersion,
    minute: Minute,
    board: BoardSnapshot,
}

impl LocalBoard {
    /// A store as it is configured; the clock may stand at a moment.
    #[must_use]
    pub(crate) fn new(setup: &Setup, config: Config, at_ms: Option<UtcMs>) -> LocalBoard {
        let kept = kept_in_memory(&config);
        let judge = LiveJudge::new(options(&config, &Overrides::default()), kept.clone());
        LocalBoard {
            setup: setup.clone(),
            config,
            judge,
            kept,
            at_ms,
            last: None,
        }
    }

    /// Looks whether the store can be opened.
    ///
    /// # Errors
    /// It cannot.
    pub(crate) fn open(&self) -> Result<()> {
        self.setup.engine(&self.config).map(drop)
    }

    fn clock(&self) -> OverviewAsked {
        OverviewAsked {
            now_ms: self.at_ms.unwrap_or_else(now_ms),
            is_standing: self.at_ms.is_some(),
            has_day_ranges: false,
        }
    }

    /// What is known already: no row came or changed, and it is the same minute.
    fn known(&self, store: &dyn MailHistory, now_ms: UtcMs) -> Option<BoardSnapshot> {
        let last = self.last.as_ref()?;
        let minute = now_ms.minute();
        let is_same = minute == last.minute
            && store
                .first_change(&last.mark, Minute::MIN, minute.saturating_add(1))
                .is_ok_and(|first| first.is_none());
        is_same.then(|| BoardSnapshot {
            now: now_ms,
            ..last.board.clone()
        })
    }

    fn computed(&mut self, store: &dyn MailHistory) -> Result<BoardSnapshot> {
        let clock = self.clock();
        let judgement = self.judge.at(store, clock.now_ms, clock.is_standing)?;
        let overview = overview_of(store, &self.config, &self.kept, judgement, clock)?;
        let waiting = backlog(store, BacklogQuestion::at(overview.end_ms));
        let (waiting, lacks) = match waiting {
            Ok(waiting) => (waiting, None),
            Err(why) => (
                QueueBacklog::default(),
                Some(format!("The backlog is not known: {}", safe_error(&why.into()))),
            ),
        };
        let runs = SnapshotClock::of(overview.end_ms, clock.now_ms, clock.is_standing);
        let mut board = BoardSnapshot::of(&overview, &waiting, (clock.now_ms, runs));
        board.lacks.extend(lacks);
        Ok(board)
    }
}

impl BoardSource for LocalBoard {
    fn board(&mut self) -> Result<BoardSnapshot> {
        // What this board lacks, and not what one before it did.
        let setup = Setup {
            incomplete: Incomplete::default(),
            ..self.setup.clone()
        };
        let backend = setup.engine(&self.config)?;
        let store = backend.history();
        let now_ms = self.clock().now_ms;
        if let Some(board) = self.known(store, now_ms) {
            return Ok(board);
        }
        // Before a row is read: what comes meanwhile makes the answer old.
        let mark = match &backend {
            Backend::Embedded(store) => MailHistory::version(store.as_ref(), Window::ALL).ok(),
            Backend::ClickHouse(_) => None,
        };
        let mut board = self.computed(store)?;
        board.lacks.extend(lines(&setup.incomplete).unwrap_or_default());
        self.last = mark.map(|mark| KnownBoard {
            mark,
            minute: now_ms.minute(),
            board: board.clone(),
        });
        Ok(board)
    }

    fn incident(&mut self, alarm: &str) -> Result<String> {
        let backend = self.setup.engine(&self.config)?;
        let store = backend.history();
        let clock = self.clock();
        let judgement = self.judge.at(store, clock.now_ms, clock.is_standing)?;
        let window = judgement.window_of(alarm);
        let window = window.context("there is no such alarm any more: it may have become part of another one")?;
        let options = options(&self.config, &Overrides::default());
        let mut incident = judge(store, &self.kept, options, Asked::Window(window), clock.now_ms)?;
        incident.planned = planned(&self.config)?;
        Ok(markdown(&incident))
    }
}
