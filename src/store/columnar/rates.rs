//! Rates: what a segment's events add up to, per minute, and the same by hour and day. Made with the segment, from the
//! segment's own rows.

use super::ColumnarError;
use super::read::SegmentReader;
use super::rollups::{self, RollUp};
use super::tally::Tallies;
use super::texts::TextColumn;
use super::write::Columns;
use crate::model::dictionary::Dictionary;
use crate::model::event::{Destination, Kind};
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use std::path::Path;

/// What is summed, in the order of [`Rates`]' sums.
const MEASURES: [&str; 4] = ["messages", "recipients", "attempts", "bytes"];

/// What one event adds.
#[derive(Debug, Clone, Copy)]
pub(super) struct RateRow {
    pub ts_ms: i64,
    /// Number from [`Rates::group`].
    pub group: u32,
    /// Code of the kind.
    pub kind: u8,
    /// Code of the destination; 0 is none.
    pub destination: u8,
    pub first_hop: bool,
    pub messages: i64,
    pub recipients: i64,
    pub bytes: i64,
}

/// Minute, group, kind and destination, first hop.
type RateKey = (u32, u32, u8, bool);

/// Sums of messages, recipients, attempts and bytes per minute, service, hostgroup, kind, destination, first hop.
#[derive(Default)]
pub(super) struct Rates {
    /// Numbers of service, hostgroup and relay.
    groups: Vec<[u32; 3]>,
    names: [Dictionary; 3],
    by_names: HashMap<[u32; 3], u32, FxBuildHasher>,
    /// The same by the caller's numbers.
    by_codes: HashMap<[u32; 3], u32, FxBuildHasher>,
    sums: Vec<(RateKey, [i64; 4])>,
    by_key: HashMap<RateKey, u32, FxBuildHasher>,
    /// Places in `sums` that were used lately, each where its key says: most rows are of the minute and kinds of those
    /// before.
    recent: RecentSums,
    /// Start of the minute of the last row, and its number.
    minute: (i64, u32),
}

const RECENT: usize = 256;

struct RecentSums([u32; RECENT]);

impl Default for RecentSums {
    fn default() -> Self {
        RecentSums([0; RECENT])
    }
}

impl Rates {
    /// Number of a group: service, hostgroup and relay, each as its number in the caller's tables and its text.
    pub(super) fn group(&mut self, parts: [(u32, &[u8]); 3]) -> u32 {
        let codes = parts.map(|(code, _)| code);
        if let Some(group) = self.by_codes.get(&codes) {
            return *group;
        }
        let mut names = self.names.iter_mut();
        let own = parts.map(|(_, text)| names.next().map_or(0, |names| names.code(text)));
        let group = *self.by_names.entry(own).or_insert_with(|| {
            self.groups.push(own);
            self.groups.len() as u32 - 1
        });
        self.by_codes.insert(codes, group);
        group
    }

    /// Always inlined: what is added stands in registers then. Put together in memory it would be read before it is there.
    #[inline(always)]
    pub(super) fn add(&mut self, row: RateRow) {
        let attempt = Kind::ALL[usize::from(row.kind)].is_attempt();
        if !(0..MINUTE_MS).contains(&row.ts_ms.wrapping_sub(self.minute.0)) {
            let minute = row.ts_ms.div_euclid(MINUTE_MS);
            self.minute = (minute * MINUTE_MS, minute as u32);
        }
        let key = (self.minute.1, row.group, row.kind << 4 | row.destination, row.first_hop);
        self.add_sums(key, [row.messages, row.recipients, i64::from(attempt), row.bytes]);
    }

    #[inline(always)]
    fn add_sums(&mut self, key: RateKey, more: [i64; 4]) {
        let place = (key.1 * 7 + u32::from(key.2) * 5) as usize % RECENT;
        let mut at = self.recent.0[place];
        if self.sums.get(at as usize).is_none_or(|sum| sum.0 != key) {
            at = self.sum_of(key);
            self.recent.0[place] = at;
        }
        let sums = &mut self.sums[at as usize].1;
        sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    }

    /// Place of a key's sums.
    #[inline(never)]
    fn sum_of(&mut self, key: RateKey) -> u32 {
        *self.by_key.entry(key).or_insert_with(|| {
            self.sums.push((key, [0; 4]));
            self.sums.len() as u32 - 1
        })
    }

    /// Adds the rates of another file: what rows add up to adds up too.
    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), ColumnarError> {
        let mut reader = SegmentReader::load(path)?;
        let [service, hostgroup, relay, kind, destination] =
            ["service", "hostgroup", "relay", "kind", "destination"].map(|name| reader.texts(name));
        let parts = [service?, hostgroup?, relay?];
        let (kind, destination) = (kind?, destination?);
        let kinds = codes_in(&kind_names(), &kind);
        let destinations = codes_in(&destination_names(), &destination);
        let minutes = reader.numbers("ts_ms")?;
        let first_hop = reader.flags("first_hop")?;
        let [messages, recipients, attempts, bytes] = MEASURES.map(|name| reader.numbers(name));
        let measures = [messages?, recipients?, attempts?, bytes?];
        // Numbers of this file's names are its own.
        self.by_codes.clear();
        for row in 0..reader.rows() {
            let [service, hostgroup, relay] = &parts;
            let group = self.group([service, hostgroup, relay].map(|texts| texts.at(row)));
            let code = kinds[kind.codes[row] as usize] << 4 | destinations[destination.codes[row] as usize];
            let minute = minutes[row].div_euclid(MINUTE_MS) as u32;
            let sums = [0, 1, 2, 3].map(|at| measures[at][row]);
            self.add_sums((minute, group, code, first_hop[row]), sums);
        }
        Ok(())
    }

    /// The rates' file, with roll-ups of these and of the events where they are given.
    pub(super) fn encode(mut self, tallies: Option<Tallies>) -> Result<Vec<u8>, ColumnarError> {
        let mut sums = std::mem::take(&mut self.sums);
        sums.sort_unstable();
        let minutes = self.columns(&sums)?.encode()?;
        let Some(tallies) = tallies else { return Ok(minutes) };
        let mut files = Vec::with_capacity(5);
        // Days are made of hours, which are fewer than minutes.
        for (which, length_ms) in [(RollUp::Hours, HOUR_MS), (RollUp::Days, DAY_MS)] {
            sums = coarser(&sums, (length_ms / MINUTE_MS) as u32);
            let mut out = self.columns(&sums)?;
            // Who sent it from where to where is not told yet.
            out.constant("origin", "")?;
            out.constant("direction", "")?;
            files.push((which, out.encode()?));
        }
        files.extend(tallies.encode()?);
        Ok(rollups::put(minutes, &files))
    }

    fn columns(&self, sums: &[(RateKey, [i64; 4])]) -> Result<Columns, ColumnarError> {
        let [services, hostgroups, relays] = &self.names;
        let groups = |part: usize| -> Vec<u32> {
            let codes = sums
                .iter()
                .map(|((_, group, ..), _)| self.groups[*group as usize][part]);
            codes.collect()
        };
        let codes = |pick: fn(u8) -> u8| -> Vec<u32> {
            sums.iter().map(|((_, _, code, _), _)| u32::from(pick(*code))).collect()
        };
        let mut out = Columns::new(sums.len())?;
        let minutes: Vec<i64> = sums
            .iter()
            .map(|((minute, ..), _)| i64::from(*minute) * MINUTE_MS)
            .collect();
        out.growing("ts_ms", &minutes)?;
        out.dictionary_of("service", services.values().iter(), groups(0))?;
        out.dictionary_of("hostgroup", hostgroups.values().iter(), groups(1))?;
        out.dictionary_of("relay", relays.values().iter(), groups(2))?;
        out.dictionary("kind", &kind_names(), codes(|code| code >> 4))?;
        out.dictionary("destination", &destination_names(), codes(|code| code & 15))?;
        out.flags("first_hop", sums.iter().map(|((.., first_hop), _)| *first_hop))?;
        for (at, name) in MEASURES.into_iter().enumerate() {
            out.few(name, sums.iter().map(|(_, sum)| sum[at]).collect::<Vec<_>>())?;
        }
        Ok(out)
    }
}

/// Sums of longer stretches than a minute. The minute of each is the last one that it sums up: in whatever stretch of time a
/// segment lies, there is this minute too, and the newest of several is the newest of all.
fn coarser(sums: &[(RateKey, [i64; 4])], minutes: u32) -> Vec<(RateKey, [i64; 4])> {
    let mut places: HashMap<RateKey, u32, FxBuildHasher> = HashMap::default();
    let mut all: Vec<(RateKey, [i64; 4])> = Vec::new();
    let mut recent = [0_u32; RECENT];
    for ((minute, group, code, first_hop), more) in sums {
        let is_same = |other: &RateKey| {
            other.0 / minutes == minute / minutes && (other.1, other.2, other.3) == (*group, *code, *first_hop)
        };
        let place = (group * 7 + u32::from(*code) * 5) as usize % RECENT;
        let mut at = recent[place];
        if all.get(at as usize).is_none_or(|(known, _)| !is_same(known)) {
            let key = (minute / minutes, *group, *code, *first_hop);
            at = *places.entry(key).or_insert_with(|| {
                all.push(((*minute, *group, *code, *first_hop), [0; 4]));
                all.len() as u32 - 1
            });
            recent[place] = at;
        }
        let (last, sum) = &mut all[at as usize];
        last.0 = last.0.max(*minute);
        sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    }
    all
}

/// Of each value of a column its code, which is its place in `names`.
pub(super) fn codes_in(names: &[String], column: &TextColumn) -> Vec<u8> {
    let code = |value| names.iter().position(|name| name == value).unwrap_or(0);
    column.values.iter().map(|value| code(value) as u8).collect()
}

/// Names of kinds by code.
pub(super) fn kind_names() -> Vec<String> {
    Kind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect()
}

/// Names of destinations by code; code 0 is "not about a recipient".
pub(super) fn destination_names() -> Vec<String> {
    std::iter::once(String::new())
        .chain(Destination::ALL.iter().map(|d| d.as_str().to_owned()))
        .collect()
}
