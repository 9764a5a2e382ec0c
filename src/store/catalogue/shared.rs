//! The catalogue of an open store: one connection that its threads share.

use super::{CatalogueError, Connection, open};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The catalogue. A panic elsewhere cannot leave it half changed: changes are transactions.
#[derive(Debug)]
pub(crate) struct Catalogue {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Catalogue {
    /// That of a store, opened.
    pub(crate) fn of(store: &Path, connection: Connection) -> Self {
        Catalogue {
            path: store.join(FILE),
            connection: Mutex::new(connection),
        }
    }

    /// The connection, for this thread alone.
    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another connection, for who asks beside the thread that commits.
    ///
    /// # Errors
    /// As [`open`].
    pub(crate) fn connect(&self) -> Result<Connection, CatalogueError> {
        open(&self.path)
    }
}

/// The database's name in a store's folder.
pub const FILE: &str = "catalogue.sqlite";
