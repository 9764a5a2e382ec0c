//! The detection over a history as it grows: each step judges the minutes that are over.
//!
//! The first step replays what is stored. Rows that arrive for minutes which have been judged count only after a restart.

use super::fleet::Timeline;
use crate::detect::engine::{Engine, Options};
use crate::detect::fleet::Names;
use crate::model::time::{AHEAD_MS, MINUTE_MS};
use crate::query::Window;
use crate::query::history::{MailHistory, present};
use crate::store::catalogue::Reason;
use anyhow::Result;

/// A minute is judged when the store holds events so much newer than its end.
const SETTLES_MS: i64 = 15_000;

/// The detection and how far it has come.
#[derive(Debug)]
pub struct Live {
    /// What has been judged so far.
    pub engine: Engine,
    /// What it was made of.
    options: Options,
    /// Names of what is judged.
    pub names: Names,
    /// The first minute that was not judged.
    pub next: Option<i64>,
    /// The note of the last time that stored rows were attributed anew.
    relabelled: Option<i64>,
}

impl Live {
    /// Has judged nothing: the first step replays the history.
    pub fn new(options: Options) -> Live {
        Live {
            engine: Engine::new(options.clone()),
            options,
            names: Names::default(),
            next: None,
            relabelled: None,
        }
    }

    /// Judges what is new; whether anything was.
    pub fn step(&mut self, store: &dyn MailHistory, now_ms: i64) -> Result<bool> {
        // Nothing is judged before it has happened: neither by a row with a wrong date nor by a clock that is ahead.
        let now = present(store, now_ms)?;
        if self
            .next
            .is_some_and(|next| next * MINUTE_MS > now.saturating_add(AHEAD_MS))
        {
            tracing::warn!("the clock was set back by over a day: what was judged in between is judged anew");
            self.begin_anew();
        }
        // What was learnt is of rows that bear other names now.
        let relabelled = relabelled(store)?;
        if relabelled != self.relabelled && self.next.is_some() {
            tracing::info!("stored rows were attributed anew: the history is judged anew");
            self.begin_anew();
        }
        self.relabelled = relabelled;
        let Some((_, newest)) = store.span(now)? else {
            return Ok(false);
        };
        // A line that is no event says as well as one that its minute has come.
        let newest = newest.max(store.line_ms(now)?.unwrap_or(newest));
        let window = Window {
            since_ms: self.next.map_or(i64::MIN, |next| next * MINUTE_MS),
            // A tail that finds nothing more ends a minute as well as an event of the next one does.
            until_ms: store.heartbeat_ms(now)?.unwrap_or(i64::MIN).max(newest - SETTLES_MS),
        };
        if window.until_ms.div_euclid(MINUTE_MS) <= window.since_ms.div_euclid(MINUTE_MS) {
            return Ok(false);
        }
        // The names stay as they are when reading fails.
        let mut timeline = Timeline::open(store, window, &self.names)?;
        let mut is_any = false;
        while let Some(minutes) = timeline.next_part()? {
            self.names.clone_from(&timeline.names);
            for minute in &minutes {
                self.engine.step(&self.names, minute);
                self.next = Some(minute.at + 1);
            }
            is_any = true;
        }
        Ok(is_any)
    }

    /// The history is replayed in the next step.
    fn begin_anew(&mut self) {
        (self.engine, self.names, self.next) = (Engine::new(self.options.clone()), Names::default(), None);
    }
}

/// The note of the last time that stored rows were attributed anew.
fn relabelled(store: &dyn MailHistory) -> Result<Option<i64>> {
    let changes = store.attribution_changes()?.into_iter();
    let numbers = changes.filter(|change| change.note.reason == Reason::Relabelled);
    Ok(numbers.map(|change| change.number).max())
}

/// When something came in last, if that is `minutes` or longer ago: no minute passes then, so that no layer can say it.
///
/// # Errors
/// The store cannot be read.
pub fn silent_since(store: &dyn MailHistory, minutes: u32, now_ms: i64) -> Result<Option<i64>> {
    let present = present(store, now_ms)?;
    let Some((_, newest)) = store.span(present)? else {
        return Ok(None);
    };
    let newest = newest
        .max(store.line_ms(present)?.unwrap_or(newest))
        .max(store.heartbeat_ms(present)?.unwrap_or(newest));
    let is_silent = minutes > 0 && now_ms - newest >= i64::from(minutes) * MINUTE_MS;
    Ok(is_silent.then_some(newest))
}
