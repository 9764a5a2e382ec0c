//! Troubles that last and that an operator must see, although the data goes on: a sender that fails, a log whose zone is
//! wrong. One row a topic; `status` shows them until they have passed.

use super::{Catalogue, CatalogueError};
use crate::model::time::UtcMs;
use rusqlite::params;

/// Topics that are kept; the oldest go first.
const TOPICS_MAX: i64 = 1_000;
/// Characters that are kept of a trouble.
const CHARS_MAX: usize = 1_000;

/// A trouble, as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastingTrouble {
    /// What it is about: `sender`, `zone mx1001 exim`.
    pub topic: String,
    /// What is wrong and what to do.
    pub what: String,
    /// Since when, UTC milliseconds.
    pub since_ms: UtcMs,
    /// When it was last seen, UTC milliseconds.
    pub last_ms: UtcMs,
    /// How often.
    pub count: u64,
}

impl LastingTrouble {
    /// Whether it needs no time to be believed: message IDs prove a zone wrong, a server that is away may come back.
    pub fn is_proved(&self) -> bool {
        self.topic.starts_with("zone ")
    }
}

/// Troubles that last.
#[derive(Debug, Clone, Copy)]
pub struct Troubles<'c>(pub(in crate::store) &'c Catalogue);

impl Troubles<'_> {
    /// Notes a trouble; it lasts since it was first noted.
    ///
    /// # Errors
    /// The catalogue.
    pub fn note(&self, topic: &str, what: &str) -> Result<(), CatalogueError> {
        let what: String = what.chars().take(CHARS_MAX).collect();
        let mut connection = self.0.connection();
        let transaction = connection.begin()?;
        transaction.execute(
            "INSERT INTO trouble (topic, what, since_ms, last_ms, count)
             SELECT ?1, ?2, now, now, 1 FROM (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now) WHERE true
             ON CONFLICT DO UPDATE SET what = excluded.what, last_ms = excluded.last_ms, count = count + 1",
            params![topic, what],
        )?;
        transaction.execute(
            "DELETE FROM trouble WHERE topic IN (SELECT topic FROM trouble ORDER BY last_ms DESC, topic LIMIT -1 OFFSET ?1)",
            [TOPICS_MAX],
        )?;
        transaction.commit()
    }

    /// It has passed.
    ///
    /// # Errors
    /// The catalogue.
    pub fn end(&self, topic: &str) -> Result<(), CatalogueError> {
        self.0
            .connection()
            .execute("DELETE FROM trouble WHERE topic = ?1", [topic])?;
        Ok(())
    }

    /// All that last, by topic.
    ///
    /// # Errors
    /// The catalogue.
    pub fn all(&self) -> Result<Vec<LastingTrouble>, CatalogueError> {
        let connection = self.0.connection();
        let mut all = connection.prepare("SELECT topic, what, since_ms, last_ms, count FROM trouble ORDER BY topic")?;
        let rows = all.query_map([], |row| {
            Ok(LastingTrouble {
                topic: row.get(0)?,
                what: row.get(1)?,
                since_ms: row.get(2).map(UtcMs::new)?,
                last_ms: row.get(3).map(UtcMs::new)?,
                count: row.get::<_, i64>(4)? as u64,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "slow: tests/run runs it"]
    fn a_trouble_lasts_since_it_began_and_their_number_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let connection = crate::store::catalogue::open(&folder.path().join("catalogue.sqlite")).unwrap();
        let catalogue = Catalogue::of(folder.path(), connection);
        let troubles = Troubles(&catalogue);
        troubles.note("sender", "one").unwrap();
        let since = troubles.all().unwrap()[0].since_ms;
        std::thread::sleep(std::time::Duration::from_millis(5));
        troubles.note("sender", &"two ".repeat(1_000)).unwrap();
        let all = troubles.all().unwrap();
        assert_eq!((all.len(), all[0].since_ms, all[0].count), (1, since, 2));
        assert!(all[0].last_ms > since && all[0].what.len() == CHARS_MAX, "{all:?}");
        for number in 0..TOPICS_MAX + 5 {
            troubles.note(&format!("zone {number}"), "off").unwrap();
        }
        assert_eq!(troubles.all().unwrap().len(), TOPICS_MAX as usize);
        troubles.end("sender").unwrap();
        assert!(troubles.all().unwrap().iter().all(|trouble| trouble.topic != "sender"));
    }
}
