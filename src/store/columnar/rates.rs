//! Rates: what a segment's events add up to, per minute, and the same by hour and day. Made with the segment, from the
//! segment's own rows.

use super::ColumnarError;
use super::read::SegmentReader;
use super::rollups::{self, RollUp};
use super::tally::Tallies;
use super::texts::TextColumn;
use super::write::{Columns, DIRECTION, ORIGIN, PROVIDER, Scratch};
use crate::model::dictionary::Dictionary;
use crate::model::direction::Direction;
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
    /// Code of the direction; 0 is none.
    pub direction: u8,
    /// Number from [`Rates::provider`].
    pub provider: u16,
    pub first_hop: bool,
    pub messages: i64,
    pub recipients: i64,
    pub bytes: i64,
}

/// Minute, group, what happened, first hop.
type RateKey = (u32, u32, RateOf, bool);

/// A number that orders keys as they order themselves, in one comparison.
fn in_order((minute, group, of, first_hop): &RateKey) -> u128 {
    u128::from(*minute) << 96 | u128::from(*group) << 64 | u128::from(of.0) << 32 | u128::from(*first_hop)
}

/// Kind, destination, direction and provider in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct RateOf(u32);

impl RateOf {
    #[inline(always)]
    fn new(kind: u8, destination: u8, direction: u8, provider: u16) -> RateOf {
        RateOf(
            u32::from(kind) << 12 | u32::from(destination) << 8 | u32::from(direction) << 4 | u32::from(provider) << 16,
        )
    }

    fn kind(self) -> u32 {
        self.0 >> 12 & 15
    }

    fn destination(self) -> u32 {
        self.0 >> 8 & 15
    }

    fn direction(self) -> u32 {
        self.0 >> 4 & 15
    }

    fn provider(self) -> u32 {
        self.0 >> 16
    }

    /// Small, and another for most that come together.
    #[inline(always)]
    fn place(self) -> u32 {
        (self.0 >> 8 & 255) * 5 + (self.0 >> 16) * 11
    }
}

/// How many columns name a group: service, hostgroup, relay, origin.
const NAMES: usize = 4;

/// Sums of messages, recipients, attempts and bytes per minute, group, kind, destination, direction, provider, first hop.
pub(super) struct Rates {
    /// Numbers of service, hostgroup, relay and origin.
    groups: Vec<[u32; NAMES]>,
    names: [Dictionary; NAMES],
    by_names: HashMap<[u32; NAMES], u32, FxBuildHasher>,
    /// The same by the caller's numbers.
    by_codes: HashMap<[u32; NAMES], u32, FxBuildHasher>,
    /// Number 0 is none.
    providers: Dictionary,
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

impl Default for Rates {
    fn default() -> Self {
        let mut providers = Dictionary::default();
        providers.code(b"");
        Rates {
            groups: Vec::new(),
            names: Default::default(),
            by_names: HashMap::default(),
            by_codes: HashMap::default(),
            providers,
            sums: Vec::new(),
            by_key: HashMap::default(),
            recent: RecentSums::default(),
            minute: (0, 0),
        }
    }
}

impl Rates {
    /// Number of a provider, by the name that rates have for it.
    pub(super) fn provider(&mut self, name: &[u8]) -> u16 {
        u16::try_from(self.providers.code(name)).unwrap_or(0)
    }

    /// Number of a group: service, hostgroup, relay and origin, each as its number in the caller's tables and its text.
    pub(super) fn group(&mut self, parts: [(u32, &[u8]); NAMES]) -> u32 {
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
        let of = RateOf::new(row.kind, row.destination, row.direction, row.provider);
        let key = (self.minute.1, row.group, of, row.first_hop);
        self.add_sums(key, [row.messages, row.recipients, i64::from(attempt), row.bytes]);
    }

    #[inline(always)]
    fn add_sums(&mut self, key: RateKey, more: [i64; 4]) {
        let place = (key.1 * 7 + key.2.place()) as usize % RECENT;
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
        let [service, hostgroup, relay, origin] =
            ["service", "hostgroup", "relay", ORIGIN].map(|name| reader.texts(name));
        let parts = [service?, hostgroup?, relay?, origin?];
        let [kind, destination, direction, provider] =
            ["kind", "destination", DIRECTION, PROVIDER].map(|name| reader.texts(name));
        let (kind, destination, direction, provider) = (kind?, destination?, direction?, provider?);
        let directions = codes_in(&direction_names(), &direction);
        let providers: Vec<u16> = provider
            .values
            .iter()
            .map(|name| self.provider(name.as_bytes()))
            .collect();
        let kinds = codes_in(&kind_names(), &kind);
        let destinations = codes_in(&destination_names(), &destination);
        let minutes = reader.numbers("ts_ms")?;
        let first_hop = reader.flags("first_hop")?;
        let [messages, recipients, attempts, bytes] = MEASURES.map(|name| reader.numbers(name));
        let measures = [messages?, recipients?, attempts?, bytes?];
        // Numbers of this file's names are its own.
        self.by_codes.clear();
        for row in 0..reader.rows() {
            let group = self.group(parts.each_ref().map(|texts| texts.at(row)));
            let code = RateOf::new(
                kinds[kind.codes[row] as usize],
                destinations[destination.codes[row] as usize],
                directions[direction.codes[row] as usize],
                providers[provider.codes[row] as usize],
            );
            let minute = minutes[row].div_euclid(MINUTE_MS) as u32;
            let sums = [0, 1, 2, 3].map(|at| measures[at][row]);
            self.add_sums((minute, group, code, first_hop[row]), sums);
        }
        Ok(())
    }

    /// The rates' file, with roll-ups of these and of the events where they are given; made in memory that is given back.
    pub(super) fn encode(mut self, tallies: Option<Tallies>, scratch: &mut Scratch) -> Result<Vec<u8>, ColumnarError> {
        let mut sums = std::mem::take(&mut self.sums);
        sums.sort_unstable_by_key(|(key, _)| in_order(key));
        let minutes = self.columns(&sums, scratch)?.encode_in(scratch)?;
        let Some(tallies) = tallies else { return Ok(minutes) };
        let mut files = Vec::with_capacity(5);
        // Days are made of hours, which are fewer than minutes.
        for (which, length_ms) in [(RollUp::Hours, HOUR_MS), (RollUp::Days, DAY_MS)] {
            sums = coarser(&sums, (length_ms / MINUTE_MS) as u32);
            files.push((which, self.columns(&sums, scratch)?.encode_in(scratch)?));
        }
        files.extend(tallies.encode(scratch)?);
        Ok(rollups::put(minutes, &files))
    }

    fn columns(&self, sums: &[(RateKey, [i64; 4])], scratch: &mut Scratch) -> Result<Columns, ColumnarError> {
        let [services, hostgroups, relays, origins] = &self.names;
        let groups = |part: usize| -> Vec<u32> {
            let codes = sums
                .iter()
                .map(|((_, group, ..), _)| self.groups[*group as usize][part]);
            codes.collect()
        };
        let codes =
            |pick: fn(RateOf) -> u32| -> Vec<u32> { sums.iter().map(|((_, _, code, _), _)| pick(*code)).collect() };
        let mut out = Columns::within(sums.len(), std::mem::take(scratch))?;
        let minutes: Vec<i64> = sums
            .iter()
            .map(|((minute, ..), _)| i64::from(*minute) * MINUTE_MS)
            .collect();
        out.growing("ts_ms", &minutes)?;
        out.dictionary_of("service", services.values().iter(), groups(0))?;
        out.dictionary_of("hostgroup", hostgroups.values().iter(), groups(1))?;
        out.dictionary_of("relay", relays.values().iter(), groups(2))?;
        out.dictionary("kind", &kind_names(), codes(RateOf::kind))?;
        out.dictionary("destination", &destination_names(), codes(RateOf::destination))?;
        out.flags("first_hop", sums.iter().map(|((.., first_hop), _)| *first_hop))?;
        for (at, name) in MEASURES.into_iter().enumerate() {
            out.few(name, sums.iter().map(|(_, sum)| sum[at]).collect::<Vec<_>>())?;
        }
        out.dictionary_of(ORIGIN, origins.values().iter(), groups(3))?;
        out.dictionary(DIRECTION, &direction_names(), codes(RateOf::direction))?;
        out.dictionary_of(PROVIDER, self.providers.values().iter(), codes(RateOf::provider))?;
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
        let place = (group * 7 + code.place()) as usize % RECENT;
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

/// Names of directions by code; code 0 is "not about a recipient".
pub(super) fn direction_names() -> Vec<String> {
    std::iter::once(String::new())
        .chain(Direction::ALL.iter().map(|d| d.as_str().to_owned()))
        .collect()
}

/// Names of destinations by code; code 0 is "not about a recipient".
pub(super) fn destination_names() -> Vec<String> {
    std::iter::once(String::new())
        .chain(Destination::ALL.iter().map(|d| d.as_str().to_owned()))
        .collect()
}
