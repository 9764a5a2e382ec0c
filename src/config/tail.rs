//! `[tail]`: how logs are followed.

use super::raw::RawTail;

/// Bounds of following. See the schema for what each is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TailConfig {
    /// From look to look.
    pub poll_ms: u64,
    /// From scan to scan.
    pub rescan_ms: u64,
    /// For a deleted file.
    pub deleted_wait_ms: u64,
    /// Files kept open.
    pub open_files_max: usize,
    /// From link to link.
    pub link_ms: u64,
    /// Ask the system to tell of changes.
    pub watch: bool,
}

impl Default for TailConfig {
    fn default() -> Self {
        Self::of(&RawTail::default())
    }
}

impl TailConfig {
    pub(super) fn of(raw: &RawTail) -> Self {
        let ms = |seconds: u32| u64::from(seconds) * 1_000;
        TailConfig {
            poll_ms: u64::from(raw.poll_ms),
            rescan_ms: ms(raw.rescan_s),
            deleted_wait_ms: ms(raw.deleted_wait_s),
            open_files_max: raw.open_files_max as usize,
            link_ms: ms(raw.link_s),
            watch: raw.watch,
        }
    }
}
