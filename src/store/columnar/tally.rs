//! Tallies: rows of events that are alike in some columns as one row with a weight.

use super::ColumnarError;
use super::any_column::AnyColumn;
use super::key_filter::SegmentKeys;
use super::read::SegmentReader;
use super::rollups::RollUp;
use super::scan::WEIGHT;
use super::write::{Columns, NumberEncoding, Scratch};
use crate::model::dictionary::Dictionary;
use crate::model::event::{Destination, Kind};
use crate::model::time::MINUTE_MS;
use rustc_hash::FxHashMap;
use std::io::{Read, Seek};

/// How a column of a tally is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TallyForm {
    Text,
    Flag,
    Number,
    Optional,
}

type TallyColumns = &'static [(&'static str, TallyForm)];

const PEERS: TallyColumns = &[
    ("service", TallyForm::Text),
    ("hostgroup", TallyForm::Text),
    ("relay", TallyForm::Text),
    ("kind", TallyForm::Text),
    ("destination", TallyForm::Text),
    ("first_hop", TallyForm::Flag),
    ("origin", TallyForm::Text),
    ("direction", TallyForm::Text),
    ("remote_host", TallyForm::Text),
    ("reason", TallyForm::Text),
    ("smtp_code", TallyForm::Optional),
    ("messages", TallyForm::Number),
    ("recipients", TallyForm::Number),
];

const LATENCIES: TallyColumns = &[
    ("service", TallyForm::Text),
    ("relay", TallyForm::Text),
    ("kind", TallyForm::Text),
    ("destination", TallyForm::Text),
    ("origin", TallyForm::Text),
    ("direction", TallyForm::Text),
    ("queue_ms", TallyForm::Optional),
    ("delivery_ms", TallyForm::Optional),
];

const WITNESSES: TallyColumns = &[
    ("ts_ms", TallyForm::Number),
    ("service", TallyForm::Text),
    ("host", TallyForm::Text),
    ("kind", TallyForm::Text),
    ("destination", TallyForm::Text),
    ("reason", TallyForm::Text),
    ("remote_host", TallyForm::Text),
    ("messages", TallyForm::Number),
];

/// What a tally may tell rows apart by.
#[derive(Debug, Clone, Copy)]
pub(super) struct TallyRow<'r> {
    pub ts_ms: i64,
    pub kind: Kind,
    pub destination: Option<Destination>,
    pub service: &'r [u8],
    pub hostgroup: &'r [u8],
    pub origin: &'r [u8],
    pub direction: &'r [u8],
    pub relay: &'r [u8],
    pub host: &'r [u8],
    pub first_hop: bool,
    pub remote_host: &'r [u8],
    pub reason: &'r [u8],
    /// [`crate::store::batch::NONE`] if there is none.
    pub smtp_code: u64,
    pub messages: u64,
    pub recipients: u64,
    /// The same; as [`two_digits`] has it.
    pub queue_ms: u64,
    /// The same of the delivery.
    pub delivery_ms: u64,
}

/// Which tallies an event is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TalliesOf {
    pub peers: bool,
    pub latencies: bool,
    pub witnesses: bool,
}

impl TalliesOf {
    /// Of an event. The queries that read a tally ask for no others.
    #[inline]
    pub(super) fn event(kind: Kind, destination: Option<Destination>, is_silent: bool, messages: u64) -> TalliesOf {
        let is_delivered = kind == Kind::Delivered;
        let is_handed_over = is_delivered && destination == Some(Destination::Relay);
        TalliesOf {
            peers: is_handed_over || matches!(kind, Kind::Deferred | Kind::Bounced | Kind::Expired),
            latencies: is_delivered && destination == Some(Destination::Remote),
            witnesses: is_handed_over
                || kind == Kind::Deferred && is_silent
                || kind == Kind::SubmitFailed && messages == 0,
        }
    }

    pub(super) fn any(self) -> bool {
        self.peers || self.latencies || self.witnesses
    }
}

/// Whether a reason says that nobody answered.
pub(super) fn is_silent(reason: &[u8]) -> bool {
    reason == b"connection_refused" || reason == b"timeout"
}

/// Milliseconds with all but their first two digits zero, as the query `latency` has them: bounds that stay, so that counts of
/// parts add up, and that are ten per cent apart at most.
#[inline]
pub(super) fn two_digits(ms: u64) -> u64 {
    // Steps that are known when this is compiled: no division.
    match ms {
        0..100 => ms,
        // NONE is below zero.
        _ if (ms as i64) < 0 => ms,
        100..1_000 => ms / 10 * 10,
        1_000..10_000 => ms / 100 * 100,
        10_000..100_000 => ms / 1_000 * 1_000,
        100_000..1_000_000 => ms / 10_000 * 10_000,
        1_000_000..10_000_000 => ms / 100_000 * 100_000,
        10_000_000..100_000_000 => ms / 1_000_000 * 1_000_000,
        100_000_000..1_000_000_000 => ms / 10_000_000 * 10_000_000,
        1_000_000_000..10_000_000_000 => ms / 100_000_000 * 100_000_000,
        _ => ms / 1_000_000_000 * 1_000_000_000,
    }
}

/// The tallies of a segment.
pub(super) struct Tallies {
    peers: Tally,
    latencies: Tally,
    witnesses: Tally,
    /// Keys of the same rows.
    pub keys: SegmentKeys,
}

impl Default for Tallies {
    fn default() -> Self {
        Tallies {
            peers: Tally::of(PEERS),
            latencies: Tally::of(LATENCIES),
            witnesses: Tally::of(WITNESSES),
            keys: SegmentKeys::default(),
        }
    }
}

impl Tallies {
    /// Adds so many events that are alike.
    pub(super) fn add(&mut self, of: TalliesOf, row: &TallyRow<'_>, times: i64) {
        let wanted = [
            (of.peers, &mut self.peers),
            (of.latencies, &mut self.latencies),
            (of.witnesses, &mut self.witnesses),
        ];
        for (_, tally) in wanted.into_iter().filter(|(is_wanted, _)| *is_wanted) {
            tally.add(row, times);
        }
    }

    /// There are events up to this moment.
    pub(super) fn seen(&mut self, ts_ms: i64) {
        for (_, tally) in self.all() {
            tally.last_ms = tally.last_ms.max(ts_ms);
        }
    }

    fn all(&mut self) -> [(RollUp, &mut Tally); 3] {
        [
            (RollUp::Peers, &mut self.peers),
            (RollUp::Latencies, &mut self.latencies),
            (RollUp::Witnesses, &mut self.witnesses),
        ]
    }

    /// Adds what was written; `read` opens one of them.
    pub(super) fn add_file<'p, F: Read + Seek + 'p>(
        &mut self,
        mut read: impl FnMut(RollUp) -> Result<Option<SegmentReader<'p, F>>, ColumnarError>,
    ) -> Result<(), ColumnarError> {
        for (which, tally) in self.all() {
            if let Some(mut reader) = read(which)? {
                tally.add_file(&mut reader)?;
            }
        }
        Ok(())
    }

    /// The files of those that have rows.
    pub(super) fn encode(mut self, scratch: &mut Scratch) -> Result<Vec<(RollUp, Vec<u8>)>, ColumnarError> {
        let keys = std::mem::take(&mut self.keys).encode();
        let some = self.all().into_iter().filter(|(_, tally)| !tally.rows.is_empty());
        let files = some.map(|(which, tally)| Ok((which, tally.encode(scratch)?)));
        files.chain([Ok((RollUp::Keys, keys))]).collect()
    }
}

/// Rows that are alike, and how many they are.
struct Tally {
    columns: TallyColumns,
    texts: Dictionary,
    /// By a value a column; texts by their numbers.
    rows: FxHashMap<Vec<u64>, i64>,
    /// The newest event.
    last_ms: i64,
}

impl Tally {
    fn of(columns: TallyColumns) -> Tally {
        Tally {
            columns,
            texts: Dictionary::default(),
            rows: FxHashMap::default(),
            last_ms: 0,
        }
    }

    fn add(&mut self, row: &TallyRow<'_>, times: i64) {
        let mut key = Vec::with_capacity(self.columns.len());
        for (name, _) in self.columns {
            let mut text = |value: &[u8]| u64::from(self.texts.code(value));
            key.push(match *name {
                "service" => text(row.service),
                "hostgroup" => text(row.hostgroup),
                "origin" => text(row.origin),
                "direction" => text(row.direction),
                "relay" => text(row.relay),
                "host" => text(row.host),
                "kind" => text(row.kind.as_str().as_bytes()),
                "destination" => text(row.destination.map_or("", Destination::as_str).as_bytes()),
                "remote_host" => text(row.remote_host),
                "reason" => text(row.reason),
                "first_hop" => u64::from(row.first_hop),
                "smtp_code" => row.smtp_code,
                "messages" => row.messages,
                "recipients" => row.recipients,
                "queue_ms" => row.queue_ms,
                "delivery_ms" => row.delivery_ms,
                _ => (row.ts_ms - row.ts_ms.rem_euclid(MINUTE_MS)) as u64,
            });
        }
        self.last_ms = self.last_ms.max(row.ts_ms);
        *self.rows.entry(key).or_default() += times;
    }

    fn add_file<F: Read + Seek>(&mut self, reader: &mut SegmentReader<'_, F>) -> Result<(), ColumnarError> {
        let mut keys = vec![Vec::with_capacity(self.columns.len()); reader.rows()];
        for (name, form) in self.columns {
            let values: Vec<u64> = match (form, reader.any(name)?) {
                (TallyForm::Text, AnyColumn::Texts(texts)) => {
                    let codes = texts.values.iter().map(|value| self.texts.code(value.as_bytes()));
                    let codes: Vec<u32> = codes.collect();
                    let own = texts.codes.iter().map(|code| u64::from(codes[*code as usize]));
                    own.collect()
                }
                (TallyForm::Flag, AnyColumn::Flags(flags)) => flags.into_iter().map(u64::from).collect(),
                (TallyForm::Number, AnyColumn::Numbers(numbers))
                | (TallyForm::Optional, AnyColumn::Optional(numbers)) => numbers,
                _ => return Err(reader.damaged(format!("column {name} of a roll-up is of another type"))),
            };
            keys.iter_mut().zip(values).for_each(|(key, value)| key.push(value));
        }
        let last = reader.numbers("ts_ms")?.into_iter().max();
        self.last_ms = self.last_ms.max(last.unwrap_or(0));
        for (key, times) in keys.into_iter().zip(reader.numbers(WEIGHT)?) {
            *self.rows.entry(key).or_default() += times;
        }
        Ok(())
    }

    /// The file. It does not depend on the order in which rows came.
    fn encode(&mut self, scratch: &mut Scratch) -> Result<Vec<u8>, ColumnarError> {
        let texts: Vec<&[u8]> = self.texts.values().iter().collect();
        let mut order: Vec<u32> = (0..texts.len() as u32).collect();
        order.sort_unstable_by_key(|code| texts[*code as usize]);
        let mut ranks = vec![0; texts.len()];
        order
            .iter()
            .zip(0..)
            .for_each(|(code, rank)| ranks[*code as usize] = rank);
        let mut rows: Vec<(Vec<u64>, i64)> = self.rows.drain().collect();
        for (key, _) in &mut rows {
            let places = key.iter_mut().zip(self.columns);
            let places = places.filter(|(_, (_, form))| *form == TallyForm::Text);
            places.for_each(|(code, _)| *code = ranks[*code as usize]);
        }
        rows.sort_unstable();
        let mut out = Columns::within(rows.len(), std::mem::take(scratch))?;
        for (at, (name, form)) in self.columns.iter().enumerate() {
            let values = || rows.iter().map(|(key, _)| key[at]);
            match form {
                TallyForm::Text => {
                    let mut used: Vec<u64> = values().collect();
                    used.sort_unstable();
                    used.dedup();
                    let codes = values().map(|rank| used.partition_point(|known| *known < rank) as u32);
                    let text = |rank: &u64| texts[order[*rank as usize] as usize];
                    out.dictionary_of(name, used.iter().map(text), codes.collect::<Vec<_>>())?;
                }
                TallyForm::Flag => out.flags(name, values().map(|flag| flag != 0))?,
                TallyForm::Number if *name == "ts_ms" => {
                    out.growing(name, &values().map(|ms| ms as i64).collect::<Vec<_>>())?;
                }
                TallyForm::Number => out.few(name, values().map(|number| number as i64).collect::<Vec<_>>())?,
                TallyForm::Optional => out.optional(name, &values().collect::<Vec<_>>(), NumberEncoding::Few)?,
            }
        }
        if self.columns.iter().all(|(name, _)| *name != "ts_ms") {
            out.few("ts_ms", vec![self.last_ms; rows.len()])?;
        }
        out.few(WEIGHT, rows.iter().map(|(_, times)| *times).collect::<Vec<_>>())?;
        out.encode_in(scratch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::batch::NONE;

    #[test]
    fn two_digits_are_a_bound_that_stays() {
        for (ms, bound) in [
            (0, 0),
            (99, 99),
            (100, 100),
            (109, 100),
            (999, 990),
            (61_234, 61_000),
            (86_400_000, 86_000_000),
            (12_345_678_901, 12_000_000_000),
            (NONE, NONE),
        ] {
            assert_eq!((two_digits(ms), two_digits(bound)), (bound, bound), "{ms}");
        }
        for ms in (0..10_000_000).step_by(7) {
            let bound = two_digits(ms);
            assert!(bound <= ms && ms - bound <= ms / 10, "{ms}: {bound}");
        }
    }
}
