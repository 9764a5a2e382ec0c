//! What comes after a drop: mail that was only late comes then, on top of the usual.

use super::episode::Episode;
use serde::{Deserialize, Serialize};

/// How long is looked, as a share of the drop's length, and its bounds, seconds.
const SHARE: i64 = 2;
const BOUNDS_S: (i64, i64) = (3_600, 4 * 3_600);
/// Share of what was missing that comes later if the drop was a delay.
const LATE: f64 = 0.5;

/// The first hours after a drop.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Aftermath {
    missing: f64,
    excess: f64,
    until: i64,
}

impl Aftermath {
    /// Begins where an episode ends.
    pub(crate) fn new(episode: &Episode, ts: i64) -> Self {
        let drop = &episode.drop;
        Self {
            missing: drop.expected - drop.observed,
            excess: 0.0,
            until: ts + ((ts - drop.onset) / SHARE).clamp(BOUNDS_S.0, BOUNDS_S.1),
        }
    }

    /// Takes a step; whether it was the last.
    pub(crate) fn step(&mut self, ts: i64, counted: Option<f64>, expected: f64) -> bool {
        self.excess += counted.map_or(0.0, |counted| counted - expected);
        ts >= self.until
    }

    /// Whether what was missing did not come.
    pub(crate) fn is_lost(&self) -> bool {
        self.excess < LATE * self.missing
    }
}
