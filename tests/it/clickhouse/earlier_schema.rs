//! A server whose tables an earlier version made: questions say what to do, and hosts of that version go on.

use super::Lab;
use super::schema::sql;
use crate::logs::passed_on;
use crate::serve::Served;
use crate::util::now_ms;
use std::time::{Duration, Instant};

/// The first migration that this server does not have.
const MISSING: &str = "migration 008_directions is not applied; run: mailpulse store migrate";

/// A server without a schema, and then with that of the version before directions.
fn at_007() -> Lab {
    let lab = Lab::bare();
    // What this program notes of each migration stands in another database.
    let whole = format!("{}whole", lab.server.url().strip_suffix("mail").unwrap());
    lab.run(&["--store", &whole, "store", "migrate"]).ends(0);
    let all = lab.run(&["store", "migrate", "--dry-run"]).ends(0).out;
    let (until_007, _) = all.split_once("008_directions: to be applied").unwrap();
    sql(&lab, "CREATE DATABASE mail");
    for part in until_007.split(";\n") {
        let part = format!("\n{part}");
        let starts = ["\nCREATE ", "\nALTER "];
        let Some(start) = starts.iter().filter_map(|word| part.find(word)).min() else {
            continue;
        };
        let statement = part[start..].trim();
        if !statement.contains("ROLE") {
            sql(&lab, statement);
        }
    }
    for table in ["schema_migrations", "schema_additions"] {
        sql(&lab, &format!("CREATE TABLE mail.{table} AS whole.{table}"));
        sql(
            &lab,
            &format!("INSERT INTO mail.{table} SELECT * FROM whole.{table} WHERE name < '008'"),
        );
    }
    lab
}

/// An arrival and its delivery, as a host of that version sends them.
fn insert_as_before(lab: &Lab, minute_ms: i64, service: &str) {
    let row = |kind: &str, at: u32| {
        format!(
            "(1, 'earlier', {at}{minute_ms}, {minute_ms}, 'mx7', 'exim', '{kind}', '{service}', 'mx7', true, '1fQX01-000001-A1', 1, 1)"
        )
    };
    sql(
        lab,
        &format!(
            "INSERT INTO mail.events_log (sign, log, log_offset, ts_ms, host, source, kind, service, relay, first_hop, \
             queue_id, messages, recipients) VALUES {}, {}",
            row("accepted", 1),
            row("delivered", 2)
        ),
    );
}

#[test]
#[ignore = "lab: needs chdb"]
fn questions_to_a_server_of_the_version_before_say_to_migrate_and_pages_come_back() {
    let lab = at_007();
    let url = lab.server.url();
    let now = now_ms() / 60_000 * 60_000;
    insert_as_before(&lab, now - 300_000, "shop");
    let served = Served::by(lab.command(&[]), &["--store", &url]);
    let questions: [&[&str]; 9] = [
        &["query", "top_services", "--since", "-24h"],
        &[
            "query",
            "--sql",
            "SELECT direction, COUNT(*) AS n FROM events GROUP BY direction",
        ],
        &["query", "--sql", "SELECT provider FROM rates"],
        &["detect"],
        &["watch", "--once"],
        &["queue"],
        &["services"],
        &["trace", "1fQX01-000001-A1"],
        &["graph", "--plain"],
    ];
    for question in questions {
        let run = lab.run(&[&["--store", &url][..], question].concat()).ends(2);
        assert!(run.err.contains(MISSING), "{question:?}: {}", run.err);
    }
    // What needs nothing new is answered.
    let known = lab.there(&["--sql", "SELECT COUNT(*) AS n FROM events"]);
    assert_eq!(known[0]["n"], 2);
    let begin = Instant::now();
    let page = served.settled("/");
    assert_eq!(page.status, 503, "{page:?}");
    assert!(page.body.contains(MISSING), "{}", page.body);
    // Nothing is sent until it is migrated, and nothing is lost.
    let log = lab
        .place
        .write("main.log", passed_on(now / 1_000 - 600, "1fQX01-000001-B1", "news"));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    let waits = lab.ship().ends(2);
    assert!(waits.err.contains("008_directions is not applied"), "{}", waits.err);
    lab.run(&["store", "migrate"]).ends(0);
    lab.ship().ends(0);
    // A host of the version before sends as it did, and its rows are ours.
    insert_as_before(&lab, now - 240_000, "shop");
    let rows = lab.there(&["top_services", "--since", "-24h"]);
    let shop = rows
        .iter()
        .find(|row| row["service"] == "shop")
        .expect("the service of the rows before");
    assert_eq!(shop["messages"], 2, "{rows:?}");
    assert!(rows.iter().any(|row| row["service"] == "news"), "{rows:?}");
    for question in questions {
        let run = lab.run(&[&["--store", &url][..], question].concat());
        assert!([0, 1].contains(&run.code), "{question:?}: {}{}", run.out, run.err);
    }
    while served.settled("/").status != 200 {
        assert!(begin.elapsed() < Duration::from_secs(180), "{:?}", served.settled("/"));
        std::thread::sleep(Duration::from_millis(500));
    }
}
