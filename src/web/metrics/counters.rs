//! Counters of messages that never fall, and whose label sets are bounded.

use crate::model::direction::{Direction, MailOrigin};
use crate::model::time::Minute;
use std::collections::BTreeMap;

/// Minutes whose rows are counted as they come.
pub(super) const MINUTES: i64 = 15;
/// Label sets of one metric.
pub(super) const SETS_MAX: usize = 2_000;
const OTHER: &str = "other";

/// Service, relay, kind, and direction.
pub(super) type MessageLabels = [String; 4];

/// The direction of a row as a label. What is about no recipient has the one of its message, as it is counted where nothing else
/// is asked for.
pub(super) fn direction_label(direction: &str, origin: &str) -> &'static str {
    match (Direction::named(direction), MailOrigin::named(origin)) {
        (Some(direction), _) => direction.as_str(),
        (None, MailOrigin::Outside) => Direction::Inbound.as_str(),
        (None, MailOrigin::Ours | MailOrigin::Unknown) => Direction::Outbound.as_str(),
    }
}

/// Totals that never fall, by labels whose sets are bounded.
#[derive(Debug, Default, Clone)]
pub(crate) struct LabelledTotals {
    /// Totals by labels.
    pub totals: BTreeMap<MessageLabels, u64>,
    /// Label sets are beyond the bound.
    pub is_full: bool,
}

impl LabelledTotals {
    /// Adds to the total of a label set; one beyond the bound is counted as another.
    pub(crate) fn add(&mut self, labels: &MessageLabels, messages: u64) {
        if self.totals.len() < SETS_MAX || self.totals.contains_key(labels) {
            *self.totals.entry(labels.clone()).or_default() += messages;
            return;
        }
        self.is_full = true;
        let [_, _, kind, direction] = labels.clone();
        let labels = [OTHER.to_owned(), OTHER.to_owned(), kind, direction];
        *self.totals.entry(labels).or_default() += messages;
    }
}

/// What was counted since the process began, by looks at the rows of a store.
#[derive(Debug, Default)]
pub(crate) struct MessageCounters {
    is_begun: bool,
    minutes: BTreeMap<(Minute, MessageLabels), u64>,
    /// What was counted.
    pub sets: LabelledTotals,
}

impl MessageCounters {
    /// Takes the rows of the last minutes: what is more than before is new.
    pub(crate) fn take(&mut self, rows: &[(Minute, MessageLabels, u64)], now: Minute) {
        for (minute, labels, messages) in rows {
            let known = self.minutes.entry((*minute, labels.clone())).or_default();
            let new = messages.saturating_sub(*known);
            *known = (*known).max(*messages);
            // What was there before the first scrape is not this process's.
            self.sets.add(labels, if self.is_begun { new } else { 0 });
        }
        self.is_begun = true;
        self.minutes.retain(|(minute, _), _| *minute > now - 2 * MINUTES);
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
        let row = |minute: i64, count: u64| (Minute::new(minute), labels("gerrit"), count);
        counted.take(&[row(10, 5)], Minute::new(10));
        assert_eq!(
            counted.sets.totals[&labels("gerrit")],
            0,
            "what was there before is not counted"
        );
        counted.take(&[row(10, 7), row(11, 3)], Minute::new(11));
        assert_eq!(counted.sets.totals[&labels("gerrit")], 5);
        counted.take(&[row(10, 1), row(11, 3)], Minute::new(12));
        counted.take(&[row(10, 7), row(11, 3)], Minute::new(13));
        assert_eq!(
            counted.sets.totals[&labels("gerrit")],
            5,
            "corrections are not subtracted, and not added again"
        );
        counted.take(&[], Minute::new(200));
        assert!(counted.minutes.is_empty());
    }

    #[test]
    fn what_is_about_no_recipient_has_the_direction_of_its_message() {
        for (direction, origin, label) in [
            ("", "ours", "outbound"),
            ("", "", "outbound"),
            ("", "outside", "inbound"),
            ("internal", "ours", "internal"),
            ("transit", "outside", "transit"),
        ] {
            assert_eq!(direction_label(direction, origin), label, "{direction} {origin}");
        }
    }

    #[test]
    fn label_sets_are_bounded_and_it_says_so() {
        let mut counted = MessageCounters::default();
        let rows: Vec<_> = (0..SETS_MAX + 50)
            .map(|n| (Minute::new(1), labels(&format!("s{n}")), 1))
            .collect();
        counted.take(&rows, Minute::new(1));
        assert!(counted.sets.is_full);
        assert_eq!(counted.sets.totals.len(), SETS_MAX + 1);
        assert!(counted.sets.totals.keys().any(|[service, ..]| service == OTHER));
    }
}
