//! A template or a hand that left the host away.

use super::{ONE_MAIL, reads};

#[test]
fn the_host_is_the_sources() {
    reads(
        "15-postfix-no-host-in-the-head",
        "input.log",
        "postfix",
        "2025",
        ONE_MAIL,
    );
}
