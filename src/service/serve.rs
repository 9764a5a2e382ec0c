//! Serving pages: a listener, and signals that end it or have it take its configuration anew.

use crate::config::{BasePath, Config, ServeFault};
use crate::model::text::safe_error;
use crate::model::time::UtcMs;
use crate::service::orders::{Orders, Signals, Told};
use crate::setup::Setup;
use crate::web::{App, AppOptions, CommitMetrics, ServedPaths, StopServing, bind, serve, warm_up, warm_up_graphs};
use anyhow::{Context as _, Result, bail};
use sd_notify::NotifyState;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// What a command says beside the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Serving {
    /// What is served.
    pub paths: ServedPaths,
    /// What this process commits, if it does.
    pub commits: Option<Arc<CommitMetrics>>,
    /// Where to listen, instead of `listen`.
    pub listen: Option<SocketAddr>,
    /// The path that pages begin with, instead of that of `url_base`.
    pub base_path: Option<BasePath>,
    /// Where the clock stands, UTC milliseconds.
    pub at_ms: Option<UtcMs>,
}

/// Threads for questions, beside those that the configuration grants at once: one that is late holds its thread.
const THREADS: usize = 4;

/// Who starts the process waits no longer for the first answer; until it is there, pages say that it is being computed.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Whoever was just paged asks first; graphs of weeks are prepared after that.
const GRAPHS_AFTER: Duration = Duration::from_secs(10);

/// Pages whose port is taken, and that are not served yet.
pub(crate) struct BoundPages {
    runtime: Runtime,
    setup: Setup,
    serving: Serving,
    pages: ConfiguredPages,
    /// The process does nothing else: systemd is told when pages are quick.
    announces_itself: bool,
}

/// Pages by one configuration.
struct ConfiguredPages {
    /// As it was configured; the port may be one that the system chose.
    asked: SocketAddr,
    /// Kept while connections are taken from a copy: what arrives between two configurations waits.
    listener: StdListener,
    app: Arc<App>,
    stop: StopServing,
}

impl Serving {
    /// What is served, in messages.
    fn what(&self) -> &'static str {
        match self.paths {
            ServedPaths::All => "serve",
            ServedPaths::Metrics => "metrics",
        }
    }

    /// Whose keys say where it listens.
    fn configured(&self, mut config: Config) -> Result<Config> {
        if self.paths == ServedPaths::Metrics {
            let metrics = config.metrics.take();
            config.serve = metrics.context("`listen` of [metrics] is not configured any more")?;
        }
        if let Some(listen) = self.listen {
            config.serve.listen = listen;
            if let Some(ServeFault { what, hint, .. }) = config.serve.faults().into_iter().next() {
                bail!("--listen {listen}: {what}; {hint}");
            }
        }
        Ok(config)
    }

    /// Takes the port, unless pages that are served already have it, and reads the token.
    async fn prepared(&self, setup: &Setup, config: Config, old: Option<&ConfiguredPages>) -> Result<ConfiguredPages> {
        let config = self.configured(config)?;
        let asked = config.serve.listen;
        if !asked.ip().is_loopback() {
            let what = match self.paths {
                ServedPaths::All => "pages",
                ServedPaths::Metrics => "metrics",
            };
            tracing::warn!("the {what} on {asked} can be reached from other machines, by those who have the token");
        }
        let listener = match old.filter(|old| old.asked == asked) {
            Some(old) => old.listener.try_clone().context("the listener")?,
            None => bind(asked).await?.into_std().context("the listener")?,
        };
        let options = AppOptions {
            paths: self.paths,
            commits: self.commits.clone(),
            at_ms: self.at_ms,
            base_path: self.base_path.clone(),
        };
        let (app, stop) = App::new(setup, config, options)?;
        Ok(ConfiguredPages {
            asked,
            listener,
            app,
            stop,
        })
    }
}

impl BoundPages {
    /// Takes the port, and reads the token.
    ///
    /// # Errors
    /// The configuration would show the pages to others; the port is taken; the token cannot be read.
    pub(crate) fn new(setup: &Setup, config: Config, serving: Serving) -> Result<BoundPages> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(config.serve.questions_max + THREADS)
            .thread_keep_alive(Duration::from_secs(10))
            .build()
            .context("the runtime")?;
        let pages = runtime.block_on(serving.prepared(setup, config, None))?;
        Ok(BoundPages {
            runtime,
            setup: setup.clone(),
            serving,
            pages,
            announces_itself: false,
        })
    }

    /// The address at which the overview is.
    ///
    /// # Errors
    /// The listener has no address.
    pub(crate) fn url(&self) -> Result<String> {
        let address = self.pages.listener.local_addr().context("the listener")?;
        Ok(format!("http://{address}{}", self.pages.app.overview()))
    }

    /// Serves until SIGTERM or SIGINT, and then ends within two seconds. SIGHUP takes the configuration anew.
    ///
    /// # Errors
    /// Signals cannot be waited for.
    pub(crate) fn run(mut self) -> Result<()> {
        self.announces_itself = true;
        let signals = self.runtime.block_on(async { Signals::new() })?;
        self.run_by(Orders::Signals(signals))
    }

    /// Serves until it is told to stop, and then ends within two seconds. A new configuration that cannot be used changes nothing.
    ///
    /// # Errors
    /// The listener fails.
    pub(crate) fn run_by(self, mut orders: Orders) -> Result<()> {
        let BoundPages {
            runtime,
            setup,
            serving,
            mut pages,
            announces_itself,
        } = self;
        let served = runtime.block_on(async {
            let mut announces = announces_itself;
            loop {
                match pages.serve(&setup, &serving, &mut orders, announces).await? {
                    Some(new) => pages = new,
                    None => return Ok(()),
                }
                announces = false;
                tracing::info!(target: "mailpulse::announce", "{}: configuration reloaded", serving.what());
            }
        });
        // A question that is being answered is nobody's any more.
        runtime.shutdown_background();
        served
    }
}

impl ConfiguredPages {
    /// Serves until it is told to stop, or until there are others in its place.
    async fn serve(
        &self,
        setup: &Setup,
        serving: &Serving,
        orders: &mut Orders,
        announces: bool,
    ) -> Result<Option<ConfiguredPages>> {
        let first = Arc::clone(&self.app);
        tokio::spawn(async move {
            let _ = tokio::time::timeout(READY_WITHIN, warm_up(Arc::clone(&first))).await;
            if announces {
                let _ = sd_notify::notify(&[NotifyState::Ready]);
            }
            tokio::time::sleep(GRAPHS_AFTER).await;
            warm_up_graphs(first).await;
        });
        let listener = self.listener.try_clone().context("the listener")?;
        let served = serve(Arc::clone(&self.app), TcpListener::from_std(listener)?);
        tokio::pin!(served);
        let next = tokio::select! {
            served = served.as_mut() => return served.map(|()| None),
            next = self.next(setup, serving, orders) => next,
        };
        self.stop.stop();
        served.await?;
        Ok(next)
    }

    /// What comes in its place; none if it is told to stop.
    async fn next(&self, setup: &Setup, serving: &Serving, orders: &mut Orders) -> Option<ConfiguredPages> {
        while orders.next().await == Told::Reload {
            let new = match setup.config() {
                Ok(config) => serving.prepared(setup, config, Some(self)).await,
                Err(error) => Err(error),
            };
            match new {
                Ok(new) => return Some(new),
                Err(error) => tracing::error!(
                    "{}: configuration not reloaded, the old one stays in effect: {}",
                    serving.what(),
                    safe_error(&error)
                ),
            }
        }
        None
    }
}
