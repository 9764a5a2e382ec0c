//! What can go wrong with a source, and what was odd but harmless. Every text names the path and what helps.
//!
//! Paths are printed in their escaped form: a file name is data from elsewhere, may be no UTF-8, and must not run in
//! a terminal.

use std::io;
use std::path::{Path, PathBuf};

use super::Codec;

/// A source, or a part of it, that could not be read. The rest goes on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The operating system refused.
    #[error("{path:?}: cannot be read ({error}). {}", hint_of(error))]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// No such file, and no glob either.
    #[error(
        "{path:?}: no such file or folder. Check the spelling, and quote a glob so that the shell does not expand \
         it"
    )]
    Missing {
        /// As given.
        path: PathBuf,
    },
    /// A glob that matches nothing.
    #[error(
        "{pattern:?}: no file matches. List the folder with `ls`; a name that starts with a dot needs a pattern \
         that does too"
    )]
    NoMatch {
        /// As given.
        pattern: PathBuf,
    },
    /// A glob that is none.
    #[error("{pattern:?}: not a valid glob ({detail}). Write `[[]` for a literal bracket")]
    BadGlob {
        /// As given.
        pattern: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A folder in which no name looks like a log.
    #[error(
        "{path:?}: no logs in this folder. Only names like mainlog, *.log or mail.1.gz count as logs; name other \
         files one by one"
    )]
    NoLogs {
        /// The folder.
        path: PathBuf,
    },
    /// FIFO, socket or device: never opened.
    #[error("{path:?}: is a {what}, not a file. Name the log file itself, or `-` for standard input")]
    NotAFile {
        /// As given.
        path: PathBuf,
        /// `FIFO`, `socket`, `device` or `folder`.
        what: &'static str,
    },
    /// A folder too deep, or too many entries.
    #[error("{path:?}: {what} than the limit of {limit}. Name a narrower folder or glob")]
    TooMuch {
        /// Where the scan stopped.
        path: PathBuf,
        /// `deeper folders` or `more entries`.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// An archive that this program cannot unpack.
    #[error(
        "{path:?}: compressed with {format}, which is not supported. Decompress it, or compress it as gz, zst, \
         bz2 or xz"
    )]
    UnknownArchive {
        /// The archive.
        path: PathBuf,
        /// Its format.
        format: &'static str,
    },
    /// An archive that ends too early. What came before was delivered.
    #[error(
        "{path:?}: the {codec} archive is cut off at byte {archive_offset}; {content_offset} bytes of content were \
         read. If it is still being written, run again later. Otherwise, copy it again"
    )]
    CutOff {
        /// The archive.
        path: PathBuf,
        /// Its format.
        codec: Codec,
        /// How much content was delivered.
        content_offset: u64,
        /// Where in the archive it ended.
        archive_offset: u64,
    },
    /// An archive with wrong bytes. What came before was delivered.
    #[error(
        "{path:?}: the {codec} archive is damaged near byte {archive_offset} ({detail}); {content_offset} bytes of \
         content were read. Copy it again from its source"
    )]
    Corrupt {
        /// The archive.
        path: PathBuf,
        /// Its format.
        codec: Codec,
        /// How much content was delivered.
        content_offset: u64,
        /// Where in the archive the damage showed.
        archive_offset: u64,
        /// What the decoder said.
        detail: String,
    },
    /// An archive that unpacks to more than a log would.
    #[error(
        "{path:?}: stopped after {content_bytes} bytes of content from {archive_bytes} bytes of archive ({limit}). If \
         it is a real log, decompress it first"
    )]
    Bomb {
        /// The archive.
        path: PathBuf,
        /// Content so far.
        content_bytes: u64,
        /// Archive bytes so far.
        archive_bytes: u64,
        /// The limit that it broke, in words.
        limit: String,
    },
    /// Standard input that does not end.
    #[error(
        "standard input: longer than {limit_bytes} bytes. Write it to files and name the files: files of any size are \
         read"
    )]
    TooLong {
        /// The limit.
        limit_bytes: u64,
    },
    /// An archive whose dictionary or window is too large.
    #[error(
        "{path:?}: the {codec} archive needs more than {limit_bytes} bytes of memory. Compress it again without \
         --long or --ultra, or decompress it first"
    )]
    Memory {
        /// The archive.
        path: PathBuf,
        /// Its format.
        codec: Codec,
        /// The limit.
        limit_bytes: u64,
    },
}

impl SourceError {
    /// The path (or the pattern) that it is about.
    pub fn path(&self) -> &Path {
        use SourceError::*;
        match self {
            TooLong { .. } => Path::new("-"),
            Unreadable { path, .. } | Missing { path } | NoLogs { path } | NotAFile { path, .. } => path,
            NoMatch { pattern } | BadGlob { pattern, .. } => pattern,
            TooMuch { path, .. } | UnknownArchive { path, .. } | CutOff { path, .. } => path,
            Corrupt { path, .. } | Bomb { path, .. } | Memory { path, .. } => path,
        }
    }

    pub(crate) fn unreadable(path: &Path, error: io::Error) -> SourceError {
        SourceError::Unreadable {
            path: path.to_owned(),
            error,
        }
    }
}

fn hint_of(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "Run as a user in the group that owns it (often adm), or run `chmod g+r` \
             on it"
        }
        io::ErrorKind::NotFound => "It was removed, or it is a dangling link. Run again, or remove the link",
        _ => "Check the disk, the mount, and whether a symbolic link points to itself",
    }
}

/// Something odd in an archive that cost nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Bytes after the last member of a gzip archive, as padding or as garbage.
    Trailing {
        /// Where they begin.
        archive_offset: u64,
        /// How many.
        bytes: u64,
        /// All of them are zero.
        zeros: bool,
    },
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Note::Trailing {
            archive_offset,
            bytes,
            zeros,
        } = self;
        let what = if *zeros {
            "bytes of zero padding"
        } else {
            "bytes that are not gzip"
        };
        write!(
            f,
            "{bytes} {what} after the last gzip member, at byte {archive_offset}: ignored"
        )
    }
}
