//! What was read before other hosts' logs were known says of their names what it would say now.

use super::mtas::Mtas;
use crate::normalise::join::OpenRecord;
use crate::store::catalogue::{Segment, each_open, numbers, put_open_message};
use crate::store::columnar;
use crate::store::commit::put_in_place;
use crate::store::error::StoreError;
use crate::store::handle::Store;
use crate::store::segments::SegmentPart;

/// Number of hosts that all segments know of.
const COVERED_HOSTS: &str = "hops_hosts";

/// What was read before other hosts' logs were known says of their names what it would say now.
pub(super) fn cover_hosts(store: &Store, mtas: &Mtas, segments: &[Segment]) -> Result<u64, StoreError> {
    let hosts = mtas.hosts.len() as i64;
    if numbers::get(&store.catalogue().connection(), COVERED_HOSTS)? == hosts {
        return Ok(0);
    }
    let mut rewritten = 0;
    for segment in segments {
        let Some(own) = mtas.of_source.get(&segment.source) else {
            continue;
        };
        let is_other = |name: &str| mtas.hosts.find(name).is_some_and(|found| found != *own);
        let encoded = store
            .segments()
            .read_part(segment, SegmentPart::Events, |path| columnar::cover(path, &is_other))?;
        if let Some(encoded) = encoded.flatten() {
            put_in_place(store, segment, &encoded, |_| Ok(()))?;
            rewritten += 1;
        }
    }
    cover_open(store, mtas)?;
    numbers::put(&store.catalogue().connection(), COVERED_HOSTS, hosts)?;
    Ok(rewritten)
}

/// The same for messages that are still in a queue.
fn cover_open(store: &Store, mtas: &Mtas) -> Result<(), StoreError> {
    let mut connection = store.catalogue().connection();
    let transaction = connection.begin()?;
    let mut changed: Vec<(i64, Vec<u8>, OpenRecord)> = Vec::new();
    each_open(&transaction, |source, id, mut record| {
        let Some(own) = mtas.of_source.get(&source) else {
            return Ok(());
        };
        let client = mtas.hosts.find(&record.origin.client);
        if record.first_hop && client.is_some_and(|client| client != *own) {
            record.first_hop = false;
            changed.push((source, id.to_vec(), record));
        }
        Ok(())
    })?;
    for (source, id, record) in &changed {
        put_open_message(&transaction, *source, id, record)?;
    }
    Ok(transaction.commit()?)
}
