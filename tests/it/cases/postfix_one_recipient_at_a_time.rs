use super::read;

#[test]
fn a_message_of_three_recipients_is_one_message() {
    let place = read("30-postfix-one-recipient-at-a-time", "postfix", "2018", [6, 3, 0]);
    let sums = place.sql(
        "SELECT kind, COUNT(*) AS attempts, SUM(messages) AS messages, SUM(recipients) AS recipients FROM events
         GROUP BY kind ORDER BY kind",
    );
    let sums: Vec<String> = sums
        .iter()
        .map(|row| {
            format!(
                "{} {} {} {}",
                row["kind"], row["attempts"], row["messages"], row["recipients"]
            )
        })
        .collect();
    assert_eq!(
        sums,
        [
            "\"accepted\" 1 1 3",
            "\"completed\" 1 1 0",
            "\"deferred\" 1 1 1",
            "\"delivered\" 3 1 3"
        ]
    );
}
