//! What happens when a decoder fails, or gives more than a log would.

use std::io;
use std::path::Path;

use super::super::{Codec, Limits, SourceError};
use super::decode::{Decoder, is_memory_limit};

/// How far an archive has been read.
pub(super) struct Reached<'a> {
    pub(super) path: &'a Path,
    pub(super) codec: Codec,
    pub(super) limits: &'a Limits,
    /// Bytes that came out of the decoder.
    pub(super) content_bytes: u64,
    /// Bytes that went into it.
    pub(super) archive_bytes: u64,
}

impl Reached<'_> {
    /// What a failure of the decoder means.
    pub(super) fn verdict(&self, error: io::Error) -> SourceError {
        let (path, codec) = (self.path.to_owned(), self.codec);
        let (content_offset, archive_offset) = (self.content_bytes, self.archive_bytes);
        if error.raw_os_error().is_some() {
            SourceError::Unreadable { path, error }
        } else if is_memory_limit(&error) {
            SourceError::Memory {
                path,
                codec,
                limit_bytes: self.limits.decoder_memory_bytes_max,
            }
        } else if error.kind() == io::ErrorKind::UnexpectedEof {
            SourceError::CutOff {
                path,
                codec,
                content_offset,
                archive_offset,
            }
        } else {
            SourceError::Corrupt {
                path,
                codec,
                content_offset,
                archive_offset,
                detail: error.to_string(),
            }
        }
    }

    /// Whether the archive has given more than a log would.
    pub(super) fn bomb(&self) -> Option<SourceError> {
        let (content_bytes, archive_bytes) = (self.content_bytes, self.archive_bytes);
        let Limits {
            content_bytes_max,
            ratio_max,
            ratio_from_bytes,
            ..
        } = *self.limits;
        let limit = if content_bytes > content_bytes_max {
            format!("the limit is {content_bytes_max} bytes")
        } else if content_bytes > ratio_from_bytes && content_bytes / archive_bytes.max(1) > ratio_max {
            format!("the limit is {ratio_max} to 1")
        } else {
            return None;
        };
        Some(SourceError::Bomb {
            path: self.path.to_owned(),
            content_bytes,
            archive_bytes,
            limit,
        })
    }
}

/// A fresh decoder, moved on to where it has given out `offset` bytes.
pub(super) fn decoder_at(decoder: Option<Decoder>, offset: u64) -> io::Result<Option<Decoder>> {
    let Some(mut decoder) = decoder else { return Ok(None) };
    let mut scratch = vec![0; 64 << 10];
    let mut left = offset;
    while left > 0 {
        let want = scratch.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        // A large read may fail beyond `offset`, and take what it had with it: near the end, step by step.
        let want = if left <= scratch.len() as u64 { 1 } else { want };
        match decoder.read(&mut scratch[..want])? {
            0 => return Ok(None),
            got => left -= got as u64,
        }
    }
    Ok(Some(decoder))
}

/// Fills `into` in steps of one byte, so that a failure takes nothing with it.
pub(super) fn read_by_byte(decoder: &mut Decoder, into: &mut [u8]) -> (usize, Option<io::Error>) {
    for index in 0..into.len() {
        match decoder.read(&mut into[index..=index]) {
            Ok(0) => return (index, None),
            Ok(_) => {}
            Err(error) => return (index, Some(error)),
        }
    }
    (into.len(), None)
}
