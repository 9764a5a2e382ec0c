//! The catalogue: one SQLite database that says which segments count and how far each log has been read.
//!
//! A commit is one transaction: segments in, positions forward, open messages up to date. Before it nothing has
//! happened; after it nothing is read again. Readers take the list of segments from here, never from the folder.

use crate::normalise::derived::ALL_DAYS;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::path::Path;

/// Version of the tables below, in `PRAGMA user_version`.
const SCHEMA_VERSION: i64 = 6;

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

/// What went wrong in the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite's own words.
    #[error("catalogue: {error}{hint}", error = .0, hint = cure(.0))]
    Sqlite(#[from] rusqlite::Error),
    /// It was looked through, and is no good.
    #[error("catalogue: {0}; {REPAIR}")]
    Damaged(String),
    /// Made by a newer program.
    #[error("catalogue: version {0} is newer than this program knows ({SCHEMA_VERSION}); use the program that made it")]
    Newer(i64),
    /// How far a log was read cannot be told.
    #[error(
        "catalogue: the position of the log {path} is damaged; to read it from its start would store its lines twice. \
         Restore the catalogue with `mailpulse store repair`"
    )]
    Position {
        /// The log's file.
        path: String,
    },
    /// A stored state cannot be read.
    #[error("catalogue: {0}")]
    State(#[from] serde_json::Error),
}

/// What helps where the catalogue is lost or damaged.
pub const REPAIR: &str =
    "`mailpulse store repair` mends the store from the hourly copy of its catalogue and from its segments";

fn cure(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        _ if is_damage(error) => format!("; {REPAIR}"),
        Some(rusqlite::ErrorCode::ReadOnly) => {
            "; this user may read the store, and this needs to write: run as the user that owns it".to_owned()
        }
        _ => String::new(),
    }
}

/// Whether SQLite says that the file is damaged, or none of its own.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    let is_no_text = matches!(
        error,
        rusqlite::Error::Utf8Error(..) | rusqlite::Error::FromSqlConversionFailure(..)
    );
    is_no_text || matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// Whether tables of this version are read as they are; those of an older one are brought up to date first.
///
/// # Errors
/// A newer program made them.
pub fn is_up_to_date(version: i64) -> Result<bool, Error> {
    match version {
        ..SCHEMA_VERSION => Ok(false),
        SCHEMA_VERSION => Ok(true),
        newer => Err(Error::Newer(newer)),
    }
}

/// Looks a database through, but for its texts.
///
/// # Errors
/// What is wrong, in SQLite's words.
pub fn quick_check(connection: &Connection) -> Result<(), String> {
    let look = || -> Result<Vec<String>, rusqlite::Error> {
        let mut check = connection.prepare("PRAGMA quick_check(3)")?;
        let rows = check.query_map([], |row| row.get(0))?;
        rows.collect()
    };
    match look() {
        Ok(words) if words == ["ok"] => Ok(()),
        Ok(words) => Err(words.join("; ")),
        Err(error) => Err(error.to_string()),
    }
}

/// Looks a database through.
///
/// # Errors
/// What is wrong, in SQLite's words.
pub fn check(connection: &Connection) -> Result<(), String> {
    quick_check(connection)?;
    check_texts(connection)
}

/// SQLite does not look into texts; who reads one that is no UTF-8 gets an error.
///
/// # Errors
/// Which table has one, or SQLite's words.
pub(super) fn check_texts(connection: &Connection) -> Result<(), String> {
    match table_with_damaged_text(connection) {
        Ok(None) => Ok(()),
        Ok(Some(table)) => Err(format!("a text of the table {table} is damaged")),
        Err(error) => Err(error.to_string()),
    }
}

fn table_with_damaged_text(connection: &Connection) -> Result<Option<String>, rusqlite::Error> {
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for table in tables {
        let mut all = connection.prepare(&format!("SELECT * FROM \"{}\"", table.replace('"', "\"\"")))?;
        let columns = all.column_count();
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                if let ValueRef::Text(text) = row.get_ref(column)?
                    && std::str::from_utf8(text).is_err()
                {
                    return Ok(Some(table));
                }
            }
        }
    }
    Ok(None)
}

/// A committed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Number; also the files' name.
    pub id: i64,
    /// Source.
    pub source: i64,
    /// Day since the epoch, UTC.
    pub day: i64,
    /// First event, UTC milliseconds.
    pub first_ms: i64,
    /// Last event, UTC milliseconds.
    pub last_ms: i64,
    /// Rows of events.
    pub rows: u64,
    /// Size of the events' file.
    pub events_bytes: u64,
    /// Size of the rates' file.
    pub rates_bytes: u64,
    /// BLAKE3 of the events' file, hexadecimal.
    pub events_hash: String,
    /// BLAKE3 of the rates' file, hexadecimal.
    pub rates_hash: String,
}

/// Opens the database and brings its tables up to date.
pub fn open(path: &Path) -> Result<Connection, Error> {
    // SQLite would make it readable for everybody; files beside it take its mode.
    if let Err(error) = crate::files::make_file(path) {
        let what = format!("{}: {error}", path.display());
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        return Err(rusqlite::Error::SqliteFailure(code, Some(what)).into());
    }
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(20))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        0..SCHEMA_VERSION => {
            let transaction = Transaction::new_unchecked(&connection, TransactionBehavior::Immediate)?;
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
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            transaction.commit()?;
        }
        SCHEMA_VERSION => {}
        newer => return Err(Error::Newer(newer)),
    }
    Ok(connection)
}

/// Begins a transaction that writes.
pub fn begin(connection: &mut Connection) -> Result<Transaction<'_>, Error> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

/// Number of a source; made when it is new.
pub fn source(connection: &Connection, host: &str, kind: &str) -> Result<i64, Error> {
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

/// Adds a segment; its number was taken from [`next_segment`].
pub fn insert_segment(transaction: &Connection, segment: &Segment) -> Result<(), Error> {
    transaction.execute(
        "INSERT INTO segment VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            segment.id,
            segment.source,
            segment.day,
            segment.first_ms,
            segment.last_ms,
            segment.rows as i64,
            segment.events_bytes as i64,
            segment.rates_bytes as i64,
            segment.events_hash,
            segment.rates_hash
        ],
    )?;
    Ok(())
}

/// The next number that no segment ever had: a removed segment's number is not used again.
pub fn next_segment(connection: &Connection) -> Result<i64, Error> {
    let last: Option<i64> = connection
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'segment'", [], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(last.unwrap_or(0) + 1)
}

/// Segments that may hold events in `[since_ms, until_ms)`, oldest first.
pub fn segments(connection: &Connection, since_ms: i64, until_ms: i64) -> Result<Vec<Segment>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT id, source, day, first_ms, last_ms, rows, events_bytes, rates_bytes, events_hash, rates_hash
         FROM segment WHERE last_ms >= ?1 AND first_ms < ?2 ORDER BY first_ms, id",
    )?;
    let rows = statement.query_map(params![since_ms, until_ms], |row| {
        Ok(Segment {
            id: row.get(0)?,
            source: row.get(1)?,
            day: row.get(2)?,
            first_ms: row.get(3)?,
            last_ms: row.get(4)?,
            rows: row.get::<_, i64>(5)? as u64,
            events_bytes: row.get::<_, i64>(6)? as u64,
            rates_bytes: row.get::<_, i64>(7)? as u64,
            events_hash: row.get(8)?,
            rates_hash: row.get(9)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
