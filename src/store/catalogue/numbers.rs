//! Numbers with a name, of the table `state`; the store's own number; the clock.

use super::{CatalogueError, Connection};
use crate::model::time::UtcMs;
use rusqlite::{OptionalExtension as _, params};

/// Name of the catalogue's own number.
const ID: &str = "catalogue_id";

/// Name of the newest segment whose arrivals are linked over hosts.
pub(crate) const LINKED_TO: &str = "hops_linked_to";

/// Name of a number that the catalogue gets when it is rebuilt.
pub(crate) const REBUILT: &str = "rebuilt";

/// A number; none where it was never put.
pub fn find(connection: &Connection, name: &str) -> Result<Option<i64>, CatalogueError> {
    let mut find = connection.prepare_cached("SELECT value FROM state WHERE name = ?1")?;
    Ok(find.query_row([name], |row| row.get(0)).optional()?)
}

/// A number; 0 where it was never put.
pub fn get(connection: &Connection, name: &str) -> Result<i64, CatalogueError> {
    Ok(find(connection, name)?.unwrap_or(0))
}

/// Puts a number.
pub fn put(connection: &Connection, name: &str, value: i64) -> Result<(), CatalogueError> {
    connection.execute(
        "INSERT INTO state VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
        params![name, value],
    )?;
    Ok(())
}

/// Raises a number.
pub fn add(connection: &Connection, name: &str, more: i64) -> Result<(), CatalogueError> {
    put(connection, name, get(connection, name)? + more)
}

/// This host's clock.
pub fn clock_ms(connection: &Connection) -> Result<UtcMs, CatalogueError> {
    let now = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
    Ok(connection.query_row(now, [], |row| row.get(0).map(UtcMs::new))?)
}

/// The catalogue's number; 0 where an older version made it.
pub fn id_of(connection: &Connection) -> Result<i64, CatalogueError> {
    get(connection, ID)
}

/// Gives the catalogue another number, and returns it.
pub(crate) fn new_id(connection: &Connection) -> Result<i64, CatalogueError> {
    let id = (random() & i64::MAX) | 1;
    put(connection, ID, id)?;
    Ok(id)
}

/// A number that nobody else has: the seed that the standard library takes from the system.
pub fn random() -> i64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish() as i64
}
