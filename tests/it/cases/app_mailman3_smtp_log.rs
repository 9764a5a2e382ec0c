use super::{read_with, told};
use crate::logs::root;

#[test]
fn smtp_lines_are_mails_and_post_lines_are_none() {
    let config = std::fs::read_to_string(root().join("examples/mailman.toml")).unwrap();
    let config = config.replace("/var/log/mailman3/smtp.log*", "input.log");
    let place = read_with("41-app-mailman3-smtp-log", &config, [4, 2, 0]);
    assert_eq!(
        told(&place, "kind, recipients, reason"),
        [
            "submitted 1 ",
            "submit_failed 1 greylisted",
            "submit_failed 1 connection_refused",
            "submitted 2 "
        ]
    );
}
