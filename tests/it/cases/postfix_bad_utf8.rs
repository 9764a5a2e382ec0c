use super::{read, told};

#[test]
fn bytes_that_are_no_utf8_are_shown_and_stop_nothing() {
    let place = read("27-postfix-bad-utf8", "postfix", "2025", [2, 1, 0]);
    let rows = told(&place, "kind, sender, recipient, reason");
    assert_eq!(rows[0], "bounced f\\xB4o@example.org иван@почта.example remote_error");
    assert_eq!(rows[1], "rejected  \\xFF\\xFE@example.org no_such_user");
    let shown = place
        .run(&["query", "--sql", "SELECT sender FROM events", "--format", "csv"])
        .ends(0);
    assert!(shown.out.contains(r"f\xB4o@example.org"), "{}", shown.out);
}
