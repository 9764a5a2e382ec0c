//! A change of attribution that no rows have been committed of: the first that come note it.

use super::attribution::{attribution_version, note_attribution, put_attribution_version};
use super::{AttributionNote, CatalogueError, Connection};
use std::sync::{Mutex, PoisonError};

/// What changes, before it is known when.
#[derive(Debug, Default)]
pub(crate) struct ExpectedAttribution(Mutex<Option<(i64, AttributionNote)>>);

impl ExpectedAttribution {
    /// The rows of the next commits are of this version (not 0). The first commit that has some notes what changed.
    pub(crate) fn expect(&self, version: i64, note: AttributionNote) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((version, note));
    }

    /// Before rows are added: notes what was expected, if it has not been noted yet.
    pub(crate) fn note(&self, transaction: &Connection) -> Result<(), CatalogueError> {
        let pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((version, note)) = pending.as_ref() else {
            return Ok(());
        };
        if attribution_version(transaction)? == *version {
            return Ok(());
        }
        put_attribution_version(transaction, *version)?;
        note_attribution(transaction, note)
    }

    /// A commit with rows is done: what was expected is noted.
    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::{Minute, UtcMs};
    use crate::store::catalogue::fixtures::{catalogue, gone, with_rows_until};
    use crate::store::catalogue::{AttributionChange, AttributionChanges};

    #[test]
    fn the_first_rows_note_what_was_expected_and_no_others_do() {
        let (_folder, store) = catalogue();
        let expected = ExpectedAttribution::default();
        expected.expect(7, gone("shop"));
        expected.note(&store.connection()).unwrap();
        assert_eq!(AttributionChanges(&store).version().unwrap(), Some(7));
        // Nothing was stored before.
        assert_eq!(AttributionChanges(&store).changes().unwrap(), []);
        with_rows_until(&store, UtcMs::new(125_000));
        expected.note(&store.connection()).unwrap();
        assert_eq!(AttributionChanges(&store).changes().unwrap(), []);
        expected.expect(8, gone("shop"));
        expected.note(&store.connection()).unwrap();
        expected.note(&store.connection()).unwrap();
        expected.clear();
        expected.note(&store.connection()).unwrap();
        let change = AttributionChange {
            number: 1,
            minute: Minute::new(2),
            version: "0000000000000008".to_owned(),
            note: gone("shop"),
        };
        assert_eq!(AttributionChanges(&store).changes().unwrap(), [change]);
    }
}
