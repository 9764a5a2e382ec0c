//! The dead man's switch: as long as minutes of mail are judged, and not merely as long as the process lives, the configured
//! addresses are asked for. On a thread of its own: an address that hangs holds up no alarm.

use crate::alert::DeadMansSwitch;
use crate::clock::now_ms;
use crate::model::time::UtcS;
use crate::service::log_throttle::LogThrottle;
use anyhow::{Context as _, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What was judged last may be so old, by the clock: a minute waits up to three minutes for its slowest source.
const JUDGED_AGO_S: i64 = 600;
/// A round may take so long.
const ROUND_AGO: Duration = Duration::from_secs(120);
/// From look to look.
const LOOK: Duration = Duration::from_secs(1);

/// When the watch last judged.
#[derive(Debug, Clone, Default)]
pub(super) struct JudgedLast(Arc<Mutex<Option<(Instant, UtcS)>>>);

impl JudgedLast {
    /// A round went well, and mail is judged up to a time.
    pub(super) fn note(&self, judged: UtcS) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), judged));
    }

    /// Whether the watch does what it is for.
    fn is_well(&self, now: UtcS) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|(round, judged)| round.elapsed() < ROUND_AGO && now - judged < JUDGED_AGO_S)
    }
}

/// The thread, which ends with it.
pub(super) struct Beating {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // An answer that does not come is not waited for.
        drop(self.thread.take());
    }
}

/// Starts it, if there is an address.
pub(super) fn start(heartbeats: Vec<DeadMansSwitch>, judged: JudgedLast) -> Result<Option<Beating>> {
    if heartbeats.is_empty() {
        return Ok(None);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let thread = std::thread::Builder::new().name("heartbeat".to_owned());
    let thread = thread
        .spawn(move || beat(&heartbeats, &judged, &told))
        .context("a thread for heartbeats")?;
    Ok(Some(Beating {
        stop,
        thread: Some(thread),
    }))
}

fn beat(heartbeats: &[DeadMansSwitch], judged: &JudgedLast, stop: &AtomicBool) {
    let mut due: Vec<Instant> = heartbeats.iter().map(|_| Instant::now()).collect();
    let mut throttle = LogThrottle::default();
    let mut was_well = true;
    while !stop.load(Ordering::Relaxed) {
        let now = now_ms().second();
        let is_well = judged.is_well(now);
        if was_well && !is_well && due.iter().any(|due| *due <= Instant::now()) {
            tracing::info!("no heartbeat is sent until mail is evaluated up to now");
        }
        was_well = is_well;
        for (heartbeat, due) in heartbeats.iter().zip(&mut due).filter(|_| is_well) {
            if *due > Instant::now() || stop.load(Ordering::Relaxed) {
                continue;
            }
            *due = Instant::now() + heartbeat.every();
            match heartbeat.beat(now) {
                Ok(()) => tracing::debug!("heartbeat: {heartbeat}"),
                Err(why) if throttle.is_news(&why, now_ms()) => tracing::warn!("heartbeat not sent: {}", why),
                Err(_) => {}
            }
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_judges_old_mail_or_nothing_is_not_well() {
        let judged = JudgedLast::default();
        let now = UtcS::new(10_000);
        assert!(!judged.is_well(now), "nothing was judged yet");
        judged.note(now - JUDGED_AGO_S);
        assert!(!judged.is_well(now), "it is far behind the clock");
        judged.note(now - 120);
        assert!(judged.is_well(now));
    }
}
