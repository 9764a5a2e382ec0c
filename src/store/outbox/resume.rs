//! Sending again after the catalogue was rebuilt: see [`crate::store::clickhouse::keep`].

use super::post::{Outbox, names};
use crate::model::time::{CivilDay, Minute};
use crate::store::catalogue::{self, numbers};
use crate::store::error::StoreError;

impl Outbox<'_> {
    /// Segments that were taken over and whose logs have not been read again to their rows.
    pub(in crate::store) fn unread_adopted(&self) -> Result<u64, StoreError> {
        Ok(catalogue::unread_adopted(&self.catalogue.connection())?)
    }

    /// What is missing of a day and comes back: whether a server has it.
    pub(in crate::store) fn note_sent(&self, source: i64, day: CivilDay, sent: bool) -> Result<(), StoreError> {
        Ok(catalogue::note_sent(&self.catalogue.connection(), source, day, sent)?)
    }

    /// The server has what is here, heartbeats up to a minute: from now on what is committed is posted again.
    pub(in crate::store) fn resume(&self, beats_minute: Minute) -> Result<(), StoreError> {
        let mut connection = self.catalogue.connection();
        let transaction = connection.begin()?;
        if numbers::get(&transaction, names::STORE_ID)? == 0 {
            numbers::put(&transaction, names::STORE_ID, numbers::random() & i64::MAX)?;
        }
        for (name, value) in [
            (names::UNDECIDED, 0),
            (names::SHIPPING, 1),
            (names::GAP, 0),
            (names::BEATS_POSTED, beats_minute.get()),
        ] {
            numbers::put(&transaction, name, value)?;
        }
        Ok(transaction.commit()?)
    }

    /// What a token begins with that no other store and no other rebuilding has.
    pub(in crate::store) fn keep_token(&self) -> Result<String, StoreError> {
        let connection = self.catalogue.connection();
        let store = numbers::get(&connection, names::STORE_ID)?;
        let generation = numbers::get(&connection, "generation")?;
        Ok(format!("{store:016x}-keep-{generation}"))
    }
}
