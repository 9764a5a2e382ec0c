//! What is posted of the lines that were counted by minute, and of heartbeats.

use super::post::{Outbox, names};
use crate::model::time::{DAY_MIN, Minute};
use crate::store::catalogue::{
    Beats, CatalogueError, Connection, Counts, Transaction, counted_minutes, heartbeats_between, numbers, source_name,
};
use crate::store::error::StoreError;

/// Minutes with heartbeats that are posted at once, at most.
const BEATS_MAX: i64 = DAY_MIN;

impl Outbox<'_> {
    /// Posts the lines that a commit counted.
    pub(in crate::store) fn post_minutes(
        &self,
        transaction: &Transaction<'_>,
        source: i64,
        minutes: &[(Minute, Counts)],
    ) -> Result<(), StoreError> {
        if minutes.is_empty() {
            return Ok(());
        }
        let (host, kind) = source_name(transaction, source)?;
        let lines: String = minutes
            .iter()
            .map(|(minute, counts)| line(*minute, &host, &kind, counts))
            .collect();
        self.post_lines(transaction, minutes.len() as u64, &lines)
    }

    /// Posts the heartbeats of the minutes that are over, each minute once. `minute` is the one that goes on.
    pub(in crate::store) fn post_heartbeats(
        &self,
        transaction: &Transaction<'_>,
        minute: Minute,
    ) -> Result<(), StoreError> {
        let posted = Minute::new(numbers::get(transaction, names::BEATS_POSTED)?).max(minute - BEATS_MAX);
        if !self.ships() || posted >= minute - 1 {
            return Ok(());
        }
        let beats = heartbeats_between(transaction, posted, minute)?;
        if !beats.is_empty() {
            let lines: String = beats.iter().map(beats_line).collect();
            self.post_lines(transaction, beats.len() as u64, &lines)?;
            self.sync()?;
        }
        Ok(numbers::put(transaction, names::BEATS_POSTED, minute.get() - 1)?)
    }
}

fn beats_line(beats: &Beats) -> String {
    let line = serde_json::json!({
        "ts_ms": beats.minute.start().get(), "host": beats.host, "source": beats.kind, "heartbeats": beats.heartbeats,
        "lag_ms": beats.lag_ms.unwrap_or(-1),
    });
    format!("{line}\n")
}

/// One line of a payload of minutes. Counts that are taken back are negative: as u64 they are the complement.
fn line(minute: Minute, host: &str, source: &str, counts: &Counts) -> String {
    let line = serde_json::json!({
        "ts_ms": minute.start().get(), "host": host, "source": source, "lines": counts.lines as i64,
        "events": counts.events as i64, "ignored": counts.ignored as i64, "unparsed": counts.unparsed as i64,
        "bytes": counts.bytes as i64, "foreign_lines": counts.foreign as i64,
    });
    format!("{line}\n")
}

/// All that was counted so far.
pub(super) fn all(connection: &Connection) -> Result<Vec<String>, CatalogueError> {
    let minutes = counted_minutes(connection)?;
    let lines = minutes
        .iter()
        .map(|(minute, host, kind, counts)| line(*minute, host, kind, counts));
    Ok(lines.collect())
}
