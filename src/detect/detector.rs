//! Many series at once: names, clocks, holidays, and the order of time.

use super::civil::CivilClock;
use super::clock_change::{ClockChange, ClockRule, ClockVerdict};
use super::episode::{Drop, EpisodeChange};
use super::forecast::{Forecast, Span};
use super::holidays::{DayKind, Holidays};
use super::rhythm::Rhythm;
use super::schedule::{Grain, Schedule, ScheduleTurn};
use super::series::{Step, VolumeSeries};
use super::tuning::Tuning;
use jiff::tz::TimeZone;
use mailpulse_time::DAY_S;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Largest count of one step; more is taken for this.
pub const COUNT_MAX: u64 = 1_000_000_000;
/// Most series; more are refused.
pub const SERIES_MAX: usize = 1_000_000;
/// A hole up to this long is fed as steps without data; a longer one is a leap.
const HOLE_MAX_S: i64 = 3 * 86_400;
/// Step of a series whose volume is not known, seconds.
const FIRST_STEP_S: i64 = 300;

/// One series of the detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeriesId(u32);

impl SeriesId {
    /// Position in order of `add`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What was seen of a series in one grain of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// So many mails; zero is a fact.
    Count(u64),
    /// Nothing is known: the source was blind or unreadable. Not zero.
    NoData,
}

/// Why a sample is refused; the detector is as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// This moment was told already.
    Duplicate,
    /// A later moment was told already.
    OutOfOrder,
    /// Beyond what a calendar holds.
    TimeOutOfRange,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Duplicate => "this moment of the series was told already",
            Self::OutOfOrder => "a later moment of the series was told already",
            Self::TimeOutOfRange => "a time beyond the calendar",
        })
    }
}

impl std::error::Error for Refused {}

/// A grain that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSeries {
    /// Not a divisor of an hour that is a multiple of a minute.
    Grain(i64),
    /// More than `SERIES_MAX`.
    TooMany,
}

impl std::fmt::Display for BadSeries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Grain(seconds) => write!(f, "steps of {seconds} s: expected 1, 5, 10, 15, 20, 30 or 60 minutes"),
            Self::TooMany => write!(f, "more than {SERIES_MAX} series"),
        }
    }
}

impl std::error::Error for BadSeries {}

/// What a detector is told once.
#[derive(Debug, Clone, Default)]
pub struct DetectorConfig {
    /// Constants of the method, with the budget of false alarms.
    pub tuning: Tuning,
    /// Declared holidays of series that have none of their own.
    pub holidays: Arc<Holidays>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    series: VolumeSeries,
    #[serde(skip)]
    clock: CivilClock,
    #[serde(skip)]
    past: CivilClock,
    #[serde(skip)]
    holidays: Arc<Holidays>,
    grain_s: i64,
    /// Start of the grain that is expected next.
    next: Option<i64>,
    /// Start and content of the step that is being filled.
    filling: Option<(i64, u64, bool)>,
    day: i32,
    kind: DayKind,
    /// Set times; `None` once mail comes too often for them.
    schedule: Option<Box<Schedule>>,
    clock_change: ClockChange,
}

/// Watches many series. The same samples in the same order give the same changes, live or in replay.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Detector {
    #[serde(skip)]
    config: DetectorConfig,
    entries: Vec<Entry>,
    /// Numbers of series that were forgotten.
    free: Vec<SeriesId>,
}

impl Detector {
    /// A detector without series.
    pub fn new(config: DetectorConfig) -> Self {
        Self {
            config,
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Adds a series that is told in grains of `grain_s` seconds, in a service's civil time.
    pub fn add(&mut self, zone: TimeZone, grain_s: i64) -> Result<SeriesId, BadSeries> {
        let holidays = Arc::clone(&self.config.holidays);
        self.add_with(zone, holidays, grain_s)
    }

    /// The same with holidays of its own.
    pub fn add_with(&mut self, zone: TimeZone, holidays: Arc<Holidays>, grain_s: i64) -> Result<SeriesId, BadSeries> {
        if ![60, 300, 600, 900, 1_200, 1_800, 3_600].contains(&grain_s) {
            return Err(BadSeries::Grain(grain_s));
        }
        let at = self.free.last().map_or(self.entries.len(), |id| id.index());
        if at >= SERIES_MAX {
            return Err(BadSeries::TooMany);
        }
        let entry = Entry {
            series: VolumeSeries::new(grain_s.max(FIRST_STEP_S), 1, &self.config.tuning),
            clock: CivilClock::new(zone.clone()),
            past: CivilClock::new(zone),
            holidays,
            grain_s,
            next: None,
            filling: None,
            day: i32::MIN,
            kind: DayKind::Usual,
            schedule: (grain_s <= FIRST_STEP_S).then(Box::default),
            clock_change: ClockChange::default(),
        };
        match self.free.pop() {
            Some(_) => self.entries[at] = entry,
            None => self.entries.push(entry),
        }
        Ok(SeriesId(at as u32))
    }

    /// Forgets a series; its number is given to the next that is added.
    pub fn forget(&mut self, id: SeriesId) {
        self.free.push(id);
    }

    /// All series, in order of `add`.
    pub fn ids(&self) -> Vec<SeriesId> {
        (0..self.entries.len() as u32).map(SeriesId).collect()
    }

    /// Number of series.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The drop of a series that goes on.
    pub fn ongoing(&self, id: SeriesId) -> Option<&Drop> {
        self.entries.get(id.index())?.series.ongoing()
    }

    /// By whose rule a series seems to change its clock, other than that of its zone.
    pub fn clock_rule(&self, id: SeriesId) -> Option<ClockRule> {
        self.entries.get(id.index())?.clock_change.rule()
    }

    /// The grain that holds `ts_s` belongs to a time that is declared: what was learned of it does not count.
    pub fn excuse(&mut self, id: SeriesId, ts_s: i64) {
        if let Some(entry) = self.entries.get_mut(id.index())
            && let Some(schedule) = &mut entry.schedule
        {
            let civil = entry.clock.at(ts_s + entry.clock_change.shift_s(ts_s));
            schedule.excuse(civil);
        }
    }

    /// What is overdue of a series.
    pub fn overdue(&self, id: SeriesId) -> Option<&Drop> {
        self.entries.get(id.index())?.schedule.as_ref()?.ongoing()
    }

    /// Days of data of a series.
    pub fn days(&self, id: SeriesId) -> u32 {
        self.entries.get(id.index()).map_or(0, |entry| entry.series.days())
    }

    /// The moment, seconds since 1970, at which a series will have so many days of data, if each day from the last one on is
    /// seen.
    pub fn reaches(&self, id: SeriesId, days: u32) -> i64 {
        let Some(entry) = self.entries.get(id.index()) else {
            return 0;
        };
        // The day in which the last grain lies counts when the first step of the next day is told.
        let last = entry.next.map_or(0, |next| next - entry.grain_s);
        let missing = i64::from(days.saturating_sub(entry.series.days()));
        last - entry.clock.clone().at(last).day_s + missing * DAY_S
    }

    /// Tells what was seen of a series in the grain that begins at `ts_s` (or holds it). Grains come in order; those
    /// that are left out count as no data. Changes are handed to `tell`: a leap may close a drop and a step open one.
    pub fn observe(
        &mut self,
        id: SeriesId,
        ts_s: i64,
        sample: Sample,
        tell: &mut impl FnMut(SeriesId, EpisodeChange),
    ) -> Result<(), Refused> {
        let Some(entry) = self.entries.get_mut(id.index()) else {
            return Ok(());
        };
        // Seconds of the years 1 to 9999.
        if !(-62_135_596_800..253_402_300_800 - 400 * 86_400).contains(&ts_s) {
            return Err(Refused::TimeOutOfRange);
        }
        let ts = ts_s - ts_s.rem_euclid(entry.grain_s);
        if let Some(next) = entry.next {
            if ts < next {
                let told = ts == next - entry.grain_s;
                return Err(if told { Refused::Duplicate } else { Refused::OutOfOrder });
            }
            entry.bridge(next, ts, &self.config, &mut |change| tell(id, change));
        }
        entry.next = Some(ts + entry.grain_s);
        entry.grain(ts, sample, &self.config, &mut |change| tell(id, change));
        Ok(())
    }

    /// What a series is expected to bring in the minute that begins at `ts_s`, as known before it, for looks at
    /// windows of so many minutes. `None` while it is too young to be judged.
    pub fn forecasts<const N: usize>(
        &mut self,
        id: SeriesId,
        ts_s: i64,
        windows_min: [i64; N],
    ) -> Option<[Forecast; N]> {
        let tuning = &self.config.tuning;
        let entry = self.entries.get_mut(id.index())?;
        let civil = entry.clock.at(ts_s);
        let holiday = entry.holidays.kind(civil.day) == DayKind::Holiday;
        let week_s = civil.week_s + entry.clock_change.shift_s(ts_s);
        entry.series.forecasts(week_s, windows_min, holiday, tuning)
    }

    /// What the last so many seconds brought against what was expected; `None` while a series is too young.
    pub fn span(&self, id: SeriesId, seconds: i64) -> Option<Span> {
        self.entries.get(id.index())?.series.span(seconds, &self.config.tuning)
    }

    /// Mails that a series lacks of what was expected in the last so many seconds.
    pub fn missing(&self, id: SeriesId, seconds: i64) -> f64 {
        let entry = self.entries.get(id.index());
        entry.map_or(0.0, |entry| entry.series.missing(seconds))
    }

    /// Clock and holidays of each series, in order of `add`: they are those of the configuration, and not part of what is kept.
    pub(super) fn rhythms(&self) -> impl Iterator<Item = Rhythm> {
        self.entries.iter().map(|entry| Rhythm {
            zone: entry.clock.zone().clone(),
            holidays: Arc::clone(&entry.holidays),
        })
    }

    /// Gives a detector that was kept its configuration, and the clock and holidays of each series.
    pub(super) fn wake(&mut self, config: DetectorConfig, rhythms: Vec<Rhythm>) {
        self.config = config;
        for (entry, rhythm) in self.entries.iter_mut().zip(rhythms) {
            entry.clock = CivilClock::new(rhythm.zone.clone());
            entry.past = CivilClock::new(rhythm.zone);
            entry.holidays = rhythm.holidays;
        }
    }

    /// Bytes that the series hold.
    pub fn bytes(&self) -> usize {
        let inner: usize = self.entries.iter().map(|entry| entry.series.bytes()).sum();
        let schedules = self.entries.iter().filter_map(|entry| entry.schedule.as_ref());
        let inner = inner + schedules.map(|schedule| schedule.bytes()).sum::<usize>();
        inner + self.entries.len() * (size_of::<Entry>() - size_of::<VolumeSeries>())
    }
}

fn change(turn: ScheduleTurn) -> EpisodeChange {
    match turn {
        ScheduleTurn::Overdue(drop) => EpisodeChange::Overdue(drop),
        ScheduleTurn::Over(drop) => EpisodeChange::Over(drop),
    }
}

impl Entry {
    /// Feeds the hole before `ts` as no data, or leaps over it.
    fn bridge(&mut self, from: i64, ts: i64, config: &DetectorConfig, tell: &mut impl FnMut(EpisodeChange)) {
        if ts - from > HOLE_MAX_S {
            self.filling = None;
            if let Some(schedule) = &mut self.schedule {
                schedule.leap(ts).into_iter().for_each(|turn| tell(change(turn)));
            }
            self.series.leap(ts).into_iter().for_each(tell);
            return;
        }
        for at in (from..ts).step_by(self.grain_s as usize) {
            self.grain(at, Sample::NoData, config, tell);
        }
    }

    /// Adds a grain to the step that is being filled; a step with a grain without data is one without data.
    fn grain(&mut self, ts: i64, sample: Sample, config: &DetectorConfig, tell: &mut impl FnMut(EpisodeChange)) {
        self.scheduled(ts, sample, config).into_iter().for_each(&mut *tell);
        let step_s = self.series.step_s();
        let start = ts - ts.rem_euclid(step_s);
        // A step that was begun in its middle is not whole.
        let whole = ts == start;
        let (start, sum, known) = self.filling.take().unwrap_or((start, 0, whole));
        let (sum, known) = match sample {
            Sample::Count(count) => (sum.saturating_add(count.min(COUNT_MAX)), known),
            Sample::NoData => (sum, false),
        };
        if ts + self.grain_s < start + step_s {
            self.filling = Some((start, sum, known));
            return;
        }
        let count = known.then_some(sum.min(COUNT_MAX) as u32);
        self.step(start, count, config).into_iter().for_each(tell);
    }

    /// Holds a grain against the set times.
    fn scheduled(&mut self, ts: i64, sample: Sample, config: &DetectorConfig) -> Option<EpisodeChange> {
        let schedule = self.schedule.as_mut()?;
        let civil = self.clock.at(ts + self.clock_change.shift_s(ts));
        let grain = Grain {
            ts,
            grain_s: self.grain_s,
            count: match sample {
                Sample::Count(count) => Some(count),
                Sample::NoData => None,
            },
            holiday: self.holidays.kind(civil.day) == DayKind::Holiday,
            moved: self.clock_change.rival_s().is_some(),
        };
        let turn = schedule.step(grain, civil, &config.tuning);
        if schedule.is_busy() && schedule.ongoing().is_none() {
            self.schedule = None;
        }
        turn.map(change)
    }

    /// Weighs whether the clocks of a service changed. If they did, what is open since then was that.
    fn weigh_clocks(&mut self, step: Step, tuning: &Tuning) -> Option<EpisodeChange> {
        let (rival, count) = (step.rival_week_s?, step.count?);
        let expected = |week_s| self.series.expected(week_s, tuning);
        let rates = (f64::from(count), expected(step.week_s), expected(rival));
        let (step_s, noise) = (self.series.step_s(), self.series.noise(tuning));
        let from = self.clock_change.change_at()?;
        match self.clock_change.weigh((step.ts, step_s), rates, noise)? {
            ClockVerdict::Moved => self.series.move_clocks(step.ts, from),
            ClockVerdict::Stayed => None,
        }
    }

    fn step(&mut self, ts: i64, count: Option<u32>, config: &DetectorConfig) -> Option<EpisodeChange> {
        let civil = self.clock.at(ts);
        if civil.day != self.day {
            self.day = civil.day;
            self.kind = self.holidays.kind(civil.day);
        }
        let near = matches!(self.kind, DayKind::NearFrom(second) if civil.day_s >= i64::from(second));
        self.clock_change.begin(ts, self.clock.zone(), self.series.days());
        let past = ts + self.series.step_s() - 2 * DAY_S;
        let week_s = civil.week_s + self.clock_change.shift_s(ts);
        let rival_week_s = self.clock_change.rival_s().map(|by| week_s + by);
        let step = Step {
            ts,
            day: civil.day,
            week_s,
            rival_week_s,
            past_week_s: self.past.at(past).week_s + self.clock_change.likely_s(past),
            count,
            holiday: self.kind == DayKind::Holiday,
            near,
        };
        let change = self.series.step(step, &config.tuning);
        let change = self.weigh_clocks(step, &config.tuning).or(change);
        // Between days, and at a moment that every step divides.
        if civil.day_s + self.series.step_s() >= 86_400 && (ts + self.series.step_s()) % 3_600 == 0 {
            self.series.suit(self.grain_s, &config.tuning);
        }
        change
    }
}
