use super::{read, told};

#[test]
fn a_mail_that_a_milter_throws_away_is_seen() {
    let place = read("18-postfix-milter-discard", "postfix", "2023", [1, 3, 0]);
    assert_eq!(
        told(&place, "kind, ts, recipient, messages"),
        ["discarded 2023-02-20T13:50:44.58Z enduser@example.net 1"]
    );
}
