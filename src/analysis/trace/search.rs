//! The newest rows that an ID or an address means: one stretch of time after the other, from the newest on, until enough are found.
//! What stands in every segment is found in the newest ones, and the others are not read.

use super::question::TraceQuestion;
use super::rows::{ROWS_MAX, select};
use super::story::TraceEvent;
use crate::model::time::{HOUR_MS, MINUTE_MS, UtcMs};
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window};
use crate::store::columnar::LookupKey;
use std::collections::BTreeSet;

/// The first stretch; each that follows is so many times as long as the one before.
const FIRST_MS: i64 = 6 * HOUR_MS;
const LONGER: i64 = 4;

/// A search that goes on where it stopped.
pub(super) struct Search<'s> {
    store: &'s dyn MailHistory,
    /// Any of them may hold, each with the keys of its rows.
    conditions: Vec<(String, Vec<LookupKey>)>,
    /// What is not searched yet.
    left: Window,
    next_ms: i64,
    found: BTreeSet<TraceEvent>,
}

impl<'s> Search<'s> {
    /// In a window of a store that has events from `first` to `last` in it.
    pub(super) fn new(
        store: &'s dyn MailHistory,
        question: &TraceQuestion,
        window: Window,
        (first, last): (UtcMs, UtcMs),
    ) -> Result<Search<'s>, QueryError> {
        let whole = Window {
            since_ms: first.max(window.since_ms),
            // On a server, the last one is a minute.
            until_ms: window.until_ms.min(last.saturating_add(MINUTE_MS)),
        };
        let search = |left: Window| Search {
            store,
            conditions: question.conditions(),
            left,
            next_ms: FIRST_MS,
            found: BTreeSet::new(),
        };
        // An ID that holds its time says where its arrival is: what comes after it is followed from there.
        if let Some(arrived_ms) = question.arrived_ms {
            let mut near = search(Window {
                since_ms: whole.since_ms.max(arrived_ms - HOUR_MS),
                until_ms: whole.until_ms.min(arrived_ms + HOUR_MS),
            });
            near.find(usize::MAX)?;
            if !near.found.is_empty() {
                return Ok(near);
            }
        }
        Ok(search(whole))
    }

    /// Searches on until rows of so many stays in queues are found, or nothing is left.
    pub(super) fn find(&mut self, stays: usize) -> Result<(), QueryError> {
        while !self.is_over() && !self.has(stays) {
            self.next_stretch()?;
        }
        Ok(())
    }

    /// The rows of the newest stays that were found.
    pub(super) fn newest(&self, stays: usize) -> BTreeSet<TraceEvent> {
        let mut seen = BTreeSet::new();
        let newest = self.found.iter().rev().take_while(|row| {
            seen.insert(stay_of(row));
            seen.len() <= stays
        });
        newest.cloned().collect()
    }

    /// Whether all was searched, and there are so many stays at most.
    pub(super) fn has_no_more_than(&self, stays: usize) -> bool {
        self.is_over() && !self.has(stays.saturating_add(1))
    }

    fn is_over(&self) -> bool {
        self.left.since_ms >= self.left.until_ms
    }

    fn has(&self, stays: usize) -> bool {
        let mut seen = BTreeSet::new();
        self.found.iter().any(|row| {
            seen.insert(stay_of(row));
            seen.len() >= stays
        })
    }

    fn next_stretch(&mut self) -> Result<(), QueryError> {
        let stretch = Window {
            since_ms: self.left.since_ms.max(self.left.until_ms.saturating_sub(self.next_ms)),
            until_ms: self.left.until_ms,
        };
        let order = format!("ORDER BY ts_ms DESC LIMIT {ROWS_MAX}");
        // Before it, rows may be missing.
        let mut known_from = stretch.since_ms;
        let mut rows = Vec::new();
        for (condition, keys) in &self.conditions {
            let newest = select(self.store, (condition, keys), &order, stretch)?;
            if newest.len() >= ROWS_MAX {
                let oldest = newest.iter().map(|row| row.ts_ms).min();
                known_from = known_from.max(oldest.unwrap_or(known_from));
            }
            rows.extend(newest);
        }
        self.found
            .extend(rows.into_iter().filter(|row| row.ts_ms >= known_from));
        if known_from == stretch.since_ms {
            self.left.until_ms = known_from;
            self.next_ms = self.next_ms.saturating_mul(LONGER);
        } else {
            // Of that millisecond some may be missing, unless it is the only one.
            self.left.until_ms = (known_from + 1).min(stretch.until_ms - 1);
        }
        Ok(())
    }
}

/// Host and ID of a row's stay in a queue; what never was in one has its own place in the log.
fn stay_of(row: &TraceEvent) -> (&str, &str, i64) {
    let place = if row.queue_id.is_empty() { row.log_offset } else { -1 };
    (&row.host, &row.queue_id, place)
}
