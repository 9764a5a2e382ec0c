//! The tallies of a batch: its rows are counted by the batch's own numbers first, and only what differs is looked up.

use super::key_filter::{LookupKey, SegmentKeys, domain_number};
use super::segment::DayRows;
use super::tally::{Tallies, TalliesOf, TallyRow, is_silent, two_digits};
use crate::model::direction::Direction;
use crate::model::event::{Destination, Kind, Message};
use crate::model::text::text;
use crate::model::time::MINUTE_MS;
use crate::normalise::origins::OriginField;
use crate::store::batch::{Batch, NONE, split_remote};
use rustc_hash::FxHashMap;

/// Numbers of an event that tell it from others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct EventNumbers {
    origin: u32,
    /// Next hop.
    remote: u32,
    reply: u32,
    recipients: u32,
    /// Kind, destination, direction, and in one byte messages and first hop.
    what: u32,
    /// Minute since the epoch, of what is told by minute; else 0.
    minute: u32,
}

/// Sender, direction, time in the queue, time of the delivery.
type Latency = (u32, u8, u64, u64);

/// How often each came.
#[derive(Default)]
struct EventCounts {
    latencies: FxHashMap<Latency, i64>,
    others: FxHashMap<EventNumbers, i64>,
}

/// A power of two.
const RECENT: usize = 64;

/// Latencies of the last rows, to the millisecond, each where its numbers say: most come again within a few rows, and are
/// looked up once.
struct RecentLatencies([(Latency, i64); RECENT]);

impl RecentLatencies {
    #[inline]
    fn add(&mut self, latency: Latency, to: &mut FxHashMap<Latency, i64>) {
        let (origin, direction, queue_ms, delivery_ms) = latency;
        let mixed = queue_ms ^ delivery_ms.rotate_left(20) ^ u64::from(origin) << 40 ^ u64::from(direction) << 36;
        let place = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
        let recent = &mut self.0[place as usize % RECENT];
        if recent.0 != latency {
            RecentLatencies::put(std::mem::replace(recent, (latency, 0)), to);
        }
        recent.1 += 1;
    }

    /// What is not in the map yet goes there.
    fn end(self, to: &mut FxHashMap<Latency, i64>) {
        self.0.into_iter().for_each(|recent| RecentLatencies::put(recent, to));
    }

    fn put(((origin, direction, queue_ms, delivery_ms), times): (Latency, i64), to: &mut FxHashMap<Latency, i64>) {
        if times > 0 {
            let key = (origin, direction, two_digits(queue_ms), two_digits(delivery_ms));
            *to.entry(key).or_default() += times;
        }
    }
}

impl DayRows<'_> {
    /// Which rows are alike; `origins` are the rows' senders, `directions` the codes of their directions, and `first_hops` say
    /// whether their mail enters the mail system here.
    pub(super) fn tallies(&self, origins: &[u32], directions: &[u8], first_hops: &[bool]) -> Tallies {
        let counts = self.counts(origins, directions, first_hops);
        let Batch { remotes, replies, .. } = &self.sealed.batch;
        let mut tallies = Tallies::default();
        for (alike, times) in counts.others {
            let [kind, destination, direction, counted] = alike.what.to_be_bytes();
            let (messages, first_hop) = (counted >> 1, counted & 1);
            let reply = &replies[alike.reply as usize];
            let row = TallyRow {
                ts_ms: i64::from(alike.minute) * MINUTE_MS,
                first_hop: first_hop != 0,
                remote_host: split_remote(remotes.get(alike.remote)).0,
                reason: reply.reason.as_bytes(),
                smtp_code: reply.smtp_code.map_or(NONE, u64::from),
                messages: u64::from(messages),
                recipients: u64::from(alike.recipients),
                direction: direction_of(direction),
                ..self.tally_row(alike.origin, Kind::ALL[usize::from(kind)], destination_of(destination))
            };
            let silent = is_silent(row.reason);
            tallies.add(
                TalliesOf::event(row.kind, row.destination, silent, row.messages),
                &row,
                times,
            );
        }
        for ((origin, direction, queue_ms, delivery_ms), times) in counts.latencies {
            let row = TallyRow {
                direction: direction_of(direction),
                queue_ms,
                delivery_ms,
                ..self.tally_row(origin, Kind::Delivered, Some(Destination::Remote))
            };
            tallies.add(TalliesOf::event(row.kind, row.destination, false, 0), &row, times);
        }
        tallies.seen(self.span_ms.1.get());
        self.add_keys(origins, &mut tallies.keys);
        tallies
    }

    /// By which keys the rows may be found.
    fn add_keys(&self, origins: &[u32], keys: &mut SegmentKeys) {
        let Batch { rows, slots, .. } = &self.sealed.batch;
        let mut add = |slot: &Message| {
            let id = slot.queue_id.as_ref();
            id.and_then(|id| LookupKey::of_queue_id(id.as_bytes()))
                .into_iter()
                .for_each(|key| keys.add(key));
        };
        match &self.rows {
            // Each message once: its rows stand between those of others.
            None => slots.iter().for_each(add),
            Some(of_day) => {
                let mut last = u32::MAX;
                for slot in of_day.iter().map(|row| rows.slot[*row as usize]) {
                    if slot != last {
                        last = slot;
                        add(&slots[slot as usize]);
                    }
                }
            }
        }
        self.add_recipients(keys);
        let table = &self.sealed.origins;
        let mut seen = vec![false; table.len()];
        for origin in origins {
            if !std::mem::replace(&mut seen[*origin as usize], true) {
                let of = |field| text(table.values(field).get(table.code(*origin, field)));
                let local = of(OriginField::SenderLocal);
                if !local.is_empty() {
                    keys.add(LookupKey::of_address(&local, &of(OriginField::SenderDomain)));
                }
            }
        }
    }

    fn add_recipients(&self, keys: &mut SegmentKeys) {
        let Batch {
            rows,
            locals,
            recipient_domains,
            ..
        } = &self.sealed.batch;
        let domains = recipient_domains.values().iter();
        let domains: Vec<u64> = domains.map(|domain| domain_number(&text(domain))).collect();
        let mut wanted = self.rows.iter().flatten().copied().peekable();
        let mut end = 0;
        for (row, (len, domain)) in (0..).zip(rows.local_len.iter().zip(&rows.recipient_domain)) {
            let start = end;
            end += *len as usize;
            if self.rows.is_some() && wanted.next_if_eq(&row).is_none() || *len == 0 {
                continue;
            }
            let (local, domain) = (&locals[start..end], domains[*domain as usize]);
            keys.add(match local.is_ascii() {
                true => LookupKey::in_domain(local, domain),
                false => LookupKey::in_domain(text(local).as_bytes(), domain),
            });
        }
    }

    fn tally_row(&self, origin: u32, kind: Kind, destination: Option<Destination>) -> TallyRow<'_> {
        let table = &self.sealed.origins;
        let of = |field| table.values(field).get(table.code(origin, field));
        TallyRow {
            ts_ms: 0,
            kind,
            destination,
            service: of(OriginField::Service),
            hostgroup: of(OriginField::Hostgroup),
            origin: of(OriginField::Origin),
            direction: b"",
            relay: self.sealed.relay.as_bytes(),
            host: self.sealed.host.as_bytes(),
            first_hop: false,
            remote_host: b"",
            reason: b"",
            smtp_code: NONE,
            messages: 0,
            recipients: 0,
            queue_ms: NONE,
            delivery_ms: NONE,
        }
    }

    fn counts(&self, origins: &[u32], directions: &[u8], first_hops: &[bool]) -> EventCounts {
        let rows = &self.sealed.batch.rows;
        let replies = self.sealed.batch.replies.iter();
        let silent: Vec<bool> = replies.map(|reply| is_silent(reply.reason.as_bytes())).collect();
        let mut counts = EventCounts::default();
        let mut recent = RecentLatencies([((0, 0, 0, 0), 0); RECENT]);
        let (kinds, destinations) = (self.pick(&rows.kind), self.pick(&rows.destination));
        let senders = origins.iter().zip(directions).zip(first_hops);
        let all = kinds.iter().zip(&*destinations).zip(senders).enumerate();
        for (at, ((kind, destination), ((origin, direction), first_hop))) in all {
            // Most rows are arrivals, deliveries, and ends of messages.
            if matches!(*kind, ACCEPTED | COMPLETED) {
                continue;
            }
            let row = self.row(at);
            if (*kind, *destination) == DELIVERED_OUTSIDE {
                let latency = (*origin, *direction, rows.queue_ms[row], rows.delivery_ms[row]);
                recent.add(latency, &mut counts.latencies);
                continue;
            }
            let (reply, messages) = (rows.reply[row], rows.messages[row]);
            let silent = silent[reply as usize];
            let of = TalliesOf::event(
                Kind::ALL[usize::from(*kind)],
                destination_of(*destination),
                silent,
                u64::from(messages),
            );
            if !of.any() {
                continue;
            }
            let mut alike = EventNumbers {
                origin: *origin,
                remote: rows.remote[row],
                reply,
                recipients: rows.recipients[row],
                what: u32::from_be_bytes([*kind, *destination, *direction, messages << 1 | u8::from(*first_hop)]),
                minute: 0,
            };
            if of.witnesses {
                alike.minute = rows.ts_ms[row].div_euclid(MINUTE_MS) as u32;
            }
            *counts.others.entry(alike).or_default() += 1;
        }
        recent.end(&mut counts.latencies);
        counts
    }
}

const ACCEPTED: u8 = Kind::Accepted as u8;
const COMPLETED: u8 = Kind::Completed as u8;
/// Code 0 is no destination.
const DELIVERED_OUTSIDE: (u8, u8) = (Kind::Delivered as u8, Destination::Remote as u8 + 1);

/// The name of the direction of a code; 0 is none.
fn direction_of(code: u8) -> &'static [u8] {
    let direction = usize::from(code)
        .checked_sub(1)
        .and_then(|code| Direction::ALL.get(code));
    direction.map_or(b"", |direction| direction.as_str().as_bytes())
}

/// The destination of a code; 0 is none.
#[inline]
fn destination_of(code: u8) -> Option<Destination> {
    Destination::ALL.get(usize::from(code).checked_sub(1)?).copied()
}
