//! What is learnt of messages from the arrivals that share a Message-ID.

use super::mtas::Mtas;
use crate::model::queue_id::QueueId;
use crate::model::service_names::UNATTRIBUTED;
use crate::model::text::text;
use crate::model::time::CivilDay;
use crate::normalise::hops::{HopArrival, QUEUE_MS_MAX, link};
use crate::store::catalogue::Segment;
use crate::store::columnar::{self, ArrivalRow, Learnt, LearntById};
use crate::store::error::StoreError;
use crate::store::handle::Store;
use crate::store::segments::SegmentPart;
use hashbrown::HashMap;
use rustc_hash::{FxBuildHasher, FxHashSet};
use std::path::Path;

/// Services, hostgroups, and whose mail it is, by number.
#[derive(Default)]
struct SenderNumbers {
    items: Vec<[String; 3]>,
    numbers: HashMap<[String; 3], u32>,
}

impl SenderNumbers {
    fn number(&mut self, sender: [String; 3]) -> u32 {
        let items = &mut self.items;
        *self.numbers.entry(sender).or_insert_with_key(|sender| {
            items.push(sender.clone());
            items.len() as u32 - 1
        })
    }
}

/// Changes what an arrival says of its sender.
pub(crate) type ChangeArrival<'a> = &'a mut dyn FnMut(&Segment, &mut ArrivalRow);

/// What was learnt of messages, by source.
pub(crate) type LearntBySource = HashMap<i64, LearntById, FxBuildHasher>;

/// What is learnt of the messages that arrive in some segments of a day, and the segments that may say otherwise. `anew`
/// changes what arrivals say of their senders; all that is stored of these is read for it.
pub fn learn(
    store: &Store,
    mtas: &Mtas,
    day: CivilDay,
    new: &[Segment],
    mut anew: Option<ChangeArrival<'_>>,
) -> Result<(Vec<Segment>, LearntBySource), StoreError> {
    let (from, to) = (day.start() - QUEUE_MS_MAX, (day + 1).start() + QUEUE_MS_MAX);
    let near: Vec<Segment> = store
        .segments()
        .between(from, to)?
        .into_iter()
        .filter(|segment| mtas.of_source.contains_key(&segment.source))
        .collect();
    let keys = keys_of_several_hosts(store, mtas, new, &near)?;
    if keys.is_empty() {
        return Ok((near, LearntBySource::default()));
    }
    let mut senders = SenderNumbers::default();
    let mut by_key: HashMap<u64, Vec<HopArrival>> = HashMap::default();
    for segment in &near {
        let read = |path: &Path| columnar::arrivals(path, &keys, anew.is_some());
        let rows = store.segments().read_part(segment, SegmentPart::Events, read)?;
        for mut row in rows.into_iter().flatten() {
            if let Some(anew) = &mut anew {
                anew(segment, &mut row);
            }
            if let Some(arrival) = arrival(mtas, segment.source, row, &mut senders) {
                by_key.entry(arrival.key).or_default().push(arrival);
            }
        }
    }
    let learnt = learnt_of(mtas, &by_key, &senders);
    Ok((near, learnt))
}

/// The keys of new segments that more than one host has: only of these anything is learnt, and most mail is seen by one host.
fn keys_of_several_hosts(
    store: &Store,
    mtas: &Mtas,
    new: &[Segment],
    near: &[Segment],
) -> Result<FxHashSet<u64>, StoreError> {
    let keys_in = |segment: &Segment| {
        let keys = store
            .segments()
            .read_part(segment, SegmentPart::Events, columnar::message_keys)?;
        Ok::<_, StoreError>(keys.unwrap_or_default())
    };
    let mut shared = FxHashSet::default();
    let mut note = |key: u64, known: &mut Option<u32>, host: Option<u32>| match *known {
        None => *known = host,
        Some(_) if host.is_some() && *known != host => drop(shared.insert(key)),
        Some(_) => {}
    };
    let mut host_of_key: HashMap<u64, Option<u32>, FxBuildHasher> = HashMap::default();
    let mut read = FxHashSet::default();
    for segment in new {
        let host = mtas.of_source.get(&segment.source).copied();
        for key in keys_in(segment)? {
            note(key, host_of_key.entry(key).or_default(), host);
        }
        read.insert(segment.id);
    }
    for segment in near.iter().filter(|segment| !read.contains(&segment.id)) {
        let host = mtas.of_source.get(&segment.source).copied();
        for key in keys_in(segment)? {
            if let Some(known) = host_of_key.get_mut(&key) {
                note(key, known, host);
            }
        }
    }
    Ok(shared)
}

/// What the arrivals of all mails say of their messages.
fn learnt_of(mtas: &Mtas, by_key: &HashMap<u64, Vec<HopArrival>>, senders: &SenderNumbers) -> LearntBySource {
    let mut learnt = LearntBySource::default();
    for link in by_key.values().flat_map(|arrivals| link(arrivals)) {
        let [service, hostgroup, origin] = senders.items[link.sender as usize].clone();
        let id = text(link.queue_id.as_bytes());
        let handed = link
            .handed
            .iter()
            .map(|(host, at)| (mtas.hosts.name(*host).to_owned(), *at));
        let entry = Learnt {
            arrival_ms: link.arrival_ms,
            service,
            hostgroup,
            origin,
            first_hop: link.first_hop,
            handed: handed.collect(),
        };
        learnt
            .entry(link.source)
            .or_default()
            .entry(id)
            .or_default()
            .push(entry);
    }
    learnt
}

fn arrival(mtas: &Mtas, source: i64, row: ArrivalRow, senders: &mut SenderNumbers) -> Option<HopArrival> {
    let host = *mtas.of_source.get(&source)?;
    let client = mtas.hosts.find(&row.client);
    let is_stranger = client.is_none() && !row.client.is_empty();
    Some(HopArrival {
        key: row.key,
        host,
        source,
        ts_ms: row.ts_ms,
        queue_id: QueueId::new(row.queue_id.as_bytes())?,
        client,
        stranger: is_stranger.then(|| senders.number([row.client.to_ascii_lowercase(), String::new(), String::new()])),
        continues: !row.first_hop && client.is_none_or(|client| client == host),
        unattributed: row.service == UNATTRIBUTED,
        sender: senders.number([row.service, row.hostgroup, row.origin]),
    })
}
