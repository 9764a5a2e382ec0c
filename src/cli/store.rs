//! `mailpulse store`: compact, migrate, ship, verify, repair, export.

use crate::cli::window::WindowArgs;
use crate::cli::{output, retention};
use crate::config::Config;
use crate::ingest;
use crate::model::time::rfc3339;
use crate::normalise::redact::LocalParts;
use crate::setup::Setup;
use crate::setup::alerts::alerts_path;
use crate::store::Store;
use crate::store::clickhouse::keep::keep_sent;
use crate::store::clickhouse::migrate::{self, MigrationPlan, MigrationStatus};
use crate::store::clickhouse::ship::{SendStep, Shipper};
use crate::store::clickhouse::{ClickHouseClient, ClickHouseError, Endpoint};
use crate::store::maintenance;
use crate::store::recovery::{self, Mended, Rebuilt};
use anyhow::{Result, anyhow, bail};
use clap::Subcommand;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Arguments of `store`.
#[derive(Debug, clap::Args)]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    what: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Merge small segments, and remove days beyond the retention period
    Compact {
        /// Also remove what is held back: archives older than the retention period, and what a clock step would remove
        #[arg(long)]
        force: bool,
    },
    /// Create or update the tables of ClickHouse
    Migrate {
        /// Print the statements without running them
        #[arg(long)]
        dry_run: bool,
        /// Create replicated tables on this cluster, and Distributed tables in front of them
        #[arg(long, value_name = "NAME")]
        cluster: Option<String>,
    },
    /// Send waiting data to the ClickHouse server of the configuration (`ship`); `tail` does this by itself
    Ship {
        /// Exit when nothing waits
        #[arg(long)]
        once: bool,
        /// Send again what the server refused
        #[arg(long)]
        retry_refused: bool,
        /// Send everything from the beginning, into an empty database
        #[arg(long, conflicts_with = "keep_sent")]
        anew: bool,
        /// After `store repair`: keep the rows of the server, compare them with the store, and send what is missing or
        /// different
        #[arg(long)]
        keep_sent: bool,
        /// With --keep-sent: continue even if logs that should be read again are gone
        #[arg(long, requires = "keep_sent")]
        force: bool,
    },
    /// Read everything and compare it with what was committed; exit code 1 if there is a fault
    Verify,
    /// Repair the store: rebuild a lost or damaged catalogue from its hourly copy and the segments, and quarantine broken
    /// segments; the next backfill or tail reads their rows again
    Repair,
    /// Remove the rows of a source, here and on the server; the next backfill or tail reads its logs again, for example
    /// after you correct its time zone
    Forget(super::forget::ForgetArgs),
    /// Give stored deferrals and bounces the reasons that today's table gives to the words of their replies, as corrections
    Reclassify(super::reclassify::ReclassifyArgs),
    /// Copy the segments of a window into a folder as Parquet files; a second export replaces the first
    Export {
        /// Folder: empty, or of an earlier export; created if it does not exist
        folder: PathBuf,
        #[command(flatten)]
        window: WindowArgs,
    },
}

/// Runs.
pub(super) fn run(setup: &Setup, args: &StoreArgs) -> Result<ExitCode> {
    match &args.what {
        StoreCommand::Compact { force } => retention::compact(setup, *force)?,
        StoreCommand::Migrate { dry_run, cluster } => return migrate(setup, *dry_run, cluster.as_deref()),
        StoreCommand::Ship {
            once,
            retry_refused,
            anew,
            keep_sent,
            force,
        } => {
            if *keep_sent {
                keep(setup, *force)?;
            }
            if *anew {
                let config = setup.config()?;
                crate::setup::embedded(&config)?;
                place(&config)?;
                let mut store = Store::create_within(&config.store.folder, config.store.lost_found_bytes_max)?;
                store.outbox().forget_all()?;
                store.start_shipping(config.store.outbox_bytes_max)?;
            }
            return ship(setup, *once, *retry_refused);
        }
        StoreCommand::Repair => return repair(setup),
        StoreCommand::Forget(args) => return super::forget::run(setup, args),
        StoreCommand::Reclassify(args) => return super::reclassify::run(setup, args),
        StoreCommand::Verify => {
            let config = setup.config()?;
            let store = setup.open_store(&config)?;
            let mut found = maintenance::verify(&store)?;
            found.faults.extend(beside(&config, &store)?);
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
            super::lost_found::print(&store)?;
            if !found.faults.is_empty() {
                return Ok(ExitCode::FAILURE);
            }
        }
        StoreCommand::Export { folder, window } => {
            let store = setup.open_store(&setup.config()?)?;
            let window = window.resolve(&store)?;
            let done = maintenance::export(&store, folder, window.since_ms, window.until_ms)?;
            output::line(&format!("{} segments in {}", done.segments, folder.display()))?;
            for missing in &done.missing {
                output::talk(&format!("missing: {missing}"));
            }
            if !done.missing.is_empty() {
                return Ok(ExitCode::from(3));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what the server keeps, and sends what it lacks.
fn keep(setup: &Setup, force: bool) -> Result<()> {
    let config = setup.config()?;
    crate::setup::embedded(&config)?;
    let to = place(&config)?;
    let store = Store::create_within(&config.store.folder, config.store.lost_found_bytes_max)?;
    if !store.outbox().is_undecided()? {
        output::line("nothing to decide: the catalogue was not rebuilt, and what was sent is known")?;
        return Ok(());
    }
    let client = ClickHouseClient::new(&to, &setup.clickhouse_options(&config)?)?;
    let plan = MigrationPlan {
        cluster: None,
        retain_days: config.store.retain_days,
    };
    migrate::check(&client, &plan)?;
    let kept = keep_sent(&store, &client, force)?;
    output::line(&format!(
        "compared: {} rows were missing on the server, {} differed, {} exist only there and stay; lines of {} minutes \
         were missing",
        kept.sent, kept.corrected, kept.only_there, kept.minutes
    ))?;
    Ok(())
}

/// Mends the store, and says what was done and what is not known any more.
fn repair(setup: &Setup) -> Result<ExitCode> {
    let config = setup.config()?;
    crate::setup::embedded(&config)?;
    let now = crate::clock::now_ms();
    let lost_found_bytes_max = config.store.lost_found_bytes_max;
    let done = recovery::repair(
        &config.store.folder,
        lost_found_bytes_max,
        now,
        &ingest::position::is_readable,
    )?;
    let mut code = ExitCode::SUCCESS;
    match &done.rebuilt {
        None => output::line("the catalogue is good")?,
        Some(rebuilt) => {
            tell_rebuilt(rebuilt)?;
            if !rebuilt.unreadable.is_empty() {
                code = ExitCode::from(3);
            }
        }
    }
    tell_mended(&done.mended)?;
    crate::service::catalogue_copies::copy_catalogue(&done.store);
    Ok(code)
}

fn tell_mended(mended: &Mended) -> Result<()> {
    let Mended {
        segments,
        rates,
        copied,
        quarantined,
        rows,
        ..
    } = mended;
    output::line(&format!(
        "{segments} segments checked: rates of {rates} rebuilt, {copied} files restored from their copies, \
         {quarantined} with {rows} events are damaged and in lost+found"
    ))?;
    if *rows > 0 {
        output::line("the next `mailpulse backfill` or `tail` reads these events again from their logs")?;
    }
    if mended.payloads_lost > 0 {
        output::line(&format!(
            "{} payloads of the outbox cannot be rebuilt, and the ClickHouse lacks their rows. Send everything again \
             into an empty database: mailpulse store ship --anew",
            mended.payloads_lost
        ))?;
    }
    Ok(())
}

/// StoreCommand is wrong beside the segments: the key, and what `watch` left.
fn beside(config: &Config, store: &Store) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let alerts = alerts_path(config);
    // StoreCommand is for its owner alone is no fault of the store, and says nothing to others.
    let is_closed = |path: &std::path::Path| {
        let closed = std::fs::File::open(path).is_err_and(|why| why.kind() == std::io::ErrorKind::PermissionDenied);
        if closed {
            output::talk(&format!("{}: not checked: this user may not read it", path.display()));
        }
        closed
    };
    if !is_closed(&alerts)
        && let Err(why) = crate::alert::state::AlertState::load(&alerts)
    {
        faults.push(format!("{}: {why}; `mailpulse watch` moves it aside", alerts.display()));
    }
    let key = config.key_path();
    let has_rows = store.positions().has_rows()?;
    if matches!(config.privacy.local_parts, LocalParts::Hash) && has_rows && !is_closed(&key) {
        match crate::config::load_key(&key) {
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => faults.push(format!(
                "{}: the key of the pseudonyms does not exist; restore it from a backup",
                key.display()
            )),
            Err(why) => faults.push(why.to_string()),
            Ok(_) => {}
        }
    }
    Ok(faults)
}

fn tell_rebuilt(rebuilt: &Rebuilt) -> Result<()> {
    let Rebuilt { lost, .. } = rebuilt;
    let line = |text: &str| output::line(text);
    match rebuilt.copy_ms {
        Some(copy_ms) => line(&format!(
            "{lost}: rebuilt from the copy of {} and from the segments",
            rfc3339(copy_ms)
        ))?,
        None => line(&format!(
            "{lost}: rebuilt from the segments alone, because there is no good copy"
        ))?,
    }
    for (path, why) in &rebuilt.bad_copies {
        line(&format!("not used, now in lost+found: {}: {why}", path.display()))?;
    }
    line(&format!(
        "segments: {} stay, {} with {} events were recovered, {} are replaced by newer ones",
        rebuilt.kept, rebuilt.adopted, rebuilt.adopted_rows, rebuilt.replaced
    ))?;
    for (path, why) in &rebuilt.unreadable {
        output::talk(&format!("missing: {}: {}; now in lost+found", path.display(), why));
    }
    for gap in &rebuilt.gaps {
        line(&format!(
            "coverage lost: {} ({}), {} to {}",
            gap.host,
            gap.kind,
            rfc3339(gap.from_ms),
            rfc3339(gap.to_ms)
        ))?;
    }
    if !rebuilt.gaps.is_empty() {
        line(
            "these minutes have events, but no line counts and no heartbeats. Read the logs again (`backfill`, or \
             start `tail`): lines that still exist are counted, and no event is stored twice",
        )?;
    }
    if rebuilt.ship_undecided {
        line(
            "nothing is sent until you decide about the rows on the server: `mailpulse store ship --keep-sent` after \
             the logs have been read again, or `--anew` into an empty database",
        )?;
    }
    Ok(())
}

/// The server of the configuration: what it sends to, or what it asks.
fn place(config: &Config) -> Result<Endpoint> {
    let place = config.store.ship.as_ref().or(config.store.remote.as_ref());
    place.cloned().ok_or_else(|| {
        anyhow!(
            "no ClickHouse is named: set `ship` in [store] of the configuration, or name one with \
             --store clickhouse://user@host:8123/database"
        )
    })
}

fn migrate(setup: &Setup, dry_run: bool, cluster: Option<&str>) -> Result<ExitCode> {
    if cluster.is_some_and(|name| !crate::config::is_name(name)) {
        bail!("--cluster: this is not a valid name of a cluster");
    }
    let config = setup.config()?;
    // `--store` goes before the configuration here.
    let place = match &config.store.remote {
        Some(place) => place.clone(),
        None => place(&config)?,
    };
    let client = ClickHouseClient::new(&place, &setup.clickhouse_options(&config)?)?;
    let plan = MigrationPlan {
        cluster: cluster.map(str::to_owned),
        retain_days: config.store.retain_days,
    };
    let steps = match dry_run {
        true => migrate::look(&client, &plan)?,
        false => migrate::migrate(&client, &plan)?,
    };
    for step in steps {
        let status = match &step.status {
            MigrationStatus::Known => "is there".to_owned(),
            MigrationStatus::Applied => "applied".to_owned(),
            MigrationStatus::Missing => "to be applied:".to_owned(),
            MigrationStatus::Skipped(why) => format!("left out, the server does not allow it ({why})"),
        };
        output::line(&format!("{}: {}", step.name, status))?;
        if dry_run && step.status == MigrationStatus::Missing {
            for statement in &step.statements {
                output::line(&format!("\n{statement};"))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a store had before `ship` was set is posted by who writes to it first; nobody may have since.
fn begin_shipping(setup: &Setup, config: &Config) -> Result<()> {
    let store = setup.open_store(config)?;
    let is_due = config.store.ship.is_some() && !store.outbox().has_begun()? && !store.outbox().is_undecided()?;
    drop(store);
    if is_due {
        drop(setup.create_store(config)?);
    }
    Ok(())
}

fn ship(setup: &Setup, once: bool, retry_refused: bool) -> Result<ExitCode> {
    let config = setup.config()?;
    crate::setup::embedded(&config)?;
    let to = place(&config)?;
    begin_shipping(setup, &config)?;
    let options = setup.clickhouse_options(&config)?;
    let mut shipper = match Shipper::open(&config.store.folder, &to, &options, config.store.retain_days) {
        // A running `tail` does the rest.
        Err(ClickHouseError::Busy { holder, .. }) if retry_refused => {
            let again = crate::store::Store::open(&config.store.folder)?
                .outbox()
                .retry_quarantined()?;
            output::line(&format!(
                "{again} payloads are tried again, by the mailpulse that already sends ({holder})"
            ))?;
            return Ok(ExitCode::SUCCESS);
        }
        other => other?,
    };
    if retry_refused {
        let again = shipper.store().outbox().retry_quarantined()?;
        output::line(&format!("{again} payloads are tried again"))?;
    }
    let (mut rows, mut batches, mut aside) = (0, 0, 0);
    loop {
        match shipper.step() {
            Ok(SendStep::Sent { rows: more }) => (rows, batches) = (rows + more, batches + 1),
            Ok(SendStep::Quarantined { why }) => {
                aside += 1;
                tracing::error!("set aside: {}", why);
            }
            Ok(SendStep::Idle) if once => break,
            Ok(SendStep::Idle) => std::thread::sleep(Duration::from_millis(config.clickhouse.ship_every_ms)),
            Err(error) if once => {
                return Err(anyhow!(
                    "{error}\n{rows} rows in {batches} batches were sent before; the rest waits"
                ));
            }
            Err(error) => {
                tracing::warn!("not sent, tried again: {}", error);
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
