//! What a file looked like when it was opened.

use super::Codec;
use crate::model::time::UtcMs;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// What the file system says of a file: enough to see that nothing happened to it since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Size on disk: of the archive, not of its content.
    pub size: u64,
    /// Time of the last change of the bytes.
    pub mtime_ms: UtcMs,
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
            mtime_ms: UtcMs::from_seconds(metadata.mtime()) + metadata.mtime_nsec() / 1_000_000,
            codec,
        }
    }

    /// Whether both are one file now, whatever its length.
    pub fn same_file(&self, other: &Stamp) -> bool {
        (self.dev, self.ino, self.codec) == (other.dev, other.ino, other.codec)
    }
}
