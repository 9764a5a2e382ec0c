//! One snapshot as bytes: what it is of, the detection, and a sum over both.

use super::subject::KeptSubject;
use crate::analysis::fleet::Known;
use crate::detect::engine::{Engine, Options};
use crate::detect::kept::RULES;
use crate::model::time::Minute;
use crate::query::history_version::HistoryVersion;
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use std::io::Read as _;

const MAGIC: &[u8; 8] = b"MPDETECT";
/// Version of this form.
const FORMAT: u32 = 1;
/// Bytes of the sum.
const SUM: usize = 32;
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
}

/// What is read before it is known whether the rest is of use.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SnapshotHeader {
    format: u32,
    rules: u32,
    subject: KeptSubject,
    first: Minute,
    pub(super) at: Minute,
    pub(super) mark: HistoryVersion,
}

impl SnapshotHeader {
    /// Why nothing can be made of it; none where it can.
    fn is_other(&self, subject: &KeptSubject) -> Option<&'static str> {
        match self {
            _ if self.rules != RULES => Some("other rules made it"),
            _ if self.subject.options != subject.options => Some("it was made under another configuration"),
            _ if self.subject.history != subject.history => Some("it is of another store"),
            _ if self.subject.relabelled != subject.relabelled => Some("stored rows were attributed anew since"),
            _ => None,
        }
    }
}

/// The header of a file, if it is of this subject, and where the rest begins.
///
/// # Errors
/// Why it is of no use.
pub(super) fn header(bytes: &[u8], subject: &KeptSubject) -> Result<(SnapshotHeader, usize)> {
    let rest = bytes
        .strip_prefix(MAGIC.as_slice())
        .context("it is no state of the detection")?;
    let (length, rest) = rest.split_first_chunk::<4>().context("it is cut off")?;
    let length = u32::from_le_bytes(*length) as usize;
    let text = rest.get(..length).context("it is cut off")?;
    // The form of the rest is known only of this version's.
    if text.first() != Some(&(FORMAT as u8)) {
        bail!("another version of mailpulse wrote it");
    }
    let header: SnapshotHeader = postcard::from_bytes(text).context("its header is damaged")?;
    if let Some(why) = header.is_other(subject) {
        bail!("{why}");
    }
    Ok((header, MAGIC.len() + 4 + length))
}

impl Standing<'_> {
    /// As bytes.
    ///
    /// # Errors
    /// It cannot be encoded.
    pub(super) fn to_bytes(self, subject: &KeptSubject) -> Result<Vec<u8>> {
        let header = postcard::to_allocvec(&SnapshotHeader {
            format: FORMAT,
            rules: RULES,
            subject: subject.clone(),
            first: self.first,
            at: self.at,
            mark: self.mark.clone(),
        })?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header);
        let known = postcard::to_allocvec(self.known)?;
        let mut body = (known.len() as u64).to_le_bytes().to_vec();
        body.extend(known);
        body.extend(self.engine.to_bytes()?);
        bytes.extend(zstd::bulk::compress(&body, LEVEL)?);
        let sum = blake3::hash(&bytes);
        bytes.extend(sum.as_bytes());
        Ok(bytes)
    }
}

impl Snapshot {
    /// Of the bytes that stand in a file.
    ///
    /// # Errors
    /// They are damaged, or of another subject.
    pub(super) fn of_bytes(bytes: &[u8], subject: &KeptSubject, options: &Options) -> Result<Snapshot> {
        let (content, sum) = bytes.split_last_chunk::<SUM>().context("it is cut off")?;
        if blake3::hash(content).as_bytes() != sum {
            bail!("it is damaged");
        }
        let (header, begin) = header(content, subject)?;
        let mut body = Vec::new();
        let packed = zstd::stream::read::Decoder::new(content.get(begin..).unwrap_or_default())?;
        packed.take(BYTES_MAX).read_to_end(&mut body)?;
        let (length, rest) = body.split_first_chunk::<8>().context("it is cut off")?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (known, engine) = rest.split_at_checked(length).context("it is cut off")?;
        Ok(Snapshot {
            first: header.first,
            at: header.at,
            mark: header.mark,
            known: postcard::from_bytes(known)?,
            engine: Engine::from_bytes(engine, options.clone())?,
        })
    }
}
