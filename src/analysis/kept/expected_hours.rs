//! What the detection expected of each hour, as it knew before each of its minutes, written down beside the snapshots: a graph of
//! months adds hours up instead of replaying them. `watch` writes it, as it does with snapshots; everybody else only reads.
//!
//! ```text
//! header, as snapshots have one │ whether the first day is there │ a block a day, Zstandard │ BLAKE3
//! ```

use super::header::{EXPECTED_HOURS, KeptHeader, checked, summed};
use super::subject::KeptSubject;
use crate::detect::alarm::Scope;
use crate::detect::engine::Engine;
use crate::detect::fleet::{Id, Names};
use crate::detect::forecast::Expected;
use crate::model::time::{CivilDay, HOUR_MIN, Minute};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;

/// Lengths of a graph's buckets that hours add up to, minutes: what is expected depends on them.
pub(crate) const BUCKETS_MIN: [i64; 4] = [60, 180, 360, 1_440];
/// Speed counts: a block is packed each quarter of an hour.
const LEVEL: i32 = 3;
/// A day of 10,000 services is smaller, unpacked.
const DAY_BYTES_MAX: u64 = 64 << 20;

/// Expectations for each of [`BUCKETS_MIN`].
type ByBucket = [Expected; BUCKETS_MIN.len()];

/// The hour under way: sums of the minutes so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OpenHour {
    /// Its first minute.
    start: Minute,
    sums: BTreeMap<Scope, ByBucket>,
}

/// A day's hours that are over.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct DayHours {
    /// What was expected to send, by kind and name.
    names: Vec<(String, String)>,
    /// Hours of the day, with places of `names`.
    hours: BTreeMap<u8, Vec<(u32, ByBucket)>>,
}

/// Expectations of the hours that are over, and the hour under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExpectedHours {
    /// The first minute of the history: before it nothing is expected.
    first: Option<Minute>,
    /// Days that are over, packed.
    days: BTreeMap<CivilDay, Vec<u8>>,
    /// The day under way.
    today: Option<(CivilDay, DayHours)>,
    open: Option<OpenHour>,
}

/// An hour that is over: its first minute, and what was expected of whom, by kind and name.
type HourOf<'h> = (Minute, Vec<((&'h str, &'h str), Expected)>);

impl ExpectedHours {
    /// Of a history that begins with a minute.
    pub(crate) fn begin(first: Minute) -> ExpectedHours {
        ExpectedHours {
            first: Some(first),
            ..ExpectedHours::default()
        }
    }

    /// The hour under way, for a snapshot.
    pub(crate) fn open(&self) -> Option<&OpenHour> {
        self.open.as_ref()
    }

    /// Goes back to before a minute; `open` is the hour under way then.
    pub(crate) fn go_back(&mut self, at: Minute, open: Option<OpenHour>) {
        let day = at.day();
        if let Some((today, hours)) = self.today.take()
            && today <= day
        {
            self.pack(today, &hours);
        }
        self.days.retain(|known, _| *known <= day);
        // A day that cannot be unpacked has no hours: they are replayed by whoever asks.
        let mut today = self
            .days
            .remove(&day)
            .and_then(|bytes| unpack(&bytes).ok())
            .unwrap_or_default();
        today.hours.retain(|hour, _| start_of(day, *hour) + HOUR_MIN <= at);
        self.today = Some((day, today));
        self.open = open.filter(|open| open.start == at.floor_to(HOUR_MIN));
    }

    /// Takes what is expected of a minute, before the detection sees it.
    pub(crate) fn take(&mut self, engine: &mut Engine, names: &Names, at: Minute) {
        let start = at.floor_to(HOUR_MIN);
        if self.open.as_ref().is_none_or(|open| open.start != start) {
            // An hour of which minutes are missing is no hour; the first of the history has no more.
            let is_whole = at == start || self.first == Some(at);
            self.open = is_whole.then(|| OpenHour {
                start,
                sums: BTreeMap::new(),
            });
        }
        let Some(open) = &mut self.open else { return };
        let ids = |all: &[String]| 0..all.len() as Id;
        let services = ids(&names.services).map(Scope::Service);
        let groups = ids(&names.hostgroups).map(Scope::Hostgroup);
        for scope in services.chain(groups).chain(ids(&names.hosts).map(Scope::Relay)) {
            if let Some(forecasts) = engine.forecasts(at, scope, BUCKETS_MIN) {
                let sums = open.sums.entry(scope).or_default();
                sums.iter_mut()
                    .zip(forecasts)
                    .for_each(|(sum, forecast)| sum.add(forecast));
            }
        }
        if at + 1 == start + HOUR_MIN
            && let Some(open) = self.open.take()
        {
            self.put(&open, names);
        }
    }

    fn put(&mut self, open: &OpenHour, names: &Names) {
        let day = open.start.day();
        if let Some((today, hours)) = self.today.take_if(|(today, _)| *today != day) {
            self.pack(today, &hours);
        }
        let (_, today) = self.today.get_or_insert_with(|| (day, DayHours::default()));
        let mut places: HashMap<(&str, &str), u32> = HashMap::new();
        for (place, (kind, name)) in (0..).zip(&today.names) {
            places.insert((kind, name), place);
        }
        let mut added: Vec<(String, String)> = Vec::new();
        let known = today.names.len() as u32;
        let hour = open.sums.iter().map(|(scope, sums)| {
            let named = scope.named(names);
            let place = places.get(&named).copied().unwrap_or_else(|| {
                added.push((named.0.to_owned(), named.1.to_owned()));
                known + added.len() as u32 - 1
            });
            (place, *sums)
        });
        let hour: Vec<(u32, ByBucket)> = hour.collect();
        today.names.extend(added);
        today
            .hours
            .insert(((open.start - day.first_minute()) / HOUR_MIN) as u8, hour);
    }

    fn pack(&mut self, day: CivilDay, hours: &DayHours) {
        if hours.hours.is_empty() {
            return;
        }
        match packed(hours) {
            Ok(bytes) => _ = self.days.insert(day, bytes),
            Err(error) => tracing::warn!("what was expected of a day is not kept: {error:#}"),
        }
    }

    /// Lets the oldest days go, until those that are over take at most so many bytes.
    pub(crate) fn limit(&mut self, bytes_max: u64) {
        let mut all: u64 = self.days.values().map(|bytes| bytes.len() as u64).sum();
        while all > bytes_max
            && let Some((_, oldest)) = self.days.pop_first()
        {
            all -= oldest.len() as u64;
            // Before the first day that is left, something was expected.
            self.first = None;
        }
    }

    /// As bytes.
    ///
    /// # Errors
    /// It cannot be encoded.
    pub(super) fn to_bytes(&self, header: &KeptHeader) -> Result<Vec<u8>> {
        let today = match &self.today {
            Some((day, hours)) => Some((*day, packed(hours)?)),
            None => None,
        };
        let mut days: BTreeMap<CivilDay, &[u8]> = BTreeMap::new();
        days.extend(self.days.iter().map(|(day, bytes)| (*day, bytes.as_slice())));
        days.extend(today.iter().map(|(day, bytes)| (*day, bytes.as_slice())));
        let mut bytes = header.to_bytes(EXPECTED_HOURS)?;
        bytes.extend(postcard::to_allocvec(&(self.first.is_some(), days))?);
        Ok(summed(bytes))
    }

    /// Of the bytes that stand in a file, with what they are of.
    ///
    /// # Errors
    /// They are damaged, or of another subject.
    pub(super) fn of_bytes(bytes: &[u8], subject: &KeptSubject) -> Result<(ExpectedHours, KeptHeader)> {
        let content = checked(bytes)?;
        let (header, begin) = KeptHeader::of(content, EXPECTED_HOURS, subject)?;
        let (is_from_first, days): (bool, BTreeMap<CivilDay, Vec<u8>>) =
            postcard::from_bytes(content.get(begin..).unwrap_or_default()).context("it is damaged")?;
        let hours = ExpectedHours {
            first: is_from_first.then_some(header.first),
            days,
            ..ExpectedHours::default()
        };
        Ok((hours, header))
    }

    /// The hours that are over, of the days between two minutes, for buckets of one of [`BUCKETS_MIN`]: what `each` takes. A day
    /// that is damaged is left out.
    pub(crate) fn each(&self, bucket_min: i64, (from, until): (Minute, Minute), mut each: impl FnMut(HourOf<'_>)) {
        let Some(which) = BUCKETS_MIN.iter().position(|known| *known == bucket_min) else {
            return;
        };
        let mut take = |day: CivilDay, hours: &DayHours| {
            for (hour, sums) in &hours.hours {
                let of = sums.iter().filter_map(|(place, sums)| {
                    let (kind, name) = hours.names.get(*place as usize)?;
                    Some(((kind.as_str(), name.as_str()), sums[which]))
                });
                each((start_of(day, *hour), of.collect()));
            }
        };
        for (day, bytes) in self.days.range(from.day()..=until.day()) {
            match unpack(bytes) {
                Ok(hours) => take(*day, &hours),
                Err(error) => tracing::debug!("what was expected of a day: {error:#}"),
            }
        }
        if let Some((day, hours)) = &self.today {
            take(*day, hours);
        }
    }

    /// Before this minute nothing is expected, if that is known.
    pub(crate) fn first(&self) -> Option<Minute> {
        self.first
    }
}

fn start_of(day: CivilDay, hour: u8) -> Minute {
    day.first_minute() + i64::from(hour) * HOUR_MIN
}

fn packed(hours: &DayHours) -> Result<Vec<u8>> {
    Ok(zstd::bulk::compress(&postcard::to_allocvec(hours)?, LEVEL)?)
}

fn unpack(bytes: &[u8]) -> Result<DayHours> {
    let mut plain = Vec::new();
    let packed = zstd::stream::read::Decoder::new(bytes)?;
    packed.take(DAY_BYTES_MAX).read_to_end(&mut plain)?;
    Ok(postcard::from_bytes(&plain)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_days_go_first_and_nobody_takes_them_for_empty_ones() {
        let mut names = Names::default();
        names.services.push("wiki".to_owned());
        let first = CivilDay::new(17_000).first_minute();
        let mut hours = ExpectedHours::begin(first);
        let open = |hour: i64| OpenHour {
            start: first + hour * HOUR_MIN,
            sums: BTreeMap::from([(Scope::Service(0), ByBucket::default())]),
        };
        (0..72).for_each(|hour| hours.put(&open(hour), &names));
        let all = |hours: &ExpectedHours| {
            let mut found = Vec::new();
            hours.each(60, (first, first + 72 * HOUR_MIN), |(start, of)| {
                assert_eq!(of[0].0, ("service", "wiki"));
                found.push((start - first) / HOUR_MIN);
            });
            found
        };
        assert_eq!(all(&hours), (0..72).collect::<Vec<_>>());
        assert_eq!(hours.first(), Some(first));
        let one_day = hours.days.values().map(|bytes| bytes.len() as u64).max().unwrap();
        hours.limit(2 * one_day);
        assert_eq!(all(&hours).len(), 72, "two days that are over, and the one under way");
        hours.limit(one_day);
        assert_eq!(all(&hours), (24..72).collect::<Vec<_>>());
        assert_eq!(hours.first(), None);
    }
}
