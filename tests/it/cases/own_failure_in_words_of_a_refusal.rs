use super::{backfill, input, told};
use crate::util::Place;

#[test]
fn what_fails_here_is_no_refusal() {
    let case = "07-own-failure-in-words-of-a-refusal";
    for (file, kind, failures) in [
        ("input.log", "exim", 2),
        ("siblings.log", "exim", 6),
        ("postfix.log", "postfix", 3),
    ] {
        let place = Place::new();
        backfill(&place, &input(case, file), Some(kind), "2025").ends(0);
        let rows = told(&place, "kind, reason");
        let failed: Vec<&String> = rows.iter().filter(|row| !row.ends_with(' ')).collect();
        assert_eq!(failed.len(), failures, "{file}: {rows:?}");
        assert!(
            failed.iter().all(|row| row.ends_with(" local_error")),
            "{file}: {failed:?}"
        );
    }
}
