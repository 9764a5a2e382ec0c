//! Looking a database through.

use super::Connection;
use rusqlite::types::ValueRef;
use std::path::Path;

/// Looks a database through, but for its texts.
///
/// # Errors
/// What is wrong, in SQLite's words.
pub(crate) fn quick_check(connection: &Connection) -> Result<(), String> {
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

/// Looks a database file through.
///
/// # Errors
/// What is wrong, in SQLite's words.
pub(crate) fn check_file(path: &Path) -> Result<(), String> {
    let connection = rusqlite::Connection::open(path).map_err(|error| error.to_string())?;
    check(&Connection::of(connection))
}

/// What SQLite finds wrong with a database, indexes and all; nothing where it is good.
pub fn faults(connection: &Connection) -> Vec<String> {
    let look = || -> Result<Vec<String>, rusqlite::Error> {
        let mut check = connection.prepare("PRAGMA integrity_check(20)")?;
        let rows = check.query_map([], |row| row.get(0))?;
        rows.collect()
    };
    let mut words = look().unwrap_or_else(|error| vec![error.to_string()]);
    words.extend(check_texts(connection).err());
    words.retain(|words| words != "ok");
    words
}

/// SQLite does not look into texts; who reads one that is no UTF-8 gets an error.
///
/// # Errors
/// Which table has one, or SQLite's words.
fn check_texts(connection: &Connection) -> Result<(), String> {
    match table_with_damaged_text(connection) {
        Ok(None) => Ok(()),
        Ok(Some(table)) => Err(format!("text in the table {table} is damaged")),
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
