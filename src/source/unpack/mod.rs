//! One file's content, plain or unpacked.
//!
//! The codec is told by magic bytes. Whatever a decoder got out of an archive before it failed is delivered first,
//! to the byte, then the error: the decoders throw away what they had put into the buffer of the failing call, so on
//! a failure the archive is decoded once more up to there and read on byte by byte. That costs a second pass, over
//! damaged archives only.
//!
//! Two caps hold against decompression bombs, a ratio and an absolute size; both are in [`Limits`]. Nothing is ever
//! unpacked to disk, and never twice (an archive in an archive is a log of another kind).

mod damage;
mod decode;
mod open;
#[cfg(test)]
pub(super) mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use damage::{Reached, decoder_at, read_by_byte};
use decode::{Decoder, Meter, Rest, read_at_retrying};
pub(super) use open::{kind_of, open_regular};

use super::{Codec, Limits, Note, SourceError, Stamp};

/// The content of one file, from its first byte on.
pub struct Content {
    path: PathBuf,
    file: Arc<File>,
    stamp: Stamp,
    limits: Limits,
    body: Body,
    meter: Arc<Meter>,
    /// Content that was decoded ahead, for recognition.
    peeked: Vec<u8>,
    /// Offset of the next byte to give out.
    at: u64,
    /// Content bytes that came out of the decoder.
    produced: u64,
    /// To be returned once everything before it is given out.
    held: Option<SourceError>,
    notes: Vec<Note>,
    /// Nothing is given out from here on.
    end: Option<u64>,
}

enum Body {
    Plain,
    Packed(Decoder),
    /// The second pass over a damaged archive: byte by byte up to the failure.
    Salvage(Decoder),
    Ended,
}

impl Content {
    /// Opens a file. What is no regular file is never opened.
    pub fn open(path: &Path, limits: &Limits) -> Result<Content, SourceError> {
        let (file, codec) = open_regular(path)?;
        Self::of(Arc::new(file), codec, path, limits)
    }

    /// The content of a file that is open already; it is only *called* `path`, and may have another name by now, or
    /// none.
    pub fn of(file: Arc<File>, codec: Codec, path: &Path, limits: &Limits) -> Result<Content, SourceError> {
        let metadata = file.metadata().map_err(|error| SourceError::unreadable(path, error))?;
        let meter = Arc::new(Meter::default());
        let decoder = Decoder::new(codec, &file, &meter, limits).map_err(|e| SourceError::unreadable(path, e))?;
        Ok(Content {
            path: path.to_owned(),
            file,
            stamp: Stamp::of(&metadata, codec),
            limits: *limits,
            body: decoder.map_or(Body::Plain, Body::Packed),
            meter,
            peeked: Vec::new(),
            at: 0,
            produced: 0,
            held: None,
            notes: Vec::new(),
            end: None,
        })
    }

    /// Ends the content at an offset, whatever comes after it.
    pub(crate) fn end_at(&mut self, offset: Option<u64>) {
        self.end = offset;
    }

    /// Whether it ends before the file does, or may.
    pub fn is_cut(&self) -> bool {
        self.end.is_some()
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file as it was when it was opened.
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// The length of the content, where it is known without reading all of it.
    pub(crate) fn len_known(&self) -> Option<u64> {
        (self.stamp.codec == Codec::Plain).then_some(self.stamp.size)
    }

    /// Offset of the next byte.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// What was odd, but harmless.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Up to `len` bytes from the start of the content, without moving. To be asked before the first read.
    pub fn peek(&mut self, len: usize) -> Result<&[u8], SourceError> {
        let plain = matches!(self.body, Body::Plain);
        while self.peeked.len() < len && self.held.is_none() {
            let had = self.peeked.len();
            if !plain && self.produced > had as u64 {
                break;
            }
            let mut more = vec![0; len - had];
            match if plain {
                self.read_plain(&mut more, had as u64)
            } else {
                self.decode(&mut more)
            } {
                Ok(0) => break,
                Ok(got) => self.peeked.extend_from_slice(&more[..got]),
                Err(error) if had == 0 => return Err(error),
                Err(error) => self.held = Some(error),
            }
        }
        Ok(&self.peeked[..len.min(self.peeked.len())])
    }

    /// The `len` bytes that end at `offset`, if they can be had without decoding: `None` of an archive, and where the
    /// content is shorter.
    pub(crate) fn read_before(&self, offset: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
        let Some(start) = offset.checked_sub(len as u64) else {
            return Ok(None);
        };
        if offset <= self.peeked.len() as u64 {
            return Ok(Some(self.peeked[start as usize..offset as usize].to_vec()));
        }
        if self.stamp.codec != Codec::Plain {
            return Ok(None);
        }
        let mut bytes = vec![0; len];
        let mut got = 0;
        while got < len {
            match read_at_retrying(&self.file, &mut bytes[got..], start + got as u64)? {
                0 => return Ok(None),
                more => got += more,
            }
        }
        Ok(Some(bytes))
    }

    /// Moves a plain file to an offset; an archive has to be read up to there.
    pub(super) fn seek_plain(&mut self, offset: u64) -> bool {
        let plain = matches!(self.body, Body::Plain);
        if plain {
            self.at = offset;
        }
        plain
    }

    /// The next bytes of content; 0 at its end. A plain file may have more later.
    pub fn read_some(&mut self, mut into: &mut [u8]) -> Result<usize, SourceError> {
        if let Some(end) = self.end {
            let left = usize::try_from(end.saturating_sub(self.at)).unwrap_or(usize::MAX);
            if left == 0 {
                return Ok(0);
            }
            let most = left.min(into.len());
            into = &mut into[..most];
        }
        let got = match self.body {
            Body::Plain => self.read_plain(into, self.at)?,
            _ if self.at < self.peeked.len() as u64 => {
                let ahead = &self.peeked[self.at as usize..];
                let amount = ahead.len().min(into.len());
                into[..amount].copy_from_slice(&ahead[..amount]);
                amount
            }
            _ => self.decode(into)?,
        };
        self.at += got as u64;
        Ok(got)
    }

    fn read_plain(&self, into: &mut [u8], at: u64) -> Result<usize, SourceError> {
        read_at_retrying(&self.file, into, at).map_err(|error| SourceError::unreadable(&self.path, error))
    }

    fn decode(&mut self, into: &mut [u8]) -> Result<usize, SourceError> {
        if let Some(error) = self.held.take() {
            self.body = Body::Ended;
            return Err(error);
        }
        loop {
            let result = match &mut self.body {
                Body::Plain | Body::Ended => return Ok(0),
                Body::Packed(decoder) => decoder.read(into),
                Body::Salvage(decoder) => match read_by_byte(decoder, into) {
                    (0, Some(error)) => Err(error),
                    (got, None) => Ok(got),
                    (got, Some(error)) => {
                        self.produced += got as u64;
                        self.held = Some(self.reached().verdict(error));
                        return Ok(got);
                    }
                },
            };
            match result {
                Ok(0) if into.is_empty() => return Ok(0),
                Ok(0) => self.body = Body::Ended,
                Ok(got) => {
                    self.produced += got as u64;
                    self.held = self.reached().bomb();
                    return Ok(got);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => self.failed(error)?,
            }
        }
    }

    /// A decoder failed: trailing bytes end the content, a first failure starts the salvage, a second is the answer.
    fn failed(&mut self, error: io::Error) -> Result<(), SourceError> {
        let Body::Packed(decoder) = &self.body else {
            self.body = Body::Ended;
            return Err(self.reached().verdict(error));
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
        let fresh = Decoder::new(self.stamp.codec, &self.file, &self.meter, &self.limits);
        match fresh.and_then(|decoder| decoder_at(decoder, self.produced)) {
            Ok(Some(again)) => self.body = Body::Salvage(again),
            Ok(None) | Err(_) => {
                self.body = Body::Ended;
                return Err(self.reached().verdict(error));
            }
        }
        Ok(())
    }

    /// How far the decoder has come.
    fn reached(&self) -> Reached<'_> {
        Reached {
            path: &self.path,
            codec: self.stamp.codec,
            limits: &self.limits,
            content_bytes: self.produced,
            archive_bytes: self.meter.consumed(),
        }
    }
}

/// For whoever wants the standard trait; the [`SourceError`] is inside the `io::Error`.
impl Read for Content {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.read_some(into).map_err(io::Error::other)
    }
}
