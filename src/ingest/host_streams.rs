//! The hosts of logs whose lines name them: each has a reader, open messages and counts of its own, and all of them stand in
//! the same commits.

use super::accounting::{LineAccounting, LineOutcome};
use super::commit_stage::PendingCommit;
use super::open_log::OpenLog;
use super::readers::{LogReader, ParseContext, RawLine};
use super::spec::Spec;
use super::wrapping::with_host;
use crate::model::queue_id::QueueId;
use crate::model::time::UtcMs;
use crate::normalise::hosts::HostNumbers;
use crate::normalise::join::{OpenRecord, Recall};
use crate::source::Chunk;
use crate::store::StoreError;
use crate::store::batch::{Batch, SealedBatch};
use mailpulse_parsers::syslog::Envelope;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What is read of one host.
pub(super) struct HostStream<'c, R> {
    /// Number of its source in the store.
    pub source: i64,
    /// Its name.
    pub host: String,
    /// Its reader.
    pub reader: LogReader<'c>,
    /// Brings back its open messages.
    pub recall: R,
    /// Its counts and its batch.
    pub accounting: LineAccounting,
}

/// A line, and the place of its stream.
struct HostLine<'l> {
    stream: u32,
    line: RawLine<'l>,
    /// Its envelope of syslog, if it has a usual one.
    envelope: Option<Envelope<'l>>,
}

/// Opens what the store knows of a host.
pub(super) type OpenHost<'c, R> = dyn FnMut(&str, &Arc<Spec>) -> Result<HostStream<'c, R>, StoreError> + Send + 'c;

/// The reader's own lines, and those of hosts for which there is no more room.
const READER: u32 = u32::MAX;

/// Bytes of a short line: so many lines a chunk has room for at once.
const LINE_BYTES: usize = 128;

/// Spellings that are remembered for each host that there may be.
const SPELLINGS: usize = 4;

/// All hosts that lines have named.
pub(super) struct HostStreams<'c, R: Recall> {
    open: Box<OpenHost<'c, R>>,
    names: HostNumbers,
    /// By number of a name.
    stream_of: FxHashMap<u32, u32>,
    /// Logs choose their texts: the hash has a key.
    by_spelling: hashbrown::HashMap<Vec<u8>, u32>,
    last: (Vec<u8>, u32),
    streams: Vec<HostStream<'c, R>>,
    /// Hosts that found no room since the last call.
    refused: u64,
    trouble: Option<StoreError>,
}

impl<'c, R: Recall> HostStreams<'c, R> {
    /// None yet, in logs that `reader` reads; `known` are hosts of the store.
    pub(super) fn new(reader: &str, known: &[String], open: Box<OpenHost<'c, R>>) -> Self {
        let mut names = HostNumbers::default();
        let own = names.add(reader);
        for name in known {
            if names.find(name).is_none() {
                names.add(name);
            }
        }
        HostStreams {
            open,
            names,
            stream_of: FxHashMap::from_iter([(own, READER)]),
            by_spelling: hashbrown::HashMap::new(),
            last: (Vec::new(), READER),
            streams: Vec::new(),
            refused: 0,
            trouble: None,
        }
    }

    /// The streams.
    pub(super) fn all(&self) -> &[HostStream<'c, R>] {
        &self.streams
    }

    /// The streams, for changing.
    pub(super) fn all_mut(&mut self) -> &mut [HostStream<'c, R>] {
        &mut self.streams
    }

    /// What was wrong with the store when a host was to be opened.
    pub(super) fn take_trouble(&mut self) -> Option<StoreError> {
        self.trouble.take()
    }

    /// Lines since the last call whose hosts found no room.
    pub(super) fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// What other hosts' logs told of an open message of a source.
    pub(super) fn relink(&mut self, source: i64, id: &QueueId, record: &OpenRecord) {
        for stream in self.streams.iter_mut().filter(|stream| stream.source == source) {
            stream.reader.messages_mut().relink(id, record);
        }
    }

    /// Rows of the host that has most of those that wait, and the bytes that all of them take. Rows are limited by segment, and
    /// each host has its own: of many hosts, fewer and larger ones are written.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let batches = self.streams.iter().map(|stream| &stream.accounting.batch);
        batches.fold((0, 0), |(rows, bytes), batch| {
            (batch.len().max(rows), bytes + batch.memory())
        })
    }

    /// Takes the lines of a chunk; what is of no other host is `reader`'s.
    pub(super) fn chunk(
        &mut self,
        (reader, recall, accounting): (&mut LogReader<'c>, &mut R, &mut LineAccounting),
        log: &mut OpenLog,
        (spec, now_ms): (&Arc<Spec>, UtcMs),
        chunk: &Chunk,
    ) {
        // Host by host: the names and open messages of one are at hand while its lines are read. Lines of one host keep their order.
        let mut lines = Vec::with_capacity(chunk.bytes().len() / LINE_BYTES);
        for (offset, bytes) in chunk.lines() {
            let (stream, envelope) = self.stream_of_line(bytes, log, (spec, now_ms));
            let line = RawLine { offset, bytes };
            lines.push(HostLine { stream, line, envelope });
        }
        for place in by_stream(&lines, self.streams.len()) {
            let HostLine {
                stream: at,
                line,
                envelope,
            } = &lines[place as usize];
            let (at, line, envelope) = (*at, *line, envelope.as_ref());
            let Some(stream) = self.streams.get_mut(at as usize) else {
                let mut context = ParseContext::new(recall, accounting, &mut log.state);
                if let Some(outcome) = reader.line(&mut context, &log.form, line, envelope) {
                    accounting.count(outcome, line.bytes.len());
                }
                continue;
            };
            let mut context = ParseContext::new(&mut stream.recall, &mut stream.accounting, &mut log.state);
            match stream.reader.line(&mut context, &log.form, line, envelope) {
                // Nobody knows whose a line is that does not parse: whoever reads the log answers for it.
                Some(LineOutcome::Unparsed) => {
                    accounting.follow(&mut log.state, &stream.accounting);
                    accounting.count(LineOutcome::Unparsed, line.bytes.len());
                }
                Some(outcome) => stream.accounting.count(outcome, line.bytes.len()),
                None => {}
            }
        }
        accounting.settle(&mut log.state);
        for stream in &mut self.streams {
            stream.accounting.settle(&mut log.state);
            let counts = std::mem::take(&mut stream.accounting.report.counts);
            accounting.report.counts.add(&counts);
        }
    }

    /// Place of the stream that a line belongs to, and the line's envelope, if it has a usual one.
    #[inline]
    fn stream_of_line<'l>(
        &mut self,
        line: &'l [u8],
        log: &OpenLog,
        (spec, now_ms): (&Arc<Spec>, UtcMs),
    ) -> (u32, Option<Envelope<'l>>) {
        let Some(mta) = spec.grammar.mta() else {
            return (READER, None);
        };
        let (found, envelope) = with_host(&log.form, line, (mta, &spec.tags), |host, is_own| {
            if *host == *self.last.0 && (is_own || self.last.1 != READER) {
                return self.last.1;
            }
            let at = match self.by_spelling.get(host) {
                Some(at) => *at,
                // Another program's line makes no host of a mail system.
                None if !is_own => return READER,
                None => self.new_spelling(host, log, (spec, now_ms)),
            };
            self.last.0.clear();
            self.last.0.extend_from_slice(host);
            self.last.1 = at;
            at
        });
        (found.unwrap_or(READER), envelope)
    }

    #[cold]
    fn new_spelling(&mut self, spelled: &[u8], log: &OpenLog, (spec, now_ms): (&Arc<Spec>, UtcMs)) -> u32 {
        let Some(hosts) = &spec.line_hosts else { return READER };
        let at = match hosts.name(spelled) {
            Some(name) => self.host(&name, hosts.max, log, (spec, now_ms)),
            None => READER,
        };
        if self.by_spelling.len() < SPELLINGS * hosts.max {
            self.by_spelling.insert(spelled.to_vec(), at);
        }
        at
    }

    fn host(&mut self, name: &str, hosts_max: usize, log: &OpenLog, (spec, now_ms): (&Arc<Spec>, UtcMs)) -> u32 {
        let known = self.names.find(name);
        if let Some(at) = known.and_then(|number| self.stream_of.get(&number)) {
            return *at;
        }
        if self.streams.len() >= hosts_max || self.trouble.is_some() {
            self.refused += 1;
            return READER;
        }
        let number = known.unwrap_or_else(|| self.names.add(name));
        let name = self.names.name(number).to_owned();
        match (self.open)(&name, spec) {
            Ok(mut stream) => {
                stream.accounting.set_now(now_ms);
                stream.begin(log);
                let at = self.streams.len() as u32;
                self.streams.push(stream);
                self.stream_of.insert(number, at);
                at
            }
            Err(error) => {
                self.trouble = Some(error);
                READER
            }
        }
    }

    /// Everything since the last call, as parts of a commit.
    pub(super) fn seal(&mut self, sequence: u32) -> Vec<(i64, PendingCommit)> {
        self.streams
            .iter_mut()
            .filter_map(|stream| Some((stream.source, stream.seal(sequence)?)))
            .collect()
    }
}

/// Places of the lines, stream by stream, those of none last; lines of one stream keep their order.
fn by_stream(lines: &[HostLine<'_>], streams: usize) -> Vec<u32> {
    let group = |at: u32| (at as usize).min(streams);
    let mut next = vec![0_u32; streams + 1];
    lines.iter().for_each(|line| next[group(line.stream)] += 1);
    let mut start = 0;
    for count in &mut next {
        start += std::mem::replace(count, start);
    }
    let mut places = vec![0; lines.len()];
    for (place, line) in (0..).zip(lines) {
        let next = &mut next[group(line.stream)];
        places[*next as usize] = place;
        *next += 1;
    }
    places
}

impl<R: Recall> HostStream<'_, R> {
    /// A log begins or goes on.
    pub(super) fn begin(&mut self, log: &OpenLog) {
        self.accounting.begin(&log.state);
        self.accounting.batch.set_log(log.state.log_id);
        self.accounting.batch.known = None;
        self.reader.open(log);
    }

    fn seal(&mut self, sequence: u32) -> Option<PendingCommit> {
        let minutes = self.accounting.take_minutes();
        if minutes.is_empty() && self.accounting.batch.is_empty() {
            return None;
        }
        let mut next = Batch::new(sequence, None);
        next.wanted.clone_from(&self.accounting.batch.wanted);
        if let Some(log_id) = self.accounting.batch.log_id() {
            next.set_log(log_id);
        }
        let mut batch = std::mem::replace(&mut self.accounting.batch, next);
        batch.settle();
        self.accounting.commit_recent();
        let mut origins = Default::default();
        self.reader.messages().attributor.origins.write_table(&mut origins);
        Some(PendingCommit {
            sealed: SealedBatch {
                batch,
                origins,
                host: self.host.clone(),
                source: self.accounting.report.kind,
                relay: self.reader.relay(),
                providers: self.reader.messages().attribution.providers.clone(),
            },
            logs: Vec::new(),
            minutes,
            changes: self.reader.messages_mut().changes(),
            unparsed: Vec::new(),
            odd_fields: Vec::new(),
            split_lines: self.reader.take_split_lines(),
            others: Vec::new(),
        })
    }
}
