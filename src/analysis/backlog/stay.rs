//! One mail in one queue, row by row: which of its copies wait. Pure.

use crate::model::time::{DAY_MS, UtcMs};
use std::collections::HashMap;

/// What the rows of a queue are called, in the order in which they come.
pub(super) const KINDS: [&str; 9] = [
    "accepted",
    "deferred",
    "delivered",
    "bounced",
    "discarded",
    "expired",
    "suppressed",
    "frozen",
    "completed",
];

/// An MTA tries again within hours, and logs what it skips: a mail without a line for longer, while its host's log goes on, is
/// gone by a line that was not read.
const QUIET_MS: i64 = DAY_MS;

/// The number of providers that have no name.
pub(super) const OF_NO_NAME: u32 = 1;

/// A row of a mail, with numbers for its texts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StayLine {
    pub ts_ms: UtcMs,
    /// Where it stands in its log: the order of lines of one second.
    pub offset: i64,
    /// Place in [`KINDS`].
    pub kind: u8,
    pub service: u32,
    /// Who runs the receiving side; 0 is not known, and [`OF_NO_NAME`] all that have no name.
    pub provider: u32,
    pub recipients: u32,
    /// Hash of the recipient; none where the row is about no single one.
    pub recipient: Option<u64>,
}

/// A copy that was tried.
#[derive(Debug, Clone, Copy)]
struct RecipientCopy {
    state: CopyState,
    service: u32,
    provider: u32,
    last_ms: UtcMs,
    /// Time between its last two attempts.
    gap_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CopyState {
    Waits,
    Bounced,
    Gone,
}

/// In what way a mail waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WaitState {
    /// It will be tried again.
    ForRetry,
    /// Exim set it aside, until somebody looks.
    Frozen,
    /// A check of Postfix put it into the hold queue.
    Held,
    /// Its log goes on without it.
    Quiet,
}

/// A mail's stay in a queue.
#[derive(Debug, Clone, Default)]
pub(super) struct QueueStay {
    /// First row.
    first_ms: UtcMs,
    last_ms: UtcMs,
    /// Its arrival was read.
    has_arrived: bool,
    service: u32,
    announced: u32,
    copies: HashMap<u64, RecipientCopy>,
    is_frozen: bool,
    is_open: bool,
}

impl QueueStay {
    /// Takes the next row.
    pub(super) fn take(&mut self, line: &StayLine) {
        match KINDS[usize::from(line.kind)] {
            "accepted" => self.arrive(line),
            "completed" => self.is_open = false,
            "discarded" if line.recipients == 0 => self.is_open = false,
            kind => self.goes_on(kind, line),
        }
    }

    fn arrive(&mut self, line: &StayLine) {
        // What was held before it came into the queue is the same mail.
        let was_held = self.is_open && self.is_frozen && !self.has_arrived;
        let first_ms = if was_held { self.first_ms } else { line.ts_ms };
        *self = QueueStay {
            first_ms,
            last_ms: line.ts_ms,
            has_arrived: true,
            service: line.service,
            announced: line.recipients,
            is_open: true,
            ..QueueStay::default()
        };
    }

    fn goes_on(&mut self, kind: &str, line: &StayLine) {
        if !self.is_open {
            *self = QueueStay {
                first_ms: line.ts_ms,
                service: line.service,
                is_open: true,
                ..QueueStay::default()
            };
        }
        self.last_ms = line.ts_ms;
        self.is_frozen = kind == "frozen";
        match (kind, line.recipient) {
            // Exim freezes what it could not bounce: those recipients stay.
            ("frozen", _) => self.turn(CopyState::Bounced, CopyState::Waits),
            // Postfix gives up on all that are left.
            ("expired", None) => self.turn(CopyState::Waits, CopyState::Gone),
            (_, None) => {}
            ("deferred", Some(recipient)) => self.tried(recipient, line),
            (_, Some(recipient)) => {
                let state = if kind == "bounced" {
                    CopyState::Bounced
                } else {
                    CopyState::Gone
                };
                let (service, last_ms) = (line.service, line.ts_ms);
                let copy = RecipientCopy {
                    state,
                    service,
                    provider: line.provider,
                    last_ms,
                    gap_ms: None,
                };
                self.copies.insert(recipient, copy);
            }
        }
    }

    fn tried(&mut self, recipient: u64, line: &StayLine) {
        let (service, last_ms) = (line.service, line.ts_ms);
        let before = self
            .copies
            .get(&recipient)
            .filter(|copy| copy.state == CopyState::Waits);
        // Several hosts tried within a second are one attempt.
        let gap_ms = before.and_then(|copy| match last_ms - copy.last_ms {
            gap_ms if gap_ms < 1000 => copy.gap_ms,
            gap_ms => Some(gap_ms),
        });
        // An attempt that came no further than the queue names no host: the one before did.
        let provider = before.map_or(line.provider, |copy| match line.provider <= OF_NO_NAME {
            true => copy.provider.max(line.provider),
            false => line.provider,
        });
        let copy = RecipientCopy {
            state: CopyState::Waits,
            service,
            provider,
            last_ms,
            gap_ms,
        };
        self.copies.insert(recipient, copy);
    }

    fn turn(&mut self, from: CopyState, to: CopyState) {
        for copy in self.copies.values_mut().filter(|copy| copy.state == from) {
            copy.state = to;
        }
    }

    fn of_state(&self, state: CopyState) -> impl Iterator<Item = &RecipientCopy> {
        self.copies.values().filter(move |copy| copy.state == state)
    }

    /// In what way it waits, where its host's log was read up to `read_ms`; none if it does not.
    pub(super) fn waits(&self, read_ms: UtcMs) -> Option<WaitState> {
        let has_copies = self.of_state(CopyState::Waits).next().is_some();
        if !self.is_open || !(self.has_arrived || self.is_frozen || has_copies) {
            return None;
        }
        Some(match self.is_frozen {
            // Nobody held what had arrived: `hold` comes first.
            true if self.has_arrived || has_copies => WaitState::Frozen,
            true => WaitState::Held,
            false if read_ms - self.last_ms > QUIET_MS => WaitState::Quiet,
            false => WaitState::ForRetry,
        })
    }

    /// Recipients that have not got it, by service and provider; at least one.
    pub(super) fn waiting(&self) -> HashMap<(u32, u32), u32> {
        let mut by_service = HashMap::new();
        for copy in self.of_state(CopyState::Waits) {
            *by_service.entry((copy.service, copy.provider)).or_default() += 1;
        }
        let waiting = by_service.values().sum::<u32>();
        let gone = (self.copies.len() as u32).saturating_sub(waiting);
        let untried = self.announced.saturating_sub(gone + waiting);
        let untried = if waiting + untried == 0 { 1 } else { untried };
        if untried > 0 {
            *by_service.entry((self.service, 0)).or_default() += untried;
        }
        by_service
    }

    /// When it came, and whether that is known: of what came before the store begins, the first row.
    pub(super) fn came(&self) -> (UtcMs, bool) {
        (self.first_ms, self.has_arrived)
    }

    /// The number of its service.
    pub(super) fn service(&self) -> u32 {
        self.service
    }

    /// Whether its arrival was read.
    pub(super) fn has_arrived(&self) -> bool {
        self.has_arrived
    }

    /// Mails by which it changes what is in the queue, and when, beside its arrival and its end.
    pub(super) fn changes(&self, waits: WaitState, came_ms: UtcMs) -> impl Iterator<Item = (UtcMs, i64)> + use<> {
        let came = (!self.has_arrived).then_some((came_ms, 1));
        let is_quiet = waits == WaitState::Quiet;
        came.into_iter()
            .chain(is_quiet.then_some((self.last_ms + QUIET_MS, -1)))
    }

    /// The next attempt after `at_ms`, as far as two attempts tell.
    pub(super) fn next_try_ms(&self, at_ms: UtcMs) -> Option<UtcMs> {
        let next = |copy: &RecipientCopy| Some(copy.last_ms + copy.gap_ms?);
        self.of_state(CopyState::Waits)
            .filter_map(next)
            .filter(|next| *next > at_ms)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stay after rows: time, kind, recipients, recipient.
    fn after(lines: &[(i64, &str, u32, u64)]) -> QueueStay {
        let mut stay = QueueStay::default();
        for (ts_ms, kind, recipients, recipient) in lines {
            stay.take(&StayLine {
                ts_ms: UtcMs::new(*ts_ms),
                offset: 0,
                kind: KINDS.iter().position(|known| known == kind).unwrap() as u8,
                service: 1,
                provider: 0,
                recipients: *recipients,
                recipient: (*recipient > 0).then_some(*recipient),
            });
        }
        stay
    }

    fn told(lines: &[(i64, &str, u32, u64)]) -> Option<(WaitState, u32)> {
        let stay = after(lines);
        Some((stay.waits(UtcMs::new(50_000))?, stay.waiting().values().sum()))
    }

    #[test]
    fn what_waits_is_told_by_a_mails_own_rows() {
        use WaitState::{ForRetry, Frozen, Held};
        let came = (0, "accepted", 0, 0);
        let came3 = (0, "accepted", 3, 0);
        let end = (90, "completed", 0, 0);
        for (lines, expected) in [
            (&[came][..], Some((ForRetry, 1))),
            (&[came3], Some((ForRetry, 3))),
            (&[came, end], None),
            // One of three got it, one was tried, one was not.
            (
                &[came3, (5, "delivered", 1, 7), (6, "deferred", 1, 8)],
                Some((ForRetry, 2)),
            ),
            // Exim does not say how many there are.
            (
                &[
                    came,
                    (5, "delivered", 1, 7),
                    (6, "deferred", 1, 8),
                    (6, "deferred", 1, 9),
                    (9, "delivered", 1, 8),
                ],
                Some((ForRetry, 1)),
            ),
            // A retry is the same recipient.
            (
                &[came, (5, "deferred", 1, 7), (9, "deferred", 0, 7)],
                Some((ForRetry, 1)),
            ),
            (&[came, (5, "bounced", 1, 7), (5, "frozen", 0, 0)], Some((Frozen, 1))),
            (&[came, (5, "frozen", 0, 0), (9, "deferred", 1, 7)], Some((ForRetry, 1))),
            (&[(0, "frozen", 1, 7)], Some((Held, 1))),
            (&[(0, "frozen", 1, 7), (9, "accepted", 2, 0)], Some((ForRetry, 2))),
            (&[(0, "frozen", 1, 7), (9, "discarded", 0, 0)], None),
            // It came before the store begins.
            (&[(5, "deferred", 1, 7)], Some((ForRetry, 1))),
            (&[(5, "delivered", 1, 7)], None),
            (&[(5, "delivered", 1, 7), end], None),
            (&[came3, (5, "deferred", 1, 7), (9, "expired", 1, 0), end], None),
            // The ID is another mail's.
            (
                &[came3, (5, "deferred", 1, 7), end, (95, "accepted", 1, 0)],
                Some((ForRetry, 1)),
            ),
        ] {
            assert_eq!(told(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_mail_that_its_log_forgets_is_quiet() {
        let stay = after(&[(0, "accepted", 1, 0), (10, "deferred", 1, 7)]);
        assert_eq!(stay.waits(UtcMs::new(QUIET_MS)), Some(WaitState::ForRetry));
        assert_eq!(stay.waits(UtcMs::new(QUIET_MS + 11)), Some(WaitState::Quiet));
        let frozen = after(&[(0, "accepted", 1, 0), (10, "frozen", 0, 0)]);
        assert_eq!(frozen.waits(UtcMs::new(9 * QUIET_MS)), Some(WaitState::Frozen));
    }

    #[test]
    fn two_attempts_tell_the_next() {
        let mut lines = vec![(0, "accepted", 1, 0), (1000, "deferred", 1, 7)];
        assert_eq!(after(&lines).next_try_ms(UtcMs::new(2000)), None);
        lines.push((901_000, "deferred", 0, 7));
        assert_eq!(
            after(&lines).next_try_ms(UtcMs::new(902_000)),
            Some(UtcMs::new(1_801_000))
        );
        // Overdue is unknown.
        assert_eq!(after(&lines).next_try_ms(UtcMs::new(1_801_000)), None);
        // Two hosts of one attempt.
        lines.push((901_200, "deferred", 0, 7));
        assert_eq!(
            after(&lines).next_try_ms(UtcMs::new(902_000)),
            Some(UtcMs::new(1_801_200))
        );
        assert_eq!(after(&lines).came(), (UtcMs::EPOCH, true));
    }
}
