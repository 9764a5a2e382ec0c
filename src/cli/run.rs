//! `mailpulse run`: all that runs for long, in one process.

use crate::config::Config;
use crate::service::run::parts::{ServePart, SharedCommits, ShipPart, TailPart, WatchPart};
use crate::service::run::{RunPart, run as run_parts};
use crate::setup::Setup;
use crate::store::segments::Incomplete;
use anyhow::{Result, bail};
use std::process::ExitCode;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// Do not run these parts, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PARTS")]
    without: Vec<PartName>,
}

/// Names of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PartName {
    /// Follow the logs, and send to ClickHouse if configured
    Tail,
    /// Run the detection, and send alarms
    Watch,
    /// Serve web pages, if [serve] is configured
    Serve,
}

/// Runs what is configured, until it is told to stop.
pub(super) fn run(setup: &Setup, args: &RunArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    let parts = parts(setup, &config, &args.without);
    if parts.is_empty() {
        bail!(
            "nothing is configured to run: without a [[source]] there is nothing to follow, and without a channel for \
             alarms nobody is told. `mailpulse init` writes a configuration for this machine; name it with --config"
        );
    }
    let folder = config.store.remote.is_none().then_some(config.store.folder.as_path());
    run_parts(parts, folder)?;
    Ok(ExitCode::SUCCESS)
}

fn parts(setup: &Setup, config: &Config, without: &[PartName]) -> Vec<Box<dyn RunPart>> {
    // What answers lack is told by the part that asked.
    let own = || Setup {
        incomplete: Incomplete::default(),
        ..setup.clone()
    };
    let mut parts: Vec<Box<dyn RunPart>> = Vec::new();
    let is_here = config.store.remote.is_none();
    let tails = is_here && !config.sources.is_empty() && !without.contains(&PartName::Tail);
    let serves = config.serve.is_configured && !without.contains(&PartName::Serve);
    let is_shown = serves || config.metrics.is_some();
    let commits = (tails && is_shown).then(SharedCommits::default);
    if tails {
        let (setup, commits) = (own(), commits.clone());
        parts.push(Box::new(TailPart { setup, commits }));
    } else if is_here && config.store.ship.is_some() {
        parts.push(Box::new(ShipPart(own())));
    }
    if watches(config, tails) && !without.contains(&PartName::Watch) {
        parts.push(Box::new(WatchPart(own())));
    }
    if tails && config.metrics.is_some() {
        parts.push(Box::new(ServePart::metrics(own(), commits.clone())));
    }
    if serves {
        parts.push(Box::new(ServePart::pages(own(), commits)));
    }
    parts
}

/// A host that sends its mail on is watched where the mail of all hosts is, unless it has channels of its own.
fn watches(config: &Config, tails: bool) -> bool {
    let tells = !config.alerts.is_empty() || !config.heartbeats.is_empty();
    tells || tails && config.store.ship.is_none()
}
