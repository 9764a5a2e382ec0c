//! `mailpulse tail`: the daemon on hosts.

use crate::service::follow::daemon;
use crate::setup::Setup;
use anyhow::{Result, bail};
use std::process::ExitCode;

/// Arguments of `tail`.
#[derive(Debug, clap::Args)]
pub struct TailArgs {}

/// Follows until it is told to stop.
pub fn run(setup: &Setup, _args: &TailArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    if config.sources.is_empty() {
        bail!(
            "no [[source]] is configured: there is nothing to follow. `mailpulse init` writes a configuration for this \
             machine; name it with --config"
        );
    }
    daemon::run(setup, config)?;
    Ok(ExitCode::SUCCESS)
}
