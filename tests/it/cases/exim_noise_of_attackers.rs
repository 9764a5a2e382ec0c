use super::{read, told};

#[test]
fn what_strangers_send_counts_nothing_but_the_connections_that_were_refused() {
    let place = read("05-exim-noise-of-attackers", "exim", "2025", [2, 6, 0]);
    assert_eq!(
        told(&place, "kind, messages, reason"),
        ["rejected 0 rate_limited", "rejected 0 rate_limited"]
    );
}
