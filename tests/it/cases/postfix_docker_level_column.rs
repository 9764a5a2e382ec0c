//! Images that log a padded level where the host stands.

use super::{ONE_MAIL, backfill, input, reads};
use crate::util::{Place, Totals};

const CASE: &str = "25-postfix-docker-level-column";

#[test]
fn a_level_is_no_host() {
    reads(CASE, "input.log", "postfix", "2024", ONE_MAIL);
    let place = Place::new();
    let totals = backfill(&place, &input(CASE, "input.log"), Some("postfix"), "2024")
        .ends(0)
        .totals();
    let expected = Totals {
        lines: 7,
        events: 3,
        ignored: 4,
        unparsed: 0,
    };
    assert_eq!(totals, expected);
    let parsed = place
        .run(&["parse", input(CASE, "input.log").to_str().unwrap()])
        .ends(0)
        .out;
    assert!(!parsed.contains("log_host"), "{parsed}");
}
