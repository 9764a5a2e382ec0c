use super::{read, told};

#[test]
fn other_programs_write_to_the_same_file() {
    let place = read("24-postfix-shared-mail-log", "postfix", "2025", [2, 9, 0]);
    assert_eq!(
        told(&place, "kind, destination, messages, recipients, recipient"),
        ["delivered local 1 1 a@example.org", "delivered local 0 1 b@example.org"]
    );
}
