//! One mail, once, over all hosts: after logs were read, arrivals that share a Message-ID are linked, whichever of the
//! hosts was read first.
//!
//! The segments that came since the last time say which Message-IDs may be new; all arrivals of these within the time
//! that a mail may wait in a queue are looked up, day by day, so that memory is bounded by a day's arrivals. What is
//! learnt goes into the segments by the same transaction as everything else. Doing it again changes nothing.

use super::catalogue::{self, Segment};
use super::columnar::{self, ArrivalRow, Learnt, LearntById};
use super::incomplete::Part;
use super::{Error, Store};
use crate::model::queue_id::QueueId;
use crate::model::service_names::UNATTRIBUTED;
use crate::normalise::hops::{Arrival, QUEUE_MS_MAX, is_mta, link};
use crate::normalise::hosts::Hosts;
use crate::normalise::join::OpenRecord;
use hashbrown::{HashMap, HashSet};
use rusqlite::{OptionalExtension, Transaction, params};
use rustc_hash::FxBuildHasher;
use std::collections::BTreeSet;
use std::path::Path;

const DAY_MS: i64 = super::batch::DAY_MS;

/// Services and hostgroups by number.
#[derive(Default)]
struct Senders {
    items: Vec<(String, String)>,
    numbers: HashMap<(String, String), u32>,
}

impl Senders {
    fn number(&mut self, service: String, hostgroup: String) -> u32 {
        let items = &mut self.items;
        *self.numbers.entry((service, hostgroup)).or_insert_with_key(|pair| {
            items.push(pair.clone());
            items.len() as u32 - 1
        })
    }
}

/// The hosts whose MTA's logs are in the store.
pub(super) struct Mtas {
    pub(super) hosts: Hosts,
    /// Host of a source.
    of_source: HashMap<i64, u32, FxBuildHasher>,
}

/// Changes what an arrival says of its sender.
type Anew<'a> = &'a mut dyn FnMut(&Segment, &mut ArrivalRow);

/// What was learnt of messages, by source.
pub(super) type LearntBySource = HashMap<i64, LearntById, FxBuildHasher>;

/// What linking changed.
#[derive(Debug, Default)]
pub struct Linked {
    /// Segments that were rewritten.
    pub rewritten: u64,
    /// Messages that are still in a queue and have got another sender, by source: whoever holds them in memory takes
    /// them over.
    pub open: Vec<(i64, QueueId, OpenRecord)>,
}

impl Store {
    /// Links the arrivals that came since the last call.
    pub fn link_hops(&self) -> Result<Linked, Error> {
        let mtas = self.mtas()?;
        let linked = self.linked_to()?;
        let all = self.segments(i64::MIN, i64::MAX)?;
        let newest = all.iter().map(|segment| segment.id).max().unwrap_or(0);
        let mut linked_now = Linked::default();
        if mtas.hosts.len() > 1 {
            linked_now.rewritten += self.cover_hosts(&mtas, &all)?;
            let is_new = |segment: &Segment| segment.id > linked && mtas.of_source.contains_key(&segment.source);
            let days: BTreeSet<i64> = all.iter().filter(|s| is_new(s)).map(|s| s.day).collect();
            for day in days {
                // Asked again: the day before may have rewritten some.
                let mut new = self.segments(day * DAY_MS, (day + 1) * DAY_MS)?;
                new.retain(is_new);
                self.link_day(&mtas, day, &new, &mut linked_now)?;
            }
        }
        // What was rewritten is linked; what is committed meanwhile is not.
        let last = match linked_now.rewritten {
            0 => newest,
            _ => catalogue::next_segment(&self.connection())? - 1,
        };
        self.connection().execute(
            "INSERT INTO state VALUES ('hops_linked_to', ?1) ON CONFLICT DO UPDATE SET value = excluded.value",
            [last],
        )?;
        Ok(linked_now)
    }

    fn linked_to(&self) -> Result<i64, Error> {
        self.noted("hops_linked_to")
    }

    fn noted(&self, name: &str) -> Result<i64, Error> {
        let connection = self.connection();
        let found = connection
            .query_row("SELECT value FROM state WHERE name = ?1", [name], |row| row.get(0))
            .optional()?;
        Ok(found.unwrap_or(0))
    }

    /// What was read before other hosts' logs were known says of their names what it would say now.
    fn cover_hosts(&self, mtas: &Mtas, segments: &[Segment]) -> Result<u64, Error> {
        let hosts = mtas.hosts.len() as i64;
        if self.noted("hops_hosts")? == hosts {
            return Ok(0);
        }
        let mut rewritten = 0;
        for segment in segments {
            let Some(own) = mtas.of_source.get(&segment.source) else {
                continue;
            };
            let is_other = |name: &str| mtas.hosts.find(name).is_some_and(|found| found != *own);
            let encoded = self.read_part(segment, Part::Events, |path| columnar::cover(path, &is_other))?;
            if let Some(encoded) = encoded.flatten() {
                self.put_in_place(segment, &encoded, |_| Ok(()))?;
                rewritten += 1;
            }
        }
        self.cover_open(mtas)?;
        self.connection().execute(
            "INSERT INTO state VALUES ('hops_hosts', ?1) ON CONFLICT DO UPDATE SET value = excluded.value",
            [hosts],
        )?;
        Ok(rewritten)
    }

    /// The same for messages that are still in a queue.
    fn cover_open(&self, mtas: &Mtas) -> Result<(), Error> {
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        let mut changed: Vec<(i64, Vec<u8>, String)> = Vec::new();
        {
            let mut all = transaction.prepare("SELECT source, queue_id, state FROM open_message")?;
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                let (source, state): (i64, String) = (row.get(0)?, row.get(2)?);
                let Some(own) = mtas.of_source.get(&source) else {
                    continue;
                };
                let mut record: OpenRecord = serde_json::from_str(&state).map_err(catalogue::Error::from)?;
                let client = mtas.hosts.find(&record.origin.client);
                if record.first_hop && client.is_some_and(|client| client != *own) {
                    record.first_hop = false;
                    let state = serde_json::to_string(&record).map_err(catalogue::Error::from)?;
                    changed.push((source, row.get(1)?, state));
                }
            }
        }
        for (source, id, state) in changed {
            transaction.execute(
                "UPDATE open_message SET state = ?3 WHERE source = ?1 AND queue_id = ?2",
                params![source, id, state],
            )?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Puts a segment in the place of one that says otherwise; what `also` does is part of the same transaction.
    pub(super) fn put_in_place(
        &self,
        segment: &Segment,
        encoded: &columnar::EncodedSegment,
        also: impl FnOnce(&Transaction<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        also(&transaction)?;
        self.change(&transaction, segment.id, segment.source, encoded)?;
        self.sync_folder()?;
        if self.ships() {
            self.sync_outbox()?;
        }
        transaction.commit()?;
        drop(connection);
        self.remove_segments(&[segment.id]);
        Ok(())
    }

    pub(super) fn mtas(&self) -> Result<Mtas, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare("SELECT id, host, kind FROM source ORDER BY id")?;
        let rows = statement.query_map([], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        let mut mtas = Mtas {
            hosts: Hosts::default(),
            of_source: HashMap::default(),
        };
        for row in rows {
            let (id, host, kind) = row?;
            if is_mta(&kind) {
                mtas.of_source.insert(id, mtas.hosts.add(&host));
            }
        }
        Ok(mtas)
    }

    fn link_day(&self, mtas: &Mtas, day: i64, new: &[Segment], linked: &mut Linked) -> Result<(), Error> {
        let (near, learnt) = self.learn(mtas, day, new, None)?;
        self.store_links(mtas, &near, &learnt, linked)
    }

    /// What is learnt of the messages that arrive in some segments of a day, and the segments that may say otherwise. `anew`
    /// changes what arrivals say of their senders; all that is stored of these is read for it.
    pub(super) fn learn(
        &self,
        mtas: &Mtas,
        day: i64,
        new: &[Segment],
        mut anew: Option<Anew<'_>>,
    ) -> Result<(Vec<Segment>, LearntBySource), Error> {
        let mut keys = HashSet::new();
        for segment in new {
            self.read_part(segment, Part::Events, |path| columnar::keys(path, &mut keys))?;
        }
        let (from, to) = (day * DAY_MS - QUEUE_MS_MAX, (day + 1) * DAY_MS + QUEUE_MS_MAX);
        let near: Vec<Segment> = self
            .segments(from, to)?
            .into_iter()
            .filter(|segment| mtas.of_source.contains_key(&segment.source))
            .collect();
        let mut senders = Senders::default();
        let mut by_key: HashMap<u64, Vec<Arrival>> = HashMap::default();
        for segment in &near {
            let read = |path: &Path| columnar::arrivals(path, &keys, anew.is_some());
            let rows = self.read_part(segment, Part::Events, read)?;
            for mut row in rows.into_iter().flatten() {
                if let Some(anew) = &mut anew {
                    anew(segment, &mut row);
                }
                if let Some(arrival) = arrival(mtas, segment.source, row, &mut senders) {
                    by_key.entry(arrival.key).or_default().push(arrival);
                }
            }
        }
        let mut learnt = LearntBySource::default();
        for link in by_key.values().flat_map(|arrivals| link(arrivals)) {
            let (service, hostgroup) = senders.items[link.sender as usize].clone();
            let id = crate::model::text::text(link.queue_id.as_bytes());
            let handed = link
                .handed
                .iter()
                .map(|(host, at)| (mtas.hosts.name(*host).to_owned(), *at));
            let entry = Learnt {
                arrival_ms: link.arrival_ms,
                service,
                hostgroup,
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
        Ok((near, learnt))
    }

    /// Rewrites the segments that do not say yet what was learnt, and the open messages.
    fn store_links(
        &self,
        mtas: &Mtas,
        near: &[Segment],
        learnt: &LearntBySource,
        linked: &mut Linked,
    ) -> Result<(), Error> {
        let same_host = |name: &str, host: &str| {
            let found = mtas.hosts.find(name);
            found.is_some() && found == mtas.hosts.find(host)
        };
        for segment in near {
            let Some(messages) = learnt.get(&segment.source) else {
                continue;
            };
            let relink = |path: &Path| columnar::relink(path, messages, &same_host);
            let Some(encoded) = self.read_part(segment, Part::Events, relink)?.flatten() else {
                continue;
            };
            self.put_in_place(segment, &encoded, |_| Ok(()))?;
            linked.rewritten += 1;
        }
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        for (source, messages) in learnt {
            relink_open(&transaction, *source, messages, &mut linked.open)?;
        }
        transaction.commit()?;
        Ok(())
    }
}

fn arrival(mtas: &Mtas, source: i64, row: ArrivalRow, senders: &mut Senders) -> Option<Arrival> {
    let host = *mtas.of_source.get(&source)?;
    let client = mtas.hosts.find(&row.client);
    let is_stranger = client.is_none() && !row.client.is_empty();
    Some(Arrival {
        key: row.key,
        host,
        source,
        ts_ms: row.ts_ms,
        queue_id: QueueId::new(row.queue_id.as_bytes())?,
        client,
        stranger: is_stranger.then(|| senders.number(row.client.to_ascii_lowercase(), String::new())),
        continues: !row.first_hop && client.is_none_or(|client| client == host),
        unattributed: row.service == UNATTRIBUTED,
        sender: senders.number(row.service, row.hostgroup),
    })
}

/// Lines that are still to come of a message carry what was learnt of it.
fn relink_open(
    transaction: &Transaction<'_>,
    source: i64,
    messages: &LearntById,
    changed: &mut Vec<(i64, QueueId, OpenRecord)>,
) -> Result<(), Error> {
    let mut find = transaction.prepare_cached("SELECT state FROM open_message WHERE source = ?1 AND queue_id = ?2")?;
    let mut put =
        transaction.prepare_cached("UPDATE open_message SET state = ?3 WHERE source = ?1 AND queue_id = ?2")?;
    for (id, all) in messages {
        let state: Option<String> = find
            .query_row(params![source, id.as_bytes()], |row| row.get(0))
            .optional()?;
        let Some(state) = state else { continue };
        let mut record: OpenRecord = serde_json::from_str(&state).map_err(catalogue::Error::from)?;
        let Some(learnt) = all.iter().find(|learnt| Some(learnt.arrival_ms) == record.arrival_ms) else {
            continue;
        };
        record.origin.service.clone_from(&learnt.service);
        record.origin.hostgroup.clone_from(&learnt.hostgroup);
        record.first_hop = learnt.first_hop;
        let state = serde_json::to_string(&record).map_err(catalogue::Error::from)?;
        put.execute(params![source, id.as_bytes(), state])?;
        changed.extend(QueueId::new(id.as_bytes()).map(|id| (source, id, record)));
    }
    Ok(())
}
