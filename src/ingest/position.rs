//! A log's position as the catalogue keeps it: JSON, so that an operator can read it.

use super::journal_position;
use crate::model::time::UtcMs;
use crate::source::identity::{HeadHash, KnownIdentity, Marks, OldFile, Position, ReadMark};
use crate::source::{Codec, Stamp};
use crate::store::StoreError;
use crate::store::catalogue::{CatalogueError, LogState};
use serde::{Deserialize, Serialize};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// See [`Position`]; hashes in hexadecimal.
#[derive(Debug, Serialize, Deserialize)]
struct StoredPosition {
    base: Option<String>,
    ordinal: u32,
    head_len: u16,
    head: String,
    offset: u64,
    tail: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    partial_flushed: bool,
    marks: String,
    dev: u64,
    ino: u64,
    size: u64,
    mtime_ms: UtcMs,
    codec: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    epoch: u32,
    complete: bool,
    /// Each line is the host's that it names.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_line: bool,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A log that the store knows.
#[derive(Debug, Clone)]
pub struct KnownLog {
    /// Identity and position.
    pub known: KnownIdentity,
    /// Each line is the host's that it names.
    pub by_line: bool,
    /// What the catalogue says.
    pub state: LogState,
}

impl KnownLog {
    /// Looks what has become of its file.
    pub(crate) fn look_again(&mut self) {
        self.known.old_file = old_file(&path_of(&self.state), &self.known.position);
    }
}

/// The JSON of a position.
pub(crate) fn to_json(base: Option<u64>, ordinal: u32, position: &Position, by_line: bool) -> String {
    let stored = StoredPosition {
        base: base.map(|base| format!("{base:016x}")),
        ordinal,
        head_len: position.head.len,
        head: hex::encode(position.head.hash),
        offset: position.mark.offset,
        tail: hex::encode(position.mark.tail),
        partial_flushed: position.mark.partial_flushed,
        marks: hex::encode(position.marks.to_bytes()),
        dev: position.stamp.dev,
        ino: position.stamp.ino,
        size: position.stamp.size,
        mtime_ms: position.stamp.mtime_ms,
        codec: position.stamp.codec.name().to_owned(),
        epoch: position.epoch,
        complete: position.complete,
        by_line,
    };
    serde_json::to_string(&stored).unwrap_or_default()
}

/// The log that a row of the catalogue describes; None if its position cannot be read.
pub fn known(state: LogState) -> Option<KnownLog> {
    let Identified {
        base,
        ordinal,
        position,
        by_line,
    } = from_json(&state.position)?;
    let old_file = old_file(&path_of(&state), &position);
    Some(KnownLog {
        known: KnownIdentity {
            base,
            ordinal,
            position,
            old_file,
        },
        by_line,
        state,
    })
}

/// What [`to_json`] was given.
struct Identified {
    base: Option<u64>,
    ordinal: u32,
    position: Position,
    by_line: bool,
}

fn from_json(json: &str) -> Option<Identified> {
    let stored: StoredPosition = serde_json::from_str(json).ok()?;
    let stamp = Stamp {
        dev: stored.dev,
        ino: stored.ino,
        size: stored.size,
        mtime_ms: stored.mtime_ms,
        codec: Codec::from_name(&stored.codec)?,
    };
    let position = Position {
        head: HeadHash {
            len: stored.head_len,
            hash: hash(&stored.head)?,
        },
        mark: ReadMark {
            offset: stored.offset,
            tail: hash(&stored.tail)?,
            partial_flushed: stored.partial_flushed,
        },
        marks: Marks::from_bytes(&hex::decode(&stored.marks).ok()?),
        stamp,
        epoch: stored.epoch,
        complete: stored.complete,
    };
    let base = match stored.base {
        Some(base) => Some(u64::from_str_radix(&base, 16).ok()?),
        None => None,
    };
    Some(Identified {
        base,
        ordinal: stored.ordinal,
        position,
        by_line: stored.by_line,
    })
}

/// Whether the position of a log can be read, in a file or in a journal.
pub fn is_readable(state: &LogState) -> bool {
    journal_position::is_readable(&state.position) || from_json(&state.position).is_some()
}

/// What is wrong with a log of which [`known`] says nothing.
pub(super) fn unreadable(state: &LogState) -> StoreError {
    let path = path_of(state).display().to_string();
    StoreError::Catalogue(CatalogueError::Position { path })
}

/// The path of a log's file.
pub fn path_of(state: &LogState) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(&state.path))
}

fn old_file(path: &Path, position: &Position) -> OldFile {
    let stamp = &position.stamp;
    let Ok(metadata) = std::fs::metadata(path) else {
        return OldFile::Gone;
    };
    let now = Stamp::of(&metadata, stamp.codec);
    if !now.same_file(stamp) || (now != *stamp && stamp.codec == Codec::Plain && !begins(path, &position.head)) {
        return OldFile::Gone;
    }
    OldFile::Alive {
        size: now.size,
        mtime_ms: now.mtime_ms,
    }
}

/// Whether a plain file still begins as the log did: one that was written anew is another.
fn begins(path: &Path, head: &HeadHash) -> bool {
    let mut first = vec![0; usize::from(head.len)];
    let read = std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut first));
    head.len == 0 || read.is_ok() && head.begins(&first)
}

fn hash(text: &str) -> Option<[u8; 16]> {
    let mut hash = [0; 16];
    hex::decode_to_slice(text, &mut hash).ok()?;
    Some(hash)
}
