//! How much room the disk of the store has.

use std::path::Path;

/// The disk that a folder is on, or will be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DiskRoom {
    /// Bytes that this user may still write.
    pub free: u64,
    /// All of its bytes.
    pub size: u64,
}

impl DiskRoom {
    /// That of a folder; nothing where no parent of it exists, or the system does not say.
    #[must_use]
    pub(crate) fn of(folder: &Path) -> Option<DiskRoom> {
        let there = folder.ancestors().find(|path| path.exists())?;
        let disk = rustix::fs::statvfs(there).ok()?;
        Some(DiskRoom {
            free: disk.f_bavail * disk.f_frsize,
            size: disk.f_blocks * disk.f_frsize,
        })
    }
}
