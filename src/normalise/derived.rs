//! Names of services that logs made, of one source: as many as there is room for, and those that are used stay.
//!
//! A relay that takes mail from the world makes a name of every stranger, and a thousand names fill on one day of spam. What
//! counts is on how many of the last thirty days a name had mail. Beyond the limit a new name waits, and its mail is
//! unattributed; once it has had mail on at least two days, and on more than the least used name, it takes that one's place.
//! So a burst of strangers evicts nobody, however large it is, and a service that begins to send has its name the next day.
//!
//! All of it is part of the commit: a run that goes on after a kill decides as one that was not killed.

use crate::model::time::{CivilDay, DAY_MS, UtcMs};
use std::collections::HashMap;

/// Days that count; a bit each.
const DAYS: i64 = 30;
/// Days with mail before a name that waits may take another's place: a burst has one, or two at midnight's sides, and is
/// beaten by names that are used.
const DAYS_MIN: u32 = 2;
/// The days of a name that an older version derived and did not count: as if it had been used daily.
pub(crate) const ALL_DAYS: u32 = (1 << DAYS) - 1;

/// The days on which a name had mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Use {
    /// The newest, of UTC.
    pub last_day: CivilDay,
    /// It and those before it, a bit each: bit 0 is the newest.
    pub days: u32,
}

impl Use {
    fn on(day: CivilDay) -> Self {
        Use { last_day: day, days: 1 }
    }

    /// Notes a day; whether it is news.
    fn note(&mut self, day: CivilDay) -> bool {
        let before = *self;
        let ahead = day.since(self.last_day);
        if ahead > 0 {
            self.days = self.days.checked_shl(ahead.min(DAYS) as u32).unwrap_or(0) & ALL_DAYS | 1;
            self.last_day = day;
        } else if -ahead < DAYS {
            self.days |= 1 << -ahead;
        }
        *self != before
    }

    /// On how many of the thirty days up to `day` it had mail; later ones count as well, where an old log is read.
    fn count(&self, day: CivilDay) -> u32 {
        let ago = day.since(self.last_day).max(0);
        match DAYS - ago {
            left @ 1.. => (self.days & (ALL_DAYS >> (DAYS - left))).count_ones(),
            _ => 0,
        }
    }
}

/// A name as a commit stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameState {
    /// The service's name, or what would be one.
    pub name: String,
    /// Its days.
    pub used: Use,
    /// For a name that waits for a place: when it was asked for last, as a running number.
    pub waits: Option<u64>,
}

/// What a commit has to store of the names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameChanges {
    /// Names that are new, or had mail on a new day.
    pub put: Vec<NameState>,
    /// Names that waited and are forgotten. They go before the others are put.
    pub gone: Vec<String>,
    /// Names that were a service's until another took their place, and the time of the line that had it.
    /// They wait now.
    pub evicted: Vec<(String, UtcMs)>,
}

/// How long an answer about a name holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Whenever it is asked for.
    Always,
    /// Until a name comes or goes.
    Names(u32),
    /// Until the day is over, or a name goes.
    Day(u32),
    /// Not for another mail: each counts.
    Once,
}

/// What may change an answer; see [`Holds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Epoch {
    names: u32,
    day: u32,
}

impl Epoch {
    /// Whether an answer still holds.
    #[inline]
    pub fn has(self, holds: Holds) -> bool {
        match holds {
            Holds::Always => true,
            Holds::Day(day) => day == self.day,
            Holds::Names(names) => names == self.names,
            Holds::Once => false,
        }
    }
}

/// A name that has a place, or waits for one.
#[derive(Debug, Clone, Copy, Default)]
struct DerivedName {
    used: Use,
    /// When it was asked for last, as a running number; kept for those that wait.
    asked: u64,
    /// Not committed yet.
    changed: bool,
}

/// The names of one source. They are strangers' text: the tables' hash has a key.
#[derive(Debug, Default)]
pub(crate) struct DerivedNames {
    kept: HashMap<String, DerivedName>,
    waiting: HashMap<String, DerivedName>,
    /// Time and day of the line in hand.
    ts_ms: UtcMs,
    day: CivilDay,
    epoch: Epoch,
    asked: u64,
    /// Days of the least used name when it was looked for; none has fewer on the same day.
    least: Option<u32>,
    gone: Vec<String>,
    evicted: Vec<(String, UtcMs)>,
}

impl DerivedNames {
    /// Takes what an earlier run committed.
    pub(crate) fn load(&mut self, states: impl IntoIterator<Item = NameState>) {
        for NameState { name, used, waits } in states {
            let asked = waits.unwrap_or_default();
            let entry = DerivedName {
                used,
                asked,
                changed: false,
            };
            self.asked = self.asked.max(asked);
            match waits {
                None => self.kept.insert(name, entry),
                Some(_) => self.waiting.insert(name, entry),
            };
        }
    }

    /// Says when the line in hand was written, and what by then may have changed.
    #[inline]
    pub(crate) fn at(&mut self, ts_ms: UtcMs) -> Epoch {
        self.ts_ms = ts_ms;
        if ts_ms.get().wrapping_sub(self.day.start().get()) as u64 >= DAY_MS as u64 {
            self.day = ts_ms.day();
            self.epoch.day = self.epoch.day.wrapping_add(1);
            self.least = None;
        }
        self.epoch
    }

    /// Whether a service has this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.kept.contains_key(name)
    }

    /// How long "no service has this name" holds, where no mail is to count.
    pub(crate) fn unknown(&self) -> Holds {
        Holds::Names(self.epoch.names)
    }

    /// How long "this is a service's name" holds.
    pub(crate) fn known(&self) -> Holds {
        Holds::Day(self.epoch.day)
    }

    /// Notes a mail of this name: whether it is a service's now. There are at most `max` services, and at most twice as many
    /// names that wait.
    pub(crate) fn admit(&mut self, name: &str, max: usize) -> bool {
        let day = self.day;
        if let Some(entry) = self.kept.get_mut(name) {
            entry.changed |= entry.used.note(day);
            return true;
        }
        if self.kept.len() < max {
            self.keep(name, Use::on(day));
            return true;
        }
        if max == 0 {
            return false;
        }
        self.asked += 1;
        if self.waiting.len() >= 2 * max && !self.waiting.contains_key(name) {
            self.forget_half(max);
        }
        let used = match self.waiting.get_mut(name) {
            Some(entry) => {
                entry.used.note(day);
                (entry.asked, entry.changed) = (self.asked, true);
                entry.used
            }
            None => {
                let (used, asked) = (Use::on(day), self.asked);
                let entry = DerivedName {
                    used,
                    asked,
                    changed: true,
                };
                self.waiting.insert(name.to_owned(), entry);
                used
            }
        };
        let count = used.count(day);
        if count < DAYS_MIN || self.least.is_some_and(|least| count <= least) {
            return false;
        }
        let least = self
            .kept
            .iter()
            .map(|(name, entry)| (entry.used.count(day), entry.used.last_day, name))
            .min();
        let Some((least, _, victim)) = least else { return false };
        self.least = Some(least);
        if count <= least {
            return false;
        }
        let victim = victim.clone();
        if let Some(entry) = self.kept.remove(&victim) {
            let (asked, changed) = (self.asked, true);
            self.waiting.insert(
                victim.clone(),
                DerivedName {
                    asked,
                    changed,
                    ..entry
                },
            );
        }
        self.evicted.push((victim, self.ts_ms));
        self.waiting.remove(name);
        self.epoch.day = self.epoch.day.wrapping_add(1);
        self.keep(name, used);
        true
    }

    fn keep(&mut self, name: &str, used: Use) {
        self.evicted.retain(|(evicted, _)| evicted != name);
        let entry = DerivedName {
            used,
            asked: 0,
            changed: true,
        };
        self.kept.insert(name.to_owned(), entry);
        self.epoch.names = self.epoch.names.wrapping_add(1);
    }

    /// Forgets those that wait, but for the `max` that are used most, or were asked for last.
    fn forget_half(&mut self, max: usize) {
        let day = self.day;
        let mut order: Vec<(u32, u64)> = self
            .waiting
            .values()
            .map(|one| (one.used.count(day), one.asked))
            .collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        let Some(&last) = order.get(max.saturating_sub(1)) else {
            return;
        };
        let gone = self
            .waiting
            .extract_if(|_, one| (one.used.count(day), one.asked) < last);
        self.gone.extend(gone.map(|(name, _)| name));
    }

    /// What has changed since the last call; the caller commits it with the rows.
    pub(crate) fn changes(&mut self) -> NameChanges {
        let mut put = Vec::new();
        for (entries, waits) in [(&mut self.kept, false), (&mut self.waiting, true)] {
            for (name, entry) in entries.iter_mut().filter(|(_, entry)| entry.changed) {
                entry.changed = false;
                put.push(NameState {
                    name: name.clone(),
                    used: entry.used,
                    waits: waits.then_some(entry.asked),
                });
            }
        }
        NameChanges {
            put,
            gone: std::mem::take(&mut self.gone),
            evicted: std::mem::take(&mut self.evicted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn at(names: &mut DerivedNames, day: i64, name: &str, max: usize) -> bool {
        names.at(UtcMs::new(day * DAY_MS + 1));
        names.admit(name, max)
    }

    /// Numbers that look random, the same each time.
    fn numbers(mut state: u64) -> impl FnMut(u64) -> u64 {
        move |below| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        }
    }

    #[test]
    fn days_are_counted_as_a_set_of_days_would_be() {
        let mut number = numbers(1);
        for _ in 0..500 {
            let first = number(100) as i64;
            let (mut used, mut days) = (Use::on(CivilDay::new(first)), BTreeSet::from([first]));
            for _ in 0..number(40) {
                let day = number(100) as i64;
                used.note(CivilDay::new(day));
                days.insert(day);
                let newest = *days.last().unwrap();
                days.retain(|day| *day > newest - DAYS);
                for now in newest..newest + 40 {
                    let expected = days.iter().filter(|day| **day > now - DAYS).count();
                    assert_eq!(used.count(CivilDay::new(now)) as usize, expected, "{days:?} {now}");
                }
            }
        }
    }

    #[test]
    fn a_burst_of_strangers_evicts_nobody() {
        let mut names = DerivedNames::default();
        for day in 0..5 {
            for name in ["shop", "wiki"] {
                assert!(at(&mut names, day, name, 3));
            }
        }
        assert!(at(&mut names, 5, "once", 3));
        names.changes();
        for stranger in 0..10_000 {
            assert!(!at(&mut names, 6, &format!("s{}", stranger % 5_000), 3));
            assert!(names.waiting.len() <= 6);
        }
        let changes = names.changes();
        assert_eq!(changes.evicted, []);
        assert!(changes.put.iter().all(|state| state.waits.is_some()) && changes.put.len() <= 6);
        assert!(["shop", "wiki", "once"].iter().all(|name| names.has(name)));
    }

    #[test]
    fn the_least_used_gives_way_to_a_name_that_is_used_more() {
        let mut names = DerivedNames::default();
        for (name, days) in [("daily", 0..10), ("thrice", 0..3), ("twice", 0..2)] {
            for day in days {
                assert!(at(&mut names, day, name, 3));
            }
        }
        let answers: Vec<bool> = (10..14).map(|day| at(&mut names, day, "new", 3)).collect();
        assert_eq!(
            answers,
            [false, false, true, true],
            "more days than the least used, not as many"
        );
        assert_eq!(
            names.changes().evicted,
            [("twice".to_owned(), CivilDay::new(12).start() + 1)]
        );
        // It waits with the days that it had, and none of a month ago counts.
        let answers: Vec<bool> = (14..17).map(|day| at(&mut names, day, "twice", 3)).collect();
        assert_eq!(answers, [false, true, true]);
        assert_eq!(names.changes().evicted[0].0, "thrice");
        for day in 44..46 {
            at(&mut names, day, "twice", 3);
            at(&mut names, day, "new", 3);
        }
        assert!(!at(&mut names, 44, "other", 3));
        assert!(at(&mut names, 45, "other", 3));
        assert_eq!(names.changes().evicted[0].0, "daily");
    }

    #[test]
    fn answers_hold_until_something_changes_them() {
        let mut names = DerivedNames::default();
        let first = names.at(UtcMs::new(0));
        let unknown = names.unknown();
        assert!(first.has(unknown) && first.has(Holds::Always) && !first.has(Holds::Once));
        assert!(names.admit("a", 1));
        let known = names.known();
        let second = names.at(UtcMs::new(DAY_MS - 1));
        assert!(second.has(known) && !second.has(unknown));
        let third = names.at(UtcMs::new(DAY_MS));
        assert!(!third.has(known), "the next day counts");
        let known = names.known();
        for day in 1..4 {
            at(&mut names, day, "b", 1);
        }
        assert!(!names.has("a") && names.has("b"));
        assert!(!names.at(UtcMs::new(3 * DAY_MS)).has(known));
    }

    #[test]
    fn nothing_has_a_place_where_there_is_none() {
        let mut names = DerivedNames::default();
        assert!((0..10).all(|day| !at(&mut names, day, "a", 0)));
        assert_eq!(names.changes(), NameChanges::default());
    }

    #[test]
    fn a_run_that_was_killed_decides_as_one_that_was_not() {
        for seed in 0..50 {
            let mut number = numbers(seed);
            let mut unbroken = DerivedNames::default();
            let (mut broken, mut stored) = (DerivedNames::default(), HashMap::new());
            for step in 0..600_u64 {
                let day = (step / 40 + number(3)) as i64;
                let below = 1 + number(30);
                let name = format!("n{}", number(below));
                assert_eq!(
                    at(&mut broken, day, &name, 4),
                    at(&mut unbroken, day, &name, 4),
                    "{seed} {step}"
                );
                if number(10) > 0 {
                    continue;
                }
                // A commit; now and then a kill after it.
                let changes = broken.changes();
                assert_eq!(changes.evicted, unbroken.changes().evicted);
                changes.gone.iter().for_each(|name| drop(stored.remove(name)));
                stored.extend(changes.put.into_iter().map(|state| (state.name.clone(), state)));
                if number(3) == 0 {
                    broken = DerivedNames::default();
                    broken.load(stored.values().cloned());
                }
            }
            assert!(unbroken.kept.len() == 4 && unbroken.waiting.len() <= 8);
        }
    }
}
