//! An open database. What SQL it is asked stands in this room alone: the methods that take it are not seen outside.

use super::CatalogueError;
use rusqlite::{CachedStatement, Params, Row, Statement};
use std::ops::Deref;

/// A connection to a catalogue.
#[derive(Debug)]
pub struct Connection(rusqlite::Connection);

impl Connection {
    pub(super) fn of(connection: rusqlite::Connection) -> Self {
        Connection(connection)
    }

    pub(super) fn sqlite(&self) -> &rusqlite::Connection {
        &self.0
    }

    pub(super) fn prepare(&self, sql: &str) -> rusqlite::Result<Statement<'_>> {
        self.0.prepare(sql)
    }

    pub(super) fn prepare_cached(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.0.prepare_cached(sql)
    }

    pub(super) fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.0.execute(sql, params)
    }

    pub(super) fn execute_batch(&self, sql: &str) -> rusqlite::Result<()> {
        self.0.execute_batch(sql)
    }

    pub(super) fn query_row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.0.query_row(sql, params, read)
    }

    /// Any statements, for tests of other rooms.
    #[cfg(test)]
    pub(in crate::store) fn run(&self, sql: &str) {
        self.0.execute_batch(sql).unwrap();
    }

    /// Any number, for tests of other rooms.
    #[cfg(test)]
    pub(in crate::store) fn number(&self, sql: &str) -> i64 {
        self.0.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// Another process writes, for longer than is waited.
    pub fn begin(&mut self) -> Result<Transaction<'_>, CatalogueError> {
        self.0.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Transaction {
            connection: self,
            is_open: true,
        })
    }

    /// Makes it one file, without a log of changes beside it, and closes it.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn close_as_one_file(self) -> Result<(), CatalogueError> {
        self.0
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE")?;
        Ok(self.0.close().map_err(|(_, error)| error)?)
    }
}

/// A transaction: what is written by it becomes true at once, or not at all.
#[derive(Debug)]
pub struct Transaction<'c> {
    connection: &'c Connection,
    is_open: bool,
}

impl Transaction<'_> {
    /// The commit point.
    ///
    /// # Errors
    /// The disk; nothing has become true then.
    pub fn commit(mut self) -> Result<(), CatalogueError> {
        self.connection.execute_batch("COMMIT")?;
        self.is_open = false;
        Ok(())
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_open && !self.connection.0.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}
