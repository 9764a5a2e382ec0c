//! What the detection says at a moment, for those who ask again and again: it goes on from where it stood, and writes nothing.

use super::alarms::find;
use super::completeness::Completeness;
use super::kept::Kept;
use super::live::Live;
use super::present::Replay;
use crate::detect::alarm::Alarm;
use crate::detect::engine::{Engine, Options};
use crate::detect::fleet::Names;
use crate::detect::group::Groups;
use crate::detect::routes::Routes;
use crate::model::time::{Minute, UtcMs};
use crate::query::Window;
use crate::query::history::MailHistory;
use crate::query::history_version::HistoryVersion;
use anyhow::Result;
use std::sync::Arc;

/// What the detection says.
#[derive(Debug, Clone)]
pub(crate) struct DetectionState {
    /// All alarms.
    pub groups: Groups,
    /// Names of what they are about.
    pub names: Names,
    /// Ways of the mail.
    pub routes: Routes,
    /// From when on volume alarms are complete.
    pub complete: Completeness,
    /// The first minute that was not judged, since 1970; none where nothing is stored.
    pub until: Option<Minute>,
}

impl DetectionState {
    fn of(engine: &Engine, names: &Names, until: Option<Minute>) -> DetectionState {
        DetectionState {
            groups: engine.groups.clone(),
            names: names.clone(),
            routes: engine.routes.clone(),
            complete: Completeness::of(engine),
            until,
        }
    }

    /// Alarms that fire, those that are certain first, in the order of their onsets.
    #[must_use]
    pub(crate) fn firing(&self) -> Vec<&Alarm> {
        let shown = self.groups.shown().filter(|alarm| alarm.ended.is_none());
        let mut firing: Vec<&Alarm> = shown.collect();
        firing.sort_by_key(|alarm| (alarm.provisional, alarm.onset, alarm.id));
        firing
    }

    /// The time of an alarm as far as it is known now, by its ID; none where there is no such alarm.
    #[must_use]
    pub(crate) fn window_of(&self, id: &str) -> Option<Window> {
        let alarm = find(&self.groups, id, &self.names)?;
        let until = alarm.ended.or(self.until).unwrap_or(alarm.onset + 1);
        Some(Window {
            since_ms: alarm.onset.start(),
            until_ms: until.max(alarm.onset + 1).start(),
        })
    }
}

/// Judges a history as it grows.
#[derive(Debug)]
pub(crate) struct LiveJudge {
    options: Options,
    kept: Kept,
    live: Live,
    /// What was found last.
    found: Option<Arc<DetectionState>>,
    /// Up to when that was asked for, and what the history was like, where time stands still.
    standing: Option<(UtcMs, HistoryVersion)>,
}

impl LiveJudge {
    /// Has judged nothing.
    pub(crate) fn new(options: Options, kept: Kept) -> LiveJudge {
        LiveJudge {
            live: Live::reading(options.clone(), kept.clone()),
            options,
            kept,
            found: None,
            standing: None,
        }
    }

    /// What is judged at a time on the clock, which may stand still there.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(crate) fn at(
        &mut self,
        store: &dyn MailHistory,
        now_ms: UtcMs,
        is_standing: bool,
    ) -> Result<Arc<DetectionState>> {
        match is_standing {
            true => self.until(store, now_ms),
            false => self.step(store, now_ms),
        }
    }

    /// Judges what is new, as `watch` does.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(crate) fn step(&mut self, store: &dyn MailHistory, now_ms: UtcMs) -> Result<Arc<DetectionState>> {
        let is_new = self.live.step(store, now_ms)?;
        match &self.found {
            Some(found) if !is_new => Ok(Arc::clone(found)),
            _ => {
                let found = DetectionState::of(&self.live.engine, self.live.names(), self.live.next);
                Ok(self.keep(found))
            }
        }
    }

    /// Judges the history up to a moment, as if nothing had come later.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(crate) fn until(&mut self, store: &dyn MailHistory, until_ms: UtcMs) -> Result<Arc<DetectionState>> {
        let minute = until_ms.minute();
        if let (Some(found), Some((at_ms, mark))) = (&self.found, &self.standing)
            && *at_ms == until_ms
            && store.first_change(mark, Minute::MIN, minute)?.is_none()
        {
            return Ok(Arc::clone(found));
        }
        let mark = store.version(Window {
            since_ms: UtcMs::MIN,
            until_ms,
        })?;
        let found = match store.span(until_ms)? {
            None => DetectionState::of(&Engine::new(self.options.clone()), &Names::default(), None),
            Some(_) => {
                let span = (until_ms, until_ms);
                let replay = Replay::begin(store, &self.kept, self.options.clone(), span, until_ms)?;
                let history = replay.finish_keeping(store, &self.kept, (&self.options, &mark))?;
                DetectionState::of(&history.engine, &history.names, Some(history.span.1))
            }
        };
        self.standing = Some((until_ms, mark));
        Ok(self.keep(found))
    }

    fn keep(&mut self, found: DetectionState) -> Arc<DetectionState> {
        let found = Arc::new(found);
        self.found = Some(Arc::clone(&found));
        found
    }
}
