//! From which minute on a commit changed what is stored. Who has judged minutes finds out by it, without reading a row,
//! whether rows of theirs came later.
//!
//! Each commit has a number, and leaves it at the first minute of which it says anything new. What changes no rate
//! (compaction) leaves none; neither does retention, because what was learnt of an expired day stays true.

use super::{Catalogue, CatalogueError, Connection};
use crate::model::time::{DAY_MIN, Minute};
use rusqlite::{OptionalExtension as _, params};

/// Made when it is first written: an older program reads a store that has it, and this one a store that has not.
const TABLE: &str = "
CREATE TABLE IF NOT EXISTS changed_minute (minute INTEGER PRIMARY KEY, number INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS changed_by_number ON changed_minute (number);";

/// Minutes that are known one by one, back from the newest; before them, a day is known as a whole.
const FINE: i64 = 3 * DAY_MIN;
/// And so many more before they are summed up, so that it happens once a day.
const SLACK: i64 = DAY_MIN;

/// Notes that something new is said of minutes from this one on, inside the transaction that says it.
///
/// # Errors
/// The catalogue cannot be written.
pub(crate) fn note_changed(transaction: &Connection, minute: Minute) -> Result<(), CatalogueError> {
    transaction.execute_batch(TABLE)?;
    transaction.execute(
        "INSERT INTO changed_minute SELECT ?1, coalesce(max(number), 0) + 1 FROM changed_minute WHERE true
         ON CONFLICT DO UPDATE SET number = excluded.number",
        [minute.get()],
    )?;
    let fine: Option<i64> = transaction
        .prepare_cached(
            "SELECT max(minute) - ?1 FROM changed_minute
             HAVING (SELECT min(minute) FROM changed_minute WHERE minute % ?2 <> 0) < max(minute) - ?1 - ?3",
        )?
        .query_row(params![FINE, DAY_MIN, SLACK], |row| row.get(0))
        .optional()?;
    match fine {
        Some(fine) => sum_up(transaction, fine),
        None => Ok(()),
    }
}

/// Says of days before a minute only which number changed them last. It stands at their first minute, so that nobody who
/// judged such a day takes it for unchanged.
fn sum_up(transaction: &Connection, before: i64) -> Result<(), CatalogueError> {
    // The remainder of a minute before 1970 is negative.
    transaction.execute(
        "INSERT INTO changed_minute
         SELECT minute - ((minute % ?2) + ?2) % ?2 AS day, max(number) FROM changed_minute WHERE minute < ?1 GROUP BY day
         ON CONFLICT DO UPDATE SET number = max(number, excluded.number)",
        params![before, DAY_MIN],
    )?;
    transaction.execute(
        "DELETE FROM changed_minute WHERE minute < ?1 AND minute % ?2 <> 0",
        params![before, DAY_MIN],
    )?;
    Ok(())
}

/// What changed since when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangedMinutes<'c>(pub(in crate::store) &'c Catalogue);

impl ChangedMinutes<'_> {
    /// The number of the newest change; 0 before the first.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub(crate) fn newest(&self) -> Result<i64, CatalogueError> {
        let connection = self.0.connection();
        if !has_table(&connection)? {
            return Ok(0);
        }
        let newest = "SELECT coalesce(max(number), 0) FROM changed_minute";
        Ok(connection.query_row(newest, [], |row| row.get(0))?)
    }

    /// The first of the minutes `[from, to)` that a change with a larger number begins at.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub(crate) fn first_since(&self, number: i64, from: Minute, to: Minute) -> Result<Option<Minute>, CatalogueError> {
        let connection = self.0.connection();
        if !has_table(&connection)? {
            return Ok(None);
        }
        let first = "SELECT min(minute) FROM changed_minute WHERE number > ?1 AND minute >= ?2 AND minute < ?3";
        let found: Option<i64> = connection
            .prepare_cached(first)?
            .query_row(params![number, from.get(), to.get()], |row| row.get(0))?;
        Ok(found.map(Minute::new))
    }
}

fn has_table(connection: &Connection) -> Result<bool, CatalogueError> {
    let find = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'changed_minute'";
    Ok(connection.prepare_cached(find)?.exists([])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::catalogue::fixtures::catalogue;

    const NOW: Minute = Minute::new(25_000 * DAY_MIN + 700);

    #[test]
    fn a_change_is_found_by_who_judged_its_minute_before_it_came() {
        let (_folder, catalogue) = catalogue();
        let changes = ChangedMinutes(&catalogue);
        assert_eq!(
            (
                changes.newest().unwrap(),
                changes.first_since(0, Minute::MIN, Minute::MAX).unwrap()
            ),
            (0, None)
        );
        let note = |minute| note_changed(&catalogue.connection(), minute).unwrap();
        (0..10).for_each(|minute| note(NOW + minute));
        let mark = changes.newest().unwrap();
        note(NOW + 10);
        // Whoever has judged up to minute 10 has lost nothing.
        assert_eq!(changes.first_since(mark, Minute::MIN, NOW + 10).unwrap(), None);
        note(NOW + 4);
        assert_eq!(changes.first_since(mark, Minute::MIN, NOW + 10).unwrap(), Some(NOW + 4));
        assert_eq!(changes.first_since(mark, NOW + 5, NOW + 10).unwrap(), None);
        assert_eq!(
            changes
                .first_since(changes.newest().unwrap(), Minute::MIN, Minute::MAX)
                .unwrap(),
            None
        );
    }

    #[test]
    #[ignore = "slow: tests/run runs it"]
    fn old_days_are_known_as_a_whole_and_the_table_stays_small() {
        let (_folder, catalogue) = catalogue();
        let changes = ChangedMinutes(&catalogue);
        let mut connection = catalogue.connection();
        let transaction = connection.begin().unwrap();
        let first = NOW.floor_to(DAY_MIN);
        for minute in 0..12 * DAY_MIN {
            note_changed(&transaction, first + minute).unwrap();
        }
        transaction.commit().unwrap();
        let rows: i64 = connection
            .query_row("SELECT count(*) FROM changed_minute", [], |row| row.get(0))
            .unwrap();
        assert!(rows <= FINE + SLACK + 12, "{rows}");
        drop(connection);
        let mark = changes.newest().unwrap();
        note_changed(&catalogue.connection(), first + 2 * DAY_MIN + 77).unwrap();
        // Of an old day only the day is known: never later than it was.
        for minute in 0..2 * DAY_MIN {
            note_changed(&catalogue.connection(), first + 12 * DAY_MIN + minute).unwrap();
        }
        assert_eq!(
            changes.first_since(mark, Minute::MIN, first + 12 * DAY_MIN).unwrap(),
            Some(first + 2 * DAY_MIN)
        );
    }
}
