//! Sources: a host and a kind of log, with a number.

use super::{CatalogueError, Connection};
use crate::model::time::Minute;
use rusqlite::{OptionalExtension as _, params};
use std::collections::BTreeMap;

/// Number of a source; made when it is new.
pub fn source(connection: &Connection, host: &str, kind: &str) -> Result<i64, CatalogueError> {
    connection.execute(
        "INSERT OR IGNORE INTO source (host, kind) VALUES (?1, ?2)",
        params![host, kind],
    )?;
    Ok(connection.query_row(
        "SELECT id FROM source WHERE host = ?1 AND kind = ?2",
        params![host, kind],
        |r| r.get(0),
    )?)
}

/// Number of the source of a host that the lines of a reader's logs name; made when it is new.
pub(crate) fn source_in_log(
    connection: &Connection,
    host: &str,
    kind: &str,
    reader: i64,
) -> Result<i64, CatalogueError> {
    let id = source(connection, host, kind)?;
    connection.execute(
        "INSERT INTO host_of_log (source, reader) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET reader = excluded.reader",
        [id, reader],
    )?;
    Ok(id)
}

/// A host that the lines of another source's logs name.
#[derive(Debug, Clone)]
pub(crate) struct HostOfLog {
    /// Number of its source.
    pub source: i64,
    /// Number of the source that reads the logs.
    pub reader: i64,
    /// Minute of its first line, since the epoch.
    pub first_minute: Option<Minute>,
}

/// All hosts that lines name.
pub(super) fn hosts_of_logs(connection: &Connection) -> Result<Vec<HostOfLog>, CatalogueError> {
    let mut all = connection.prepare(
        "SELECT source, reader,
                (SELECT min(minute) FROM source_minute WHERE source = host_of_log.source AND lines > 0) FROM host_of_log",
    )?;
    let hosts = all.query_map([], |row| {
        Ok(HostOfLog {
            source: row.get(0)?,
            reader: row.get(1)?,
            first_minute: row.get::<_, Option<i64>>(2)?.map(Minute::new),
        })
    })?;
    Ok(hosts.collect::<Result<_, _>>()?)
}

/// Number of a source that is known.
pub(crate) fn known_source(connection: &Connection, host: &str, kind: &str) -> Result<Option<i64>, CatalogueError> {
    let id = connection
        .query_row(
            "SELECT id FROM source WHERE host = ?1 AND kind = ?2",
            params![host, kind],
            |row| row.get(0),
        )
        .optional()?;
    Ok(id)
}

/// Host and kind of a source.
pub(crate) fn source_name(connection: &Connection, source: i64) -> Result<(String, String), CatalogueError> {
    let name = connection.query_row("SELECT host, kind FROM source WHERE id = ?1", [source], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    Ok(name)
}

/// Host and kind of each source, by number.
pub(crate) fn source_names(connection: &Connection) -> Result<BTreeMap<i64, (String, String)>, CatalogueError> {
    let mut all = connection.prepare("SELECT id, host, kind FROM source")?;
    let rows = all.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Hosts whose logs have been read.
pub(super) fn hosts(connection: &Connection) -> Result<Vec<String>, CatalogueError> {
    let mut statement = connection.prepare("SELECT DISTINCT host FROM source ORDER BY host")?;
    let hosts = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(hosts)
}

/// Sources of a kind, each with its host.
pub(crate) fn hosts_of(connection: &Connection, kind: &str) -> Result<Vec<(i64, String)>, CatalogueError> {
    let mut statement = connection.prepare_cached("SELECT id, host FROM source WHERE kind = ?1 ORDER BY host")?;
    let hosts = statement.query_map([kind], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(hosts.collect::<Result<_, _>>()?)
}
