use super::{read, told};

#[test]
fn a_filter_hands_the_mail_back_under_a_second_id() {
    let place = read(
        "19-postfix-filter-action-and-reinjection",
        "postfix",
        "2017",
        [7, 11, 0],
    );
    let rows = told(&place, "kind, queue_id, destination, first_hop, messages, reason");
    let count = |row: &str| rows.iter().filter(|known| *known == row).count();
    for row in [
        "accepted B2BBE8414B5  true 1 ",
        "accepted C642C8414CE  false 1 ",
        "accepted D111184150A  true 1 ",
        "delivered B2BBE8414B5 relay true 1 ",
        "bounced C642C8414CE remote false 1 no_such_user",
    ] {
        assert_eq!(count(row), 1, "{row} in {rows:#?}");
    }
    let services =
        place.sql("SELECT COUNT(DISTINCT service) AS n FROM events WHERE queue_id IN ('B2BBE8414B5', 'C642C8414CE')");
    assert_eq!(services[0]["n"], 1, "the bounce has the service of the first ID");
}
