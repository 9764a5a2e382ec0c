//! A history for tests whose rows arrive when a test says: those of a host's minute at any later minute.

use crate::detect::fleet::{Fleet, FleetMinute, Flow, FlowKind, Id, LogMinute, NONE, Names};
use crate::model::time::{CivilDay, DAY_MIN, MINUTE_MS, Minute, UtcMs};
use crate::query::history::{MailHistory, SourceSummary};
use crate::query::history_version::{Digests, HistoryVersion};
use crate::query::named::{NamedQuery, Value};
use crate::query::rates::RateQuestion;
use crate::query::series::SeriesSet;
use crate::query::{QueryAnswer, QueryError, SumsOf, Window};
use crate::store::catalogue::{AttributionChange, Counts, Covered, SourceMinute};
use crate::store::columnar::{FlowBlock, LookupKey, MailRow, StayRow, Table};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// The minute in which the rows of a host's minute arrive.
pub(super) type ArrivalRule = Box<dyn Fn(i64, Id) -> i64>;

/// The history.
pub(super) struct Fake {
    pub fleet: Fleet,
    pub arrival: ArrivalRule,
    /// The minute that it is.
    pub now: Cell<i64>,
    /// Whether it is marked as a server is.
    pub digests: bool,
    /// The first minute of each question for rates.
    pub asked: RefCell<Vec<i64>>,
}

impl Fake {
    pub(super) fn new(fleet: Fleet, arrival: impl Fn(i64, Id) -> i64 + 'static) -> Fake {
        Fake {
            now: Cell::new(fleet.span().1.get()),
            fleet,
            arrival: Box::new(arrival),
            digests: false,
            asked: RefCell::default(),
        }
    }

    pub(super) fn now_ms(&self) -> UtcMs {
        UtcMs::new(self.now.get() * MINUTE_MS + 30_000)
    }

    /// Rows that have arrived, of some minutes.
    fn flows_of(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, Flow)> {
        let minutes = self
            .fleet
            .between(Minute::new(from), Minute::new(to.min(self.now.get() + 1)))
            .iter();
        let all = minutes.flat_map(|minute| minute.flows.iter().map(move |flow| (minute.at.get(), *flow)));
        all.filter(|(at, flow)| self.has_come(*at, if flow.host == NONE { 0 } else { flow.host }))
    }

    fn logs_of(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, LogMinute)> {
        let minutes = self
            .fleet
            .between(Minute::new(from), Minute::new(to.min(self.now.get() + 1)))
            .iter();
        let all = minutes.flat_map(|minute| minute.logs.iter().map(move |log| (minute.at.get(), *log)));
        all.filter(|(at, log)| log.readable && self.has_come(*at, log.host))
    }

    fn has_come(&self, at: i64, host: Id) -> bool {
        (self.arrival)(at, host) <= self.now.get()
    }

    fn digest(&self, from: i64, to: i64, length: i64) -> BTreeMap<i64, i64> {
        let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
        let mut add = |at: i64, what: [u32; 4]| {
            let mut hasher = DefaultHasher::new();
            (at, what).hash(&mut hasher);
            let sum = sums.entry(at.div_euclid(length)).or_default();
            *sum = sum.wrapping_add(hasher.finish() as i64);
        };
        for (at, flow) in self.flows_of(from, to) {
            add(at, [flow.service, flow.hostgroup, flow.host, flow.what as u32]);
        }
        for (at, log) in self.logs_of(from, to) {
            add(at, [log.host, log.lines, log.unparsed, u32::MAX]);
        }
        sums
    }

    fn digests(&self, from: i64, to: i64) -> Digests {
        let fine = Digests::fine_from(Minute::new(to)).first_minute().get().clamp(from, to);
        Digests {
            minutes: self
                .digest(fine, to, 1)
                .into_iter()
                .map(|(at, sum)| (Minute::new(at), sum))
                .collect(),
            days: self
                .digest(from, fine, DAY_MIN)
                .into_iter()
                .map(|(at, sum)| (CivilDay::new(at), sum))
                .collect(),
        }
    }

    fn name(all: &[String], id: Id) -> String {
        all.get(id as usize).cloned().unwrap_or_default()
    }
}

fn minutes(window: Window) -> (i64, i64) {
    (
        window.since_ms.minute().get(),
        window.until_ms.saturating_add(MINUTE_MS - 1).minute().get(),
    )
}

impl MailHistory for Fake {
    fn identity(&self) -> Result<String, QueryError> {
        Ok("fake".to_owned())
    }

    fn version(&self, window: Window) -> Result<HistoryVersion, QueryError> {
        let (from, to) = minutes(window);
        Ok(match self.digests {
            true => HistoryVersion::Digests(self.digests(from, to)),
            false => HistoryVersion::Commits(vec![(Minute::MIN, self.now.get())]),
        })
    }

    fn first_change(&self, version: &HistoryVersion, from: Minute, to: Minute) -> Result<Option<Minute>, QueryError> {
        let known = match version {
            HistoryVersion::Commits(known) if !self.digests => known,
            HistoryVersion::Digests(known) => {
                return Ok(known.first_difference(&self.digests(from.get(), to.get()), from, to));
            }
            HistoryVersion::Commits(_) => return Ok(Some(from)),
        };
        // A commit's number is the minute in which it came.
        let came = |at: i64, host: Id| {
            let number = known
                .iter()
                .rev()
                .find(|(begin, _)| *begin <= Minute::new(at))
                .map(|(_, number)| *number);
            number.is_some_and(|number| (self.arrival)(at, host) > number)
        };
        // Each host says something of every minute.
        let minutes = self.fleet.between(from, to.min(Minute::new(self.now.get() + 1))).iter();
        let mut all = minutes.flat_map(|minute| [0, 1].map(|host| (minute.at, host)));
        let late = all.find(|(at, host)| self.has_come(at.get(), *host) && came(at.get(), *host));
        Ok(late.map(|(at, _)| at))
    }

    fn newest(&self, window: Window) -> Result<Option<UtcMs>, QueryError> {
        let (from, to) = minutes(window);
        let newest = self.flows_of(from, to).map(|(at, _)| at * MINUTE_MS).max();
        Ok(newest.filter(|ms| *ms < window.until_ms.get()).map(UtcMs::new))
    }

    fn bytes(&self) -> Result<Option<u64>, QueryError> {
        Ok(None)
    }

    fn hosts_in(&self, _window: Window) -> Result<Vec<String>, QueryError> {
        self.hosts()
    }

    fn span(&self, until_ms: UtcMs) -> Result<Option<(UtcMs, UtcMs)>, QueryError> {
        let until = until_ms.minute().saturating_add(1).get();
        let first = self.flows_of(i64::MIN, until).next().map(|(at, _)| at * MINUTE_MS);
        let last = (0..1440).find_map(|back| {
            let at = until.min(self.now.get() + 1) - back;
            self.flows_of(at - 1, at).next().map(|(at, _)| at * MINUTE_MS)
        });
        Ok(first.map(UtcMs::new).zip(last.map(UtcMs::new)))
    }

    fn line_ms(&self, since_ms: UtcMs, until_ms: UtcMs) -> Result<Option<UtcMs>, QueryError> {
        let (from, to) = (since_ms.minute().get(), until_ms.minute().saturating_add(1).get());
        let lines = self.logs_of(from, to).filter(|(_, log)| log.lines > 0);
        Ok(lines.map(|(at, _)| at * MINUTE_MS).max().map(UtcMs::new))
    }

    fn heartbeat_ms(&self, since_ms: UtcMs, until_ms: UtcMs) -> Result<Option<UtcMs>, QueryError> {
        let (from, to) = (since_ms.minute().get(), until_ms.minute().saturating_add(1).get());
        Ok(self
            .logs_of(from, to)
            .map(|(at, _)| at * MINUTE_MS)
            .max()
            .map(UtcMs::new))
    }

    fn horizon_ms(&self) -> Result<Option<UtcMs>, QueryError> {
        Ok(None)
    }

    fn hosts(&self) -> Result<Vec<String>, QueryError> {
        Ok(self.fleet.names.hosts.clone())
    }

    fn source_minutes(&self, window: Window) -> Result<Vec<SourceMinute>, QueryError> {
        let (from, to) = minutes(window);
        let minute = |(at, log): (i64, LogMinute)| SourceMinute {
            ts_ms: UtcMs::new(at * MINUTE_MS),
            host: Fake::name(&self.fleet.names.hosts, log.host),
            kind: "exim".to_owned(),
            counts: Counts {
                lines: u64::from(log.lines),
                unparsed: u64::from(log.unparsed),
                ..Counts::default()
            },
            heartbeats: 1,
            lag_ms: None,
        };
        Ok(self.logs_of(from, to).map(minute).collect())
    }

    fn coverage(&self, since_ms: UtcMs) -> Result<Vec<Covered>, QueryError> {
        let from = since_ms.minute().get();
        let minute = |(at, log): (i64, LogMinute)| Covered {
            host: Fake::name(&self.fleet.names.hosts, log.host),
            from_ms: UtcMs::new(at * MINUTE_MS),
            to_ms: UtcMs::new(at * MINUTE_MS + MINUTE_MS - 1),
        };
        Ok(self.logs_of(from, i64::MAX).map(minute).collect())
    }

    fn attribution_changes(&self) -> Result<Vec<AttributionChange>, QueryError> {
        Ok(Vec::new())
    }

    fn flow_names(&self, _window: Window) -> Result<[Vec<String>; 3], QueryError> {
        let names = &self.fleet.names;
        Ok([names.services.clone(), names.hostgroups.clone(), names.hosts.clone()])
    }

    fn flows(&self, window: Window, each: &mut dyn FnMut(&FlowBlock)) -> Result<(), QueryError> {
        let (from, to) = minutes(window);
        self.asked.borrow_mut().push(from);
        let mut block = FlowBlock::default();
        let names = &self.fleet.names;
        for (at, flow) in self.flows_of(from, to) {
            let kind = match flow.what {
                FlowKind::Accepted => "accepted",
                FlowKind::Delivered => "delivered",
                FlowKind::Frozen => "frozen",
                FlowKind::Rejected => "rejected",
                FlowKind::SubmitFailed => "submit_failed",
                _ => continue,
            };
            block.ts_ms.push(at * MINUTE_MS);
            for (column, name) in [
                (&mut block.service, Fake::name(&names.services, flow.service)),
                (&mut block.hostgroup, Fake::name(&names.hostgroups, flow.hostgroup)),
                (&mut block.relay, Fake::name(&names.hosts, flow.host)),
                (&mut block.kind, kind.to_owned()),
                (&mut block.origin, "ours".to_owned()),
            ] {
                let code = column.code(&name);
                column.codes.push(code);
            }
            block.first_hop.push(true);
            for counts in [&mut block.messages, &mut block.attempts, &mut block.recipients] {
                counts.push(i64::from(flow.count));
            }
        }
        each(&block);
        Ok(())
    }

    fn witnesses(&self, _window: Window) -> Result<Vec<Table>, QueryError> {
        Ok(Vec::new())
    }

    fn select(&self, _text: &str, _window: Window) -> Result<Table, QueryError> {
        unasked()
    }

    fn look_up(&self, _text: &str, _window: Window, _keys: &[LookupKey]) -> Result<Table, QueryError> {
        unasked()
    }

    fn add_up(&self, _text: &str, _window: Window, _sums: SumsOf) -> Result<Table, QueryError> {
        unasked()
    }

    fn hosts_of_logs(&self) -> Result<Vec<String>, QueryError> {
        Ok(Vec::new())
    }

    fn kinds(&self) -> Result<Vec<(String, String)>, QueryError> {
        unasked()
    }

    fn summaries(&self, _length_ms: i64) -> Result<Vec<SourceSummary>, QueryError> {
        unasked()
    }

    fn mails(&self, _kinds: &[&str], _window: Window, _each: &mut dyn FnMut(MailRow<'_>)) -> Result<(), QueryError> {
        unasked()
    }

    fn stays(
        &self,
        _queue_ids: &HashSet<String>,
        _window: Window,
        _each: &mut dyn FnMut(StayRow<'_>),
    ) -> Result<(), QueryError> {
        unasked()
    }

    fn ask(&self, _text: &str, _window: Window) -> Result<QueryAnswer, QueryError> {
        unasked()
    }

    fn named(
        &self,
        _query: &NamedQuery,
        _values: &[(&'static str, Value)],
        _window: Window,
    ) -> Result<Table, QueryError> {
        unasked()
    }

    fn rates(&self, _question: &RateQuestion) -> Result<SeriesSet, QueryError> {
        unasked()
    }
}

/// The detection does not ask this.
fn unasked<T>() -> Result<T, QueryError> {
    Err(QueryError::Question("unasked".to_owned()))
}

/// 2018-05-07 00:00 UTC, a Monday, in minutes.
pub(super) const MONDAY: i64 = 25_427_520;
/// Minutes of a day.
pub(super) const DAY: i64 = 1440;
/// The relays.
pub(super) const ONE: Id = 0;
pub(super) const TWO: Id = 1;
/// Services, of which the first ones have no way but the first relay, and say when it refuses their mail.
const SERVICES: Id = 6;
const HANGING: Id = 4;

pub(super) struct Dice(pub u64);

impl Dice {
    /// From 0 to 1.
    pub(super) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A fleet of two relays over some days from [`MONDAY`] on; the first takes nothing in `[stop, start)`.
pub(super) fn fleet(seed: u64, days: i64, (stop, start): (i64, i64)) -> Fleet {
    let name = |kind: &str, id: Id| format!("{kind}{id}");
    let names = Names {
        services: (0..SERVICES).map(|id| name("service", id)).collect(),
        hostgroups: (0..SERVICES).map(|id| name("group", id)).collect(),
        hosts: vec!["mx1001".to_owned(), "mx2001".to_owned()],
        ..Names::default()
    };
    let mut dice = Dice(seed);
    let mut minutes = Vec::new();
    for at in MONDAY..MONDAY + days * DAY {
        let is_down = (stop..start).contains(&at);
        let mut flows = Vec::new();
        for service in 0..SERVICES {
            let hour = (at - MONDAY) % DAY / 60;
            let busy = if (7..19).contains(&hour) { 1.4 } else { 0.6 };
            // From two a minute down to one in ten.
            let mut due = busy * 2.0 / f64::from(service * service + 1);
            while dice.unit() < due {
                due -= 1.0;
                let relay = if service < HANGING || dice.unit() < 0.5 {
                    ONE
                } else {
                    TWO
                };
                flows.extend(mail(service, relay, is_down));
            }
        }
        let lines = |host: Id| 3 * flows.iter().filter(|flow| flow.host == host).count() as u32;
        let log = |host: Id| LogMinute {
            host,
            readable: true,
            lines: lines(host),
            unparsed: 0,
        };
        let logs = vec![log(ONE), log(TWO)];
        minutes.push(FleetMinute {
            at: Minute::new(at),
            flows,
            logs,
            ..FleetMinute::default()
        });
    }
    Fleet { names, minutes }
}

/// What becomes of one mail.
fn mail(service: Id, relay: Id, is_down: bool) -> Vec<Flow> {
    let flow = |host, what| Flow {
        service,
        hostgroup: if host == NONE { NONE } else { service },
        host,
        what,
        count: 1,
    };
    if is_down && relay == ONE && service < HANGING {
        return vec![flow(NONE, FlowKind::SubmitFailed)];
    }
    let relay = if is_down { TWO } else { relay };
    vec![flow(relay, FlowKind::Accepted), flow(relay, FlowKind::Delivered)]
}
