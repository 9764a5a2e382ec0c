//! Changes of attribution: from which minute on mail is given to services in another way, and what ended by it. A series
//! that vanishes then has not lost its mail.
//!
//! The note of a change is written by the transaction that commits the first rows of the new attribution. Its minute is
//! in the logs' time, and nothing later than it had been stored before: what was judged up to then stays as it was.

use super::minutes::last_minute;
use super::numbers::{get, put};
use super::{Catalogue, CatalogueError, Connection};
use crate::model::time::{Minute, UtcMs};
use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

/// Notes that are kept, the newest.
pub(super) const NOTES_MAX: usize = 500;
/// Names that a note has of each sort; further ones are left out.
pub(super) const NAMES_MAX: usize = 5_000;

/// The version of attribution that the newest rows have; 0 where no program has said.
const VERSION: &str = "attribution";
/// Set while rows have been attributed anew and nothing says so yet.
const UNDER_WAY: &str = "relabelling";

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
    /// The last minute of what was stored before: rows behind it are of the new attribution.
    pub minute: Minute,
    /// Version of the new attribution, as hexadecimal digits.
    pub version: String,
    /// What changed.
    pub note: AttributionNote,
}

/// Version of the newest rows' attribution; 0 where no program has said.
pub(crate) fn attribution_version(connection: &Connection) -> Result<i64, CatalogueError> {
    get(connection, VERSION)
}

/// Notes whether rows are being attributed anew.
pub(crate) fn put_relabelling(connection: &Connection, under_way: bool) -> Result<(), CatalogueError> {
    put(connection, UNDER_WAY, i64::from(under_way))
}

/// Whether rows are being attributed anew, or that was broken off.
pub(crate) fn is_relabelling(connection: &Connection) -> Result<bool, CatalogueError> {
    Ok(get(connection, UNDER_WAY)? == 1)
}

/// Changes of attribution.
#[derive(Debug, Clone, Copy)]
pub struct AttributionChanges<'c>(pub(in crate::store) &'c Catalogue);

impl AttributionChanges<'_> {
    /// The version of attribution that the newest rows have; none where no program has said.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn version(&self) -> Result<Option<i64>, CatalogueError> {
        let version = attribution_version(&self.0.connection())?;
        Ok((version != 0).then_some(version))
    }

    /// Changes of attribution, in the order of their commits.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn changes(&self) -> Result<Vec<AttributionChange>, CatalogueError> {
        let connection = self.0.connection();
        if !has_table(&connection)? {
            return Ok(Vec::new());
        }
        let mut all = connection
            .prepare("SELECT id, minute, version, reason, services, hostgroups FROM attribution_change ORDER BY id")?;
        let mut rows = all.query([])?;
        let mut changes = Vec::new();
        while let Some(row) = rows.next()? {
            let moved = |at: usize| -> Result<Moved, CatalogueError> {
                let text: String = row.get(at)?;
                Ok(serde_json::from_str(&text)?)
            };
            changes.push(AttributionChange {
                number: row.get(0)?,
                minute: row.get(1).map(Minute::new)?,
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

    /// Whether rows are being attributed anew, or that was broken off.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn is_half_relabelled(&self) -> Result<bool, CatalogueError> {
        is_relabelling(&self.0.connection())
    }
}

/// Notes a change, inside the transaction that makes it true and before that adds rows: the last minute that is stored by
/// then is its. A store without rows has nothing that could end.
pub(crate) fn note_attribution(transaction: &Connection, note: &AttributionNote) -> Result<(), CatalogueError> {
    match last_judged(transaction)? {
        Some(minute) => note_attribution_at(transaction, minute, note),
        None => Ok(()),
    }
}

/// The same for what changes at a minute of the logs; never before what is stored by then.
pub(crate) fn note_attribution_from(
    transaction: &Connection,
    minute: Minute,
    note: &AttributionNote,
) -> Result<(), CatalogueError> {
    let last = last_judged(transaction)?.unwrap_or(minute);
    note_attribution_at(transaction, minute.max(last), note)
}

/// The same with a minute of its own.
pub(crate) fn note_attribution_at(
    transaction: &Connection,
    minute: Minute,
    note: &AttributionNote,
) -> Result<(), CatalogueError> {
    let version = get(transaction, VERSION)?;
    let text = |moved: &Moved| serde_json::to_string(&moved.bounded());
    transaction.execute_batch(TABLE)?;
    transaction.execute(
        "INSERT INTO attribution_change (minute, version, reason, services, hostgroups) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            minute.get(),
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
pub(crate) fn settle_attribution_notes(
    transaction: &Connection,
    last: i64,
    (first, end): (Minute, Minute),
    is_kept: &dyn Fn(&str) -> bool,
) -> Result<(), CatalogueError> {
    if !has_table(transaction)? {
        return Ok(());
    }
    let mut find = transaction.prepare(
        "SELECT id, services, hostgroups FROM attribution_change 
                  WHERE minute >= ?1 AND minute < ?2 AND id <= ?3 AND NOT (minute = ?2 - 1 AND reason = ?4)",
    )?;
    let relabelled = Reason::Relabelled.as_str();
    let notes = find.query_map(params![first.get(), end.get(), last, relabelled], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let notes: Vec<(i64, String, String)> = notes.collect::<Result<_, _>>()?;
    for (id, services, hostgroups) in notes {
        let kept = |text: &str, is_kept: &dyn Fn(&str) -> bool| -> Result<String, CatalogueError> {
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
pub(crate) fn put_attribution_version(transaction: &Connection, version: i64) -> Result<(), CatalogueError> {
    put(transaction, VERSION, version)
}

/// The last minute of an event, a line or a heartbeat: as far as anybody may have judged.
fn last_judged(connection: &Connection) -> Result<Option<Minute>, CatalogueError> {
    let event: Option<i64> = connection
        .query_row("SELECT max(last_ms) FROM segment", [], |row| row.get(0))
        .optional()?
        .flatten();
    let Some(event) = event.map(|event| UtcMs::new(event).minute()) else {
        return Ok(None);
    };
    let line = last_minute(connection)?;
    Ok(Some(line.map_or(event, |line| line.max(event))))
}

fn has_table(connection: &Connection) -> Result<bool, CatalogueError> {
    let count = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'attribution_change'";
    Ok(connection.query_row(count, [], |row| row.get::<_, i64>(0))? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::catalogue::fixtures::{catalogue, gone, with_rows_until};
    use crate::store::catalogue::{Heartbeat, add_heartbeats};

    #[test]
    fn a_change_is_not_before_what_anybody_may_have_judged() {
        let (_folder, store) = catalogue();
        with_rows_until(&store, UtcMs::new(125_000));
        let heartbeat = Heartbeat {
            source: 1,
            lag_ms: None,
        };
        add_heartbeats(&store.connection(), &[heartbeat], Minute::new(20)).unwrap();
        note_attribution(&store.connection(), &gone("shop")).unwrap();
        assert_eq!(AttributionChanges(&store).changes().unwrap()[0].minute, Minute::new(20));
    }

    #[test]
    fn notes_and_their_names_are_bounded() {
        let (_folder, store) = catalogue();
        let many: Vec<String> = (0..NAMES_MAX + 5).map(|n| n.to_string()).collect();
        let connection = store.connection();
        for minute in 0..NOTES_MAX as i64 + 3 {
            note_attribution_at(&connection, Minute::new(minute), &gone("shop")).unwrap();
        }
        note_attribution_at(
            &connection,
            Minute::new(7),
            &AttributionNote::ended(Reason::Eviction, many),
        )
        .unwrap();
        drop(connection);
        let changes = AttributionChanges(&store).changes().unwrap();
        assert_eq!((changes.len(), changes[0].minute), (NOTES_MAX, Minute::new(4)));
        let last = &changes.last().unwrap().note;
        assert_eq!((last.reason, last.services.ended.len()), (Reason::Eviction, NAMES_MAX));
    }
}
