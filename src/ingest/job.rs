//! What a run is given: the logs, the bounds, and who is told how far it is.

use super::spec::Spec;
use crate::source::journal::JournalSource;
use crate::source::{Family, Limits};
use crate::store::commit::Commit;
use std::sync::Arc;
use std::time::Duration;

/// Bounds of a run; the configuration may state them.
#[derive(Debug, Clone, Copy)]
pub struct RunLimits {
    /// Bounds of reading.
    pub source: Limits,
    /// Rows of a batch: what is read twice after a kill.
    pub batch_rows: usize,
    /// Bytes of a batch in memory; up to three batches of a host are under way.
    pub batch_bytes: usize,
    /// Open messages in memory for each host (about 200 bytes each); the rest stays in the store.
    pub open_messages: usize,
    /// Hosts read at the same time.
    pub parallel: usize,
    /// Logs that stand under another host are read all the same.
    pub anyway: bool,
}

impl Default for RunLimits {
    fn default() -> Self {
        RunLimits {
            source: Limits::default(),
            batch_rows: 150_000,
            batch_bytes: 48 << 20,
            open_messages: 200_000,
            parallel: processors(),
            anyway: false,
        }
    }
}

/// How many threads run at once.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// The logs of one host and kind: families that share queue IDs are read one after the other.
#[derive(Debug)]
pub struct Job {
    /// Host.
    pub host: String,
    /// Name of the kind.
    pub kind: &'static str,
    /// Its logs, and how each is read.
    pub families: Vec<(Arc<Spec>, Family)>,
    /// Parts of journals that are its logs too.
    pub journals: Vec<(Arc<Spec>, JournalSource)>,
}

/// Told about progress: called from several threads.
pub trait Progress: Sync {
    /// So many bytes of content have been parsed.
    fn content(&self, bytes: u64);
    /// A file of this size on disk is done.
    fn file(&self, bytes: u64);
    /// A commit is stored, and took so long.
    fn committed(&self, _commit: &Commit, _took: Duration) {}
}
