//! What a history was like when its rows were read, so that rows which come later for minutes that were judged are found.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const DAY: i64 = 1440;
/// Days before the newest minute's own of which every minute is known by itself.
const FINE_DAYS: i64 = 2;

/// What a history was like, by minutes since 1970. It stays small: it is written down with each snapshot of the detection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HistoryMark {
    /// The embedded store numbers its commits: from each of these minutes on, all was read that a commit up to the number
    /// had stored.
    Commits(Vec<(i64, i64)>),
    /// A server numbers nothing: sums over the rows of each minute, and of each day that is over for long.
    Digests(Digests),
}

/// Sums over rows; what has none is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// By minute.
    pub minutes: BTreeMap<i64, i64>,
    /// By day.
    pub days: BTreeMap<i64, i64>,
}

impl HistoryMark {
    /// The rows from a minute on were read again, when the history was as `fresh` says.
    pub fn read_from(&mut self, from: i64, fresh: HistoryMark) {
        match (self, fresh) {
            (HistoryMark::Commits(all), HistoryMark::Commits(fresh)) => {
                let number = fresh.last().map_or(0, |(_, number)| *number);
                all.retain(|(begin, _)| *begin < from);
                all.push((from, number));
                // Beyond a day it is known together, as the oldest was: that is never more than was read.
                while all.len() > 2 && all[1].0 < from - DAY {
                    let (_, number) = all.remove(1);
                    all[0].1 = all[0].1.min(number);
                }
            }
            (HistoryMark::Digests(all), HistoryMark::Digests(fresh)) => all.read_from(from, fresh),
            // Of another history: all of it is as it is now.
            (mark, fresh) => *mark = fresh,
        }
    }
}

impl Digests {
    /// The first day of which every minute is known by itself, where minutes up to `until` are.
    pub fn fine_from(until: i64) -> i64 {
        (until - 1).div_euclid(DAY) - FINE_DAYS
    }

    fn read_from(&mut self, from: i64, fresh: Digests) {
        self.minutes.retain(|minute, _| *minute < from);
        self.days.retain(|day, _| (day + 1) * DAY <= from);
        self.minutes.extend(fresh.minutes);
        self.days.extend(fresh.days);
        let Some(newest) = self.minutes.keys().next_back() else {
            return;
        };
        *self = self.by_day_before(Digests::fine_from(newest + 1));
    }

    /// The first of the minutes `[from, to)` of which another reading, of the same minutes, says something else. What one of
    /// them knows only by the day is compared by the day.
    pub fn first_difference(&self, now: &Digests, from: i64, to: i64) -> Option<i64> {
        let fine = self.fine_day().max(now.fine_day());
        let (was, is) = (self.by_day_before(fine), now.by_day_before(fine));
        let day = |minute: i64| minute.div_euclid(DAY);
        let first_day = differing(&was.days, &is.days, (day(from), day(to)));
        let minute = || {
            let from = from.max(fine.saturating_mul(DAY));
            differing(&was.minutes, &is.minutes, (from, to))
        };
        first_day.map(|day| (day * DAY).max(from)).or_else(minute)
    }

    /// The first day of which minutes are known.
    fn fine_day(&self) -> i64 {
        self.minutes
            .keys()
            .next()
            .map_or(i64::MAX, |minute| minute.div_euclid(DAY))
    }

    fn by_day_before(&self, fine: i64) -> Digests {
        let mut all = self.clone();
        let recent = all.minutes.split_off(&fine.saturating_mul(DAY));
        for (minute, digest) in std::mem::replace(&mut all.minutes, recent) {
            let day = all.days.entry(minute.div_euclid(DAY)).or_default();
            *day = day.wrapping_add(digest);
        }
        all
    }
}

/// The first key in a range that has another sum here than there.
fn differing(was: &BTreeMap<i64, i64>, is: &BTreeMap<i64, i64>, (low, high): (i64, i64)) -> Option<i64> {
    if low >= high {
        return None;
    }
    let keys = was.range(low..high).chain(is.range(low..high)).map(|(key, _)| *key);
    let sum = |all: &BTreeMap<i64, i64>, key: i64| all.get(&key).copied().unwrap_or(0);
    keys.filter(|key| sum(was, *key) != sum(is, *key)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(minutes: impl IntoIterator<Item = (i64, i64)>) -> HistoryMark {
        HistoryMark::Digests(Digests {
            minutes: minutes.into_iter().collect(),
            days: BTreeMap::new(),
        })
    }

    #[test]
    fn commits_are_known_by_the_minute_and_beyond_a_day_together() {
        let mut mark = HistoryMark::Commits(vec![(i64::MIN, 3)]);
        for at in 0..3 * DAY {
            mark.read_from(at, HistoryMark::Commits(vec![(i64::MIN, 10 + at)]));
        }
        let HistoryMark::Commits(all) = &mark else { panic!() };
        assert_eq!(all[0], (i64::MIN, 3));
        assert_eq!(all.last(), Some(&(3 * DAY - 1, 10 + 3 * DAY - 1)));
        assert!(all.len() <= DAY as usize + 3, "{}", all.len());
        // Read again from a minute on: what is known of later ones is that.
        mark.read_from(3 * DAY - 60, HistoryMark::Commits(vec![(i64::MIN, 99_999)]));
        let HistoryMark::Commits(all) = &mark else { panic!() };
        assert_eq!(all.last(), Some(&(3 * DAY - 60, 99_999)));
    }

    #[test]
    fn minutes_become_days_and_differences_are_found_in_both() {
        let rows = |minute: i64| (minute, minute * 31 + 7);
        let mut mark = digests([]);
        for day in 0..6 {
            mark.read_from(day * DAY, digests((day * DAY..(day + 1) * DAY).map(rows)));
        }
        let HistoryMark::Digests(was) = &mark else { panic!() };
        assert_eq!((was.days.len(), was.minutes.len()), (3, 3 * DAY as usize));
        assert_eq!(was.first_difference(was, i64::MIN, i64::MAX), None);
        let mut now = was.clone();
        *now.minutes.get_mut(&(5 * DAY + 3)).unwrap() += 1;
        now.minutes.remove(&(4 * DAY + 9));
        assert_eq!(was.first_difference(&now, i64::MIN, i64::MAX), Some(4 * DAY + 9));
        assert_eq!(was.first_difference(&now, 4 * DAY + 10, i64::MAX), Some(5 * DAY + 3));
        assert_eq!(was.first_difference(&now, 4 * DAY + 10, 5 * DAY + 3), None);
        *now.days.get_mut(&1).unwrap() += 1;
        assert_eq!(was.first_difference(&now, i64::MIN, i64::MAX), Some(DAY));
        assert_eq!(was.first_difference(&now, 3 * DAY, 4 * DAY), None);
        // Asked about older minutes, a server tells minutes of days that are known as a whole.
        let fine: BTreeMap<i64, i64> = (0..2 * DAY).map(rows).collect();
        let mut old = Digests {
            minutes: fine,
            days: BTreeMap::new(),
        };
        assert_eq!(was.first_difference(&old, i64::MIN, 2 * DAY), None);
        *old.minutes.get_mut(&(DAY + 5)).unwrap() += 1;
        assert_eq!(was.first_difference(&old, i64::MIN, 2 * DAY), Some(DAY));
    }
}
