//! `[store]`: where events are kept, and the limits of memory and disk.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::at::At;
use super::errors::shown;
use super::raw::RawStore;
use super::report::Report;
use crate::store::clickhouse::Endpoint;

/// Where events are kept, and the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// Folder of the embedded store.
    pub folder: PathBuf,
    /// The ClickHouse that is asked instead of it.
    pub remote: Option<Endpoint>,
    /// The ClickHouse that all that is committed is sent to.
    pub ship: Option<Endpoint>,
    /// What may wait to be sent.
    pub outbox_bytes_max: u64,
    /// What files that nothing refers to may take up.
    pub lost_found_bytes_max: u64,
    /// Memory of a `query --sql`.
    pub query_bytes_max: u64,
    /// Seconds of a `query --sql`.
    pub query_s_max: u64,
    /// Days to keep events.
    pub retain_days: u32,
    /// Rows of a segment.
    pub segment_rows_max: usize,
    /// Size of a segment before compression.
    pub segment_bytes_max: usize,
    /// Messages in a host's queue that are held in memory; further ones stay in the store.
    pub open_messages_max: usize,
    /// Different services; further ones are unattributed.
    pub services_max: usize,
    /// Hosts that the lines of one source may name; lines of further ones are the reader's.
    pub hosts_max: usize,
    /// Whether mail that no rule names gets a derived service, if somebody says so.
    pub derive: Option<bool>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self::checked(&RawStore::default(), default_folder())
    }
}

impl StoreConfig {
    fn checked(raw: &RawStore, folder: PathBuf) -> Self {
        let bytes = |mib: u32| u64::from(mib) << 20;
        Self {
            folder,
            remote: None,
            ship: None,
            outbox_bytes_max: bytes(raw.outbox_mib_max),
            lost_found_bytes_max: bytes(raw.lost_found_mib_max),
            query_bytes_max: bytes(raw.query_mib_max),
            query_s_max: u64::from(raw.query_s_max),
            retain_days: raw.retain_days,
            segment_rows_max: raw.segment_rows_max as usize,
            segment_bytes_max: bytes(raw.segment_mib_max) as usize,
            open_messages_max: raw.open_messages_max as usize,
            services_max: raw.services_max as usize,
            hosts_max: raw.hosts_max as usize,
            derive: raw.derive,
        }
    }

    /// The folder that a URL of `--store` or of the configuration names; a plain path is relative to `base`.
    ///
    /// # Errors
    /// What is wrong, and the hint.
    pub fn folder_of(url: &str, base: &Path) -> Result<PathBuf, (String, String)> {
        let quoted = shown(url);
        let example = || "write `file:///var/lib/mailpulse`, or a path".to_owned();
        match url.split_once(':') {
            _ if url.trim().is_empty() => Err(("the URL of the store is empty".to_owned(), example())),
            Some(("file", path)) => match path.strip_prefix("//").unwrap_or(path) {
                path if path.contains('%') => Err((
                    format!("`{quoted}` contains `%`"),
                    "write the path alone, without `file://`".to_owned(),
                )),
                path if path.starts_with('/') => Ok(PathBuf::from(path)),
                _ => Err((
                    format!("`{quoted}` has no absolute path"),
                    "write three slashes: `file:///…`".to_owned(),
                )),
            },
            Some((scheme, rest)) if rest.starts_with("//") => {
                let what = format!("`{}:` is not a supported kind of store", shown(scheme));
                Err((what, example()))
            }
            _ => Ok(base.join(url)),
        }
    }
}

/// The system's folder for root and wherever it exists; else the user's, so that trying it out needs no root.
fn default_folder() -> PathBuf {
    let system = PathBuf::from("/var/lib/mailpulse");
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if root || system.exists() {
        return system;
    }
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    state.or_else(home).map_or(system, |state| state.join("mailpulse"))
}

/// Checks the section; `base` is what a relative path starts at.
pub(super) fn check(raw: &RawStore, base: &Path, report: &mut Report<'_>) -> StoreConfig {
    let mut place = |url: &At<String>| match Endpoint::parse(url.get()) {
        Ok(place) => Some(place),
        Err((what, hint)) => {
            report.add(&url.at(), what, hint);
            None
        }
    };
    let ship = raw.ship.as_ref().and_then(&mut place);
    let is_remote = |url: &&At<String>| Endpoint::is_meant(url.get());
    let remote = raw.url.as_ref().filter(is_remote).and_then(&mut place);
    if let (Some(_), Some(ship)) = (&remote, &raw.ship) {
        let hint = "keep the events in a folder (`url`), and send them (`ship`)";
        report.add(
            &ship.at(),
            "`ship` sends from an embedded store, and `url` is a ClickHouse",
            hint,
        );
    }
    let url = raw.url.as_ref().filter(|url| !Endpoint::is_meant(url.get()));
    let folder = url.map(|url| {
        StoreConfig::folder_of(url.get(), base).unwrap_or_else(|(what, hint)| {
            report.add(&url.at(), what, hint);
            PathBuf::new()
        })
    });
    StoreConfig {
        ship,
        remote,
        ..StoreConfig::checked(raw, folder.unwrap_or_else(default_folder))
    }
}
