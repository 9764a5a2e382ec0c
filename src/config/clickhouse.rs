//! `[clickhouse]`: how a server is talked to.

use super::raw::{RawClickHouse, RawStore};
use super::report::Report;
use crate::store::clickhouse::Endpoint;
use std::path::{Path, PathBuf};

/// See the schema for what each is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickHouseConfig {
    /// File with the password.
    pub password_file: Option<PathBuf>,
    /// PEM file of the authorities that are trusted instead of the machine's.
    pub ca_file: Option<PathBuf>,
    /// Where `ca_file` stands: `mailpulse.toml:12`.
    pub ca_place: String,
    /// For a question.
    pub read_timeout_s: u64,
    /// For a batch.
    pub insert_timeout_s: u64,
    /// From sending to sending.
    pub ship_every_ms: u64,
}

impl Default for ClickHouseConfig {
    fn default() -> Self {
        Self::of(&RawClickHouse::default(), Path::new("/"))
    }
}

impl ClickHouseConfig {
    /// Checks the section; `base` is what a relative path starts at, `store` what names servers.
    pub(super) fn check(raw: &RawClickHouse, store: &RawStore, base: &Path, report: &mut Report<'_>) -> Self {
        let mut ca_place = String::new();
        if let Some(path) = &raw.ca_file {
            ca_place = report.place(&path.at());
            let urls = [&store.ship, &store.url];
            let mut places = urls
                .into_iter()
                .flatten()
                .filter_map(|url| Endpoint::parse(url.get()).ok())
                .peekable();
            if path.get().trim().is_empty() {
                let hint = "remove it: the system's certificate authorities are then trusted";
                report.add(&path.at(), "`ca_file` is empty", hint);
            } else if places.peek().is_some() && places.all(|place| !place.tls) {
                let hint = "write `clickhouses://` in `ship` or `url`, or remove it";
                report.add(&path.at(), "`ca_file` requires TLS", hint);
            }
        }
        ClickHouseConfig {
            ca_place,
            ..Self::of(raw, base)
        }
    }

    fn of(raw: &RawClickHouse, base: &Path) -> Self {
        ClickHouseConfig {
            password_file: raw.password_file.as_ref().map(|path| base.join(path.get())),
            ca_file: raw.ca_file.as_ref().map(|path| base.join(path.get())),
            ca_place: String::new(),
            read_timeout_s: u64::from(raw.read_timeout_s),
            insert_timeout_s: u64::from(raw.insert_timeout_s),
            ship_every_ms: u64::from(raw.ship_every_s) * 1_000,
        }
    }
}
