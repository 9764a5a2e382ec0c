//! Where bytes come from.
//!
//! ```text
//! scan ──▶ unpack ──▶ chunks ──▶ lines
//! paths    content    1 MiB      (offset, bytes)
//!             └──▶ identity: is this a log that we know, and from where do we read on?
//! ```
//!
//! * [`scan`] expands files, folders and globs into families of rotated siblings, oldest first.
//! * [`unpack`] opens one file and gives its *content*: plain or decompressed, with caps against bombs.
//! * [`chunks`] cuts content into line-aligned chunks whose offsets are true, whatever had to be skipped.
//! * [`identity`] decides, without any I/O of its own, whether a file is new, grown, moved, copied, compressed or
//!   truncated.
//!
//! An **offset** is always an offset in content, so that it stays the same when the log is compressed. Nothing here
//! knows what a line means, stores a position, or writes a file.

pub mod chunks;
pub mod fault;
pub mod identity;
pub mod journal;
pub mod scan;
pub mod stdin;
pub mod unpack;
pub mod watch;

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub use chunks::{Chunk, Chunks, Pool};
pub use fault::{Note, SourceError};
pub use scan::{Family, Found};
pub use unpack::Content;

/// How the bytes of a file are packed. Told by its magic bytes, never by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// As written.
    Plain,
    /// gzip, any number of members.
    Gzip,
    /// Zstandard, any number of frames.
    Zstd,
    /// bzip2, any number of streams.
    Bzip2,
    /// xz, any number of streams.
    Xz,
}

impl Codec {
    /// The name, as it is stored in the catalogue and printed.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Plain => "plain",
            Codec::Gzip => "gzip",
            Codec::Zstd => "zstd",
            Codec::Bzip2 => "bzip2",
            Codec::Xz => "xz",
        }
    }

    /// The reverse of [`Codec::name`].
    pub fn from_name(name: &str) -> Option<Codec> {
        [Codec::Plain, Codec::Gzip, Codec::Zstd, Codec::Bzip2, Codec::Xz]
            .into_iter()
            .find(|codec| codec.name() == name)
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What the file system says of a file: enough to see that nothing happened to it since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Size on disk: of the archive, not of its content.
    pub size: u64,
    /// Time of the last change of the bytes, milliseconds since 1970.
    pub mtime_ms: i64,
    /// How it is packed.
    pub codec: Codec,
}

impl Stamp {
    /// The stamp of a file whose metadata were just read.
    pub fn of(metadata: &Metadata, codec: Codec) -> Stamp {
        Stamp {
            dev: metadata.dev(),
            ino: metadata.ino(),
            size: metadata.size(),
            mtime_ms: metadata.mtime() * 1000 + metadata.mtime_nsec() / 1_000_000,
            codec,
        }
    }

    /// Whether both are one file now, whatever its length.
    pub fn same_file(&self, other: &Stamp) -> bool {
        (self.dev, self.ino, self.codec) == (other.dev, other.ino, other.codec)
    }
}

/// Every bound of this module. The configuration may state them; these are the defaults.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Raw bytes read for one chunk.
    pub chunk_bytes: usize,
    /// What is kept of a line.
    pub line_bytes_max: usize,
    /// What an archive may unpack to.
    pub content_bytes_max: u64,
    /// Output to input of an archive. NUL-filled logs reach 1 000 in gzip, repeated lines 100.
    pub ratio_max: u64,
    /// Below this much output the ratio is not looked at.
    pub ratio_from_bytes: u64,
    /// What a decoder may allocate for its dictionary or window.
    pub decoder_memory_bytes_max: u64,
    /// How deep folders are followed.
    pub depth_max: usize,
    /// How many files and folders one scan looks at.
    pub entries_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            chunk_bytes: 1 << 20,
            line_bytes_max: 64 << 10,
            content_bytes_max: 64 << 30,
            ratio_max: 2000,
            ratio_from_bytes: 1 << 30,
            decoder_memory_bytes_max: 128 << 20,
            depth_max: 16,
            entries_max: 200_000,
        }
    }
}

/// The first bytes of a file's content, for recognising what kind of log it is.
#[derive(Debug, Clone)]
pub struct Sample {
    /// How the file is packed.
    pub codec: Codec,
    /// The content.
    pub bytes: Vec<u8>,
    /// The content ends here.
    pub whole: bool,
}

/// Reads the first `kib` KiB of a file's content. A damaged archive gives what stands before the damage; only when
/// that is nothing, the damage is the answer.
pub fn sample(path: &Path, kib: usize, limits: &Limits) -> Result<Sample, SourceError> {
    let mut content = Content::open(path, limits)?;
    let bytes = content.peek(kib << 10)?.to_vec();
    Ok(Sample {
        codec: content.stamp().codec,
        whole: bytes.len() < kib << 10,
        bytes,
    })
}
