//! The commit stage: pending commits → segments → commits, in order. Where there is much to do, encoding and committing
//! overlap with parsing, on a thread of their own.

use super::job::Progress;
use crate::model::time::Minute;
use crate::normalise::join::Changes;
use crate::normalise::origins::OriginTable;
use crate::store::batch::SealedBatch;
use crate::store::catalogue::Again;
use crate::store::catalogue::{Counts, LogState, OddField, UnparsedShape};
use crate::store::columnar::Encoder;
use crate::store::commit::{self, Commit};
use crate::store::{Store, StoreError};
use crossbeam_channel::{Receiver, Sender};
use std::time::Instant;

/// A commit whose rows are not encoded yet.
#[derive(Debug)]
pub(crate) struct PendingCommit {
    pub sealed: SealedBatch,
    /// Logs read.
    pub logs: Vec<LogState>,
    /// Counts by minute.
    pub minutes: Vec<(Minute, Counts)>,
    /// Changes of the join.
    pub changes: Changes,
    /// Shapes of unparsed lines.
    pub unparsed: Vec<UnparsedShape>,
    /// Fields that were left out.
    pub odd_fields: Vec<OddField>,
    /// See [`Commit::split_lines`].
    pub split_lines: Option<String>,
    /// The same of other hosts that the lines named, by the numbers of their sources.
    pub others: Vec<(i64, PendingCommit)>,
}

/// Why a pipeline stopped: an error of the store, or None when the writer has hung up (and says why itself).
pub(super) type Stop = Option<StoreError>;

/// Commits what one source's parse stage has sealed, over any number of rounds.
pub(super) struct CommitStage<'s> {
    store: &'s Store,
    source: i64,
    writer: Writer,
    /// Commits that are pending.
    waiting: u64,
    /// What they say of logs.
    sent: Vec<LogState>,
    /// A batch that is committed: its memory is used again.
    used: Option<SealedBatch>,
    sequence: u32,
}

/// Who commits.
enum Writer {
    /// The pipeline itself: a tail's round has less to do than threads cost.
    Here,
    /// A thread beside it.
    Behind {
        pending: Sender<PendingCommit>,
        committed: Receiver<SealedBatch>,
    },
}

/// The other end of a commit stage, which commits on a thread of its own.
pub(super) struct Committer {
    pending: Receiver<PendingCommit>,
    committed: Sender<SealedBatch>,
}

impl<'s> CommitStage<'s> {
    /// Of the source with this number in the store.
    pub(super) fn new(store: &'s Store, source: i64) -> Self {
        CommitStage {
            store,
            source,
            writer: Writer::Here,
            waiting: 0,
            sent: Vec::new(),
            used: None,
            sequence: 1,
        }
    }

    /// A round begins, in which the pipeline commits itself.
    pub(super) fn begin(&mut self) {
        (self.writer, self.waiting) = (Writer::Here, 0);
        self.sent.clear();
    }

    /// From now on, to the end of the round, a thread commits.
    pub(crate) fn begin_behind(&mut self) -> Committer {
        let (pending, to_commit) = crossbeam_channel::bounded(1);
        let (done, committed) = crossbeam_channel::unbounded();
        self.writer = Writer::Behind { pending, committed };
        Committer {
            pending: to_commit,
            committed: done,
        }
    }

    /// The round is over: the thread ends when it has committed what it was sent.
    pub(super) fn end(&mut self) {
        self.writer = Writer::Here;
    }

    /// Whether the pipeline commits itself.
    pub(super) fn is_here(&self) -> bool {
        matches!(self.writer, Writer::Here)
    }

    /// What pending commits say of logs.
    pub(super) fn sent(&self) -> &[LogState] {
        &self.sent
    }

    /// A new number for the next batch, and a batch to use again for it.
    pub(crate) fn next_batch(&mut self) -> (u32, Option<SealedBatch>) {
        if let Writer::Behind { committed, .. } = &self.writer {
            while let Ok(batch) = committed.try_recv() {
                self.used = Some(batch);
                self.waiting -= 1;
            }
        }
        self.sequence += 1;
        (self.sequence, self.used.take())
    }

    /// Commits, or has it committed.
    pub(super) fn submit(&mut self, commit: PendingCommit, progress: &dyn Progress) -> Result<(), Stop> {
        self.sent.extend_from_slice(&commit.logs);
        match &self.writer {
            Writer::Here => {
                let written = CommitWriter {
                    store: self.store,
                    source: self.source,
                    progress,
                }
                .write(commit, &mut Encoder::default())?;
                // Senders may be many beside the rows of a tail's round.
                self.used = Some(SealedBatch {
                    origins: OriginTable::default(),
                    ..written
                });
            }
            Writer::Behind { pending, .. } => {
                pending.send(commit).map_err(|_| None)?;
                self.waiting += 1;
            }
        }
        Ok(())
    }

    /// Waits until nothing is pending. Gives what was committed of logs since the last call.
    pub(super) fn wait(&mut self) -> Result<Vec<LogState>, Stop> {
        if let Writer::Behind { committed, .. } = &self.writer {
            while self.waiting > 0 {
                self.used = Some(committed.recv().map_err(|_| None)?);
                self.waiting -= 1;
            }
        }
        Ok(std::mem::take(&mut self.sent))
    }
}

impl Committer {
    /// Commits as it comes; says so after each by giving its batch back for another use. Stops at the first error, with
    /// nothing of that commit stored.
    pub(super) fn run(self, store: &Store, source: i64, progress: &dyn Progress) -> Result<(), StoreError> {
        let mut encoder = Encoder::default();
        let writer = CommitWriter {
            store,
            source,
            progress,
        };
        for commit in &self.pending {
            // Nobody listening means that nobody waits.
            let _ = self.committed.send(writer.write(commit, &mut encoder)?);
        }
        Ok(())
    }
}

/// Where commits go, and who is told.
struct CommitWriter<'w> {
    store: &'w Store,
    source: i64,
    progress: &'w dyn Progress,
}

impl CommitWriter<'_> {
    /// Commits; gives the batch back.
    fn write(&self, pending: PendingCommit, encoder: &mut Encoder) -> Result<SealedBatch, StoreError> {
        let (commit, sealed) = encoded(self.source, pending, encoder)?;
        let begin = Instant::now();
        commit::commit(self.store, &commit)?;
        self.progress.committed(&commit, begin.elapsed());
        let others = commit.others.into_iter().flat_map(|other| other.segments);
        let segments = commit.segments.into_iter().chain(others);
        segments.for_each(|segment| encoder.take_back(segment));
        Ok(sealed)
    }
}

/// A commit with its rows encoded, and the batch that they were in.
fn encoded(source: i64, pending: PendingCommit, encoder: &mut Encoder) -> Result<(Commit, SealedBatch), StoreError> {
    let PendingCommit {
        sealed,
        logs,
        minutes,
        changes,
        unparsed,
        odd_fields,
        split_lines,
        others,
    } = pending;
    let others = others
        .into_iter()
        .map(|(source, other)| Ok(encoded(source, other, encoder)?.0));
    let others = others.collect::<Result<_, StoreError>>()?;
    let commit = Commit {
        source,
        segments: encoder.encode(&sealed)?,
        logs,
        minutes,
        changes,
        unparsed,
        again: None,
        odd_fields,
        split_lines,
        others,
    };
    Ok((commit, sealed))
}

/// Commits the rows of logs that were read again, and nothing that their first reading has committed: what is read again
/// has been whole before.
pub(super) fn write_again(
    store: &Store,
    source: i64,
    pending: PendingCommit,
    again: Again,
    encoder: &mut Encoder,
) -> Result<(), StoreError> {
    commit::commit(
        store,
        &Commit {
            source,
            segments: encoder.encode(&pending.sealed)?,
            logs: Vec::new(),
            minutes: Vec::new(),
            changes: pending.changes,
            unparsed: Vec::new(),
            again: Some(again),
            odd_fields: Vec::new(),
            split_lines: None,
            others: Vec::new(),
        },
    )
}
