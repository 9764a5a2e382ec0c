//! `[clickhouse]`: how a server is talked to.

use super::raw::RawClickHouse;
use std::path::{Path, PathBuf};

/// See the schema for what each is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickHouse {
    /// File with the password.
    pub password_file: Option<PathBuf>,
    /// For a question.
    pub read_timeout_s: u64,
    /// For a batch.
    pub insert_timeout_s: u64,
    /// From sending to sending.
    pub ship_every_ms: u64,
}

impl Default for ClickHouse {
    fn default() -> Self {
        Self::of(&RawClickHouse::default(), Path::new("/"))
    }
}

impl ClickHouse {
    pub(super) fn of(raw: &RawClickHouse, base: &Path) -> Self {
        let seconds = |value: Option<u32>, default: u64| value.map_or(default, u64::from);
        ClickHouse {
            password_file: raw.password_file.as_ref().map(|path| base.join(path.get())),
            read_timeout_s: seconds(raw.read_timeout_s, 60),
            insert_timeout_s: seconds(raw.insert_timeout_s, 120),
            ship_every_ms: seconds(raw.ship_every_s, 10) * 1_000,
        }
    }
}
