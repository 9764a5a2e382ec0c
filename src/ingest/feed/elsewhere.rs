//! A log that the store has under another host. Read again under a second name, all of its mail would count twice. It is
//! known by its content: the first line says which logs may be it, head and marks prove it.

use super::super::position::{self, KnownLog};
use super::{Feed, HEAD_BYTES, Opened, kinds};
use crate::source::identity::{Candidate, Position, Verdict, decide, first_line, log_id, numbered_id};
use crate::source::{Chunks, Content, Found, Limits, Pool, SourceError};
use crate::store::{Store, StoreError};
use std::io;
use std::path::Path;

/// Logs of other hosts that begin with this line, each with its host.
pub(in crate::ingest) fn logs_of_others(
    store: &Store,
    host: &str,
    kind: &str,
    first_line: &[u8],
) -> Result<Vec<(String, KnownLog)>, StoreError> {
    let mut found = Vec::new();
    for (source, other) in store.positions().hosts_of(kind)? {
        if other == host {
            continue;
        }
        let base = log_id(&other, kind, first_line, 0);
        // Numbers are given in turn; those of forgotten logs are few.
        let mut missing = 0;
        for ordinal in 0.. {
            match store
                .positions()
                .log(source, numbered_id(&other, kind, base, ordinal))?
            {
                Some(state) => found.extend(position::known(state).map(|log| (other.clone(), log))),
                None => missing += 1,
            }
            if missing > usize::from(ordinal > 0) {
                break;
            }
        }
    }
    Ok(found)
}

/// Whether a file holds the log that another host is known to have. Without an event in it nobody can say: two programs
/// may begin their logs alike.
fn is_the_same(
    log: &KnownLog,
    candidate: &Candidate<'_>,
    content: &Content,
    path: &Path,
    (limits, pool): (&Limits, &Pool),
) -> Result<bool, SourceError> {
    if log.state.counts.events + log.state.counts.duplicates == 0 {
        return Ok(false);
    }
    let candidate = Candidate {
        base: log.known.base,
        refuted: &[],
        forgotten: None,
        settled: true,
        ..*candidate
    };
    let mut read = |offset, len| -> io::Result<_> { content.read_before(offset, len) };
    let verdict = decide(std::slice::from_ref(&log.known), &candidate, &mut read)
        .map_err(|error| SourceError::unreadable(path, error))?;
    Ok(match verdict {
        Verdict::Complete { .. } | Verdict::ShorterCopy { .. } | Verdict::Unfinished { .. } => true,
        Verdict::Resume { unverified, .. } | Verdict::SameLogElsewhere { unverified, .. } => {
            let position = &log.known.position;
            // An archive shows it only when it is decoded.
            !unverified
                || Chunks::resume(
                    Content::open(path, limits)?,
                    &position.mark,
                    &position.marks,
                    limits,
                    pool,
                )
                .is_ok()
        }
        Verdict::New { .. } | Verdict::Truncated { .. } => false,
    })
}

impl Feed<'_> {
    /// The log of another host that a file holds.
    pub(super) fn of_another(
        &self,
        candidate: &Candidate<'_>,
        content: &Content,
        found: &Found,
    ) -> Result<Option<(String, KnownLog)>, SourceError> {
        let Some(line) = first_line(candidate.head, candidate.head.len() < HEAD_BYTES) else {
            return Ok(None);
        };
        for (host, log) in (self.of_others)(line) {
            if is_the_same(&log, candidate, content, &found.path, (&self.limits, &self.pool))? {
                return Ok(Some((host, log)));
            }
        }
        Ok(None)
    }

    /// What is done about it: a backfill refuses. A tail is on the host itself, which has got another name: it goes on
    /// where the log was left under the old one.
    pub(super) fn known_elsewhere(
        &self,
        found: &Found,
        content: Content,
        sample: &[u8],
        (base, verdict): (Option<u64>, &Verdict),
        (host, other): &(String, KnownLog),
        follows: bool,
    ) -> Result<Opened, SourceError> {
        let path = position::path_of(&other.state);
        let place = format!("{host} (there from {})", path.display());
        if !self.reading.following {
            return Ok(Opened::Foreign(format!(
                "this log stands in the store already, under the host {place}; read as {}'s its mail would count twice. \
                 Nothing of it was stored. Name that host: --host {host}, or `host` of its [[source]]; --anyway reads it \
                 all the same",
                self.host
            )));
        }
        let head = &sample[..sample.len().min(HEAD_BYTES)];
        let Ok(form) = kinds::recognise(self.spec, sample) else {
            return Ok(Opened::Known);
        };
        let Position { mark, marks, .. } = &other.known.position;
        let Ok(chunks) = Chunks::resume(content, mark, marks, &self.limits, &self.pool) else {
            // A shorter copy: nothing in it is new.
            return Ok(Opened::Known);
        };
        let ordinal = match verdict {
            Verdict::New { ordinal, .. } => *ordinal,
            _ => 0,
        };
        let mut position = Position::start(found.stamp(), head, 0);
        (position.mark, position.marks) = (*mark, marks.clone());
        let log = self.new_log(found, form, (base, ordinal), position, follows);
        let odd = format!(
            "was read under the host {place} before: read on from there as {}'s",
            self.host
        );
        Ok(Opened::Read(Box::new(chunks), Box::new(log), Some(odd)))
    }
}
