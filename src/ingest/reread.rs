//! Rows that the store has lost come back from their logs: see [`crate::store::recovery::reread`].

use super::commit_stage::write_again;
use super::job::{Job, Progress, RunLimits};
use super::overlap::compared_again;
use super::parse_stage::ParseStage;
use super::position::{self, KnownLog, path_of};
use super::read_stage::{Hangup, ReadItem, ReadStage, Reading};
use crate::model::time::CivilDay;
use crate::normalise::attribution::Attribution;
use crate::normalise::messages::Messages;
use crate::source::{Limits, Pool};
use crate::store::batch::WantedRows;
use crate::store::catalogue::{Again, LogState, MissingRows, RecallError, Recaller, shadow};
use crate::store::columnar::Encoder;
use crate::store::linker::link_hops;
use crate::store::recovery::reread;
use crate::store::{Store, StoreError};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// What came of reading again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reread {
    /// Rows that are back.
    pub rows: u64,
    /// Rows that no log gives any more.
    pub lost: u64,
    /// Rows that are missing still: their logs are elsewhere.
    pub missing: u64,
}

/// Fates in the order in which they are read: what a server has comes back in silence, so that the rest is not taken for it.
const FATES: [Again; 4] = [
    Again {
        sent: true,
        linked: true,
    },
    Again {
        sent: true,
        linked: false,
    },
    Again {
        sent: false,
        linked: true,
    },
    Again {
        sent: false,
        linked: false,
    },
];

/// Brings back what is missing of the jobs' sources, as far as their logs are there. Nothing is done where nothing is
/// missing. No source may be open.
///
/// # Errors
/// The store cannot be read or written.
pub fn reread(
    store: &Store,
    attribution: &Attribution,
    jobs: &[Job],
    limits: &RunLimits,
    progress: &dyn Progress,
) -> Result<Reread, StoreError> {
    let mut done = Reread::default();
    if store.positions().missing(None)?.is_empty() {
        return Ok(done);
    }
    for fate in FATES {
        for job in jobs {
            let Some(source) = store.positions().known_source(&job.host, job.kind)? else {
                continue;
            };
            let again = Rereading {
                store,
                attribution,
                job,
                limits,
                progress,
                source,
                fate,
            };
            let (rows, lost) = again.run()?;
            done.rows += rows;
            done.lost += lost;
        }
    }
    done.missing = store
        .positions()
        .missing(None)?
        .iter()
        .filter(|one| !one.lost)
        .map(|one| one.rows)
        .sum();
    Ok(done)
}

/// Logs of a job that the store knows and whose files are there, by their numbers.
///
/// # Errors
/// The store cannot be read.
pub fn logs_there(store: &Store, job: &Job, limits: &RunLimits) -> Result<FxHashSet<u64>, StoreError> {
    let Some(source) = store.positions().known_source(&job.host, job.kind)? else {
        return Ok(FxHashSet::default());
    };
    let logs = store.positions().logs(source)?;
    let known: Vec<KnownLog> = logs.into_iter().filter_map(position::known).collect();
    let (reading, pool) = (Reading::default(), Pool::new(&limits.source, 2));
    let mut there = FxHashSet::default();
    for at in 0..job.families.len() {
        let found = family_again(job, at, &known, &reading, (limits.source, &pool)).recognised();
        let found = found.into_iter().flatten();
        there.extend(found.map(|at| known[at].state.log_id));
    }
    Ok(there)
}

/// Reads a family of a job whose logs are known.
fn family_again<'f>(
    job: &'f Job,
    at: usize,
    known: &[KnownLog],
    reading: &'f Reading<'f>,
    (limits, pool): (Limits, &Pool),
) -> ReadStage<'f> {
    let (spec, family) = &job.families[at];
    ReadStage {
        host: &job.host,
        spec,
        family,
        known: known.to_vec(),
        forgotten: FxHashMap::default(),
        of_others: &|_| Vec::new(),
        limits,
        reading,
        pool: pool.clone(),
    }
}

/// One source, for rows of one fate.
struct Rereading<'r> {
    store: &'r Store,
    attribution: &'r Attribution,
    job: &'r Job,
    limits: &'r RunLimits,
    progress: &'r dyn Progress,
    source: i64,
    fate: Again,
}

impl Rereading<'_> {
    fn run(&self) -> Result<(u64, u64), StoreError> {
        let (mut back, mut lost) = (0, 0);
        let mut done: FxHashSet<CivilDay> = FxHashSet::default();
        loop {
            let mut missing = self.store.positions().missing(Some(self.source))?;
            missing.retain(|one| one.again == self.fate && !done.contains(&one.day));
            if missing.is_empty() {
                return Ok((back, lost));
            }
            let known: Vec<KnownLog> = self.known()?;
            let gone = |log: u64| {
                let known = known.iter().find(|known| known.state.log_id == log);
                known.is_none_or(|known| !path_of(&known.state).exists())
            };
            let Some(files) = self.files(&known, &missing) else {
                // Nothing here can give them; what no file has any more is lost.
                let days = missing.iter().map(|one| one.day).collect();
                let (_, less) = reread::end_reread(self.store, &missing, &days, &FxHashSet::default(), &gone)?;
                return Ok((back, lost + less));
            };
            let (wanted, days) = reread::wanted(self.store, &missing)?;
            let replayed = self.pass(&known, &files, wanted)?;
            reread::unlinked_are_loud(self.store)?;
            link_hops(self.store)?;
            let (more, less) = reread::end_reread(self.store, &missing, &days, &replayed, &gone)?;
            (back, lost) = (back + more, lost + less);
            done.extend(days);
        }
    }

    /// Logs in files, in the order in which they were read first.
    fn known(&self) -> Result<Vec<KnownLog>, StoreError> {
        let logs = self.store.positions().logs(self.source)?;
        Ok(logs.into_iter().filter_map(position::known).collect())
    }

    /// Which known log each file of each family holds; None if none of them can give what is missing.
    fn files(&self, known: &[KnownLog], missing: &[MissingRows]) -> Option<Vec<Vec<Option<usize>>>> {
        let reading = Reading::default();
        let pool = Pool::new(&self.limits.source, 2);
        let families = 0..self.job.families.len();
        let files: Vec<Vec<Option<usize>>> = families
            .map(|at| family_again(self.job, at, known, &reading, (self.limits.source, &pool)).recognised())
            .collect();
        let news = |log: u64| missing.iter().any(|one| one.needs(log) && !one.tried.contains(&log));
        let here = files.iter().flatten().flatten();
        let is_useful = here.map(|at| known[*at].state.log_id).any(news);
        is_useful.then_some(files)
    }

    /// Reads all logs that are there again, and adds what is wanted. Returns the logs that were read to where reading had
    /// ended.
    fn pass(
        &self,
        known: &[KnownLog],
        files: &[Vec<Option<usize>>],
        mut wanted: WantedRows,
    ) -> Result<FxHashSet<u64>, StoreError> {
        reread::begin_reread(self.store, self.source)?;
        let read_to = known
            .iter()
            .map(|log| (log.state.log_id, log.known.position.mark.offset));
        wanted.read_only(read_to.collect());
        let wanted = Arc::new(wanted);
        let Some((first, _)) = self.job.families.first() else {
            return Ok(FxHashSet::default());
        };
        let mut messages = Messages::new(self.attribution, &self.job.host);
        messages
            .attributor
            .load_derived(self.store.services().derived(self.source)?);
        messages
            .attributor
            .load_accounts(self.store.services().accounts(self.source)?);
        let recall = self.store.messages().recaller(shadow(self.source))?;
        let mut writing = Writing {
            trouble: recall.error(),
            encoder: Encoder::default(),
            sequence: 0,
        };
        let mut parse = ParseStage::new(messages, recall, first);
        parse.only(&wanted);
        let reading = Reading::default();
        let pool = Pool::new(&self.limits.source, 4);
        let logs = self.store.positions().logs(self.source)?;
        let mut replayed = FxHashSet::default();
        // In the order in which they were read first: what was the first copy of a line then is it now.
        let mut families: Vec<_> = files.iter().enumerate().collect();
        families.sort_by_key(|(_, files)| files.iter().flatten().min().copied());
        for (at, files) in families {
            parse.set_spec(&self.job.families[at].0);
            let stage = family_again(self.job, at, known, &reading, (self.limits.source, &pool));
            let mut taken = Ok(());
            let whole = stage.run_again(files, |item| {
                taken = self.item(item, &logs, &mut parse, &mut writing);
                if taken.is_err() { Err(Hangup) } else { Ok(()) }
            });
            taken?;
            parse.family_done();
            self.seal(&mut parse, &mut writing)?;
            replayed.extend(whole.into_iter().map(|at| known[at].state.log_id));
        }
        Ok(replayed)
    }

    fn item(
        &self,
        item: ReadItem,
        logs: &[LogState],
        parse: &mut ParseStage<'_, Recaller>,
        writing: &mut Writing,
    ) -> Result<(), StoreError> {
        if let ReadItem::Chunk(chunk, _) = &item {
            self.progress.content(chunk.bytes().len() as u64);
        }
        let compared = match &item {
            ReadItem::Open(log) => compared_again(logs, log, self.job.kind, self.source),
            _ => None,
        };
        if compared.is_some() {
            // What was read of others must be stored.
            self.seal(parse, writing)?;
        }
        parse.item(item);
        if let Some(compared) = compared {
            parse.compare(Some(self.store.stored_events(compared)?));
        }
        if parse.is_full(self.limits.batch_rows, self.limits.batch_bytes) {
            self.seal(parse, writing)?;
        }
        Ok(())
    }

    fn seal(&self, parse: &mut ParseStage<'_, Recaller>, writing: &mut Writing) -> Result<(), StoreError> {
        // As when they are read first: a sender that could not be asked for is not unknown.
        if let Some(error) = writing.trouble.take() {
            return Err(error.into());
        }
        if !parse.has_news() {
            return Ok(());
        }
        writing.sequence += 1;
        let pending = parse.seal(writing.sequence + 1, None);
        write_again(self.store, self.source, pending, self.fate, &mut writing.encoder)?;
        if parse.wants_trim(self.limits.open_messages) {
            parse.trim(self.limits.open_messages);
        }
        Ok(())
    }
}

/// What is kept from batch to batch.
struct Writing {
    /// Errors of the join's questions to the store.
    trouble: RecallError,
    encoder: Encoder,
    sequence: u32,
}
