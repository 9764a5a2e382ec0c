//! Who sent the rows of a segment, by all that is stored of it; and the segment with other services and hostgroups.

use super::ColumnarError;
use super::hops::{Learnt, LearntById, owners};
use super::read::SegmentReader;
use super::rewrite::EventColumns;
use super::segment::EncodedSegment;
use super::texts::TextColumn;
use crate::model::event::Kind;
use crate::model::time::UtcMs;
use crate::normalise::judge::Undecided;
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use std::path::Path;

/// What rows say of who sent their mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredSender<'a> {
    /// What the rows are.
    pub kind: &'a str,
    /// Service.
    pub service: &'a str,
    /// Hostgroup.
    pub hostgroup: &'a str,
    /// Name of whoever handed it in.
    pub client: &'a str,
    /// Its address.
    pub client_ip: &'a str,
    /// The sender's local part, as stored.
    pub sender_local: &'a str,
    /// Its domain.
    pub sender_domain: &'a str,
    /// Whose mail it is; empty in rows of earlier versions.
    pub origin: &'a str,
}

const COLUMNS: [&str; 8] = [
    "kind",
    "service",
    "hostgroup",
    "client",
    "client_ip",
    "sender_local",
    "sender_domain",
    "origin",
];

/// Where the service stands in them, before the hostgroup.
const SERVICE: usize = 1;

/// The columns of [`StoredSender`].
struct Senders<'t>([&'t TextColumn; COLUMNS.len()]);

impl Senders<'_> {
    fn codes(&self, row: usize) -> [u32; COLUMNS.len()] {
        self.0.map(|texts| texts.codes[row])
    }

    fn of(&self, codes: [u32; COLUMNS.len()]) -> StoredSender<'_> {
        let mut texts = self.0.iter().zip(codes);
        let mut next = || {
            texts
                .next()
                .map_or("", |(texts, code)| texts.values[code as usize].as_str())
        };
        StoredSender {
            kind: next(),
            service: next(),
            hostgroup: next(),
            client: next(),
            client_ip: next(),
            sender_local: next(),
            sender_domain: next(),
            origin: next(),
        }
    }
}

/// Tells each combination of a segment's rows that enter the mail system here, with their number.
pub fn senders(path: &Path, each: &mut dyn FnMut(&StoredSender<'_>, u64)) -> Result<(), ColumnarError> {
    let mut reader = SegmentReader::open(path)?;
    let mut texts = Vec::with_capacity(COLUMNS.len());
    for name in COLUMNS {
        texts.push(reader.texts(name)?);
    }
    let first_hops = reader.flags("first_hop")?;
    let columns = Senders(std::array::from_fn(|at| &texts[at]));
    let mut counts: HashMap<[u32; COLUMNS.len()], u64, FxBuildHasher> = HashMap::default();
    for (row, _) in first_hops.iter().enumerate().filter(|(_, first)| **first) {
        *counts.entry(columns.codes(row)).or_default() += 1;
    }
    for (codes, rows) in counts {
        each(&columns.of(codes), rows);
    }
    Ok(())
}

/// Service and hostgroup of rows, as they are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributed {
    /// Service.
    pub service: String,
    /// Hostgroup.
    pub hostgroup: String,
    /// Why nobody can say which service is theirs, if nobody can: then it is the one that they have.
    pub lacks: Option<Undecided>,
}

/// Who decides on rows.
pub trait Attribute {
    /// What rows with this sender become.
    fn decide(&mut self, sender: &StoredSender<'_>) -> Attributed;

    /// Whether nobody has read the arrival of the message with this ID: then its rows stay what they are.
    fn is_orphan(&self, queue_id: &str) -> bool;

    /// So many rows of one service and hostgroup become this; told for all rows, also for those that stay what they are.
    fn count(&mut self, from: (&str, &str), is: &Attributed, rows: u64);

    /// An arrival of a message, and what it has become.
    fn arrived(&mut self, queue_id: &str, ts_ms: UtcMs, is: &Attributed);
}

/// The segment with the rows in `[since_ms, until_ms)` attributed anew: by what was learnt of their messages over all hosts,
/// else by their senders. None if that changes nothing.
pub(crate) fn reattribute(
    path: &Path,
    (since_ms, until_ms): (UtcMs, UtcMs),
    learnt: Option<&LearntById>,
    by: &mut dyn Attribute,
) -> Result<Option<EncodedSegment>, ColumnarError> {
    let ids = SegmentReader::open(path)?.texts("queue_id")?;
    let mut rows = EventColumns::read(path)?;
    // For each row, which of these decisions; those outside the window have none.
    let mut of_row: Vec<u32> = vec![u32::MAX; rows.len()];
    let mut decided = Decided::default();
    {
        let none = LearntById::default();
        let owners = owners(&rows, &ids, learnt.unwrap_or(&none))?;
        let mut texts = Vec::with_capacity(COLUMNS.len());
        for name in COLUMNS {
            texts.push(rows.texts(name)?);
        }
        let columns = Senders(std::array::from_fn(|at| texts[at]));
        let times = rows.numbers("ts_ms")?;
        let orphans: Vec<bool> = ids.values.iter().map(|id| !id.is_empty() && by.is_orphan(id)).collect();
        let mut counts: HashMap<[u32; 3], u64, FxBuildHasher> = HashMap::default();
        for (row, number) in of_row.iter_mut().enumerate() {
            let ts_ms = UtcMs::new(times[row] as i64);
            if ts_ms < since_ms || ts_ms >= until_ms {
                continue;
            }
            let codes = columns.codes(row);
            let id = ids.codes[row] as usize;
            *number = match owners[row] {
                _ if orphans[id] => decided.orphan(codes, &columns),
                Some(learnt) => decided.by_message(learnt),
                None => decided.by_sender(codes, &columns, by),
            };
            *counts.entry([codes[SERVICE], codes[SERVICE + 1], *number]).or_default() += 1;
            if columns.of(codes).kind == Kind::Accepted.as_str() {
                by.arrived(&ids.values[id], ts_ms, &decided.all[*number as usize]);
            }
        }
        for ([service, hostgroup, number], rows) in counts {
            let value = |column: usize, code: u32| texts[column].values[code as usize].as_str();
            let from = (value(SERVICE, service), value(SERVICE + 1, hostgroup));
            by.count(from, &decided.all[number as usize], rows);
        }
    }
    let mut changed = false;
    type AttributedField = fn(&Attributed) -> &String;
    let fields: [(&str, AttributedField); 2] = [("service", |is| &is.service), ("hostgroup", |is| &is.hostgroup)];
    for (name, field) in fields {
        let column = rows.texts_mut(name)?;
        let new: Vec<u32> = decided.all.iter().map(|is| column.code(field(is))).collect();
        for (code, number) in column.codes.iter_mut().zip(&of_row) {
            if let Some(new) = new.get(*number as usize) {
                changed |= std::mem::replace(code, *new) != *new;
            }
        }
    }
    changed.then(|| rows.encode()).transpose()
}

/// What was decided, each once.
#[derive(Default)]
struct Decided {
    all: Vec<Attributed>,
    senders: HashMap<[u32; COLUMNS.len()], u32, FxBuildHasher>,
    messages: HashMap<*const Learnt, u32, FxBuildHasher>,
    orphans: HashMap<[u32; 2], u32, FxBuildHasher>,
}

impl Decided {
    fn by_sender(&mut self, codes: [u32; COLUMNS.len()], columns: &Senders<'_>, by: &mut dyn Attribute) -> u32 {
        let all = &mut self.all;
        *self.senders.entry(codes).or_insert_with(|| {
            all.push(by.decide(&columns.of(codes)));
            all.len() as u32 - 1
        })
    }

    fn by_message(&mut self, learnt: &Learnt) -> u32 {
        let all = &mut self.all;
        *self.messages.entry(std::ptr::from_ref(learnt)).or_insert_with(|| {
            all.push(Attributed {
                service: learnt.service.clone(),
                hostgroup: learnt.hostgroup.clone(),
                lacks: None,
            });
            all.len() as u32 - 1
        })
    }

    /// Rows stay what they are.
    fn orphan(&mut self, codes: [u32; COLUMNS.len()], columns: &Senders<'_>) -> u32 {
        let all = &mut self.all;
        let sender = columns.of(codes);
        *self
            .orphans
            .entry([codes[SERVICE], codes[SERVICE + 1]])
            .or_insert_with(|| {
                all.push(Attributed {
                    service: sender.service.to_owned(),
                    hostgroup: sender.hostgroup.to_owned(),
                    lacks: Some(Undecided::Orphan),
                });
                all.len() as u32 - 1
            })
    }
}
