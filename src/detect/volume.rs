//! Services', hostgroups' and relays' counts against their own weeks: the statistical layer as one layer among others. While
//! a series has no weeks, [`Gap`] stands in for it.

use super::adaptive_threshold::too_few;
use super::alarm::{LayerFinding, Scope, Turn};
use super::clock_change::ClockRule;
use super::detector::{Detector, DetectorConfig, Sample, SeriesId};
use super::episode::{Drop, EpisodeChange};
use super::fleet::Id;
use super::forecast::{Forecast, Span};
use super::gap::{BUSY_PER_DAY, Gap};
use super::rhythm::Rhythm;
use mailpulse_time::Minute;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A provisional finding must be this far below the mean of its hours: the method's own expectation is far off in the
/// first days, since its level is learnt before its profile.
const BELOW: f64 = 0.7;
/// And so unlikely by chance, in nats.
const UNLIKELY: f64 = 7.0;
/// Minutes that it must last: of a series whose hours are hardly known, a quiet quarter of an hour is none.
const SETTLES: i64 = 30;
/// It is looked at again after so many minutes.
const LOOK: i64 = 5;

/// What stands in for the method while a series is young.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Young {
    gap: Gap,
    /// Mails and seen minutes by the hour of the day.
    hours: [(f32, f32); 24],
    /// A finding that is not shown yet.
    pending: Option<Pending>,
}

/// A finding and its minute, with what its drop had been expected to bring and had brought by then.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Pending {
    at: i64,
    found: LayerFinding,
    then: (f64, f64),
}

fn hour(at: i64) -> usize {
    at.div_euclid(60).rem_euclid(24) as usize
}

impl Young {
    fn add(&mut self, at: i64, count: u32) {
        let (mails, minutes) = &mut self.hours[hour(at)];
        (*mails, *minutes) = (*mails + count as f32, *minutes + 1.0);
    }

    /// Mails of the minutes `[from, to)` by the mean of all days.
    fn mean(&self, from: i64, to: i64) -> f64 {
        let rate = |at| {
            let (mails, minutes) = self.hours[hour(at)];
            f64::from(mails) / f64::from(minutes.max(1.0))
        };
        (from..to).map(rate).sum()
    }

    /// Keeps a finding of the method back until its own hours say the same.
    fn hold(&mut self, at: i64, turn: Turn, drop: Option<&Drop>) -> Option<Turn> {
        match turn {
            Turn::Opened(found) if found.provisional => {
                let then = drop.map_or((0.0, 0.0), |drop| (drop.expected, drop.observed));
                self.pending = Some(Pending { at, found, then });
                None
            }
            Turn::Opened(_) => Some(turn),
            // What was not shown has no end.
            Turn::Closed(_) => self.pending.take().is_none().then_some(turn),
        }
    }

    /// The finding that was kept back, once it lasts and its hours have been better.
    fn release(&mut self, at: i64, drop: &Drop) -> Option<Turn> {
        let Pending { at: since, found, then } = self.pending?;
        if at - since < SETTLES || at % LOOK != 0 {
            return None;
        }
        // No window of the method is longer than two days.
        let from = found.onset.max(at - 4 * 1440);
        let expected = (found.expected + drop.expected - then.0).min(self.mean(from, at + 1));
        let observed = found.observed + drop.observed - then.1;
        if observed >= BELOW * expected || too_few(observed, expected, 0.0) <= UNLIKELY {
            return None;
        }
        self.pending = None;
        Some(Turn::Opened(LayerFinding {
            expected,
            observed,
            ..found
        }))
    }
}

/// One series.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct One {
    id: SeriesId,
    /// Mails and minutes that were seen.
    seen: (f64, f64),
    /// Until its findings are more than provisional.
    young: Option<Box<Young>>,
    /// The minute from which on they are.
    sure: Option<i64>,
}

impl One {
    fn is_busy(&self) -> bool {
        self.seen.0 * 1440.0 >= BUSY_PER_DAY * self.seen.1
    }
}

/// From when on volume alarms are complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Complete {
    /// From then on every busy series has the history that it takes; every series, if none is busy.
    pub from: Minute,
    /// Series that are meant.
    pub series: usize,
    /// Those of them that do not have it yet: for them it is foreseen.
    pub young: usize,
}

/// The series of a fleet.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Volumes {
    detector: Detector,
    all: BTreeMap<Scope, One>,
    /// Days before a finding is more than provisional, and before a silent series is retired.
    days: (u32, u32),
    /// What got worse since it was asked for.
    worse: Vec<(Scope, LayerFinding)>,
    /// What became overdue, or came, since it was asked for.
    overdue: Vec<(Scope, Turn)>,
}

impl Volumes {
    /// Without series.
    pub fn new(config: DetectorConfig) -> Self {
        Volumes {
            days: (config.tuning.provisional_d, config.tuning.retire_d),
            detector: Detector::new(config),
            all: BTreeMap::new(),
            worse: Vec::new(),
            overdue: Vec::new(),
        }
    }

    /// Clock and holidays of each series, by number.
    pub(super) fn rhythms(&self) -> impl Iterator<Item = Rhythm> {
        self.detector.rhythms()
    }

    /// Gives series that were kept their configuration, clocks and holidays.
    pub(super) fn wake(&mut self, config: DetectorConfig, rhythms: Vec<Rhythm>) -> Result<(), String> {
        let (known, last) = (self.detector.len(), self.all.values().map(|one| one.id.index()).max());
        if rhythms.len() != known || last.is_some_and(|last| last >= known) {
            return Err(format!("{known} series with {} clocks", rhythms.len()));
        }
        self.detector.wake(config, rhythms);
        Ok(())
    }

    /// Drops that got worse since the last call.
    pub fn take_worse(&mut self) -> Vec<(Scope, LayerFinding)> {
        std::mem::take(&mut self.worse)
    }

    /// What became overdue or came since the last call.
    pub fn take_overdue(&mut self) -> Vec<(Scope, Turn)> {
        std::mem::take(&mut self.overdue)
    }

    /// Whether a series has begun.
    pub fn knows(&self, scope: Scope) -> bool {
        self.all.contains_key(&scope)
    }

    /// Begins a series with its clock and holidays, if it is new. Beyond the detector's limit a series is not judged by
    /// its volume.
    pub fn begin(&mut self, scope: Scope, rhythm: &Rhythm) {
        if self.knows(scope) {
            return;
        }
        let holidays = Arc::clone(&rhythm.holidays);
        if let Ok(id) = self.detector.add_with(rhythm.zone.clone(), holidays, 60) {
            let one = One {
                id,
                seen: (0.0, 0.0),
                young: Some(Box::default()),
                sure: None,
            };
            self.all.insert(scope, one);
        }
    }

    /// Forgets a series: what comes by its name from now on is a new one.
    pub fn forget(&mut self, scope: Scope) {
        if let Some(one) = self.all.remove(&scope) {
            self.detector.forget(one.id);
        }
    }

    /// What a series is expected to bring in a minute, as known before it, for looks at windows of so many minutes.
    pub fn forecasts<const N: usize>(&mut self, at: i64, scope: Scope, windows_min: [i64; N]) -> Option<[Forecast; N]> {
        let id = self.all.get(&scope)?.id;
        self.detector.forecasts(id, at.saturating_mul(60), windows_min)
    }

    /// What the last so many minutes of a series brought against what was expected.
    pub fn span(&self, scope: Scope, minutes: i64) -> Option<Span> {
        self.detector.span(self.all.get(&scope)?.id, minutes.saturating_mul(60))
    }

    /// Mails that a series lacks of what was expected in the last so many minutes.
    pub fn missing(&self, scope: Scope, minutes: i64) -> f64 {
        let one = self.all.get(&scope);
        one.map_or(0.0, |one| self.detector.missing(one.id, minutes.saturating_mul(60)))
    }

    /// Services that follow other clocks than theirs.
    pub fn clock_rules(&self) -> Vec<(Id, ClockRule)> {
        let rule = |(scope, one): (&Scope, &One)| match *scope {
            Scope::Service(service) => Some((service, self.detector.clock_rule(one.id)?)),
            _ => None,
        };
        self.all.iter().filter_map(rule).collect()
    }

    /// A minute belongs to a time that is declared: what was learned of it does not count.
    pub fn excuse(&mut self, at: i64, scope: Scope) {
        if let Some(one) = self.all.get(&scope) {
            self.detector.excuse(one.id, at.saturating_mul(60));
        }
    }

    /// All series.
    pub fn scopes(&self) -> Vec<Scope> {
        self.all.keys().copied().collect()
    }

    /// Takes a minute of a series; `None` is no data.
    pub fn step(&mut self, at: i64, scope: Scope, count: Option<u32>) -> Vec<Turn> {
        let Some(one) = self.all.get_mut(&scope) else {
            return Vec::new();
        };
        let sample = count.map_or(Sample::NoData, |count| Sample::Count(u64::from(count)));
        let (mut turns, worse, overdue) = (Vec::new(), &mut self.worse, &mut self.overdue);
        // Minutes come in order: a refused one would be a fault of the caller's, and brings no verdict.
        let _ = self
            .detector
            .observe(one.id, at.saturating_mul(60), sample, &mut |_, change| match change {
                EpisodeChange::Worse(drop) => worse.push((scope, found(&drop))),
                // Its return was told, after an hour as an alarm of its own.
                EpisodeChange::Beyond(_) => {}
                EpisodeChange::Overdue(drop) => overdue.push((scope, Turn::Opened(found(&drop)))),
                EpisodeChange::Over(drop) => overdue.push((scope, closed(&drop))),
                // Whoever watches is told of what is missing now, not of what was over hours ago.
                EpisodeChange::Opened(drop) | EpisodeChange::Reopened { again: drop, .. } => {
                    turns.push(Turn::Opened(found(&drop)));
                }
                EpisodeChange::Closed(drop) => turns.push(closed(&drop)),
            });
        if let Some(count) = count {
            one.seen = (one.seen.0 + f64::from(count), one.seen.1 + 1.0);
        }
        if let Some(young) = &mut one.young {
            if let Some(count) = count {
                young.add(at, count);
            }
            let drop = self.detector.ongoing(one.id);
            turns = turns
                .into_iter()
                .filter_map(|turn| young.hold(at, turn, drop))
                .collect();
            turns.extend(drop.and_then(|drop| young.release(at, drop)));
        }
        if one.sure.is_none() && self.detector.days(one.id) >= self.days.0 {
            // Since the midnight that has just been.
            one.sure = Some(self.detector.reaches(one.id, self.days.0).div_euclid(60));
        }
        turns
    }

    /// Takes the same minute of a series for its gap, while it is too young for the other verdict; `None` where no mail
    /// would be no wonder.
    pub fn step_gap(&mut self, at: i64, scope: Scope, count: Option<u32>) -> Option<Turn> {
        let one = self.all.get_mut(&scope)?;
        let young = one.young.as_mut()?;
        if one.sure.is_some() && !young.gap.is_told() && young.pending.is_none() {
            one.young = None;
            return None;
        }
        young.gap.step(at, count, i64::from(self.days.1) * 1440)
    }

    /// Whether it is too young for more than provisional findings.
    pub fn is_young(&self, scope: Scope) -> bool {
        self.all.get(&scope).is_some_and(|one| one.young.is_some())
    }

    /// From when on its findings are complete; `None` without series.
    pub fn complete(&self) -> Option<Complete> {
        let any_busy = self.all.values().any(One::is_busy);
        let meant = || self.all.values().filter(|one| !any_busy || one.is_busy());
        let from = meant().map(|one| match one.sure {
            Some(at) => at,
            None => self.detector.reaches(one.id, self.days.0).div_euclid(60),
        });
        Some(Complete {
            from: Minute::new(from.max()?),
            series: meant().count(),
            young: meant().filter(|one| one.sure.is_none()).count(),
        })
    }
}

fn closed(drop: &Drop) -> Turn {
    Turn::Closed(drop.ended.unwrap_or(drop.detected).div_euclid(60))
}

fn found(drop: &Drop) -> LayerFinding {
    LayerFinding {
        onset: drop.onset.div_euclid(60),
        expected: drop.expected,
        observed: drop.observed,
        score: drop.score,
        provisional: drop.provisional,
    }
}
