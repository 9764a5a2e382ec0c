//! A sealed batch → the Parquet files of its segments: one of events and one of per-minute rates for each UTC day.

use super::super::batch::{Batch, DAY_MS, NONE, Row, SealedBatch, split_remote};
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

/// Encodes a batch, a segment a day.
pub fn encode(sealed: &SealedBatch) -> Result<Vec<EncodedSegment>, Error> {
    let mut days: Vec<i64> = sealed.batch.rows.iter().map(|row| row.ts_ms.div_euclid(DAY_MS)).collect();
    days.dedup();
    let whole = days.len() <= 1;
    days.sort_unstable();
    days.dedup();
    let starts = local_starts(&sealed.batch);
    let all: Vec<usize> = (0..sealed.batch.rows.len()).collect();
    days.into_iter()
        .map(|day| {
            let of_day = |at: &usize| sealed.batch.rows[*at].ts_ms.div_euclid(DAY_MS) == day;
            let picked: Vec<usize> = if whole { all.clone() } else { all.iter().copied().filter(of_day).collect() };
            let part = Part { sealed, rows: &picked, starts: &starts };
            part.encode(day)
        })
        .collect()
}

/// Where each row's recipient begins in the arena.
fn local_starts(batch: &Batch) -> Vec<u32> {
    let lens = batch.rows.iter().map(|row| row.local_len);
    lens.scan(0, |at, len| {
        let start = *at;
        *at += len;
        Some(start)
    })
    .collect()
}

struct Part<'b> {
    sealed: &'b SealedBatch,
    rows: &'b [usize],
    starts: &'b [u32],
}

impl Part<'_> {
    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().map(|&at| &self.sealed.batch.rows[at])
    }

    fn slots(&self) -> impl Iterator<Item = &super::super::batch::SlotRow> {
        self.rows().map(|row| &self.sealed.batch.slots[row.slot as usize])
    }

    fn encode(&self, day: i64) -> Result<EncodedSegment, Error> {
        let times = || self.rows().map(|row| row.ts_ms);
        let orphans: FxHashSet<QueueId> = self.slots().filter(|s| s.orphan).filter_map(|s| s.queue_id).collect();
        Ok(EncodedSegment {
            day,
            rows: self.rows.len() as u64,
            span_ms: (times().min().unwrap_or(0), times().max().unwrap_or(0)),
            events: self.events()?,
            rates: self.rates()?,
            orphans: orphans.into_iter().collect(),
        })
    }

    /// The events' columns; README.md, "Data", says what each means.
    fn events(&self) -> Result<Vec<u8>, Error> {
        let batch = &self.sealed.batch;
        let mut out = Columns::default();
        out.dictionary("log", batch.logs.clone(), self.rows().map(|row| row.log).collect())?;
        out.growing("log_offset", self.rows().map(|row| row.offset as i64).collect());
        out.growing("ts_ms", self.rows().map(|row| row.ts_ms).collect());
        out.constant("host", &self.sealed.host, self.rows.len())?;
        out.constant("source", self.sealed.source, self.rows.len())?;
        out.dictionary("kind", kind_names(), self.rows().map(|row| row.kind as u32).collect())?;
        self.by_origin(&mut out, "service", |origin| &origin.service)?;
        self.by_origin(&mut out, "hostgroup", |origin| &origin.hostgroup)?;
        out.constant("relay", &self.sealed.host, self.rows.len())?;
        out.flags("first_hop", self.slots().map(|slot| slot.first_hop));
        out.dictionary("destination", destination_names(), self.rows().map(destination_code).collect())?;
        self.queue_ids(&mut out)?;
        let keys = self.rows().zip(self.slots()).map(|(row, slot)| match row.kind {
            Kind::Accepted | Kind::Submitted => slot.message_key.unwrap_or(NONE),
            _ => NONE,
        });
        out.optional("message_key", keys.collect(), super::write::PLAIN);
        self.by_origin(&mut out, "client", |origin| &origin.client)?;
        self.by_origin(&mut out, "client_ip", |origin| &origin.client_ip)?;
        self.by_origin(&mut out, "sender_local", |origin| &origin.sender_local)?;
        self.by_origin(&mut out, "sender_domain", |origin| &origin.sender_domain)?;
        self.recipients(&mut out)?;
        self.remotes(&mut out)?;
        out.optional("bytes", self.rows().map(|row| row.bytes).collect(), super::write::DELTA);
        out.few("messages", self.rows().map(|row| i64::from(row.messages)).collect());
        out.few("recipients", self.rows().map(|row| i64::from(row.recipients)).collect());
        out.optional("queue_ms", self.rows().map(|row| row.queue_ms).collect(), super::write::FEW);
        out.optional("delivery_ms", self.rows().map(|row| row.delivery_ms).collect(), super::write::FEW);
        self.replies(&mut out)?;
        out.encode(self.rows.len())
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
        let mut values = vec![String::new()];
        let mut codes: Vec<u32> = vec![u32::MAX; self.sealed.batch.slots.len()];
        let rows = self
            .rows()
            .zip(self.slots())
            .map(|(row, slot)| match &slot.queue_id {
                None => 0,
                Some(id) => {
                    let code = &mut codes[row.slot as usize];
                    if *code == u32::MAX {
                        *code = values.len() as u32;
                        values.push(text(id.as_bytes()));
                    }
                    *code
                }
            })
            .collect();
        out.dictionary("queue_id", values, rows)
    }

    fn recipients(&self, out: &mut Columns) -> Result<(), Error> {
        let batch = &self.sealed.batch;
        let local = |&at: &usize| {
            let start = self.starts[at] as usize;
            &batch.locals[start..start + batch.rows[at].local_len as usize]
        };
        // Pseudonyms are ASCII; with local_parts = "keep" what is no UTF-8 is shown as text.
        if batch.locals.is_ascii() {
            let texts = self.rows.iter().map(|at| std::str::from_utf8(local(at)).unwrap_or_default());
            out.plain("recipient_local", texts, self.rows.len());
        } else {
            let texts: Vec<String> = self.rows.iter().map(|at| text(local(at))).collect();
            out.plain("recipient_local", texts.iter().map(String::as_str), self.rows.len());
        }
        let used = Used::of(self.rows().map(|row| row.recipient_domain), batch.recipient_domains.len());
        let values = used.pick(batch.recipient_domains.values()).map(|v| text(v).to_lowercase()).collect();
        out.dictionary("recipient_domain", values, used.codes)
    }

    fn remotes(&self, out: &mut Columns) -> Result<(), Error> {
        let remotes = &self.sealed.batch.remotes;
        let used = Used::of(self.rows().map(|row| row.remote), remotes.len());
        let names = used.pick(remotes.values()).map(|key| text(split_remote(key).0)).collect();
        let ips = used.pick(remotes.values()).map(|key| split_remote(key).1.map(|ip| ip.to_string()).unwrap_or_default());
        let ips = ips.collect();
        out.dictionary("remote_host", names, used.codes.clone())?;
        out.dictionary("remote_ip", ips, used.codes)
    }

    fn replies(&self, out: &mut Columns) -> Result<(), Error> {
        let replies = &self.sealed.batch.replies;
        let codes: Vec<u32> = self.rows().map(|row| row.reply).collect();
        let smtp = self.rows().map(|row| replies[row.reply as usize].smtp_code.map_or(NONE, u64::from)).collect();
        out.optional("smtp_code", smtp, super::write::FEW);
        let enhanced = replies.iter().map(|reply| reply.enhanced_code.map(enhanced_text).unwrap_or_default()).collect();
        out.dictionary("enhanced_code", enhanced, codes.clone())?;
        out.dictionary("reason", replies.iter().map(|reply| reply.reason.to_owned()).collect(), codes)
    }

    fn rates(&self) -> Result<Vec<u8>, Error> {
        let mut rates = Rates::default();
        let mut groups: Vec<Option<u32>> = vec![None; self.sealed.origins.len()];
        for (row, slot) in self.rows().zip(self.slots()) {
            let origin = slot.origin as usize;
            let group = *groups[origin].get_or_insert_with(|| {
                let origin = &self.sealed.origins[origin];
                rates.group(&origin.service, &origin.hostgroup)
            });
            rates.add(RateRow {
                ts_ms: row.ts_ms,
                group,
                kind: row.kind as u8,
                destination: destination_code(row) as u8,
                first_hop: slot.first_hop,
                messages: i64::from(row.messages),
                recipients: i64::from(row.recipients),
                bytes: if row.bytes == NONE { 0 } else { row.bytes as i64 },
            });
        }
        rates.encode(&self.sealed.host)
    }
}

/// Codes of a column with the values that no row uses left out.
struct Used {
    codes: Vec<u32>,
    map: Vec<u32>,
}

impl Used {
    fn of(codes: impl Iterator<Item = u32>, len: usize) -> Self {
        let codes: Vec<u32> = codes.collect();
        let mut map = vec![u32::MAX; len];
        codes.iter().for_each(|code| map[*code as usize] = 0);
        let mut next = 0;
        for slot in map.iter_mut().filter(|slot| **slot == 0) {
            *slot = next;
            next += 1;
        }
        let codes = codes.into_iter().map(|code| map[code as usize]).collect();
        Used { codes, map }
    }

    fn pick<'v>(&self, values: impl Iterator<Item = &'v [u8]>) -> impl Iterator<Item = &'v [u8]> {
        values.zip(&self.map).filter(|(_, code)| **code != u32::MAX).map(|(value, _)| value)
    }
}

fn destination_code(row: &Row) -> u32 {
    row.destination.map_or(0, |d| d as u32 + 1)
}

fn enhanced_text(code: u32) -> String {
    format!("{}.{}.{}", code >> 20, code >> 10 & 0x3ff, code & 0x3ff)
}
