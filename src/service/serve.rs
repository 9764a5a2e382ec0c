//! Serving pages: a listener, and signals that end it.

use crate::config::{BasePath, Config, ServeFault};
use crate::setup::Setup;
use crate::web::{App, AppOptions, CommitMetrics, ServedPaths, bind, serve, warm_up};
use anyhow::{Context as _, Result, bail};
use sd_notify::NotifyState;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

/// What a command says beside the configuration.
#[derive(Debug, Clone, Default)]
pub struct Serving {
    /// What is served.
    pub paths: ServedPaths,
    /// What this process commits, if it does.
    pub commits: Option<Arc<CommitMetrics>>,
    /// Where to listen, instead of `listen`.
    pub listen: Option<SocketAddr>,
    /// The path that pages begin with, instead of that of `url_base`.
    pub base_path: Option<BasePath>,
    /// Where the clock stands, UTC milliseconds.
    pub at_ms: Option<i64>,
}

/// Threads for questions, beside those that the configuration grants at once: one that is late holds its thread.
const THREADS: usize = 4;

/// Who starts the process waits no longer for the first answer; until it is there, pages say that it is being computed.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Pages whose port is taken, and that are not served yet.
pub struct BoundPages {
    runtime: Runtime,
    listener: TcpListener,
    app: Arc<App>,
    stop: crate::web::StopServing,
    /// The process does nothing else: systemd is told when pages are quick.
    announces_itself: bool,
}

impl BoundPages {
    /// Takes the port, and reads the token.
    ///
    /// # Errors
    /// The configuration would show the pages to others; the port is taken; the token cannot be read.
    pub fn new(setup: &Setup, mut config: Config, serving: Serving) -> Result<BoundPages> {
        let what = match serving.paths {
            ServedPaths::All => "pages",
            ServedPaths::Metrics => {
                let metrics = config.metrics.take();
                config.serve = metrics.context("`listen` of [metrics] is not configured any more")?;
                "metrics"
            }
        };
        if let Some(listen) = serving.listen {
            config.serve.listen = listen;
            if let Some(ServeFault { what, hint, .. }) = config.serve.faults().into_iter().next() {
                bail!("--listen {listen}: {what}; {hint}");
            }
        }
        if !config.serve.listen.ip().is_loopback() {
            let listen = config.serve.listen;
            tracing::warn!("the {what} on {listen} can be reached from other machines, by those who have the token");
        }
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(config.serve.questions_max + THREADS)
            .thread_keep_alive(Duration::from_secs(10))
            .build()
            .context("the runtime")?;
        let listener = runtime.block_on(bind(config.serve.listen))?;
        let options = AppOptions {
            paths: serving.paths,
            commits: serving.commits,
            at_ms: serving.at_ms,
            base_path: serving.base_path,
        };
        let (app, stop) = App::new(setup, config, options)?;
        Ok(BoundPages {
            runtime,
            listener,
            app,
            stop,
            announces_itself: false,
        })
    }

    /// The address at which the overview is.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn url(&self) -> Result<String> {
        let address = self.listener.local_addr().context("the listener")?;
        Ok(format!("http://{address}{}", self.app.overview()))
    }

    /// Serves until SIGTERM or SIGINT, and then ends within two seconds.
    ///
    /// # Errors
    /// Signals cannot be waited for.
    pub fn run(mut self) -> Result<()> {
        self.announces_itself = true;
        self.run_with(async {
            let mut term = signal(SignalKind::terminate()).context("SIGTERM")?;
            let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            Ok(())
        })
    }

    /// Serves until a future is over, and then ends within two seconds.
    ///
    /// # Errors
    /// The listener or the future fails.
    pub fn run_with(self, told: impl Future<Output = Result<()>>) -> Result<()> {
        let BoundPages {
            runtime,
            listener,
            app,
            stop,
            announces_itself,
        } = self;
        let served = runtime.block_on(async move {
            let first = Arc::clone(&app);
            tokio::spawn(async move {
                let _ = tokio::time::timeout(READY_WITHIN, warm_up(first)).await;
                if announces_itself {
                    let _ = sd_notify::notify(&[NotifyState::Ready]);
                }
            });
            let serving = serve(app, listener);
            tokio::pin!(serving, told);
            tokio::select! {
                served = serving.as_mut() => return served,
                told = told.as_mut() => told?,
            }
            stop.stop();
            serving.await
        });
        // A question that is being answered is nobody's any more.
        runtime.shutdown_background();
        served
    }
}
