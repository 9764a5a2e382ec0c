//! `mailpulse watch`: the detection over the store as it grows; alarms go out as configured.

use super::detect::RuleArgs;
use super::output;
use crate::service::watch::{self, Watching};
use crate::setup::Setup;
use crate::setup::alerts::channels;
use crate::setup::detection::options;
use anyhow::Result;
use std::process::ExitCode;
use std::time::Duration;

/// Arguments of `watch`.
#[derive(Debug, clap::Args)]
pub(super) struct WatchArgs {
    /// Run one round and exit, with code 1 if something fires
    #[arg(long)]
    once: bool,
    /// Seconds between checks for a completed minute
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    interval: u64,
    /// Raise an alarm if the newest event is older than this; 0 disables it, for stores that no process writes to
    #[arg(long, value_name = "MINUTES", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    stale: u32,
    #[command(flatten)]
    rules: RuleArgs,
}

fn seconds(text: &str) -> Result<u64, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse::<u64>();
    number
        .ok()
        .filter(|number| (1..=300).contains(number))
        .ok_or_else(|| "expected seconds from 1 to 300, such as 15s".to_owned())
}

/// Watches.
pub(super) fn run(setup: &Setup, args: &WatchArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    let channels = channels(setup, &config)?;
    if channels.is_empty() {
        output::talk("no [[alert]] is configured: alarms are only kept for `mailpulse status`");
    }
    let watching = Watching {
        detection: options(&config, &args.rules.overrides()?),
        once: args.once,
        interval: Duration::from_secs(args.interval),
        stale: args.stale,
    };
    let fires = watch::run(setup, &config, &channels, watching)?;
    Ok(if fires { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
