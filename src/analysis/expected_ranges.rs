//! What the detection expected of each bucket of the past, kept by whoever draws many graphs: a graph of weeks then replays hours
//! instead of weeks, and those of all services cost one replay.

use super::kept::{BUCKETS_MIN, ExpectedHours, Kept};
use super::present::Replay;
use crate::detect::alarm::Scope;
use crate::detect::engine::Options;
use crate::detect::fleet::{FleetMinute, Id, Names};
use crate::detect::forecast::Expected;
use crate::model::time::{HOUR_MIN, HOUR_MS, MINUTE_MS, Minute, UtcMs};
use crate::query::Window;
use crate::query::history::MailHistory;
use crate::query::history_version::HistoryVersion;
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

/// Graphs with shorter buckets are of hours, which are replayed as quickly.
pub const STEP_MS_MIN: i64 = 5 * MINUTE_MS;
/// Grids of buckets that are kept: three lengths in two zones.
const GRIDS_MAX: usize = 6;
/// Values of one grid: a quarter of a year of 200 services, 20 MB.
const VALUES_MAX: usize = 600_000;

/// Buckets: their length, and the first one after 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BucketGrid {
    step_ms: i64,
    phase_ms: i64,
}

impl BucketGrid {
    /// The buckets of this length of which one begins at a moment.
    #[must_use]
    pub fn of(step_ms: i64, start_ms: UtcMs) -> BucketGrid {
        BucketGrid {
            step_ms,
            phase_ms: start_ms.get().rem_euclid(step_ms),
        }
    }

    /// Whether its buckets are whole hours of UTC, and of a length of which expectations are written down.
    fn is_of_hours(self) -> bool {
        let is_kept = BUCKETS_MIN.iter().any(|minutes| minutes * MINUTE_MS == self.step_ms);
        is_kept && self.phase_ms % HOUR_MS == 0
    }

    /// Where the bucket of a moment begins.
    #[must_use]
    pub fn start(self, time: UtcMs) -> UtcMs {
        (time - self.phase_ms).floor_to(self.step_ms) + self.phase_ms
    }

    /// Where the buckets begin from one of these moments up to before the other.
    pub fn starts(self, from_ms: UtcMs, until_ms: UtcMs) -> impl Iterator<Item = UtcMs> {
        (from_ms.get()..until_ms.get())
            .step_by(self.step_ms as usize)
            .map(UtcMs::new)
    }
}

/// Expectations of buckets that are over.
#[derive(Debug, Default)]
pub struct ExpectedRanges(Mutex<KeptRanges>);

#[derive(Debug, Default)]
struct KeptRanges {
    /// What the history was like when the first of them was read.
    mark: Option<HistoryVersion>,
    /// Numbers of what is expected to send, by kind and name: numbers of the detection may differ from replay to replay.
    numbers: ExpectedNumbers,
    grids: BTreeMap<BucketGrid, GridRanges>,
}

/// Numbers by kind and name.
type ExpectedNumbers = HashMap<(String, String), u32>;

/// By the beginnings of buckets, what was expected of whom.
type GridRanges = BTreeMap<UtcMs, Vec<(u32, Expected)>>;

/// A replay's bucket under way.
struct OpenBucket {
    start_ms: UtcMs,
    sums: BTreeMap<Scope, Expected>,
}

impl ExpectedRanges {
    /// Replays what is not known yet of the buckets from `from_ms` to `until_ms`, both at the beginning of one.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn fill(
        &self,
        store: &dyn MailHistory,
        (kept, options): (&Kept, &Options),
        (grid, from_ms, until_ms): (BucketGrid, UtcMs, UtcMs),
        now_ms: UtcMs,
    ) -> Result<()> {
        // Held to the end: who asks meanwhile finds what was replayed, and does not replay it too.
        let mut ranges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let buckets = (grid, from_ms, until_ms);
        let Some(missing) = ranges.missing_beside_hours(store, (kept, options), buckets)? else {
            return Ok(());
        };
        let mut history = Replay::begin(store, kept, options.clone(), missing, now_ms)?;
        let mut open: Option<OpenBucket> = None;
        while let Some(minutes) = history.next_part()? {
            for minute in &minutes {
                let start_ms = grid.start(minute.at.start());
                if open.as_ref().is_some_and(|open| open.start_ms != start_ms) {
                    ranges.put(grid, open.take(), history.names());
                }
                if (missing.0..missing.1).contains(&minute.at.start()) {
                    let bucket = open.get_or_insert_with(|| OpenBucket {
                        start_ms,
                        sums: BTreeMap::new(),
                    });
                    expect(&mut history, minute, grid, bucket);
                }
                history.step(minute);
            }
        }
        ranges.put(grid, open, history.names());
        ranges.put_empty(grid, missing);
        ranges.limit(grid);
        Ok(())
    }

    /// What would have to be replayed of the buckets from `from_ms` to `until_ms`, after what a watcher has written down: from the
    /// first bucket that is not known to the end of the last one.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn missing(
        &self,
        store: &dyn MailHistory,
        kept: (&Kept, &Options),
        buckets: (BucketGrid, UtcMs, UtcMs),
    ) -> Result<Option<(UtcMs, UtcMs)>> {
        let mut ranges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ranges.missing_beside_hours(store, kept, buckets)
    }

    /// What was expected of a bucket.
    pub fn expected(&self, grid: BucketGrid, start_ms: UtcMs, scope: (&'static str, &str)) -> Option<Expected> {
        let ranges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *ranges.numbers.get(&(scope.0.to_owned(), scope.1.to_owned()))?;
        let bucket = ranges.grids.get(&grid)?.get(&start_ms)?;
        let at = bucket.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        bucket.get(at).map(|(_, expected)| *expected)
    }
}

fn expect(history: &mut Replay<'_>, minute: &FleetMinute, grid: BucketGrid, bucket: &mut OpenBucket) {
    let names = history.names();
    let ids = |all: &[String]| 0..all.len() as Id;
    let (services, groups, hosts) = (ids(&names.services), ids(&names.hostgroups), ids(&names.hosts));
    let scopes = services
        .map(Scope::Service)
        .chain(groups.map(Scope::Hostgroup))
        .chain(hosts.map(Scope::Relay));
    for scope in scopes {
        let forecast = history.engine.forecast(minute.at, scope, grid.step_ms / MINUTE_MS);
        if let Some(forecast) = forecast {
            bucket.sums.entry(scope).or_default().add(forecast);
        }
    }
}

impl KeptRanges {
    /// Forgets buckets that rows have come or changed for, and those after them: what was learned from the rows counts.
    fn forget_changed(&mut self, store: &dyn MailHistory) -> Result<()> {
        // Before a row is read: what comes meanwhile is a change.
        let now = store.version(Window::ALL)?;
        let ends = self
            .grids
            .iter()
            .filter_map(|(grid, ranges)| Some(*ranges.keys().next_back()? + grid.step_ms));
        if let (Some(mark), Some(end_ms)) = (&self.mark, ends.max())
            && let Some(first) = store.first_change(mark, Minute::MIN, end_ms.minute())?
        {
            let first_ms = first.start();
            for (grid, ranges) in &mut self.grids {
                ranges.retain(|start_ms, _| start_ms.saturating_add(grid.step_ms) <= first_ms);
            }
        }
        self.mark = Some(now);
        Ok(())
    }

    /// What is missing of buckets beside what changed rows leave, and what a watcher has written down.
    fn missing_beside_hours(
        &mut self,
        store: &dyn MailHistory,
        (kept, options): (&Kept, &Options),
        (grid, from_ms, until_ms): (BucketGrid, UtcMs, UtcMs),
    ) -> Result<Option<(UtcMs, UtcMs)>> {
        self.forget_changed(store)?;
        let missing = self.missing(grid, (from_ms, until_ms));
        let Some(span) = missing.filter(|_| grid.is_of_hours()) else {
            return Ok(missing);
        };
        let Some((hours, until)) = kept.expected_hours(store, options)? else {
            return Ok(missing);
        };
        self.add_hours(grid, span, (&hours, until));
        Ok(self.missing(grid, (from_ms, until_ms)))
    }

    /// From the first bucket to the end of the last one that is not known.
    fn missing(&self, grid: BucketGrid, (from_ms, until_ms): (UtcMs, UtcMs)) -> Option<(UtcMs, UtcMs)> {
        let known = self.grids.get(&grid);
        let missing = grid
            .starts(from_ms, until_ms)
            .take_while(|start_ms| *start_ms + grid.step_ms <= until_ms)
            .filter(|start_ms| !known.is_some_and(|known| known.contains_key(start_ms)));
        let (mut first, mut last) = (None, None);
        for start_ms in missing {
            first = first.or(Some(start_ms));
            last = Some(start_ms + grid.step_ms);
        }
        first.zip(last)
    }

    /// Adds the buckets of which all hours are known; the hours count up to a minute.
    fn add_hours(
        &mut self,
        grid: BucketGrid,
        (from_ms, until_ms): (UtcMs, UtcMs),
        (hours, until): (&ExpectedHours, Minute),
    ) {
        let mut buckets: BTreeMap<UtcMs, (i64, BTreeMap<u32, Expected>)> = BTreeMap::new();
        let before = hours
            .first()
            .map_or(UtcMs::MIN, |first| first.floor_to(HOUR_MIN).start());
        for start_ms in grid.starts(from_ms, until_ms) {
            // Before the history begins, nothing is expected.
            let empty_ms = before.since(start_ms).clamp(0, grid.step_ms);
            buckets.insert(start_ms, (empty_ms / HOUR_MS, BTreeMap::new()));
        }
        let numbers = &mut self.numbers;
        let bucket_min = grid.step_ms / MINUTE_MS;
        hours.each(bucket_min, (from_ms.minute(), until_ms.minute()), |(start, of)| {
            let bucket = buckets.get_mut(&grid.start(start.start()));
            let Some((known, sums)) = bucket.filter(|_| start + HOUR_MIN <= until) else {
                return;
            };
            *known += 1;
            for (named, expected) in of {
                let number = number_of(numbers, named);
                sums.entry(number).or_default().add_all(expected);
            }
        });
        let ranges = self.grids.entry(grid).or_default();
        for (start_ms, (known, sums)) in buckets {
            if known * HOUR_MS == grid.step_ms {
                ranges.entry(start_ms).or_insert_with(|| sums.into_iter().collect());
            }
        }
        self.limit(grid);
    }

    /// Keeps a bucket.
    fn put(&mut self, grid: BucketGrid, bucket: Option<OpenBucket>, names: &Names) {
        let Some(bucket) = bucket else { return };
        let mut values: Vec<(u32, Expected)> = Vec::with_capacity(bucket.sums.len());
        for (scope, expected) in bucket.sums {
            values.push((number_of(&mut self.numbers, scope.named(names)), expected));
        }
        values.sort_unstable_by_key(|(number, _)| *number);
        self.grids.entry(grid).or_default().insert(bucket.start_ms, values);
    }

    /// Before the history begins, nothing is expected: that is known, too.
    fn put_empty(&mut self, grid: BucketGrid, (from_ms, until_ms): (UtcMs, UtcMs)) {
        let ranges = self.grids.entry(grid).or_default();
        for start_ms in grid.starts(from_ms, until_ms) {
            ranges.entry(start_ms).or_default();
        }
    }

    /// The oldest buckets go first, and grids that nobody has asked for now.
    fn limit(&mut self, grid: BucketGrid) {
        while self.grids.len() > GRIDS_MAX
            && let Some(other) = self.grids.keys().copied().find(|other| *other != grid)
        {
            self.grids.remove(&other);
        }
        let Some(ranges) = self.grids.get_mut(&grid) else {
            return;
        };
        let mut values: usize = ranges.values().map(Vec::len).sum();
        while values > VALUES_MAX
            && let Some((_, oldest)) = ranges.pop_first()
        {
            values -= oldest.len();
        }
    }
}

fn number_of(numbers: &mut ExpectedNumbers, (kind, name): (&str, &str)) -> u32 {
    let next = numbers.len() as u32;
    *numbers.entry((kind.to_owned(), name.to_owned())).or_insert(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_replayed_is_not_asked_for_again_also_before_the_history_began() {
        let (mut ranges, grid) = (
            KeptRanges::default(),
            BucketGrid::of(HOUR_MS, UtcMs::new(7 * MINUTE_MS)),
        );
        assert_eq!(grid.start(UtcMs::new(HOUR_MS)), UtcMs::new(7 * MINUTE_MS));
        let at = |hours: i64| grid.start(UtcMs::new(10 * HOUR_MS)) + hours * HOUR_MS;
        assert_eq!(ranges.missing(grid, (at(0), at(3))), Some((at(0), at(3))));
        ranges.put_empty(grid, (at(0), at(2)));
        assert_eq!(ranges.missing(grid, (at(0), at(3))), Some((at(2), at(3))));
        assert_eq!(
            ranges.missing(grid, (at(0), at(2) + 1)),
            None,
            "a part of a bucket is not asked for"
        );
        ranges.put_empty(grid, (at(2), at(3)));
        assert_eq!(ranges.missing(grid, (at(-1), at(3))), Some((at(-1), at(0))));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut ranges = KeptRanges::default();
        let grids: Vec<BucketGrid> = (0..9)
            .map(|n| BucketGrid::of(HOUR_MS, UtcMs::new(n * MINUTE_MS)))
            .collect();
        for grid in &grids {
            let values = vec![(0, Expected::default()); VALUES_MAX / 2];
            for start_ms in [0, 1, 2].map(UtcMs::new) {
                ranges.grids.entry(*grid).or_default().insert(start_ms, values.clone());
            }
            ranges.limit(*grid);
            assert_eq!(
                ranges.grids[grid].keys().collect::<Vec<_>>(),
                [&UtcMs::new(1), &UtcMs::new(2)],
                "the oldest go first"
            );
        }
        assert_eq!(ranges.grids.len(), GRIDS_MAX);
        assert!(ranges.grids.contains_key(&grids[8]), "the one that is drawn stays");
    }
}
