//! A stretch of time that a question is about.

use crate::model::time::UtcMs;

/// Time from which and until which, the end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First millisecond.
    pub since_ms: UtcMs,
    /// First millisecond that is not in it.
    pub until_ms: UtcMs,
}

impl Window {
    /// All time.
    pub const ALL: Window = Window {
        since_ms: UtcMs::MIN,
        until_ms: UtcMs::MAX,
    };
}
