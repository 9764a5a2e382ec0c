//! The detection over a history as it grows: each step judges the minutes that are over.
//!
//! The first step goes on from the newest snapshot that fits, or replays what is stored. Minutes of which rows come later are
//! judged again, from the snapshot before them: what was told of a trouble keeps its name.

#[cfg(test)]
mod fake;
mod horizon;
#[cfg(test)]
mod tests;

use super::fleet::{Known, Timeline};
use super::kept::{EVERY, EXPECTED_PART, ExpectedHours, Kept, KeptSubject, Snapshot, Standing};
use crate::detect::engine::{Engine, Options};
use crate::detect::fleet::Names;
use crate::detect::group::Groups;
use crate::detect::rejudged::FormerAlarms;
use crate::model::time::{AHEAD_MS, DAY_MIN, DAY_MS, HOUR_MIN, HOUR_MS, MINUTE_MS, Minute, UtcMs};
use crate::query::Window;
use crate::query::history::{MailHistory, present};
use crate::query::history_version::HistoryVersion;
use anyhow::Result;

/// How often it is looked for rows that came late, milliseconds, and how many minutes back.
const LOOKS: [(i64, i64); 3] = [(MINUTE_MS, HOUR_MIN), (HOUR_MS, DAY_MIN), (DAY_MS, i64::MAX)];
/// A part of the store's size that snapshots may take, in per cent.
const PERCENT: u64 = 2;
/// Bytes for them where nobody knows how large the store is.
const BYTES_UNKNOWN: u64 = 64 << 20;
/// Days of a replay after which it says how far it is.
const LONG: i64 = 7 * DAY_MIN;

/// Rows that came late: the first minute of which some did, and the one from which on that was looked for.
#[derive(Debug, Clone, Copy)]
struct Late {
    first: Minute,
    since: Minute,
}

/// The detection and how far it has come.
#[derive(Debug)]
pub(crate) struct Live {
    /// What has been judged so far.
    pub engine: Engine,
    /// What it was made of.
    options: Options,
    /// What is known of the minutes that were judged.
    known: Known,
    /// The first minute of the history.
    first: Minute,
    /// The first minute that was not judged.
    pub next: Option<Minute>,
    /// Of what it is; none before the first step.
    subject: Option<KeptSubject>,
    /// What the history was like when it was read.
    mark: HistoryVersion,
    /// When it was last looked for rows that came late, UTC milliseconds, by [`LOOKS`].
    looked_ms: [UtcMs; LOOKS.len()],
    /// Where snapshots are.
    kept: Option<Kept>,
    /// Whether they are written here, or only by another process.
    writes: bool,
    /// The minute of the last one.
    put: Option<Minute>,
    /// What was expected of each hour, where that is written too.
    hours: Option<ExpectedHours>,
}

impl Live {
    /// Has judged nothing, and keeps nothing: the first step replays the history.
    pub(crate) fn new(options: Options) -> Live {
        Live {
            engine: Engine::new(options.clone()),
            options,
            known: Known::default(),
            first: Minute::EPOCH,
            next: None,
            subject: None,
            mark: HistoryVersion::Commits(Vec::new()),
            looked_ms: [UtcMs::MIN; LOOKS.len()],
            kept: None,
            writes: false,
            put: None,
            hours: None,
        }
    }

    /// The same with the snapshots that another process writes, and further ones in memory if there is room for them.
    pub(crate) fn reading(options: Options, kept: Kept) -> Live {
        Live {
            writes: kept.is_in_memory(),
            kept: Some(kept),
            ..Live::new(options)
        }
    }

    /// The same with a folder of snapshots, from which the first step goes on. Only who holds the watcher's lock may.
    pub(crate) fn keeping(options: Options, kept: Kept) -> Live {
        kept.sweep();
        Live {
            hours: (!kept.is_in_memory()).then(ExpectedHours::default),
            kept: Some(kept),
            writes: true,
            ..Live::new(options)
        }
    }

    /// Names of what is judged.
    pub(crate) fn names(&self) -> &Names {
        &self.known.names
    }

    /// Judges what is new; whether anything was.
    pub(crate) fn step(&mut self, store: &dyn MailHistory, now_ms: UtcMs) -> Result<bool> {
        let now = self.present(store, now_ms)?;
        if self
            .next
            .is_some_and(|next| next.start() > now.saturating_add(AHEAD_MS))
        {
            tracing::warn!("the clock was set back by over a day: what was judged in between is judged anew");
            self.begin_anew();
        }
        let subject = KeptSubject::of(store, &self.options)?;
        // What was learnt is of rows that bear other names now.
        let is_other = self.subject.as_ref().is_some_and(|known| *known != subject);
        self.subject = Some(subject);
        if is_other && self.next.is_some() {
            tracing::info!("stored rows were attributed anew: the history is judged anew");
            self.begin_anew();
        }
        if self.next.is_none() {
            self.wake(store, now)?;
            // A snapshot is taken only where no row came late, and a replay sees them all.
            self.looked_ms = [now_ms; LOOKS.len()];
        }
        let late = self.late(store, now_ms)?;
        let until = horizon::until(store, self.next, now)?.map(|until| until.minute());
        let until = until.max(self.next);
        let Some(until) = until.filter(|until| late.is_some() || self.next.is_none_or(|next| next < *until)) else {
            return Ok(false);
        };
        match late {
            Some(late) => self.judge_again(store, late, until),
            None => self.judge(store, until, true),
        }
    }

    /// What is the present. Nothing is judged before it has happened: neither by a row with a wrong date nor by a clock that is
    /// ahead.
    fn present(&self, store: &dyn MailHistory, now_ms: UtcMs) -> Result<UtcMs> {
        let now = now_ms.max(store.horizon_ms()?.unwrap_or(UtcMs::MIN));
        // Where some minute was judged, not all that is stored is in the future.
        Ok(match self.next {
            Some(next) if next.start() <= now.saturating_add(AHEAD_MS) => now,
            _ => present(store, now_ms)?,
        })
    }

    /// Goes on from the newest snapshot.
    fn wake(&mut self, store: &dyn MailHistory, now: UtcMs) -> Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let until = now.saturating_add(AHEAD_MS).minute();
        let found = kept.newest(store, &self.options, (Minute::MIN, until))?;
        if let Some(snapshot) = found {
            if let (Some(hours), Some(subject)) = (&mut self.hours, &self.subject) {
                *hours = kept.hours_as_written(subject).unwrap_or_default();
            }
            self.go_on_from(snapshot);
        }
        Ok(())
    }

    fn go_on_from(&mut self, snapshot: Snapshot) {
        if let Some(hours) = &mut self.hours {
            hours.go_back(snapshot.at, snapshot.open_hour);
        }
        self.engine = snapshot.engine;
        self.known = snapshot.known;
        self.first = snapshot.first;
        self.next = Some(snapshot.at);
        self.mark = snapshot.mark;
        self.put = Some(snapshot.at);
    }

    /// Rows that came late, as far as it is time to look for them.
    fn late(&mut self, store: &dyn MailHistory, now_ms: UtcMs) -> Result<Option<Late>> {
        let Some(next) = self.next else { return Ok(None) };
        let mut since = None;
        for ((every_ms, reach), looked) in LOOKS.iter().zip(&mut self.looked_ms) {
            // A clock that was set back has not looked yet.
            if *looked > now_ms || now_ms.since(*looked) >= *every_ms {
                *looked = now_ms;
                since = Some(next.saturating_sub(*reach));
            }
        }
        let Some(since) = since else { return Ok(None) };
        let first = store.first_change(&self.mark, since, next)?;
        Ok(first.map(|first| Late { first, since }))
    }

    /// Goes back to before the rows that came late, and judges again.
    fn judge_again(&mut self, store: &dyn MailHistory, late: Late, until: Minute) -> Result<bool> {
        let stood = self.next;
        tracing::info!(
            "rows came late: what was judged of {} minutes is judged again",
            stood.map_or(0, |next| next - late.first)
        );
        let before: (Groups, Names) = (self.engine.groups.clone(), self.known.names.clone());
        let mut found = None;
        if let Some(kept) = &self.kept {
            found = kept.newest(store, &self.options, (late.since, late.first))?;
            if self.writes
                && let Err(error) = kept.remove_after(late.first)
            {
                tracing::warn!("the state of the detection: {error}");
            }
        }
        match found {
            Some(snapshot) => self.go_on_from(snapshot),
            None => self.begin_anew(),
        }
        let is_any = self.judge(store, until, false)?;
        let names = &self.known.names;
        let (groups, old) = before;
        self.engine.groups.keep_names(
            names,
            FormerAlarms {
                groups: &groups,
                names: &old,
            },
        );
        self.put(store)?;
        Ok(is_any)
    }

    /// Judges up to a minute; whether there was any.
    fn judge(&mut self, store: &dyn MailHistory, until: Minute, writes: bool) -> Result<bool> {
        let window = Window {
            since_ms: self.next.map_or(UtcMs::MIN, |next| next.start()),
            until_ms: until.start(),
        };
        // Before a row is read: what comes meanwhile is late.
        let fresh = store.version(window)?;
        // The names stay as they are when reading fails.
        let mut timeline = match self.next {
            Some(_) => Timeline::resume(store, window, self.known.clone())?,
            None => Timeline::open(store, window, &self.options.known_names())?,
        };
        let (from, end) = timeline.span();
        if self.next.is_none() {
            self.first = from;
            self.hours = self.hours.is_some().then(|| ExpectedHours::begin(from));
        }
        self.read_again(store, window.since_ms.minute(), fresh)?;
        let mut is_any = false;
        while let Some(minutes) = timeline.next_part()? {
            self.known = timeline.known();
            for minute in &minutes {
                if let Some(hours) = &mut self.hours {
                    hours.take(&mut self.engine, &self.known.names, minute.at);
                }
                self.engine.step(&self.known.names, minute);
                self.next = Some(minute.at + 1);
                if writes && Kept::is_wanted(minute.at + 1, end) {
                    self.put(store)?;
                }
            }
            is_any = true;
            if let Some(minute) = minutes.last()
                && end - from >= LONG
                && (minute.at + 1 - from) / DAY_MIN % 7 == 0
            {
                let days = |minutes: i64| minutes.div_euclid(DAY_MIN);
                tracing::info!("replayed {} of {} days", days(minute.at + 1 - from), days(end - from));
            }
        }
        // Whoever starts once a minute finds where the last one ended.
        if writes
            && self
                .next
                .is_some_and(|next| self.put.is_none_or(|put| next - put >= EVERY))
        {
            self.put(store)?;
        }
        Ok(is_any)
    }

    /// What was read from a minute on is as the history is now.
    fn read_again(&mut self, store: &dyn MailHistory, from: Minute, fresh: HistoryVersion) -> Result<()> {
        // Where nothing waits, all of it is. To ask that of a server takes a look at all its rows.
        let is_cheap = matches!(self.mark, HistoryVersion::Commits(_));
        if is_cheap && store.first_change(&self.mark, Minute::MIN, from)?.is_none() {
            self.mark = fresh;
            return Ok(());
        }
        self.mark.read_from(from, fresh);
        Ok(())
    }

    /// Writes a snapshot. What cannot be written is replayed by the next start, so that it goes on.
    fn put(&mut self, store: &dyn MailHistory) -> Result<()> {
        if !self.writes {
            return Ok(());
        }
        let bytes_max = store.bytes()?.map_or(BYTES_UNKNOWN, |bytes| bytes / 100 * PERCENT);
        if let Some(hours) = &mut self.hours {
            hours.limit(bytes_max / EXPECTED_PART);
        }
        let (Some(kept), Some(subject), Some(at)) = (&self.kept, &self.subject, self.next) else {
            return Ok(());
        };
        let standing = self.standing(at);
        let written = match &self.hours {
            Some(hours) => kept.put_hours(hours, (&standing, subject), bytes_max),
            None => Ok(bytes_max),
        };
        match written.and_then(|left| kept.put(&standing, subject, left)) {
            Ok(()) => self.put = Some(at),
            Err(error) => tracing::warn!("the state of the detection is not written: {error:#}"),
        }
        Ok(())
    }

    fn standing(&self, at: Minute) -> Standing<'_> {
        Standing {
            first: self.first,
            at,
            mark: &self.mark,
            known: &self.known,
            engine: &self.engine,
            open_hour: self.hours.as_ref().and_then(ExpectedHours::open),
        }
    }

    /// The history is replayed in the next step.
    fn begin_anew(&mut self) {
        (self.engine, self.known, self.next) = (Engine::new(self.options.clone()), Known::default(), None);
        self.mark = HistoryVersion::Commits(Vec::new());
    }
}

/// When something came in last, if that is `minutes` or longer ago: no minute passes then, so that no layer can say it.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn silent_since(store: &dyn MailHistory, minutes: u32, now_ms: UtcMs) -> Result<Option<UtcMs>> {
    if minutes == 0 {
        return Ok(None);
    }
    // Mostly something has, and nothing older need be looked at.
    let since_ms = now_ms - i64::from(minutes) * MINUTE_MS + 1;
    let recent = Window {
        since_ms,
        until_ms: now_ms.saturating_add(1),
    };
    let is_recent = store.newest(recent)?.is_some()
        || store.line_ms(since_ms, now_ms)?.is_some()
        || store.heartbeat_ms(since_ms, now_ms)?.is_some();
    if is_recent {
        return Ok(None);
    }
    let present = present(store, now_ms)?;
    let Some((_, newest)) = store.span(present)? else {
        return Ok(None);
    };
    let newest = newest
        .max(store.line_ms(UtcMs::MIN, present)?.unwrap_or(newest))
        .max(store.heartbeat_ms(UtcMs::MIN, present)?.unwrap_or(newest));
    let is_silent = now_ms - newest >= i64::from(minutes) * MINUTE_MS;
    Ok(is_silent.then_some(newest))
}
