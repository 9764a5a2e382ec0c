//! The tallies of a batch: its rows are counted by the batch's own numbers first, and only what differs is looked up.

use super::segment::DayRows;
use super::tally::{Tallies, TalliesOf, TallyRow, is_silent, two_digits};
use crate::model::event::{Destination, Kind};
use crate::model::time::MINUTE_MS;
use crate::normalise::origins::OriginField;
use crate::store::batch::{Batch, NONE, split_remote};
use rustc_hash::FxHashMap;

/// Numbers of an event that tell it from others; what its tallies do not ask is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Alike {
    origin: u32,
    /// Next hop.
    remote: u32,
    reply: u32,
    recipients: u32,
    /// Kind, destination, messages and first hop.
    what: u32,
    /// Minute since the epoch.
    minute: u32,
    queue_ms: u64,
    delivery_ms: u64,
}

impl DayRows<'_> {
    /// Which rows are alike; `origins` are the rows' senders.
    pub(super) fn tallies(&self, origins: &[u32]) -> Tallies {
        let counts = self.alike(origins);
        let Batch { remotes, replies, .. } = &self.sealed.batch;
        let table = &self.sealed.origins;
        let mut tallies = Tallies::default();
        for (alike, times) in counts {
            let [kind, destination, messages, first_hop] = alike.what.to_be_bytes();
            let reply = &replies[alike.reply as usize];
            let of = |field| table.values(field).get(table.code(alike.origin, field));
            let row = TallyRow {
                ts_ms: i64::from(alike.minute) * MINUTE_MS,
                kind: Kind::ALL[usize::from(kind)],
                destination: destination_of(destination),
                service: of(OriginField::Service),
                hostgroup: of(OriginField::Hostgroup),
                relay: self.sealed.relay.as_bytes(),
                host: self.sealed.host.as_bytes(),
                first_hop: first_hop != 0,
                remote_host: split_remote(remotes.get(alike.remote)).0,
                reason: reply.reason.as_bytes(),
                smtp_code: reply.smtp_code.map_or(NONE, u64::from),
                messages: u64::from(messages),
                recipients: u64::from(alike.recipients),
                queue_ms: alike.queue_ms,
                delivery_ms: alike.delivery_ms,
            };
            let silent = is_silent(row.reason);
            let of = TalliesOf::event(row.kind, row.destination, silent, row.messages);
            tallies.add(of, &row, times);
        }
        tallies.seen(self.span_ms.1);
        tallies
    }

    fn alike(&self, origins: &[u32]) -> FxHashMap<Alike, i64> {
        let rows = &self.sealed.batch.rows;
        let silent: Vec<bool> = self
            .sealed
            .batch
            .replies
            .iter()
            .map(|reply| is_silent(reply.reason.as_bytes()))
            .collect();
        let all_first = self.sealed.batch.slots.iter().all(|slot| slot.first_hop);
        let mut counts: FxHashMap<Alike, i64> = FxHashMap::default();
        for (at, origin) in origins.iter().enumerate() {
            let row = self.row(at);
            let (kind, destination) = (rows.kind[row], rows.destination[row]);
            let (reply, messages) = (rows.reply[row], rows.messages[row]);
            let of = TalliesOf::event(
                Kind::ALL[usize::from(kind)],
                destination_of(destination),
                silent[reply as usize],
                u64::from(messages),
            );
            if !of.any() {
                continue;
            }
            let mut alike = Alike {
                origin: *origin,
                remote: 0,
                reply: 0,
                recipients: 0,
                what: u32::from_be_bytes([kind, destination, 0, 0]),
                minute: 0,
                queue_ms: 0,
                delivery_ms: 0,
            };
            if of.latencies {
                (alike.queue_ms, alike.delivery_ms) =
                    (two_digits(rows.queue_ms[row]), two_digits(rows.delivery_ms[row]));
            }
            if of.peers || of.witnesses {
                let slots = &self.sealed.batch.slots;
                let first_hop = all_first || slots[rows.slot[row] as usize].first_hop;
                alike.what = u32::from_be_bytes([kind, destination, messages, u8::from(first_hop)]);
                (alike.remote, alike.reply, alike.recipients) = (rows.remote[row], reply, rows.recipients[row]);
            }
            if of.witnesses {
                alike.minute = rows.ts_ms[row].div_euclid(MINUTE_MS) as u32;
            }
            *counts.entry(alike).or_default() += 1;
        }
        counts
    }
}

/// The destination of a code; 0 is none.
#[inline]
fn destination_of(code: u8) -> Option<Destination> {
    Destination::ALL.get(usize::from(code).checked_sub(1)?).copied()
}
