//! Services', hostgroups' and relays' counts against their own weeks: the statistical layer as one layer among others.

use super::alarm::{Found, Scope, Turn};
use super::detector::{Config, Detector, Sample, SeriesId};
use super::episode::{Change, Drop};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// The series of a fleet.
#[derive(Debug, Clone, Default)]
pub struct Volumes {
    detector: Detector,
    ids: BTreeMap<Scope, SeriesId>,
    zone: Option<TimeZone>,
}

impl Volumes {
    /// Without series; hours are those of `zone`.
    pub fn new(config: Config, zone: TimeZone) -> Self {
        Volumes {
            detector: Detector::new(config),
            ids: BTreeMap::new(),
            zone: Some(zone),
        }
    }

    /// Begins a series, if it is new. Beyond the detector's limit a series is not judged by its volume.
    pub fn begin(&mut self, scope: Scope) {
        if self.ids.contains_key(&scope) {
            return;
        }
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        if let Ok(id) = self.detector.add(zone, 60) {
            self.ids.insert(scope, id);
        }
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
        Change::Opened(drop) | Change::Reopened(drop) => Turn::Opened(found(&drop)),
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
