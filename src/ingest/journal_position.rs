//! The position of one of a journal's sequences, as the catalogue keeps it.

use crate::source::identity::log_id;
use serde::{Deserialize, Serialize};

/// A sequence's position, as the catalogue has it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredCursor {
    /// The cursor of the last entry that was read.
    pub journal_cursor: String,
    /// That entry has left the journal, and nothing came after it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

/// Whether a log's position is one in a journal.
pub(super) fn is_position(position: &str) -> bool {
    position.contains("\"journal_cursor\"")
}

/// Whether it is one that can be read.
pub(super) fn is_readable(position: &str) -> bool {
    serde_json::from_str::<StoredCursor>(position).is_ok()
}

/// Identity of a sequence as a log.
pub(super) fn sequence_id(host: &str, kind: &str, sequence: &str) -> u64 {
    log_id(host, kind, format!("journal s={sequence}").as_bytes(), 0)
}
