//! Changes of attribution: from which minute on mail is given to services in another way, and what ended by it. A series
//! that vanishes then has not lost its mail.
//!
//! The note of a change is written by the transaction that commits the first rows of the new attribution. Its minute is
//! in the logs' time, and nothing later than it had been stored before: what was judged up to then stays as it was.

use super::{Error, Store, catalogue, outbox};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use std::sync::PoisonError;

/// Notes that are kept, the newest.
pub const NOTES_MAX: usize = 500;
/// Names that a note has of each sort; further ones are left out.
pub const NAMES_MAX: usize = 5_000;

/// The version of attribution that the newest rows have; 0 where no program has said.
const VERSION: &str = "attribution";

/// Made when it is first written: an older program reads a store that has it, and this one a store that has not.
const TABLE: &str = "
CREATE TABLE IF NOT EXISTS attribution_change (
    id INTEGER PRIMARY KEY AUTOINCREMENT, minute INTEGER NOT NULL, version INTEGER NOT NULL, reason TEXT NOT NULL,
    services TEXT NOT NULL, hostgroups TEXT NOT NULL) STRICT;";

/// Why mail is given to services in another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Rules, hostgroups, or whether names are derived.
    Rules,
    /// Stored rows were attributed anew.
    Relabelled,
    /// Derived names gave way to others.
    Eviction,
    /// The rows before are an older program's.
    Upgrade,
}

impl Reason {
    /// The word in the catalogue and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Rules => "rules",
            Reason::Relabelled => "relabelled",
            Reason::Eviction => "eviction",
            Reason::Upgrade => "upgrade",
        }
    }

    fn named(word: &str) -> Reason {
        let all = [Reason::Rules, Reason::Relabelled, Reason::Eviction, Reason::Upgrade];
        // A newer program's reason is one of configuration, as far as this one knows.
        let found = all.into_iter().find(|reason| reason.as_str() == word);
        found.unwrap_or(Reason::Rules)
    }
}

/// Names that a change concerns, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// No mail bears them any more.
    pub ended: Vec<String>,
    /// Other mail than before bears them: their counts say nothing of those before.
    pub changed: Vec<String>,
}

impl Moved {
    /// Whether nothing is concerned.
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.changed.is_empty()
    }

    fn bounded(&self) -> Moved {
        let first = |names: &[String]| names.iter().take(NAMES_MAX).cloned().collect();
        Moved {
            ended: first(&self.ended),
            changed: first(&self.changed),
        }
    }
}

/// What changes, before it is known when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributionNote {
    /// Why.
    pub reason: Reason,
    /// Services.
    pub services: Moved,
    /// Hostgroups.
    pub hostgroups: Moved,
}

impl AttributionNote {
    /// Services that end, for one reason.
    pub fn ended(reason: Reason, services: Vec<String>) -> Self {
        AttributionNote {
            reason,
            services: Moved {
                ended: services,
                changed: Vec::new(),
            },
            hostgroups: Moved::default(),
        }
    }
}

/// A change that is noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributionChange {
    /// Number: later notes have larger ones.
    pub number: i64,
    /// The last minute of what was stored before, since 1970-01-01 UTC: rows behind it are of the new attribution.
    pub minute: i64,
    /// Version of the new attribution, as hexadecimal digits.
    pub version: String,
    /// What changed.
    pub note: AttributionNote,
}

/// A change that no rows have been committed of.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    version: i64,
    note: AttributionNote,
}

impl Store {
    /// The version of attribution that the newest rows have; none where no program has said.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn attribution_version(&self) -> Result<Option<i64>, Error> {
        let version = outbox::get(&self.connection(), VERSION)?;
        Ok((version != 0).then_some(version))
    }

    /// The rows of the next commits are of this version (not 0). The first commit that has some notes what changed.
    pub fn expect_attribution(&self, version: i64, note: AttributionNote) {
        let mut pending = self.attribution.lock().unwrap_or_else(PoisonError::into_inner);
        *pending = Some(Pending { version, note });
    }

    /// Changes of attribution, in the order of their commits.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn attribution_changes(&self) -> Result<Vec<AttributionChange>, Error> {
        let connection = self.connection();
        if !has_table(&connection)? {
            return Ok(Vec::new());
        }
        let mut all = connection
            .prepare("SELECT id, minute, version, reason, services, hostgroups FROM attribution_change ORDER BY id")?;
        let mut rows = all.query([])?;
        let mut changes = Vec::new();
        while let Some(row) = rows.next()? {
            let moved = |at: usize| -> Result<Moved, Error> {
                let text: String = row.get(at)?;
                Ok(serde_json::from_str(&text).map_err(catalogue::Error::from)?)
            };
            changes.push(AttributionChange {
                number: row.get(0)?,
                minute: row.get(1)?,
                version: format!("{:016x}", row.get::<_, i64>(2)?),
                note: AttributionNote {
                    reason: Reason::named(&row.get::<_, String>(3)?),
                    services: moved(4)?,
                    hostgroups: moved(5)?,
                },
            });
        }
        Ok(changes)
    }

    /// Before rows are added: notes what was expected, if it has not been noted yet.
    pub(super) fn note_expected(&self, transaction: &Connection) -> Result<(), Error> {
        let pending = self.attribution.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pending) = pending.as_ref() else {
            return Ok(());
        };
        if outbox::get(transaction, VERSION)? == pending.version {
            return Ok(());
        }
        outbox::put(transaction, VERSION, pending.version)?;
        note(transaction, &pending.note)
    }

    /// A commit with rows is done: what was expected is noted.
    pub(super) fn expected_is_noted(&self) {
        let mut pending = self.attribution.lock().unwrap_or_else(PoisonError::into_inner);
        *pending = None;
    }
}

/// Notes a change, inside the transaction that makes it true and before that adds rows: the last minute that is stored by
/// then is its. A store without rows has nothing that could end.
pub(super) fn note(transaction: &Connection, note: &AttributionNote) -> Result<(), Error> {
    match last_minute(transaction)? {
        Some(minute) => note_at(transaction, minute, note),
        None => Ok(()),
    }
}

/// The same for what changes at a minute of the logs; never before what is stored by then.
pub(super) fn note_from(transaction: &Connection, minute: i64, note: &AttributionNote) -> Result<(), Error> {
    let last = last_minute(transaction)?.unwrap_or(minute);
    note_at(transaction, minute.max(last), note)
}

/// The same with a minute of its own.
pub(super) fn note_at(transaction: &Connection, minute: i64, note: &AttributionNote) -> Result<(), Error> {
    let version = outbox::get(transaction, VERSION)?;
    let text = |moved: &Moved| serde_json::to_string(&moved.bounded()).map_err(catalogue::Error::from);
    transaction.execute_batch(TABLE)?;
    transaction.execute(
        "INSERT INTO attribution_change (minute, version, reason, services, hostgroups) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            minute,
            version,
            note.reason.as_str(),
            text(&note.services)?,
            text(&note.hostgroups)?
        ],
    )?;
    transaction.execute(
        "DELETE FROM attribution_change WHERE id <= (SELECT max(id) FROM attribution_change) - ?1",
        [NOTES_MAX as i64],
    )?;
    Ok(())
}

/// Within these minutes (the first, and the one after the last) rows were attributed anew: what notes say of names, up to one
/// with a number, is over, but of those that rows have kept.
pub(super) fn settle_notes(
    transaction: &Connection,
    last: i64,
    (first, end): (i64, i64),
    is_kept: &dyn Fn(&str) -> bool,
) -> Result<(), Error> {
    if !has_table(transaction)? {
        return Ok(());
    }
    let mut find = transaction.prepare(
        "SELECT id, services, hostgroups FROM attribution_change 
                  WHERE minute >= ?1 AND minute < ?2 AND id <= ?3 AND NOT (minute = ?2 - 1 AND reason = ?4)",
    )?;
    let relabelled = Reason::Relabelled.as_str();
    let notes = find.query_map(params![first, end, last, relabelled], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let notes: Vec<(i64, String, String)> = notes.collect::<Result<_, _>>()?;
    for (id, services, hostgroups) in notes {
        let kept = |text: &str, is_kept: &dyn Fn(&str) -> bool| -> Result<String, catalogue::Error> {
            let moved: Moved = serde_json::from_str(text)?;
            let some = |names: Vec<String>| names.into_iter().filter(|name| is_kept(name)).collect();
            Ok(serde_json::to_string(&Moved {
                ended: some(moved.ended),
                changed: some(moved.changed),
            })?)
        };
        transaction.execute(
            "UPDATE attribution_change SET services = ?2, hostgroups = ?3 WHERE id = ?1",
            params![id, kept(&services, is_kept)?, kept(&hostgroups, &|_| false)?],
        )?;
    }
    Ok(())
}

/// Notes of which version the rows are.
pub(super) fn put_version(transaction: &Connection, version: i64) -> Result<(), Error> {
    outbox::put(transaction, VERSION, version)
}

/// The last minute of an event, a line or a heartbeat: as far as anybody may have judged.
fn last_minute(connection: &Connection) -> Result<Option<i64>, Error> {
    let last = |sql: &str| -> Result<Option<i64>, Error> {
        let found = connection.query_row(sql, [], |row| row.get(0)).optional()?;
        Ok(found.flatten())
    };
    let Some(event) = last("SELECT max(last_ms) FROM segment")? else {
        return Ok(None);
    };
    let line = last("SELECT max((SELECT max(minute) FROM source_minute WHERE source = source.id)) FROM source")?;
    let event = event.div_euclid(60_000);
    Ok(Some(line.map_or(event, |line| line.max(event))))
}

fn has_table(connection: &Connection) -> Result<bool, Error> {
    let count = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'attribution_change'";
    Ok(connection.query_row(count, [], |row| row.get::<_, i64>(0))? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        (folder, store)
    }

    fn with_rows_until(store: &Store, last_ms: i64) {
        let source = store.source("mx1", "exim").unwrap();
        let segment = catalogue::Segment {
            id: catalogue::next_segment(&store.connection()).unwrap(),
            source,
            day: 0,
            first_ms: 0,
            last_ms,
            rows: 1,
            events_bytes: 0,
            rates_bytes: 0,
            events_hash: String::new(),
            rates_hash: String::new(),
        };
        catalogue::insert_segment(&store.connection(), &segment).unwrap();
    }

    fn gone(name: &str) -> AttributionNote {
        AttributionNote::ended(Reason::Rules, vec![name.to_owned()])
    }

    #[test]
    fn the_first_rows_note_what_was_expected_and_no_others_do() {
        let (_folder, store) = store();
        store.expect_attribution(7, gone("shop"));
        store.note_expected(&store.connection()).unwrap();
        assert_eq!(store.attribution_version().unwrap(), Some(7));
        // Nothing was stored before.
        assert_eq!(store.attribution_changes().unwrap(), []);
        with_rows_until(&store, 125_000);
        store.note_expected(&store.connection()).unwrap();
        assert_eq!(store.attribution_changes().unwrap(), []);
        store.expect_attribution(8, gone("shop"));
        store.note_expected(&store.connection()).unwrap();
        store.note_expected(&store.connection()).unwrap();
        store.expected_is_noted();
        store.note_expected(&store.connection()).unwrap();
        let expected = AttributionChange {
            number: 1,
            minute: 2,
            version: "0000000000000008".to_owned(),
            note: gone("shop"),
        };
        assert_eq!(store.attribution_changes().unwrap(), [expected]);
    }

    #[test]
    fn a_change_is_not_before_what_anybody_may_have_judged() {
        let (_folder, store) = store();
        with_rows_until(&store, 125_000);
        let heartbeat = super::super::state::Heartbeat {
            source: 1,
            lag_ms: None,
        };
        store.put_heartbeats(&[heartbeat], 20 * 60_000).unwrap();
        note(&store.connection(), &gone("shop")).unwrap();
        assert_eq!(store.attribution_changes().unwrap()[0].minute, 20);
    }

    #[test]
    fn notes_and_their_names_are_bounded() {
        let (_folder, store) = store();
        let many: Vec<String> = (0..NAMES_MAX + 5).map(|n| n.to_string()).collect();
        let connection = store.connection();
        for minute in 0..NOTES_MAX as i64 + 3 {
            note_at(&connection, minute, &gone("shop")).unwrap();
        }
        note_at(&connection, 7, &AttributionNote::ended(Reason::Eviction, many)).unwrap();
        drop(connection);
        let changes = store.attribution_changes().unwrap();
        assert_eq!((changes.len(), changes[0].minute), (NOTES_MAX, 4));
        let last = &changes.last().unwrap().note;
        assert_eq!((last.reason, last.services.ended.len()), (Reason::Eviction, NAMES_MAX));
    }
}
