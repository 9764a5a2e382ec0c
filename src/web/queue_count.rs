//! The last count of what waits in the queues, and whether one is under way.

use super::answers::StoreAnswer;
use crate::analysis::backlog::QueueBacklog;
use crate::model::time::UtcMs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A count is given for so many times as long as it took, and for so long at least.
const SPARED: u32 = 20;
const SPARED_MIN: Duration = Duration::from_secs(10);

/// What waits at a moment.
#[derive(Debug)]
pub(super) struct CountedQueues {
    /// The moment, UTC milliseconds.
    pub at_ms: UtcMs,
    /// None where more mails wait than are counted.
    pub backlog: Option<QueueBacklog>,
}

/// The last count of what waits now.
#[derive(Debug, Default)]
pub(super) struct QueueCount(Mutex<CountState>);

#[derive(Debug, Default)]
struct CountState {
    last: Option<Arc<StoreAnswer<CountedQueues>>>,
    /// When it ended, and what it took.
    ended: Option<(Instant, Duration)>,
    is_counting: bool,
}

impl QueueCount {
    /// Whether it is time to count again; if so, whoever asks does.
    pub(super) fn begin(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh =
            |(ended, took): (Instant, Duration)| ended.elapsed() < SPARED_MIN.max(took.saturating_mul(SPARED));
        let begins = !state.is_counting && !state.ended.is_some_and(is_fresh);
        state.is_counting |= begins;
        begins
    }

    pub(super) fn end(&self, found: Option<Arc<StoreAnswer<CountedQueues>>>, took: Duration) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_counting = false;
        state.ended = Some((Instant::now(), took));
        state.last = found.or(state.last.take());
    }

    pub(super) fn last(&self) -> Option<Arc<StoreAnswer<CountedQueues>>> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.last.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_counts_at_a_time_and_what_took_long_is_not_counted_at_once_again() {
        let waiting = QueueCount::default();
        assert!(waiting.begin() && !waiting.begin());
        waiting.end(None, Duration::from_secs(30));
        assert!(!waiting.begin() && waiting.last().is_none());
        let soon = QueueCount::default();
        {
            let mut state = soon.0.lock().unwrap();
            state.ended = Instant::now()
                .checked_sub(Duration::from_secs(11))
                .map(|ended| (ended, Duration::from_millis(100)));
        }
        assert!(soon.begin());
    }
}
