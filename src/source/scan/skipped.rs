//! What a scan passes over.

use std::path::PathBuf;

/// Something that was found and left alone, for a reason that is no error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skipped {
    /// Another name (hard link, symbolic link) of a file that is taken.
    SameFile {
        /// This name.
        path: PathBuf,
        /// The one that is taken.
        taken: PathBuf,
    },
    /// A FIFO, socket or device in a folder or glob.
    NotAFile {
        /// Which.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
}
