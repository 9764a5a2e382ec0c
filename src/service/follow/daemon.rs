//! The daemon on hosts.
//!
//! Two threads share the work. One waits, in tokio: for signals, for the system's word that a folder changed, for the
//! clock; the other (`worker`) reads and commits, one round at a time, and can be told to end a round early. Between
//! them go an order and its answer, never two at once.

use super::worker::{Answer, Order, RoundProgress, Worker, patterns};
use crate::config::Config;
use crate::service::orders::{Orders, Signals, Told};
use crate::service::watchdog::{ReadingPulse, Watchdog};
use crate::setup::Setup;
use crate::source::watch::{FolderWatch, folders_of};
use crate::web::CommitMetrics;
use anyhow::{Context as _, Result, bail};
use sd_notify::NotifyState;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// Nothing grew for so long: the system may tell when something does.
const QUIET: Duration = Duration::from_secs(5);
/// What a stop may take; a round that does not end by then is read again at the next start.
const STOP: Duration = Duration::from_secs(5);
/// Changes that come so close together are one.
const DEBOUNCE: Duration = Duration::from_millis(20);

/// Follows until a signal tells it to stop; systemd is told how it goes.
///
/// # Errors
/// The store cannot be opened; the work failed.
pub fn run(setup: &Setup, config: Config) -> Result<()> {
    let runtime = runtime()?;
    let reading = ReadingPulse::default();
    runtime.block_on(async {
        let daemon = Daemon::start(setup, config, reading.clone(), None)?;
        let signals = Signals::new()?;
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        let stopping = || _ = sd_notify::notify(&[NotifyState::Stopping]);
        daemon
            .serve(Orders::Signals(signals), Watchdog::new(), (STOP, &stopping))
            .await
    })
}

/// What a supervisor gives a tail.
pub(crate) struct SupervisedTail<'c> {
    /// What it is told.
    pub orders: Orders,
    /// What the reading does, for the watchdog.
    pub reading: ReadingPulse,
    /// What a stop may take.
    pub stop_within: Duration,
    /// Counts what is committed.
    pub commits: Option<Arc<CommitMetrics>>,
    /// To be called when it has begun; whoever called tells systemd.
    pub is_well: &'c dyn Fn(),
}

/// Follows until its supervisor tells it to stop.
///
/// # Errors
/// As [`run`].
pub(crate) fn supervised(setup: &Setup, config: Config, with: SupervisedTail<'_>) -> Result<()> {
    let runtime = runtime()?;
    runtime.block_on(async {
        let daemon = Daemon::start(setup, config, with.reading, with.commits)?;
        (with.is_well)();
        daemon
            .serve(with.orders, Watchdog::elsewhere(), (with.stop_within, &|| ()))
            .await
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().context("tokio")
}

/// What the system told since the last round.
const NOTHING: u8 = 0;
const GROWTH: u8 = 1;
const NAMES: u8 = 2;

/// The waiting side.
struct Daemon {
    watching: bool,
    patterns: Vec<PathBuf>,
    poll: Duration,
    rescan: Duration,
    orders: mpsc::UnboundedSender<Order>,
    answers: mpsc::UnboundedReceiver<Answer>,
    worker: std::thread::JoinHandle<Result<()>>,
    stop: Arc<AtomicBool>,
    /// What the worker does, for the watchdog.
    reading: ReadingPulse,
    hint: Arc<Notify>,
    hinted: Arc<AtomicU8>,
}

/// When the next round is, and what it looks at.
struct Pace {
    next_scan: Instant,
    next_round: Instant,
    grew: Instant,
}

impl Daemon {
    fn start(
        setup: &Setup,
        config: Config,
        reading: ReadingPulse,
        commits: Option<Arc<CommitMetrics>>,
    ) -> Result<Daemon> {
        let (orders, to_do) = mpsc::unbounded_channel();
        let (to_answer, answers) = mpsc::unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (watching, patterns) = (config.tail.watch, patterns(&config));
        let (poll, rescan) = (config.tail.poll_ms, config.tail.rescan_ms);
        let alive = RoundProgress {
            alive: Arc::clone(&reading.alive),
            commits,
        };
        let worker = Worker::new(setup, config, Arc::clone(&stop), alive)?;
        let worker = std::thread::Builder::new()
            .name("tail".to_owned())
            .spawn(move || worker.run(to_do, &to_answer))
            .context("a thread for the work")?;
        Ok(Daemon {
            watching,
            patterns,
            poll: Duration::from_millis(poll),
            rescan: Duration::from_millis(rescan),
            orders,
            answers,
            worker,
            stop,
            reading,
            hint: Arc::new(Notify::new()),
            hinted: Arc::new(AtomicU8::new(NOTHING)),
        })
    }

    async fn serve(
        mut self,
        mut orders: Orders,
        mut watchdog: Watchdog,
        (stop, stopping): (Duration, &dyn Fn()),
    ) -> Result<()> {
        let now = Instant::now();
        let mut pace = Pace {
            next_scan: now,
            next_round: now,
            grew: now,
        };
        let mut watch = None;
        loop {
            let busy = self.reading.busy.load(Ordering::Relaxed);
            tokio::select! {
                told = orders.next() => match told {
                    Told::Reload => _ = self.orders.send(Order::Reload),
                    Told::Stop => {
                        stopping();
                        return self.end(&mut orders, stop).await;
                    }
                },
                () = self.hint.notified(), if !busy => {
                    // As an event a line, a busy log would cost more to be told of than to be read.
                    watch = None;
                    tokio::time::sleep(DEBOUNCE).await;
                    let now = Instant::now();
                    (pace.next_round, pace.grew) = (now, now);
                }
                () = tokio::time::sleep_until(pace.next_round), if !busy => {
                    let told = self.hinted.swap(NOTHING, Ordering::Relaxed);
                    let scan = told == NAMES || Instant::now() >= pace.next_scan;
                    let is_sent = self.orders.send(Order::Round { scan }).is_ok();
                    self.reading.busy.store(is_sent, Ordering::Relaxed);
                    if scan {
                        pace.next_scan = Instant::now() + self.rescan;
                    }
                }
                answer = self.answers.recv() => {
                    self.reading.busy.store(false, Ordering::Relaxed);
                    let Some(answer) = answer else { return self.failed() };
                    self.next(&answer, &mut pace, &mut watch);
                }
                () = watchdog.tick() => watchdog.ping(&self.reading),
            }
        }
    }

    /// After a round: when is the next one?
    fn next(&mut self, answer: &Answer, pace: &mut Pace, watch: &mut Option<FolderWatch>) {
        let now = Instant::now();
        if let Some(reloaded) = &answer.reloaded {
            (self.watching, self.patterns) = (reloaded.tail.watch, reloaded.patterns.clone());
            (self.poll, self.rescan) = (
                Duration::from_millis(reloaded.tail.poll_ms),
                Duration::from_millis(reloaded.tail.rescan_ms),
            );
            (pace.next_scan, pace.next_round, *watch) = (now, now, None);
            return;
        }
        if answer.wants_scan {
            (pace.next_scan, pace.next_round) = (now, now);
            return;
        }
        if answer.grew {
            pace.grew = now;
        }
        pace.next_round = now + self.poll;
        if !self.watching || now - pace.grew < QUIET || answer.trouble {
            return;
        }
        if watch.is_some() {
            pace.next_round = pace.next_scan;
            return;
        }
        // One more round after this: what happened before the watch was set has no event.
        *watch = self.watch();
        if watch.is_none() {
            self.watching = false;
        }
        pace.next_round = now;
    }

    fn watch(&self) -> Option<FolderWatch> {
        let mut folders: Vec<PathBuf> = self.patterns.iter().flat_map(|pattern| folders_of(pattern)).collect();
        folders.sort();
        folders.dedup();
        let (hint, hinted) = (Arc::clone(&self.hint), Arc::clone(&self.hinted));
        let changed = move |names: bool| {
            hinted.fetch_max(if names { NAMES } else { GROWTH }, Ordering::Relaxed);
            hint.notify_one();
        };
        match FolderWatch::new(&folders, changed) {
            Ok(watch) => {
                let Some((folder, why)) = watch.unwatched.first() else {
                    return Some(watch);
                };
                // A folder that is not there comes with a rescan; anything else means that nobody will tell.
                if !folder.exists() {
                    return Some(watch);
                }
                tracing::warn!(
                    "{}: cannot be watched ({why}); polling every {} ms instead (raise fs.inotify.max_user_watches, \
                     or set [tail] watch = false)",
                    folder.display(),
                    self.poll.as_millis()
                );
                None
            }
            Err(why) => {
                tracing::warn!(
                    "changes cannot be watched ({why}); polling every {} ms instead (raise \
                     fs.inotify.max_user_instances, or set [tail] watch = false)",
                    self.poll.as_millis()
                );
                None
            }
        }
    }

    /// A clean stop: the round ends early, what was read is committed. A second signal does not wait for it.
    async fn end(mut self, told: &mut Orders, within: Duration) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.orders);
        let ended = async { while self.answers.recv().await.is_some() {} };
        let again = async { while told.next().await != Told::Stop {} };
        tokio::select! {
            () = ended => {}
            () = again => return Ok(()),
            () = tokio::time::sleep(within) => {
                tracing::warn!("the current round did not end within {} s; its lines are read again at the next \
                start", within.as_secs_f32());
                return Ok(());
            }
        }
        self.worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// The worker has ended by itself.
    fn failed(self) -> Result<()> {
        // What sends for it ends with it.
        self.stop.store(true, Ordering::Relaxed);
        let ended = self
            .worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        ended.and_then(|()| bail!("the worker ended without an error"))
    }
}
