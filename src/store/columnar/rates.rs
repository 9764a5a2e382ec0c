//! Rates: what a segment's events add up to, per minute. Made with the segment, from the segment's own rows.

use super::Error;
use super::write::Columns;
use crate::normalise::dictionary::Dictionary;
use crate::normalise::event::{Destination, Kind};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

const MINUTE_MS: i64 = 60_000;

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
type Key = (u32, u32, u8, bool);

/// Sums of messages, recipients, attempts and bytes per minute, service, hostgroup, kind, destination, first hop.
#[derive(Default)]
pub(super) struct Rates {
    /// Codes of service and hostgroup.
    groups: Vec<(u32, u32)>,
    services: Dictionary,
    hostgroups: Dictionary,
    by_codes: HashMap<(u32, u32), u32, FxBuildHasher>,
    sums: Vec<(Key, [i64; 4])>,
    by_key: HashMap<Key, u32, FxBuildHasher>,
    /// Places in `sums` that were used lately, each where its key says: most rows are of the minute and kinds of those
    /// before.
    recent: [u32; RECENT],
}

const RECENT: usize = 32;

impl Rates {
    /// Number of a pair of service and hostgroup, each as its number in the caller's tables and its text.
    pub(super) fn group(&mut self, service: (u32, &[u8]), hostgroup: (u32, &[u8])) -> u32 {
        let Rates {
            groups,
            services,
            hostgroups,
            by_codes,
            ..
        } = self;
        *by_codes.entry((service.0, hostgroup.0)).or_insert_with(|| {
            groups.push((services.code(service.1), hostgroups.code(hostgroup.1)));
            groups.len() as u32 - 1
        })
    }

    pub(super) fn add(&mut self, row: RateRow) {
        let attempt = Kind::ALL[usize::from(row.kind)].is_attempt();
        let key = (
            row.ts_ms.div_euclid(MINUTE_MS) as u32,
            row.group,
            row.kind << 4 | row.destination,
            row.first_hop,
        );
        let recent = &mut self.recent[(row.group * 7 + u32::from(key.2) * 5) as usize % RECENT];
        if self.sums.get(*recent as usize).is_none_or(|sum| sum.0 != key) {
            *recent = *self.by_key.entry(key).or_insert_with(|| {
                self.sums.push((key, [0; 4]));
                self.sums.len() as u32 - 1
            });
        }
        let sum = &mut self.sums[*recent as usize].1;
        sum[0] += row.messages;
        sum[1] += row.recipients;
        sum[2] += i64::from(attempt);
        sum[3] += row.bytes;
    }

    /// The rates' file.
    pub(super) fn encode(self, relay: &str) -> Result<Vec<u8>, Error> {
        let mut sums = self.sums;
        sums.sort_unstable();
        let groups = |pick: fn((u32, u32)) -> u32| -> Vec<u32> {
            sums.iter()
                .map(|((_, group, ..), _)| pick(self.groups[*group as usize]))
                .collect()
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
        out.dictionary_of("service", self.services.values().iter(), &groups(|group| group.0))?;
        out.dictionary_of("hostgroup", self.hostgroups.values().iter(), &groups(|group| group.1))?;
        out.constant("relay", relay)?;
        out.dictionary("kind", &kind_names(), &codes(|code| code >> 4))?;
        out.dictionary("destination", &destination_names(), &codes(|code| code & 15))?;
        out.flags("first_hop", sums.iter().map(|((.., first_hop), _)| *first_hop))?;
        for (at, name) in ["messages", "recipients", "attempts", "bytes"].into_iter().enumerate() {
            out.few(name, &sums.iter().map(|(_, sum)| sum[at]).collect::<Vec<_>>())?;
        }
        out.encode()
    }
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
