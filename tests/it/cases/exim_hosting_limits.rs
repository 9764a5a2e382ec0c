use super::{read, told};

#[test]
fn a_limit_of_the_panel_is_not_one_of_the_other_side() {
    let place = read("04-exim-hosting-limits", "exim", "2024", [8, 0, 0]);
    let rows = told(&place, "kind, reason");
    let refused: Vec<&str> = rows
        .iter()
        .map(String::as_str)
        .filter(|row| !row.starts_with("accepted") && !row.starts_with("completed"))
        .collect();
    let expected = [
        "bounced sender_quota",
        "deferred sender_quota",
        "rejected policy",
        "bounced sender_quota",
        "bounced rate_limited",
    ];
    assert_eq!(refused, expected);
}
