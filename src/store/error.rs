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
    #[error("{path}: it kept changing while it was copied, and this user may not read it in place. Try again")]
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
    #[error("{path}: another mailpulse (pid {pid}) writes to this store; stop it, or wait until it has finished")]
    Locked {
        /// The store.
        path: PathBuf,
        /// Its process ID, as it left it.
        pid: String,
    },
    /// What cannot be sent fills the outbox.
    #[error(
        "{path}: {bytes} bytes wait to be sent, and the limit is {max} (outbox_mib_max). Nothing is read until the \
         ClickHouse accepts data again; `mailpulse status` shows why it does not"
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
        "{path}: data was committed here while `ship` was not set, and the ClickHouse lacks it. Send everything again \
         into an empty database: mailpulse store ship --anew"
    )]
    ShipGap {
        /// The store.
        path: PathBuf,
    },
    /// The catalogue is not the one of the segments.
    #[error("{path}: {lost}. Nothing was created or removed; {}", REPAIR)]
    Lost {
        /// The store.
        path: PathBuf,
        /// What is wrong with its catalogue.
        lost: Lost,
    },
    /// The catalogue was rebuilt, and nobody has said what becomes of what was sent.
    #[error(
        "{path}: the catalogue was rebuilt (`store repair`), and nothing is sent until you decide about the rows on \
         the server. To keep them: read the logs again, then run `mailpulse store ship --keep-sent`, which sends what \
         is missing there. If the database is empty: `mailpulse store ship --anew`"
    )]
    ShipUndecided {
        /// The store.
        path: PathBuf,
    },
    /// What is stored and not counted is not compared with a server's.
    #[error(
        "{path}: {segments} segments were recovered, and their logs have not been read again. Run `mailpulse \
         backfill` first, so that nothing is sent twice. If these logs are gone: mailpulse store ship --keep-sent \
         --force"
    )]
    UnreadLogs {
        /// The store.
        path: PathBuf,
        /// How many.
        segments: u64,
    },
    /// A folder for an export holds something else.
    #[error(
        "{path}: {what}. Nothing was written; name an empty folder, or the folder of an earlier export of this store"
    )]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// What is in it.
        what: String,
    },
    /// There is no store.
    #[error("{0}: no store here; `mailpulse backfill` creates one, or name another with --store")]
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
            "; this batch is not committed: free space and run again, it continues where it stopped"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "; the file system is mounted read-only: queries work, but nothing is stored"
        }
        io::ErrorKind::PermissionDenied => "; run as a user who may write there, or name another store with --store",
        _ => "",
    }
}

/// Why a catalogue is not the one of its segments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// There is no file.
    #[error("its catalogue is gone, but there are segments")]
    Missing,
    /// There are no bytes.
    #[error("its catalogue is empty, but there are segments")]
    Empty,
    /// Another file has its name.
    #[error("its catalogue is not an SQLite database")]
    NoDatabase,
    /// SQLite cannot read it.
    #[error("its catalogue is damaged ({0})")]
    Damaged(String),
    /// It never had a segment.
    #[error("its catalogue is new, and lists none of the segments that are there")]
    Fresh,
    /// It is another store's.
    #[error("its catalogue belongs to other segments than those that are there")]
    Foreign,
    /// A copy knows more than it.
    #[error("its catalogue is older than its own copy: an old one was restored")]
    Older,
}
