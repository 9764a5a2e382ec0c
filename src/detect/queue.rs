//! Arrivals go on and deliveries do not: no season and no history is needed, since the one predicts the other.

use super::adaptive_threshold::{AdaptiveThreshold, too_few};
use super::alarm::{LayerFinding, Turn};
use serde::{Deserialize, Serialize};

/// Windows, minutes, longest last.
const WINDOWS: [i64; 4] = [10, 30, 120, 480];
const LONGEST: i64 = WINDOWS[WINDOWS.len() - 1];
/// A delivery follows its arrival by so many minutes at most, if all is well.
const LAG: i64 = 2;
/// Evidence without and with lines that say why, in nats.
const FLOOR: f64 = 9.0;
const FLOOR_TOLD: f64 = 5.0;
/// Deliveries an arrival vary by this (squared).
const NOISE: f64 = 0.15;
/// Less than this share of the usual deliveries is too few.
const DEADBAND: f64 = 0.7;
/// Arrivals after which half of the memory is gone.
const MEMORY: f64 = 4000.0;

/// What a minute brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueMinute {
    /// Messages taken.
    pub arrived: f64,
    /// Copies got rid of.
    pub left: f64,
    /// Copies put off or set aside.
    pub stayed: f64,
}

/// Ring of running sums: longer than the longest window and its lag.
const RING: usize = 512;

/// One series: a service at a host, or a host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Queue {
    /// Running sums by minute; of the minute `at` at `at % RING`.
    sums: Vec<QueueMinute>,
    total: QueueMinute,
    first: Option<i64>,
    /// Copies and arrivals of ordinary times.
    usual: (f64, f64),
    threshold: AdaptiveThreshold,
    open: bool,
    last_left: Option<i64>,
    last_arrived: Option<i64>,
}

impl Default for Queue {
    fn default() -> Self {
        Queue {
            sums: vec![QueueMinute::default(); RING],
            total: QueueMinute::default(),
            first: None,
            usual: (0.0, 0.0),
            threshold: AdaptiveThreshold::default(),
            open: false,
            last_left: None,
            last_arrived: None,
        }
    }
}

impl Queue {
    /// Takes a minute; minutes come without holes from the first one on.
    pub fn step(&mut self, at: i64, queued: QueueMinute) -> Option<Turn> {
        self.first.get_or_insert(at);
        self.push(at, queued);
        let (value, found, told) = self.weigh(at);
        let limit = self.threshold.limit(if told { FLOOR_TOLD } else { FLOOR });
        let turn = if self.open {
            let idle = self.last_arrived.is_none_or(|last| at - last > LONGEST);
            let well = queued.left > 0.0 && value < 0.5 * limit && self.flows(at);
            self.open = !(idle || well);
            (!self.open).then_some(Turn::Closed(at))
        } else if value > limit {
            self.open = true;
            self.threshold.forget_today();
            let score = (value - limit) / std::f64::consts::LN_10;
            Some(Turn::Opened(LayerFinding { score, ..found }))
        } else {
            self.threshold.note(at, value);
            None
        };
        if queued.left > 0.0 {
            self.last_left = Some(at);
        }
        turn
    }

    fn push(&mut self, at: i64, queued: QueueMinute) {
        self.total.arrived += queued.arrived;
        self.total.left += queued.left;
        self.total.stayed += queued.stayed;
        self.sums[at.rem_euclid(RING as i64) as usize] = self.total;
        if queued.arrived > 0.0 {
            self.last_arrived = Some(at);
        }
        // What is older than the longest window is ordinary, unless it led to an alarm.
        let old = self.sum(at - LONGEST - LAG - 1, at - LONGEST - LAG);
        if !self.open && (old.arrived > 0.0 || old.left > 0.0) {
            let keep = (-std::f64::consts::LN_2 * old.arrived / MEMORY).exp();
            self.usual = (self.usual.0 * keep + old.left, self.usual.1 * keep + old.arrived);
        }
    }

    /// What the minutes after `from` up to `to` brought.
    fn sum(&self, from: i64, to: i64) -> QueueMinute {
        let until = |at: i64| match self.first {
            Some(first) if at >= first => self.sums[at.rem_euclid(RING as i64) as usize],
            _ => QueueMinute::default(),
        };
        let (a, b) = (until(from), until(to));
        QueueMinute {
            arrived: b.arrived - a.arrived,
            left: b.left - a.left,
            stayed: b.stayed - a.stayed,
        }
    }

    /// Whether the shortest window looks well again.
    fn flows(&self, at: i64) -> bool {
        let arrived = self.sum(at - WINDOWS[0] - LAG, at - LAG).arrived;
        self.sum(at - WINDOWS[0], at).left >= DEADBAND * self.ratio() * arrived
    }

    /// Copies an arrival.
    fn ratio(&self) -> f64 {
        (self.usual.0 + 20.0) / (self.usual.1 + 20.0)
    }

    fn weigh(&self, at: i64) -> (f64, LayerFinding, bool) {
        let none = LayerFinding {
            onset: at,
            expected: 0.0,
            observed: 0.0,
            score: 0.0,
            provisional: false,
        };
        let mut best = (0.0, none, false);
        for window in WINDOWS {
            let from = at - window - LAG;
            let (arrived, whole) = (self.sum(from, at - LAG).arrived, self.sum(from, at));
            let expected = self.ratio() * arrived;
            let value = too_few(whole.left, DEADBAND * expected, NOISE);
            // Few and one by one: a quiet sender's queue needs lines that tell.
            let told = arrived >= 3.0 && whole.stayed >= 0.5 * (expected - whole.left);
            if (arrived >= 8.0 || told) && value > best.0 {
                let since = self.last_left.filter(|_| whole.left == 0.0).unwrap_or(from);
                let (onset, observed) = (since.max(from) + 1, whole.left);
                best = (
                    value,
                    LayerFinding {
                        onset,
                        expected,
                        observed,
                        ..none
                    },
                    told,
                );
            }
        }
        best
    }
}
