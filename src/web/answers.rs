//! Questions to the store. They block, so that they run in a pool of a few threads; what several ask at once is computed once,
//! and kept until rows of its time come or change.

use super::failure::Failure;
use super::kept_places::KeptPlaces;
use super::shared::SharedAnswers;
use crate::analysis::expected_ranges::ExpectedRanges;
use crate::analysis::incomplete::lines;
use crate::analysis::judgement::{DetectionState, LiveJudge};
use crate::analysis::kept::Kept;
use crate::clock::now_ms;
use crate::config::Config;
use crate::detect::engine::Options;
use crate::model::text::safe_error;
use crate::model::time::{End, Minute, UtcMs};
use crate::query::history::{Backend, MailHistory};
use crate::query::history_version::HistoryVersion;
use crate::query::{QueryError, Window};
use crate::setup::Setup;
use crate::setup::detection::{Overrides, kept_in_memory, options};
use crate::store::segments::Incomplete;
use anyhow::Result;
use std::any::Any;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, Semaphore};

/// Questions that wait for a thread; more are refused.
const WAITING_MAX: usize = 64;
/// Answers that are kept.
const KEPT_MAX: usize = 256;
/// For so long an answer is given again without a look at the store.
const TICK: Duration = Duration::from_secs(2);
/// What took long is given again for so many times as long: the same question, asked on and on, takes a tenth of a processor.
const SPARED: u32 = 9;
/// But no longer.
const SPARED_MAX: Duration = Duration::from_secs(10);
/// A server is not asked what changed: its answers are given again for so long.
const REMOTE: Duration = Duration::from_secs(15);
/// A request waits so long for an answer, and is told to come again.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What a question is asked of.
pub(super) struct Asker<'a> {
    /// Whoever answers.
    pub backend: &'a Backend,
    /// The configuration.
    pub config: &'a Config,
    /// The time on the clock, UTC milliseconds; it may stand still.
    pub now_ms: UtcMs,
    /// Snapshots of the detection.
    pub kept: &'a Kept,
    /// What was expected of buckets that are over.
    pub ranges: &'a ExpectedRanges,
    /// What pages of several subjects are cut from.
    shared: &'a SharedAnswers,
    /// What could not be read.
    incomplete: &'a Incomplete,
    /// The detection, as far as it has judged.
    judge: &'a Mutex<LiveJudge>,
    /// The clock stands still: what comes later is not known.
    is_standing: bool,
}

impl Asker<'_> {
    /// The history.
    pub(super) fn store(&self) -> &dyn MailHistory {
        self.backend.history()
    }

    /// Whether the clock stands still.
    pub(super) fn is_standing(&self) -> bool {
        self.is_standing
    }

    /// The answer to a question about all subjects of a window, of which each page takes its part: asked once for all pages, and
    /// again when rows of the window come. No two questions have one name.
    ///
    /// # Errors
    /// The question has no answer.
    pub(super) fn shared<T: Send + Sync + 'static>(
        &self,
        (name, window): (&str, Window),
        ask: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        self.shared.of((self.backend, self.incomplete), (name, window), ask)
    }

    /// The detection's options.
    pub(super) fn options(&self) -> Options {
        options(self.config, &Overrides::default())
    }

    /// What the detection says now.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(super) fn judgement(&self) -> Result<Arc<DetectionState>> {
        let mut judge = self.judge.lock().unwrap_or_else(PoisonError::into_inner);
        judge.at(self.store(), self.now_ms, self.is_standing)
    }
}

/// An answer, and what it lacks.
#[derive(Debug)]
pub(super) struct StoreAnswer<T> {
    /// The answer.
    pub value: T,
    /// What could not be read, a line each.
    pub lacks: Vec<String>,
    /// When it was last known to be true, UTC milliseconds.
    as_of_ms: AtomicI64,
}

impl<T> StoreAnswer<T> {
    /// When it was last known to be true.
    pub(super) fn as_of_ms(&self) -> UtcMs {
        UtcMs::new(self.as_of_ms.load(Ordering::Relaxed))
    }
}

/// An answer that is kept.
struct KeptAnswer {
    answer: Arc<dyn Any + Send + Sync>,
    /// What its minutes were like.
    mark: Option<HistoryVersion>,
    /// When it was last known to be true.
    checked: Instant,
    /// What it took.
    cost: Duration,
}

impl KeptAnswer {
    /// Whether it is given again without a look at the store.
    fn is_fresh(&self) -> bool {
        self.checked.elapsed() < TICK.max(self.cost.saturating_mul(SPARED).min(SPARED_MAX))
    }
}

/// One question's place: whoever has it computes.
type Place = Arc<AsyncMutex<Option<KeptAnswer>>>;

/// A question's name, and the time that it is about: what changes elsewhere does not change its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct QuestionKey {
    /// The question with all its parameters.
    pub name: String,
    /// First minute.
    pub from: Minute,
    /// The minute after the last one.
    pub to: Minute,
}

impl QuestionKey {
    /// A question about a window.
    pub(super) fn of(name: String, window: Window) -> QuestionKey {
        QuestionKey {
            name,
            from: window.since_ms.minute(),
            to: window.until_ms.minute().saturating_add(1),
        }
    }

    /// A question about all that has happened up to a minute.
    pub(super) fn until(name: &str, until_ms: UtcMs) -> QuestionKey {
        let window = Window {
            since_ms: UtcMs::MIN,
            until_ms,
        };
        QuestionKey::of(name.to_owned(), window)
    }
}

/// Answers questions.
pub(super) struct Answers {
    setup: Setup,
    config: Config,
    /// Where the clock stands, if it does.
    at_ms: Option<UtcMs>,
    threads: Arc<Semaphore>,
    waiting: AtomicUsize,
    kept: KeptPlaces<QuestionKey, Place>,
    snapshots: Kept,
    ranges: ExpectedRanges,
    shared: SharedAnswers,
    judge: Arc<Mutex<LiveJudge>>,
}

impl Answers {
    /// Nothing is asked yet.
    pub(super) fn new(setup: &Setup, config: Config, at_ms: Option<UtcMs>) -> Answers {
        let snapshots = kept_in_memory(&config);
        let judge = LiveJudge::new(options(&config, &Overrides::default()), snapshots.clone());
        Answers {
            setup: setup.clone(),
            threads: Arc::new(Semaphore::new(config.serve.questions_max)),
            config,
            at_ms,
            waiting: AtomicUsize::new(0),
            kept: KeptPlaces::new(KEPT_MAX),
            snapshots,
            ranges: ExpectedRanges::default(),
            shared: SharedAnswers::default(),
            judge: Arc::new(Mutex::new(judge)),
        }
    }

    /// The configuration.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// The time on the clock, or where it stands.
    pub(super) fn now_ms(&self) -> UtcMs {
        self.at_ms.unwrap_or_else(now_ms)
    }

    /// Whether the clock stands still.
    pub(super) fn is_standing(&self) -> bool {
        self.at_ms.is_some()
    }

    /// Answers a question, or gives the answer that is kept. The computation goes on when whoever asked has gone: the next one
    /// finds its answer.
    ///
    /// # Errors
    /// There is no answer, or none in time.
    pub(super) async fn ask<T, F>(
        self: &Arc<Self>,
        key: QuestionKey,
        question: F,
    ) -> Result<Arc<StoreAnswer<T>>, Failure>
    where
        T: Send + Sync + 'static,
        F: FnOnce(&Asker<'_>) -> Result<T> + Send + 'static,
    {
        let asked = self.ask_in_time(key, question);
        tokio::time::timeout(PATIENCE, asked)
            .await
            .unwrap_or(Err(Failure::Late))
    }

    async fn ask_in_time<T, F>(self: &Arc<Self>, key: QuestionKey, question: F) -> Result<Arc<StoreAnswer<T>>, Failure>
    where
        T: Send + Sync + 'static,
        F: FnOnce(&Asker<'_>) -> Result<T> + Send + 'static,
    {
        let place = self.kept.of(&key).lock_owned().await;
        if let Some(fresh) = place.as_ref().filter(|kept| kept.is_fresh())
            && let Ok(answer) = Arc::clone(&fresh.answer).downcast()
        {
            return Ok(answer);
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Failure::Busy);
        }
        let waiting = WaitingQuestion(self);
        let permit = Arc::clone(&self.threads)
            .acquire_owned()
            .await
            .map_err(|_| Failure::Busy)?;
        drop(waiting);
        let answers = Arc::clone(self);
        let job = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            answers.compute(place, &key, question)
        });
        job.await.unwrap_or_else(|_| {
            Err(Failure::Store(
                "The question failed; the log has the reason.".to_owned(),
            ))
        })
    }

    fn compute<T, F>(
        &self,
        mut place: OwnedMutexGuard<Option<KeptAnswer>>,
        key: &QuestionKey,
        question: F,
    ) -> Result<Arc<StoreAnswer<T>>, Failure>
    where
        T: Send + Sync + 'static,
        F: FnOnce(&Asker<'_>) -> Result<T>,
    {
        let setup = Setup {
            incomplete: Incomplete::default(),
            ..self.setup.clone()
        };
        let (asked_ms, begin) = (self.now_ms(), Instant::now());
        let backend = setup.engine(&self.config).map_err(|error| self.failure(&error))?;
        if let Some(kept) = place.as_mut()
            && is_still_true(kept, key, backend.history())
            && let Ok(answer) = Arc::clone(&kept.answer).downcast::<StoreAnswer<T>>()
        {
            kept.checked = Instant::now();
            answer.as_of_ms.store(asked_ms.get(), Ordering::Relaxed);
            return Ok(answer);
        }
        // Before a row is read: what comes meanwhile makes the answer old.
        let mark = match &backend {
            Backend::Embedded(store) => MailHistory::version(store.as_ref(), Window::ALL).ok(),
            Backend::ClickHouse(_) => None,
        };
        let asker = Asker {
            backend: &backend,
            config: &self.config,
            now_ms: asked_ms,
            kept: &self.snapshots,
            ranges: &self.ranges,
            shared: &self.shared,
            incomplete: &setup.incomplete,
            judge: &self.judge,
            is_standing: self.is_standing(),
        };
        let value = question(&asker).map_err(|error| self.failure(&error))?;
        let answer = Arc::new(StoreAnswer {
            value,
            lacks: lines(&setup.incomplete).unwrap_or_default(),
            as_of_ms: AtomicI64::new(asked_ms.get()),
        });
        *place = Some(KeptAnswer {
            answer: Arc::clone(&answer) as Arc<dyn Any + Send + Sync>,
            mark,
            checked: Instant::now(),
            cost: begin.elapsed(),
        });
        Ok(answer)
    }

    /// An error as a page says it: without the places of this machine's files.
    fn failure(&self, error: &anyhow::Error) -> Failure {
        if let Some(failure) = error.downcast_ref::<Refusal>() {
            return failure.0.clone();
        }
        tracing::warn!("{}", safe_error(error));
        let mut words = safe_error(error);
        let files = [Some(self.config.store.folder.clone()), Some(self.config.key_path())];
        for path in files.into_iter().flatten().chain(self.config.files.clone()) {
            words = words.replace(&place_of(&path), "the store");
        }
        if let Some(place) = &self.config.store.remote {
            words = words.replace(&place.to_string(), "the ClickHouse server");
            words = words.replace(&format!("{}@", place.user), "");
        }
        match error.downcast_ref::<QueryError>() {
            Some(QueryError::Question(_)) => Failure::Parameter(words),
            _ => Failure::Store(words),
        }
    }
}

fn place_of(path: &Path) -> String {
    path.display().to_string()
}

/// Whether no row of an answer's time came or changed.
fn is_still_true(kept: &KeptAnswer, key: &QuestionKey, store: &dyn MailHistory) -> bool {
    match &kept.mark {
        Some(mark) => store
            .first_change(mark, key.from, key.to)
            .is_ok_and(|first| first.is_none()),
        None => kept.checked.elapsed() < REMOTE,
    }
}

/// A question that waits for a thread.
struct WaitingQuestion<'a>(&'a Answers);

impl Drop for WaitingQuestion<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A question that is refused for what it asks.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.words())]
pub(super) struct Refusal(pub Failure);

/// Where time ends: what relative times count from.
///
/// # Errors
/// The store cannot be read.
pub(super) fn end_of_time(asker: &Asker<'_>) -> Result<End> {
    crate::analysis::present::end_of(asker.store(), asker.now_ms)
}
