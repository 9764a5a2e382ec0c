//! When to try again: later and later.

use crate::model::time::UtcMs;

/// Waits that double, up to a limit.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    wait_ms: i64,
    most_ms: i64,
    next_ms: UtcMs,
}

impl Backoff {
    /// Nothing has failed yet.
    pub fn new(first_ms: i64, most_ms: i64) -> Self {
        Backoff {
            wait_ms: first_ms,
            most_ms,
            next_ms: UtcMs::MIN,
        }
    }

    /// Whether it is time to try.
    pub fn is_due(&self, now_ms: UtcMs) -> bool {
        // A clock that was set back must not make this wait for years.
        now_ms >= self.next_ms || now_ms < self.next_ms - self.most_ms
    }

    /// It failed once more.
    pub fn failed(&mut self, now_ms: UtcMs) {
        self.next_ms = now_ms + self.wait_ms;
        self.wait_ms = (self.wait_ms * 2).min(self.most_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_survive_a_clock_that_is_set_back() {
        let mut backoff = Backoff::new(1_000, 3_000);
        assert!(backoff.is_due(UtcMs::EPOCH));
        for (now, wait) in [(0, 1_000), (1_000, 2_000), (3_000, 3_000), (6_000, 3_000)] {
            backoff.failed(UtcMs::new(now));
            assert!(!backoff.is_due(UtcMs::new(now + wait - 1)));
            assert!(backoff.is_due(UtcMs::new(now + wait)));
        }
        assert!(backoff.is_due(UtcMs::new(-1_000_000)));
    }
}
