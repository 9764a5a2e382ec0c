//! `[tail]`: how logs are followed.

use super::raw::RawTail;

/// Bounds of following. See the schema for what each is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
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

impl Default for Tail {
    fn default() -> Self {
        Self::of(&RawTail::default())
    }
}

impl Tail {
    pub(super) fn of(raw: &RawTail) -> Self {
        let ms = |seconds: Option<u32>, default: u64| seconds.map_or(default, u64::from) * 1_000;
        Tail {
            poll_ms: raw.poll_ms.map_or(1_500, u64::from),
            rescan_ms: ms(raw.rescan_s, 10),
            deleted_wait_ms: ms(raw.deleted_wait_s, 60),
            open_files_max: raw.open_files_max.map_or(512, |max| max as usize),
            link_ms: ms(raw.link_s, 60),
            watch: raw.watch.unwrap_or(true),
        }
    }
}
