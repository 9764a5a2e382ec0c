//! Counters of messages that never fall, and whose label sets are bounded.

use std::collections::BTreeMap;

/// Minutes whose rows are counted as they come.
pub(super) const MINUTES: i64 = 15;
/// Label sets of one metric.
pub(super) const SETS_MAX: usize = 2_000;
const OTHER: &str = "other";

/// Service, relay, kind, and direction.
pub(super) type MessageLabels = [String; 4];

/// What was counted since the process began.
#[derive(Debug, Default)]
pub(crate) struct MessageCounters {
    is_begun: bool,
    minutes: BTreeMap<(i64, MessageLabels), u64>,
    /// Totals by labels.
    pub totals: BTreeMap<MessageLabels, u64>,
    /// Label sets are beyond the bound.
    pub is_full: bool,
}

impl MessageCounters {
    /// Takes the rows of the last minutes: what is more than before is new.
    pub fn take(&mut self, rows: &[(i64, MessageLabels, u64)], now: i64) {
        for (minute, labels, messages) in rows {
            let known = self.minutes.entry((*minute, labels.clone())).or_default();
            let new = messages.saturating_sub(*known);
            *known = (*known).max(*messages);
            let labels = self.bounded(labels);
            let total = self.totals.entry(labels).or_default();
            // What was there before the first scrape is not this process's.
            *total += if self.is_begun { new } else { 0 };
        }
        self.is_begun = true;
        self.minutes.retain(|(minute, _), _| *minute > now - 2 * MINUTES);
    }

    fn bounded(&mut self, labels: &MessageLabels) -> MessageLabels {
        if self.totals.len() < SETS_MAX || self.totals.contains_key(labels) {
            return labels.clone();
        }
        self.is_full = true;
        let [_, _, kind, direction] = labels.clone();
        [OTHER.to_owned(), OTHER.to_owned(), kind, direction]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(service: &str) -> MessageLabels {
        [service, "mx1", "accepted", "outbound"].map(str::to_owned)
    }

    #[test]
    fn a_counter_begins_with_the_process_and_never_falls() {
        let mut counted = MessageCounters::default();
        let row = |minute: i64, count: u64| (minute, labels("gerrit"), count);
        counted.take(&[row(10, 5)], 10);
        assert_eq!(
            counted.totals[&labels("gerrit")],
            0,
            "what was there before is not counted"
        );
        counted.take(&[row(10, 7), row(11, 3)], 11);
        assert_eq!(counted.totals[&labels("gerrit")], 5);
        counted.take(&[row(10, 1), row(11, 3)], 12);
        counted.take(&[row(10, 7), row(11, 3)], 13);
        assert_eq!(
            counted.totals[&labels("gerrit")],
            5,
            "corrections are not subtracted, and not added again"
        );
        counted.take(&[], 200);
        assert!(counted.minutes.is_empty());
    }

    #[test]
    fn label_sets_are_bounded_and_it_says_so() {
        let mut counted = MessageCounters::default();
        let rows: Vec<_> = (0..SETS_MAX + 50).map(|n| (1, labels(&format!("s{n}")), 1)).collect();
        counted.take(&rows, 1);
        assert!(counted.is_full);
        assert_eq!(counted.totals.len(), SETS_MAX + 1);
        assert!(counted.totals.keys().any(|[service, ..]| service == OTHER));
    }
}
