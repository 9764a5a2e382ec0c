//! Local parts that a store has in clear, from a time when they were kept or from versions that told them: names of
//! services stay, because their series would end; samples of lines are redacted.

use crate::normalise::redact::{LocalParts, Redactor};
use crate::normalise::scrub::shapeless;
use crate::store::catalogue::{self, CatalogueError, Redaction, Transaction, numbers};
use crate::store::error::StoreError;
use crate::store::handle::Store;
use mailpulse_parsers::harmless::safe_text;

/// What the last run did with local parts. What no run has said is of a version that told them.
const STATE: &str = "local_parts";
const IN_CLEAR: i64 = 1;
const SETTLED: i64 = 2;

/// Longest sample that is kept of a line, bytes.
const SAMPLE_BYTES_MAX: usize = 400;

/// Before a run writes: notes what becomes of local parts. Where they are not kept any more, the services that bear them
/// are noted as names that stay, and samples lose them.
///
/// # Errors
/// The catalogue cannot be written.
pub fn settle_privacy(store: &Store, redactor: &Redactor) -> Result<(), StoreError> {
    let mut connection = store.catalogue().connection();
    let state = numbers::get(&connection, STATE)?;
    let wanted = match redactor.mode() {
        LocalParts::Keep => IN_CLEAR,
        LocalParts::Hash | LocalParts::Drop => SETTLED,
    };
    if state == wanted {
        return Ok(());
    }
    let transaction = connection.begin()?;
    if wanted == SETTLED {
        catalogue::keep_accounts(&transaction)?;
        redact_samples(&transaction, redactor)?;
    }
    numbers::put(&transaction, STATE, wanted)?;
    transaction.commit()?;
    Ok(())
}

fn redact_samples(transaction: &Transaction<'_>, redactor: &Redactor) -> Result<(), CatalogueError> {
    let with = Redaction {
        shape: &|shape| safe_text(&shapeless(shape.as_bytes(), SAMPLE_BYTES_MAX)),
        line: &|line| safe_text(&redactor.sample(line.as_bytes(), SAMPLE_BYTES_MAX)),
        field: &|field, value| safe_text(&redactor.field_sample(field, value.as_bytes(), SAMPLE_BYTES_MAX)),
    };
    catalogue::redact_samples(transaction, &with)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_of_before_has_in_clear_stays_as_a_name_and_goes_from_samples() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        let source = store.positions().source("mx1", "exim").unwrap();
        let fill = "INSERT INTO derived_service (source, name) VALUES (1, 'jdoe');
            INSERT INTO unparsed VALUES (1, 'oops jane@x.org', 2, 'oops jane@x.org', 'why', 'f'),
                (1, 'oops bob@x.org', 3, 'oops bob@x.org', 'why', 'f');
            INSERT INTO odd_field VALUES (1, 'from', 1, 'jane doe', 'f');";
        store.catalogue().connection().run(fill);
        let keep = Redactor::new(LocalParts::Keep, [0; 32]);
        let drop = Redactor::new(LocalParts::Drop, [0; 32]);
        settle_privacy(&store, &keep).unwrap();
        assert!(store.services().accounts(source).unwrap().is_empty());
        settle_privacy(&store, &drop).unwrap();
        assert_eq!(store.services().accounts(source).unwrap(), ["jdoe"]);
        let shapes = store.samples().unparsed(source, 10).unwrap();
        assert_eq!((shapes.len(), shapes[0].count), (1, 5));
        assert_eq!(
            (shapes[0].shape.as_str(), shapes[0].sample.as_str()),
            ("oops x@x.org", "oops @x.org")
        );
        assert_eq!(store.samples().odd_fields(source).unwrap()[0].sample, "");
        // What is derived from now on bears no account's name, and is none that has to stay.
        let more = "INSERT INTO derived_service (source, name) VALUES (1, 'shop')";
        store.catalogue().connection().run(more);
        settle_privacy(&store, &drop).unwrap();
        assert_eq!(store.services().accounts(source).unwrap(), ["jdoe"]);
        settle_privacy(&store, &keep).unwrap();
        settle_privacy(&store, &drop).unwrap();
        assert_eq!(store.services().accounts(source).unwrap(), ["jdoe", "shop"]);
    }
}
