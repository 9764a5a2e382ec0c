//! What a history was like when its rows were read, so that rows which come later for minutes that were judged are found.

use crate::model::time::{CivilDay, DAY_MIN, Minute};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Days before the newest minute's own of which every minute is known by itself.
const FINE_DAYS: i64 = 2;

/// What a history was like, by minutes. It stays small: it is written down with each snapshot of the detection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HistoryVersion {
    /// The embedded store numbers its commits: from each of these minutes on, all was read that a commit up to the number
    /// had stored.
    Commits(Vec<(Minute, i64)>),
    /// A server numbers nothing: sums over the rows of each minute, and of each day that is over for long.
    Digests(Digests),
}

/// Sums over rows; what has none is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// By minute.
    pub minutes: BTreeMap<Minute, i64>,
    /// By day.
    pub days: BTreeMap<CivilDay, i64>,
}

impl HistoryVersion {
    /// The rows from a minute on were read again, when the history was as `fresh` says.
    pub fn read_from(&mut self, from: Minute, fresh: HistoryVersion) {
        match (self, fresh) {
            (HistoryVersion::Commits(all), HistoryVersion::Commits(fresh)) => {
                let number = fresh.last().map_or(0, |(_, number)| *number);
                all.retain(|(begin, _)| *begin < from);
                all.push((from, number));
                // Beyond a day it is known together, as the oldest was: that is never more than was read.
                while all.len() > 2 && all[1].0 < from - DAY_MIN {
                    let (_, number) = all.remove(1);
                    all[0].1 = all[0].1.min(number);
                }
            }
            (HistoryVersion::Digests(all), HistoryVersion::Digests(fresh)) => all.read_from(from, fresh),
            // Of another history: all of it is as it is now.
            (mark, fresh) => *mark = fresh,
        }
    }
}

impl Digests {
    /// The first day of which every minute is known by itself, where minutes up to `until` are.
    pub fn fine_from(until: Minute) -> CivilDay {
        (until - 1).day() - FINE_DAYS
    }

    fn read_from(&mut self, from: Minute, fresh: Digests) {
        self.minutes.retain(|minute, _| *minute < from);
        self.days.retain(|day, _| (*day + 1).first_minute() <= from);
        self.minutes.extend(fresh.minutes);
        self.days.extend(fresh.days);
        let Some(newest) = self.minutes.keys().next_back() else {
            return;
        };
        *self = self.by_day_before(Digests::fine_from(*newest + 1));
    }

    /// The first of the minutes `[from, to)` of which another reading, of the same minutes, says something else. What one of
    /// them knows only by the day is compared by the day.
    pub fn first_difference(&self, now: &Digests, from: Minute, to: Minute) -> Option<Minute> {
        let fine = self.fine_day().max(now.fine_day());
        let (was, is) = (self.by_day_before(fine), now.by_day_before(fine));
        let first_day = differing(&was.days, &is.days, (from.day(), to.day()));
        let minute = || {
            let from = from.max(fine.first_minute());
            differing(&was.minutes, &is.minutes, (from, to))
        };
        first_day.map(|day| day.first_minute().max(from)).or_else(minute)
    }

    /// The first day of which minutes are known.
    fn fine_day(&self) -> CivilDay {
        self.minutes.keys().next().map_or(CivilDay::MAX, |minute| minute.day())
    }

    fn by_day_before(&self, fine: CivilDay) -> Digests {
        let mut all = self.clone();
        let recent = all.minutes.split_off(&fine.first_minute());
        for (minute, digest) in std::mem::replace(&mut all.minutes, recent) {
            let day = all.days.entry(minute.day()).or_default();
            *day = day.wrapping_add(digest);
        }
        all
    }
}

/// The first key in a range that has another sum here than there.
fn differing<K: Ord + Copy>(was: &BTreeMap<K, i64>, is: &BTreeMap<K, i64>, (low, high): (K, K)) -> Option<K> {
    if low >= high {
        return None;
    }
    let keys = was.range(low..high).chain(is.range(low..high)).map(|(key, _)| *key);
    let sum = |all: &BTreeMap<K, i64>, key: K| all.get(&key).copied().unwrap_or(0);
    keys.filter(|key| sum(was, *key) != sum(is, *key)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Minute {
        Minute::new(minute)
    }

    fn digests(minutes: impl IntoIterator<Item = (Minute, i64)>) -> HistoryVersion {
        HistoryVersion::Digests(Digests {
            minutes: minutes.into_iter().collect(),
            days: BTreeMap::new(),
        })
    }

    #[test]
    fn commits_are_known_by_the_minute_and_beyond_a_day_together() {
        let mut mark = HistoryVersion::Commits(vec![(Minute::MIN, 3)]);
        for minute in 0..3 * DAY_MIN {
            mark.read_from(at(minute), HistoryVersion::Commits(vec![(Minute::MIN, 10 + minute)]));
        }
        let HistoryVersion::Commits(all) = &mark else { panic!() };
        assert_eq!(all[0], (Minute::MIN, 3));
        assert_eq!(all.last(), Some(&(at(3 * DAY_MIN - 1), 10 + 3 * DAY_MIN - 1)));
        assert!(all.len() <= DAY_MIN as usize + 3, "{}", all.len());
        // Read again from a minute on: what is known of later ones is that.
        mark.read_from(
            at(3 * DAY_MIN - 60),
            HistoryVersion::Commits(vec![(Minute::MIN, 99_999)]),
        );
        let HistoryVersion::Commits(all) = &mark else { panic!() };
        assert_eq!(all.last(), Some(&(at(3 * DAY_MIN - 60), 99_999)));
    }

    #[test]
    fn minutes_become_days_and_differences_are_found_in_both() {
        let rows = |minute: i64| (at(minute), minute * 31 + 7);
        let mut mark = digests([]);
        for day in 0..6 {
            let minutes = day * DAY_MIN..(day + 1) * DAY_MIN;
            mark.read_from(at(minutes.start), digests(minutes.map(rows)));
        }
        let HistoryVersion::Digests(was) = &mark else { panic!() };
        assert_eq!((was.days.len(), was.minutes.len()), (3, 3 * DAY_MIN as usize));
        assert_eq!(was.first_difference(was, Minute::MIN, Minute::MAX), None);
        let mut now = was.clone();
        *now.minutes.get_mut(&at(5 * DAY_MIN + 3)).unwrap() += 1;
        now.minutes.remove(&at(4 * DAY_MIN + 9));
        let difference = |from: i64, to: Minute| was.first_difference(&now, at(from), to);
        assert_eq!(difference(i64::MIN, Minute::MAX), Some(at(4 * DAY_MIN + 9)));
        assert_eq!(difference(4 * DAY_MIN + 10, Minute::MAX), Some(at(5 * DAY_MIN + 3)));
        assert_eq!(difference(4 * DAY_MIN + 10, at(5 * DAY_MIN + 3)), None);
        *now.days.get_mut(&CivilDay::new(1)).unwrap() += 1;
        assert_eq!(was.first_difference(&now, Minute::MIN, Minute::MAX), Some(at(DAY_MIN)));
        assert_eq!(was.first_difference(&now, at(3 * DAY_MIN), at(4 * DAY_MIN)), None);
        // Asked about older minutes, a server tells minutes of days that are known as a whole.
        let mut old = Digests {
            minutes: (0..2 * DAY_MIN).map(rows).collect(),
            days: BTreeMap::new(),
        };
        assert_eq!(was.first_difference(&old, Minute::MIN, at(2 * DAY_MIN)), None);
        *old.minutes.get_mut(&at(DAY_MIN + 5)).unwrap() += 1;
        assert_eq!(
            was.first_difference(&old, Minute::MIN, at(2 * DAY_MIN)),
            Some(at(DAY_MIN))
        );
    }
}
