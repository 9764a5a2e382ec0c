//! Names of services that logs made, by source, see [`crate::normalise::derived`]; and among them those that are accounts.

use super::{Catalogue, CatalogueError, Connection};
use crate::model::time::{CivilDay, UtcMs};
use crate::normalise::derived::{NameChanges, NameState, Use};
use rusqlite::params;

/// Services that are accounts, by source: those that a store derived while it told local parts.
const ACCOUNTS: &str = "
CREATE TABLE IF NOT EXISTS account_service (
    source INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (source, name)) STRICT, WITHOUT ROWID;";

/// Stores what became of a source's names.
pub(crate) fn put_services(transaction: &Connection, source: i64, names: &NameChanges) -> Result<(), CatalogueError> {
    let mut forget = transaction.prepare_cached("DELETE FROM derived_service WHERE source = ?1 AND name = ?2")?;
    for name in &names.gone {
        forget.execute(params![source, name])?;
    }
    let mut put = transaction.prepare_cached(
        "INSERT INTO derived_service (source, name, last_day, days, waits) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET last_day = excluded.last_day, days = excluded.days, waits = excluded.waits",
    )?;
    for NameState { name, used, waits } in &names.put {
        let waits = waits.map(|asked| asked as i64);
        put.execute(params![source, name, used.last_day.get(), used.days, waits])?;
    }
    Ok(())
}

/// A name that stored rows got takes a place; they have its mail of that day.
pub(crate) fn take_place(
    transaction: &Connection,
    source: i64,
    name: &str,
    day: CivilDay,
) -> Result<(), CatalogueError> {
    transaction.execute(
        "INSERT INTO derived_service (source, name, last_day, days) VALUES (?1, ?2, ?3, 1)
         ON CONFLICT DO UPDATE SET waits = NULL",
        params![source, name, day.get()],
    )?;
    Ok(())
}

/// Of services that gave way to others, those that are no other source's: each with when it ended.
pub(crate) fn ended_services(
    connection: &Connection,
    names: &NameChanges,
) -> Result<Vec<(String, UtcMs)>, CatalogueError> {
    let mut elsewhere =
        connection.prepare_cached("SELECT 1 FROM derived_service WHERE name = ?1 AND waits IS NULL LIMIT 1")?;
    let mut ended = Vec::new();
    for (name, ts_ms) in &names.evicted {
        if !elsewhere.exists([name])? {
            ended.push((name.clone(), *ts_ms));
        }
    }
    Ok(ended)
}

/// Forgets the derived services of a source, and which of them are accounts.
pub(crate) fn forget_services(connection: &Connection, source: i64) -> Result<(), CatalogueError> {
    connection.execute("DELETE FROM derived_service WHERE source = ?1", [source])?;
    if has_accounts(connection)? {
        connection.execute("DELETE FROM account_service WHERE source = ?1", [source])?;
    }
    Ok(())
}

/// Notes that the services that have places are names of accounts, and stay.
pub(crate) fn keep_accounts(connection: &Connection) -> Result<(), CatalogueError> {
    connection.execute_batch(ACCOUNTS)?;
    connection.execute(
        "INSERT OR IGNORE INTO account_service SELECT source, name FROM derived_service WHERE waits IS NULL",
        [],
    )?;
    Ok(())
}

fn has_accounts(connection: &Connection) -> Result<bool, CatalogueError> {
    let count = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'account_service'";
    Ok(connection.query_row(count, [], |row| row.get::<_, i64>(0))? > 0)
}

/// Services that logs made.
#[derive(Debug, Clone, Copy)]
pub struct Services<'c>(pub(in crate::store) &'c Catalogue);

impl Services<'_> {
    /// How many services were derived from the senders of one source, at most.
    pub fn derived_max(&self) -> Result<u64, CatalogueError> {
        let most = "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM derived_service WHERE waits IS NULL GROUP BY source)";
        Ok(self.0.connection().query_row(most, [], |row| row.get::<_, i64>(0))? as u64)
    }

    /// Names that were derived from a source's senders: services, and those that wait to be one.
    pub fn derived(&self, source: i64) -> Result<Vec<NameState>, CatalogueError> {
        let connection = self.0.connection();
        let mut statement =
            connection.prepare("SELECT name, last_day, days, waits FROM derived_service WHERE source = ?1")?;
        let names = statement.query_map([source], |row| {
            Ok(NameState {
                name: row.get(0)?,
                used: Use {
                    last_day: row.get(1).map(CivilDay::new)?,
                    days: row.get(2)?,
                },
                waits: row.get::<_, Option<i64>>(3)?.map(|asked| asked as u64),
            })
        })?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// Services of a source that bear the names of accounts, and stay.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn accounts(&self, source: i64) -> Result<Vec<String>, CatalogueError> {
        let connection = self.0.connection();
        if !has_accounts(&connection)? {
            return Ok(Vec::new());
        }
        let mut statement = connection.prepare("SELECT name FROM account_service WHERE source = ?1")?;
        let names = statement
            .query_map([source], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(names)
    }

    /// Names that were derived for a source's mails, those that gave way to others too: rows may bear them.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub(crate) fn borne(&self, source: i64) -> Result<Vec<String>, CatalogueError> {
        let names = self.derived(source)?.into_iter().map(|state| state.name);
        Ok(names.chain(self.accounts(source)?).collect())
    }
}
