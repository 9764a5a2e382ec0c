//! A container's syslog lines in its host's syslog or journal: two heads a line.

use super::{ONE_MAIL, input, reads};
use crate::util::{KEEP, Place};
use std::fs;

const CASE: &str = "14-postfix-envelope-within-an-envelope";
const EVENTS: &str = "accepted 2, completed 2, delivered 2";

#[test]
#[ignore = "slow: tests/run runs it"]
fn as_if_the_outer_head_were_not_there() {
    reads(CASE, "input.log", "postfix", "2018", EVENTS);
    reads(CASE, "journal.log", "postfix", "2018", ONE_MAIL);
    let place = Place::new();
    super::backfill(&place, &input(CASE, "input.log"), Some("postfix"), "2018").ends(0);
    let count = |condition: &str| place.number(&format!("SELECT COUNT(*) AS n FROM events WHERE {condition}"));
    assert_eq!(count("kind = 'accepted' AND first_hop = true"), 1);
    assert_eq!(count("kind = 'delivered' AND destination = 'remote'"), 1);
    let first = &place.sql("SELECT MIN(ts_ms) AS ts_ms FROM events")[0];
    assert_eq!(first["ts_ms"], 1_525_294_574_000i64, "the inner time");
}

#[test]
fn among_other_lines_the_outer_tag_needs_a_name() {
    let mail = fs::read_to_string(input(CASE, "input.log")).unwrap();
    let other = "May  2 22:56:14 host1 sshd[1]: session opened\n";
    for (more, events, unparsed) in [("", 0, 10), ("syslog_tag = [\"docker\"]\n", 6, 0)] {
        let place = Place::with(&format!(
            "{KEEP}[[source]]\nkind = \"postfix\"\npaths = [\"syslog\"]\nhost = \"mx1\"\nyear = 2018\n{more}"
        ));
        place.write("syslog", format!("{other}{mail}{other}"));
        let totals = place.run(&["backfill"]).ends(0).totals();
        assert_eq!((totals.events, totals.unparsed), (events, unparsed));
        let check = place.run(&["check"]).ends(0);
        assert_eq!(
            check.err.contains("syslog_tag = [\"docker\"]"),
            unparsed > 0,
            "{}",
            check.err
        );
    }
}
