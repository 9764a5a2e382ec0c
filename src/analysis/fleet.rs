//! The store's history as the detection sees it: minute by minute, from the segments' rates, the logs' coverage, and
//! counts of the events that speak of another host. It is read a day at a time: what is in memory does not grow with it.

use super::log_minutes::Logs;
use crate::detect::fleet::{Fleet, FleetMinute, Flow, FlowKind, Id, NONE, Names, Outcome, Renamed};
use crate::model::direction::{DirectionView, MailOrigin};
use crate::model::service_names::{INBOUND, UNATTRIBUTED};
use crate::model::time::{DAY_MIN, DAY_MS, MINUTE_MS, Minute, UtcMs};
use crate::normalise::provider::OTHER;
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window};
use crate::store::catalogue::AttributionChange;
use crate::store::columnar::{FlowBlock, Values};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// The most minutes that a fleet has: the newest 400 days. FlowKind is older teaches nothing about this week.
const MINUTES_MAX: i64 = 400 * DAY_MIN;

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

/// Numbers of services, hostgroups and hosts.
#[derive(Debug, Clone, Default)]
pub(super) struct Books {
    services: Book,
    hostgroups: Book,
    hosts: Book,
    providers: Book,
}

impl Books {
    /// With names that keep their numbers.
    pub(super) fn of(names: &Names) -> Books {
        let mut books = Books::default();
        for (book, known) in [
            (&mut books.services, &names.services),
            (&mut books.hostgroups, &names.hostgroups),
            (&mut books.hosts, &names.hosts),
            (&mut books.providers, &names.providers),
        ] {
            known.iter().for_each(|name| {
                book.id(name);
            });
        }
        books
    }

    /// Numbers of the services, hostgroups and relays of a block, by their codes in it; mail of the world has no service.
    pub(super) fn ids(&mut self, shown: &ShownRows<'_>) -> [Vec<Id>; 3] {
        let block = shown.block;
        let ids = |book: &mut Book, values: &[String]| values.iter().map(|name| book.id(name)).collect();
        [
            shown.services(self),
            ids(&mut self.hostgroups, &block.hostgroup.values),
            ids(&mut self.hosts, &block.relay.values),
        ]
    }

    /// How many names it has.
    pub(super) fn count(&self) -> usize {
        let books = [&self.services, &self.hostgroups, &self.hosts];
        books.iter().map(|book| book.names.len()).sum()
    }

    pub(super) fn names(&self) -> Names {
        let unattributed = self.services.ids.get(UNATTRIBUTED).copied();
        Names {
            services: self.services.names.clone(),
            hostgroups: self.hostgroups.names.clone(),
            hosts: self.hosts.names.clone(),
            providers: self.providers.names.clone(),
            unattributed,
        }
    }
}

/// What is counted under one key: minute, service, hostgroup, host, what.
type MinuteSums = FxHashMap<(Minute, Id, Id, Id, FlowKind), i64>;

/// By minute, service, host, provider: copies that are done, those of them that failed, their messages, and messages and copies
/// that were put off for the first time.
type OutcomeSums = FxHashMap<(Minute, Id, Id, Id), [i64; 5]>;

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

/// What is known of minutes that were read, for those that come after them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Names, with their numbers.
    pub names: Names,
    /// By host, the first minute of its log.
    pub begins: BTreeMap<Id, Minute>,
}

/// The minutes of a window, a part at a time.
pub struct Timeline<'s> {
    store: &'s dyn MailHistory,
    /// Names of all its minutes.
    pub names: Names,
    books: Books,
    /// Its first minute, and the one after its last.
    span: (Minute, Minute),
    /// The first minute that was not given yet.
    next: Minute,
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
        let known = Known {
            names: known.clone(),
            begins: BTreeMap::new(),
        };
        let hosts = if to > from { store.hosts()? } else { Vec::new() };
        Timeline::over(store, (from, to), known, hosts)
    }

    /// The minutes from `window.since_ms` on, after those of which `known` tells. Nothing before them is read, but for the
    /// hour that says whose lines a log has.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn resume(store: &'s dyn MailHistory, window: Window, known: Known) -> Result<Timeline<'s>, QueryError> {
        let from = window.since_ms.minute();
        let end = window.until_ms.saturating_sub(1);
        let times = [
            store.newest(window)?,
            store.line_ms(window.since_ms, end)?,
            store.heartbeat_ms(window.since_ms, end)?.map(|minute| minute - 1),
        ];
        let last = times.into_iter().flatten().max();
        let to = last.map_or(from, |last| window.until_ms.min(last + MINUTE_MS).minute());
        let hosts = if to > from { store.hosts_in(window)? } else { Vec::new() };
        let mut timeline = Timeline::over(store, (from, to.max(from)), known, hosts)?;
        if to > from {
            timeline.logs.warm_up(store)?;
        }
        Ok(timeline)
    }

    fn over(
        store: &'s dyn MailHistory,
        (from, to): (Minute, Minute),
        known: Known,
        read: Vec<String>,
    ) -> Result<Timeline<'s>, QueryError> {
        let mut books = Books::of(&known.names);
        if to > from {
            let [mut services, hostgroups, mut hosts] =
                crate::query::steadily(|| store.flow_names(minutes_of(from, to)))?;
            // Mail of the world is no service of ours.
            services.retain(|name| !is_nobodys(name, store.view()));
            books.services.add(services);
            books.hostgroups.add(hostgroups);
            hosts.extend(read);
            books.hosts.add(hosts);
        }
        let names = if to > from { books.names() } else { known.names };
        Ok(Timeline {
            store,
            logs: Logs::of(store, &names, (from, to), known.begins)?,
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

    /// What a timeline of the minutes after these is to know.
    pub fn known(&self) -> Known {
        Known {
            names: self.names.clone(),
            begins: self.logs.begins().clone(),
        }
    }

    /// Its first minute, and the one after its last; the same twice if it has none.
    pub fn span(&self) -> (Minute, Minute) {
        self.span
    }

    /// The next minutes, of a day at most; none when all were given.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn next_part(&mut self) -> Result<Option<Vec<FleetMinute>>, QueryError> {
        let (from, end) = (self.next, self.span.1);
        if from >= end {
            return Ok(None);
        }
        let day = DAY_MS / MINUTE_MS;
        let to = (from.floor_to(day) + day).min(end);
        let window = minutes_of(from, to);
        let store = self.store;
        let ((sums, outcomes), books) = crate::query::steadily(|| {
            let mut books = self.books.clone();
            Ok((sums(store, window, &mut books)?, books))
        })?;
        // Where rates are broken, events may have other names. Providers get their numbers as they come.
        if books.services.names.len() > self.names.services.len()
            || books.providers.names.len() > self.names.providers.len()
        {
            self.names = books.names();
        }
        self.books = books;
        let mut minutes = blank(from, to);
        fill(&mut minutes, sums);
        fill_outcomes(&mut minutes, outcomes);
        self.logs.fill(store, window, &mut minutes)?;
        renamed(&self.changes, &self.names, &mut minutes);
        self.next = to;
        Ok(Some(minutes))
    }
}

/// The window of the minutes `[from, to)`.
pub(super) fn minutes_of(from: Minute, to: Minute) -> Window {
    Window {
        since_ms: from.start(),
        until_ms: to.start(),
    }
}

/// The whole minutes of a window of which anything is known: the first, and the one after the last.
pub(super) fn span(store: &dyn MailHistory, window: Window) -> Result<(Minute, Minute), QueryError> {
    let until_ms = window.until_ms.saturating_sub(1);
    let Some((first, last)) = store.span(until_ms)? else {
        return Ok((Minute::EPOCH, Minute::EPOCH));
    };
    // A line that is no event is as good as one, and so is a tail that finds nothing more: the minute is over, and
    // there was no mail.
    let last = last.max(store.line_ms(UtcMs::MIN, until_ms)?.unwrap_or(last)).max(
        store
            .heartbeat_ms(UtcMs::MIN, until_ms)?
            .map_or(last, |minute| minute - 1),
    );
    let from = window.since_ms.max(first).minute();
    let to = window.until_ms.min(last + MINUTE_MS).minute();
    Ok(match to <= from {
        true => (Minute::EPOCH, Minute::EPOCH),
        false => (from.max(to - MINUTES_MAX), to),
    })
}

/// What came in the minutes of a window.
fn sums(store: &dyn MailHistory, window: Window, books: &mut Books) -> Result<(MinuteSums, OutcomeSums), QueryError> {
    let (mut sums, mut outcomes) = (MinuteSums::default(), OutcomeSums::default());
    let mut providers = Book::default();
    store.flows(window, &mut |block| {
        let shown = ShownRows {
            block,
            window,
            view: store.view(),
        };
        add(&mut sums, books, &shown);
        add_outcomes(&mut outcomes, (books, &mut providers), &shown);
    })?;
    witnesses(store, window, books, &mut sums)?;
    // By name, whichever segment was read first.
    books.providers.add(providers.names.clone());
    let numbers: Vec<Id> = providers.names.iter().map(|name| books.providers.id(name)).collect();
    let number = |id: Id| numbers.get(id as usize).copied().unwrap_or(NONE);
    let outcomes = outcomes.into_iter();
    let outcomes = outcomes.map(|((at, service, host, provider), sum)| ((at, service, host, number(provider)), sum));
    Ok((sums, outcomes.collect()))
}

fn blank(from: Minute, to: Minute) -> Vec<FleetMinute> {
    let minute = |at| FleetMinute {
        at,
        ..FleetMinute::default()
    };
    from.up_to(to).map(minute).collect()
}

/// A number that orders a minute of a part, and what is told apart in it, in one comparison: a day has tens of thousands.
fn in_order(minute: i64, [a, b, c]: [Id; 3]) -> u128 {
    (minute as u128) << 96 | u128::from(a) << 64 | u128::from(b) << 32 | u128::from(c)
}

/// Flows in the order of their keys, so that the same store gives the same fleet.
fn fill(minutes: &mut [FleetMinute], sums: MinuteSums) {
    let first = minutes.first().map_or(Minute::EPOCH, |minute| minute.at);
    let mut sums: Vec<_> = sums.into_iter().filter(|(_, count)| *count > 0).collect();
    sums.sort_unstable_by_key(|((at, service, hostgroup, host, what), _)| {
        (in_order(*at - first, [*service, *hostgroup, *host]), *what)
    });
    for flows in sums.chunk_by(|(a, _), (b, _)| a.0 == b.0) {
        let at = flows.first().map_or(first, |((at, ..), _)| *at);
        let Some(minute) = minutes.get_mut((at - first) as usize) else {
            continue;
        };
        let flow = |((_, service, hostgroup, host, what), count): &((Minute, Id, Id, Id, FlowKind), i64)| Flow {
            service: *service,
            hostgroup: *hostgroup,
            host: *host,
            what: *what,
            count: (*count).min(i64::from(u32::MAX)) as u32,
        };
        minute.flows = flows.iter().map(flow).collect();
    }
}

/// What became of attempts, in the order of their keys.
fn fill_outcomes(minutes: &mut [FleetMinute], outcomes: OutcomeSums) {
    let first = minutes.first().map_or(Minute::EPOCH, |minute| minute.at);
    let mut outcomes: Vec<_> = outcomes.into_iter().collect();
    outcomes
        .sort_unstable_by_key(|((at, service, host, provider), _)| in_order(*at - first, [*service, *host, *provider]));
    for ((at, service, host, provider), sums) in outcomes {
        let [done, failed, taken, deferred, copies] = sums.map(|sum| sum.clamp(0, i64::from(u32::MAX)) as u32);
        // A message counts where its first copy went; to the other providers it is one as well.
        let deferred = deferred.max(copies.min(1));
        let tried = taken.max(done.min(1)).saturating_add(deferred);
        if let Some(minute) = minutes.get_mut((at - first) as usize)
            && tried > 0
        {
            minute.outcomes.push(Outcome {
                service,
                host,
                provider,
                done,
                failed,
                tried,
                deferred,
            });
        }
    }
}

/// Rows of a segment, and which of them are meant.
pub(super) struct ShownRows<'b> {
    pub block: &'b FlowBlock,
    pub window: Window,
    pub view: DirectionView,
}

impl ShownRows<'_> {
    /// The rows of the window.
    pub(super) fn within(&self) -> impl Iterator<Item = (usize, i64)> {
        let rows = self.block.ts_ms.iter().enumerate();
        let rows = rows.map(|(row, ts_ms)| (row, *ts_ms));
        let within = self.window.since_ms.get()..self.window.until_ms.get();
        rows.filter(move |(_, ts_ms)| within.contains(ts_ms))
    }

    /// Of each row, whether the view has it. Rows of older stores have neither origin nor direction.
    fn in_view(&self) -> impl Fn(usize) -> bool {
        let FlowBlock { origin, direction, .. } = self.block;
        let directions: Vec<&str> = match direction.values.is_empty() {
            true => vec![""],
            false => direction.values.iter().map(String::as_str).collect(),
        };
        let of_origin = |origin: &str| directions.iter().map(|known| self.view.has(origin, known)).collect();
        let mut table: Vec<Vec<bool>> = origin.values.iter().map(|origin| of_origin(origin)).collect();
        table.push(of_origin(""));
        move |row| {
            let origin = origin.codes.get(row).map_or(table.len() - 1, |code| *code as usize);
            let direction = direction.codes.get(row).map_or(0, |code| *code as usize);
            table[origin][direction]
        }
    }

    /// Of each row, whether its mail is judged: in the usual view all of ours is, as what is taken predicts what leaves the
    /// queue, wherever to.
    pub(super) fn judged(&self) -> impl Fn(usize) -> bool {
        let origin = &self.block.origin;
        let foreign: Vec<bool> = (origin.values.iter())
            .map(|origin| origin == MailOrigin::Outside.as_str())
            .collect();
        let (is_usual, in_view) = (self.view == DirectionView::Outbound, self.in_view());
        move |row| match is_usual {
            true => !foreign[origin.codes[row] as usize],
            false => in_view(row),
        }
    }

    /// Numbers of the services by their codes; mail that the view has not is nobody's.
    fn services(&self, books: &mut Books) -> Vec<Id> {
        let names = self.block.service.values.iter();
        names
            .map(|name| match is_nobodys(name, self.view) {
                true => NONE,
                false => books.services.id(name),
            })
            .collect()
    }
}

/// Whether a service's mail is the world's, and none of the view.
fn is_nobodys(service: &str, view: DirectionView) -> bool {
    service == INBOUND && !view.has(MailOrigin::Outside.as_str(), "")
}

/// Adds what became of attempts in a segment; providers have their own numbers so far.
fn add_outcomes(sums: &mut OutcomeSums, (books, providers): (&mut Books, &mut Book), shown: &ShownRows<'_>) {
    let block = shown.block;
    let by_service = shown.services(books);
    let by_host: Vec<Id> = (block.relay.values.iter()).map(|name| books.hosts.id(name)).collect();
    let of_provider = |name: &String| match name == OTHER {
        true => NONE,
        false => providers.id(name),
    };
    let by_provider: Vec<Id> = block.provider.values.iter().map(of_provider).collect();
    each_outcome(shown, &mut |row, more| {
        let provider = block
            .provider
            .codes
            .get(row)
            .map_or(NONE, |code| by_provider[*code as usize]);
        let key = (
            UtcMs::new(block.ts_ms[row]).minute(),
            by_service[block.service.codes[row] as usize],
            by_host[block.relay.codes[row] as usize],
            provider,
        );
        let sum = sums.entry(key).or_default();
        sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    });
}

/// Shows rows of the view with what became of them: attempts that decided, of those that failed; messages that were decided,
/// put off, and copies put off.
pub(super) fn each_outcome(shown: &ShownRows<'_>, each: &mut dyn FnMut(usize, [i64; 5])) {
    let block = shown.block;
    let in_view = shown.in_view();
    let relay = block.destination.values.iter().position(|name| name == "relay");
    let is_passed_on =
        |row: usize| relay.is_some() && block.destination.codes.get(row).map(|code| *code as usize) == relay;
    for (row, _) in shown.within().filter(|(row, _)| in_view(*row)) {
        let (attempts, messages, copies) = (block.attempts[row], block.messages[row], block.recipients[row]);
        let more = match block.kind.values[block.kind.codes[row] as usize].as_str() {
            // In another queue nothing is decided.
            "delivered" if is_passed_on(row) => continue,
            "delivered" => [attempts, 0, messages, 0, 0],
            "bounced" | "expired" => [attempts, attempts, messages, 0, 0],
            "discarded" => [messages.max(copies), messages.max(copies), messages, 0, 0],
            // Of a further attempt both are 0: it is no other verdict.
            "deferred" => [0, 0, 0, messages, copies],
            _ => continue,
        };
        each(row, more);
    }
}

/// Adds a segment's rates.
fn add(sums: &mut MinuteSums, books: &mut Books, shown: &ShownRows<'_>) {
    let block = shown.block;
    let is_judged = shown.judged();
    let [by_service, by_group, by_host] = books.ids(shown);
    for (row, ts_ms) in shown.within() {
        let (messages, attempts, recipients) = (block.messages[row], block.attempts[row], block.recipients[row]);
        let kind = block.kind.values[block.kind.codes[row] as usize].as_str();
        let host = by_host[block.relay.codes[row] as usize];
        let at = UtcMs::new(ts_ms).minute();
        if !is_judged(row) {
            if kind == "accepted" {
                let key = (at, NONE, NONE, host, FlowKind::Foreign);
                *sums.entry(key).or_default() += messages;
            }
            continue;
        }
        let service = by_service[block.service.codes[row] as usize];
        let (what, count) = match kind {
            "accepted" if block.first_hop[row] => (FlowKind::Accepted, messages),
            "accepted" => (FlowKind::Passed, messages),
            "delivered" | "bounced" | "expired" => (FlowKind::Delivered, attempts),
            "discarded" | "suppressed" => (FlowKind::Delivered, messages.max(recipients)),
            "deferred" => (FlowKind::Deferred, attempts),
            "frozen" => (FlowKind::Frozen, messages),
            // Strangers are refused all day.
            "rejected" if block.service.values[block.service.codes[row] as usize] == INBOUND => continue,
            "rejected" => (FlowKind::Rejected, messages.max(recipients)),
            "submitted" => (FlowKind::Submitted, messages),
            "submit_failed" => (FlowKind::SubmitFailed, messages),
            _ => continue,
        };
        let hostgroup = by_group[block.hostgroup.codes[row] as usize];
        *sums.entry((at, service, hostgroup, host, what)).or_default() += count;
    }
}

/// What events of one host tell of another, and failures that an application logged again.
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
    for table in store.witnesses(window)? {
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
            let is_foreign = is_nobodys(&service, store.view());
            let (what, about) = match (word(&kinds.values, row).as_deref(), about) {
                (Some("submit_failed"), _) => (FlowKind::Retried, NONE),
                (Some("delivered"), Some(about)) => (FlowKind::HandedTo, about),
                (Some("deferred"), Some(about)) if !is_foreign => (FlowKind::RefusedBy, about),
                _ => continue,
            };
            let key = (
                UtcMs::new(ts_ms).minute(),
                if is_foreign { NONE } else { books.services.id(&service) },
                NONE,
                about,
                what,
            );
            *sums.entry(key).or_default() += count;
        }
    }
    Ok(())
}

/// By minute and service, failures that an application logged again.
pub(super) fn retried(
    store: &dyn MailHistory,
    window: Window,
    books: &mut Books,
) -> Result<BTreeMap<(Minute, Id), i64>, QueryError> {
    let mut sums = MinuteSums::default();
    witnesses(store, window, books, &mut sums)?;
    let mut again = BTreeMap::new();
    for ((at, service, _, _, what), count) in sums {
        if what == FlowKind::Retried {
            *again.entry((at, service)).or_default() += count;
        }
    }
    Ok(again)
}

fn number(values: &Values, row: usize) -> Option<i64> {
    match values {
        Values::Int(numbers) => numbers[row],
        _ => None,
    }
}

/// The first label of a host's name: a log's host is `mx1001`, its clients know it as `mx1001.wikimedia.org`.
pub(super) fn label(host: &str) -> &str {
    match host.split_once('.') {
        // An address is no name.
        Some((first, _)) if first.bytes().any(|b| b.is_ascii_alphabetic()) => first,
        _ => host,
    }
}

/// Names that end or are others' from a minute on: the one after what was stored before attribution changed.
fn renamed(changes: &[AttributionChange], names: &Names, minutes: &mut [FleetMinute]) {
    let first = minutes.first().map_or(Minute::EPOCH, |minute| minute.at);
    for change in changes {
        let at = usize::try_from(change.minute + 1 - first).ok();
        let Some(minute) = at.and_then(|at| minutes.get_mut(at)) else {
            continue;
        };
        renamed_at(change, names, &mut minute.renamed);
    }
}

/// Adds the names that a change ends, or gives to others.
pub(super) fn renamed_at(change: &AttributionChange, names: &Names, renamed: &mut Renamed) {
    let ids = |known: &[String], changed: &[String]| {
        let id = |name: &String| known.iter().position(|known| known == name).map(|at| at as Id);
        changed.iter().filter_map(id).collect::<Vec<_>>()
    };
    let (services, groups) = (&change.note.services, &change.note.hostgroups);
    renamed.ended.extend(ids(&names.services, &services.ended));
    renamed.anew.extend(ids(&names.services, &services.changed));
    renamed.groups_ended.extend(ids(&names.hostgroups, &groups.ended));
    renamed.groups_anew.extend(ids(&names.hostgroups, &groups.changed));
}
