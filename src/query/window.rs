//! A stretch of time that a question is about.

/// Time from which and until which, UTC milliseconds, the end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First millisecond.
    pub since_ms: i64,
    /// First millisecond that is not in it.
    pub until_ms: i64,
}

impl Window {
    /// All time.
    pub const ALL: Window = Window {
        since_ms: i64::MIN,
        until_ms: i64::MAX,
    };
}
