//! Samples of lines: shapes of those that did not parse, fields that were left out, and lines of which pieces are still to
//! come.

use super::{Catalogue, CatalogueError, Connection};
use rusqlite::{OptionalExtension as _, params};

/// Shapes kept for a source; further ones are counted in the source only.
const SHAPES_MAX: i64 = 200;

/// A shape of lines that did not parse.
#[derive(Debug, Clone)]
pub struct UnparsedShape {
    /// Digits and addresses replaced, so that alike lines have one shape.
    pub shape: String,
    /// How many.
    pub count: u64,
    /// One of them, safe text.
    pub sample: String,
    /// Where and why it did not parse.
    pub why: String,
    /// File it stood in.
    pub path: String,
}

/// A field that was left out of lines because its value is not of its form; the lines gave their events without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddField {
    /// Its name.
    pub field: String,
    /// Lines.
    pub count: u64,
    /// A value, safe text; empty where there was none.
    pub sample: String,
    /// File it stood in.
    pub path: String,
}

/// Adds shapes of unparsed lines.
pub(crate) fn add_unparsed(
    transaction: &Connection,
    source: i64,
    shapes: &[UnparsedShape],
) -> Result<(), CatalogueError> {
    for shape in shapes {
        transaction.execute(
            "INSERT INTO unparsed SELECT ?1, ?2, ?3, ?4, ?5, ?6
             WHERE EXISTS (SELECT 1 FROM unparsed WHERE source = ?1 AND shape = ?2)
                OR (SELECT count(*) FROM unparsed WHERE source = ?1) < ?7
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
            params![
                source,
                shape.shape,
                shape.count as i64,
                shape.sample,
                shape.why,
                shape.path,
                SHAPES_MAX
            ],
        )?;
    }
    Ok(())
}

/// Adds fields that were left out.
pub(crate) fn add_odd_fields(transaction: &Connection, source: i64, fields: &[OddField]) -> Result<(), CatalogueError> {
    for field in fields {
        let OddField {
            field,
            count,
            sample,
            path,
        } = field;
        transaction.execute(
            "INSERT INTO odd_field SELECT ?1, ?2, ?3, ?4, ?5
             WHERE EXISTS (SELECT 1 FROM odd_field WHERE source = ?1 AND field = ?2)
                OR (SELECT count(*) FROM odd_field WHERE source = ?1) < ?6
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
            params![source, field, *count as i64, sample, path, SHAPES_MAX],
        )?;
    }
    Ok(())
}

/// Puts lines of which pieces are still to come, as JSON, if they changed; empty if there are none.
pub(crate) fn put_split_lines(
    transaction: &Connection,
    source: i64,
    lines: Option<&str>,
) -> Result<(), CatalogueError> {
    match lines {
        None => {}
        Some("") => {
            transaction.execute("DELETE FROM split_line WHERE source = ?1", [source])?;
        }
        Some(lines) => {
            transaction.execute(
                "INSERT OR REPLACE INTO split_line VALUES (?1, ?2)",
                params![source, lines],
            )?;
        }
    }
    Ok(())
}

/// Lines of a source of which pieces are still to come, as JSON.
pub(super) fn split_lines(connection: &Connection, source: i64) -> Result<Option<String>, CatalogueError> {
    let mut statement = connection.prepare("SELECT lines FROM split_line WHERE source = ?1")?;
    Ok(statement.query_row([source], |row| row.get(0)).optional()?)
}

/// Forgets all of a source's samples.
pub(crate) fn forget_samples(connection: &Connection, source: i64) -> Result<(), CatalogueError> {
    connection.execute("DELETE FROM unparsed WHERE source = ?1", [source])?;
    connection.execute("DELETE FROM odd_field WHERE source = ?1", [source])?;
    connection.execute("DELETE FROM split_line WHERE source = ?1", [source])?;
    Ok(())
}

/// A row of `unparsed`: source, shape, count, sample, why, path.
type UnparsedRow = (i64, String, i64, String, String, String);

/// How samples are redacted.
pub(crate) struct Redaction<'r> {
    /// A shape of unparsed lines.
    pub shape: &'r dyn Fn(&str) -> String,
    /// A line.
    pub line: &'r dyn Fn(&str) -> String,
    /// A value of a field: its name, the value.
    pub field: &'r dyn Fn(&str, &str) -> String,
}

/// Redacts all samples.
pub(crate) fn redact_samples(transaction: &Connection, with: &Redaction<'_>) -> Result<(), CatalogueError> {
    let rows: Vec<UnparsedRow> = transaction
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
        let (shape, sample) = ((with.shape)(&shape), (with.line)(&sample));
        put.execute(params![source, shape, count, sample, why, path])?;
    }
    let odd: Vec<(i64, String, String)> = transaction
        .prepare("SELECT source, field, sample FROM odd_field")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut put = transaction.prepare("UPDATE odd_field SET sample = ?3 WHERE source = ?1 AND field = ?2")?;
    for (source, field, sample) in odd {
        put.execute(params![source, field, (with.field)(&field, &sample)])?;
    }
    Ok(())
}

/// Samples of lines.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'c>(pub(in crate::store) &'c Catalogue);

impl Samples<'_> {
    /// Shapes of unparsed lines of a source, most frequent first.
    pub fn unparsed(&self, source: i64, max: usize) -> Result<Vec<UnparsedShape>, CatalogueError> {
        let connection = self.0.connection();
        let mut statement = connection.prepare(
            "SELECT shape, count, sample, why, path FROM unparsed WHERE source = ?1 ORDER BY count DESC, shape LIMIT ?2",
        )?;
        let rows = statement.query_map(params![source, max as i64], |row| {
            Ok(UnparsedShape {
                shape: row.get(0)?,
                count: row.get::<_, i64>(1)? as u64,
                sample: row.get(2)?,
                why: row.get(3)?,
                path: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Fields that were left out of a source's lines, most frequent first.
    pub fn odd_fields(&self, source: i64) -> Result<Vec<OddField>, CatalogueError> {
        let connection = self.0.connection();
        let mut statement = connection
            .prepare("SELECT field, count, sample, path FROM odd_field WHERE source = ?1 ORDER BY count DESC, field")?;
        let rows = statement.query_map([source], |row| {
            Ok(OddField {
                field: row.get(0)?,
                count: row.get::<_, i64>(1)? as u64,
                sample: row.get(2)?,
                path: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
