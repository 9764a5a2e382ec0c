//! A log that the store has under another host. Read again under a second name, all of its mail would count twice. It is
//! known by its content: the first line says which logs may be it, head and marks prove it.

use crate::ingest::position::{self, KnownLog};
use crate::source::identity::{Candidate, HEAD_BYTES, LogVerdict, decide, first_line, log_id, numbered_id};
use crate::source::{Chunks, Content, Limits, Pool, SourceError};
use crate::store::{Store, StoreError};
use std::io;
use std::path::Path;

/// From a first line to the logs that begin with it, each with its host.
pub(crate) type OfOthers<'f> = dyn Fn(&[u8]) -> Vec<(String, KnownLog)> + Sync + 'f;

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
        LogVerdict::Complete { .. } | LogVerdict::ShorterCopy { .. } | LogVerdict::Unfinished { .. } => true,
        LogVerdict::Resume { unverified, .. } | LogVerdict::SameLogElsewhere { unverified, .. } => {
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
        LogVerdict::New { .. } | LogVerdict::Truncated { .. } => false,
    })
}

/// The log of another host that a file holds.
pub(super) fn held_by(
    of_others: &OfOthers<'_>,
    candidate: &Candidate<'_>,
    content: &Content,
    path: &Path,
    with: (&Limits, &Pool),
) -> Result<Option<(String, KnownLog)>, SourceError> {
    let Some(line) = first_line(candidate.head, candidate.head.len() < HEAD_BYTES) else {
        return Ok(None);
    };
    for (host, log) in of_others(line) {
        if is_the_same(&log, candidate, content, path, with)? {
            return Ok(Some((host, log)));
        }
    }
    Ok(None)
}

/// Which log that is, for people.
fn name((host, log): &(String, KnownLog)) -> String {
    format!("{host} (there from {})", position::path_of(&log.state).display())
}

/// Why a backfill does not read it as `own_host`'s.
pub(super) fn refusal(own_host: &str, other: &(String, KnownLog)) -> String {
    let (host, place) = (&other.0, name(other));
    format!(
        "this log stands in the store already, under the host {place}; read as {own_host}'s its mail would count twice. \
         Nothing of it was stored. Name that host: --host {host}, or `host` of its [[source]]; --anyway reads it \
         all the same"
    )
}

/// What is said where a tail goes on with it as `own_host`'s.
pub(super) fn taken_over(own_host: &str, other: &(String, KnownLog)) -> String {
    let place = name(other);
    format!("was read under the host {place} before: read on from there as {own_host}'s")
}
