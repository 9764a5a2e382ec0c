//! What a run has to tell: by source, and what went wrong.

use crate::model::time::UtcMs;
use crate::normalise::exim::zone::ZoneVerdict;
use crate::store::catalogue::{Counts, UnparsedShape};
use std::path::PathBuf;

/// Something that went wrong, or was odd, with a file.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Which file.
    pub path: PathBuf,
    /// What, and what to do.
    pub what: String,
    /// Input was lost or left out: the run ends with exit code 2.
    pub error: bool,
}

/// What became of one source: a host's logs of one kind.
#[derive(Debug, Clone, Default)]
pub struct SourceReport {
    /// Host.
    pub host: String,
    /// Kind.
    pub kind: &'static str,
    /// Lines read in this run.
    pub counts: Counts,
    /// Files read in this run.
    pub files_read: u64,
    /// Files that held nothing new.
    pub files_known: u64,
    /// Files without content.
    pub files_empty: u64,
    /// Bytes left out: rests of over-long lines, blocks of NULs.
    pub skipped_bytes: u64,
    /// Lines of which only the first 64 KiB were kept.
    pub overlong_lines: u64,
    /// First and last event, UTC milliseconds.
    pub span_ms: Option<(UtcMs, UtcMs)>,
    /// Shapes of unparsed lines, most frequent first.
    pub unparsed: Vec<UnparsedShape>,
    /// What went wrong.
    pub problems: Vec<Problem>,
    /// What message IDs say of the zone, so far.
    pub zone: ZoneVerdict,
}
