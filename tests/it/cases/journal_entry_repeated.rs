//! 47: the last entry of a journal's file again at the head of the next.

use super::input;
use crate::util::{Place, Run};

#[test]
fn a_repeated_entry_is_no_second_event() {
    let place = Place::new();
    let mut command = place.command();
    command.args(["backfill", "--kind", "postfix", "--host", "mx1", "--year", "2025"]);
    let run = Run::of(
        command
            .arg(input("47-journal-entry-repeated", "input.log"))
            .output()
            .unwrap(),
    )
    .ends(0);
    assert_eq!(
        (run.totals().lines, run.totals().events, place.events()),
        (6, 3, 3),
        "{}",
        run.out
    );
}
