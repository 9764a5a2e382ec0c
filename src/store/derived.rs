//! Names of services that logs made, by source; see [`crate::normalise::derived`].

use super::attributed::{self, AttributionNote, Reason};
use super::{Error, Store};
use crate::normalise::derived::{NameChanges, NameState, Use};
use rusqlite::{Transaction, params};
use std::collections::BTreeMap;

const MINUTE_MS: i64 = 60_000;

/// Stores what became of a source's names.
pub(super) fn put(transaction: &Transaction<'_>, source: i64, names: &NameChanges) -> Result<(), Error> {
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
        put.execute(params![source, name, used.last_day, used.days, waits])?;
    }
    Ok(())
}

/// A name that stored rows got takes a place; they have its mail of that day.
pub(super) fn take_place(transaction: &Transaction<'_>, source: i64, name: &str, day: i64) -> Result<(), Error> {
    transaction.execute(
        "INSERT INTO derived_service (source, name, last_day, days) VALUES (?1, ?2, ?3, 1)
         ON CONFLICT DO UPDATE SET waits = NULL",
        params![source, name, day],
    )?;
    Ok(())
}

/// Notes that services ended because others took their places, unless another source goes on with the name. Before rows are
/// added, and after [`put`].
pub(super) fn note_evicted(transaction: &Transaction<'_>, names: &NameChanges) -> Result<(), Error> {
    let mut elsewhere =
        transaction.prepare_cached("SELECT 1 FROM derived_service WHERE name = ?1 AND waits IS NULL LIMIT 1")?;
    let mut ended: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for (name, ts_ms) in &names.evicted {
        if !elsewhere.exists([name])? {
            ended.entry(ts_ms.div_euclid(MINUTE_MS)).or_default().push(name.clone());
        }
    }
    for (minute, mut names) in ended {
        names.sort_unstable();
        attributed::note_from(transaction, minute, &AttributionNote::ended(Reason::Eviction, names))?;
    }
    Ok(())
}

impl Store {
    /// How many services were derived from the senders of one source, at most.
    pub fn derived_services_max(&self) -> Result<u64, Error> {
        let most = "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM derived_service WHERE waits IS NULL GROUP BY source)";
        Ok(self.connection().query_row(most, [], |row| row.get::<_, i64>(0))? as u64)
    }

    /// Names that were derived from a source's senders: services, and those that wait to be one.
    pub fn derived_services(&self, source: i64) -> Result<Vec<NameState>, Error> {
        let connection = self.connection();
        let mut statement =
            connection.prepare("SELECT name, last_day, days, waits FROM derived_service WHERE source = ?1")?;
        let names = statement.query_map([source], |row| {
            Ok(NameState {
                name: row.get(0)?,
                used: Use {
                    last_day: row.get(1)?,
                    days: row.get(2)?,
                },
                waits: row.get::<_, Option<i64>>(3)?.map(|asked| asked as u64),
            })
        })?;
        Ok(names.collect::<Result<_, _>>()?)
    }
}
