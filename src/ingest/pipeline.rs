//! One host's logs of one kind: each file or journal goes through the read stage, the parse stage and the commit stage.
//! A [`SourcePipeline`] is open over any number of rounds: `backfill` makes one, `tail` one every poll.

use super::accounting::{Doubt, LineAccounting};
use super::commit_stage::{CommitStage, Stop};
use super::host_streams::{HostStream, HostStreams};
use super::job::{Job, Progress, RunLimits, processors};
use super::known_logs::KnownLogs;
use super::open_log::OpenLog;
use super::overlap::{Ahead, LogSpan, compared};
use super::parse_stage::ParseStage;
use super::position::KnownLog;
use super::read_stage::{Hangup, JournalReader, ReadItem, ReadStage, Reading, logs_of_others};
use super::readers::LogReader;
use super::report::{Problem, SourceReport};
use super::spec::Spec;
use super::wrapping::first_ms;
use crate::model::queue_id::QueueId;
use crate::model::time::UtcMs;
use crate::normalise::attribution::Attribution;
use crate::normalise::join::OpenRecord;
use crate::normalise::messages::Messages;
use crate::source::journal::JournalSource;
use crate::source::{Chunk, Codec, Family, Found, Limits, Pool};
use crate::store::catalogue::{ClockDoubt, RecallError, Recaller};
use crate::store::catalogue::{Counts, LogState};
use crate::store::recovery::reread;
use crate::store::segments::Compared;
use crate::store::{Store, StoreError};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// What is read at once of a file that is not packed: as much as stays near the processors until it is parsed.
const NEAR_BYTES: usize = 256 << 10;

/// A line has more bytes than these even in an archive.
const LINE_BYTES_MIN: u64 = 8;

/// What is read without threads of its own, at most.
const LITTLE_BYTES: u64 = 4 << 20;

/// What is open between rounds. After an error it says more than was committed: drop it and open it anew.
pub struct SourcePipeline<'s> {
    store: &'s Store,
    id: i64,
    limits: RunLimits,
    logs: KnownLogs,
    /// Buffers of the read stage.
    pool: Pool,
    parse: ParseStage<'s, Recaller>,
    /// Errors of the parse stage's questions to the store.
    trouble: RecallError,
    commit: CommitStage<'s>,
}

impl<'s> SourcePipeline<'s> {
    /// Opens a source with what the store knows of it. `spec` says how the first of its logs is read.
    pub fn open(
        store: &'s Store,
        attribution: &'s Attribution,
        host: &str,
        spec: &Arc<Spec>,
        limits: &RunLimits,
    ) -> Result<Self, StoreError> {
        let id = store.positions().source(host, spec.kind)?;
        let messages = messages_of(store, attribution, (host, id), limits)?;
        let recaller = store.messages().recaller(id)?;
        let trouble = recaller.error();
        let hosts = match spec.grammar.mta() {
            Some(_) => Some(
                Hosts {
                    store,
                    attribution,
                    recaller: recaller.of(id),
                    reader: id,
                    limits: *limits,
                }
                .of(host, spec)?,
            ),
            None => None,
        };
        let mut parse = ParseStage::new(messages, recaller, spec);
        if let Some(hosts) = hosts {
            parse.set_hosts(hosts);
        }
        if let Some(wanted) = reread::all_but_adopted(store, id)? {
            parse.only(&Arc::new(wanted));
        }
        if let Some(lines) = store.positions().split_lines(id)? {
            parse.reopen_split_lines(&lines)?;
        }
        Ok(SourcePipeline {
            store,
            id,
            limits: *limits,
            logs: KnownLogs::load(store, id)?,
            pool: Pool::new(&limits.source, 8),
            parse,
            trouble,
            commit: CommitStage::new(store, id),
        })
    }

    /// Number of the source in the store.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Logs as they were committed.
    pub fn known(&self) -> &[KnownLog] {
        &self.logs.in_files
    }

    /// Reads what the job's logs have that was not read yet, and commits it. A log that makes this machine's clock
    /// doubtful ends it, with nothing of that log committed: open the source anew, and read up to where that log waits.
    pub fn read(
        &mut self,
        job: &Job,
        reading: &Reading<'_>,
        progress: &dyn Progress,
    ) -> Result<Option<Doubt>, StoreError> {
        let (store, source) = (self.store, self.id);
        self.parse.set_now(reading.now_ms);
        self.commit.begin();
        let mut pipeline = Pipeline {
            open: self,
            job,
            reading,
            progress,
            is_first_chunk: false,
            doubt: None,
        };
        if pipeline.has_little() {
            pipeline.read().or_else(|stop| stop.map_or(Ok(()), Err))?;
            return Ok(pipeline.doubt);
        }
        let committer = pipeline.open.commit.begin_behind();
        std::thread::scope(|scope| {
            let committer = scope.spawn(move || committer.run(store, source, progress));
            // Also after a panic: the committer would wait for ever, and the scope for it.
            let read = catch_unwind(AssertUnwindSafe(|| pipeline.read()));
            pipeline.open.commit.end();
            let read = read.unwrap_or_else(|panic| resume_unwind(panic));
            let committed = committer.join().unwrap_or_else(|panic| resume_unwind(panic));
            // A writer that gave up is the cause of everything else.
            committed.and(read.or_else(|stop| stop.map_or(Ok(()), Err)))?;
            Ok(pipeline.doubt)
        })
    }

    /// Notes which logs wait because of them, and says so.
    pub fn report_doubts(&self, doubts: &[Doubt], now_ms: UtcMs, report: &mut SourceReport) -> Result<(), StoreError> {
        let doubts: Vec<ClockDoubt> = doubts.iter().map(|doubt| doubt.as_of(now_ms)).collect();
        self.store.positions().put_clock_doubts(self.id, &doubts)?;
        report.problems.extend(doubts.iter().map(|doubt| Problem {
            path: std::path::PathBuf::from(std::ffi::OsStr::from_bytes(&doubt.path)),
            what: doubt.to_string(),
            error: true,
        }));
        Ok(())
    }

    /// Lines of this round that are committed: all but those behind a doubt.
    pub fn committed(&self) -> Counts {
        self.parse.sealed()
    }

    /// What other hosts' logs told of an open message of a source: this one, or one of a host that its lines name.
    pub fn relink(&mut self, source: i64, id: &QueueId, record: &OpenRecord) {
        match source == self.id {
            true => self.parse.relink(id, record),
            false => self.parse.relink_other(source, id, record),
        }
    }

    /// What there is to tell since the last call.
    pub fn take_report(&mut self) -> SourceReport {
        self.parse.take_report()
    }

    /// The report, with what only shows at the end.
    pub fn finish(self) -> SourceReport {
        self.parse.finish()
    }
}

/// What hosts that lines name are opened with.
struct Hosts<'s> {
    store: &'s Store,
    attribution: &'s Attribution,
    recaller: Recaller,
    /// Number of the source that reads.
    reader: i64,
    limits: RunLimits,
}

impl<'s> Hosts<'s> {
    /// None open yet.
    fn of(self, reader: &str, spec: &Spec) -> Result<HostStreams<'s, Recaller>, StoreError> {
        let known: Vec<String> = self
            .store
            .positions()
            .hosts_of(spec.kind)?
            .into_iter()
            .map(|(_, host)| host)
            .collect();
        let reader_host = reader.to_owned();
        let open = move |host: &str, spec: &Arc<Spec>| self.open(&reader_host, host, spec);
        Ok(HostStreams::new(reader, &known, Box::new(open)))
    }

    fn open(&self, reader_host: &str, host: &str, spec: &Arc<Spec>) -> Result<HostStream<'s, Recaller>, StoreError> {
        let store = self.store;
        let id = store.positions().source_in_log(host, spec.kind, self.reader)?;
        let mut accounting = LineAccounting::new(reader_host, spec.kind, self.attribution.redactor.clone());
        if let Some(wanted) = reread::all_but_adopted(store, id)? {
            accounting.batch.wanted = Some(Arc::new(wanted));
        }
        let mut reader = LogReader::new(messages_of(store, self.attribution, (host, id), &self.limits)?, spec);
        if let Some(lines) = store.positions().split_lines(id)? {
            reader.reopen_split_lines(&lines)?;
        }
        Ok(HostStream {
            source: id,
            host: host.to_owned(),
            reader,
            recall: self.recaller.of(id),
            accounting,
        })
    }
}

/// The messages of a host as the store knows them.
fn messages_of<'s>(
    store: &Store,
    attribution: &'s Attribution,
    (host, id): (&str, i64),
    limits: &RunLimits,
) -> Result<Messages<'s>, StoreError> {
    let mut messages = Messages::new(attribution, host);
    let (open, all) = store.messages().newest(id, limits.open_messages / 2)?;
    messages.join.set_evicted(all - open.len() as u64);
    messages.attributor.load_derived(store.services().derived(id)?);
    messages.attributor.load_accounts(store.services().accounts(id)?);
    for (id, record) in open {
        messages.join.load(id, record, &mut messages.attributor.origins);
    }
    Ok(messages)
}

/// A round: what the job's logs have now goes through the stages.
struct Pipeline<'r, 's> {
    open: &'r mut SourcePipeline<'s>,
    job: &'r Job,
    reading: &'r Reading<'r>,
    progress: &'r dyn Progress,
    /// Nothing has been read yet of the log in hand.
    is_first_chunk: bool,
    /// A log that makes the clock doubtful: the end of the round.
    doubt: Option<Doubt>,
}

impl Pipeline<'_, '_> {
    /// Whether all files together have grown by little since they were read.
    fn has_little(&self) -> bool {
        let files = self.job.families.iter().flat_map(|(_, family)| &family.files);
        let grown: u64 = files.map(|found| self.open.logs.growth(found)).sum();
        self.job.journals.is_empty() && grown <= LITTLE_BYTES
    }

    fn read(&mut self) -> Result<(), Stop> {
        let job = self.job;
        for (spec, family) in &job.families {
            self.family(spec, family)?;
        }
        for (spec, journal) in &job.journals {
            self.journal(spec, journal)?;
        }
        Ok(())
    }

    /// One family of rotated logs, oldest first.
    fn family(&mut self, spec: &Arc<Spec>, family: &Family) -> Result<(), Stop> {
        self.open.parse.set_spec(spec);
        self.open.parse.make_room(self.rows_expected(family));
        self.open.logs.look_again();
        let is_plain = family.files.iter().all(|file| file.codec == Codec::Plain);
        let (here, pool) = match self.open.commit.is_here() {
            true => (true, self.open.pool.clone()),
            // Where all processors are busy with other hosts, a thread that only reads is not worth it.
            false if is_plain => (
                self.open.limits.parallel >= processors(),
                near_pool(&self.open.limits.source),
            ),
            false => (false, self.open.pool.clone()),
        };
        let (store, job, anyway) = (self.open.store, self.job, self.open.limits.anyway);
        let of_others = |line: &[u8]| match anyway {
            true => Vec::new(),
            false => logs_of_others(store, &job.host, job.kind, line).unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot look whether another host has a log");
                Vec::new()
            }),
        };
        let read_stage = ReadStage {
            host: &job.host,
            spec,
            family,
            known: self.open.logs.in_files.clone(),
            forgotten: self.open.logs.forgotten.clone(),
            of_others: &of_others,
            limits: self.open.limits.source,
            reading: self.reading,
            pool,
        };
        let mut files = family.files.iter();
        if here {
            let mut taken = Ok(());
            read_stage.run(|item| {
                taken = self.take(spec, item, &mut files);
                if taken.is_err() { Err(Hangup) } else { Ok(()) }
            });
            taken?;
        } else {
            let (to, items) = crossbeam_channel::bounded(4);
            std::thread::scope(|scope| {
                scope.spawn(move || read_stage.run(|item| to.send(item).map_err(|_| Hangup)));
                items.into_iter().try_for_each(|item| self.take(spec, item, &mut files))
            })?;
        }
        self.open.parse.family_done();
        // The positions of a family are complete before the next one asks for them.
        self.commit()?;
        self.wait()
    }

    /// Rows of a batch, at most: room that is not used costs nothing, and columns that grow are copied. What is followed
    /// grows by little.
    fn rows_expected(&self, family: &Family) -> usize {
        if self.reading.following || self.open.commit.is_here() {
            return 0;
        }
        // A batch ends with a chunk.
        let bytes: u64 = family.files.iter().map(|file| file.size).sum();
        let full = self.open.limits.batch_rows + self.open.limits.batch_rows / 16;
        usize::try_from(bytes / LINE_BYTES_MIN).map_or(full, |rows| rows.min(full))
    }

    /// Takes what was read of the family whose `files` these are: parses it, and commits when there is enough.
    fn take<'f>(
        &mut self,
        spec: &Spec,
        item: ReadItem,
        files: &mut impl Iterator<Item = &'f Found>,
    ) -> Result<(), Stop> {
        let file_done = matches!(item, ReadItem::Close { .. } | ReadItem::Known | ReadItem::Empty);
        if let ReadItem::Chunk(chunk, _) = &item {
            self.progress.content(chunk.bytes().len() as u64);
            if std::mem::take(&mut self.is_first_chunk)
                && let Some(log) = self.open.parse.log()
            {
                let compared = self.overlap(spec, log, chunk);
                let log_id = log.state.log_id;
                self.open.logs.begin(log_id);
                self.compare(compared)?;
            }
        }
        self.is_first_chunk |= matches!(item, ReadItem::Open(_));
        self.open.parse.item(item);
        let doubt = self.open.parse.take_doubt();
        self.look_at_clock(doubt)?;
        if file_done && let Some(found) = files.next() {
            self.progress.file(found.size);
        }
        self.commit_if_full()?;
        match self.reading.is_stopped() {
            true => self.stop(),
            false => Ok(()),
        }
    }

    /// A journal, from where it was left to its end.
    fn journal(&mut self, spec: &Arc<Spec>, journal: &JournalSource) -> Result<(), Stop> {
        self.open.parse.set_spec(spec);
        let logs = self
            .open
            .store
            .positions()
            .logs(self.open.id)
            .map_err(|error| Some(error.into()))?;
        let (job, limits, until) = (self.job, self.open.limits.source, &self.reading.until);
        let mut reader = JournalReader::new((&job.host, job.kind), journal, logs, &limits, until)?;
        self.is_first_chunk = true;
        let (problems, changed) = reader.read(|log, chunk| self.entries(spec, log, &chunk))?;
        let parse = &mut self.open.parse;
        changed.iter().for_each(|log| parse.journal_state(log));
        problems.into_iter().for_each(|problem| parse.problem(problem));
        parse.compare(None);
        parse.journal_done(reader.any_log(), reader.has_new());
        let doubt = parse.doubt_of_journal(journal.name().as_os_str().as_bytes());
        self.look_at_clock(doubt)?;
        self.commit()?;
        self.wait()
    }

    /// Takes entries of one of a journal's sequences, and gives its state behind them.
    fn entries(&mut self, spec: &Spec, mut log: OpenLog, chunk: &Chunk) -> Result<LogState, Stop> {
        log.by_line = spec.line_hosts.as_ref().is_some_and(|hosts| hosts.always);
        self.progress.content(chunk.bytes().len() as u64);
        if std::mem::take(&mut self.is_first_chunk) {
            let compared = self.overlap(spec, &log, chunk);
            self.compare(compared)?;
        }
        let state = self.open.parse.journal_entries(log, chunk);
        self.commit_if_full()?;
        Ok(state)
    }

    /// Which rows a log is compared with whose first chunk, or whose first run of a journal's entries, is in hand.
    fn overlap(&self, spec: &Spec, log: &OpenLog, chunk: &Chunk) -> Option<Compared> {
        let is_of_another_life = !self.open.logs.was_read(log.state.log_id);
        let ahead = Ahead::of(log, || first_ms(spec, log, chunk), is_of_another_life)?;
        let sent = self.open.commit.sent().iter().filter_map(LogSpan::of);
        let fresh = self.open.parse.touched().iter().filter_map(LogSpan::of);
        let known = self.open.logs.spans().iter().cloned();
        let spans: Vec<LogSpan> = known.chain(sent).chain(fresh).collect();
        compared(&spans, log, self.job.kind, self.open.id, ahead)
    }

    /// If there are such rows, the log in hand is compared with them: what was read of others must be committed.
    fn compare(&mut self, compared: Option<Compared>) -> Result<(), Stop> {
        let Some(compared) = compared else { return Ok(()) };
        if self.open.parse.has_rows() {
            self.commit()?;
        }
        self.wait()?;
        let stored = self.open.store.stored_events(compared);
        self.open
            .parse
            .compare(Some(stored.map_err(|error| Some(error.into()))?));
        Ok(())
    }

    /// Ends the round if a log makes the clock doubtful and does not wait yet.
    fn look_at_clock(&mut self, doubt: Option<Doubt>) -> Result<(), Stop> {
        self.doubt = doubt.filter(|doubt| !self.reading.until.contains_key(&doubt.log_id));
        if self.doubt.is_some() { Err(None) } else { Ok(()) }
    }

    /// Ends in the middle. What stands in an unfinished record of several lines is read again next time.
    fn stop(&mut self) -> Result<(), Stop> {
        if !self.open.parse.is_inside() {
            self.commit()?;
            self.wait()?;
        }
        Err(None)
    }

    fn commit_if_full(&mut self) -> Result<(), Stop> {
        let (rows, bytes) = (self.open.limits.batch_rows, self.open.limits.batch_bytes);
        match self.open.parse.is_full(rows, bytes) {
            true => self.commit(),
            false => Ok(()),
        }
    }

    /// Hands everything so far to the commit stage.
    fn commit(&mut self) -> Result<(), Stop> {
        // Rows of a message whose sender could not be asked for would say for ever that nobody knows it.
        if let Some(error) = self.open.trouble.take() {
            return Err(Some(error.into()));
        }
        if let Some(error) = self.open.parse.take_trouble() {
            return Err(Some(error));
        }
        if !self.open.parse.has_news() {
            return Ok(());
        }
        let (sequence, used) = self.open.commit.next_batch();
        let pending = self.open.parse.seal(sequence, used);
        self.open.commit.submit(pending, self.progress)?;
        let open_max = self.open.limits.open_messages;
        if self.open.parse.wants_trim(open_max) {
            self.wait()?;
            self.open.parse.trim(open_max);
        }
        Ok(())
    }

    /// Waits until everything is committed. What the commits said of logs is known then.
    fn wait(&mut self) -> Result<(), Stop> {
        for state in self.open.commit.wait()? {
            self.open.logs.learn(state);
        }
        Ok(())
    }
}

/// Buffers for a file that is not packed: those that wait for the parser, and one at each end.
fn near_pool(limits: &Limits) -> Pool {
    let chunk_bytes = limits.chunk_bytes.min(NEAR_BYTES);
    Pool::new(&Limits { chunk_bytes, ..*limits }, 6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::spec::Grammar;
    use crate::normalise::redact::{LocalParts, Redactor};
    use crate::normalise::rules::{HostGroups, ServiceRules};
    use crate::source::scan::scan;
    use jiff::tz::TimeZone;
    use std::time::Duration;

    struct Panics;

    impl Progress for Panics {
        fn content(&self, _: u64) {
            panic!("while a log is read");
        }

        fn file(&self, _: u64) {}
    }

    fn read_with_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("mainlog");
        let line = "2018-06-06 18:55:01 1fQdLN-0001Ab-Cd Completed\n";
        std::fs::write(&log, line.repeat(LITTLE_BYTES as usize / line.len() + 1)).unwrap();
        let store = Store::create(&folder.path().join("store")).unwrap();
        let attribution = Attribution {
            services: ServiceRules::default(),
            derive: true,
            hostgroups: HostGroups::default(),
            services_max: 100,
            redactor: Redactor::new(LocalParts::Keep, [0; 32]),
            covered_hosts: Default::default(),
            ours: Default::default(),
            providers: Default::default(),
        };
        let limits = RunLimits::default();
        let spec = Arc::new(Spec::of(Grammar::Exim, TimeZone::UTC));
        let families = scan(&[log], &limits.source).families;
        let job = Job {
            host: "mx1".to_owned(),
            kind: spec.kind,
            families: families.into_iter().map(|family| (spec.clone(), family)).collect(),
            journals: Vec::new(),
        };
        let mut source = SourcePipeline::open(&store, &attribution, "mx1", &spec, &limits).unwrap();
        let _ = source.read(&job, &Reading::default(), &Panics);
    }

    /// The thread that commits waits for the next batch: it has to learn that there is none.
    #[test]
    fn a_panic_while_reading_does_not_hang() {
        let (ended, end) = std::sync::mpsc::channel();
        std::thread::spawn(move || ended.send(catch_unwind(read_with_a_panic).is_err()));
        assert_eq!(end.recv_timeout(Duration::from_secs(60)), Ok(true));
    }
}
