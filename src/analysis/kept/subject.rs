//! Of what a state is.

use crate::detect::engine::Options;
use crate::detect::kept::options_text;
use crate::query::QueryError;
use crate::query::history::MailHistory;
use crate::store::catalogue::Reason;
use serde::{Deserialize, Serialize};

/// Of what a state is: it is of no use for anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSubject {
    /// Which history.
    pub(super) history: String,
    /// Hash of what the detection reads of the configuration.
    pub(super) options: [u8; 32],
    /// The note of the last time that stored rows were attributed anew.
    pub(super) relabelled: Option<i64>,
}

impl KeptSubject {
    /// A history under these options.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn of(store: &dyn MailHistory, options: &Options) -> Result<KeptSubject, QueryError> {
        let changes = store.attribution_changes()?.into_iter();
        let relabelled = changes.filter(|change| change.note.reason == Reason::Relabelled);
        Ok(KeptSubject {
            history: store.identity()?,
            options: *blake3::hash(options_text(options).as_bytes()).as_bytes(),
            relabelled: relabelled.map(|change| change.number).max(),
        })
    }
}
