//! `mailpulse store`: compact, migrate, ship, verify, export.

use super::context::Context;
use super::output;
use super::window::WindowArgs;
use crate::config::Config;
use crate::store::clickhouse::migrate::{self, Fate, Plan};
use crate::store::clickhouse::ship::{Shipper, Step};
use crate::store::clickhouse::{Client, Error, Place};
use anyhow::{Context as _, Result, anyhow, bail};
use clap::Subcommand;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

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
    /// Make the tables of a ClickHouse, or bring them up to date
    Migrate {
        /// Print the statements, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Replicated tables on this cluster, and Distributed ones in front of them
        #[arg(long, value_name = "NAME")]
        cluster: Option<String>,
    },
    /// Send what waits in the outbox to the ClickHouse of the configuration (`ship`); `tail` does it by itself
    Ship {
        /// End when nothing waits any more
        #[arg(long)]
        once: bool,
        /// Try again what the server has refused
        #[arg(long)]
        retry_refused: bool,
        /// Send everything from the beginning, into a database that is empty
        #[arg(long)]
        anew: bool,
    },
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
            let config = context.config()?;
            let done = context.create_store(&config)?.compact(Some(config.store.retain_days))?;
            output::line(&format!(
                "{} segments became {}; {} beyond the retention were removed",
                done.merged, done.into, done.expired
            ))?;
        }
        What::Migrate { dry_run, cluster } => return migrate(context, *dry_run, cluster.as_deref()),
        What::Ship {
            once,
            retry_refused,
            anew,
        } => {
            if *anew {
                let config = context.config()?;
                super::context::embedded(&config)?;
                place(&config)?;
                let mut store = crate::store::Store::create(&config.store.folder)?;
                store.ship_anew()?;
                store.start_shipping(config.store.outbox_bytes_max)?;
            }
            return ship(context, *once, *retry_refused);
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

/// The server of the configuration: what it sends to, or what it asks.
fn place(config: &Config) -> Result<Place> {
    let place = config.store.ship.as_ref().or(config.store.remote.as_ref());
    place.cloned().ok_or_else(|| {
        anyhow!(
            "no ClickHouse is named: set `ship` in [store] of the configuration, or name one with \
             --store clickhouse://user@host:8123/database"
        )
    })
}

fn migrate(context: &Context, dry_run: bool, cluster: Option<&str>) -> Result<ExitCode> {
    if cluster.is_some_and(|name| !crate::config::is_name(name)) {
        bail!("--cluster: this cannot be the name of a cluster");
    }
    let config = context.config()?;
    // `--store` goes before the configuration here.
    let place = match &config.store.remote {
        Some(place) => place.clone(),
        None => place(&config)?,
    };
    let client = Client::new(&place, &context.clickhouse_options(&config)?)?;
    let plan = Plan {
        cluster: cluster.map(str::to_owned),
        retain_days: config.store.retain_days,
    };
    let steps = match dry_run {
        true => migrate::look(&client, &plan)?,
        false => migrate::migrate(&client, &plan)?,
    };
    for step in steps {
        let fate = match &step.fate {
            Fate::Known => "is there".to_owned(),
            Fate::Applied => "applied".to_owned(),
            Fate::Missing => "to be applied:".to_owned(),
            Fate::Skipped(why) => format!("left out, the server does not allow it ({why})"),
        };
        output::line(&format!("{}: {}", step.name, super::safe_lines(&fate)))?;
        if dry_run && step.fate == Fate::Missing {
            for statement in &step.statements {
                output::line(&format!("\n{statement};"))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn ship(context: &Context, once: bool, retry_refused: bool) -> Result<ExitCode> {
    let config = context.config()?;
    super::context::embedded(&config)?;
    let to = place(&config)?;
    let options = context.clickhouse_options(&config)?;
    let mut shipper = match Shipper::open(&config.store.folder, &to, &options, config.store.retain_days) {
        // A running `tail` does the rest.
        Err(Error::Busy { holder, .. }) if retry_refused => {
            let again = crate::store::Store::open(&config.store.folder)?.retry_refused()?;
            output::line(&format!(
                "{again} payloads are tried again, by the mailpulse that sends already ({holder})"
            ))?;
            return Ok(ExitCode::SUCCESS);
        }
        other => other?,
    };
    if retry_refused {
        let again = shipper.store().retry_refused()?;
        output::line(&format!("{again} payloads are tried again"))?;
    }
    let (mut rows, mut batches, mut aside) = (0, 0, 0);
    loop {
        match shipper.step() {
            Ok(Step::Sent { rows: more }) => (rows, batches) = (rows + more, batches + 1),
            Ok(Step::SetAside { why }) => {
                aside += 1;
                tracing::error!("set aside: {}", super::safe_lines(&why));
            }
            Ok(Step::Idle) if once => break,
            Ok(Step::Idle) => std::thread::sleep(Duration::from_millis(config.clickhouse.ship_every_ms)),
            Err(error) if once => {
                return Err(anyhow!(
                    "{error}\n{rows} rows in {batches} batches were sent before; the rest waits"
                ));
            }
            Err(error) => {
                tracing::warn!("not sent, tried again: {}", super::safe_lines(&error.to_string()));
                std::thread::sleep(Duration::from_millis(shipper.pause_ms()));
            }
        }
    }
    output::line(&format!(
        "{rows} rows in {batches} batches sent, {aside} batches set aside"
    ))?;
    Ok(if aside > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
