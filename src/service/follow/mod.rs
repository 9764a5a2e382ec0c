//! Following logs: the same line as `backfill`, over and over, with what is open kept open.
//!
//! ```text
//! every poll:   fstat of the open files ──▶ those that grew ──▶ ingest::SourcePipeline::read ──▶ commit
//! every scan:   names ──▶ families, oldest first ─────────────▶ the same
//! ```
//!
//! A live log is read through the descriptor under which it was opened, so that a renamed or deleted file is read to
//! its end before what took its name. Names are looked at by scans alone: when the folder said that names changed, when a
//! file became shorter, and every so often. What a file *is* decides [`crate::source::identity`], as for archives; what
//! a store knows of it is therefore true for both, and a `backfill` between two tails adds nothing twice.
//!
//! Nothing here waits: a round is told what time it is and which files the names stand for.

pub mod daemon;
mod follower;
mod future_logs;
mod open_file;
mod presence;
mod retry;
mod worker;
mod zones;

pub use follower::{Follower, Round, SourceTrouble};
pub use retry::Backoff;

/// Bounds of following; the configuration may state them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowLimits {
    /// How long a deleted file is kept open for what is still written to it.
    pub deleted_wait_ms: i64,
    /// Files kept open; further ones are looked at by scans alone.
    pub open_files_max: usize,
    /// From link to link of one mail's arrivals on several hosts.
    pub link_ms: i64,
    /// From compaction to compaction of small segments.
    pub compact_ms: i64,
}

impl Default for FollowLimits {
    fn default() -> Self {
        FollowLimits {
            deleted_wait_ms: 60_000,
            open_files_max: 512,
            link_ms: 60_000,
            compact_ms: 30_000,
        }
    }
}
