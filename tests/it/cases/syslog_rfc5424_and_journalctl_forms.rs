//! Heads of syslog daemons and of `journalctl`.

use super::{ONE_MAIL, reads};

#[test]
#[ignore = "slow: tests/run runs it"]
fn each_head_is_read() {
    for file in [
        "input.log",
        "busybox.log",
        "short-full.log",
        "short-iso-with-boots.log",
        "short-precise.log",
        "with-year.log",
    ] {
        reads(
            "32-syslog-rfc5424-and-journalctl-forms",
            file,
            "postfix",
            "2025",
            ONE_MAIL,
        );
    }
}
