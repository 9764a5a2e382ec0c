//! What the history adds to an alarm's evidence: the reply that came most often, and whether the log of its relay arrives.

use super::incident::reply_until_found;
use super::shared_logs;
use crate::detect::alarm::{Alarm, Named};
use crate::detect::fleet::Names;
use crate::detect::outcomes::add_reply;
use crate::model::time::Minute;
use crate::query::QueryError;
use crate::query::history::MailHistory;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Adds evidence to alarms. Replies are looked up once: they are those of the time before the alarm was found.
#[derive(Debug, Default)]
pub(crate) struct AlarmEvidence {
    replies: BTreeMap<(Named, Minute), Option<String>>,
}

impl AlarmEvidence {
    /// The alarm with all that speaks for it.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(crate) fn of(&mut self, store: &dyn MailHistory, alarm: &Alarm, names: &Names) -> Result<Alarm, QueryError> {
        let mut alarm = shared_logs::with_evidence(store, alarm, names)?;
        if !alarm.state.is_of_outcomes() {
            return Ok(alarm);
        }
        let key = (alarm.named, alarm.detected);
        if let Entry::Vacant(entry) = self.replies.entry(key) {
            let reply = reply_until_found(store, names, &alarm)?;
            entry.insert(reply.map(|reply| reply.words()));
        }
        if let Some(Some(reply)) = self.replies.get(&key) {
            add_reply(&mut alarm.evidence, reply);
        }
        Ok(alarm)
    }
}
