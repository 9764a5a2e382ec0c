//! The store's history as the detection sees it: minute by minute, from the segments' rates, the logs' coverage, and
//! counts of the events that speak of another host. It is read a day at a time: what is in memory does not grow with it.

use crate::analysis::health;
use crate::detect::fleet::{Fleet, Flow, FlowKind, Id, LogMinute, Minute, NONE, Names};
use crate::model::service_names::UNATTRIBUTED;
use crate::model::time::{DAY_MS, MINUTE_MS};
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window};
use crate::store::catalogue::{AttributionChange, Counts};
use crate::store::columnar::{FlowBlock, Values};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// The most minutes that a fleet has: the newest 400 days. FlowKind is older teaches nothing about this week.
const MINUTES_MAX: i64 = 400 * 1440;

/// Names and their numbers.
#[derive(Debug, Clone, Default)]
struct Book {
    names: Vec<String>,
    ids: HashMap<String, Id>,
}

impl Book {
    /// A name's number; no name has none.
    fn id(&mut self, name: &str) -> Id {
        if name.is_empty() {
            return NONE;
        }
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = self.names.len() as Id;
        self.names.push(name.to_owned());
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// Numbers those of some names that have none, by name: numbers do not depend on who was read first.
    fn add(&mut self, mut names: Vec<String>) {
        names.sort_unstable();
        names.iter().for_each(|name| {
            self.id(name);
        });
    }
}

#[derive(Debug, Clone, Default)]
struct Books {
    services: Book,
    hostgroups: Book,
    hosts: Book,
}

impl Books {
    /// With names that keep their numbers.
    fn of(names: &Names) -> Books {
        let mut books = Books::default();
        for (book, known) in [
            (&mut books.services, &names.services),
            (&mut books.hostgroups, &names.hostgroups),
            (&mut books.hosts, &names.hosts),
        ] {
            known.iter().for_each(|name| {
                book.id(name);
            });
        }
        books
    }

    fn names(&self) -> Names {
        let unattributed = self.services.ids.get(UNATTRIBUTED).copied();
        Names {
            services: self.services.names.clone(),
            hostgroups: self.hostgroups.names.clone(),
            hosts: self.hosts.names.clone(),
            unattributed,
        }
    }
}

/// FlowKind is counted under one key: minute, service, hostgroup, host, what.
type MinuteSums = FxHashMap<(i64, Id, Id, Id, FlowKind), i64>;

/// Reads `[window.since_ms, window.until_ms)` in whole minutes.
pub fn fleet(store: &dyn MailHistory, window: Window) -> Result<Fleet, QueryError> {
    fleet_after(store, window, Names::default())
}

/// The same with names that are known already: they keep their numbers, new ones come after them.
pub fn fleet_after(store: &dyn MailHistory, window: Window, names: Names) -> Result<Fleet, QueryError> {
    let mut timeline = Timeline::open(store, window, &names)?;
    let mut minutes = Vec::new();
    while let Some(part) = timeline.next_part()? {
        minutes.extend(part);
    }
    Ok(Fleet {
        names: timeline.names,
        minutes,
    })
}

/// The minutes of a window, a part at a time.
pub struct Timeline<'s> {
    store: &'s dyn MailHistory,
    /// Names of all its minutes.
    pub names: Names,
    books: Books,
    /// Its first minute, and the one after its last.
    span: (i64, i64),
    /// The first minute that was not given yet.
    next: i64,
    logs: Logs,
    changes: Vec<AttributionChange>,
}

impl<'s> Timeline<'s> {
    /// Of `[window.since_ms, window.until_ms)` in whole minutes. Names that are known keep their numbers, new ones come after
    /// them.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(store: &'s dyn MailHistory, window: Window, known: &Names) -> Result<Timeline<'s>, QueryError> {
        let (from, to) = span(store, window)?;
        let mut books = Books::of(known);
        if to > from {
            let [services, hostgroups, mut hosts] = crate::query::steadily(|| store.flow_names(window_of(from, to)))?;
            books.services.add(services);
            books.hostgroups.add(hostgroups);
            hosts.extend(store.hosts()?);
            books.hosts.add(hosts);
        }
        let names = if to > from { books.names() } else { known.clone() };
        Ok(Timeline {
            store,
            logs: Logs::of(store, &names, (from, to))?,
            changes: if to > from {
                store.attribution_changes()?
            } else {
                Vec::new()
            },
            names,
            books,
            span: (from, to),
            next: from,
        })
    }

    /// Its first minute, and the one after its last; the same twice if it has none.
    pub fn span(&self) -> (i64, i64) {
        self.span
    }

    /// The next minutes, of a day at most; none when all were given.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn next_part(&mut self) -> Result<Option<Vec<Minute>>, QueryError> {
        let (from, end) = (self.next, self.span.1);
        if from >= end {
            return Ok(None);
        }
        let day = DAY_MS / MINUTE_MS;
        let to = ((from.div_euclid(day) + 1) * day).min(end);
        let window = window_of(from, to);
        let store = self.store;
        let (sums, books) = crate::query::steadily(|| {
            let mut books = self.books.clone();
            Ok((sums(store, window, &mut books)?, books))
        })?;
        // Where rates are broken, events may have other names.
        if books.services.names.len() > self.names.services.len() {
            self.names = books.names();
        }
        self.books = books;
        let mut minutes = blank(from, to);
        fill(&mut minutes, sums);
        self.logs.fill(store, window, &mut minutes)?;
        renamed(&self.changes, &self.names, &mut minutes);
        self.next = to;
        Ok(Some(minutes))
    }
}

fn window_of(from: i64, to: i64) -> Window {
    Window {
        since_ms: from * MINUTE_MS,
        until_ms: to * MINUTE_MS,
    }
}

/// The whole minutes of a window of which anything is known: the first, and the one after the last.
fn span(store: &dyn MailHistory, window: Window) -> Result<(i64, i64), QueryError> {
    let until_ms = window.until_ms.saturating_sub(1);
    let Some((first, last)) = store.span(until_ms)? else {
        return Ok((0, 0));
    };
    // A line that is no event is as good as one, and so is a tail that finds nothing more: the minute is over, and
    // there was no mail.
    let last = last
        .max(store.line_ms(until_ms)?.unwrap_or(last))
        .max(store.heartbeat_ms(until_ms)?.map_or(last, |minute| minute - 1));
    let from = window.since_ms.max(first).div_euclid(MINUTE_MS);
    let to = window.until_ms.min(last + MINUTE_MS).div_euclid(MINUTE_MS);
    Ok(match to <= from {
        true => (0, 0),
        false => (from.max(to - MINUTES_MAX), to),
    })
}

/// What came in the minutes of a window.
fn sums(store: &dyn MailHistory, window: Window, books: &mut Books) -> Result<MinuteSums, QueryError> {
    let mut sums = MinuteSums::default();
    store.flows(window, &mut |block| add(&mut sums, books, window, block))?;
    witnesses(store, window, books, &mut sums)?;
    Ok(sums)
}

fn blank(from: i64, to: i64) -> Vec<Minute> {
    let minute = |at| Minute {
        at,
        ..Minute::default()
    };
    (from..to).map(minute).collect()
}

/// Flows in the order of their keys, so that the same store gives the same fleet.
fn fill(minutes: &mut [Minute], sums: MinuteSums) {
    let first = minutes.first().map_or(0, |minute| minute.at);
    let mut sums: Vec<_> = sums.into_iter().filter(|(_, count)| *count > 0).collect();
    sums.sort_unstable();
    for flows in sums.chunk_by(|(a, _), (b, _)| a.0 == b.0) {
        let at = flows.first().map_or(0, |((at, ..), _)| *at);
        let Some(minute) = minutes.get_mut((at - first) as usize) else {
            continue;
        };
        let flow = |((_, service, hostgroup, host, what), count): &((i64, Id, Id, Id, FlowKind), i64)| Flow {
            service: *service,
            hostgroup: *hostgroup,
            host: *host,
            what: *what,
            count: (*count).min(i64::from(u32::MAX)) as u32,
        };
        minute.flows = flows.iter().map(flow).collect();
    }
}

/// Adds a segment's rates.
fn add(sums: &mut MinuteSums, books: &mut Books, window: Window, block: &FlowBlock) {
    let ids = |book: &mut Book, values: &[String]| -> Vec<Id> { values.iter().map(|name| book.id(name)).collect() };
    let by_service = ids(&mut books.services, &block.service.values);
    let by_group = ids(&mut books.hostgroups, &block.hostgroup.values);
    let by_host = ids(&mut books.hosts, &block.relay.values);
    for (row, ts_ms) in block.ts_ms.iter().enumerate() {
        if *ts_ms < window.since_ms || *ts_ms >= window.until_ms {
            continue;
        }
        let (messages, attempts, recipients) = (block.messages[row], block.attempts[row], block.recipients[row]);
        let kind = block.kind.values[block.kind.codes[row] as usize].as_str();
        let (what, count) = match kind {
            "accepted" if block.first_hop[row] => (FlowKind::Accepted, messages),
            "accepted" => (FlowKind::Passed, messages),
            "delivered" | "bounced" | "expired" => (FlowKind::Delivered, attempts),
            "discarded" | "suppressed" => (FlowKind::Delivered, messages.max(recipients)),
            "deferred" => (FlowKind::Deferred, attempts),
            "frozen" => (FlowKind::Frozen, messages),
            "rejected" => (FlowKind::Rejected, messages.max(recipients)),
            "submitted" => (FlowKind::Submitted, messages),
            "submit_failed" => (FlowKind::SubmitFailed, messages),
            _ => continue,
        };
        let service = by_service[block.service.codes[row] as usize];
        let hostgroup = by_group[block.hostgroup.codes[row] as usize];
        let host = by_host[block.relay.codes[row] as usize];
        let at = ts_ms.div_euclid(MINUTE_MS);
        *sums.entry((at, service, hostgroup, host, what)).or_default() += count;
    }
}

/// Events of one host that speak of another, by minute: what it handed over, and where it found nobody. And failures that an
/// application logged again.
const WITNESSES: [&str; 2] = [
    "SELECT ts_ms - ts_ms % 60000 AS minute, service, host, remote_host, kind, COUNT(*) AS times FROM events \
     WHERE (kind = 'delivered' AND destination = 'relay') \
     OR (kind = 'deferred' AND (reason = 'connection_refused' OR reason = 'timeout')) \
     GROUP BY ts_ms - ts_ms % 60000, service, host, remote_host, kind",
    "SELECT ts_ms - ts_ms % 60000 AS minute, service, host, remote_host, kind, COUNT(*) AS times FROM events \
     WHERE kind = 'submit_failed' AND messages = 0 \
     GROUP BY ts_ms - ts_ms % 60000, service, host, remote_host, kind",
];

fn witnesses(
    store: &dyn MailHistory,
    window: Window,
    books: &mut Books,
    sums: &mut MinuteSums,
) -> Result<(), QueryError> {
    let mut short: HashMap<String, Id> = HashMap::new();
    for (id, host) in books.hosts.names.iter().enumerate() {
        short.insert(label(host).to_owned(), id as Id);
    }
    for text in WITNESSES {
        let table = store.select(text, window)?;
        let [minutes, services, hosts, remotes, kinds, times] = table.columns.as_slice() else {
            continue;
        };
        let word = |values: &'_ Values, row: usize| match values {
            Values::Text(texts) => texts[row].clone(),
            _ => None,
        };
        for row in 0..table.rows() {
            let (Some(ts_ms), Some(count)) = (number(&minutes.values, row), number(&times.values, row)) else {
                continue;
            };
            let (Some(service), Some(host)) = (word(&services.values, row), word(&hosts.values, row)) else {
                continue;
            };
            let remote = word(&remotes.values, row).unwrap_or_default();
            let about = short.get(label(&remote)).copied();
            let about = about.filter(|id| books.hosts.names[*id as usize] != host);
            let (what, about) = match (word(&kinds.values, row).as_deref(), about) {
                (Some("submit_failed"), _) => (FlowKind::Retried, NONE),
                (Some("delivered"), Some(about)) => (FlowKind::HandedTo, about),
                (Some("deferred"), Some(about)) => (FlowKind::RefusedBy, about),
                _ => continue,
            };
            let key = (
                ts_ms.div_euclid(MINUTE_MS),
                books.services.id(&service),
                NONE,
                about,
                what,
            );
            *sums.entry(key).or_default() += count;
        }
    }
    Ok(())
}

fn number(values: &Values, row: usize) -> Option<i64> {
    match values {
        Values::Int(numbers) => numbers[row],
        _ => None,
    }
}

/// The first label of a host's name: a log's host is `mx1001`, its clients know it as `mx1001.wikimedia.org`.
fn label(host: &str) -> &str {
    match host.split_once('.') {
        // An address is no name.
        Some((first, _)) if first.bytes().any(|b| b.is_ascii_alphabetic()) => first,
        _ => host,
    }
}

/// The newest hour of a source's lines.
#[derive(Default)]
struct Hour {
    /// Time, lines, and those of other programs.
    minutes: VecDeque<(i64, u64, u64)>,
    lines: u64,
    foreign: u64,
}

impl Hour {
    /// Takes the next minute, and tells whether all lines of the hour that it ends are other programs'.
    fn is_foreign(&mut self, ts_ms: i64, counts: &Counts) -> bool {
        let is_old = |entry: &mut (i64, u64, u64)| entry.0 <= ts_ms - health::RECENT_MS;
        while let Some((_, lines, foreign)) = self.minutes.pop_front_if(is_old) {
            (self.lines, self.foreign) = (self.lines - lines, self.foreign - foreign);
        }
        self.minutes.push_back((ts_ms, counts.lines, counts.foreign));
        (self.lines, self.foreign) = (self.lines + counts.lines, self.foreign + counts.foreign);
        health::is_foreign(self.lines, self.foreign)
    }
}

/// Names that end or are others' from a minute on: the one after what was stored before attribution changed.
fn renamed(changes: &[AttributionChange], names: &Names, minutes: &mut [Minute]) {
    let first = minutes.first().map_or(0, |minute| minute.at);
    for change in changes {
        let at = usize::try_from(change.minute + 1 - first).ok();
        let Some(minute) = at.and_then(|at| minutes.get_mut(at)) else {
            continue;
        };
        let ids = |known: &[String], changed: &[String]| {
            let id = |name: &String| known.iter().position(|known| known == name).map(|at| at as Id);
            changed.iter().filter_map(id).collect::<Vec<_>>()
        };
        let (services, groups) = (&change.note.services, &change.note.hostgroups);
        let renamed = &mut minute.renamed;
        renamed.ended.extend(ids(&names.services, &services.ended));
        renamed.anew.extend(ids(&names.services, &services.changed));
        renamed.groups_ended.extend(ids(&names.hostgroups, &groups.ended));
        renamed.groups_anew.extend(ids(&names.hostgroups, &groups.changed));
    }
}

/// The hosts' logs, in the order of their minutes.
struct Logs {
    /// The first minute.
    first: i64,
    hosts: HashMap<String, usize>,
    /// By host, whether its log could be read in each minute.
    readable: Vec<Vec<bool>>,
    /// By host, the first minute of its log.
    begins: BTreeMap<usize, i64>,
    hours: HashMap<(usize, String), Hour>,
}

impl Logs {
    fn of(store: &dyn MailHistory, names: &Names, (from, to): (i64, i64)) -> Result<Logs, QueryError> {
        let len = (to - from).max(0);
        let mut logs = Logs {
            first: from,
            hosts: names.hosts.iter().cloned().zip(0..).collect(),
            readable: vec![vec![false; len as usize]; names.hosts.len()],
            begins: BTreeMap::new(),
            hours: HashMap::new(),
        };
        if len == 0 {
            return Ok(logs);
        }
        for span in store.coverage(from * MINUTE_MS)? {
            let Some(host) = logs.hosts.get(&span.host).copied() else {
                continue;
            };
            let (begins, ends) = (span.from_ms.div_euclid(MINUTE_MS), span.to_ms.div_euclid(MINUTE_MS));
            let begin = logs.begins.entry(host).or_insert(begins);
            *begin = (*begin).min(begins);
            let begins = (begins - from).clamp(0, len);
            let ends = (ends - from + 1).clamp(begins, len);
            logs.readable[host][begins as usize..ends as usize].fill(true);
        }
        Ok(logs)
    }

    /// Lines per host and minute, and minutes in which a host's log could not be read.
    fn fill(&mut self, store: &dyn MailHistory, window: Window, minutes: &mut [Minute]) -> Result<(), QueryError> {
        let mut lines: FxHashMap<(i64, usize), (u64, u64)> = FxHashMap::default();
        let mut counted = store.source_minutes(window)?;
        counted.sort_by_key(|minute| minute.ts_ms);
        for minute in counted {
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
            let sum = lines.entry((minute.ts_ms.div_euclid(MINUTE_MS), host)).or_default();
            *sum = (sum.0 + minute.counts.lines, sum.1 + bad);
        }
        for minute in minutes {
            let log = |(host, readable): (usize, &Vec<bool>)| {
                let (all, bad) = lines.get(&(minute.at, host)).copied().unwrap_or_default();
                let begun = self.begins.get(&host).is_some_and(|begin| *begin <= minute.at);
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
