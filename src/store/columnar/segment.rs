//! A sealed batch → the Parquet files of its segments: one of events and one of per-minute rates for each UTC day.

use super::super::batch::{Batch, NONE, Reply, SealedBatch, split_remote};
use super::ColumnarError;
use super::rates::{RateRow, Rates, destination_names, direction_names, kind_names};
use super::rollups::ROLLUP_ROWS_MIN;
use super::write::{Columns, DIRECTION, NumberEncoding, ORIGIN, PROVIDER, QUEUE_ID, REASON, REPLY, Scratch};
use crate::model::dictionary::Dictionary;
use crate::model::direction::{Direction, MailOrigin, Reach};
use crate::model::event::{Kind, Message};
use crate::model::queue_id::QueueId;
use crate::model::text::text;
use crate::model::time::{CivilDay, UtcMs};
use crate::normalise::origins::OriginField;
use crate::normalise::provider::in_rates;
use rustc_hash::FxHashSet;
use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;

const ACCEPTED: u8 = Kind::Accepted as u8;
const SUBMITTED: u8 = Kind::Submitted as u8;

/// Whether events of a kind have their Message-ID's key.
#[inline]
fn is_with_key(kind: u8) -> bool {
    matches!(kind, ACCEPTED | SUBMITTED)
}

/// The files of one segment, in memory, with what the catalogue keeps of them.
#[derive(Debug)]
pub struct EncodedSegment {
    /// Day, of UTC.
    pub day: CivilDay,
    /// Rows of events.
    pub rows: u64,
    /// First and last time of an event.
    pub span_ms: (UtcMs, UtcMs),
    /// Parquet bytes of the events.
    pub events: Vec<u8>,
    /// Parquet bytes of the rates.
    pub rates: Vec<u8>,
    /// Messages whose arrival has not been seen.
    pub orphans: Vec<QueueId>,
    /// Logs that its rows are of, each with its first and last offset. Empty where a segment takes the place of others: it
    /// has theirs.
    pub logs: Vec<(u64, i64, i64)>,
}

/// Rows of a segment, at most: what ClickHouse takes as one deduplicated block.
pub(crate) const SEGMENT_ROWS_MAX: usize = 500_000;

/// Encodes batches, one after the other in the same memory.
#[derive(Default)]
pub(crate) struct Encoder {
    scratch: Scratch,
    /// Of every row the number of its sender among those that occur.
    origins: Vec<u32>,
    /// Of every row the code of its direction; 0 is none.
    pub(super) directions: Vec<u8>,
    /// Of every row the number of its provider among `provider_names`; 0 is none.
    pub(super) providers: Vec<u32>,
    pub(super) provider_names: Dictionary,
    /// Numbers of a column that stands nowhere.
    numbers: Vec<u64>,
}

impl Encoder {
    /// Takes a file back that has been written, for its memory.
    pub(crate) fn take_back(&mut self, segment: EncodedSegment) {
        if segment.events.capacity() > self.scratch.file.capacity() {
            self.scratch.file = segment.events;
        }
    }

    /// Encodes a batch, a segment a day; more than one where a day has too many rows.
    pub(crate) fn encode(&mut self, sealed: &SealedBatch) -> Result<Vec<EncodedSegment>, ColumnarError> {
        let times = &sealed.batch.rows.ts_ms;
        debug_assert_eq!(
            times.len(),
            sealed.batch.len(),
            "a batch is settled before it is sealed"
        );
        let Some(span_ms) = span_of(times.iter().copied()) else {
            return Ok(Vec::new());
        };
        if span_ms.0.day() == span_ms.1.day() && times.len() <= SEGMENT_ROWS_MAX {
            let part = DayRows {
                sealed,
                rows: None,
                span_ms,
            };
            return Ok(vec![part.encode(self)?]);
        }
        let mut days: BTreeMap<CivilDay, Vec<u32>> = BTreeMap::new();
        for (at, ts_ms) in (0..).zip(times) {
            days.entry(UtcMs::new(*ts_ms).day()).or_default().push(at);
        }
        let mut segments = Vec::new();
        for rows in days.values().flat_map(|rows| rows.chunks(SEGMENT_ROWS_MAX)) {
            let times = rows.iter().map(|at| times[*at as usize]);
            let part = DayRows {
                sealed,
                rows: Some(rows.to_vec()),
                span_ms: span_of(times).unwrap_or(span_ms),
            };
            segments.push(part.encode(self)?);
        }
        Ok(segments)
    }
}

/// The logs that have rows, by their numbers, each with its first and last offset.
fn named(logs: &[String], spans: &[(i64, i64)]) -> Vec<(u64, i64, i64)> {
    let used = logs.iter().zip(spans).filter(|(_, (first, last))| first <= last);
    used.filter_map(|(name, (first, last))| Some((u64::from_str_radix(name, 16).ok()?, *first, *last)))
        .collect()
}

/// The least and the greatest, if there are any.
fn span_of(mut times: impl Iterator<Item = i64>) -> Option<(UtcMs, UtcMs)> {
    let first = times.next()?;
    let widen = |(from, to): (i64, i64), ts_ms| (from.min(ts_ms), to.max(ts_ms));
    let (first, last) = times.fold((first, first), widen);
    Some((UtcMs::new(first), UtcMs::new(last)))
}

/// The rows of one day.
pub(super) struct DayRows<'b> {
    pub(super) sealed: &'b SealedBatch,
    /// Which; none for all.
    pub(super) rows: Option<Vec<u32>>,
    /// First and last time.
    pub(super) span_ms: (UtcMs, UtcMs),
}

impl DayRows<'_> {
    fn len(&self) -> usize {
        self.rows.as_ref().map_or(self.sealed.batch.rows.len(), Vec::len)
    }

    /// This part's values of a column.
    pub(super) fn pick<'c, T: Copy>(&self, column: &'c [T]) -> Cow<'c, [T]> {
        match &self.rows {
            None => Cow::Borrowed(column),
            Some(rows) => Cow::Owned(rows.iter().map(|at| column[*at as usize]).collect()),
        }
    }

    fn slots(&self) -> impl Iterator<Item = &Message> {
        let Batch { slots, rows, .. } = &self.sealed.batch;
        (0..self.len()).map(|at| &slots[rows.slot[self.row(at)] as usize])
    }

    /// Place in the batch of this part's row.
    #[inline]
    pub(super) fn row(&self, at: usize) -> usize {
        match &self.rows {
            None => at,
            Some(rows) => rows[at] as usize,
        }
    }

    fn encode(&self, with: &mut Encoder) -> Result<EncodedSegment, ColumnarError> {
        // All mail of most batches enters the mail system here: then no row need be asked.
        let all_first = self.sealed.batch.slots.iter().all(|slot| slot.first_hop);
        // Nearly always there is none.
        let orphans: FxHashSet<QueueId> = match self.sealed.batch.slots.iter().any(|slot| slot.orphan) {
            true => self.slots().filter(|s| s.orphan).filter_map(|s| s.queue_id).collect(),
            false => FxHashSet::default(),
        };
        Ok(EncodedSegment {
            day: self.span_ms.0.day(),
            rows: self.len() as u64,
            span_ms: self.span_ms,
            events: self.events(all_first, with)?,
            rates: self.rates(with, all_first)?,
            orphans: orphans.into_iter().collect(),
            logs: self.logs(),
        })
    }

    /// The logs of the rows, and which offsets of each.
    fn logs(&self) -> Vec<(u64, i64, i64)> {
        let Batch { rows, logs, .. } = &self.sealed.batch;
        let mut spans = vec![(i64::MAX, i64::MIN); logs.len()];
        if let [alone] = &mut spans[..] {
            // Nearly always in order: to see that takes less than to look for the ends.
            let offsets = self.pick(&rows.offset);
            let ends = match (&*offsets, offsets.is_sorted()) {
                ([first, .., last], true) => Some((*first, *last)),
                (any, _) => any.iter().min().copied().zip(any.iter().max().copied()),
            };
            *alone = ends.unwrap_or(*alone);
            return named(logs, &spans);
        }
        for (log, offset) in self.pick(&rows.log).iter().zip(&*self.pick(&rows.offset)) {
            let (first, last) = &mut spans[*log as usize];
            (*first, *last) = ((*first).min(*offset), (*last).max(*offset));
        }
        named(logs, &spans)
    }

    /// The events' columns; docs/data-model.md has the meaning of each.
    fn events(&self, all_first: bool, with: &mut Encoder) -> Result<Vec<u8>, ColumnarError> {
        let Batch { rows, logs, slots, .. } = &self.sealed.batch;
        let (slot, kind) = (self.pick(&rows.slot), self.pick(&rows.kind));
        let mut out = Columns::within(self.len(), std::mem::take(&mut with.scratch))?;
        with.origins.clear();
        with.origins
            .extend(slot.iter().map(|slot| slots[*slot as usize].origin));
        self.directions(with);
        self.providers(with);
        let mut origins = DaySenders {
            used: Used::of(&with.origins, self.sealed.origins.len()),
            rows: &with.origins,
            written: Vec::new(),
        };
        out.dictionary("log", logs, &*self.pick(&rows.log))?;
        out.growing("log_offset", &self.pick(&rows.offset))?;
        out.growing("ts_ms", &self.pick(&rows.ts_ms))?;
        out.constant("host", &self.sealed.host)?;
        out.constant("source", self.sealed.source)?;
        out.dictionary("kind", &kind_names(), kind.iter().map(|kind| u32::from(*kind)))?;
        self.by_origin(&mut out, "service", OriginField::Service, &mut origins)?;
        self.by_origin(&mut out, "hostgroup", OriginField::Hostgroup, &mut origins)?;
        out.constant("relay", &self.sealed.relay)?;
        match all_first {
            true => out.all_set("first_hop")?,
            false => out.flags("first_hop", self.slots().map(|slot| slot.first_hop))?,
        }
        let destinations = self.pick(&rows.destination);
        let destinations = destinations.iter().map(|destination| u32::from(*destination));
        out.dictionary("destination", &destination_names(), destinations)?;
        self.queue_ids(&mut out)?;
        // The key stands at the arrival alone: a join by queue ID brings it to the rest, and it is six random bytes.
        let key = |(slot, kind): (&u32, &u8)| match is_with_key(*kind) {
            true => slots[*slot as usize].message_key.unwrap_or(NONE),
            false => NONE,
        };
        with.numbers.clear();
        with.numbers.extend(slot.iter().zip(&*kind).map(key));
        out.optional("message_key", &with.numbers, NumberEncoding::Random)?;
        self.by_origin(&mut out, "client", OriginField::Client, &mut origins)?;
        self.by_origin(&mut out, "client_ip", OriginField::ClientIp, &mut origins)?;
        self.by_origin(&mut out, "sender_local", OriginField::SenderLocal, &mut origins)?;
        self.by_origin(&mut out, "sender_domain", OriginField::SenderDomain, &mut origins)?;
        self.recipients(&mut out)?;
        self.remotes(&mut out)?;
        out.optional("bytes", &self.pick(&rows.bytes), NumberEncoding::Random)?;
        out.few(
            "messages",
            self.pick(&rows.messages).iter().map(|count| i64::from(*count)),
        )?;
        out.few(
            "recipients",
            self.pick(&rows.recipients).iter().map(|count| i64::from(*count)),
        )?;
        out.optional("queue_ms", &self.pick(&rows.queue_ms), NumberEncoding::Few)?;
        out.optional("delivery_ms", &self.pick(&rows.delivery_ms), NumberEncoding::Few)?;
        self.replies(&mut out, &mut with.numbers)?;
        self.by_origin(&mut out, ORIGIN, OriginField::Origin, &mut origins)?;
        let directions = with.directions.iter().map(|code| u32::from(*code));
        out.dictionary(DIRECTION, &direction_names(), directions)?;
        out.dictionary_of(PROVIDER, with.provider_names.values().iter(), &with.providers)?;
        self.reply_words(&mut out)?;
        let (bytes, scratch) = out.finish()?;
        with.scratch = scratch;
        Ok(bytes)
    }

    /// Fills in the directions of the rows, by whose mail they are and where it goes.
    fn directions(&self, with: &mut Encoder) {
        let mut of: [[u8; Reach::ALL.len() + 1]; MailOrigin::ALL.len()] = Default::default();
        for (origin, by_reach) in MailOrigin::ALL.into_iter().zip(&mut of) {
            for (reach, code) in Reach::ALL.into_iter().zip(&mut by_reach[1..]) {
                *code = Direction::of(origin, reach).map_or(0, |direction| direction as u8 + 1);
            }
        }
        let table = &self.sealed.origins;
        let mail: Vec<&[u8; Reach::ALL.len() + 1]> = (0..table.len() as u32)
            .map(|origin| &of[table.code(origin, OriginField::Origin) as usize % of.len()])
            .collect();
        let reaches = self.pick(&self.sealed.batch.rows.reach);
        let rows = with.origins.iter().zip(&*reaches);
        with.directions.clear();
        with.directions
            .extend(rows.map(|(origin, reach)| mail[*origin as usize][usize::from(*reach)]));
    }

    fn by_origin(
        &self,
        out: &mut Columns,
        name: &str,
        field: OriginField,
        origins: &mut DaySenders,
    ) -> Result<(), ColumnarError> {
        let table = &self.sealed.origins;
        let values = table.values(field);
        // Senders are few beside rows.
        let all = || (0..table.len() as u32).map(|origin| table.code(origin, field));
        let used = Used::of(origins.used.pick(all()), values.len());
        let codes: Vec<u32> = all().map(|code| used.code(code)).collect();
        let values: Vec<&[u8]> = used.pick(values.iter()).collect();
        if let Some((column, order)) = origins.like(&codes, values.len()) {
            return out.dictionary_like(column, name, order.iter().map(|code| values[*code as usize]));
        }
        let column = out.len();
        let keys = origins.rows.iter().map(|origin| codes[*origin as usize]);
        out.dictionary_of(name, values.iter().copied(), keys)?;
        origins.written.push((column, values.len(), codes));
        Ok(())
    }

    fn queue_ids(&self, out: &mut Columns) -> Result<(), ColumnarError> {
        let slots = &self.sealed.batch.slots;
        // Rows of a message follow one another.
        let mut last = (u32::MAX, &b""[..]);
        let rows = self.pick(&self.sealed.batch.rows.slot);
        let ids = rows.iter().map(|slot| {
            if *slot != last.0 {
                last = (*slot, id_of(&slots[*slot as usize]));
            }
            last.1
        });
        out.incremental(QUEUE_ID, ids)
    }

    fn recipients(&self, out: &mut Columns) -> Result<(), ColumnarError> {
        let Batch {
            rows,
            locals,
            recipient_domains,
            ..
        } = &self.sealed.batch;
        let lengths = self.pick(&rows.local_len);
        let lens = lengths.iter().map(|len| *len as usize);
        // Pseudonyms are ASCII; with local_parts = "keep" what is no UTF-8 is shown as text.
        match (locals.is_ascii(), &self.rows) {
            (true, None) => out.plain("recipient_local", lens, locals)?,
            (is_ascii, _) => {
                let ends = rows.local_len.iter().scan(0, |end, len| {
                    *end += *len as usize;
                    Some(*end)
                });
                let ends: Vec<usize> = ends.collect();
                let local = |at: usize| {
                    let row = self.row(at);
                    &locals[ends[row] - rows.local_len[row] as usize..ends[row]]
                };
                let all = (0..self.len()).map(local);
                if is_ascii {
                    out.plain("recipient_local", lens, &all.collect::<Vec<_>>().concat())?;
                } else {
                    let texts: Vec<String> = all.map(text).collect();
                    let bytes = texts.concat();
                    out.plain("recipient_local", texts.iter().map(String::len), bytes.as_bytes())?;
                }
            }
        }
        let codes = self.pick(&rows.recipient_domain);
        let used = Used::of(&*codes, recipient_domains.len());
        let values: Vec<String> = used
            .pick(recipient_domains.values().iter())
            .map(|v| text(v).to_lowercase())
            .collect();
        out.dictionary("recipient_domain", &values, codes.iter().map(|code| used.code(*code)))
    }

    fn remotes(&self, out: &mut Columns) -> Result<(), ColumnarError> {
        let remotes = &self.sealed.batch.remotes;
        let codes = self.pick(&self.sealed.batch.rows.remote);
        let used = Used::of(&*codes, remotes.len());
        let keys = || used.pick(remotes.values().iter());
        let names: Vec<String> = keys().map(|key| text(split_remote(key).0)).collect();
        let ip = |key: &[u8]| split_remote(key).1.map(|ip| ip.to_string()).unwrap_or_default();
        let ips: Vec<String> = keys().map(ip).collect();
        let host = out.len();
        out.dictionary("remote_host", &names, codes.iter().map(|code| used.code(*code)))?;
        out.dictionary_like(host, "remote_ip", ips.iter().map(String::as_bytes))
    }

    fn replies(&self, out: &mut Columns, numbers: &mut Vec<u64>) -> Result<(), ColumnarError> {
        let replies = &self.sealed.batch.replies;
        let codes = self.pick(&self.sealed.batch.rows.reply);
        let smtp = |code: &u32| replies[*code as usize].smtp_code.map_or(NONE, u64::from);
        numbers.clear();
        numbers.extend(codes.iter().map(smtp));
        out.optional("smtp_code", numbers, NumberEncoding::Few)?;
        let enhanced = |reply: &Reply| reply.enhanced_code.map(enhanced_text).unwrap_or_default();
        by_reply(out, "enhanced_code", replies, &codes, enhanced)?;
        by_reply(out, REASON, replies, &codes, |reply| reply.reason.to_owned())?;
        let own = |reply: &Reply| reply.provider_code.map(|code| code.as_str().to_owned());
        by_reply(out, "provider_code", replies, &codes, |reply| {
            own(reply).unwrap_or_default()
        })
    }

    /// Words are log text: what is no UTF-8 is shown as text.
    fn reply_words(&self, out: &mut Columns) -> Result<(), ColumnarError> {
        let Batch {
            rows,
            replies,
            reply_words,
            ..
        } = &self.sealed.batch;
        // None are kept, unless the configuration asks for them.
        if reply_words.len() == 1 {
            return out.constant(REPLY, "");
        }
        let codes = self.pick(&rows.reply);
        let codes: Vec<u32> = codes.iter().map(|code| replies[*code as usize].words).collect();
        let used = Used::of(&codes, reply_words.len());
        let values: Vec<String> = used.pick(reply_words.values().iter()).map(text).collect();
        out.dictionary(REPLY, &values, codes.iter().map(|code| used.code(*code)))
    }

    /// Sums per minute and all that rates tell apart, of the rows' senders and directions.
    fn rates(&self, of: &mut Encoder, all_first: bool) -> Result<Vec<u8>, ColumnarError> {
        let origins = &of.origins;
        let rows = &self.sealed.batch.rows;
        let table = &self.sealed.origins;
        let mut rates = Rates::default();
        let providers = of.provider_names.values().iter();
        let providers: Vec<u16> = providers
            .map(|name| rates.provider(in_rates(&text(name)).as_bytes()))
            .collect();
        let mut groups = vec![u32::MAX; table.len()];
        let first_hops = match all_first {
            true => vec![true; origins.len()],
            false => self.slots().map(|slot| slot.first_hop).collect(),
        };
        let (ts_ms, bytes) = (self.pick(&rows.ts_ms), self.pick(&rows.bytes));
        let (kind, destination) = (self.pick(&rows.kind), self.pick(&rows.destination));
        let (messages, recipients) = (self.pick(&rows.messages), self.pick(&rows.recipients));
        // Columns side by side: an index would be asked for its bounds in each.
        let sender = origins.iter().zip(&first_hops);
        let what = kind
            .iter()
            .zip(&*destination)
            .zip(of.directions.iter().zip(&of.providers));
        let sums = messages.iter().zip(&*recipients).zip(&*bytes);
        for (
            ((ts_ms, (origin, first_hop)), ((kind, destination), (direction, provider))),
            ((messages, recipients), bytes),
        ) in ts_ms.iter().zip(sender).zip(what).zip(sums)
        {
            let group = &mut groups[*origin as usize];
            if *group == u32::MAX {
                let value = |field| {
                    let code = table.code(*origin, field);
                    (code, table.values(field).get(code))
                };
                let relay = (0, self.sealed.relay.as_bytes());
                let [service, hostgroup] = [OriginField::Service, OriginField::Hostgroup].map(value);
                *group = rates.group([service, hostgroup, relay, value(OriginField::Origin)]);
            }
            rates.add(RateRow {
                ts_ms: *ts_ms,
                group: *group,
                kind: *kind,
                destination: *destination,
                direction: *direction,
                provider: providers[*provider as usize],
                first_hop: *first_hop,
                messages: i64::from(*messages),
                recipients: i64::from(*recipients),
                bytes: if *bytes == NONE { 0 } else { *bytes as i64 },
            });
        }
        let tallies =
            (self.len() as u64 >= ROLLUP_ROWS_MIN).then(|| self.tallies(origins, &of.directions, &first_hops));
        rates.encode(tallies, &mut of.scratch)
    }
}

/// A message's queue ID. MTAs make them of ASCII; what is none was refused by the parser.
fn id_of(slot: &Message) -> &[u8] {
    let id = slot.queue_id.as_ref().map(QueueId::as_bytes);
    id.filter(|id| id.is_ascii()).unwrap_or_default()
}

/// Senders of a part.
struct DaySenders<'o> {
    used: Used,
    /// Number of each row's sender.
    rows: &'o [u32],
    /// Columns written so far: where, how many values, and each sender's code.
    written: Vec<(usize, usize, Vec<u32>)>,
}

impl DaySenders<'_> {
    /// A column whose codes tell the same senders apart as these, if there is one, and which of these stands for each of
    /// its own: a client has one address, a service one sender.
    fn like(&self, codes: &[u32], values: usize) -> Option<(usize, Vec<u32>)> {
        self.written.iter().find_map(|(column, known, theirs)| {
            if *known != values {
                return None;
            }
            let mut order = vec![u32::MAX; values];
            let mut pairs = self.used.pick(theirs.iter().zip(codes));
            let fits = pairs.all(|(theirs, ours)| {
                let place = &mut order[*theirs as usize];
                *place = if *place == u32::MAX { *ours } else { *place };
                place == ours
            });
            fits.then_some((*column, order))
        })
    }
}

/// Codes of a column's values, those left out that no row has.
struct Used {
    map: Vec<u32>,
}

impl Used {
    /// Of so many values those that `codes` name.
    fn of(codes: impl IntoIterator<Item: Borrow<u32>>, len: usize) -> Self {
        let mut map = vec![u32::MAX; len];
        codes.into_iter().for_each(|code| map[*code.borrow() as usize] = 0);
        for (next, slot) in map.iter_mut().filter(|slot| **slot == 0).enumerate() {
            *slot = next as u32;
        }
        Used { map }
    }

    /// The new code of a value.
    fn code(&self, code: u32) -> u32 {
        self.map[code as usize]
    }

    /// What is used of something that there is of every value.
    fn pick<V>(&self, values: impl Iterator<Item = V>) -> impl Iterator<Item = V> {
        values
            .zip(&self.map)
            .filter(|(_, code)| **code != u32::MAX)
            .map(|(value, _)| value)
    }
}

/// A column that follows from the reply; several replies may share its value.
fn by_reply(
    out: &mut Columns,
    name: &str,
    replies: &[Reply],
    codes: &[u32],
    value: impl Fn(&Reply) -> String,
) -> Result<(), ColumnarError> {
    let mut values = Dictionary::default();
    let map: Vec<u32> = replies
        .iter()
        .map(|reply| values.code(value(reply).as_bytes()))
        .collect();
    let codes = codes.iter().map(|code| map[*code as usize]);
    out.dictionary_of(name, values.values().iter(), codes)
}

fn enhanced_text(code: u32) -> String {
    format!("{}.{}.{}", code >> 20, code >> 10 & 0x3ff, code & 0x3ff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_tells_the_same_senders_apart_shares_its_page() {
        // Senders 0, 1 and 3 occur; 2 does not, and must not count.
        let used = Used {
            map: vec![0, 1, u32::MAX, 2],
        };
        let mut origins = DaySenders {
            used,
            rows: &[0, 1, 3, 1],
            written: vec![(7, 2, vec![0, 1, 9, 0])],
        };
        assert_eq!(origins.like(&[1, 0, 5, 1], 2), Some((7, vec![1, 0])));
        assert_eq!(origins.like(&[1, 0, 5, 0], 2), None);
        assert_eq!(origins.like(&[0, 1, 5, 2], 3), None);
        origins.written.push((8, 3, vec![2, 0, 9, 1]));
        assert_eq!(origins.like(&[0, 1, 5, 2], 3), Some((8, vec![1, 2, 0])));
    }
}
