//! 08: a message that names one address twice goes to one recipient.

use super::input;
use crate::util::Place;

#[test]
fn an_address_that_is_named_twice_gets_one_copy() {
    let place = Place::new();
    let log = input("08-exim-same-recipient-twice", "input.log");
    let totals = place.backfill_as("mx1", &[&log]).ends(0).totals();
    assert_eq!((totals.events, totals.unparsed), (3, 0));
    let sum = |kind: &str| {
        place.number(&format!(
            "SELECT SUM(recipients) AS n FROM events WHERE kind = '{kind}'"
        ))
    };
    assert_eq!((sum("accepted"), sum("delivered")), (1, 1));
}
