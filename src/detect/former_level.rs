//! A level that was accepted after days is the new one, until the old one is back: a person returns, a job runs again. The old
//! level is a rival for two weeks, and the likelihood of some hours decides. Without it, a series would be judged at a part of
//! its mail for weeks, because what a level learns upwards is clipped.

use super::level::Ratio;
use serde::{Deserialize, Serialize};

/// Days for which the old level is a rival.
const RIVAL_D: i64 = 14;
/// Evidence in nats that brings it back.
const DECIDES: f64 = 6.0;
/// Most that an hour says: bulk mail is no return.
const HOURLY: f64 = 1.0;

/// The level before.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct FormerLevel {
    slow: Ratio,
    until: i64,
    evidence: f64,
}

impl FormerLevel {
    /// The slow level as it was, from the moment on at which another was accepted.
    pub(crate) fn new(slow: Ratio, ts: i64) -> Self {
        Self {
            slow,
            until: ts + RIVAL_D * 86_400,
            evidence: 0.0,
        }
    }

    /// The level.
    pub(crate) fn slow(&self) -> Ratio {
        self.slow
    }

    /// Whether it is a rival no more.
    pub(crate) fn is_over(&self, ts: i64) -> bool {
        ts >= self.until
    }

    /// Takes a block of so many seconds, which brought `counted` where the new level expects `expected`, and the old one
    /// `times` as much; whether the old level is back.
    pub(crate) fn is_back(&mut self, (counted, expected): (f64, f64), times: f64, block_s: i64) -> bool {
        let most = HOURLY * block_s as f64 / 3_600.0;
        let gain = counted * times.max(1.0).ln() - (times.max(1.0) - 1.0) * expected;
        self.evidence = (self.evidence + gain.clamp(-most, most)).max(0.0);
        self.evidence >= DECIDES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours_until_back(counted: impl Fn(i64) -> f64) -> Option<i64> {
        let mut former = FormerLevel::new(Ratio::default(), 0);
        (0..200).find(|hour| former.is_back((counted(*hour), 10.0), 4.0, 3_600))
    }

    #[test]
    fn some_hours_at_the_old_level_bring_it_back_and_bulk_mail_does_not() {
        assert_eq!(hours_until_back(|_| 40.0), Some(5));
        assert_eq!(hours_until_back(|_| 10.0), None);
        assert_eq!(
            hours_until_back(|hour| if hour % 24 < 2 { 5_000.0 } else { 10.0 }),
            None
        );
        assert!(FormerLevel::new(Ratio::default(), 0).is_over(14 * 86_400));
    }
}
