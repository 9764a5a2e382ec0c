use super::{EmbeddedQuery, LevelForm, for_embedded, for_server};
use crate::model::time::UtcMs;
use crate::query::Window;

/// All that the embedded engine gets.
fn texts(text: &str) -> String {
    let made = for_embedded(text).expect(text);
    let steps: Vec<String> = made.steps.iter().map(|(_, level)| level.sql()).collect();
    format!("{}; {}", steps.join("; "), made.last.sql())
}

fn refusal(text: &str) -> String {
    for_embedded(text).expect_err(text)
}

#[test]
fn literals_of_time_become_milliseconds_beside_times() {
    let at = 1_528_311_300_000i64;
    for condition in [
        "ts > '2018-06-06 18:55'",
        "ts > '2018-06-06T18:55:00Z'",
        "'2018-06-06T20:55:00+02:00' < ts",
        "ts_ms > '2018-06-06 18:55:00'",
        "ts > TIMESTAMP '2018-06-06 18:55:00'",
        "ts > CAST('2018-06-06 18:55' AS TIMESTAMP)",
        "ts > '2018-06-06 18:55'::TIMESTAMP",
        "ts BETWEEN '2018-06-06 18:55' AND '2018-06-07'",
        "ts IN ('2018-06-06 18:55', '2018-06-07')",
        "COALESCE(ts, '2018-06-06 18:55') > 0",
        "CASE WHEN first_hop THEN ts END = '2018-06-06 18:55'",
        "ts IS DISTINCT FROM '2018-06-06 18:55'",
    ] {
        let made = texts(&format!("SELECT COUNT(*) FROM events WHERE {condition}"));
        assert!(
            made.contains(&at.to_string()) && !made.contains("2018"),
            "{condition}: {made}"
        );
    }
    for condition in [
        "ts > '2018-06-06 18:55'",
        "events.ts_ms <= '2018-06-06T18:55:00Z'",
        "ts > TIMESTAMP '2018-06-06 18:55:00'",
        "ts BETWEEN '2018-06-06 18:55' AND '2018-06-07'",
        "ts IN ('2018-06-06 18:55')",
    ] {
        let (made, _) =
            for_server(&format!("SELECT COUNT(*) FROM events WHERE {condition}"), Window::ALL).expect(condition);
        assert!(
            made.contains(&at.to_string()) && !made.contains("2018"),
            "{condition}: {made}"
        );
    }
    let inner = "SELECT m FROM (SELECT max(ts) AS m FROM events GROUP BY service) WHERE m > '2018-06-06 18:55'";
    assert!(texts(inner).contains(&at.to_string()));
    assert!(for_server(inner, Window::ALL).unwrap().0.contains(&at.to_string()));
    // On `rates` and `sources` too; other texts stay what they are.
    for table in ["rates", "sources"] {
        let text = format!("SELECT * FROM {table} WHERE ts_ms >= '2018-06-06 18:55'");
        assert!(texts(&text).contains(&at.to_string()));
    }
    let text = "SELECT * FROM events WHERE service = '2018-06-06 18:55'";
    assert!(texts(text).contains("'2018-06-06 18:55'"));
}

#[test]
fn what_is_no_time_is_refused_with_the_cure() {
    for (condition, words) in [
        ("ts > 'yesterday'", "is no time; write '2018-06-06 18:00'"),
        ("ts LIKE '2018-06-06%'", "ts >= '2018-06-06'"),
        ("ts > now()", "--since"),
        ("ts_ms / 1000 > TIMESTAMP '2018-06-06'", "in milliseconds"),
        ("ts > '2018-06-06' + INTERVAL '1 day'", "TIMESTAMP '2018-06-06 18:00'"),
        ("date_trunc('hour', ts) = '2018-06-06'", "ts_ms % 300000"),
        ("toStartOfHour(ts) = 0", "ts_ms % 300000"),
        ("messages > '5'", "without quotes"),
        ("first_hop = 1", "TRUE or FALSE"),
    ] {
        let why = refusal(&format!("SELECT COUNT(*) FROM events WHERE {condition}"));
        assert!(why.contains(words) && !why.contains('\n'), "{condition}: {why}");
    }
    for condition in [
        "ts > 'yesterday'",
        "ts > now()",
        "ts >= toDateTime('2018-06-06 18:00:00')",
        "ts LIKE '2018%'",
    ] {
        let why =
            for_server(&format!("SELECT COUNT(*) FROM events WHERE {condition}"), Window::ALL).expect_err(condition);
        assert!(
            why.contains("2018-06-06 18:00") || why.contains("ts >= '2018-06-06'"),
            "{condition}: {why}"
        );
    }
}

#[test]
fn mistakes_are_one_line_with_a_cure() {
    for (text, words) in [
        ("SELECT servce FROM events", "did you mean `service`?"),
        (
            "SELECT x.service FROM events",
            "no table `x` in this FROM; there are events",
        ),
        (
            "SELECT * FROM nosuch",
            "no table `nosuch`; there are events, rates, sources",
        ),
        ("SELECT * FROM system.tables", "no table `system.tables`"),
        ("SELECT lenght(kind) FROM events", "did you mean length()?"),
        (
            "SELECT service, COUNT(*) FROM events",
            "`service` must stand in GROUP BY",
        ),
        ("SELECT kind FROM events WHERE COUNT(*) > 1", "write HAVING"),
        ("SELECT kind FROM events a, events a", "two tables are called `a`"),
        ("SELECT kind FROM events a, events b", "in more than one table"),
        (
            "SELECT SUM(messages) OVER (ORDER BY ts) FROM events",
            "wrong running values",
        ),
        (
            "SELECT * FROM read_parquet('/etc/passwd')",
            "table functions can read files",
        ),
        ("SELECT * FROM '/etc/passwd'", "no table"),
        ("SELECT read_csv('/etc/passwd') FROM events", "it reads files"),
        ("INSERT INTO events VALUES (1)", "only SELECT is allowed"),
        ("DROP TABLE events", "only SELECT is allowed"),
        ("SELECT * INTO x FROM events", "it writes"),
        ("SELECT kind FROM events; SELECT 1", "2 statements"),
        ("", "0 statements"),
        ("SELEC 1", "not SQL"),
        (
            "SELECT kind FROM events UNION SELECT kind, relay FROM events",
            "one side has 1 columns, the other 2",
        ),
        (
            "SELECT kind FROM events UNION SELECT bytes FROM events",
            "text on one side and a number",
        ),
        ("SELECT bytes * 9223372036854775807 FROM events", "may leave 64 bits"),
        ("SELECT lpad(kind, 1000000000, 'x') FROM events", "has none"),
        ("SELECT kind FROM events ORDER BY 2", "there is no column 2"),
        ("SELECT 99999999999999999999 FROM events", "9223372036854775807"),
        ("SELECT random() FROM events", "repeatable"),
    ] {
        let why = refusal(text);
        assert!(
            why.contains(words) && !why.contains('\n') && why.len() < 600,
            "{text}: {why}"
        );
    }
    let sum = format!("SELECT {}1 FROM events", "1+".repeat(20_000));
    assert!(refusal(&sum).contains("20000 operators"));
    assert!(for_server(&sum, Window::ALL).unwrap_err().contains("20000 operators"));
    let parens = format!("SELECT {}1{} FROM events", "(".repeat(400), ")".repeat(400));
    assert!(refusal(&parens).contains("not SQL"), "the parser bounds its depth");
}

#[test]
fn columns_are_called_as_they_are_written() {
    let names = |text: &str| {
        let made = for_embedded(text).expect(text);
        made.columns.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names("SELECT COUNT(*), min(ts) FROM events"), ["COUNT(*)", "min(ts)"]);
    assert_eq!(
        names("SELECT Kind, events.SERVICE, kind FROM events"),
        ["kind", "service", "kind_1"]
    );
    assert_eq!(names("SELECT * FROM rates UNION ALL SELECT * FROM rates").len(), 14);
    let (text, times) = for_server("SELECT COUNT(*), min(ts), ts AS t, ts_ms FROM events", Window::ALL).unwrap();
    assert!(text.contains("`COUNT(*)`") && text.contains("`min(ts)`"), "{text}");
    assert_eq!(times, ["ts", "min(ts)", "t"]);
}

/// Tables that a query reads, with their columns in the order of their names.
fn stored(made: &EmbeddedQuery) -> Vec<(&str, Vec<&str>)> {
    let levels = made.steps.iter().map(|(_, level)| level).chain([&made.last]);
    let of_table = levels.filter_map(|level| match &level.form {
        LevelForm::Stored { table, columns } => Some((*table, columns)),
        _ => None,
    });
    let named = of_table.map(|(table, columns)| {
        let mut names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        (table, names)
    });
    named.collect()
}

#[test]
fn only_what_is_needed_is_read() {
    let made = for_embedded("SELECT service FROM events WHERE kind = 'accepted' AND ts > '2018-06-06'").unwrap();
    assert_eq!(stored(&made), [("events", vec!["kind", "service", "ts"])]);
    let made = for_embedded("SELECT COUNT(*) FROM rates").unwrap();
    assert_eq!(stored(&made), [("rates", vec!["ts_ms"])]);
}

#[test]
fn a_server_gets_its_own_words_and_no_changed_literal() {
    let fine = |text: &str| for_server(text, Window::ALL).expect(text).0;
    for text in [
        "SELECT toStartOfHour(fromUnixTimestamp64Milli(ts_ms)) AS h, count() FROM events GROUP BY h",
        "SELECT date_trunc('hour', fromUnixTimestamp64Milli(ts_ms)) FROM events",
        "SELECT sum(messages) OVER (ORDER BY ts_ms) FROM rates",
        "SELECT uniqExact(service), quantile(0.9)(queue_ms), countIf(kind = 'accepted') FROM events",
        "SELECT arrayMap(x -> x + 1, groupArray(messages)) FROM rates",
        "SELECT kind, count() FROM events GROUP BY kind ORDER BY kind LIMIT 1 BY kind",
        "SELECT now() - 1 FROM events",
        "SELECT rand() FROM events",
        "SELECT fileName FROM (SELECT service AS fileName FROM events)",
    ] {
        fine(text);
    }
    let literal = "a FROM events, from rates \\ and it''s";
    let made = fine(&format!(
        "SELECT COUNT(*) FROM events, rates WHERE events.service = '{literal}'"
    ));
    assert!(made.contains("'a FROM events, from rates \\\\ and it\\'s'"), "{made}");
    assert!(made.contains("FROM events, rates"), "{made}");
    let window = Window {
        since_ms: UtcMs::new(5),
        until_ms: UtcMs::new(9),
    };
    let (made, _) = for_server(
        "SELECT COUNT(*) FROM events e, rates WHERE e.kind = 'FROM rates'",
        window,
    )
    .unwrap();
    assert!(made.contains("ts_ms >= 5 AND ts_ms < 9) e"), "{made}");
    assert!(made.contains("ts_ms >= 5 AND ts_ms < 9) AS rates"), "{made}");
    assert!(made.contains("'FROM rates'"), "{made}");
    let made = fine("SELECT quantile_disc(queue_ms, 0.5) FROM events");
    assert!(made.contains("quantileExactWeighted(0.5)(queue_ms, 1)"), "{made}");
    let sums = super::trusted_with_rates(
        "SELECT SUM(r.messages) FROM rates AS r JOIN events ON r.service = events.service",
        window,
        "SELECT messages, service FROM rates WHERE ts_ms < 7 UNION ALL SELECT messages, service FROM rates_by_day",
    );
    let sums = sums.unwrap();
    assert!(
        sums.contains("UNION ALL SELECT messages, service FROM rates_by_day) AS r"),
        "{sums}"
    );
    assert!(sums.contains("FROM events WHERE ts_ms >= 5"), "{sums}");
    let made = fine("SELECT kind FROM rates UNION ALL SELECT kind FROM events ORDER BY kind LIMIT 3");
    let wanted =
        "SELECT * FROM (SELECT kind FROM rates UNION ALL SELECT kind FROM events) AS both_sides ORDER BY kind LIMIT 3";
    assert_eq!(made, wanted);
    for text in [
        "SELECT * FROM file('/etc/passwd')",
        "SELECT file('/etc/passwd') FROM events",
        "SELECT * FROM url('http://x')",
        "SELECT * FROM system.users",
        "SELECT * FROM events WHERE service IN (SELECT name FROM system.users)",
        "DROP TABLE events",
        "SELECT 1 FORMAT Null",
    ] {
        assert!(for_server(text, Window::ALL).is_err(), "{text}");
    }
}
