use super::{read, told};

#[test]
fn a_name_or_a_command_is_no_reason() {
    let place = read(
        "29-postfix-names-and-commands-in-the-reason",
        "postfix",
        "2025",
        [14, 0, 0],
    );
    let reasons = told(&place, "reason");
    let expected = "timeout connection_lost connection_lost connection_lost timeout connection_lost timeout connection_lost \
                    timeout connection_refused connection_refused connection_lost timeout dns";
    assert_eq!(reasons.join(" "), expected);
}
