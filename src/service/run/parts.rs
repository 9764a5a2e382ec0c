//! The parts: reading logs, sending, watching, and serving pages. Each takes the configuration anew at each start.

use super::part::{PartControl, RunPart};
use crate::config::Config;
use crate::service::follow::daemon::{self, SupervisedTail};
use crate::service::orders::Told;
use crate::service::serve::{BoundPages, Serving};
use crate::service::ship;
use crate::service::watch::{self, WatchControl, Watching};
use crate::setup::Setup;
use crate::setup::alerts::channels;
use crate::setup::detection::{Overrides, options};
use crate::web::{CommitMetrics, ServedPaths};
use anyhow::{Result, bail};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// From look to look for a minute that is over.
const WATCH_INTERVAL: Duration = Duration::from_secs(3);
/// Minutes without an event after which there is an alarm.
const STALE_MIN: u32 = 30;

/// What is committed: counted by the part that reads, and shown by those that serve.
pub(crate) type SharedCommits = Arc<CommitMetrics>;

/// Follows the logs, and sends what it commits if the configuration says where to.
pub(crate) struct TailPart {
    /// What it works on.
    pub setup: Setup,
    /// Counts what is committed, if somebody shows it.
    pub commits: Option<SharedCommits>,
}

impl RunPart for TailPart {
    fn name(&self) -> &'static str {
        "tail"
    }

    fn run(&mut self, control: PartControl<'_>) -> Result<()> {
        let config = self.setup.config()?;
        if config.sources.is_empty() {
            bail!("no [[source]] is configured any more");
        }
        let with = SupervisedTail {
            orders: control.orders,
            reading: control.reading,
            stop_within: control.stop_within,
            commits: self.commits.clone(),
            is_well: control.is_well,
        };
        daemon::supervised(&self.setup, config, with)
    }
}

/// Sends what waits in a store that nobody here writes to.
pub(crate) struct ShipPart(pub Setup);

impl RunPart for ShipPart {
    fn name(&self) -> &'static str {
        "ship"
    }

    fn run(&mut self, mut control: PartControl<'_>) -> Result<()> {
        let config = self.0.config()?;
        let stop = Arc::new(AtomicBool::new(false));
        let Some(thread) = ship::start(&self.0, &config, &stop)? else {
            bail!("`ship` of [store] is not configured any more");
        };
        (control.is_well)();
        // It supervises itself, and notes its troubles.
        while !thread.is_finished() {
            if control.orders.come() == Some(Told::Stop) {
                stop.store(true, Ordering::Relaxed);
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the sender ended")
    }
}

/// Judges, and sends alarms.
pub(crate) struct WatchPart(pub Setup);

impl RunPart for WatchPart {
    fn name(&self) -> &'static str {
        "watch"
    }

    fn run(&mut self, control: PartControl<'_>) -> Result<()> {
        let orders = RefCell::new(control.orders);
        let mut config = self.0.config()?;
        loop {
            let channels = channels(&self.0, &config)?;
            let watching = Watching {
                detection: options(&config, &Overrides::default()),
                once: false,
                interval: WATCH_INTERVAL,
                stale: STALE_MIN,
            };
            let mut new: Option<Config> = None;
            let mut told = || match orders.borrow_mut().come()? {
                Told::Stop => Some(Told::Stop),
                Told::Reload => {
                    new = reloaded(&self.0, &config);
                    new.is_some().then_some(Told::Reload)
                }
            };
            let mut watched = WatchControl {
                told: &mut told,
                is_well: &mut || (control.is_well)(),
            };
            watch::controlled(&self.0, &config, &channels, watching, &mut watched)?;
            match new {
                Some(new) => config = new,
                None => return Ok(()),
            }
        }
    }
}

/// Serves pages, or the metrics of a tail alone.
pub(crate) struct ServePart {
    setup: Setup,
    paths: ServedPaths,
    commits: Option<SharedCommits>,
}

impl ServePart {
    /// Pages, JSON API, and metrics.
    #[must_use]
    pub(crate) fn pages(setup: Setup, commits: Option<SharedCommits>) -> ServePart {
        ServePart {
            setup,
            paths: ServedPaths::All,
            commits,
        }
    }

    /// Metrics alone.
    #[must_use]
    pub(crate) fn metrics(setup: Setup, commits: Option<SharedCommits>) -> ServePart {
        ServePart {
            setup,
            paths: ServedPaths::Metrics,
            commits,
        }
    }
}

impl RunPart for ServePart {
    fn name(&self) -> &'static str {
        match self.paths {
            ServedPaths::All => "serve",
            ServedPaths::Metrics => "metrics",
        }
    }

    fn run(&mut self, control: PartControl<'_>) -> Result<()> {
        let config = self.setup.config()?;
        let listen = config.serve.listen;
        if self.paths == ServedPaths::All && !listen.ip().is_loopback() {
            tracing::warn!(
                "the pages can be reached from other machines ({listen}), from a process that reads logs and has the key; \
                 mailpulse-serve.service has neither"
            );
        }
        let serving = Serving {
            paths: self.paths,
            commits: self.commits.clone(),
            ..Serving::default()
        };
        let pages = BoundPages::new(&self.setup, config, serving)?;
        (control.is_well)();
        pages.run_by(control.orders)
    }
}

/// A new configuration of the same store, whose channels can be opened.
fn reloaded(setup: &Setup, old: &Config) -> Option<Config> {
    let new = setup.config().and_then(|new| {
        let is_same = new.store.folder == old.store.folder && new.store.remote == old.store.remote;
        if !is_same {
            bail!("it names another store: restart to change it");
        }
        channels(setup, &new)?;
        Ok(new)
    });
    match new {
        Ok(new) => {
            tracing::info!(target: "mailpulse::announce", "watch: configuration reloaded");
            Some(new)
        }
        Err(error) => {
            let why = crate::model::text::safe_error(&error);
            tracing::error!("watch: configuration not reloaded, the old one stays in effect: {why}");
            None
        }
    }
}
