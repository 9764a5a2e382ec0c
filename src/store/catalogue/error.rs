//! What goes wrong in the catalogue.

use std::io;
use std::path::PathBuf;

/// What went wrong in the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// SQLite's own words.
    #[error("catalogue: {error}{hint}", error = .0, hint = hint(.0))]
    Sqlite(#[from] rusqlite::Error),
    /// It was looked through, and is no good.
    #[error("catalogue: {0}; {REPAIR}")]
    Damaged(String),
    /// Made by a newer program.
    #[error(
        "catalogue: version {found} is newer than this program supports ({known}); use the mailpulse that created \
         it"
    )]
    Newer {
        /// Its version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// How far a log was read cannot be told.
    #[error(
        "catalogue: the position of the log {path} is damaged, and reading it from its start would store its lines \
         twice. Restore the catalogue with `mailpulse store repair`"
    )]
    Position {
        /// The log's file.
        path: String,
    },
    /// A stored state cannot be read.
    #[error("catalogue: {0}")]
    State(#[from] serde_json::Error),
    /// Reading or writing a file of it.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It changes faster than it can be copied for a user who may not write beside it.
    #[error("{path}: it kept changing while it was copied")]
    Changing {
        /// The catalogue.
        path: PathBuf,
    },
}

impl CatalogueError {
    /// Whether SQLite says that the file is damaged, or none of its own: its words then.
    pub fn damage(&self) -> Option<String> {
        match self {
            CatalogueError::Sqlite(error) if is_damage(error) => Some(error.to_string()),
            _ => None,
        }
    }
}

/// What helps where the catalogue is lost or damaged.
pub(crate) const REPAIR: &str =
    "`mailpulse store repair` repairs the store from the hourly copy of its catalogue and from its segments";

fn hint(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        _ if is_damage(error) => format!("; {REPAIR}"),
        Some(rusqlite::ErrorCode::DiskFull) => {
            "; what was being written is not committed: free space and run again, it continues where it stopped"
                .to_owned()
        }
        Some(rusqlite::ErrorCode::ReadOnly) => {
            "; this user may only read the store, and this command writes to it: run as the user that owns \
             it"
            .to_owned()
        }
        _ => String::new(),
    }
}

/// Whether SQLite says that the file is damaged, or none of its own.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    let is_no_text = matches!(
        error,
        rusqlite::Error::Utf8Error(..) | rusqlite::Error::FromSqlConversionFailure(..)
    );
    is_no_text || matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}
