//! A catalogue for tests, with rows, and a note of a change.

use super::{AttributionNote, Catalogue, Reason, Segment, insert_segment, next_segment, open, source};
use crate::model::time::{CivilDay, UtcMs};

pub(super) fn catalogue() -> (tempfile::TempDir, Catalogue) {
    let folder = tempfile::tempdir().unwrap();
    let connection = open(&folder.path().join("catalogue.sqlite")).unwrap();
    let catalogue = Catalogue::of(folder.path(), connection);
    (folder, catalogue)
}

pub(super) fn with_rows_until(store: &Catalogue, last_ms: UtcMs) {
    let source = source(&store.connection(), "mx1", "exim").unwrap();
    let segment = Segment {
        id: next_segment(&store.connection()).unwrap(),
        source,
        day: CivilDay::new(0),
        first_ms: UtcMs::new(0),
        last_ms,
        rows: 1,
        events_bytes: 0,
        rates_bytes: 0,
        events_hash: String::new(),
        rates_hash: String::new(),
    };
    insert_segment(&store.connection(), &segment).unwrap();
}

pub(super) fn gone(name: &str) -> AttributionNote {
    AttributionNote::ended(Reason::Rules, vec![name.to_owned()])
}
