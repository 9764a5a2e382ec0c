//! `mailpulse simulate`: logs for trying and measuring, the same for the same seed.

use super::output;
use crate::simulate::{MixedRelay, Outage2018, exim_log, mixed_relay, outage_2018, service_names};
use anyhow::{Context as _, Result, bail};
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `simulate`.
#[derive(Debug, clap::Args)]
pub(super) struct SimulateArgs {
    /// Write one Exim main log of about --bytes
    #[arg(long, value_name = "FILE")]
    exim_log: Option<PathBuf>,
    /// Write the logs of the 2018-06-06 outage, with a configuration
    #[arg(long, value_name = "DIR")]
    outage: Option<PathBuf>,
    /// Write the logs of two relays, nearly all of whose mail comes from the world, with a configuration
    #[arg(long, value_name = "DIR")]
    mixed: Option<PathBuf>,
    /// In --mixed, a provider defers 64 % of the mail in the last twelve hours
    #[arg(long, requires = "mixed")]
    throttled: bool,
    /// In --mixed, 60 % of one service's mail bounces in the last twelve hours
    #[arg(long, requires = "mixed")]
    bouncing: bool,
    /// Size of --exim-log in bytes
    #[arg(long, default_value_t = 100_000_000)]
    bytes: u64,
    /// Days of history before the outage, and of --mixed
    #[arg(long, default_value_t = 21)]
    history_days: u32,
    /// Scale of the mail volume of the outage and of --mixed; 1 is the original volume
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Writes.
pub(super) fn run(args: &SimulateArgs) -> Result<ExitCode> {
    if args.exim_log.is_none() && args.outage.is_none() && args.mixed.is_none() {
        bail!("choose what to write: --exim-log FILE, --outage DIR, or --mixed DIR");
    }
    if let Some(path) = &args.exim_log {
        let mut out = BufWriter::new(File::create(path).with_context(|| path.display().to_string())?);
        let services: Vec<&str> = service_names().collect();
        let written = exim_log(&mut out, args.bytes, args.seed, &services)?;
        output::line(&format!("{}: {written} lines", path.display()))?;
    }
    if let Some(folder) = &args.outage {
        let spec = Outage2018 {
            seed: args.seed,
            history_days: args.history_days,
            mails_per_day_scale: args.scale,
        };
        let truth = outage_2018(folder, &spec).with_context(|| folder.display().to_string())?;
        output::line(&format!("{}: {} lines", folder.display(), truth.lines))?;
    }
    if let Some(folder) = &args.mixed {
        let spec = MixedRelay {
            seed: args.seed,
            days: args.history_days,
            ours_per_day: 1440.0 * args.scale,
            inbound_per_ours: 19.0,
            throttled: args.throttled,
            bouncing: args.bouncing,
        };
        let truth = mixed_relay(folder, &spec).with_context(|| folder.display().to_string())?;
        output::line(&format!("{}: {} lines", folder.display(), truth.lines))?;
    }
    Ok(ExitCode::SUCCESS)
}
