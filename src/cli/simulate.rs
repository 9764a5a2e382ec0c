//! `mailpulse simulate`: logs for trying and measuring, the same for the same seed.

use super::output;
use crate::simulate::{Outage2018, exim_log, outage_2018, service_names};
use anyhow::{Context as _, Result, bail};
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `simulate`.
#[derive(Debug, clap::Args)]
pub struct SimulateArgs {
    /// Write one Exim main log of about --bytes
    #[arg(long, value_name = "FILE")]
    exim_log: Option<PathBuf>,
    /// Write the logs of the 2018-06-06 outage, with a configuration
    #[arg(long, value_name = "DIR")]
    outage: Option<PathBuf>,
    /// Size of --exim-log in bytes
    #[arg(long, default_value_t = 100_000_000)]
    bytes: u64,
    /// Days of history before the outage
    #[arg(long, default_value_t = 21)]
    history_days: u32,
    /// Scale of the mail volume of the outage; 1 is the original volume
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Writes.
pub fn run(args: &SimulateArgs) -> Result<ExitCode> {
    if args.exim_log.is_none() && args.outage.is_none() {
        bail!("choose what to write: --exim-log FILE or --outage DIR");
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
    Ok(ExitCode::SUCCESS)
}
