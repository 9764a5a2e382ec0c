//! `mailpulse tail`: the daemon on hosts.

use crate::config::Config;
use crate::service::follow::daemon;
use crate::service::run::parts::{ServePart, SharedCommits, TailPart};
use crate::service::run::run as run_parts;
use crate::setup::Setup;
use anyhow::{Result, bail};
use std::process::ExitCode;

/// Arguments of `tail`.
#[derive(Debug, clap::Args)]
pub(super) struct TailArgs {}

/// Follows until it is told to stop.
pub(super) fn run(setup: &Setup, _args: &TailArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    if config.sources.is_empty() {
        bail!(
            "no [[source]] is configured: there is nothing to follow. `mailpulse init` writes a configuration for this \
             machine; name it with --config"
        );
    }
    match config.metrics.is_some() {
        true => with_metrics(setup, &config)?,
        false => daemon::run(setup, config)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The same beside a listener: a port that is taken is no reason not to read, and a reader that fails can be asked.
fn with_metrics(setup: &Setup, config: &Config) -> Result<()> {
    let commits = SharedCommits::default();
    let tail = TailPart {
        setup: setup.clone(),
        commits: Some(SharedCommits::clone(&commits)),
    };
    let metrics = ServePart::metrics(setup.clone(), Some(commits));
    run_parts(vec![Box::new(tail), Box::new(metrics)], Some(&config.store.folder))
}
