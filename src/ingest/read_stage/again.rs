//! Logs that were read before, from their start to where reading ended: for rows that the store has lost.

use super::family::{ReadStage, SAMPLE_BYTES, next_chunk};
use super::first_day::first_day;
use super::item::{Hangup, ReadItem, ReadSink, problem};
use crate::ingest::open_log::OpenLog;
use crate::ingest::wrapping::{Wrapping, WrappingForm, recognise};
use crate::source::chunks::ResumeError;
use crate::source::identity::{
    Candidate, HEAD_BYTES, KnownIdentity, LogVerdict, Position, decide, first_line, log_id, unchanged,
};
use crate::source::{Chunks, Content, Found, SourceError};
use rustc_hash::FxHashSet;

impl ReadStage<'_> {
    /// Which known log each file holds, by its place among the known; none for what was never read. A log that stands in
    /// several files counts at the first that has all that was read of it.
    pub(crate) fn recognised(&self) -> Vec<Option<usize>> {
        let mut taken = FxHashSet::default();
        let files = self.family.files.iter();
        files
            .map(|found| {
                let known = self.known_in(found).ok().flatten()?;
                taken.insert(known).then_some(known)
            })
            .collect()
    }

    /// Reads the files that hold known logs again; `to` takes what is read. Tells which of the known were read to where
    /// reading had ended.
    pub(crate) fn run_again(
        &self,
        recognised: &[Option<usize>],
        mut to: impl FnMut(ReadItem) -> Result<(), Hangup>,
    ) -> Vec<usize> {
        let mut whole = Vec::new();
        for (found, known) in self.family.files.iter().zip(recognised) {
            let Some(known) = *known else { continue };
            match self.again(found, known, &mut to) {
                Ok(Ok(true)) => whole.push(known),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    if problem(&mut to, error.path(), true, error.to_string()).is_err() {
                        return whole;
                    }
                }
                Err(Hangup) => return whole,
            }
        }
        whole
    }

    fn known_in(&self, found: &Found) -> Result<Option<usize>, SourceError> {
        if let Some(known) = unchanged(self.known.iter().map(|log| &log.known), &found.stamp()) {
            return Ok(Some(known));
        }
        let known: Vec<KnownIdentity> = self.known.iter().map(|log| log.known.clone()).collect();
        let mut refuted = Vec::new();
        loop {
            let mut content = Content::open(&found.path, &self.limits)?;
            let sample = content.peek(SAMPLE_BYTES)?.to_vec();
            let head = &sample[..sample.len().min(HEAD_BYTES)];
            if head.is_empty() {
                return Ok(None);
            }
            let candidate = Candidate {
                stamp: *content.stamp(),
                base: first_line(head, sample.len() < HEAD_BYTES)
                    .map(|line| log_id(self.host, self.spec.kind, line, 0)),
                head,
                content_len: content.len_known(),
                refuted: &refuted,
                forgotten: None,
                settled: true,
            };
            let verdict = decide(&known, &candidate, &mut |offset, len| content.read_before(offset, len))
                .map_err(|error| SourceError::unreadable(&found.path, error))?;
            let index = match verdict {
                LogVerdict::Complete { known } => return Ok(Some(known)),
                LogVerdict::Resume { known, unverified, .. }
                | LogVerdict::SameLogElsewhere { known, unverified, .. } => {
                    if !unverified {
                        return Ok(Some(known));
                    }
                    known
                }
                LogVerdict::ShorterCopy { .. }
                | LogVerdict::Unfinished { .. }
                | LogVerdict::New { .. }
                | LogVerdict::Truncated { .. } => return Ok(None),
            };
            let position = &known[index].position;
            match Chunks::resume(content, &position.mark, &position.marks, &self.limits, &self.pool) {
                Ok(_) => return Ok(Some(index)),
                Err(ResumeError::Marker(_)) => refuted.push(index),
                Err(ResumeError::Source(error)) => return Err(error),
            }
        }
    }

    /// Whether all that had been read was there.
    fn again(&self, found: &Found, known: usize, to: ReadSink<'_>) -> Result<Result<bool, SourceError>, Hangup> {
        let (mut chunks, log) = match self.open_at_start(found, known) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let read_to = self.known[known].known.position.mark.offset;
        chunks.flush_partial(true);
        let mut position = log.position.clone();
        to(ReadItem::Open(Box::new(log)))?;
        let mut result = Ok(false);
        while position.mark.offset < read_to {
            match next_chunk(&mut chunks, &mut position) {
                Ok(Some(item)) => to(item)?,
                Ok(None) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        to(ReadItem::Close {
            complete: true,
            damaged: None,
            live: false,
        })?;
        Ok(result.map(|_| position.mark.offset >= read_to))
    }

    fn open_at_start(&self, found: &Found, known: usize) -> Result<(Chunks, OpenLog), SourceError> {
        let mut content = Content::open(&found.path, &self.limits)?;
        let sample = content.peek(SAMPLE_BYTES)?.to_vec();
        let log = &self.known[known];
        let form = recognise(self.spec, &sample).unwrap_or_else(|_| WrappingForm::plain(Wrapping::Plain));
        let head = &sample[..sample.len().min(HEAD_BYTES)];
        let position = Position::start(*content.stamp(), head, log.known.position.epoch);
        let number = (log.known.base, log.known.ordinal);
        let mut open = self.new_log(found, form, number, position);
        open.state.follows = log.state.follows;
        open.state.log_id = log.state.log_id;
        open.first_day = first_day(self.spec, &sample, found, &self.limits);
        Ok((Chunks::new(content, &self.limits, &self.pool), open))
    }
}
