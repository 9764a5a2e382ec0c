//! One mail, once, over all hosts: after logs were read, arrivals that share a Message-ID are linked, whichever of the
//! hosts was read first.
//!
//! The segments that came since the last time say which Message-IDs may be new; all arrivals of these within the time
//! that a mail may wait in a queue are looked up, day by day, so that memory is bounded by a day's arrivals. What is
//! learnt goes into the segments by the same transaction as everything else. Doing it again changes nothing.

use super::cover::cover_hosts;
use super::learn::{LearntBySource, learn};
use super::mtas::{Mtas, mtas};
use crate::model::queue_id::QueueId;
use crate::model::time::CivilDay;
use crate::normalise::join::OpenRecord;
use crate::store::catalogue::{Segment, Transaction, next_segment, numbers, open_message, put_open_message};
use crate::store::columnar::{self, LearntById};
use crate::store::commit::put_in_place;
use crate::store::error::StoreError;
use crate::store::handle::Store;
use crate::store::segments::SegmentPart;
use std::collections::BTreeSet;
use std::path::Path;

/// What linking changed.
#[derive(Debug, Default)]
pub struct Linked {
    /// Segments that were rewritten.
    pub rewritten: u64,
    /// Messages that are still in a queue and have got another sender, by source: whoever holds them in memory takes
    /// them over.
    pub open: Vec<(i64, QueueId, OpenRecord)>,
}

/// Links the arrivals that came since the last call.
///
/// # Errors
/// The store cannot be read or written.
pub fn link_hops(store: &Store) -> Result<Linked, StoreError> {
    let mtas = mtas(&store.catalogue().connection())?;
    let linked = numbers::get(&store.catalogue().connection(), numbers::LINKED_TO)?;
    let all = store.segments().all()?;
    let newest = all.iter().map(|segment| segment.id).max().unwrap_or(0);
    let mut linked_now = Linked::default();
    if mtas.hosts.len() > 1 {
        linked_now.rewritten += cover_hosts(store, &mtas, &all)?;
        let is_new = |segment: &Segment| segment.id > linked && mtas.of_source.contains_key(&segment.source);
        let days: BTreeSet<CivilDay> = all.iter().filter(|s| is_new(s)).map(|s| s.day).collect();
        for day in days {
            // Asked again: the day before may have rewritten some.
            let mut new = store.segments().between(day.start(), (day + 1).start())?;
            new.retain(is_new);
            link_day(store, &mtas, day, &new, &mut linked_now)?;
        }
    }
    // What was rewritten is linked; what is committed meanwhile is not.
    let last = match linked_now.rewritten {
        0 => newest,
        _ => next_segment(&store.catalogue().connection())? - 1,
    };
    numbers::put(&store.catalogue().connection(), numbers::LINKED_TO, last)?;
    Ok(linked_now)
}

fn link_day(store: &Store, mtas: &Mtas, day: CivilDay, new: &[Segment], linked: &mut Linked) -> Result<(), StoreError> {
    let (near, learnt) = learn(store, mtas, day, new, None)?;
    store_links(store, mtas, &near, &learnt, linked)
}

/// Rewrites the segments that do not say yet what was learnt, and the open messages.
fn store_links(
    store: &Store,
    mtas: &Mtas,
    near: &[Segment],
    learnt: &LearntBySource,
    linked: &mut Linked,
) -> Result<(), StoreError> {
    let same_host = |name: &str, host: &str| {
        let found = mtas.hosts.find(name);
        found.is_some() && found == mtas.hosts.find(host)
    };
    for segment in near {
        let Some(messages) = learnt.get(&segment.source) else {
            continue;
        };
        let relink = |path: &Path| columnar::relink(path, messages, &same_host);
        let Some(encoded) = store
            .segments()
            .read_part(segment, SegmentPart::Events, relink)?
            .flatten()
        else {
            continue;
        };
        put_in_place(store, segment, &encoded, |_| Ok(()))?;
        linked.rewritten += 1;
    }
    let mut connection = store.catalogue().connection();
    let transaction = connection.begin()?;
    for (source, messages) in learnt {
        relink_open(&transaction, *source, messages, &mut linked.open)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Lines that are still to come of a message carry what was learnt of it.
fn relink_open(
    transaction: &Transaction<'_>,
    source: i64,
    messages: &LearntById,
    changed: &mut Vec<(i64, QueueId, OpenRecord)>,
) -> Result<(), StoreError> {
    for (id, all) in messages {
        let Some(mut record) = open_message(transaction, source, id.as_bytes())? else {
            continue;
        };
        let Some(learnt) = all.iter().find(|learnt| Some(learnt.arrival_ms) == record.arrival_ms) else {
            continue;
        };
        record.origin.service.clone_from(&learnt.service);
        record.origin.hostgroup.clone_from(&learnt.hostgroup);
        if !learnt.origin.is_empty() {
            record.origin.origin.clone_from(&learnt.origin);
        }
        record.first_hop = learnt.first_hop;
        put_open_message(transaction, source, id.as_bytes(), &record)?;
        changed.extend(QueueId::new(id.as_bytes()).map(|id| (source, id, record)));
    }
    Ok(())
}
