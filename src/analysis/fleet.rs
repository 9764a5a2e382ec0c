//! The store's history as the detection sees it: minute by minute, from the segments' rates, the logs' coverage, and
//! the few events that speak of another host.

use crate::analysis::health;
use crate::detect::fleet::{Fleet, Flow, FlowKind, Id, LogMinute, Minute, NONE, Names};
use crate::model::service_names::UNATTRIBUTED;
use crate::model::time::MINUTE_MS;
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window};
use crate::store::catalogue::Counts;
use crate::store::columnar::{RateBlock, Table, Values};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// The most minutes that a fleet has: the newest 400 days. FlowKind is older teaches nothing about this week.
const MINUTES_MAX: i64 = 400 * 1440;

/// Names and their numbers.
#[derive(Debug, Default)]
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

    /// Numbers the names behind the first `known` anew, by name: numbers do not depend on who was read first. Returns
    /// the new number of each.
    fn sort_behind(&mut self, known: usize) -> Vec<Id> {
        let mut names = std::mem::take(&mut self.names);
        let old = names.clone();
        names[known..].sort_unstable();
        self.ids = names.iter().cloned().zip(0..).collect();
        self.names = names;
        old.iter().map(|name| self.ids[name]).collect()
    }
}

#[derive(Debug, Default)]
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

    fn names(self) -> Names {
        Names {
            services: self.services.names,
            hostgroups: self.hostgroups.names,
            hosts: self.hosts.names,
            unattributed: None,
        }
    }
}

impl Books {
    /// Sorts the names that are new, and the sums by them.
    fn settle(&mut self, known: &Names, sums: MinuteSums) -> MinuteSums {
        let maps = [
            self.services.sort_behind(known.services.len()),
            self.hostgroups.sort_behind(known.hostgroups.len()),
            self.hosts.sort_behind(known.hosts.len()),
        ];
        let id = |map: &[Id], id: Id| map.get(id as usize).copied().unwrap_or(NONE);
        let [services, hostgroups, hosts] = &maps;
        let moved = |((at, service, hostgroup, host, what), count)| {
            let key = (
                at,
                id(services, service),
                id(hostgroups, hostgroup),
                id(hosts, host),
                what,
            );
            (key, count)
        };
        sums.into_iter().map(moved).collect()
    }
}

/// FlowKind is counted under one key: minute, service, hostgroup, host, what.
type MinuteSums = HashMap<(i64, Id, Id, Id, FlowKind), i64>;

/// Reads `[window.since_ms, window.until_ms)` in whole minutes.
pub fn fleet(store: &dyn MailHistory, window: Window) -> Result<Fleet, QueryError> {
    fleet_after(store, window, Names::default())
}

/// The same with names that are known already: they keep their numbers, new ones come after them.
pub fn fleet_after(store: &dyn MailHistory, window: Window, names: Names) -> Result<Fleet, QueryError> {
    crate::query::steadily(|| fleet_once(store, window, names.clone()))
}

fn fleet_once(store: &dyn MailHistory, window: Window, names: Names) -> Result<Fleet, QueryError> {
    let none = |names| {
        Ok(Fleet {
            names,
            minutes: Vec::new(),
        })
    };
    let until_ms = window.until_ms.saturating_sub(1);
    let Some((first, last)) = store.span(until_ms)? else {
        return none(names);
    };
    // A line that is no event is as good as one, and so is a tail that finds nothing more: the minute is over, and
    // there was no mail.
    let last = last
        .max(store.line_ms(until_ms)?.unwrap_or(last))
        .max(store.heartbeat_ms(until_ms)?.map_or(last, |minute| minute - 1));
    let from = window.since_ms.max(first).div_euclid(MINUTE_MS);
    let to = window.until_ms.min(last + MINUTE_MS).div_euclid(MINUTE_MS);
    if to <= from {
        return none(names);
    }
    let from = from.max(to - MINUTES_MAX);
    let window = Window {
        since_ms: from * MINUTE_MS,
        until_ms: to * MINUTE_MS,
    };
    let mut books = Books::of(&names);
    for host in store.hosts()? {
        books.hosts.id(&host);
    }
    let mut sums = MinuteSums::new();
    store.flows(window, &mut |parts| add(&mut sums, &mut books, window, parts))?;
    witnesses(store, window, &mut books, &mut sums)?;
    let sums = books.settle(&names, sums);
    let mut names = books.names();
    names.unattributed = names
        .services
        .iter()
        .position(|name| name == UNATTRIBUTED)
        .map(|at| at as Id);
    let mut minutes = blank(from, to);
    fill(&mut minutes, sums);
    logs(store, window, &names, &mut minutes)?;
    renamed(store, &names, &mut minutes)?;
    Ok(Fleet { names, minutes })
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
    for ((at, service, hostgroup, host, what), count) in sums {
        if let Some(minute) = minutes.get_mut((at - first) as usize) {
            minute.flows.push(Flow {
                service,
                hostgroup,
                host,
                what,
                count: count.min(i64::from(u32::MAX)) as u32,
            });
        }
    }
}

/// Adds a segment's rates: messages by service, attempts by hostgroup and recipients by relay, row by row the same.
fn add(sums: &mut MinuteSums, books: &mut Books, window: Window, [services, hostgroups, relays]: [&RateBlock; 3]) {
    let ids = |book: &mut Book, values: &[String]| -> Vec<Id> { values.iter().map(|name| book.id(name)).collect() };
    let by_service = ids(&mut books.services, &services.by.values);
    let by_group = ids(&mut books.hostgroups, &hostgroups.by.values);
    let by_host = ids(&mut books.hosts, &relays.by.values);
    for row in 0..services.ts_ms.len() {
        let ts_ms = services.ts_ms[row];
        if ts_ms < window.since_ms || ts_ms >= window.until_ms {
            continue;
        }
        let (messages, attempts, recipients) = (services.value[row], hostgroups.value[row], relays.value[row]);
        let kind = services.kind.values[services.kind.codes[row] as usize].as_str();
        let (what, count) = match kind {
            "accepted" if services.first_hop[row] => (FlowKind::Accepted, messages),
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
        let service = by_service[services.by.codes[row] as usize];
        let hostgroup = by_group[hostgroups.by.codes[row] as usize];
        let host = by_host[relays.by.codes[row] as usize];
        let at = ts_ms.div_euclid(MINUTE_MS);
        *sums.entry((at, service, hostgroup, host, what)).or_default() += count;
    }
}

/// Events of one host that speak of another: what it handed over, and where it found nobody. And failures that an
/// application logged again.
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
    let questions = [
        (
            FlowKind::HandedTo,
            "SELECT ts_ms, service, host, remote_host FROM events WHERE kind = 'delivered' AND destination = 'relay'",
        ),
        (
            FlowKind::RefusedBy,
            "SELECT ts_ms, service, host, remote_host FROM events WHERE kind = 'deferred' \
             AND (reason = 'connection_refused' OR reason = 'timeout')",
        ),
        (
            FlowKind::Retried,
            "SELECT ts_ms, service, host, remote_host FROM events WHERE kind = 'submit_failed' AND messages = 0",
        ),
    ];
    for (what, text) in questions {
        let table = store.select(text, window)?;
        for (ts_ms, service, host, remote) in rows(&table) {
            let about = short.get(label(remote)).copied();
            let host_is_other = about.is_some_and(|id| books.hosts.names[id as usize] != host);
            let about = match what {
                FlowKind::Retried => NONE,
                _ if host_is_other => about.unwrap_or(NONE),
                _ => continue,
            };
            let service = books.services.id(service);
            *sums
                .entry((ts_ms.div_euclid(MINUTE_MS), service, NONE, about, what))
                .or_default() += 1;
        }
    }
    Ok(())
}

/// The first label of a host's name: a log's host is `mx1001`, its clients know it as `mx1001.wikimedia.org`.
fn label(host: &str) -> &str {
    match host.split_once('.') {
        // An address is no name.
        Some((first, _)) if first.bytes().any(|b| b.is_ascii_alphabetic()) => first,
        _ => host,
    }
}

/// Rows of a time and three texts.
fn rows(table: &Table) -> Vec<(i64, &str, &str, &str)> {
    let [times, a, b, c] = table.columns.as_slice() else {
        return Vec::new();
    };
    let (Values::Int(times), Values::Text(a), Values::Text(b), Values::Text(c)) =
        (&times.values, &a.values, &b.values, &c.values)
    else {
        return Vec::new();
    };
    let text = |texts: &'_ Vec<Option<String>>, row: usize| -> Option<usize> { texts[row].as_ref().map(|_| row) };
    (0..times.len())
        .filter_map(|row| {
            let known = text(a, row).and(text(b, row)).and(times[row]);
            Some((
                known?,
                a[row].as_deref()?,
                b[row].as_deref()?,
                c[row].as_deref().unwrap_or_default(),
            ))
        })
        .collect()
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
fn renamed(store: &dyn MailHistory, names: &Names, minutes: &mut [Minute]) -> Result<(), QueryError> {
    let first = minutes.first().map_or(0, |minute| minute.at);
    for change in store.attribution_changes()? {
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
    Ok(())
}

/// Lines per host and minute, and minutes in which a host's log could not be read.
fn logs(store: &dyn MailHistory, window: Window, names: &Names, minutes: &mut [Minute]) -> Result<(), QueryError> {
    let first = minutes.first().map_or(0, |minute| minute.at);
    let host_id = |name: &str| names.hosts.iter().position(|host| host == name);
    let mut readable: Vec<Vec<bool>> = vec![vec![false; minutes.len()]; names.hosts.len()];
    let mut begins: BTreeMap<usize, i64> = BTreeMap::new();
    for span in store.coverage(window.since_ms)? {
        let Some(host) = host_id(&span.host) else { continue };
        let (from, to) = (span.from_ms.div_euclid(MINUTE_MS), span.to_ms.div_euclid(MINUTE_MS));
        let begin = begins.entry(host).or_insert(from);
        *begin = (*begin).min(from);
        let from = (from - first).clamp(0, minutes.len() as i64) as usize;
        let to = (to - first + 1).clamp(from as i64, minutes.len() as i64) as usize;
        readable[host][from..to].fill(true);
    }
    let mut lines: BTreeMap<(i64, usize), (u64, u64)> = BTreeMap::new();
    let mut hours: HashMap<(usize, String), Hour> = HashMap::new();
    let mut counted = store.source_minutes(window)?;
    counted.sort_by_key(|minute| minute.ts_ms);
    for minute in counted {
        let Some(host) = host_id(&minute.host) else { continue };
        let hour = hours.entry((host, minute.kind)).or_default();
        // Where an hour's lines are all of other programs, not one of them was understood.
        let bad = if hour.is_foreign(minute.ts_ms, &minute.counts) {
            minute.counts.lines
        } else {
            minute.counts.unparsed
        };
        let sum = lines.entry((minute.ts_ms.div_euclid(MINUTE_MS), host)).or_default();
        *sum = (sum.0 + minute.counts.lines, sum.1 + bad);
    }
    for (n, minute) in minutes.iter_mut().enumerate() {
        for (host, readable) in readable.iter().enumerate() {
            let (all, bad) = lines.get(&(minute.at, host)).copied().unwrap_or_default();
            let begun = begins.get(&host).is_some_and(|begin| *begin <= minute.at);
            if all > 0 || begun && !readable[n] {
                minute.logs.push(LogMinute {
                    host: host as Id,
                    readable: readable[n] || all > 0,
                    lines: all.min(u64::from(u32::MAX)) as u32,
                    unparsed: bad.min(u64::from(u32::MAX)) as u32,
                });
            }
        }
    }
    Ok(())
}
