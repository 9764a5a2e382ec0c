//! What is posted of the lines that were counted by minute, and of heartbeats.

use super::super::commit::Counts;
use super::super::{Error, Store};
use super::{Bytes, Kind, get, put};
use rusqlite::{Transaction, params};

/// Name of the state that says to which minute heartbeats have been posted.
pub(super) const POSTED: &str = "beats_posted";
/// Minutes with heartbeats that are posted at once, at most.
const BEATS_MAX: i64 = 1_440;

impl Store {
    /// Posts the lines that a commit counted.
    pub(in crate::store) fn post_minutes(
        &self,
        transaction: &Transaction<'_>,
        source: i64,
        minutes: &[(i64, Counts)],
    ) -> Result<(), Error> {
        if minutes.is_empty() {
            return Ok(());
        }
        let (host, kind): (String, String) =
            transaction.query_row("SELECT host, kind FROM source WHERE id = ?1", [source], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let lines: String = minutes
            .iter()
            .map(|(minute, counts)| line(*minute, &host, &kind, counts))
            .collect();
        self.post(
            transaction,
            Kind::Minutes,
            0,
            minutes.len() as u64,
            &Bytes::Given(lines.as_bytes()),
        )
    }

    /// Posts the heartbeats of the minutes that are over, each minute once. `minute` is the one that goes on.
    pub(in crate::store) fn post_heartbeats(&self, transaction: &Transaction<'_>, minute: i64) -> Result<(), Error> {
        let posted = get(transaction, POSTED)?.max(minute - BEATS_MAX);
        if !self.ships() || posted >= minute - 1 {
            return Ok(());
        }
        let mut over = transaction.prepare_cached(
            "SELECT minute, host, kind, heartbeats, lag_ms FROM source_minute JOIN source ON source.id = source
             WHERE heartbeats > 0 AND minute > ?1 AND minute < ?2 ORDER BY minute, source",
        )?;
        let lines = over.query_map(params![posted, minute], |row| {
            let line = serde_json::json!({
                "ts_ms": row.get::<_, i64>(0)? * 60_000, "host": row.get::<_, String>(1)?,
                "source": row.get::<_, String>(2)?, "heartbeats": row.get::<_, i64>(3)?,
                "lag_ms": row.get::<_, Option<i64>>(4)?.unwrap_or(-1),
            });
            Ok(format!("{line}\n"))
        })?;
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        if !lines.is_empty() {
            let bytes = lines.concat();
            self.post(
                transaction,
                Kind::Minutes,
                0,
                lines.len() as u64,
                &Bytes::Given(bytes.as_bytes()),
            )?;
            self.sync_outbox()?;
        }
        put(transaction, POSTED, minute - 1)
    }
}

/// One line of a payload of minutes. Counts that are taken back are negative: as u64 they are the complement.
fn line(minute: i64, host: &str, source: &str, counts: &Counts) -> String {
    let line = serde_json::json!({
        "ts_ms": minute * 60_000, "host": host, "source": source, "lines": counts.lines as i64,
        "events": counts.events as i64, "ignored": counts.ignored as i64, "unparsed": counts.unparsed as i64,
        "bytes": counts.bytes as i64, "foreign_lines": counts.foreign as i64,
    });
    format!("{line}\n")
}

/// All that was counted so far.
pub(super) fn all(transaction: &Transaction<'_>) -> Result<Vec<String>, Error> {
    let mut all = transaction.prepare(
        "SELECT minute, host, kind, lines, events, ignored, unparsed, bytes, foreign_lines FROM source_minute
         JOIN source ON source.id = source WHERE lines > 0 ORDER BY minute, source",
    )?;
    let rows = all.query_map([], |row| {
        let number = |at: usize| row.get::<_, i64>(at).map(|n| n as u64);
        let counts = Counts {
            lines: number(3)?,
            events: number(4)?,
            ignored: number(5)?,
            unparsed: number(6)?,
            duplicates: 0,
            bytes: number(7)?,
            foreign: number(8)?,
        };
        Ok(line(
            row.get(0)?,
            &row.get::<_, String>(1)?,
            &row.get::<_, String>(2)?,
            &counts,
        ))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
