use super::{read, told};

#[test]
fn a_mainlog_with_all_selectors() {
    let place = read("12-exim-cpanel-mainlog", "exim", "2025", [17, 11, 0]);
    let rows = told(&place, "kind, destination, recipient, messages");
    let of = |kind: &str| -> Vec<String> {
        let begin = format!("{kind} ");
        rows.iter().filter(|row| row.starts_with(&begin)).cloned().collect()
    };
    // The order with flags in its subject is one mail, like the notification and the bounce.
    assert_eq!(of("accepted").len(), 3, "{rows:#?}");
    assert_eq!(
        of("delivered"),
        ["delivered local sales 1", "delivered remote a@example.net 1"]
    );
    assert_eq!(of("discarded"), ["discarded discard shop@example.org 1"]);
    assert_eq!(of("completed").len(), 4);
    let bounced = place.sql("SELECT recipient, reason FROM events WHERE kind = 'bounced' ORDER BY ts");
    assert_eq!(bounced.len(), 2, "{bounced:?}");
    assert_eq!(bounced[0]["recipient"], "b@example.com");
    let reason = bounced[0]["reason"].as_str().unwrap();
    assert!(["no_such_user", "policy"].contains(&reason), "{reason}");
}
