use super::{read, told};

#[test]
fn what_a_command_prints_changes_nothing() {
    let place = read("21-postfix-pipe-with-escapes", "postfix", "2025", [3, 2, 0]);
    let rows = told(&place, "kind, destination, messages, reason");
    for row in ["delivered pipe 1 ", "deferred pipe 1 local_error"] {
        assert!(rows.iter().any(|known| known == row), "{row} in {rows:#?}");
    }
}
