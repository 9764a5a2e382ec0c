//! What a server's refusals mean.

use super::Endpoint;
use super::tls;
use crate::store::catalogue::CatalogueError;
use crate::store::error::StoreError;
use std::path::PathBuf;

/// Why a server did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClickHouseError {
    /// It cannot be reached, did not answer in time, or says that it cannot now.
    #[error("{endpoint}: {what}{}", hint(*code, what))]
    Unavailable {
        /// Where.
        endpoint: Endpoint,
        /// Its words, or the network's.
        what: String,
        /// ClickHouse's number of the error; 0 for none.
        code: u32,
    },
    /// It will never take this.
    #[error("{endpoint}: {what}{}", hint(*code, what))]
    Refused {
        /// Where.
        endpoint: Endpoint,
        /// Its words.
        what: String,
        /// ClickHouse's number of the error.
        code: u32,
    },
    /// The schema is not the one that this program knows.
    #[error("{endpoint}: {what}")]
    Schema {
        /// Where.
        endpoint: Endpoint,
        /// What is wrong, and what helps.
        what: String,
    },
    /// The server does not take batches as sending needs it.
    #[error("{endpoint}: {what}")]
    Settings {
        /// Where.
        endpoint: Endpoint,
        /// What is wrong, and what helps.
        what: String,
    },
    /// Another process sends from this store.
    #[error(
        "{path}: another mailpulse already sends from this store ({holder}), and sends all that waits; `mailpulse \
         status` shows its progress"
    )]
    Busy {
        /// The lock.
        path: PathBuf,
        /// Who holds it, as far as it is known.
        holder: String,
    },
    /// A local file.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The embedded store.
    #[error(transparent)]
    Store(#[from] Box<StoreError>),
}

impl From<StoreError> for ClickHouseError {
    fn from(error: StoreError) -> Self {
        ClickHouseError::Store(Box::new(error))
    }
}

impl From<CatalogueError> for ClickHouseError {
    fn from(error: CatalogueError) -> Self {
        StoreError::from(error).into()
    }
}

impl ClickHouseError {
    /// Whether trying again can help.
    pub fn can_pass(&self) -> bool {
        !matches!(self, ClickHouseError::Refused { .. })
    }

    /// ClickHouse's number of the error, if the server gave one.
    pub fn code(&self) -> Option<u32> {
        match self {
            ClickHouseError::Unavailable { code, .. } | ClickHouseError::Refused { code, .. } if *code != 0 => {
                Some(*code)
            }
            _ => None,
        }
    }
}

/// What an operator does about an error of this number, or of these words where there is no number.
fn hint(code: u32, what: &str) -> String {
    let hint = match code {
        60 | 81 => "; create the tables with `mailpulse store migrate`",
        516 | 192 | 193 | 194 => {
            "; set the password in MAILPULSE_CLICKHOUSE_PASSWORD or `password_file` of [clickhouse], and name the \
             user in the URL"
        }
        497 => "; the user lacks the privilege: GRANT it, or name another user in the URL",
        0 => match tls::hint(what) {
            Some(hint) => return format!("; {hint}"),
            None => "; check that the server is running, and that this is the port of its HTTP interface",
        },
        _ => "",
    };
    hint.to_owned()
}
