//! Local parts that a store has in clear, from a time when they were kept or from versions that told them: names of
//! services stay, because their series would end; samples of lines are redacted.

use super::{Error, Store, catalogue, outbox};
use crate::normalise::redact::{LocalParts, Redactor};
use crate::normalise::scrub::shapeless;
use mailpulse_parsers::harmless::safe_text;
use rusqlite::{Connection, params};

/// What the last run did with local parts. What no run has said is of a version that told them.
const STATE: &str = "local_parts";
const IN_CLEAR: i64 = 1;
const SETTLED: i64 = 2;

/// Services that are accounts, by source: those that a store derived while it told local parts.
const TABLE: &str = "
CREATE TABLE IF NOT EXISTS account_service (
    source INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (source, name)) STRICT, WITHOUT ROWID;";

/// Longest sample that is kept of a line, bytes.
const SAMPLE_BYTES_MAX: usize = 400;

impl Store {
    /// Before a run writes: notes what becomes of local parts. Where they are not kept any more, the services that bear them
    /// are noted as names that stay, and samples lose them.
    ///
    /// # Errors
    /// The catalogue cannot be written.
    pub fn settle_privacy(&self, redactor: &Redactor) -> Result<(), Error> {
        let mut connection = self.connection();
        let state = outbox::get(&connection, STATE)?;
        let wanted = match redactor.mode() {
            LocalParts::Keep => IN_CLEAR,
            LocalParts::Hash | LocalParts::Drop => SETTLED,
        };
        if state == wanted {
            return Ok(());
        }
        let transaction = catalogue::begin(&mut connection)?;
        if wanted == SETTLED {
            transaction.execute_batch(TABLE)?;
            transaction.execute(
                "INSERT OR IGNORE INTO account_service SELECT source, name FROM derived_service WHERE waits IS NULL",
                [],
            )?;
            redact_samples(&transaction, redactor)?;
        }
        outbox::put(&transaction, STATE, wanted)?;
        transaction.commit()?;
        Ok(())
    }

    /// Services of a source that bear the names of accounts, and stay.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn account_services(&self, source: i64) -> Result<Vec<String>, Error> {
        let connection = self.connection();
        if !has_table(&connection)? {
            return Ok(Vec::new());
        }
        let mut statement = connection.prepare("SELECT name FROM account_service WHERE source = ?1")?;
        let names = statement
            .query_map([source], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(names)
    }
}

/// Takes back the names of a source.
pub(super) fn forget(connection: &Connection, source: i64) -> Result<(), Error> {
    if has_table(connection)? {
        connection.execute("DELETE FROM account_service WHERE source = ?1", [source])?;
    }
    Ok(())
}

fn has_table(connection: &Connection) -> Result<bool, Error> {
    let count = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'account_service'";
    Ok(connection.query_row(count, [], |row| row.get::<_, i64>(0))? > 0)
}

/// A row of `unparsed`: source, shape, count, sample, why, path.
type Sampled = (i64, String, i64, String, String, String);

fn redact_samples(transaction: &Connection, redactor: &Redactor) -> Result<(), Error> {
    let rows: Vec<Sampled> = transaction
        .prepare("SELECT source, shape, count, sample, why, path FROM unparsed")?
        .query_map([], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        })?
        .collect::<Result<_, _>>()?;
    transaction.execute("DELETE FROM unparsed", [])?;
    let mut put = transaction.prepare(
        "INSERT INTO unparsed VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET count = count + excluded.count",
    )?;
    for (source, shape, count, sample, why, path) in rows {
        let shape = safe_text(&shapeless(shape.as_bytes(), SAMPLE_BYTES_MAX));
        let sample = safe_text(&redactor.sample(sample.as_bytes(), SAMPLE_BYTES_MAX));
        put.execute(params![source, shape, count, sample, why, path])?;
    }
    let odd: Vec<(i64, String, String)> = transaction
        .prepare("SELECT source, field, sample FROM odd_field")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut put = transaction.prepare("UPDATE odd_field SET sample = ?3 WHERE source = ?1 AND field = ?2")?;
    for (source, field, sample) in odd {
        let sample = safe_text(&redactor.field_sample(&field, sample.as_bytes(), SAMPLE_BYTES_MAX));
        put.execute(params![source, field, sample])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_of_before_has_in_clear_stays_as_a_name_and_goes_from_samples() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        let source = store.source("mx1", "exim").unwrap();
        let fill = "INSERT INTO derived_service (source, name) VALUES (1, 'jdoe');
            INSERT INTO unparsed VALUES (1, 'oops jane@x.org', 2, 'oops jane@x.org', 'why', 'f'),
                (1, 'oops bob@x.org', 3, 'oops bob@x.org', 'why', 'f');
            INSERT INTO odd_field VALUES (1, 'from', 1, 'jane doe', 'f');";
        store.connection().execute_batch(fill).unwrap();
        let keep = Redactor::new(LocalParts::Keep, [0; 32]);
        let drop = Redactor::new(LocalParts::Drop, [0; 32]);
        store.settle_privacy(&keep).unwrap();
        assert!(store.account_services(source).unwrap().is_empty());
        store.settle_privacy(&drop).unwrap();
        assert_eq!(store.account_services(source).unwrap(), ["jdoe"]);
        let shapes = store.unparsed(source, 10).unwrap();
        assert_eq!((shapes.len(), shapes[0].count), (1, 5));
        assert_eq!(
            (shapes[0].shape.as_str(), shapes[0].sample.as_str()),
            ("oops x@x.org", "oops @x.org")
        );
        assert_eq!(store.odd_fields(source).unwrap()[0].sample, "");
        // What is derived from now on bears no account's name, and is none that has to stay.
        let more = "INSERT INTO derived_service (source, name) VALUES (1, 'shop')";
        store.connection().execute_batch(more).unwrap();
        store.settle_privacy(&drop).unwrap();
        assert_eq!(store.account_services(source).unwrap(), ["jdoe"]);
        store.settle_privacy(&keep).unwrap();
        store.settle_privacy(&drop).unwrap();
        assert_eq!(store.account_services(source).unwrap(), ["jdoe", "shop"]);
    }
}
