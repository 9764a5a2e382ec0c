//! SQL that asks for more than it may have: its end is one line, whatever it is.

use crate::query::OUTAGE;
use crate::util::{Place, Run};
use std::process::Command;

fn ask(place: &Place, sql: &str) -> Run {
    place.run(&["query", "--sql", sql, "--format", "json"])
}

#[track_caller]
fn ends_in_a_line(run: Run, words: &str) {
    let run = run.ends(2).says(&[words]);
    assert!(
        run.err.trim_end().lines().count() == 1 && run.err.len() < 600,
        "{}",
        run.err
    );
    assert!(run.out.is_empty(), "{}", run.out);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_query_that_needs_too_much_memory_or_time_ends_with_a_line() {
    let (place, _) = &*OUTAGE;
    // Some 800 million rows.
    let join = "SELECT COUNT(*) FROM events a JOIN events b ON a.kind = b.kind WHERE a.bytes < b.bytes";
    ends_in_a_line(ask(place, join), "more than 512 MiB of memory");
    let all = "SELECT SUM(a.bytes - b.bytes) FROM events a, events b";
    ends_in_a_line(ask(place, all), "query_mib_max");
    let k = "k || k || k || k || k || k || k || k";
    let text = format!(
        "WITH a AS (SELECT event_id AS k FROM events), b AS (SELECT {k} AS k FROM a), c AS (SELECT {k} AS k FROM b), \
         d AS (SELECT {k} AS k FROM c) SELECT MAX(LENGTH(k)) FROM (SELECT {k} AS k FROM d)"
    );
    ends_in_a_line(ask(place, &text), "more than 512 MiB of memory");
    let config = std::fs::read_to_string(place.path("mailpulse.toml")).expect("a configuration");
    let impatient = config.replace("[store]", "[store]\nquery_s_max = 1");
    assert_ne!(config, impatient);
    place.write("impatient.toml", impatient);
    let config = place.path("impatient.toml");
    let slow: Vec<String> = (0..300)
        .map(|number| format!("event_id || sender LIKE '%{number}%a%b%c%d%'"))
        .collect();
    let slow = format!("SELECT COUNT(*) FROM events WHERE {}", slow.join(" OR "));
    let mut command = Command::new(crate::util::PROGRAM);
    command.current_dir(place.path(".")).arg("--config").arg(config);
    let run = Run::of(
        command
            .args(["query", "--sql", &slow])
            .output()
            .expect("the program starts"),
    );
    // Quick machines answer it.
    if run.code != 0 {
        ends_in_a_line(run, "query_s_max in [store]");
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_query_that_is_deep_is_answered_or_ends_with_a_line() {
    let (place, _) = &*OUTAGE;
    let sum = |times: usize| format!("SELECT {}1 AS n FROM rates LIMIT 1", "1+".repeat(times));
    assert_eq!(place.number(&sum(900)), 901);
    ends_in_a_line(ask(place, &sum(20_000)), "20000 operators; at most 1000");
    let many: Vec<String> = (0..400).map(|number| format!("messages = {number}")).collect();
    let all = place.number("SELECT COUNT(*) FROM rates");
    assert_eq!(
        place.number(&format!("SELECT COUNT(*) FROM rates WHERE {}", many.join(" OR "))),
        all
    );
    let few: Vec<String> = (400..800).map(|number| format!("messages <> {number}")).collect();
    assert_eq!(
        place.number(&format!("SELECT COUNT(*) FROM rates WHERE {}", few.join(" AND "))),
        all
    );
    let mut nested = "SELECT service, COUNT(*) AS n FROM rates GROUP BY service".to_owned();
    for _ in 0..12 {
        nested = format!("SELECT service, MAX(n) + 0 AS n FROM ({nested}) AS x GROUP BY service");
    }
    assert_eq!(place.number(&format!("SELECT SUM(n) FROM ({nested}) AS y")), all);
    for _ in 0..60 {
        nested = format!("SELECT service, MAX(n) AS n FROM ({nested}) AS x GROUP BY service");
    }
    ends_in_a_line(ask(place, &nested), "recursion limit");
    ends_in_a_line(
        ask(place, "SELECT lpad(kind, 1000000000, 'x') FROM events"),
        "lpad() is refused",
    );
}

#[test]
fn what_a_query_says_comes_through() {
    let (place, _) = &*OUTAGE;
    let run = ask(place, "SELECT servce FROM events")
        .ends(2)
        .says(&["did you mean `service`?"]);
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    let rows = place.sql("SELECT COUNT(*), min(ts), max(ts_ms) AS last FROM events WHERE ts >= '2018-06-06 18:55'");
    assert!(rows[0]["COUNT(*)"].as_i64() > Some(100), "{rows:?}");
    assert!(
        rows[0]["min(ts)"]
            .as_str()
            .is_some_and(|time| time.starts_with("2018-06-06T18:5")),
        "{rows:?}"
    );
    assert!(rows[0]["last"].is_i64(), "{rows:?}");
}
