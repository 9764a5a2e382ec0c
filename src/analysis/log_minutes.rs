//! Which logs could be read in which minute, and how many of their lines could not be understood.

use crate::analysis::health;
use crate::detect::fleet::{FleetMinute, Id, LogMinute, Names};
use crate::model::time::{Minute, UtcMs};
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window};
use crate::store::catalogue::{Counts, SourceMinute};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// The newest hour of a source's lines.
#[derive(Default)]
struct Hour {
    /// Time, lines, and those of other programs.
    minutes: VecDeque<(UtcMs, u64, u64)>,
    lines: u64,
    foreign: u64,
}

impl Hour {
    /// Takes the next minute, and tells whether all lines of the hour that it ends are other programs'.
    fn is_foreign(&mut self, ts_ms: UtcMs, counts: &Counts) -> bool {
        let is_old = |entry: &mut (UtcMs, u64, u64)| entry.0 <= ts_ms - health::RECENT_MS;
        while let Some((_, lines, foreign)) = self.minutes.pop_front_if(is_old) {
            (self.lines, self.foreign) = (self.lines - lines, self.foreign - foreign);
        }
        self.minutes.push_back((ts_ms, counts.lines, counts.foreign));
        (self.lines, self.foreign) = (self.lines + counts.lines, self.foreign + counts.foreign);
        health::is_foreign(self.lines, self.foreign)
    }
}

/// The hosts' logs, in the order of their minutes.
pub(super) struct Logs {
    /// The first minute.
    first: Minute,
    hosts: HashMap<String, usize>,
    /// By host, whether its log could be read in each minute.
    readable: Vec<Vec<bool>>,
    /// By host, the first minute of its log.
    begins: BTreeMap<Id, Minute>,
    hours: HashMap<(usize, String), Hour>,
}

impl Logs {
    /// Of the minutes `[from, to)`; `begins` is known of the minutes before them.
    pub(super) fn of(
        store: &dyn MailHistory,
        names: &Names,
        (from, to): (Minute, Minute),
        begins: BTreeMap<Id, Minute>,
    ) -> Result<Logs, QueryError> {
        let len = (to - from).max(0);
        let mut logs = Logs {
            first: from,
            hosts: names.hosts.iter().cloned().zip(0..).collect(),
            readable: vec![vec![false; len as usize]; names.hosts.len()],
            begins,
            hours: HashMap::new(),
        };
        if len == 0 {
            return Ok(logs);
        }
        for span in store.coverage(from.start())? {
            let Some(host) = logs.hosts.get(&span.host).copied() else {
                continue;
            };
            let (begins, ends) = (span.from_ms.minute(), span.to_ms.minute());
            let begin = logs.begins.entry(host as Id).or_insert(begins);
            *begin = (*begin).min(begins);
            let begins = (begins - from).clamp(0, len);
            let ends = (ends - from + 1).clamp(begins, len);
            logs.readable[host][begins as usize..ends as usize].fill(true);
        }
        Ok(logs)
    }

    /// The first minutes of the hosts' logs, as far as they are known.
    pub(super) fn begins(&self) -> &BTreeMap<Id, Minute> {
        &self.begins
    }

    /// Takes the lines of the hour before the first minute: whether a log is another program's is said of an hour.
    pub(super) fn warm_up(&mut self, store: &dyn MailHistory) -> Result<(), QueryError> {
        let until_ms = self.first.start();
        let hour = Window {
            since_ms: until_ms.saturating_sub(health::RECENT_MS),
            until_ms,
        };
        for minute in in_order(store.source_minutes(hour)?) {
            if let Some(host) = self.hosts.get(&minute.host).copied() {
                let hour = self.hours.entry((host, minute.kind)).or_default();
                hour.is_foreign(minute.ts_ms, &minute.counts);
            }
        }
        Ok(())
    }

    /// Lines per host and minute, and minutes in which a host's log could not be read.
    pub(super) fn fill(
        &mut self,
        store: &dyn MailHistory,
        window: Window,
        minutes: &mut [FleetMinute],
    ) -> Result<(), QueryError> {
        let mut lines: FxHashMap<(Minute, usize), (u64, u64)> = FxHashMap::default();
        for minute in in_order(store.source_minutes(window)?) {
            let Some(host) = self.hosts.get(&minute.host).copied() else {
                continue;
            };
            let hour = self.hours.entry((host, minute.kind)).or_default();
            // Where an hour's lines are all of other programs, not one of them was understood.
            let bad = if hour.is_foreign(minute.ts_ms, &minute.counts) {
                minute.counts.lines
            } else {
                minute.counts.unparsed
            };
            let sum = lines.entry((minute.ts_ms.minute(), host)).or_default();
            *sum = (sum.0 + minute.counts.lines, sum.1 + bad);
        }
        for minute in minutes {
            let log = |(host, readable): (usize, &Vec<bool>)| {
                let (all, bad) = lines.get(&(minute.at, host)).copied().unwrap_or_default();
                let begun = self.begins.get(&(host as Id)).is_some_and(|begin| *begin <= minute.at);
                let readable = readable[(minute.at - self.first) as usize];
                (all > 0 || begun && !readable).then(|| LogMinute {
                    host: host as Id,
                    readable: readable || all > 0,
                    lines: all.min(u64::from(u32::MAX)) as u32,
                    unparsed: bad.min(u64::from(u32::MAX)) as u32,
                })
            };
            minute.logs = self.readable.iter().enumerate().filter_map(log).collect();
        }
        Ok(())
    }
}

fn in_order(mut minutes: Vec<SourceMinute>) -> Vec<SourceMinute> {
    minutes.sort_by_key(|minute| minute.ts_ms);
    minutes
}
