//! The working side of `tail`: rounds of reading, and what keeps the store in order beside them.

use crate::clock::now_ms;
use crate::config::{Config, TailConfig};
use crate::ingest::cover;
use crate::ingest::{self, Job, Progress, RunLimits};
use crate::model::log_kinds::is_mta;
use crate::model::time::{HOUR_MS, UtcMs};
use crate::normalise::attribution::Attribution;
use crate::service::follow::zones::ZoneWarnings;
use crate::service::follow::{FollowLimits, Follower, Round};
use crate::service::log_throttle::LogThrottle;
use crate::setup::clock::retention;
use crate::setup::plan::{UnnamedArgs, plan};
use crate::setup::{Setup, config_words};
use crate::source::Stamp;
use crate::source::journal;
use crate::source::watch::folders_of;
use crate::store::Store;
use crate::store::catalogue::Heartbeat;
use crate::store::commit::{Commit, put_heartbeats};
use crate::store::linker::link_hops;
use crate::store::maintenance::compact_small;
use crate::store::retention::forget_old;
use crate::web::CommitMetrics;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// From heartbeat to heartbeat.
const HEARTBEAT_MS: i64 = 10_000;

/// From look to look at what is too old to keep.
const FORGET_MS: i64 = HOUR_MS;

/// Bytes of a log that are read at once.
const CHUNK_BYTES: usize = 256 << 10;

/// What the waiting side asks for.
pub(crate) enum Order {
    /// Read what is new; with `scan`, look at the names too.
    Round {
        /// Poll at the names.
        scan: bool,
    },
    /// Take the configuration anew.
    Reload,
}

/// What came of an order.
#[derive(Default)]
pub(crate) struct Answer {
    /// Something was read.
    pub(crate) grew: bool,
    /// The names must be looked at at once.
    pub(crate) wants_scan: bool,
    /// Something stands still and will be tried again.
    pub(crate) trouble: bool,
    /// There is a new configuration.
    pub(crate) reloaded: Option<Reloaded>,
}

/// What the waiting side needs of a new configuration.
pub(crate) struct Reloaded {
    pub(crate) tail: TailConfig,
    pub(crate) patterns: Vec<PathBuf>,
}

/// Who is told how a round goes on.
#[derive(Clone)]
pub(crate) struct RoundProgress {
    /// The watchdog, however long it takes: the first round may read archives for minutes.
    pub(crate) alive: Arc<AtomicU64>,
    /// Whoever shows metrics.
    pub(crate) commits: Option<Arc<CommitMetrics>>,
}

impl Progress for RoundProgress {
    fn content(&self, _: u64) {
        self.alive.fetch_add(1, Ordering::Relaxed);
    }

    fn file(&self, _: u64) {
        self.alive.fetch_add(1, Ordering::Relaxed);
    }

    fn committed(&self, commit: &Commit, took: Duration) {
        if let Some(commits) = &self.commits {
            commits.committed(commit, took, now_ms());
        }
    }
}

/// Why rounds with one set of rules end.
enum RoundsEnd {
    /// It was told to stop.
    Stop,
    /// There are hosts whose logs were not known to be read.
    Hosts,
    /// There is another configuration.
    Reloaded,
}

/// Store, configuration, and what was told.
pub(crate) struct Worker {
    setup: Setup,
    config: Config,
    store: Store,
    stop: Arc<AtomicBool>,
    progress: RoundProgress,
    throttle: LogThrottle,
    /// Sends what is committed, if it is to be sent.
    shipping: Option<std::thread::JoinHandle<()>>,
}

impl Worker {
    /// Opens the store: a second daemon ends here.
    pub(crate) fn new(setup: &Setup, config: Config, stop: Arc<AtomicBool>, progress: RoundProgress) -> Result<Worker> {
        let store = setup.create_store(&config)?;
        Ok(Worker {
            setup: setup.clone(),
            shipping: crate::service::ship::start(setup, &config, &stop)?,
            store,
            config,
            stop,
            progress,
            throttle: LogThrottle::default(),
        })
    }

    /// Works until the orders end.
    pub(crate) fn run(mut self, mut orders: UnboundedReceiver<Order>, answers: &UnboundedSender<Answer>) -> Result<()> {
        let words = config_words(&self.config);
        let mut attribution = self.setup.attribution_for(&mut self.config, &self.store)?;
        announce(&words, &self.config, &self.store);
        let mut waiting_side = WaitingSide {
            orders: &mut orders,
            answers,
        };
        loop {
            let mut limits = self.setup.limits(&self.config);
            // A second of a busy log is a megabyte: buffers of that size would be what a tail holds most of.
            limits.source.chunk_bytes = CHUNK_BYTES;
            let jobs = scan_jobs(&self.config, &limits, &mut self.throttle)?;
            let covered = cover(&mut attribution, &jobs, &self.store)?;
            reread(&self.store, &attribution, &jobs, &limits, &self.progress);
            let rules = RoundRules {
                attribution: &attribution,
                covered: &covered,
                limits: &limits,
            };
            match self.follow(&rules, jobs, &mut waiting_side)? {
                RoundsEnd::Stop => break,
                RoundsEnd::Hosts => {}
                RoundsEnd::Reloaded => attribution = self.setup.attribution_for(&mut self.config, &self.store)?,
            }
        }
        if let Some(thread) = self.shipping.take()
            && thread.join().is_err()
        {
            tracing::error!("the sender failed; what waits is sent after the next start");
        }
        Ok(())
    }

    /// Reads by one set of rules, until it ends.
    fn follow(
        &mut self,
        rules: &RoundRules<'_>,
        jobs: Vec<Job>,
        waiting_side: &mut WaitingSide<'_>,
    ) -> Result<RoundsEnd> {
        let tail = tail_limits(&self.config.tail);
        // The store outlives the follower; the rest of the worker is changed beside it.
        let Worker {
            setup,
            config,
            store,
            stop,
            progress,
            throttle,
            ..
        } = self;
        let mut follower = Follower::new(store, rules.attribution, rules.limits, &tail, &*progress);
        let mut maintenance = Maintenance::new(now_ms(), config.store.retain_days, tail);
        let mut names = FolderTimes::of(config);
        let mut zones = ZoneWarnings::default();
        // What was just found is what the first round reads.
        let mut found = Some(jobs);
        while let Some(order) = waiting_side.orders.blocking_recv() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let scan = match order {
                Order::Round { scan } => names.changed() || scan || found.is_some(),
                Order::Reload => match reload(setup, config) {
                    Some(new) => {
                        *config = new;
                        waiting_side.reloaded(config);
                        return Ok(RoundsEnd::Reloaded);
                    }
                    None => continue,
                },
            };
            let now = now_ms();
            let jobs = match found.take() {
                Some(jobs) => Some(jobs),
                None => scan.then(|| scan_jobs(config, rules.limits, throttle)).transpose()?,
            };
            if jobs.as_ref().is_some_and(|jobs| rules.lack_a_host(jobs)) {
                waiting_side.wants_scan();
                return Ok(RoundsEnd::Hosts);
            }
            let round = follower.round(now, jobs, stop);
            tell(&round, throttle, now);
            zones.take(store, &round.reports, throttle, now);
            maintenance.after(store, &mut follower, &round, now);
            if !waiting_side.has_read(&round) {
                break;
            }
        }
        maintenance.at_the_end(store, &mut follower);
        Ok(RoundsEnd::Stop)
    }
}

/// One set of rules that rounds read by.
struct RoundRules<'r> {
    attribution: &'r Attribution,
    /// Hosts whose logs are known to be read.
    covered: &'r [String],
    limits: &'r RunLimits,
}

impl RoundRules<'_> {
    /// Whether there is a relay whose logs were not known to be read: then the rules change.
    fn lack_a_host(&self, jobs: &[Job]) -> bool {
        jobs.iter()
            .any(|job| is_mta(job.kind) && !self.covered.contains(&job.host))
    }
}

/// The channels from and to the side that waits.
struct WaitingSide<'c> {
    orders: &'c mut UnboundedReceiver<Order>,
    answers: &'c UnboundedSender<Answer>,
}

impl WaitingSide<'_> {
    fn reloaded(&self, config: &Config) {
        let reloaded = Some(Reloaded {
            tail: config.tail,
            patterns: patterns(config),
        });
        let _ = self.answers.send(Answer {
            reloaded,
            ..Answer::default()
        });
    }

    fn wants_scan(&self) {
        let _ = self.answers.send(Answer {
            wants_scan: true,
            ..Answer::default()
        });
    }

    /// Answers with what a round did. False if nobody waits for it any more.
    fn has_read(&self, round: &Round) -> bool {
        let answer = Answer {
            grew: round.lines() > 0,
            wants_scan: round.wants_scan,
            trouble: !round.troubles.is_empty(),
            reloaded: None,
        };
        self.answers.send(answer).is_ok()
    }
}

/// Brings back what the store has lost, before anything else is read. What cannot be read today is no reason to stop.
fn reread(store: &Store, attribution: &Attribution, jobs: &[Job], limits: &RunLimits, progress: &dyn Progress) {
    match ingest::reread(store, attribution, jobs, limits, progress) {
        Ok(done) if done == ingest::Reread::default() => {}
        Ok(done) => tracing::warn!(
            "{} missing rows were read again; {} are still missing, and {} are lost because their logs are gone",
            done.rows,
            done.missing,
            done.lost
        ),
        Err(error) => tracing::error!("cannot read missing rows again: {}", error),
    }
}

fn tail_limits(tail: &TailConfig) -> FollowLimits {
    FollowLimits {
        deleted_wait_ms: tail.deleted_wait_ms as i64,
        open_files_max: tail.open_files_max,
        link_ms: tail.link_ms as i64,
        ..FollowLimits::default()
    }
}

/// Says at the start what is followed, and where it goes.
fn announce(words: &str, config: &Config, store: &Store) {
    let files: Vec<String> = config.files.iter().map(|file| file.display().to_string()).collect();
    let ship = match &config.store.ship {
        Some(place) => format!(", sent on to {place}"),
        None => String::new(),
    };
    tracing::info!(
        target: "mailpulse::announce",
        "tail {} follows {words} ({}) into {}{ship}",
        env!("CARGO_PKG_VERSION"),
        files.join(", "),
        store.path().display()
    );
}

/// A new configuration, if it is right, and of the same store.
fn reload(setup: &Setup, old: &Config) -> Option<Config> {
    match setup.config() {
        Ok(new) if new.store.folder != old.store.folder => {
            tracing::error!(
                "configuration not reloaded: it names another store ({}). Restart to change the store; the old \
                 configuration stays in effect",
                new.store.folder.display()
            );
            None
        }
        Ok(new) if new.store.ship != old.store.ship => {
            tracing::error!(
                "configuration not reloaded: `ship` has changed. Restart to change it; the old \
                 configuration stays in effect"
            );
            None
        }
        Ok(new) if new.sources.is_empty() => {
            tracing::error!(
                "configuration not reloaded: it names no [[source]]. The old configuration stays in \
                 effect"
            );
            None
        }
        Ok(new) => {
            tracing::info!(target: "mailpulse::announce", "configuration reloaded: {}", config_words(&new));
            Some(new)
        }
        Err(error) => {
            tracing::error!(
                "configuration not reloaded, the old one stays in effect: {}",
                crate::model::text::safe_error(&error)
            );
            None
        }
    }
}

fn scan_jobs(config: &Config, limits: &RunLimits, throttle: &mut LogThrottle) -> Result<Vec<Job>> {
    let plan = plan(config, &[], &UnnamedArgs::default(), &limits.source)?;
    let now = now_ms();
    for problem in &plan.problems {
        if throttle.is_news(&problem.words, now) {
            tracing::warn!("{}", problem.words);
        }
    }
    Ok(plan.jobs)
}

fn tell(round: &Round, throttle: &mut LogThrottle, now_ms: UtcMs) {
    for report in &round.reports {
        tracing::info!(
            host = report.host,
            kind = report.kind,
            lines = report.counts.lines,
            events = report.counts.events,
            unparsed = report.counts.unparsed,
            "read"
        );
        for problem in &report.problems {
            let words = format!("{}: {}", problem.path.display(), problem.what);
            if throttle.is_news(&words, now_ms) {
                tracing::warn!("{}", words);
            }
        }
    }
    for trouble in &round.troubles {
        let words = format!("{} ({}): {}", trouble.host, trouble.kind, trouble.error);
        if throttle.is_news(&words, now_ms) {
            tracing::error!("{}; mailpulse tries again, and skips nothing", words);
        }
    }
    for path in &round.given_up {
        tracing::warn!(
            "{}: deleted or moved away, but a program still writes to it. It is not read any more; make the program \
             reopen its log",
            path.display()
        );
    }
}

/// The patterns of all sources, and the journal's folders.
pub(super) fn patterns(config: &Config) -> Vec<PathBuf> {
    let globs = config.sources.iter().flat_map(|source| &source.paths);
    let mut patterns: Vec<PathBuf> = globs.map(|glob| PathBuf::from(glob.as_str())).collect();
    for part in config.sources.iter().filter_map(|source| source.journal.as_ref()) {
        let folders = journal::folders(part.directory.as_deref());
        patterns.extend(folders.iter().map(|folder| folder.join("*.journal")));
        patterns.extend(folders.iter().map(|folder| folder.join("*/*.journal")));
    }
    patterns
}

/// Whether names may have changed: the folders' own times say so.
struct FolderTimes {
    patterns: Vec<PathBuf>,
    seen: BTreeMap<PathBuf, Option<UtcMs>>,
}

impl FolderTimes {
    fn of(config: &Config) -> Self {
        FolderTimes {
            patterns: patterns(config),
            seen: BTreeMap::new(),
        }
    }

    fn changed(&mut self) -> bool {
        let mut changed = false;
        for folder in self.patterns.iter().flat_map(|pattern| folders_of(pattern)) {
            let time = std::fs::metadata(&folder).ok();
            let time = time.map(|metadata| Stamp::of(&metadata, crate::source::Codec::Plain).mtime_ms);
            changed |= self.seen.insert(folder, time) != Some(time);
        }
        changed
    }
}

/// What is done beside the rounds, each in its time.
struct Maintenance {
    heartbeat_ms: UtcMs,
    link_ms: UtcMs,
    compact_ms: UtcMs,
    forget_ms: UtcMs,
    retain_days: u32,
    limits: FollowLimits,
    copies: crate::service::catalogue_copies::Copies,
    /// Something was committed since the last link.
    news: bool,
    /// By source: how old its newest line was when it was read, at most since the last heartbeat.
    lags: BTreeMap<(String, &'static str), i64>,
}

impl Maintenance {
    fn new(now_ms: UtcMs, retain_days: u32, limits: FollowLimits) -> Self {
        Maintenance {
            forget_ms: now_ms,
            retain_days,
            limits,
            heartbeat_ms: now_ms,
            link_ms: now_ms,
            compact_ms: now_ms,
            copies: crate::service::catalogue_copies::Copies::default(),
            news: true,
            lags: BTreeMap::new(),
        }
    }

    fn after(&mut self, store: &Store, follower: &mut Follower<'_>, round: &Round, now_ms: UtcMs) {
        for report in &round.reports {
            self.news |= report.counts.events > 0;
            if let Some((_, last)) = report.span_ms {
                let lag = self.lags.entry((report.host.clone(), report.kind)).or_default();
                *lag = (*lag).max(now_ms - last);
            }
        }
        // A clock that was set back must not stop this for as long.
        let is_due = |at: UtcMs, every: i64| now_ms >= at || at - now_ms > 2 * every;
        if is_due(self.heartbeat_ms, HEARTBEAT_MS) && !round.wants_scan {
            self.heartbeat_ms = now_ms + HEARTBEAT_MS;
            let lags = std::mem::take(&mut self.lags);
            let heartbeats: Vec<Heartbeat> = follower
                .at_end()
                .map(|(host, kind, source)| Heartbeat {
                    source,
                    lag_ms: lags.get(&(host.to_owned(), kind)).copied(),
                })
                .collect();
            if let Err(error) = put_heartbeats(store, &heartbeats, now_ms) {
                tracing::warn!("cannot store a heartbeat: {}", error);
            }
        }
        if self.news && is_due(self.link_ms, self.limits.link_ms) {
            let took_ms = self.link(store, follower);
            // However much there is to look through, it takes a twentieth of the time at most.
            self.link_ms = now_ms + self.limits.link_ms.max(20 * took_ms);
        }
        if is_due(self.forget_ms, FORGET_MS) {
            self.forget_ms = now_ms + FORGET_MS;
            if let Err(error) = forget_old(store, &retention(self.retain_days)) {
                tracing::warn!("cannot remove old days: {}", error);
            }
        }
        self.copies.after(store.path(), now_ms);
        if is_due(self.compact_ms, self.limits.compact_ms) {
            self.compact_ms = now_ms + self.limits.compact_ms;
            if let Err(error) = compact_small(store) {
                tracing::warn!("cannot compact: {}", error);
            }
        }
    }

    fn link(&mut self, store: &Store, follower: &mut Follower<'_>) -> i64 {
        let begin = std::time::Instant::now();
        match link_hops(store) {
            Ok(linked) => {
                follower.relink(&linked.open);
                self.news = false;
            }
            Err(error) => tracing::warn!("cannot link arrivals: {}", error),
        }
        begin.elapsed().as_millis() as i64
    }

    fn at_the_end(&mut self, store: &Store, follower: &mut Follower<'_>) {
        if self.news {
            self.link(store, follower);
        }
    }
}
