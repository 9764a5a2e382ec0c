//! Sending again after the catalogue was rebuilt: see [`crate::store::clickhouse::keep`].

use super::super::{Error, Store, catalogue};
use super::{UNDECIDED, get, minutes, put, random};
use rusqlite::params;

impl Store {
    /// Segments that were taken over and whose logs have not been read again to their rows.
    pub fn unread_adopted(&self) -> Result<u64, Error> {
        self.settle_adopted()?;
        let connection = self.connection();
        let count: i64 = connection.query_row("SELECT count(*) FROM adopted", [], |row| row.get(0))?;
        Ok(count as u64)
    }

    /// Forgets that segments were taken over whose logs have been read behind their last row.
    pub(in crate::store) fn settle_adopted(&self) -> Result<(), Error> {
        self.connection().execute(
            "DELETE FROM adopted WHERE NOT EXISTS (
                 SELECT 1 FROM segment_log LEFT JOIN log ON log.log_id = segment_log.log
                 WHERE segment_log.segment = adopted.segment
                     AND coalesce(json_extract(log.position, '$.offset'), -1) <= segment_log.last_offset)
             AND EXISTS (SELECT 1 FROM segment_log WHERE segment_log.segment = adopted.segment)",
            [],
        )?;
        Ok(())
    }

    /// What is missing of a day and comes back: whether a server has it.
    pub(in crate::store) fn note_sent(&self, source: i64, day: i64, sent: bool) -> Result<(), Error> {
        self.connection().execute(
            "UPDATE missing SET sent = ?3, linked = ?3 WHERE source = ?1 AND day = ?2",
            params![source, day, sent],
        )?;
        Ok(())
    }

    /// The server has what is here, heartbeats up to a minute: from now on what is committed is posted again.
    pub(in crate::store) fn resume_shipping(&self, beats_minute: i64) -> Result<(), Error> {
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        if get(&transaction, "store_id")? == 0 {
            put(&transaction, "store_id", random() & i64::MAX)?;
        }
        for (name, value) in [
            (UNDECIDED, 0),
            ("shipping", 1),
            ("ship_gap", 0),
            (minutes::POSTED, beats_minute),
        ] {
            put(&transaction, name, value)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// What a token begins with that no other store and no other rebuilding has.
    pub(in crate::store) fn keep_token(&self) -> Result<String, Error> {
        let connection = self.connection();
        let (store, generation) = (get(&connection, "store_id")?, get(&connection, "generation")?);
        Ok(format!("{store:016x}-keep-{generation}"))
    }

    /// First and last minute with lines or heartbeats, UTC milliseconds.
    pub(in crate::store) fn minutes_span(&self) -> Result<Option<(i64, i64)>, Error> {
        let connection = self.connection();
        let span: (Option<i64>, Option<i64>) =
            connection.query_row("SELECT min(minute), max(minute) FROM source_minute", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        Ok(span.0.zip(span.1).map(|(first, last)| (first * 60_000, last * 60_000)))
    }
}
