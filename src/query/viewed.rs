//! A history of which other mail than ours that leaves is judged: `--direction` of `detect` and `incident`.

use super::history::{MailHistory, SourceSummary};
use super::history_version::HistoryVersion;
use super::named::{NamedQuery, Value};
use super::rates::RateQuestion;
use super::series::SeriesSet;
use crate::model::direction::DirectionView;
use crate::model::time::{Minute, UtcMs};
use crate::query::answer::{QueryAnswer, QueryError};
use crate::query::coarsest::SumsOf;
use crate::query::window::Window;
use crate::store::catalogue::AttributionChange;
use crate::store::catalogue::{Covered, SourceMinute};
use crate::store::columnar::{FlowBlock, FlowGrain, LookupKey, MailKinds, MailRow, StayRow, Table};
use std::collections::HashSet;

/// Another history, with a view.
pub struct ViewedHistory<'h> {
    /// What answers.
    pub inner: &'h dyn MailHistory,
    /// Which mail is judged.
    pub view: DirectionView,
}

impl MailHistory for ViewedHistory<'_> {
    fn view(&self) -> DirectionView {
        self.view
    }

    /// What was judged of some mail says nothing of other mail.
    fn identity(&self) -> Result<String, QueryError> {
        let inner = self.inner.identity()?;
        Ok(match self.view {
            DirectionView::Outbound => inner,
            view => format!("{inner} {}", view.as_str()),
        })
    }

    fn version(&self, window: Window) -> Result<HistoryVersion, QueryError> {
        self.inner.version(window)
    }

    fn first_change(&self, version: &HistoryVersion, from: Minute, to: Minute) -> Result<Option<Minute>, QueryError> {
        self.inner.first_change(version, from, to)
    }

    fn newest(&self, window: Window) -> Result<Option<UtcMs>, QueryError> {
        self.inner.newest(window)
    }

    fn bytes(&self) -> Result<Option<u64>, QueryError> {
        self.inner.bytes()
    }

    fn hosts_in(&self, window: Window) -> Result<Vec<String>, QueryError> {
        self.inner.hosts_in(window)
    }

    fn span(&self, until_ms: UtcMs) -> Result<Option<(UtcMs, UtcMs)>, QueryError> {
        self.inner.span(until_ms)
    }

    fn line_ms(&self, since_ms: UtcMs, until_ms: UtcMs) -> Result<Option<UtcMs>, QueryError> {
        self.inner.line_ms(since_ms, until_ms)
    }

    fn heartbeat_ms(&self, since_ms: UtcMs, until_ms: UtcMs) -> Result<Option<UtcMs>, QueryError> {
        self.inner.heartbeat_ms(since_ms, until_ms)
    }

    fn horizon_ms(&self) -> Result<Option<UtcMs>, QueryError> {
        self.inner.horizon_ms()
    }

    fn hosts(&self) -> Result<Vec<String>, QueryError> {
        self.inner.hosts()
    }

    fn hosts_of_logs(&self) -> Result<Vec<String>, QueryError> {
        self.inner.hosts_of_logs()
    }

    fn kinds(&self) -> Result<Vec<(String, String)>, QueryError> {
        self.inner.kinds()
    }

    fn summaries(&self, length_ms: i64) -> Result<Vec<SourceSummary>, QueryError> {
        self.inner.summaries(length_ms)
    }

    fn source_minutes(&self, window: Window) -> Result<Vec<SourceMinute>, QueryError> {
        self.inner.source_minutes(window)
    }

    fn coverage(&self, since_ms: UtcMs) -> Result<Vec<Covered>, QueryError> {
        self.inner.coverage(since_ms)
    }

    fn attribution_changes(&self) -> Result<Vec<AttributionChange>, QueryError> {
        self.inner.attribution_changes()
    }

    fn flow_names(&self, window: Window) -> Result<[Vec<String>; 3], QueryError> {
        self.inner.flow_names(window)
    }

    fn flows(&self, window: Window, each: &mut dyn FnMut(&FlowBlock)) -> Result<(), QueryError> {
        self.inner.flows(window, each)
    }

    fn mail_flows(
        &self,
        window: Window,
        wanted: (FlowGrain, MailKinds),
        each: &mut dyn FnMut(&FlowBlock),
    ) -> Result<(), QueryError> {
        self.inner.mail_flows(window, wanted, each)
    }

    fn witnesses(&self, window: Window) -> Result<Vec<Table>, QueryError> {
        self.inner.witnesses(window)
    }

    fn mails(&self, kinds: &[&str], window: Window, each: &mut dyn FnMut(MailRow<'_>)) -> Result<(), QueryError> {
        self.inner.mails(kinds, window, each)
    }

    fn stays(
        &self,
        queue_ids: &HashSet<String>,
        window: Window,
        each: &mut dyn FnMut(StayRow<'_>),
    ) -> Result<(), QueryError> {
        self.inner.stays(queue_ids, window, each)
    }

    fn select(&self, text: &str, window: Window) -> Result<Table, QueryError> {
        self.inner.select(text, window)
    }

    fn look_up(&self, text: &str, window: Window, keys: &[LookupKey]) -> Result<Table, QueryError> {
        self.inner.look_up(text, window, keys)
    }

    fn add_up(&self, text: &str, window: Window, sums: SumsOf) -> Result<Table, QueryError> {
        self.inner.add_up(text, window, sums)
    }

    fn ask(&self, text: &str, window: Window) -> Result<QueryAnswer, QueryError> {
        self.inner.ask(text, window)
    }

    fn named(&self, query: &NamedQuery, values: &[(&'static str, Value)], window: Window) -> Result<Table, QueryError> {
        self.inner.named(query, values, window)
    }

    fn rates(&self, question: &RateQuestion) -> Result<SeriesSet, QueryError> {
        self.inner.rates(question)
    }
}
