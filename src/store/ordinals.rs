//! Numbers of logs that are known no more. Logs of one host and kind with an equal first line are told apart by a number,
//! and their lines' identities by the log's: a number that was given once is not given again, also after the log has been
//! forgotten.

use super::{Error, Store};
use rusqlite::{Connection, params};
use rustc_hash::FxHashMap;

/// First lines that are kept for a source, the newest: programs that begin all their logs alike take one.
const FORGOTTEN_MAX: i64 = 10_000;

impl Store {
    /// The highest number of a source's forgotten logs, by their identity without the number.
    pub fn forgotten_ordinals(&self, source: i64) -> Result<FxHashMap<u64, u32>, Error> {
        let connection = self.connection();
        let mut all = connection.prepare("SELECT base, ordinal FROM forgotten_log WHERE source = ?1")?;
        let rows = all.query_map([source], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        let mut ordinals = FxHashMap::default();
        for row in rows {
            let (base, ordinal) = row?;
            ordinals.extend(u64::from_str_radix(&base, 16).ok().map(|base| (base, ordinal)));
        }
        Ok(ordinals)
    }
}

/// Removes what is known of a log, but for its number. Returns how many logs that were.
pub(super) fn forget(connection: &Connection, log: i64) -> Result<u64, Error> {
    connection.execute(
        "INSERT OR REPLACE INTO forgotten_log (source, base, ordinal)
         SELECT source, base, max(ordinal, coalesce((
                    SELECT known.ordinal FROM forgotten_log AS known
                    WHERE known.source = gone.source AND known.base = gone.base), 0))
         FROM (SELECT source, json_extract(position, '$.base') AS base, json_extract(position, '$.ordinal') AS ordinal
               FROM log WHERE id = ?1 AND json_valid(position)) AS gone
         WHERE base IS NOT NULL AND ordinal IS NOT NULL",
        [log],
    )?;
    connection.execute(
        "DELETE FROM forgotten_log WHERE source = (SELECT source FROM log WHERE id = ?1) AND id <= (
             SELECT id FROM forgotten_log WHERE source = (SELECT source FROM log WHERE id = ?1)
             ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        params![log, FORGOTTEN_MAX],
    )?;
    Ok(connection.execute("DELETE FROM log WHERE id = ?1", [log])? as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outlives_its_log_and_the_oldest_first_lines_go_at_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        let source = store.source("mx1", "exim").unwrap();
        let log = |base: u64, ordinal: u32| {
            let connection = store.connection();
            connection
                .execute(
                    "INSERT INTO log (source, log_id, path, position, size, mtime_ms, lines, events, ignored, unparsed, read_ms)
                     VALUES (?1, ?2, x'', ?3, 0, 0, 0, 0, 0, 0, 0)",
                    params![
                        source,
                        (base * 10 + u64::from(ordinal)) as i64,
                        format!(r#"{{"base":"{base:016x}","ordinal":{ordinal}}}"#)
                    ],
                )
                .unwrap();
            let id = connection.last_insert_rowid();
            assert_eq!(forget(&connection, id).unwrap(), 1);
        };
        log(7, 2);
        log(7, 1);
        log(8, 0);
        let known = store.forgotten_ordinals(source).unwrap();
        assert_eq!((known[&7], known[&8]), (2, 0));
        let many = "WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n LIMIT ?2)
                    INSERT INTO forgotten_log (source, base, ordinal) SELECT ?1, printf('%016x', i), 0 FROM n";
        let made = store.connection().execute(many, params![source, FORGOTTEN_MAX - 3]);
        assert_eq!(made.unwrap() as i64, FORGOTTEN_MAX - 3);
        [50, 51].into_iter().for_each(|base| log(base, 0));
        let known = store.forgotten_ordinals(source).unwrap();
        assert_eq!(known.len() as i64, FORGOTTEN_MAX);
        assert!(!known.contains_key(&7) && known.contains_key(&8));
        // A log whose position nobody can read is forgotten all the same.
        let connection = store.connection();
        connection
            .execute(
                "INSERT INTO log (source, log_id, path, position, size, mtime_ms, lines, events, ignored, unparsed, read_ms)
                 VALUES (?1, 1, x'', 'torn', 0, 0, 0, 0, 0, 0, 0)",
                [source],
            )
            .unwrap();
        let id = connection.last_insert_rowid();
        assert_eq!(forget(&connection, id).unwrap(), 1);
    }
}
