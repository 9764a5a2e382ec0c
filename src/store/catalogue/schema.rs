//! The tables, and how those of older versions are brought up to date.

use super::{CatalogueError, Connection};
use crate::normalise::derived::ALL_DAYS;
use std::path::Path;

/// Version of the tables below, in `PRAGMA user_version`.
const SCHEMA_VERSION: i64 = 7;

const SCHEMA: &str = "
CREATE TABLE source (
    id INTEGER PRIMARY KEY, host TEXT NOT NULL, kind TEXT NOT NULL, UNIQUE (host, kind)) STRICT;
CREATE TABLE segment (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source INTEGER NOT NULL REFERENCES source, day INTEGER NOT NULL,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, rows INTEGER NOT NULL,
    events_bytes INTEGER NOT NULL, rates_bytes INTEGER NOT NULL,
    events_hash TEXT NOT NULL, rates_hash TEXT NOT NULL) STRICT;
CREATE INDEX segment_by_time ON segment (first_ms, last_ms);
CREATE TABLE log (
    id INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES source, log_id INTEGER NOT NULL,
    path BLOB NOT NULL, position TEXT NOT NULL, size INTEGER NOT NULL, mtime_ms INTEGER NOT NULL,
    first_ms INTEGER, last_ms INTEGER, follows INTEGER NOT NULL DEFAULT 0, damaged TEXT,
    lines INTEGER NOT NULL, events INTEGER NOT NULL, ignored INTEGER NOT NULL, unparsed INTEGER NOT NULL,
    skipped_bytes INTEGER NOT NULL DEFAULT 0, read_ms INTEGER NOT NULL, UNIQUE (source, log_id)) STRICT;
CREATE TABLE source_minute (
    source INTEGER NOT NULL, minute INTEGER NOT NULL,
    lines INTEGER NOT NULL, events INTEGER NOT NULL, ignored INTEGER NOT NULL, unparsed INTEGER NOT NULL,
    bytes INTEGER NOT NULL, PRIMARY KEY (source, minute)) STRICT, WITHOUT ROWID;
CREATE TABLE open_message (
    source INTEGER NOT NULL, queue_id BLOB NOT NULL, last_ms INTEGER NOT NULL, state TEXT NOT NULL,
    PRIMARY KEY (source, queue_id)) STRICT, WITHOUT ROWID;
CREATE TABLE derived_service (
    source INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (source, name)) STRICT, WITHOUT ROWID;
CREATE TABLE orphan (
    source INTEGER NOT NULL, queue_id BLOB NOT NULL, segment INTEGER NOT NULL,
    PRIMARY KEY (source, queue_id, segment)) STRICT, WITHOUT ROWID;
CREATE TABLE unparsed (
    source INTEGER NOT NULL, shape TEXT NOT NULL, count INTEGER NOT NULL, sample TEXT NOT NULL, why TEXT NOT NULL,
    path TEXT NOT NULL, PRIMARY KEY (source, shape)) STRICT, WITHOUT ROWID;
";

/// What version 2 added to version 1: how far the arrivals are linked over hosts.
const SINCE_1: &str = "CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/// What version 3 added: when a tail had read a source to its end, and how old its lines were by then.
const SINCE_2: &str = "
ALTER TABLE source_minute ADD COLUMN heartbeats INTEGER NOT NULL DEFAULT 0;
ALTER TABLE source_minute ADD COLUMN lag_ms INTEGER;
CREATE INDEX heartbeat ON source_minute (minute) WHERE heartbeats > 0;";

/// What version 4 added: what is to be sent to another store.
const SINCE_3: &str = "
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, day INTEGER NOT NULL, rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL, hash TEXT NOT NULL, generation INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL,
    batch INTEGER, refused TEXT) STRICT;
CREATE INDEX outbox_by_batch ON outbox (batch);";

/// What version 5 added: which offsets of which logs a segment holds, so that one that breaks can be read again from the
/// logs; rows that are missing; segments that were made again of them; segments whose rows their logs will give again.
const SINCE_4: &str = "
CREATE TABLE segment_log (
    segment INTEGER NOT NULL, log INTEGER NOT NULL, first_offset INTEGER NOT NULL, last_offset INTEGER NOT NULL,
    PRIMARY KEY (segment, log)) STRICT, WITHOUT ROWID;
CREATE TABLE missing (
    segment INTEGER PRIMARY KEY, source INTEGER NOT NULL, day INTEGER NOT NULL, first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, rows INTEGER NOT NULL, sent INTEGER NOT NULL, linked INTEGER NOT NULL,
    noted_ms INTEGER NOT NULL, logs TEXT NOT NULL, lost INTEGER NOT NULL DEFAULT 0, tried TEXT NOT NULL DEFAULT '[]')
    STRICT;
CREATE TABLE restored (segment INTEGER PRIMARY KEY, quiet INTEGER NOT NULL) STRICT;
CREATE TABLE adopted (segment INTEGER PRIMARY KEY) STRICT;
CREATE TRIGGER segment_gone AFTER DELETE ON segment BEGIN
    DELETE FROM segment_log WHERE segment = OLD.id;
    DELETE FROM restored WHERE segment = OLD.id;
    DELETE FROM adopted WHERE segment = OLD.id;
END;";
/// What version 5 added: lines that syslog split, of which pieces are still to come.
const SPLIT_LINES: &str = "
CREATE TABLE split_line (source INTEGER PRIMARY KEY, lines TEXT NOT NULL) STRICT;";

/// And fields whose values are not of their form.
const ODD_FIELDS: &str = "
CREATE TABLE odd_field (
    source INTEGER NOT NULL, field TEXT NOT NULL, count INTEGER NOT NULL, sample TEXT NOT NULL, path TEXT NOT NULL,
    PRIMARY KEY (source, field)) STRICT, WITHOUT ROWID;";
/// What version 5 added: troubles that last, for `status`.
const SINCE_4_TROUBLE: &str = "
CREATE TABLE IF NOT EXISTS trouble (
    topic TEXT PRIMARY KEY, what TEXT NOT NULL, since_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    count INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/// And, by minute, ignored lines that another program than the log's own wrote.
const FOREIGN_LINES: &str = "ALTER TABLE source_minute ADD COLUMN foreign_lines INTEGER NOT NULL DEFAULT 0;";
/// And lines that stood in a log before, and the numbers of logs that were forgotten.
const REPEATED_LINES: &str = "
ALTER TABLE log ADD COLUMN duplicates INTEGER NOT NULL DEFAULT 0;
CREATE TABLE forgotten_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source INTEGER NOT NULL, base TEXT NOT NULL, ordinal INTEGER NOT NULL,
    UNIQUE (source, base)) STRICT;";

/// And lines in the future, and logs that wait because of them.
const CLOCK_DOUBT: &str = "
ALTER TABLE log ADD COLUMN ahead TEXT;
CREATE TABLE clock_doubt (
    source INTEGER NOT NULL, log_id INTEGER NOT NULL, path BLOB NOT NULL, first_ms INTEGER NOT NULL,
    clock_ms INTEGER NOT NULL, ahead INTEGER NOT NULL, newest INTEGER NOT NULL,
    PRIMARY KEY (source, log_id)) STRICT, WITHOUT ROWID;";

/// What version 6 added: on which days a derived name had mail, and names that wait for a place. Those of an older store count
/// as used daily until now.
const SINCE_5: &str = "
ALTER TABLE derived_service ADD COLUMN last_day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE derived_service ADD COLUMN days INTEGER NOT NULL DEFAULT 0;
ALTER TABLE derived_service ADD COLUMN waits INTEGER;";

/// What version 7 added: hosts that the lines of another source's logs name, and that source.
const SINCE_6: &str = "
CREATE TABLE host_of_log (source INTEGER PRIMARY KEY, reader INTEGER NOT NULL) STRICT;
CREATE INDEX host_of_log_by_reader ON host_of_log (reader);";

/// Whether tables of this version are read as they are; those of an older one are brought up to date first.
///
/// # Errors
/// A newer program made them.
pub(super) fn is_up_to_date(version: i64) -> Result<bool, CatalogueError> {
    match version {
        ..SCHEMA_VERSION => Ok(false),
        SCHEMA_VERSION => Ok(true),
        found => Err(CatalogueError::Newer {
            found,
            known: SCHEMA_VERSION,
        }),
    }
}

/// Opens the database and brings its tables up to date.
pub fn open(path: &Path) -> Result<Connection, CatalogueError> {
    // SQLite would make it readable for everybody; files beside it take its mode.
    if let Err(error) = crate::files::make_file(path) {
        let what = format!("{}: {error}", path.display());
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        return Err(rusqlite::Error::SqliteFailure(code, Some(what)).into());
    }
    let sqlite = rusqlite::Connection::open(path)?;
    sqlite.busy_timeout(std::time::Duration::from_secs(20))?;
    sqlite.pragma_update(None, "journal_mode", "WAL")?;
    sqlite.pragma_update(None, "synchronous", "FULL")?;
    let mut connection = Connection::of(sqlite);
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if !is_up_to_date(version)? {
        bring_up_to_date(&mut connection)?;
    }
    Ok(connection)
}

fn bring_up_to_date(connection: &mut Connection) -> Result<(), CatalogueError> {
    let transaction = connection.begin()?;
    // Another process may have made the tables meanwhile.
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version < 1 {
        transaction.execute_batch(SCHEMA)?;
    }
    if version < 2 {
        transaction.execute_batch(SINCE_1)?;
    }
    if version < 3 {
        transaction.execute_batch(SINCE_2)?;
    }
    if version < 4 {
        transaction.execute_batch(SINCE_3)?;
    }
    if version < 5 {
        transaction.execute_batch(SINCE_4)?;
        transaction.execute_batch(SPLIT_LINES)?;
        transaction.execute_batch(ODD_FIELDS)?;
        transaction.execute_batch(SINCE_4_TROUBLE)?;
        transaction.execute_batch(FOREIGN_LINES)?;
        transaction.execute_batch(REPEATED_LINES)?;
        transaction.execute_batch(CLOCK_DOUBT)?;
    }
    if version < 6 {
        transaction.execute_batch(SINCE_5)?;
        transaction.execute(
            "UPDATE derived_service SET days = ?1, last_day = (SELECT coalesce(max(day), 0) FROM segment)",
            [ALL_DAYS],
        )?;
    }
    if version < 7 {
        transaction.execute_batch(SINCE_6)?;
    }
    transaction.execute_batch(&format!("PRAGMA user_version = {SCHEMA_VERSION}"))?;
    transaction.commit()
}
