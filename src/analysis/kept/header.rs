//! What stands before all that is kept: of what it is, and how far it goes; and a sum behind it.

use super::subject::KeptSubject;
use crate::detect::kept::RULES;
use crate::model::time::Minute;
use crate::query::history_version::HistoryVersion;
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

/// First bytes of a file: what it holds.
pub(super) type Magic = [u8; 8];
/// A snapshot of the detection.
pub(super) const SNAPSHOT: &Magic = b"MPDETECT";
/// What was expected of each hour.
pub(super) const EXPECTED_HOURS: &Magic = b"MPEXPECT";
/// Version of these forms.
const FORMAT: u32 = 2;
/// Bytes of the sum.
const SUM: usize = 32;

/// What is read before it is known whether the rest is of use.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeptHeader {
    format: u32,
    rules: u32,
    subject: KeptSubject,
    /// The first minute of the history that is known.
    pub(super) first: Minute,
    /// The first minute that was not judged.
    pub(super) at: Minute,
    /// What the history was like when it was read.
    pub(super) mark: HistoryVersion,
}

impl KeptHeader {
    /// Of a history from one minute up to before another.
    pub(super) fn new(subject: &KeptSubject, (first, at): (Minute, Minute), mark: &HistoryVersion) -> KeptHeader {
        KeptHeader {
            format: FORMAT,
            rules: RULES,
            subject: subject.clone(),
            first,
            at,
            mark: mark.clone(),
        }
    }

    /// As the first bytes of a file.
    ///
    /// # Errors
    /// It cannot be encoded.
    pub(super) fn to_bytes(&self, magic: &Magic) -> Result<Vec<u8>> {
        let header = postcard::to_allocvec(self)?;
        let mut bytes = magic.to_vec();
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header);
        Ok(bytes)
    }

    /// The header of a file, if it is of this subject, and where the rest begins.
    ///
    /// # Errors
    /// Why it is of no use.
    pub(super) fn of(bytes: &[u8], magic: &Magic, subject: &KeptSubject) -> Result<(KeptHeader, usize)> {
        let rest = bytes
            .strip_prefix(magic.as_slice())
            .context("it is no state of the detection")?;
        let (length, rest) = rest.split_first_chunk::<4>().context("it is cut off")?;
        let length = u32::from_le_bytes(*length) as usize;
        let text = rest.get(..length).context("it is cut off")?;
        // The form of the rest is known only of this version's.
        if text.first() != Some(&(FORMAT as u8)) {
            bail!("another version of mailpulse wrote it");
        }
        let header: KeptHeader = postcard::from_bytes(text).context("its header is damaged")?;
        if let Some(why) = header.is_other(subject) {
            bail!("{why}");
        }
        Ok((header, magic.len() + 4 + length))
    }

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

/// Adds the sum.
pub(super) fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = blake3::hash(&bytes);
    bytes.extend(sum.as_bytes());
    bytes
}

/// The bytes before the sum.
///
/// # Errors
/// The sum is not theirs.
pub(super) fn checked(bytes: &[u8]) -> Result<&[u8]> {
    let (content, sum) = bytes.split_last_chunk::<SUM>().context("it is cut off")?;
    if blake3::hash(content).as_bytes() != sum {
        bail!("it is damaged");
    }
    Ok(content)
}
