//! What goes wrong in the store.

use super::catalogue::{CatalogueError, REPAIR};
use super::columnar::ColumnarError;
use std::io;
use std::path::PathBuf;

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Reading or writing a file.
    #[error("{path}: {source}{}", hint(source))]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// This user may not read the store.
    #[error("{path}: {source}; {hint}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
        /// Who may, and how this user may too.
        hint: String,
    },
    /// The catalogue changes faster than it can be copied for a user who may not write beside it.
    #[error(
        "{path}: it changed again and again while it was copied, and this user may not read it in place: ask again"
    )]
    Changing {
        /// The catalogue.
        path: PathBuf,
    },
    /// In the catalogue.
    #[error(transparent)]
    Catalogue(CatalogueError),
    /// In a columnar file.
    #[error(transparent)]
    Columnar(#[from] ColumnarError),
    /// Another process writes.
    #[error("{path}: another mailpulse (pid {pid}) writes to this store; stop it, or wait until it is done")]
    Locked {
        /// The store.
        path: PathBuf,
        /// Its process ID, as it left it.
        pid: String,
    },
    /// What cannot be sent fills the outbox.
    #[error(
        "{path}: {bytes} bytes wait to be sent, and {max} may (outbox_mib_max): nothing is read until the ClickHouse takes \
         them again; `mailpulse status` says why it does not"
    )]
    OutboxFull {
        /// The outbox.
        path: PathBuf,
        /// What waits.
        bytes: u64,
        /// What may.
        max: u64,
    },
    /// `ship` was taken away and came back.
    #[error(
        "{path}: something was committed here while `ship` was not set, and the ClickHouse lacks it. Send everything anew, \
         into an empty database: mailpulse store ship --anew"
    )]
    ShipGap {
        /// The store.
        path: PathBuf,
    },
    /// The catalogue is not the one of the segments.
    #[error("{path}: {lost}: nothing is started afresh, and nothing is removed; {}", REPAIR)]
    Lost {
        /// The store.
        path: PathBuf,
        /// What is wrong with its catalogue.
        lost: Lost,
    },
    /// The catalogue was rebuilt, and nobody has said what becomes of what was sent.
    #[error(
        "{path}: the catalogue was rebuilt (`store repair`), and nothing is sent before it is said what the server keeps. If \
         it keeps its rows: `mailpulse store ship --keep-sent`, after the logs have been read again; it sends what is missing \
         there. If its database is empty: `mailpulse store ship --anew`"
    )]
    ShipUndecided {
        /// The store.
        path: PathBuf,
    },
    /// What is stored and not counted is not compared with a server's.
    #[error(
        "{path}: {segments} segments were taken over, and their logs have not been read again: run `mailpulse backfill` first, \
         so that nothing is sent twice. If these logs are gone: mailpulse store ship --keep-sent --force"
    )]
    UnreadLogs {
        /// The store.
        path: PathBuf,
        /// How many.
        segments: u64,
    },
    /// A folder for an export holds something else.
    #[error(
        "{path}: {what}: nothing is written there; name an empty folder, or one of an earlier export of this store"
    )]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// What is in it.
        what: String,
    },
    /// There is no store.
    #[error("{0}: no store here; `mailpulse backfill` makes one, or name another with --store")]
    Missing(PathBuf),
}

impl From<CatalogueError> for StoreError {
    fn from(error: CatalogueError) -> Self {
        match error {
            CatalogueError::Io { path, source } => StoreError::Io { path, source },
            CatalogueError::Changing { path } => StoreError::Changing { path },
            other => StoreError::Catalogue(other),
        }
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; nothing of this batch is committed: make room and run again, it goes on where it stopped"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "; the file system is mounted read-only: questions are answered, nothing is stored"
        }
        io::ErrorKind::PermissionDenied => "; run as a user who may write there, or name another store with --store",
        _ => "",
    }
}

/// Why a catalogue is not the one of its segments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// There is no file.
    #[error("its catalogue is gone, and there are segments")]
    Missing,
    /// There are no bytes.
    #[error("its catalogue is empty, and there are segments")]
    Empty,
    /// Another file has its name.
    #[error("its catalogue is no SQLite database")]
    NoDatabase,
    /// SQLite cannot read it.
    #[error("its catalogue is damaged ({0})")]
    Damaged(String),
    /// It never had a segment.
    #[error("its catalogue was started afresh, and knows none of the segments that are there")]
    Fresh,
    /// It is another store's.
    #[error("its catalogue belongs to other segments than those that are there")]
    Foreign,
    /// A copy knows more than it.
    #[error("its catalogue is older than the copy of it: it was put back from elsewhere")]
    Older,
}
