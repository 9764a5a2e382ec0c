//! The store: does it open, is there room, are its files as they were committed, and does what is sent arrive?

use super::finding::{DoctorOptions, FaultArea, Finding, NextStep};
use super::service_user::ServiceUser;
use crate::config::Config;
use crate::model::human::size;
use crate::model::time::UtcMs;
use crate::setup::Setup;
use crate::setup::disk::DiskRoom;
use crate::store::clickhouse::migrate::{self, MigrationPlan};
use crate::store::clickhouse::ship::{CLOCKS_APART_MS, clocks_apart};
use crate::store::clickhouse::{ClickHouseClient, Endpoint};
use crate::store::maintenance::spot_check;
use crate::store::{Store, StoreError};
use std::path::{Path, PathBuf};

/// What is read of the newest segments; `store verify` reads all.
const READ_BYTES_MAX: u64 = 1 << 30;
/// Faulty files that are named.
const FAULTS_SHOWN: usize = 3;
/// A disk with less than a twentieth, and less than this, is nearly full.
const FREE_BYTES_MIN: u64 = 16 << 30;
const FREE_PART: u64 = 20;
/// An outbox with more than so many of ten parts in use is as good as full.
const OUTBOX_TENTHS: u64 = 9;
/// Commands that hold the store for long and are meant to.
const DAEMONS: [&str; 2] = ["tail", "run"];

/// Looks at it.
pub(super) fn look(
    setup: &Setup,
    config: &Config,
    user: Option<&ServiceUser>,
    options: &DoctorOptions,
    findings: &mut Vec<Finding>,
) {
    if let Some(place) = &config.store.remote {
        findings.extend(server(setup, config, place));
        return;
    }
    let folder = &config.store.folder;
    findings.extend(disk(folder, options.free_bytes_min));
    findings.extend(unwritable(folder, user));
    match Store::open(folder) {
        Ok(store) => of_store(&store, config, options.now_ms, findings),
        Err(error @ StoreError::Missing(_)) => {
            // Nothing was read yet: for who follows logs, a tail that never ran.
            let next = match config.sources.is_empty() {
                true => NextStep::Command("backfill PATH".to_owned()),
                false => NextStep::Start,
            };
            findings.push(Finding::new(FaultArea::Store, "store_missing", error, next));
        }
        Err(error) => {
            let next = match &error {
                StoreError::Unreadable { .. } => NextStep::Words("run as root, or as the user of the store".to_owned()),
                _ => NextStep::Command("store repair".to_owned()),
            };
            findings.push(Finding::new(FaultArea::Store, "store_unreadable", error, next));
        }
    }
    if let Some(place) = &config.store.ship {
        findings.extend(server(setup, config, place));
    }
}

fn fault(id: &'static str, what: impl std::fmt::Display, next: NextStep) -> Finding {
    Finding::new(FaultArea::Store, id, what, next)
}

/// What is wrong with a store that opens.
fn of_store(store: &Store, config: &Config, now_ms: UtcMs, findings: &mut Vec<Finding>) {
    if let Some(pid) = store.writer() {
        findings.extend(locked(pid, &arguments_of(pid)));
    }
    match spot_check(store, READ_BYTES_MAX) {
        Ok(faults) if faults.is_empty() => {}
        Ok(faults) => {
            let shown = faults.iter().take(FAULTS_SHOWN).cloned().collect::<Vec<String>>();
            let more = if faults.len() > FAULTS_SHOWN { "; …" } else { "" };
            let what = format!("{}{more}", shown.join("; "));
            findings.push(fault(
                "segment_damaged",
                what,
                NextStep::Command("store repair".to_owned()),
            ));
        }
        Err(error) => findings.push(fault(
            "store_unreadable",
            error,
            NextStep::Command("store repair".to_owned()),
        )),
    }
    for one in store.positions().missing(None).unwrap_or_default() {
        let next = match one.lost {
            true => {
                NextStep::Words("restore the logs of that time from a backup, then `mailpulse backfill`".to_owned())
            }
            false => NextStep::Command("backfill".to_owned()),
        };
        findings.push(fault("rows_missing", one.words(), next));
    }
    outbox(store, config, findings);
    for trouble in store.troubles().all().unwrap_or_default() {
        // One that has passed is ended by who noted it; a zone's is told with its source.
        let is_old = now_ms - trouble.last_ms > crate::model::time::DAY_MS;
        if is_old || trouble.is_proved() {
            continue;
        }
        let what = format!("{}: {}", trouble.topic, trouble.what);
        findings.push(fault("trouble", what, NextStep::Command("status".to_owned())));
    }
}

/// A process that holds the store and is no daemon of ours keeps the tail from writing.
fn locked(pid: u32, arguments: &[String]) -> Option<Finding> {
    let is_daemon = arguments.is_empty() || arguments.iter().skip(1).any(|word| DAEMONS.contains(&word.as_str()));
    (!is_daemon).then(|| {
        fault(
            "store_locked",
            format!(
                "the store is locked by another process (pid {pid}: {}); a tail waits until it has ended",
                arguments.join(" ")
            ),
            NextStep::Words(format!("wait until it has finished, or end it: kill {pid}")),
        )
    })
}

/// The command line of a process; empty where it cannot be known.
fn arguments_of(pid: u32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(crate::model::text::text).collect()
}

/// How full the disk of the store is.
fn disk(folder: &Path, free_min: Option<u64>) -> Option<Finding> {
    let DiskRoom { free, size: all } = DiskRoom::of(folder)?;
    is_nearly_full(free, all, free_min).then(|| {
        fault(
            "disk_nearly_full",
            format!(
                "the disk of {} is nearly full: {} of {} are free",
                folder.display(),
                size(free),
                size(all)
            ),
            NextStep::Words("free or add space, or lower `retain_days` in [store]".to_owned()),
        )
    })
}

fn is_nearly_full(free: u64, all: u64, free_min: Option<u64>) -> bool {
    free < free_min.unwrap_or((all / FREE_PART).min(FREE_BYTES_MIN))
}

/// Whether the user of the daemons may write the store.
fn unwritable(folder: &Path, user: Option<&ServiceUser>) -> Option<Finding> {
    let user = user?;
    let there: PathBuf = folder.ancestors().find(|path| path.exists())?.to_owned();
    // A folder that is not there yet is made by systemd, which may.
    if there != *folder || user.may_not("-w", &[there]).is_empty() {
        return None;
    }
    Some(Finding::new(
        FaultArea::Permissions,
        "store_unwritable",
        format!("{}: the user {} may not write the store", folder.display(), user.name),
        NextStep::Words(format!("chown -R {0}: {1}", user.name, folder.display())),
    ))
}

/// What waits to be sent.
fn outbox(store: &Store, config: &Config, findings: &mut Vec<Finding>) {
    if store.outbox().is_undecided().unwrap_or(false) {
        let path = store.path().to_owned();
        let next = NextStep::Command("store ship --help".to_owned());
        findings.push(fault("shipping_undecided", StoreError::ShipUndecided { path }, next));
    }
    let Ok(Some(waiting)) = store.outbox().waiting() else {
        return;
    };
    let max = config.store.outbox_bytes_max;
    if config.store.ship.is_some() && waiting.bytes >= max / 10 * OUTBOX_TENTHS {
        findings.push(fault(
            "outbox_full",
            format!(
                "the outbox is full ({} of {}): nothing more is read until the server has taken some",
                size(waiting.bytes),
                size(max)
            ),
            NextStep::Words("see whether the ClickHouse of `ship` answers, or raise `outbox_mib_max`".to_owned()),
        ));
    }
    if waiting.refused > 0 {
        let why = waiting.why.as_deref().unwrap_or_default();
        let what = format!("the server refused {} payloads: {why}", waiting.refused);
        findings.push(fault(
            "server_refuses",
            what,
            NextStep::Command("store ship".to_owned()),
        ));
    }
    if waiting.clock_ahead_ms.abs() > CLOCKS_APART_MS {
        findings.push(Finding::new(
            FaultArea::Clocks,
            "clock_off",
            clocks_apart(waiting.clock_ahead_ms),
            NextStep::Words("timedatectl set-ntp true, on both".to_owned()),
        ));
    }
}

/// Whether a ClickHouse answers, and has the tables of this version.
fn server(setup: &Setup, config: &Config, place: &Endpoint) -> Option<Finding> {
    let unreachable = |error: &dyn std::fmt::Display| {
        let next = format!("see whether it runs, and answers at {}", place.host);
        fault("server_unreachable", format!("{place}: {error}"), NextStep::Words(next))
    };
    let options = match setup.clickhouse_options(config) {
        Ok(options) => options,
        Err(error) => return Some(unreachable(&format!("{error:#}"))),
    };
    let client = match ClickHouseClient::new(place, &options) {
        Ok(client) => client,
        Err(error) => return Some(unreachable(&error)),
    };
    if let Err(error) = client.clock_ms() {
        return Some(unreachable(&error));
    }
    let plan = MigrationPlan {
        cluster: None,
        retain_days: config.store.retain_days,
    };
    let error = migrate::check(&client, &plan).err()?;
    let what = format!("{place}: {error}");
    Some(fault(
        "server_refuses",
        what,
        NextStep::Command("store migrate".to_owned()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_nearly_full_by_its_share_and_by_what_is_left() {
        const GIB: u64 = 1 << 30;
        let by_size = |free, all| is_nearly_full(free, all, None);
        assert!(!by_size(GIB, 20 * GIB) && by_size(GIB - 1, 20 * GIB));
        assert!(!by_size(16 * GIB, 10_000 * GIB), "two days of room on a large one");
        assert!(!by_size(0, 0) && by_size(0, GIB));
        assert!(!is_nearly_full(0, GIB, Some(0)) && is_nearly_full(GIB, 2 * GIB, Some(GIB + 1)));
    }

    #[test]
    fn who_holds_the_store_is_told_unless_it_is_a_daemon() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<String>>();
        assert!(locked(7, &words("/usr/bin/mailpulse --config x.toml tail")).is_none());
        assert!(locked(7, &words("mailpulse run")).is_none());
        assert!(locked(7, &[]).is_none(), "nothing is known of it");
        let found = locked(7, &words("mailpulse backfill /srv/logs")).unwrap();
        assert_eq!(found.id, "store_locked");
        assert!(
            found.what.contains("pid 7: mailpulse backfill /srv/logs"),
            "{}",
            found.what
        );
    }
}
