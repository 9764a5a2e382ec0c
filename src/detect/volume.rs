//! Services', hostgroups' and relays' counts against their own weeks: the statistical layer as one layer among others.

use super::alarm::{Found, Scope, Turn};
use super::detector::{Config, Detector, Sample, SeriesId};
use super::episode::{Change, Drop};
use super::forecast::Forecast;
use super::rhythm::Rhythm;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The series of a fleet.
#[derive(Debug, Clone, Default)]
pub struct Volumes {
    detector: Detector,
    ids: BTreeMap<Scope, SeriesId>,
}

impl Volumes {
    /// Without series.
    pub fn new(config: Config) -> Self {
        Volumes {
            detector: Detector::new(config),
            ids: BTreeMap::new(),
        }
    }

    /// Whether a series has begun.
    pub fn knows(&self, scope: Scope) -> bool {
        self.ids.contains_key(&scope)
    }

    /// Begins a series with its clock and holidays, if it is new. Beyond the detector's limit a series is not judged by
    /// its volume.
    pub fn begin(&mut self, scope: Scope, rhythm: &Rhythm) {
        if self.knows(scope) {
            return;
        }
        let holidays = Arc::clone(&rhythm.holidays);
        if let Ok(id) = self.detector.add_with(rhythm.zone.clone(), holidays, 60) {
            self.ids.insert(scope, id);
        }
    }

    /// Forgets a series: what comes by its name from now on is a new one.
    pub fn forget(&mut self, scope: Scope) {
        if let Some(id) = self.ids.remove(&scope) {
            self.detector.forget(id);
        }
    }

    /// What a series is expected to bring in a minute, as known before it.
    pub fn forecast(&mut self, at: i64, scope: Scope, window_min: i64) -> Option<Forecast> {
        let id = *self.ids.get(&scope)?;
        self.detector.forecast(id, at.saturating_mul(60), window_min)
    }

    /// Mails that a series lacks of what was expected in the last so many minutes.
    pub fn missing(&self, scope: Scope, minutes: i64) -> f64 {
        let id = self.ids.get(&scope);
        id.map_or(0.0, |id| self.detector.missing(*id, minutes.saturating_mul(60)))
    }

    /// All series.
    pub fn scopes(&self) -> Vec<Scope> {
        self.ids.keys().copied().collect()
    }

    /// Takes a minute of a series; `None` is no data.
    pub fn step(&mut self, at: i64, scope: Scope, count: Option<u32>) -> Vec<Turn> {
        let Some(id) = self.ids.get(&scope) else {
            return Vec::new();
        };
        let sample = count.map_or(Sample::NoData, |count| Sample::Count(u64::from(count)));
        let mut turns = Vec::new();
        // Minutes come in order: a refused one would be a fault of the caller's, and brings no verdict.
        let _ = self
            .detector
            .observe(*id, at.saturating_mul(60), sample, &mut |_, change| {
                turns.push(turn(change))
            });
        turns
    }
}

fn turn(change: Change) -> Turn {
    match change {
        // Whoever watches is told of what is missing now, not of what was over hours ago.
        Change::Opened(drop) | Change::Reopened { again: drop, .. } => Turn::Opened(found(&drop)),
        Change::Closed(drop) => Turn::Closed(drop.ended.unwrap_or(drop.detected).div_euclid(60)),
    }
}

fn found(drop: &Drop) -> Found {
    Found {
        onset: drop.onset.div_euclid(60),
        expected: drop.expected,
        observed: drop.observed,
        score: drop.score,
        provisional: drop.provisional,
    }
}
