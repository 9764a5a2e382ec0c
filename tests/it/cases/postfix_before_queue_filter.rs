use super::{read, told};

#[test]
fn the_client_of_a_mail_behind_a_proxy_filter_is_who_brought_it() {
    let place = read("20-postfix-before-queue-filter", "postfix", "2018", [4, 6, 0]);
    let rows = told(&place, "kind, client, client_ip, messages");
    for kind in ["accepted", "delivered", "completed"] {
        let row = format!("{kind} app7.example.org 198.51.100.27 1");
        assert_eq!(
            rows.iter().filter(|known| **known == row).count(),
            1,
            "{row} in {rows:#?}"
        );
    }
    let refused =
        place.number("SELECT COUNT(*) AS n FROM events WHERE kind = 'rejected' AND messages = 1 AND smtp_code = 451");
    assert_eq!(refused, 1, "{rows:#?}");
}
