//! Who answers: the embedded store, or a ClickHouse that holds what was sent to it. The same questions, the same rows.

use super::history_version::HistoryVersion;
use super::named::{NamedQuery, Value};
use super::rates::{RateQuestion, rates};
use super::series::SeriesSet;
use super::witnesses;
use crate::model::direction::DirectionView;
use crate::model::text::text;
use crate::model::time::{AHEAD_MS, MINUTE_MS, Minute, UtcMs};
use crate::query::answer::{QueryAnswer, QueryError};
use crate::query::coarsest::SumsOf;
use crate::query::embedded::{add_up, ask, look_up, select};
use crate::query::window::Window;
use crate::store::Store;
use crate::store::catalogue::AttributionChange;
use crate::store::catalogue::{ClockDoubt, Covered, SourceMinute};
use crate::store::catalogue::{Counts, OddField, UnparsedShape};
use crate::store::clickhouse::ClickHouseClient;
use crate::store::columnar::{
    FlowBlock, FlowGrain, LookupKey, MailKinds, MailRow, StayRow, Table, mails_between, read_flows, read_mail_flows,
    read_names, stays_between,
};
use crate::store::retention::horizon_ms;
use crate::store::segments::SegmentPart;
use std::collections::{BTreeSet, HashSet};
use std::path::Path;

/// What is known of a source, wherever it was read.
#[derive(Debug, Clone)]
pub struct SourceSummary {
    /// Host.
    pub host: String,
    /// Kind of source.
    pub kind: String,
    /// Lines and what became of them.
    pub counts: Counts,
    /// First and last line; on a server, of their minutes.
    pub span_ms: Option<(UtcMs, UtcMs)>,
    /// The newest minutes with their lines, oldest first.
    pub minutes: Vec<(UtcMs, Counts)>,
    /// What only the store of the host that reads knows.
    pub local: Option<LocalSource>,
}

/// What the reading host's own store knows of a source beyond its lines.
#[derive(Debug, Clone)]
pub struct LocalSource {
    /// Logs.
    pub logs: u64,
    /// What is wrong with those that are damaged.
    pub damaged: Vec<String>,
    /// Lines that came twice, and counted once.
    pub duplicates: u64,
    /// The log that most of them stand in.
    pub twice_in: Option<String>,
    /// Messages that are in the queue, as far as the logs say.
    pub open_messages: u64,
    /// When something of it was last committed.
    pub read_ms: Option<UtcMs>,
    /// Shapes of lines that did not parse, the most frequent first.
    pub shapes: Vec<UnparsedShape>,
    /// Fields that were left out of lines, the most frequent first.
    pub odd_fields: Vec<OddField>,
    /// Logs that wait, because their lines make this machine's clock doubtful.
    pub clock_doubts: Vec<ClockDoubt>,
}

/// Shapes of unparsed lines that a summary has.
const SHAPES: usize = 5;

/// A history of mail.
pub trait MailHistory {
    /// Which mail the detection judges, and what is asked about its alarms.
    fn view(&self) -> DirectionView {
        DirectionView::Outbound
    }

    /// Which history it is: what was judged of one says nothing of another.
    fn identity(&self) -> Result<String, QueryError>;

    /// What the minutes of a window are like now.
    fn version(&self, window: Window) -> Result<HistoryVersion, QueryError>;

    /// The first of the minutes `[from, to)` of which rows came or changed since that version.
    fn first_change(&self, version: &HistoryVersion, from: Minute, to: Minute) -> Result<Option<Minute>, QueryError>;

    /// The newest event in a window; on a server, its minute. It reads no row before the window.
    fn newest(&self, window: Window) -> Result<Option<UtcMs>, QueryError>;

    /// Bytes that it takes on disk, as far as that is known.
    fn bytes(&self) -> Result<Option<u64>, QueryError>;

    /// Hosts whose logs were read in a window at least, by name; a backend that knows them all without reading may name all.
    fn hosts_in(&self, window: Window) -> Result<Vec<String>, QueryError>;

    /// First and last event not later than `until_ms`; on a server, of their minutes.
    fn span(&self, until_ms: UtcMs) -> Result<Option<(UtcMs, UtcMs)>, QueryError>;

    /// The newest minute from `since_ms` to `until_ms` in which a line was written, event or not: its start.
    fn line_ms(&self, since_ms: UtcMs, until_ms: UtcMs) -> Result<Option<UtcMs>, QueryError>;

    /// The newest minute from `since_ms` to `until_ms` in which a tail said that it had read all there was: its start.
    fn heartbeat_ms(&self, since_ms: UtcMs, until_ms: UtcMs) -> Result<Option<UtcMs>, QueryError>;

    /// A moment that is past for sure, whatever a clock says; where nobody keeps one, none.
    fn horizon_ms(&self) -> Result<Option<UtcMs>, QueryError>;

    /// Hosts whose logs were read, by name.
    fn hosts(&self) -> Result<Vec<String>, QueryError>;

    /// Hosts whose lines stand in another host's log, as far as that is known; a server does not know it.
    fn hosts_of_logs(&self) -> Result<Vec<String>, QueryError>;

    /// Hosts and kinds of their sources.
    fn kinds(&self) -> Result<Vec<(String, String)>, QueryError>;

    /// All sources, with the minutes of their last `length_ms`.
    fn summaries(&self, length_ms: i64) -> Result<Vec<SourceSummary>, QueryError>;

    /// Lines per host, source and minute.
    fn source_minutes(&self, window: Window) -> Result<Vec<SourceMinute>, QueryError>;

    /// From when to when the logs of each host were read.
    fn coverage(&self, since_ms: UtcMs) -> Result<Vec<Covered>, QueryError>;

    /// Changes of attribution, in the order of their commits; a server keeps none.
    fn attribution_changes(&self) -> Result<Vec<AttributionChange>, QueryError>;

    /// Names of services, hostgroups and relays in the rates of a window, each once.
    fn flow_names(&self, window: Window) -> Result<[Vec<String>; 3], QueryError>;

    /// Rates of a window, a part at a time.
    fn flows(&self, window: Window, each: &mut dyn FnMut(&FlowBlock)) -> Result<(), QueryError>;

    /// The same of some kinds of mail: rates of others may be left out. Where minutes do not matter, those of a day may be summed
    /// up in one.
    fn mail_flows(
        &self,
        window: Window,
        _wanted: (FlowGrain, MailKinds),
        each: &mut dyn FnMut(&FlowBlock),
    ) -> Result<(), QueryError> {
        self.flows(window, each)
    }

    /// What events of one host tell of another, by minute, in a window of whole minutes: tables of `minute`, `service`, `host`,
    /// `remote_host`, `kind` and `times`.
    fn witnesses(&self, window: Window) -> Result<Vec<Table>, QueryError>;

    /// Shows the events of some kinds in a window, in no order.
    fn mails(&self, kinds: &[&str], window: Window, each: &mut dyn FnMut(MailRow<'_>)) -> Result<(), QueryError>;

    /// Shows the rows of some queue IDs, on any host, in a window, in no order.
    fn stays(
        &self,
        queue_ids: &HashSet<String>,
        window: Window,
        each: &mut dyn FnMut(StayRow<'_>),
    ) -> Result<(), QueryError>;

    /// Runs one SELECT of ours over a window.
    fn select(&self, text: &str, window: Window) -> Result<Table, QueryError>;

    /// Runs one SELECT of ours that asks for nothing but rows with one of some keys.
    fn look_up(&self, text: &str, window: Window, keys: &[LookupKey]) -> Result<Table, QueryError>;

    /// Runs one SELECT of ours that adds up what `sums` says, from the coarsest roll-ups that give the same answer.
    fn add_up(&self, text: &str, window: Window, sums: SumsOf) -> Result<Table, QueryError>;

    /// Runs one SELECT of a user's: parsed and rewritten first, whoever answers.
    fn ask(&self, text: &str, window: Window) -> Result<QueryAnswer, QueryError>;

    /// Runs a named query.
    fn named(&self, query: &NamedQuery, values: &[(&'static str, Value)], window: Window) -> Result<Table, QueryError>;

    /// SumsOf per bucket, in the question's measure.
    fn rates(&self, question: &RateQuestion) -> Result<SeriesSet, QueryError>;
}

impl MailHistory for Store {
    fn identity(&self) -> Result<String, QueryError> {
        Ok(Store::identity(self)?)
    }

    fn version(&self, _window: Window) -> Result<HistoryVersion, QueryError> {
        let newest = self.changed_minutes().newest()?;
        Ok(HistoryVersion::Commits(vec![(Minute::MIN, newest)]))
    }

    fn first_change(&self, version: &HistoryVersion, from: Minute, to: Minute) -> Result<Option<Minute>, QueryError> {
        let HistoryVersion::Commits(known) = version else {
            return Ok(Some(from));
        };
        let changes = self.changed_minutes();
        // A catalogue that has seen less than whoever read it is an older one.
        let newest = changes.newest()?;
        if known.iter().any(|(_, number)| *number > newest) {
            return Ok(Some(from));
        }
        let ends = known.iter().skip(1).map(|(begin, _)| *begin).chain([Minute::MAX]);
        for ((begin, number), end) in known.iter().zip(ends) {
            if let Some(first) = changes.first_since(*number, from.max(*begin), to.min(end))? {
                return Ok(Some(first));
            }
        }
        Ok(None)
    }

    fn newest(&self, window: Window) -> Result<Option<UtcMs>, QueryError> {
        let span = Store::coverage(self).span_until(window.until_ms.saturating_sub(1))?;
        Ok(span.map(|(_, last)| last).filter(|last| *last >= window.since_ms))
    }

    fn bytes(&self) -> Result<Option<u64>, QueryError> {
        let segments = self.segments().all()?;
        Ok(Some(
            segments.iter().map(|one| one.events_bytes + one.rates_bytes).sum(),
        ))
    }

    fn hosts_in(&self, _window: Window) -> Result<Vec<String>, QueryError> {
        MailHistory::hosts(self)
    }

    fn span(&self, until_ms: UtcMs) -> Result<Option<(UtcMs, UtcMs)>, QueryError> {
        Ok(Store::coverage(self).span_until(until_ms)?)
    }

    fn line_ms(&self, since_ms: UtcMs, until_ms: UtcMs) -> Result<Option<UtcMs>, QueryError> {
        let line = Store::coverage(self).line_ms(until_ms)?;
        Ok(line.filter(|line| *line >= since_ms))
    }

    fn heartbeat_ms(&self, since_ms: UtcMs, until_ms: UtcMs) -> Result<Option<UtcMs>, QueryError> {
        let beat = Store::coverage(self).heartbeat_ms(until_ms)?;
        Ok(beat.filter(|beat| *beat >= since_ms))
    }

    fn horizon_ms(&self) -> Result<Option<UtcMs>, QueryError> {
        Ok(horizon_ms(self)?)
    }

    fn hosts(&self) -> Result<Vec<String>, QueryError> {
        Ok(self.positions().hosts()?)
    }

    fn hosts_of_logs(&self) -> Result<Vec<String>, QueryError> {
        Ok(self.positions().hosts_of_logs()?)
    }

    fn kinds(&self) -> Result<Vec<(String, String)>, QueryError> {
        let sources = self.positions().sources()?.into_iter();
        Ok(sources.map(|source| (source.host, source.kind)).collect())
    }

    fn summaries(&self, length_ms: i64) -> Result<Vec<SourceSummary>, QueryError> {
        let summary = |source: crate::store::catalogue::SourceState| {
            let mut counts = Counts::default();
            source.logs.iter().for_each(|log| counts.add(&log.counts));
            // A host that other logs' lines name has lines and no logs.
            let own = match source.logs.is_empty() {
                true => Store::coverage(self).sum_of(source.id)?,
                false => None,
            };
            if let Some((own, _)) = &own {
                counts.add(own);
            }
            let own_span = own.map(|(_, span)| span);
            let spans = || source.logs.iter().filter_map(|log| log.span_ms);
            let damaged = source.logs.iter().filter_map(|log| log.damaged.clone());
            let twice = source.logs.iter().filter(|log| log.counts.duplicates > 0);
            let twice = twice.max_by_key(|log| log.counts.duplicates);
            Ok(SourceSummary {
                counts,
                span_ms: spans()
                    .map(|span| span.0)
                    .min()
                    .zip(spans().map(|span| span.1).max())
                    .or(own_span),
                minutes: Store::coverage(self).minutes_of(source.id, length_ms)?,
                local: Some(LocalSource {
                    logs: source.logs.len() as u64,
                    damaged: damaged.collect(),
                    duplicates: counts.duplicates,
                    twice_in: twice.map(|log| text(&log.path)),
                    open_messages: source.open_messages,
                    read_ms: source.read_ms,
                    shapes: self.samples().unparsed(source.id, SHAPES)?,
                    odd_fields: self.samples().odd_fields(source.id)?,
                    clock_doubts: self.positions().clock_doubts(source.id)?,
                }),
                host: source.host,
                kind: source.kind,
            })
        };
        self.positions().sources()?.into_iter().map(summary).collect()
    }

    fn source_minutes(&self, window: Window) -> Result<Vec<SourceMinute>, QueryError> {
        Ok(Store::coverage(self).minutes(window.since_ms, window.until_ms)?)
    }

    fn coverage(&self, since_ms: UtcMs) -> Result<Vec<Covered>, QueryError> {
        Ok(Store::coverage(self).stretches(since_ms)?)
    }

    fn attribution_changes(&self) -> Result<Vec<AttributionChange>, QueryError> {
        Ok(self.attribution().changes()?)
    }

    fn flow_names(&self, window: Window) -> Result<[Vec<String>; 3], QueryError> {
        let mut all: [BTreeSet<String>; 3] = Default::default();
        for segment in self.segments().to_read(window.since_ms, window.until_ms)? {
            for (all, column) in all.iter_mut().zip(["service", "hostgroup", "relay"]) {
                let names = self
                    .segments()
                    .read_part(&segment, SegmentPart::Rates, |path| read_names(path, column));
                all.extend(names?.unwrap_or_default());
            }
        }
        Ok(all.map(|names| names.into_iter().collect()))
    }

    fn flows(&self, window: Window, each: &mut dyn FnMut(&FlowBlock)) -> Result<(), QueryError> {
        for segment in self.segments().to_read(window.since_ms, window.until_ms)? {
            if let Some(block) = self.segments().read_part(&segment, SegmentPart::Rates, read_flows)? {
                each(&block);
            }
        }
        Ok(())
    }

    fn mail_flows(
        &self,
        window: Window,
        (grain, kinds): (FlowGrain, MailKinds),
        each: &mut dyn FnMut(&FlowBlock),
    ) -> Result<(), QueryError> {
        for segment in self.segments().to_read(window.since_ms, window.until_ms)? {
            let is_inside = window.since_ms <= segment.first_ms && segment.last_ms < window.until_ms;
            let grain = if is_inside { grain } else { FlowGrain::Minutes };
            let read = |path: &Path| read_mail_flows(path, grain, kinds);
            if let Some(block) = self.segments().read_part(&segment, SegmentPart::Rates, read)? {
                each(&block);
            }
        }
        Ok(())
    }

    fn witnesses(&self, window: Window) -> Result<Vec<Table>, QueryError> {
        let ask = |text| add_up(self, text, window, SumsOf::Witnesses);
        witnesses::OF_EVENTS.into_iter().map(ask).collect()
    }

    fn mails(&self, kinds: &[&str], window: Window, each: &mut dyn FnMut(MailRow<'_>)) -> Result<(), QueryError> {
        let span_ms = window.since_ms..window.until_ms;
        for segment in self.segments().to_read(window.since_ms, window.until_ms)? {
            self.segments().read_part(&segment, SegmentPart::Events, |path| {
                mails_between(path, kinds, span_ms.clone(), each)
            })?;
        }
        Ok(())
    }

    fn stays(
        &self,
        queue_ids: &HashSet<String>,
        window: Window,
        each: &mut dyn FnMut(StayRow<'_>),
    ) -> Result<(), QueryError> {
        let span_ms = window.since_ms..window.until_ms;
        for segment in self.segments().to_read(window.since_ms, window.until_ms)? {
            self.segments().read_part(&segment, SegmentPart::Events, |path| {
                stays_between(path, queue_ids, span_ms.clone(), each)
            })?;
        }
        Ok(())
    }

    fn select(&self, text: &str, window: Window) -> Result<Table, QueryError> {
        select(self, text, window)
    }

    fn look_up(&self, text: &str, window: Window, keys: &[LookupKey]) -> Result<Table, QueryError> {
        look_up(self, text, window, keys)
    }

    fn add_up(&self, text: &str, window: Window, sums: SumsOf) -> Result<Table, QueryError> {
        add_up(self, text, window, sums)
    }

    fn ask(&self, text: &str, window: Window) -> Result<QueryAnswer, QueryError> {
        ask(self, text, window)
    }

    fn named(&self, query: &NamedQuery, values: &[(&'static str, Value)], window: Window) -> Result<Table, QueryError> {
        match query.sums(values) {
            Some(sums) => add_up(self, &query.bind(values), window, sums),
            None => select(self, &query.bind(values), window),
        }
    }

    fn rates(&self, question: &RateQuestion) -> Result<SeriesSet, QueryError> {
        rates(self, question)
    }
}

/// The latest moment up to which a history is believed, by a clock that says `now_ms`: one row with a wrong date must not
/// be the present. Nor may a wrong clock be: it is not before what the store has counted, and where all that is stored
/// is in its future, the rows are right.
pub fn present(store: &dyn MailHistory, now_ms: UtcMs) -> Result<UtcMs, QueryError> {
    let now_ms = now_ms.max(store.horizon_ms()?.unwrap_or(UtcMs::MIN));
    Ok(match store.span(UtcMs::MAX)? {
        Some((first, last)) if first > now_ms.saturating_add(AHEAD_MS) => last + MINUTE_MS,
        _ => now_ms,
    })
}

/// Whichever the configuration or `--store` names.
pub enum Backend {
    /// Segments on this disk.
    Embedded(Box<Store>),
    /// A server.
    ClickHouse(Box<ClickHouseClient>),
}

impl Backend {
    /// What answers.
    pub fn history(&self) -> &dyn MailHistory {
        match self {
            Backend::Embedded(store) => store.as_ref(),
            Backend::ClickHouse(client) => client.as_ref(),
        }
    }
}
