//! The night of 2018-06-06: an operator stops Exim on mx1001 at 18:55 UTC, and it comes back at 02:00.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use super::apps::{self, AppTruth};
use super::clock::{DAY, MIDNIGHT, MINUTE, RESTARTED, STOPPED, UNTIL};
use super::config;
use super::counter::Counter;
use super::impact::OutageImpact;
use super::letter;
use super::noise::RelayNoise;
use super::relay::{RELAYS, Relay};
use super::rotate::Rotated;
use super::scenario::Outage2018;
use super::traffic::Traffic;
use super::truth::Truth;

/// What one relay's thread brings home.
struct RelayOutput {
    counter: Counter,
    files: Vec<PathBuf>,
    impact: std::collections::BTreeMap<String, OutageImpact>,
}

/// Writes `dir/mx1001/mainlog`, `mainlog.1`, `mainlog.2.gz` …, the same for `mx2001`, the applications'
/// logs as `dir/apps/phab1001/daemons.log` …, and `dir/mailpulse.toml`.
/// Files of an earlier run with more days are removed.
pub fn outage_2018(dir: &Path, spec: &Outage2018) -> io::Result<Truth> {
    let from = MIDNIGHT - i64::from(spec.history_days) * DAY;
    fs::create_dir_all(dir)?;
    fs::write(dir.join("mailpulse.toml"), config::toml())?;
    let (written, apps) = thread::scope(|scope| {
        let apps = scope.spawn(move || apps::write(&dir.join("apps"), spec, from));
        let threads: Vec<_> = (0..RELAYS.len())
            .map(|n| scope.spawn(move || relay(dir, spec, n, from)))
            .collect();
        let written = threads
            .into_iter()
            .map(join)
            .collect::<io::Result<Vec<RelayOutput>>>()?;
        Ok::<(Vec<RelayOutput>, AppTruth), io::Error>((written, join(apps)?))
    })?;
    let mut truth = Truth {
        from,
        stopped: STOPPED,
        restarted: RESTARTED,
        until: UNTIL,
        apps,
        ..Truth::default()
    };
    for (identity, mut relay) in RELAYS.iter().zip(written) {
        truth.add(&relay.counter, identity.name);
        relay.files.reverse();
        truth.files.extend(relay.files);
        truth.impact = relay.impact;
    }
    Ok(truth)
}

/// The answer of a thread, or its panic.
fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Writes the log of one relay.
fn relay(dir: &Path, spec: &Outage2018, n: usize, from: i64) -> io::Result<RelayOutput> {
    let dir = dir.join(RELAYS[n].name);
    remove_old_logs(&dir)?;
    let mut relay = Relay::new(&RELAYS[n], n == 0, Rotated::create(&dir, UNTIL)?);
    let mut traffic = Traffic::new(spec.seed, spec.mails_per_day_scale, true, |_| true);
    // Spam prefers the second MX, as everywhere.
    let strangers = [1.3, 1.8][n] * spec.mails_per_day_scale;
    let mut noise = RelayNoise::new(&relay, spec.seed, n as u64, strangers, from);
    for minute in (from..UNTIL).step_by(MINUTE as usize) {
        noise.minute(&mut relay, minute);
        for mail in traffic.minute(minute).iter().filter(|mail| mail.relay == n) {
            letter::plan(&mut relay, mail);
        }
        relay.drain(minute + MINUTE)?;
    }
    relay.sink.finish()?;
    Ok(RelayOutput {
        counter: relay.counter,
        files: relay.sink.files,
        impact: traffic.into_impact(),
    })
}

/// Removes `mainlog*`, and nothing else.
fn remove_old_logs(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("mainlog") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
