//! Planned work: silences of the configuration and of `mailpulse silence`, and marks; their files lie beside what `watch`
//! keeps.

use crate::config::Config;
use crate::planned::{AlertSilence, KeptSilence, Planned, PlannedEntry, PlannedList, WorkMark, load};
use crate::setup::alerts::alerts_path;
use anyhow::{Result, anyhow};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where the silences are that people added.
pub(crate) fn silences_path(config: &Config) -> PathBuf {
    beside_alerts(config, "silences")
}

/// Where the marks are.
pub(crate) fn marks_path(config: &Config) -> PathBuf {
    beside_alerts(config, "marks")
}

fn beside_alerts(config: &Config, name: &str) -> PathBuf {
    let alerts = alerts_path(config);
    let stem = alerts.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    alerts.with_file_name(format!("{}.json", stem.replacen("alerts", name, 1)))
}

/// All silences and marks.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn planned(config: &Config) -> Result<Planned> {
    let kept = entries::<KeptSilence>(&silences_path(config))?.entries;
    let kept = kept
        .iter()
        .map(|one| AlertSilence::kept(one).map_err(|why| anyhow!(why)));
    let silences = config.silences.iter().cloned().map(Ok).chain(kept);
    Ok(Planned {
        silences: silences.collect::<Result<_>>()?,
        marks: entries::<WorkMark>(&marks_path(config))?.entries,
    })
}

/// A file of planned work; a folder that is not there has none.
///
/// # Errors
/// It cannot be read, and what to do about it.
pub(crate) fn entries<T: PlannedEntry>(path: &Path) -> Result<PlannedList<T>> {
    load(path).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => {
            let hint = crate::store::readers(path).unwrap_or_default();
            anyhow!("{}: {error}; {hint}", path.display())
        }
        _ => unusable(path, &error),
    })
}

fn unusable(path: &Path, error: &std::io::Error) -> anyhow::Error {
    let hint = match error.kind() {
        ErrorKind::InvalidData => "; correct it, or move it away: what it declares is lost then",
        _ => "",
    };
    anyhow!("{}: {error}{hint}", path.display())
}

/// Changes a file of planned work, for which nobody waits who writes to the store.
///
/// # Errors
/// It cannot be changed, and what to do about it.
pub(crate) fn change<T: PlannedEntry, R>(
    path: &Path,
    change: impl FnOnce(&mut PlannedList<T>) -> std::io::Result<R>,
) -> Result<R> {
    crate::planned::change(path, change).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput | ErrorKind::NotFound => anyhow!("{error}"),
        ErrorKind::PermissionDenied => {
            anyhow!(
                "{}: {error}; run it as root or as the owner of that folder",
                path.display()
            )
        }
        _ => unusable(path, &error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_lie_beside_what_watch_keeps_and_each_owner_has_them() {
        let mut config = Config::default();
        config.store.folder = PathBuf::from("/var/lib/mailpulse");
        assert_eq!(silences_path(&config), Path::new("/var/lib/mailpulse/silences.json"));
        config.detect.owner = Some("team".to_owned());
        assert_eq!(marks_path(&config), Path::new("/var/lib/mailpulse/marks-team.json"));
    }
}
