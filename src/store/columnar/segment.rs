//! A sealed batch → the Parquet files of its segments: one of events and one of per-minute rates for each UTC day.

use super::super::batch::{Batch, DAY_MS, NONE, SealedBatch, SlotRow, split_remote};
use super::Error;
use super::rates::{RateRow, Rates, destination_names, kind_names};
use super::write::Columns;
use crate::normalise::event::{Kind, Origin};
use crate::normalise::join::QueueId;
use crate::normalise::redact::text;
use hashbrown::HashMap;
use rustc_hash::{FxBuildHasher, FxHashSet};

/// The files of one segment, in memory, with what the catalogue keeps of them.
#[derive(Debug)]
pub struct EncodedSegment {
    /// Day since the epoch, UTC.
    pub day: i64,
    /// Rows of events.
    pub rows: u64,
    /// First and last time of an event, UTC milliseconds.
    pub span_ms: (i64, i64),
    /// Parquet bytes of the events.
    pub events: Vec<u8>,
    /// Parquet bytes of the rates.
    pub rates: Vec<u8>,
    /// Messages whose arrival has not been seen.
    pub orphans: Vec<QueueId>,
}

/// Rows of a segment, at most: what ClickHouse takes as one deduplicated block.
pub const SEGMENT_ROWS_MAX: usize = 500_000;

/// Encodes a batch, a segment a day; more than one where a day has too many rows.
pub fn encode(sealed: &SealedBatch) -> Result<Vec<EncodedSegment>, Error> {
    let day_of = |ts_ms: &i64| ts_ms.div_euclid(DAY_MS);
    let times = &sealed.batch.rows.ts_ms;
    let mut days: Vec<i64> = times.iter().map(day_of).collect();
    days.dedup();
    days.sort_unstable();
    days.dedup();
    if let [day] = days[..]
        && times.len() <= SEGMENT_ROWS_MAX
    {
        return Ok(vec![Part { sealed, rows: None }.encode(day)?]);
    }
    let mut segments = Vec::new();
    for day in days {
        let rows: Vec<u32> = (0..times.len() as u32)
            .filter(|at| day_of(&times[*at as usize]) == day)
            .collect();
        for rows in rows.chunks(SEGMENT_ROWS_MAX) {
            segments.push(
                Part {
                    sealed,
                    rows: Some(rows.to_vec()),
                }
                .encode(day)?,
            );
        }
    }
    Ok(segments)
}

/// The rows of one day.
struct Part<'b> {
    sealed: &'b SealedBatch,
    /// Which; none for all.
    rows: Option<Vec<u32>>,
}

impl Part<'_> {
    fn len(&self) -> usize {
        self.rows.as_ref().map_or(self.sealed.batch.rows.len(), Vec::len)
    }

    /// This part's values of a column.
    fn pick<T: Copy>(&self, column: &[T]) -> Vec<T> {
        self.map(column, |value| value)
    }

    fn map<T: Copy, U>(&self, column: &[T], to: impl Fn(T) -> U) -> Vec<U> {
        match &self.rows {
            None => column.iter().map(|value| to(*value)).collect(),
            Some(rows) => rows.iter().map(|at| to(column[*at as usize])).collect(),
        }
    }

    fn slots(&self) -> impl Iterator<Item = &SlotRow> {
        let slots = &self.sealed.batch.slots;
        self.pick(&self.sealed.batch.rows.slot)
            .into_iter()
            .map(|slot| &slots[slot as usize])
    }

    fn encode(&self, day: i64) -> Result<EncodedSegment, Error> {
        let times = self.pick(&self.sealed.batch.rows.ts_ms);
        let orphans: FxHashSet<QueueId> = self.slots().filter(|s| s.orphan).filter_map(|s| s.queue_id).collect();
        Ok(EncodedSegment {
            day,
            rows: self.len() as u64,
            span_ms: (
                times.iter().copied().min().unwrap_or(0),
                times.iter().copied().max().unwrap_or(0),
            ),
            events: self.events()?,
            rates: self.rates()?,
            orphans: orphans.into_iter().collect(),
        })
    }

    /// The events' columns; README.md, "Data", says what each means.
    fn events(&self) -> Result<Vec<u8>, Error> {
        let Batch { rows, logs, .. } = &self.sealed.batch;
        let len = self.len();
        let mut out = Columns::default();
        out.dictionary("log", logs.clone(), self.pick(&rows.log))?;
        out.growing("log_offset", self.pick(&rows.offset))?;
        out.growing("ts_ms", self.pick(&rows.ts_ms))?;
        out.constant("host", &self.sealed.host, len)?;
        out.constant("source", self.sealed.source, len)?;
        out.dictionary("kind", kind_names(), self.map(&rows.kind, u32::from))?;
        self.by_origin(&mut out, "service", |origin| &origin.service)?;
        self.by_origin(&mut out, "hostgroup", |origin| &origin.hostgroup)?;
        out.constant("relay", &self.sealed.relay, len)?;
        out.flags("first_hop", self.slots().map(|slot| slot.first_hop))?;
        out.dictionary(
            "destination",
            destination_names(),
            self.map(&rows.destination, u32::from),
        )?;
        self.queue_ids(&mut out)?;
        let mut keys: Vec<u64> = self.slots().map(|slot| slot.message_key.unwrap_or(NONE)).collect();
        // The key stands at the arrival alone: a join by queue ID brings it to the rest, and it is six random bytes.
        for (key, kind) in keys.iter_mut().zip(self.pick(&rows.kind)) {
            if kind != Kind::Accepted as u8 && kind != Kind::Submitted as u8 {
                *key = NONE;
            }
        }
        out.optional("message_key", keys, super::write::PLAIN)?;
        self.by_origin(&mut out, "client", |origin| &origin.client)?;
        self.by_origin(&mut out, "client_ip", |origin| &origin.client_ip)?;
        self.by_origin(&mut out, "sender_local", |origin| &origin.sender_local)?;
        self.by_origin(&mut out, "sender_domain", |origin| &origin.sender_domain)?;
        self.recipients(&mut out)?;
        self.remotes(&mut out)?;
        out.optional("bytes", self.pick(&rows.bytes), super::write::DELTA)?;
        out.few("messages", self.map(&rows.messages, i64::from))?;
        out.few("recipients", self.map(&rows.recipients, i64::from))?;
        out.optional("queue_ms", self.pick(&rows.queue_ms), super::write::FEW)?;
        out.optional("delivery_ms", self.pick(&rows.delivery_ms), super::write::FEW)?;
        self.replies(&mut out)?;
        out.encode(len)
    }

    fn by_origin(&self, out: &mut Columns, name: &str, field: impl Fn(&Origin) -> &String) -> Result<(), Error> {
        let mut values: Vec<String> = Vec::new();
        let mut known: HashMap<&str, u32, FxBuildHasher> = HashMap::default();
        let mut codes: Vec<u32> = vec![u32::MAX; self.sealed.origins.len()];
        let rows = self
            .slots()
            .map(|slot| {
                let code = &mut codes[slot.origin as usize];
                if *code == u32::MAX {
                    let value = field(&self.sealed.origins[slot.origin as usize]);
                    *code = *known.entry(value.as_str()).or_insert_with(|| {
                        values.push(value.clone());
                        values.len() as u32 - 1
                    });
                }
                *code
            })
            .collect();
        out.dictionary(name, values, rows)
    }

    fn queue_ids(&self, out: &mut Columns) -> Result<(), Error> {
        let slots = &self.sealed.batch.slots;
        let mut used: Vec<u32> = Vec::with_capacity(slots.len());
        let mut codes: Vec<u32> = vec![u32::MAX; slots.len()];
        let rows = self.map(&self.sealed.batch.rows.slot, |slot| slot);
        let rows = rows
            .into_iter()
            .map(|slot| {
                if slots[slot as usize].queue_id.is_none() {
                    return 0;
                }
                let code = &mut codes[slot as usize];
                if *code == u32::MAX {
                    used.push(slot);
                    *code = used.len() as u32;
                }
                *code
            })
            .collect();
        // MTAs make their IDs of ASCII; what is none was refused by the parser.
        let id = |slot: &u32| {
            slots[*slot as usize]
                .queue_id
                .as_ref()
                .map(QueueId::as_bytes)
                .unwrap_or_default()
        };
        let values = std::iter::once("").chain(
            used.iter()
                .map(|slot| std::str::from_utf8(id(slot)).unwrap_or_default()),
        );
        out.dictionary_of("queue_id", values, used.len() + 1, rows)
    }

    fn recipients(&self, out: &mut Columns) -> Result<(), Error> {
        let Batch {
            rows,
            locals,
            recipient_domains,
            ..
        } = &self.sealed.batch;
        let local = |at: usize| {
            let start = if at == 0 { 0 } else { rows.local_end[at - 1] };
            &locals[start as usize..rows.local_end[at] as usize]
        };
        let all: Vec<usize> = match &self.rows {
            None => (0..rows.len()).collect(),
            Some(rows) => rows.iter().map(|at| *at as usize).collect(),
        };
        // Pseudonyms are ASCII; with local_parts = "keep" what is no UTF-8 is shown as text.
        if locals.is_ascii() {
            let texts = all.iter().map(|at| std::str::from_utf8(local(*at)).unwrap_or_default());
            out.plain("recipient_local", texts, all.len())?;
        } else {
            let texts: Vec<String> = all.iter().map(|at| text(local(*at))).collect();
            out.plain("recipient_local", texts.iter().map(String::as_str), all.len())?;
        }
        let used = Used::of(self.pick(&rows.recipient_domain), recipient_domains.len());
        let values = used
            .pick(recipient_domains.values())
            .map(|v| text(v).to_lowercase())
            .collect();
        out.dictionary("recipient_domain", values, used.codes)
    }

    fn remotes(&self, out: &mut Columns) -> Result<(), Error> {
        let remotes = &self.sealed.batch.remotes;
        let used = Used::of(self.pick(&self.sealed.batch.rows.remote), remotes.len());
        let names = used
            .pick(remotes.values())
            .map(|key| text(split_remote(key).0))
            .collect();
        let ip = |key: &[u8]| split_remote(key).1.map(|ip| ip.to_string()).unwrap_or_default();
        let ips = used.pick(remotes.values()).map(ip).collect();
        out.dictionary("remote_host", names, used.codes.clone())?;
        out.dictionary("remote_ip", ips, used.codes)
    }

    fn replies(&self, out: &mut Columns) -> Result<(), Error> {
        let replies = &self.sealed.batch.replies;
        let codes = self.pick(&self.sealed.batch.rows.reply);
        let smtp = codes
            .iter()
            .map(|code| replies[*code as usize].smtp_code.map_or(NONE, u64::from))
            .collect();
        out.optional("smtp_code", smtp, super::write::FEW)?;
        let enhanced = replies
            .iter()
            .map(|reply| reply.enhanced_code.map(enhanced_text).unwrap_or_default())
            .collect();
        out.dictionary("enhanced_code", enhanced, codes.clone())?;
        out.dictionary(
            "reason",
            replies.iter().map(|reply| reply.reason.to_owned()).collect(),
            codes,
        )
    }

    /// Sums per minute, service, hostgroup, kind, destination and first hop.
    fn rates(&self) -> Result<Vec<u8>, Error> {
        let Batch { rows, slots, .. } = &self.sealed.batch;
        let mut rates = Rates::default();
        let mut groups: Vec<Option<u32>> = vec![None; self.sealed.origins.len()];
        let mut add = |at: usize| {
            let slot = &slots[rows.slot[at] as usize];
            let origin = slot.origin as usize;
            let group = *groups[origin].get_or_insert_with(|| {
                let origin = &self.sealed.origins[origin];
                rates.group(&origin.service, &origin.hostgroup)
            });
            rates.add(RateRow {
                ts_ms: rows.ts_ms[at],
                group,
                kind: rows.kind[at],
                destination: rows.destination[at],
                first_hop: slot.first_hop,
                messages: i64::from(rows.messages[at]),
                recipients: i64::from(rows.recipients[at]),
                bytes: if rows.bytes[at] == NONE {
                    0
                } else {
                    rows.bytes[at] as i64
                },
            });
        };
        match &self.rows {
            None => (0..rows.len()).for_each(&mut add),
            Some(picked) => picked.iter().for_each(|at| add(*at as usize)),
        }
        rates.encode(&self.sealed.relay)
    }
}

/// Codes of a column with the values that no row uses left out.
struct Used {
    codes: Vec<u32>,
    map: Vec<u32>,
}

impl Used {
    fn of(codes: Vec<u32>, len: usize) -> Self {
        let mut map = vec![u32::MAX; len];
        codes.iter().for_each(|code| map[*code as usize] = 0);
        for (next, slot) in map.iter_mut().filter(|slot| **slot == 0).enumerate() {
            *slot = next as u32;
        }
        let codes = codes.into_iter().map(|code| map[code as usize]).collect();
        Used { codes, map }
    }

    fn pick<'v>(&self, values: impl Iterator<Item = &'v [u8]>) -> impl Iterator<Item = &'v [u8]> {
        values
            .zip(&self.map)
            .filter(|(_, code)| **code != u32::MAX)
            .map(|(value, _)| value)
    }
}

fn enhanced_text(code: u32) -> String {
    format!("{}.{}.{}", code >> 20, code >> 10 & 0x3ff, code & 0x3ff)
}
