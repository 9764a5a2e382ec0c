//! `mailpulse store`: compact, verify, export.

use super::context::Context;
use super::output;
use super::window::WindowArgs;
use anyhow::{Context as _, Result};
use clap::Subcommand;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `store`.
#[derive(Debug, clap::Args)]
pub struct StoreArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Merge small segments; remove days beyond the retention of the configuration
    Compact,
    /// Read everything and compare it with what was committed; exit code 1 if something is wrong
    Verify,
    /// Copy the segments of a window as Parquet files into a folder
    Export {
        /// Folder, made when it is not there
        folder: PathBuf,
        #[command(flatten)]
        window: WindowArgs,
    },
}

/// Runs.
pub fn run(context: &Context, args: &StoreArgs) -> Result<ExitCode> {
    match &args.what {
        What::Compact => {
            let done = context
                .create_store()?
                .compact(Some(context.config()?.store.retain_days))?;
            output::line(&format!(
                "{} segments became {}; {} beyond the retention were removed",
                done.merged, done.into, done.expired
            ))?;
        }
        What::Verify => {
            let found = context.open_store()?.verify()?;
            for fault in &found.faults {
                output::line(fault)?;
            }
            let verdict = if found.faults.is_empty() {
                "all good".to_owned()
            } else {
                format!("{} faults", found.faults.len())
            };
            output::line(&format!(
                "{} segments, {} events: {verdict}",
                found.segments, found.rows
            ))?;
            if !found.faults.is_empty() {
                return Ok(ExitCode::FAILURE);
            }
        }
        What::Export { folder, window } => {
            let store = context.open_store()?;
            let window = window.resolve(&store)?;
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
            let segments = store.segments(window.since_ms, window.until_ms)?;
            for segment in &segments {
                for path in [store.events_path(segment.id), store.rates_path(segment.id)] {
                    let to = folder.join(path.file_name().unwrap_or_default());
                    std::fs::copy(&path, &to).with_context(|| to.display().to_string())?;
                }
            }
            output::line(&format!("{} segments in {}", segments.len(), folder.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
