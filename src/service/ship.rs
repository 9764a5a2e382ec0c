//! Sends the outbox while `tail` reads: on a thread of its own, so that a server that hangs holds up no line.
//!
//! Whatever becomes of the sender, `tail` goes on: one that cannot begin (another process sends from this store), fails or
//! panics is reported at once, kept for `status`, and begun again later and later.

use crate::clock::now_ms;
use crate::config::Config;
use crate::service::backoff::{AGAIN, Failures, panic_words};
use crate::service::log_throttle::LogThrottle;
use crate::service::stored_trouble::StoredTrouble;
use crate::setup::Setup;
use crate::store::clickhouse::ship::{SendStep, Shipper};
use crate::store::clickhouse::{ClickHouseError, ClientOptions, Endpoint};
use anyhow::{Context as _, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// From look to look whether it is to end.
const LOOK: Duration = Duration::from_millis(100);
/// Topic of its troubles in the store.
const TOPIC: &str = "sender";

/// Starts sending, if the configuration says where to.
pub(crate) fn start(setup: &Setup, config: &Config, stop: &Arc<AtomicBool>) -> Result<Option<JoinHandle<()>>> {
    let Some(place) = &config.store.ship else {
        return Ok(None);
    };
    let sender = Sender {
        folder: config.store.folder.clone(),
        place: place.clone(),
        options: setup.clickhouse_options(config)?,
        retain_days: config.store.retain_days,
        every: Duration::from_millis(config.clickhouse.ship_every_ms),
    };
    let stop = Arc::clone(stop);
    let thread = std::thread::Builder::new().name("ship".to_owned());
    let thread = thread
        .spawn(move || {
            let mut notes = Notes::new(sender.folder.clone());
            supervise(&stop, AGAIN, &mut notes, |notes| sender.send(notes, &stop));
        })
        .context("a thread for sending")?;
    Ok(Some(thread))
}

/// Runs senders, one after the other, until it is told to stop.
fn supervise(
    stop: &AtomicBool,
    again: (Duration, Duration),
    notes: &mut Notes,
    mut send: impl FnMut(&mut Notes) -> Result<(), ClickHouseError>,
) {
    let mut failures = Failures::default();
    while !stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| send(notes)));
        let pause = failures.pause(begin.elapsed(), again);
        match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) => notes.trouble(&error.to_string()),
            Err(panic) => notes.fault(&panic_words(panic.as_ref()), pause),
        }
        rest(pause, stop);
    }
}

fn rest(pause: Duration, stop: &AtomicBool) {
    let begin = Instant::now();
    while begin.elapsed() < pause && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK.min(pause));
    }
}

/// What a sender needs.
struct Sender {
    folder: PathBuf,
    place: Endpoint,
    options: ClientOptions,
    retain_days: u32,
    every: Duration,
}

impl Sender {
    /// Sends until it is told to stop.
    fn send(&self, notes: &mut Notes, stop: &AtomicBool) -> Result<(), ClickHouseError> {
        let mut shipper = Shipper::open(&self.folder, &self.place, &self.options, self.retain_days)?;
        while !stop.load(Ordering::Relaxed) {
            let wait = match shipper.step() {
                Ok(SendStep::Sent { .. }) => {
                    notes.good();
                    continue;
                }
                Ok(SendStep::Idle) => {
                    notes.good();
                    self.every
                }
                Ok(SendStep::Quarantined { why }) => {
                    tracing::error!(
                        "the server refused a batch, which is set aside; `mailpulse store ship --retry-refused` tries \
                         it again: {}",
                        why
                    );
                    continue;
                }
                Err(error) => {
                    notes.trouble(&error.to_string());
                    Duration::from_millis(shipper.pause_ms())
                }
            };
            rest(wait, stop);
        }
        Ok(())
    }
}

/// What is told of the sender, and kept in the store for `status`.
struct Notes {
    told: LogThrottle,
    kept: StoredTrouble,
}

impl Notes {
    fn new(folder: PathBuf) -> Self {
        Notes {
            told: LogThrottle::default(),
            kept: StoredTrouble::new(folder, TOPIC),
        }
    }

    /// Something that may pass.
    fn trouble(&mut self, why: &str) {
        if self.told.is_news(why, now_ms()) {
            tracing::warn!("not sent; mailpulse keeps trying: {}", why);
        }
        self.kept.keep(why);
    }

    /// A fault of this program.
    fn fault(&mut self, why: &str, pause: Duration) {
        let what = format!(
            "the sender crashed ({why}) and is restarted. Nothing is lost: what waits stays in the outbox. Please \
             report this bug"
        );
        // At once, whatever was told before: whoever waits for rows must know.
        tracing::error!("{}; next try in {} s", what, pause.as_secs_f32());
        self.kept.keep_at_once(&what);
    }

    /// It sends.
    fn good(&mut self) {
        self.kept.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn a_sender_that_panics_is_kept_for_status_and_started_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        let (stop, mut notes) = (AtomicBool::new(false), Notes::new(folder.path().to_owned()));
        let mut lives = 0;
        let mut seen = Vec::new();
        let begin = Instant::now();
        let again = (Duration::from_millis(20), Duration::from_millis(60));
        supervise(&stop, again, &mut notes, |notes| {
            lives += 1;
            seen.push(
                store
                    .troubles()
                    .all()
                    .unwrap()
                    .pop()
                    .map(|trouble| (trouble.what, trouble.count)),
            );
            match lives {
                1 => panic!("a broken payload"),
                2 => panic!("number {lives}"),
                3 => Err(ClickHouseError::Busy {
                    path: folder.path().join("ship.lock"),
                    holder: "process 1".to_owned(),
                }),
                4 => {
                    notes.good();
                    Ok(())
                }
                _ => unreachable!("it was told to stop"),
            }
        });
        assert_eq!(lives, 4);
        assert_eq!(seen[0], None);
        // What is kept before the next one begins: at once, not at the end.
        for (life, word, count) in [(1, "a broken payload", 1), (2, "number 2", 2), (3, "process 1", 3)] {
            let (what, times) = seen[life].as_ref().unwrap();
            assert!(what.contains(word) && *times == count, "{what} {times}");
        }
        assert!(
            begin.elapsed() >= Duration::from_millis(20 + 40 + 60),
            "{:?}",
            begin.elapsed()
        );
        assert_eq!(store.troubles().all().unwrap(), [], "what has passed is not shown");
    }
}
