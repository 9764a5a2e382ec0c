//! What all requests share.

use super::access::{Throttle, Token};
use super::answers::Answers;
use super::links::Links;
use super::metrics::commits::CommitMetrics;
use super::metrics::counters::MessageCounters;
use super::queue_count::QueueCount;
use super::streams::Streams;
use super::zone::PageZone;
use crate::clock::now_ms;
use crate::config::{BasePath, Config, ServeAuth, ServeConfig};
use crate::model::time::UtcMs;
use crate::setup::Setup;
use anyhow::{Result, anyhow};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// What is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ServedPaths {
    /// Pages, JSON API, and metrics, as `[serve]` says.
    #[default]
    All,
    /// The metrics of a tail alone, as `[metrics]` says.
    Metrics,
}

/// What a command says beside the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct AppOptions {
    /// What is served.
    pub paths: ServedPaths,
    /// What this process commits, if it does.
    pub commits: Option<Arc<CommitMetrics>>,
    /// Where the clock stands, UTC milliseconds.
    pub at_ms: Option<UtcMs>,
    /// The path that pages begin with, instead of that of `url_base`.
    pub base_path: Option<BasePath>,
}

/// What all requests share.
pub(crate) struct App {
    /// What is served.
    pub(super) paths: ServedPaths,
    /// What this process commits, if it does.
    pub(super) commits: Option<Arc<CommitMetrics>>,
    /// Questions to the store.
    pub(super) answers: Arc<Answers>,
    /// Makes links.
    pub(super) links: Links,
    /// Who may ask.
    pub(super) access: ServeConfig,
    /// The token, if one is required.
    pub(super) token: Option<Token>,
    /// Failed log-ins.
    pub(super) throttle: Mutex<Throttle>,
    /// What waits in the queues, as it was counted last.
    pub(super) waiting: QueueCount,
    /// Streams that are open.
    pub(super) streams: Streams,
    /// What `/metrics` has counted.
    pub(super) counted: Mutex<MessageCounters>,
    /// When the process began, UTC milliseconds.
    pub(super) started_ms: UtcMs,
    /// Turns true when the process ends.
    pub(super) stop: watch::Receiver<bool>,
}

/// Ends what runs when it is told to, or dropped.
#[derive(Debug)]
pub(crate) struct StopServing(watch::Sender<bool>);

impl StopServing {
    /// Ends all connections.
    pub(crate) fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl App {
    /// Everything that is needed to answer, and what ends it.
    ///
    /// # Errors
    /// The token cannot be read.
    pub(crate) fn new(setup: &Setup, config: Config, options: AppOptions) -> Result<(Arc<App>, StopServing)> {
        let access = config.serve.clone();
        let token = match (access.access(), &access.token_file) {
            (ServeAuth::Token, Some(path)) => Some(Token::load(path)?),
            _ => None,
        };
        let of_url = access.url_base.as_ref().map(|base| base.path.clone());
        let base = options.base_path.or(of_url).unwrap_or_default();
        let zone = PageZone::named(&access.timezone).map_err(|why| anyhow!("timezone of [serve]: {why}"))?;
        let (stop, stopped) = watch::channel(false);
        let app = App {
            paths: options.paths,
            commits: options.commits,
            answers: Arc::new(Answers::new(setup, config, options.at_ms)),
            links: Links::new(base, zone),
            access,
            token,
            throttle: Mutex::default(),
            waiting: QueueCount::default(),
            streams: Streams::default(),
            counted: Mutex::default(),
            started_ms: now_ms(),
            stop: stopped,
        };
        Ok((Arc::new(app), StopServing(stop)))
    }

    /// The path of the overview.
    pub(crate) fn overview(&self) -> String {
        self.links.to("", &[])
    }
}

/// The two ends of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    /// Whose request it is.
    pub peer: SocketAddr,
    /// Where it arrived.
    pub local: SocketAddr,
}
