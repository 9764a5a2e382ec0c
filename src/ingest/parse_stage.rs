//! The parse stage: lines → records → events → sealed batches, with everything that a commit needs beside them.

use super::accounting::{Doubt, LineAccounting};
use super::commit_stage::PendingCommit;
use super::host_streams::{HostStream, HostStreams};
use super::open_log::OpenLog;
use super::read_stage::ReadItem;
use super::readers::{LogReader, ParseContext};
use super::report::{Problem, SourceReport};
use super::spec::Spec;
use crate::model::queue_id::QueueId;
use crate::model::time::UtcMs;
use crate::normalise::join::{OpenRecord, Recall};
use crate::normalise::messages::Messages;
use crate::source::Chunk;
use crate::source::chunks::GapKind;
use crate::store::batch::{Batch, SealedBatch};
use crate::store::batch::{Repeats, WantedRows};
use crate::store::catalogue::{Counts, LogState};
use crate::store::segments::StoredEvents;
use std::sync::Arc;

/// Turns what was read of one source into pending commits.
pub(crate) struct ParseStage<'c, R: Recall> {
    reader: LogReader<'c>,
    recall: R,
    accounting: LineAccounting,
    log: Option<Box<OpenLog>>,
    /// Rows that a batch has room for.
    room: usize,
    /// What the log that was closed last says of the clock.
    doubt: Option<Doubt>,
    /// Lines of the report that were sealed.
    sealed: Counts,
    /// How the log in hand is read.
    spec: Arc<Spec>,
    /// The clock, UTC milliseconds, as of the round.
    now_ms: UtcMs,
    /// Hosts that lines name.
    hosts: Option<HostStreams<'c, R>>,
}

impl<'c, R: Recall> ParseStage<'c, R> {
    /// Of one host's logs; `spec` says how the first of them is read.
    pub(super) fn new(messages: Messages<'c>, recall: R, spec: &Arc<Spec>) -> Self {
        ParseStage {
            accounting: LineAccounting::new(&messages.host, spec.kind, messages.attribution.redactor.clone()),
            reader: LogReader::new(messages, spec),
            spec: Arc::clone(spec),
            now_ms: UtcMs::new(0),
            hosts: None,
            recall,
            log: None,
            room: 0,
            doubt: None,
            sealed: Counts::default(),
        }
    }

    /// From now on only these rows are added.
    pub(super) fn only(&mut self, wanted: &Arc<WantedRows>) {
        self.accounting.batch.wanted = Some(Arc::clone(wanted));
    }

    /// Lines may name other hosts: these are told apart.
    pub(super) fn set_hosts(&mut self, hosts: HostStreams<'c, R>) {
        self.hosts = Some(hosts);
    }

    /// What was wrong with the store when a line named a new host.
    pub(super) fn take_trouble(&mut self) -> Option<crate::store::StoreError> {
        self.hosts.as_mut().and_then(HostStreams::take_trouble)
    }

    fn streams(&self) -> &[HostStream<'c, R>] {
        self.hosts.as_ref().map(HostStreams::all).unwrap_or_default()
    }

    fn streams_mut(&mut self) -> &mut [HostStream<'c, R>] {
        self.hosts.as_mut().map(HostStreams::all_mut).unwrap_or_default()
    }

    /// How the next logs are read.
    pub(crate) fn set_spec(&mut self, spec: &Arc<Spec>) {
        self.reader.set_spec(spec);
        self.spec = Arc::clone(spec);
        self.streams_mut()
            .iter_mut()
            .for_each(|stream| stream.reader.set_spec(spec));
    }

    /// Whether the batch should be sealed. Not inside a record of several lines: a kill would lose those that are
    /// read; and not behind lines that may have to wait for the clock. Twice the size is the end of patience with a
    /// record that nobody finishes.
    pub(super) fn is_full(&self, rows_max: usize, bytes_max: usize) -> bool {
        let batch = &self.accounting.batch;
        let (mut rows, mut bytes) = (batch.len(), batch.memory());
        if let Some(hosts) = &self.hosts {
            let (more_rows, more_bytes) = hosts.waiting();
            (rows, bytes) = (rows.max(more_rows), bytes + more_bytes);
        }
        let reached = |times: usize| rows >= times * rows_max || bytes >= times * bytes_max;
        let waits = self.is_inside();
        reached(1) && (!waits || reached(2))
    }

    /// Makes room for so many rows, in this batch and those to come.
    pub(crate) fn make_room(&mut self, rows: usize) {
        self.room = rows;
        self.accounting.batch.reserve(rows);
    }

    /// Whether the end of a record has not been read yet, or lines may have to wait for the clock.
    pub(super) fn is_inside(&self) -> bool {
        let undecided = |stream: &HostStream<'_, R>| stream.accounting.is_undecided();
        self.reader.is_inside() || self.accounting.is_undecided() || self.streams().iter().any(undecided)
    }

    /// A round begins: what time it is.
    pub(crate) fn set_now(&mut self, now_ms: UtcMs) {
        self.accounting.set_now(now_ms);
        self.now_ms = now_ms;
        self.streams_mut()
            .iter_mut()
            .for_each(|stream| stream.accounting.set_now(now_ms));
    }

    /// Whether the log that was just closed makes the clock doubtful. Then nothing since the last commit may be committed.
    pub(crate) fn take_doubt(&mut self) -> Option<Doubt> {
        self.doubt.take()
    }

    /// The same of a journal that was read to its end.
    pub(crate) fn doubt_of_journal(&self, path: &[u8]) -> Option<Doubt> {
        let of_streams = || {
            self.streams()
                .iter()
                .find_map(|stream| stream.accounting.doubt_of_any(path))
        };
        self.accounting.doubt_of_any(path).or_else(of_streams)
    }

    /// What other hosts' logs told of an open message; everything must be committed.
    pub(super) fn relink(&mut self, id: &QueueId, record: &OpenRecord) {
        self.reader.messages_mut().relink(id, record);
    }

    /// The same of a message of another host that lines name, by the number of its source.
    pub(crate) fn relink_other(&mut self, source: i64, id: &QueueId, record: &OpenRecord) {
        if let Some(hosts) = &mut self.hosts {
            hosts.relink(source, id, record);
        }
    }

    /// Puts back lines of which an earlier life had read some pieces.
    pub(crate) fn reopen_split_lines(&mut self, stored: &str) -> Result<(), crate::store::StoreError> {
        Ok(self.reader.reopen_split_lines(stored)?)
    }

    /// The log in hand.
    pub(super) fn log(&self) -> Option<&OpenLog> {
        self.log.as_deref()
    }

    /// Logs that were read and closed since the last commit.
    pub(super) fn touched(&self) -> &[LogState] {
        &self.accounting.touched
    }

    /// Whether rows wait to be committed, or what was read of other logs than the one in hand.
    pub(super) fn has_rows(&self) -> bool {
        let waits = |stream: &HostStream<'_, R>| !stream.accounting.batch.is_empty();
        !self.accounting.batch.is_empty() || !self.accounting.touched.is_empty() || self.streams().iter().any(waits)
    }

    /// Events of other logs that the log in hand may repeat, until it is closed.
    pub(super) fn compare(&mut self, known: Option<StoredEvents>) {
        self.accounting.batch.known = known.map(|known| Box::new(known) as Box<dyn Repeats>);
    }

    /// Whether something waits to be committed.
    pub(crate) fn has_news(&self) -> bool {
        self.has_rows() || self.log.is_some()
    }

    /// Whether memory should be trimmed at the next moment when everything is committed.
    pub(crate) fn wants_trim(&self, open_max: usize) -> bool {
        let readers = self.streams().iter().map(|stream| &stream.reader);
        std::iter::once(&self.reader)
            .chain(readers)
            .any(|reader| reader.messages().wants_trim(open_max))
    }

    /// Trims memory; everything must be committed.
    pub(super) fn trim(&mut self, open_max: usize) {
        self.reader.messages_mut().trim(open_max);
        self.streams_mut()
            .iter_mut()
            .for_each(|stream| stream.reader.messages_mut().trim(open_max));
    }

    /// Takes what was read.
    pub(super) fn item(&mut self, item: ReadItem) {
        match item {
            ReadItem::Open(log) => {
                self.accounting.report.files_read += 1;
                self.accounting.begin(&log.state);
                self.accounting.batch.set_log(log.state.log_id);
                self.accounting.batch.known = None;
                self.reader.open(&log);
                if log.by_line {
                    self.streams_mut().iter_mut().for_each(|stream| stream.begin(&log));
                }
                self.log = Some(log);
            }
            ReadItem::Chunk(chunk, position) => {
                self.chunk(&chunk);
                if let Some(log) = &mut self.log {
                    log.position = *position;
                }
            }
            ReadItem::Close {
                complete,
                damaged,
                live,
            } => self.close(complete, damaged, live),
            ReadItem::Known => self.accounting.report.files_known += 1,
            ReadItem::Empty => self.accounting.report.files_empty += 1,
            ReadItem::Problem(problem) => self.accounting.report.problems.push(problem),
        }
    }

    fn chunk(&mut self, chunk: &Chunk) {
        let Some(mut log) = self.log.take() else { return };
        match &mut self.hosts {
            Some(hosts) if log.by_line => {
                let own = (&mut self.reader, &mut self.recall, &mut self.accounting);
                hosts.chunk(own, &mut log, (&self.spec, self.now_ms), chunk);
            }
            _ => {
                let mut context = ParseContext::new(&mut self.recall, &mut self.accounting, &mut log.state);
                self.reader.chunk(&mut context, &log.form, &log.position, chunk);
            }
        }
        self.accounting.report.overlong_lines += chunk.overlong_lines() as u64;
        let skipped = chunk.skipped(GapKind::Overlong) + chunk.skipped(GapKind::Nul);
        self.accounting.report.skipped_bytes += skipped;
        log.state.skipped_bytes += skipped;
        self.log = Some(log);
    }

    /// Something to tell.
    pub(super) fn problem(&mut self, problem: Problem) {
        self.accounting.report.problems.push(problem);
    }

    /// Takes entries of a journal. Gives the log's state after them; it belongs to the next commit.
    pub(crate) fn journal_entries(&mut self, log: OpenLog, chunk: &Chunk) -> LogState {
        self.accounting.begin(&log.state);
        self.accounting.batch.set_log(log.state.log_id);
        if log.by_line {
            self.streams_mut().iter_mut().for_each(|stream| stream.begin(&log));
        }
        self.log = Some(Box::new(log));
        self.chunk(chunk);
        let Some(mut log) = self.log.take() else {
            unreachable!("a chunk leaves the log open")
        };
        self.widen(log.state.span_ms);
        log.state.ahead = self.accounting.ahead();
        self.accounting.touch(&log);
        log.state
    }

    /// The state of a journal's log belongs to the next commit.
    pub(crate) fn journal_state(&mut self, log: &OpenLog) {
        self.accounting.touch(log);
    }

    /// The journal has been read to its end.
    pub(crate) fn journal_done(&mut self, last: Option<OpenLog>, new: bool) {
        if let Some(mut log) = last {
            self.reader
                .close(&mut self.recall, &mut self.accounting, &mut log, true);
        }
        let report = &mut self.accounting.report;
        if new {
            report.files_read += 1;
        } else {
            report.files_known += 1;
        }
    }

    fn close(&mut self, complete: bool, damaged: Option<String>, live: bool) {
        let Some(mut log) = self.log.take() else { return };
        log.position.complete = complete;
        log.state.damaged = damaged;
        self.reader
            .close(&mut self.recall, &mut self.accounting, &mut log, live);
        if log.by_line {
            for stream in self.streams_mut() {
                let HostStream {
                    reader,
                    recall,
                    accounting,
                    ..
                } = stream;
                reader.close(recall, accounting, &mut log, live);
            }
        }
        self.accounting.batch.known = None;
        self.widen(log.state.span_ms);
        let of_streams = || {
            self.streams()
                .iter()
                .find_map(|stream| stream.accounting.doubt(&log.state))
        };
        self.doubt = self.accounting.doubt(&log.state).or_else(of_streams);
        self.accounting.touch(&log);
    }

    /// The end of a family of logs: what no further file continues is finished.
    pub(crate) fn family_done(&mut self) {
        self.reader.finish(&mut self.recall, &mut self.accounting);
    }

    fn widen(&mut self, span_ms: Option<(UtcMs, UtcMs)>) {
        if let Some((first, last)) = span_ms {
            let report = &mut self.accounting.report;
            let (from, to) = report.span_ms.unwrap_or((first, last));
            report.span_ms = Some((from.min(first), to.max(last)));
        }
    }

    /// Everything since the last call, as one commit. `sequence` must be new; `used` is a batch whose memory
    /// is to be used again.
    pub(crate) fn seal(&mut self, sequence: u32, used: Option<SealedBatch>) -> PendingCommit {
        if let Some(mut log) = self.log.take() {
            // A record that is still open belongs to this commit: its lines are behind the position.
            let mut context = ParseContext::new(&mut self.recall, &mut self.accounting, &mut log.state);
            self.reader.before_seal(&mut context);
            self.accounting.touch(&log);
            self.log = Some(log);
        }
        let (used, mut origins) = used.map_or_else(Default::default, |used| (Some(used.batch), used.origins));
        let mut next = Batch::new(sequence, used);
        next.reserve(self.room.max(self.accounting.batch.len()));
        next.wanted.clone_from(&self.accounting.batch.wanted);
        let mut batch = std::mem::replace(&mut self.accounting.batch, next);
        self.accounting.batch.known = batch.known.take();
        batch.settle();
        if let Some(log) = &self.log {
            self.accounting.batch.set_log(log.state.log_id);
        }
        self.accounting.commit_recent();
        self.sealed = self.accounting.report.counts;
        let minutes = self.accounting.take_minutes();
        self.reader.messages().attributor.origins.write_table(&mut origins);
        let mut unparsed = self.accounting.shapes.take();
        let mut odd_fields = self.accounting.odd.take();
        for stream in self.streams_mut() {
            unparsed.extend(stream.accounting.shapes.take());
            odd_fields.extend(stream.accounting.odd.take());
        }
        merge_shapes(&mut self.accounting.report, &unparsed);
        self.tell_refused();
        let others = self.hosts.as_mut().map_or_else(Vec::new, |hosts| hosts.seal(sequence));
        PendingCommit {
            sealed: SealedBatch {
                batch,
                origins,
                host: self.accounting.report.host.clone(),
                source: self.accounting.report.kind,
                relay: self.reader.relay(),
                providers: self.reader.messages_mut().attribution.providers.clone(),
            },
            logs: std::mem::take(&mut self.accounting.touched),
            minutes,
            changes: self.reader.messages_mut().changes(),
            unparsed,
            odd_fields,
            split_lines: self.reader.take_split_lines(),
            others,
        }
    }

    /// Says how many lines named hosts for which there was no more room.
    fn tell_refused(&mut self) {
        let refused = self.hosts.as_mut().map_or(0, HostStreams::take_refused);
        let (Some(hosts), true) = (&self.spec.line_hosts, refused > 0) else {
            return;
        };
        let path = self.log.as_ref().map(|log| log.path.clone()).unwrap_or_default();
        let what = format!(
            "names more than {} hosts: the lines of further ones are read as {}'s. Raise `hosts_max` in [store] if they \
             are real; else name the host of this log",
            hosts.max, self.accounting.report.host
        );
        self.problem(Problem {
            path,
            what,
            error: false,
        });
    }

    /// Lines of the report that were sealed.
    pub(crate) fn sealed(&self) -> Counts {
        self.sealed
    }

    /// What there is to tell since the last call.
    pub(super) fn take_report(&mut self) -> SourceReport {
        self.sealed = Counts::default();
        let report = &mut self.accounting.report;
        let next = SourceReport {
            host: report.host.clone(),
            kind: report.kind,
            ..SourceReport::default()
        };
        report.zone = self.reader.zone_verdict();
        std::mem::replace(report, next)
    }

    /// The report, with what only shows at the end.
    pub(super) fn finish(mut self) -> SourceReport {
        self.accounting.report.zone = self.reader.zone_verdict();
        self.accounting.report
    }
}

fn merge_shapes(report: &mut SourceReport, shapes: &[crate::store::catalogue::UnparsedShape]) {
    for shape in shapes {
        match report.unparsed.iter_mut().find(|known| known.shape == shape.shape) {
            Some(known) => known.count += shape.count,
            None => report.unparsed.push(shape.clone()),
        }
    }
    report.unparsed.sort_by_key(|shape| std::cmp::Reverse(shape.count));
    report.unparsed.truncate(20);
}
