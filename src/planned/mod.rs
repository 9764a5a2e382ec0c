//! Planned work: what is not reported for a time (`[[silence]]` of the configuration, and `mailpulse silence`), and what
//! somebody did (`mailpulse mark`). One type of silence, wherever it was written.
//!
//! What people add lies in small files beside the state of `watch`, each with a lock of its own: nobody waits for the writer of
//! the store, and who reads only reads.

mod entries;
mod entry;
mod silence;
mod words;

use crate::model::time::Minute;
pub(crate) use entries::{PlannedEntry, PlannedList, change, load};
pub(crate) use entry::{KeptSilence, SilenceTarget, WorkMark};
pub(crate) use silence::{AlarmSubject, AlertSilence, SilenceHours, SilencedSpan};
pub(crate) use words::{REASON_MAX, TEXT_MAX, checked};

/// All that is planned, and was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Planned {
    /// What is not reported: the configuration's first.
    pub silences: Vec<AlertSilence>,
    /// What was done.
    pub marks: Vec<WorkMark>,
}

impl Planned {
    /// What holds an alarm back that was found at a minute since 1970, and until when.
    #[must_use]
    pub(crate) fn held(
        &self,
        subject: AlarmSubject<'_>,
        detected: Minute,
        ended: Option<Minute>,
    ) -> Option<SilencedSpan<'_>> {
        silence::held(&self.silences, subject, detected, ended)
    }
}
