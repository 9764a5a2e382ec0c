//! Reading on where a log was left, with proof that it is the same log.

use super::super::identity::{Marks, ReadMark, TAIL_BYTES, tail_hash};
use super::super::{Content, Limits, SourceError};
use super::sieve::SieveState;
use super::{Chunks, Pool, TailBytes};

/// The content is not the one that was read up to the stored position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkerMismatch {
    /// The furthest mark at which both contents agreed; 0 if there is none.
    pub agreed_to: u64,
    /// The content ended here, before the position: a shorter one. `None`: other bytes stand at a mark.
    pub content_len: Option<u64>,
}

/// Why reading could not go on from a position.
#[derive(Debug)]
pub enum ResumeError {
    /// Another log, or a shorter copy: [`super::super::identity::decide`] again, with this one refuted.
    Marker(MarkerMismatch),
    /// The file could not be read up to the position.
    Source(SourceError),
}

impl From<SourceError> for ResumeError {
    fn from(error: SourceError) -> Self {
        ResumeError::Source(error)
    }
}

impl Chunks {
    /// From a stored position on. A plain file is asked for the bytes before it; an archive is decoded up to it, once,
    /// and compared at every mark on the way, so that another log is found out early.
    pub fn resume(
        mut content: Content,
        from: &ReadMark,
        marks: &Marks,
        limits: &Limits,
        pool: &Pool,
    ) -> Result<Chunks, ResumeError> {
        let recent = if content.len_known().is_some() {
            jump(&mut content, from)?
        } else {
            decode_to(&mut content, from, marks, limits)?
        };
        let mut chunks = Chunks::new(content, limits, pool);
        chunks.recent = recent;
        (chunks.line_start, chunks.at, chunks.end) = (from.offset, from.offset, *from);
        if from.partial_flushed {
            chunks.state = SieveState::Flushed;
        }
        Ok(chunks)
    }
}

fn jump(content: &mut Content, from: &ReadMark) -> Result<TailBytes, ResumeError> {
    let len = from.tail_len();
    let before = content.read_before(from.offset, len);
    let before = before.map_err(|error| SourceError::unreadable(content.path(), error))?;
    let Some(before) = before else {
        return Err(ResumeError::Marker(MarkerMismatch {
            agreed_to: 0,
            content_len: content.len_known(),
        }));
    };
    if from.offset > 0 && tail_hash(&before) != from.tail {
        return Err(ResumeError::Marker(MarkerMismatch {
            agreed_to: 0,
            content_len: None,
        }));
    }
    content.seek_plain(from.offset);
    Ok(TailBytes::default().and(&before))
}

fn decode_to(content: &mut Content, from: &ReadMark, marks: &Marks, limits: &Limits) -> Result<TailBytes, ResumeError> {
    let mut scratch = vec![0; limits.chunk_bytes.max(TAIL_BYTES)];
    let mut recent = TailBytes::default();
    let mut at = 0;
    let mut agreed_to = 0;
    let stops = marks
        .iter()
        .filter(|(offset, _)| *offset < from.offset)
        .chain([(from.offset, from.tail)]);
    for (stop, expected) in stops {
        while at < stop {
            let want = scratch.len().min(usize::try_from(stop - at).unwrap_or(usize::MAX));
            let got = content.read_some(&mut scratch[..want])?;
            if got == 0 {
                return Err(ResumeError::Marker(MarkerMismatch {
                    agreed_to,
                    content_len: Some(at),
                }));
            }
            recent = recent.and(&scratch[..got]);
            at += got as u64;
        }
        if stop > 0 && recent.hash() != expected {
            return Err(ResumeError::Marker(MarkerMismatch {
                agreed_to,
                content_len: None,
            }));
        }
        agreed_to = stop;
    }
    Ok(recent)
}
