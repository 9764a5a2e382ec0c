//! One snapshot as bytes: what it is of, the detection, and a sum over both.

use super::expected_hours::OpenHour;
use super::header::{KeptHeader, SNAPSHOT, checked, summed};
use super::subject::KeptSubject;
use crate::analysis::fleet::Known;
use crate::detect::engine::{Engine, Options};
use crate::model::time::Minute;
use crate::query::history_version::HistoryVersion;
use anyhow::{Context as _, Result};
use std::io::Read as _;

/// Speed counts: a snapshot is written every quarter of an hour, and read by each command.
const LEVEL: i32 = 3;
/// A detection is far smaller, unpacked.
const BYTES_MAX: u64 = 1 << 30;

/// The detection as it stood before a minute.
#[derive(Debug)]
pub struct Snapshot {
    /// The first minute of the history that it knows.
    pub first: Minute,
    /// The first minute that it has not judged.
    pub at: Minute,
    /// What the history was like when it was read.
    pub mark: HistoryVersion,
    /// Names and logs that it knows.
    pub known: Known,
    /// The detection.
    pub engine: Engine,
    /// What was expected of the hour under way, by whoever keeps that.
    pub open_hour: Option<OpenHour>,
}

/// The same as it is written: of a detection that goes on.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'d> {
    /// The first minute of the history that it knows.
    pub first: Minute,
    /// The first minute that it has not judged.
    pub at: Minute,
    /// What the history was like when it was read.
    pub mark: &'d HistoryVersion,
    /// Names and logs that it knows.
    pub known: &'d Known,
    /// The detection.
    pub engine: &'d Engine,
    /// What was expected of the hour under way, by whoever keeps that.
    pub open_hour: Option<&'d OpenHour>,
}

impl Standing<'_> {
    /// As bytes.
    ///
    /// # Errors
    /// It cannot be encoded.
    pub(super) fn to_bytes(self, subject: &KeptSubject) -> Result<Vec<u8>> {
        let mut bytes = KeptHeader::new(subject, (self.first, self.at), self.mark).to_bytes(SNAPSHOT)?;
        let known = postcard::to_allocvec(&(self.known, self.open_hour))?;
        let mut body = (known.len() as u64).to_le_bytes().to_vec();
        body.extend(known);
        body.extend(self.engine.to_bytes()?);
        bytes.extend(zstd::bulk::compress(&body, LEVEL)?);
        Ok(summed(bytes))
    }
}

impl Snapshot {
    /// Of the bytes that stand in a file.
    ///
    /// # Errors
    /// They are damaged, or of another subject.
    pub(super) fn of_bytes(bytes: &[u8], subject: &KeptSubject, options: &Options) -> Result<Snapshot> {
        let content = checked(bytes)?;
        let (header, begin) = KeptHeader::of(content, SNAPSHOT, subject)?;
        let mut body = Vec::new();
        let packed = zstd::stream::read::Decoder::new(content.get(begin..).unwrap_or_default())?;
        packed.take(BYTES_MAX).read_to_end(&mut body)?;
        let (length, rest) = body.split_first_chunk::<8>().context("it is cut off")?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (known, engine) = rest.split_at_checked(length).context("it is cut off")?;
        let (known, open_hour) = postcard::from_bytes(known)?;
        Ok(Snapshot {
            first: header.first,
            at: header.at,
            mark: header.mark,
            known,
            open_hour,
            engine: Engine::from_bytes(engine, options.clone())?,
        })
    }
}
