//! Where time ends for a store, and the history up to there.
//!
//! Time has one *end*: the clock, or the minute after the newest event where that is over a day old. A row with a date that is
//! yet to come is not part of any answer.

use super::fleet::Timeline;
use super::kept::{Kept, KeptSubject, Standing};
use crate::detect::engine::{Engine, Options};
use crate::detect::fleet::{FleetMinute, Names};
use crate::model::time::{AHEAD_MS, DAY_MS, End, Minute, UtcMs};
use crate::query::Window;
use crate::query::history::{MailHistory, present};
use crate::query::history_version::HistoryVersion;
use anyhow::{Result, anyhow};

/// Everything that has happened: the whole history, up to the present.
pub(crate) fn so_far(store: &dyn MailHistory, now_ms: UtcMs) -> Result<Window> {
    Ok(Window {
        until_ms: present(store, now_ms)?.saturating_add(1),
        ..Window::ALL
    })
}

/// The minutes of which anything is known, up to a moment: the first, and the one after the last.
pub(crate) fn minutes_until(store: &dyn MailHistory, until_ms: UtcMs, now_ms: UtcMs) -> Result<(Minute, Minute)> {
    let so_far = so_far(store, now_ms)?;
    let until_ms = until_ms.min(so_far.until_ms);
    Ok(super::fleet::span(store, Window { until_ms, ..so_far })?)
}

/// First and last event that have happened; `None` of an empty store.
pub(crate) fn span(store: &dyn MailHistory, now_ms: UtcMs) -> Result<Option<(UtcMs, UtcMs)>> {
    Ok(store.span(present(store, now_ms)?.saturating_add(AHEAD_MS))?)
}

/// Where time ends for a store whose newest event is `newest`.
pub(crate) fn end(newest: Option<UtcMs>, now_ms: UtcMs) -> End {
    let at_ms = match newest {
        Some(newest) if newest < now_ms - DAY_MS => (newest.minute() + 1).start(),
        _ => now_ms,
    };
    End { now_ms, at_ms }
}

/// Where time ends for this store: what relative times count from.
pub(crate) fn end_of(store: &dyn MailHistory, now_ms: UtcMs) -> Result<End> {
    Ok(end(span(store, now_ms)?.map(|(_, last)| last), now_ms))
}

/// All that is stored.
///
/// # Errors
/// The store is empty, or cannot be read.
pub(crate) fn whole(store: &dyn MailHistory) -> Result<Window> {
    let (first, last) = store
        .span(UtcMs::MAX)?
        .ok_or_else(|| anyhow!("the store is empty: `mailpulse backfill` fills it"))?;
    Ok(Window {
        since_ms: first,
        until_ms: last + 1,
    })
}

/// The detection on its way over a history: a part of the minutes at a time, from the newest snapshot on that fits.
pub(crate) struct Replay<'s> {
    /// What it knows so far.
    pub engine: Engine,
    /// The minutes that come.
    timeline: Timeline<'s>,
    /// The first minute that it knows.
    first: Minute,
}

impl<'s> Replay<'s> {
    /// Of the history up to `until_ms`; the minutes from `from_ms` on are still to come, and before them what a snapshot saves.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(crate) fn begin(
        store: &'s dyn MailHistory,
        kept: &Kept,
        options: Options,
        (from_ms, until_ms): (UtcMs, UtcMs),
        now_ms: UtcMs,
    ) -> Result<Replay<'s>> {
        if let Some(replay) = Replay::resume(store, kept, &options, (from_ms, until_ms), now_ms)? {
            return Ok(replay);
        }
        let so_far = so_far(store, now_ms)?;
        let until_ms = until_ms.min(so_far.until_ms);
        let timeline = Timeline::open(store, Window { until_ms, ..so_far }, &options.known_names())?;
        Ok(Replay {
            engine: Engine::new(options),
            first: timeline.span().0,
            timeline,
        })
    }

    /// The same from a snapshot; none where none fits.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(crate) fn resume(
        store: &'s dyn MailHistory,
        kept: &Kept,
        options: &Options,
        (from_ms, until_ms): (UtcMs, UtcMs),
        now_ms: UtcMs,
    ) -> Result<Option<Replay<'s>>> {
        let until_ms = until_ms.min(so_far(store, now_ms)?.until_ms);
        let known = from_ms.min(until_ms).minute();
        let Some(snapshot) = kept.newest(store, options, (Minute::MIN, known))? else {
            return Ok(None);
        };
        let window = Window {
            since_ms: snapshot.at.start(),
            until_ms,
        };
        Ok(Some(Replay {
            timeline: Timeline::resume(store, window, snapshot.known)?,
            engine: snapshot.engine,
            first: snapshot.first,
        }))
    }

    /// The next minutes, which the detection has not taken yet.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(crate) fn next_part(&mut self) -> Result<Option<Vec<FleetMinute>>> {
        Ok(self.timeline.next_part()?)
    }

    /// Names of what is judged.
    pub(crate) fn names(&self) -> &Names {
        &self.timeline.names
    }

    /// Takes a minute.
    pub(crate) fn step(&mut self, minute: &FleetMinute) {
        self.engine.step(&self.timeline.names, minute);
    }

    /// Takes all minutes that are left, and leaves snapshots in memory on the way, if there is room for them. The mark was
    /// made before any row was read.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(crate) fn finish_keeping(
        mut self,
        store: &dyn MailHistory,
        kept: &Kept,
        (options, mark): (&Options, &HistoryVersion),
    ) -> Result<ReplayedHistory> {
        if !kept.is_in_memory() {
            return self.finish();
        }
        let subject = KeptSubject::of(store, options)?;
        let end = self.timeline.span().1;
        while let Some(minutes) = self.next_part()? {
            let known = self.timeline.known();
            for minute in &minutes {
                self.step(minute);
                let at = minute.at + 1;
                if Kept::is_wanted(at, end) {
                    let standing = Standing {
                        first: self.first,
                        at,
                        mark,
                        known: &known,
                        engine: &self.engine,
                        open_hour: None,
                    };
                    kept.put(&standing, &subject, u64::MAX)?;
                }
            }
        }
        self.finish()
    }

    /// Takes all minutes that are left.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(crate) fn finish(mut self) -> Result<ReplayedHistory> {
        while let Some(minutes) = self.next_part()? {
            minutes.iter().for_each(|minute| self.step(minute));
        }
        Ok(ReplayedHistory {
            engine: self.engine,
            span: (self.first, self.timeline.span().1),
            names: self.timeline.names,
        })
    }
}

/// The detection after a replay.
#[derive(Debug)]
pub(crate) struct ReplayedHistory {
    /// What it knows.
    pub engine: Engine,
    /// Names of what it judged.
    pub names: Names,
    /// The first minute, and the one after the last.
    pub span: (Minute, Minute),
}

/// Replays the detection over the history up to a moment, from the newest snapshot on.
pub(crate) fn replay(
    store: &dyn MailHistory,
    kept: &Kept,
    options: Options,
    until_ms: UtcMs,
    now_ms: UtcMs,
) -> Result<ReplayedHistory> {
    Replay::begin(store, kept, options, (until_ms, until_ms), now_ms)?.finish()
}
