//! `[[heartbeat]]`: whom to tell that all is well.

use super::alerts::{Server, checked_url};
use super::at::At;
use super::raw::{HEARTBEAT_S, RawHeartbeat};
use super::report::Report;
use super::shape::IncompleteTables;
use std::path::Path;
use std::time::Duration;

/// Whom to tell, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredHeartbeat {
    /// Where to. Its address is a secret.
    pub server: Server,
    /// From one to the next.
    pub every: Duration,
}

/// Checks one; `None` if it is of no use.
pub(super) fn check(
    raw: At<RawHeartbeat>,
    folder: &Path,
    incomplete: &IncompleteTables,
    report: &mut Report<'_>,
) -> Option<ConfiguredHeartbeat> {
    let at = raw.at();
    let raw = raw.into_inner();
    let Some(url) = raw.url else {
        if !incomplete.contains(&at.start) {
            report.add(
                &at,
                "[[heartbeat]] has no `url`",
                "add the address that the dead man's switch gave you",
            );
        }
        return None;
    };
    checked_url(&url, report);
    if let Some(path) = raw.ca_file.as_ref().filter(|_| !url.get().starts_with("https://")) {
        report.add(
            &path.at(),
            "`ca_file` requires TLS",
            "write `https://` in `url`, or remove it",
        );
    }
    Some(ConfiguredHeartbeat {
        server: Server {
            url: url.into_inner(),
            ca_place: raw
                .ca_file
                .as_ref()
                .map(|path| report.place(&path.at()))
                .unwrap_or_default(),
            ca_file: raw.ca_file.map(|path| folder.join(path.get())),
        },
        every: Duration::from_secs(raw.every_s.map_or(HEARTBEAT_S, |every| *every.get()).into()),
    })
}
