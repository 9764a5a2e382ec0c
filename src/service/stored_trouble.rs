//! A trouble of a part that runs for long, kept in the store for `status` as long as it lasts.

use crate::store::Store;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The same trouble is noted again after so long.
const NOTE_AGAIN: Duration = Duration::from_secs(60);

/// What is kept of one part.
pub(crate) struct StoredTrouble {
    folder: PathBuf,
    topic: &'static str,
    /// What is kept now, and since when it is.
    kept: Option<(String, Instant)>,
    /// Whether nothing may be kept: at the start what an earlier process left is.
    clean: bool,
}

impl StoredTrouble {
    /// Under a topic, in a store.
    pub(crate) fn new(folder: PathBuf, topic: &'static str) -> Self {
        StoredTrouble {
            folder,
            topic,
            kept: None,
            clean: false,
        }
    }

    /// Keeps it; the same one not at once again.
    pub(crate) fn keep(&mut self, what: &str) {
        self.clean = false;
        let is_kept = |(kept, at): &(String, Instant)| kept == what && at.elapsed() < NOTE_AGAIN;
        if self.kept.as_ref().is_some_and(is_kept) {
            return;
        }
        let noted = Store::open(&self.folder).and_then(|store| Ok(store.troubles().note(self.topic, what)?));
        if noted.is_ok() {
            self.kept = Some((what.to_owned(), Instant::now()));
        }
    }

    /// Keeps it anew, whatever was kept.
    pub(crate) fn keep_at_once(&mut self, what: &str) {
        self.kept = None;
        self.keep(what);
    }

    /// It is over.
    pub(crate) fn end(&mut self) {
        if self.clean {
            return;
        }
        // Kept too long is better than a part that stops over it.
        let ended = Store::open(&self.folder).and_then(|store| Ok(store.troubles().end(self.topic)?));
        self.clean = ended.is_ok();
        self.kept = None;
    }
}
