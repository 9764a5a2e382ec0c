//! Heartbeats: when a tail had read sources to their ends.

use crate::model::time::UtcMs;
use crate::store::catalogue::{Heartbeat, add_heartbeats};
use crate::store::error::StoreError;
use crate::store::handle::Store;

/// Notes that these sources had been read to their ends at `now_ms`.
///
/// # Errors
/// The store cannot be written.
pub fn put_heartbeats(store: &Store, heartbeats: &[Heartbeat], now_ms: UtcMs) -> Result<(), StoreError> {
    let minute = now_ms.minute();
    let mut connection = store.catalogue().connection();
    let transaction = connection.begin()?;
    add_heartbeats(&transaction, heartbeats, minute)?;
    store.outbox().post_heartbeats(&transaction, minute)?;
    Ok(transaction.commit()?)
}
