//! What happens when a decoder fails, or gives more than a log would.

use std::io;

use super::super::{Limits, Note, SourceError};
use super::decode::{Decoder, Rest, is_memory_limit};
use super::{Body, Content};

impl Content {
    /// A decoder failed: trailing bytes end the content, a first failure starts the salvage, a second is the answer.
    pub(super) fn failed(&mut self, error: io::Error) -> Result<(), SourceError> {
        let Body::Packed(decoder) = &self.body else {
            self.body = Body::Ended;
            return Err(self.verdict(error));
        };
        let member_at = self.meter.asked_at();
        if decoder.failed_in_header() && member_at > 0 {
            let rest = Rest::look(&self.file, member_at).map_err(|e| SourceError::unreadable(&self.path, e))?;
            if !rest.has_member {
                self.notes.push(Note::Trailing {
                    archive_offset: member_at,
                    bytes: rest.bytes,
                    zeros: rest.zeros,
                });
                self.body = Body::Ended;
                return Ok(());
            }
        }
        match self.decoder_at(self.produced) {
            Ok(Some(again)) => self.body = Body::Salvage(again),
            Ok(None) | Err(_) => {
                self.body = Body::Ended;
                return Err(self.verdict(error));
            }
        }
        Ok(())
    }

    /// A fresh decoder that has given out `offset` bytes.
    fn decoder_at(&self, offset: u64) -> io::Result<Option<Decoder>> {
        let decoder = Decoder::new(self.stamp.codec, &self.file, &self.meter, &self.limits)?;
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

    pub(super) fn verdict(&self, error: io::Error) -> SourceError {
        let (path, codec) = (self.path.clone(), self.stamp.codec);
        let (content_offset, archive_offset) = (self.produced, self.meter.consumed());
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

    pub(super) fn bomb(&self) -> Option<SourceError> {
        let (content_bytes, archive_bytes) = (self.produced, self.meter.consumed());
        let Limits {
            content_bytes_max,
            ratio_max,
            ratio_from_bytes,
            ..
        } = self.limits;
        let limit = if content_bytes > content_bytes_max {
            format!("the limit is {content_bytes_max} bytes")
        } else if content_bytes > ratio_from_bytes && content_bytes / archive_bytes.max(1) > ratio_max {
            format!("the limit is {ratio_max} to 1")
        } else {
            return None;
        };
        Some(SourceError::Bomb {
            path: self.path.clone(),
            content_bytes,
            archive_bytes,
            limit,
        })
    }
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
