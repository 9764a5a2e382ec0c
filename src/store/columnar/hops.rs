//! What one segment shows of the way that mail takes from host to host, and the segment with what was learnt of it.

use super::ColumnarError;
use super::any_column::AnyColumn;
use super::read::SegmentReader;
use super::rewrite::EventColumns;
use super::segment::EncodedSegment;
use super::texts::TextColumn;
use super::write::ORIGIN;
use crate::model::direction::MailOrigin;
use crate::model::event::{Destination, Kind};
use crate::model::time::{MINUTE_MS, UtcMs};
use crate::store::batch::NONE;
use hashbrown::HashMap;
use rustc_hash::{FxBuildHasher, FxHashSet};
use std::path::Path;

/// Cut-through deliveries stand before their arrival.
const BEFORE_MS: i64 = MINUTE_MS;
/// A delivery and the arrival that it led to are no further apart, where names do not tell.
const NEAR_MS: i64 = 10 * MINUTE_MS;

/// An arrival with a Message-ID, as a segment has it.
#[derive(Debug, Clone)]
pub struct ArrivalRow {
    /// Key of the Message-ID.
    pub key: u64,
    /// When.
    pub ts_ms: UtcMs,
    /// Under which ID.
    pub queue_id: String,
    /// Who sent it.
    pub service: String,
    /// Of which group.
    pub hostgroup: String,
    /// Whose mail it is.
    pub origin: String,
    /// Who handed it in.
    pub client: String,
    /// What is stored of whether it enters the mail system here.
    pub first_hop: bool,
    /// Address of who handed it in, the sender's local part and its domain, if they were asked for.
    pub sender: [String; 3],
}

/// Keys of the Message-IDs of a segment's rows.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn message_keys(path: &Path) -> Result<Vec<u64>, ColumnarError> {
    let mut keys = SegmentReader::open(path)?.optional("message_key")?;
    keys.retain(|key| *key != NONE);
    Ok(keys)
}

/// Arrivals of a segment whose key is wanted; with all that is stored of their senders, if that is.
pub fn arrivals(path: &Path, wanted: &FxHashSet<u64>, with_senders: bool) -> Result<Vec<ArrivalRow>, ColumnarError> {
    let mut reader = SegmentReader::open(path)?;
    let keys = reader.optional("message_key")?;
    let found: Vec<usize> = (0..keys.len()).filter(|row| wanted.contains(&keys[*row])).collect();
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let kinds = reader.texts("kind")?;
    let times = reader.numbers("ts_ms")?;
    let columns = ["queue_id", "service", "hostgroup", "client", ORIGIN].map(|name| reader.texts(name));
    let [ids, services, hostgroups, clients, origins] = columns;
    let (ids, services, hostgroups, clients, origins) = (ids?, services?, hostgroups?, clients?, origins?);
    let first_hops = reader.flags("first_hop")?;
    let mut senders = [const { None }; 3];
    for (column, name) in senders.iter_mut().zip(["client_ip", "sender_local", "sender_domain"]) {
        if with_senders {
            *column = Some(reader.texts(name)?);
        }
    }
    let text = |texts: &TextColumn, row: usize| texts.values[texts.codes[row] as usize].clone();
    Ok(found
        .into_iter()
        .filter(|row| kinds.values[kinds.codes[*row] as usize] == Kind::Accepted.as_str())
        .map(|row| ArrivalRow {
            key: keys[row],
            ts_ms: UtcMs::new(times[row]),
            queue_id: text(&ids, row),
            service: text(&services, row),
            hostgroup: text(&hostgroups, row),
            client: text(&clients, row),
            origin: text(&origins, row),
            first_hop: first_hops[row],
            sender: senders
                .each_ref()
                .map(|texts| texts.as_ref().map_or_else(String::new, |texts| text(texts, row))),
        })
        .collect())
}

/// What was learnt of one message.
#[derive(Debug, Clone)]
pub struct Learnt {
    /// Its arrival.
    pub arrival_ms: UtcMs,
    /// Who sent it.
    pub service: String,
    /// Of which group.
    pub hostgroup: String,
    /// Whose mail it is; empty when nobody knows.
    pub origin: String,
    /// It enters the mail system here.
    pub first_hop: bool,
    /// Hosts that it was handed to, and when they took it.
    pub handed: Vec<(String, UtcMs)>,
}

/// What was learnt of messages, by queue ID.
pub(crate) type LearntById = HashMap<String, Vec<Learnt>>;

/// The segment with what was learnt; None if it says all that already. `same_host` compares a name in the log with a
/// host's.
pub fn relink(
    path: &Path,
    learnt: &LearntById,
    same_host: &dyn Fn(&str, &str) -> bool,
) -> Result<Option<EncodedSegment>, ColumnarError> {
    let ids = SegmentReader::open(path)?.texts("queue_id")?;
    if !ids.values.iter().any(|id| learnt.contains_key(id.as_str())) {
        return Ok(None);
    }
    let mut rows = EventColumns::read(path)?;
    let owners = owners(&rows, &ids, learnt)?;
    let mut changed = set_sender(&mut rows, &owners)?;
    changed |= set_handed(&mut rows, &owners, same_host)?;
    changed.then(|| rows.encode()).transpose()
}

/// What was learnt of each row's message. An ID can be several messages' in turn.
pub(super) fn owners<'l>(
    rows: &EventColumns,
    ids: &TextColumn,
    learnt: &'l LearntById,
) -> Result<Vec<Option<&'l Learnt>>, ColumnarError> {
    let times = rows.numbers("ts_ms")?;
    let kinds = rows.texts("kind")?;
    let of_code: Vec<Option<&'l Vec<Learnt>>> = ids.values.iter().map(|id| learnt.get(id.as_str())).collect();
    let mut arrivals: HashMap<u32, Vec<UtcMs>, FxBuildHasher> = HashMap::default();
    for (row, code) in ids.codes.iter().enumerate() {
        let accepted = kinds.values[kinds.codes[row] as usize] == Kind::Accepted.as_str();
        if accepted && of_code[*code as usize].is_some() {
            arrivals.entry(*code).or_default().push(UtcMs::new(times[row] as i64));
        }
    }
    let owner = |(row, code): (usize, &u32)| {
        let messages = of_code[*code as usize]?;
        let ts_ms = UtcMs::new(times[row] as i64);
        let here = arrivals.get(code).map(Vec::as_slice).unwrap_or_default();
        let arrival = here.iter().rev().find(|arrival| **arrival <= ts_ms);
        let arrival = arrival.or_else(|| here.first().filter(|arrival| **arrival <= ts_ms + BEFORE_MS));
        match arrival {
            Some(arrival) => messages.iter().find(|message| message.arrival_ms == *arrival),
            None => messages
                .iter()
                .filter(|message| message.arrival_ms <= ts_ms)
                .max_by_key(|m| m.arrival_ms),
        }
    };
    Ok(ids.codes.iter().enumerate().map(owner).collect())
}

fn set_sender(rows: &mut EventColumns, owners: &[Option<&Learnt>]) -> Result<bool, ColumnarError> {
    let mut changed = false;
    type LearntField = fn(&Learnt) -> &String;
    let fields: [(&str, LearntField); 2] = [("service", |l| &l.service), ("hostgroup", |l| &l.hostgroup)];
    for (name, field) in fields {
        let column = rows.texts_mut(name)?;
        for (row, learnt) in owners.iter().enumerate() {
            let Some(learnt) = learnt else { continue };
            let code = column.code(field(learnt));
            changed |= std::mem::replace(&mut column.codes[row], code) != code;
        }
    }
    let flags = rows.flags_mut("first_hop")?;
    for (flag, learnt) in flags.iter_mut().zip(owners) {
        if let Some(learnt) = learnt {
            changed |= std::mem::replace(flag, learnt.first_hop) != learnt.first_hop;
        }
    }
    let origins: Vec<MailOrigin> = owners
        .iter()
        .map(|learnt| learnt.map_or_else(MailOrigin::default, |learnt| MailOrigin::named(&learnt.origin)))
        .collect();
    let column = rows.texts_mut(ORIGIN)?;
    for (row, origin) in origins
        .iter()
        .enumerate()
        .filter(|(_, origin)| **origin != MailOrigin::Unknown)
    {
        let code = column.code(origin.as_str());
        changed |= std::mem::replace(&mut column.codes[row], code) != code;
    }
    changed |= rows.correct_directions(&origins)?;
    Ok(changed)
}

/// Deliveries that led to another host's log go to `relay`: by the name of the host, or where names differ, the one
/// that is nearest in time.
fn set_handed(
    rows: &mut EventColumns,
    owners: &[Option<&Learnt>],
    same_host: &dyn Fn(&str, &str) -> bool,
) -> Result<bool, ColumnarError> {
    let mut deliveries: HashMap<*const Learnt, Vec<usize>, FxBuildHasher> = HashMap::default();
    {
        let (kinds, destinations) = (rows.texts("kind")?, rows.texts("destination")?);
        let is = |texts: &TextColumn, row: usize, word: &str| texts.values[texts.codes[row] as usize] == word;
        for (row, learnt) in owners.iter().enumerate() {
            let Some(learnt) = learnt.filter(|learnt| !learnt.handed.is_empty()) else {
                continue;
            };
            let away = is(destinations, row, Destination::Remote.as_str())
                || is(destinations, row, Destination::Relay.as_str());
            if away && is(kinds, row, Kind::Delivered.as_str()) {
                deliveries.entry(std::ptr::from_ref(learnt)).or_default().push(row);
            }
        }
    }
    let mut inside = Vec::new();
    {
        let (hosts, times) = (rows.texts("remote_host")?, rows.numbers("ts_ms")?);
        for candidates in deliveries.values() {
            let Some(learnt) = candidates.first().and_then(|row| owners[*row]) else {
                continue;
            };
            for (host, at_ms) in &learnt.handed {
                let named = |row: &&usize| same_host(&hosts.values[hosts.codes[**row] as usize], host);
                let by_name: Vec<usize> = candidates.iter().filter(named).copied().collect();
                let apart = |row: &usize| (UtcMs::new(times[*row] as i64) - *at_ms).abs();
                let nearest = || {
                    candidates
                        .iter()
                        .copied()
                        .min_by_key(apart)
                        .filter(|row| apart(row) <= NEAR_MS)
                };
                if !by_name.is_empty() {
                    inside.extend(by_name);
                } else if let Some(nearest) = nearest() {
                    // That host goes by another name, for all recipients of the message.
                    let same = |row: &&usize| hosts.codes[**row] == hosts.codes[nearest];
                    inside.extend(candidates.iter().filter(same));
                }
            }
        }
    }
    let column = rows.texts_mut("destination")?;
    let relay = column.code(Destination::Relay.as_str());
    inside.retain(|row| column.codes[*row] != relay);
    inside.iter().for_each(|row| column.codes[*row] = relay);
    rows.keep_inside(&inside)?;
    Ok(!inside.is_empty())
}

/// The segment of one host after more hosts' logs have become known: what one of them handed in has entered the mail
/// system before, and what was handed to one of them is seen again. None if nothing changes. `is_other` says whether
/// a name in the log is another host whose log is read.
pub fn cover(path: &Path, is_other: &dyn Fn(&str) -> bool) -> Result<Option<EncodedSegment>, ColumnarError> {
    let mut reader = SegmentReader::open(path)?;
    let others = |texts: &TextColumn| texts.values.iter().map(|name| is_other(name)).collect::<Vec<bool>>();
    let (clients, hosts) = (reader.texts("client")?, reader.texts("remote_host")?);
    let (by_client, by_host) = (others(&clients), others(&hosts));
    if !by_client.iter().chain(&by_host).any(|other| *other) {
        return Ok(None);
    }
    let mut rows = EventColumns::read(path)?;
    let mut changed = false;
    for (flag, client) in rows.flags_mut("first_hop")?.iter_mut().zip(&clients.codes) {
        changed |= by_client[*client as usize] && std::mem::replace(flag, false);
    }
    let handed: Vec<usize> = {
        let (kinds, destinations) = (rows.texts("kind")?, rows.texts("destination")?);
        let is = |texts: &TextColumn, row: usize, word: &str| texts.values[texts.codes[row] as usize] == word;
        let taken = |row: &usize| {
            by_host[hosts.codes[*row] as usize]
                && is(kinds, *row, Kind::Delivered.as_str())
                && is(destinations, *row, Destination::Remote.as_str())
        };
        (0..hosts.codes.len()).filter(taken).collect()
    };
    let column = rows.texts_mut("destination")?;
    let relay = column.code(Destination::Relay.as_str());
    changed |= !handed.is_empty();
    handed.iter().for_each(|row| column.codes[*row] = relay);
    rows.keep_inside(&handed)?;
    changed.then(|| rows.encode()).transpose()
}

impl EventColumns {
    fn flags_mut(&mut self, name: &str) -> Result<&mut Vec<bool>, ColumnarError> {
        let error = self.damaged(name);
        match self.column_mut(name) {
            Some(AnyColumn::Flags(flags)) => Ok(flags),
            _ => Err(error),
        }
    }
}
