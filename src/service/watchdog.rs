//! systemd's watchdog: told that the reading goes on, and not told when it does not. A reader that waits by design, because
//! the outbox or the disk is full, is not in a round, and is alive.

use sd_notify::NotifyState;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::time::MissedTickBehavior;

/// What the reading does.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadingPulse {
    /// It is in a round.
    pub busy: Arc<AtomicBool>,
    /// Counts what it has done.
    pub alive: Arc<AtomicU64>,
}

/// The watchdog of this process.
#[derive(Debug)]
pub(crate) struct Watchdog {
    ticks: Option<tokio::time::Interval>,
    seen: u64,
}

impl Watchdog {
    /// As systemd asks for it; within a tokio runtime.
    #[must_use]
    pub(crate) fn new() -> Self {
        let ticks = sd_notify::watchdog_enabled().map(|limit| {
            let mut ticks = tokio::time::interval(limit / 3);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        Watchdog { ticks, seen: 0 }
    }

    /// One that somebody else feeds.
    #[must_use]
    pub(crate) fn elsewhere() -> Self {
        Watchdog { ticks: None, seen: 0 }
    }

    /// When it is to be fed.
    pub(crate) async fn tick(&mut self) {
        match &mut self.ticks {
            Some(ticks) => _ = ticks.tick().await,
            None => std::future::pending().await,
        }
    }

    /// Feeds it. A round that goes on for long is alive as long as it reads.
    pub(crate) fn ping(&mut self, reading: &ReadingPulse) {
        let done = reading.alive.load(Ordering::Relaxed);
        if !reading.busy.load(Ordering::Relaxed) || done != self.seen {
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        }
        self.seen = done;
    }
}

impl Default for Watchdog {
    fn default() -> Self {
        Watchdog::new()
    }
}
