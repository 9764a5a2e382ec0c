//! Questions and answers, on the logs of the simulated outage, whose own count is the witness.

use crate::util::{Place, assert_same_answers};
use mailpulse::query::named;
use mailpulse::simulate::{LOCAL_BOUNCES, Outage2018, Truth, UNATTRIBUTED, outage_2018};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Three days of history and the night, with a tenth of the mail.
pub(crate) static OUTAGE: LazyLock<(Place, Truth)> = LazyLock::new(|| {
    let place = Place::new();
    let spec = Outage2018 {
        seed: 4,
        history_days: 3,
        mails_per_day_scale: 0.1,
    };
    let truth = outage_2018(&place.path("logs"), &spec).expect("logs");
    let config = std::fs::read_to_string(place.path("logs/mailpulse.toml")).expect("its configuration");
    let config = config.replace("paths = [\"", "paths = [\"logs/");
    place.write("mailpulse.toml", format!("{}{config}", crate::util::KEEP_ALONE));
    let run = place.run(&["backfill"]).ends(0);
    let totals = run.totals();
    assert_eq!(totals.lines, truth.lines + truth.apps.all_lines());
    assert_eq!(totals.unparsed, 0, "{}", run.out);
    (place, truth)
});

const ALL_TIME: [&str; 4] = ["--since", "2018-01-01", "--until", "2019-01-01"];

fn ask(name: &str, more: &[&str]) -> Vec<Value> {
    let (place, _) = &*OUTAGE;
    let args = [&["query", name, "--format", "json"], &ALL_TIME[..], more].concat();
    serde_json::from_str(&place.run(&args).ends(0).out).expect("JSON")
}

/// Columns without a value where the log says nothing: a connection that failed has no SMTP code.
fn may_be_unknown(column: &str) -> bool {
    column == "smtp_code" || column.ends_with("_ms")
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn every_named_query_gives_the_columns_it_declares() {
    let (place, _) = &*OUTAGE;
    assert_eq!(named::all().len(), 14);
    for query in named::all() {
        let rows = ask(query.name, &[]);
        assert!(!rows.is_empty(), "{} finds nothing in the outage", query.name);
        let names: Vec<&str> = query.columns.iter().map(|column| column.name).collect();
        for row in &rows {
            let row = row.as_object().unwrap();
            assert_eq!(row.keys().collect::<Vec<_>>(), names, "{}", query.name);
            for column in &query.columns {
                let value = &row[column.name];
                let good = match column.kind {
                    "time" => value
                        .as_str()
                        .is_some_and(|time| time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z')),
                    "text" => value.is_string(),
                    "int" => value.is_i64() || value.is_null() && may_be_unknown(column.name),
                    "float" => value.is_number() || value.is_null(),
                    other => panic!("{}: unknown type {other}", query.name),
                };
                assert!(good, "{}: {} is no {}: {value}", query.name, column.name, column.kind);
            }
        }
        // The other forms have as many rows.
        let table = place.run(&[&["query", query.name], &ALL_TIME[..]].concat()).ends(0).out;
        assert_eq!(table.trim_end().lines().count(), rows.len() + 1, "{}", query.name);
        let csv = place
            .run(&[&["query", query.name, "--format", "csv"], &ALL_TIME[..]].concat())
            .ends(0)
            .out;
        assert_eq!(csv.lines().count(), rows.len() + 1, "{}", query.name);
    }
}

#[test]
fn the_list_names_every_query_with_its_words() {
    let (place, _) = &*OUTAGE;
    let list: Vec<Value> =
        serde_json::from_str(&place.run(&["query", "--list", "--format", "json"]).ends(0).out).unwrap();
    assert_eq!(list.len(), named::all().len());
    assert!(list.iter().all(|row| !row["description"].as_str().unwrap().is_empty()));
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn rates_add_up_to_the_events() {
    let (place, _) = &*OUTAGE;
    for (name, column, first_hop) in [
        ("rate_by_service", "service", " AND first_hop"),
        ("rate_by_hostgroup", "hostgroup", " AND first_hop"),
        ("rate_by_relay", "relay", ""),
    ] {
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
        for row in ask(name, &[]) {
            *sums.entry(row[column].as_str().unwrap().to_owned()).or_default() += row["messages"].as_i64().unwrap();
        }
        let sql = format!(
            "SELECT {column}, COUNT(*) AS n FROM events WHERE kind = 'accepted' AND origin <> 'outside'{first_hop} \
             GROUP BY {column}"
        );
        let counted: BTreeMap<String, i64> = place
            .sql(&sql)
            .iter()
            .map(|row| (row[column].as_str().unwrap().to_owned(), row["n"].as_i64().unwrap()))
            .collect();
        assert!(counted.len() > 1, "{name}: {counted:?}");
        assert_eq!(sums, counted, "{name}");
    }
    let sums = "SELECT kind, destination, relay, service, first_hop, SUM(messages) AS m, SUM(recipients) AS r, COALESCE(SUM(bytes), 0) AS b FROM rates \
        GROUP BY kind, destination, relay, service, first_hop ORDER BY kind, destination, relay, service, first_hop";
    let (of_rates, of_events) = (place.sql(sums), place.sql(&sums.replace("FROM rates", "FROM events")));
    assert_same_answers(&of_rates, &of_events);
}

#[test]
fn the_store_counts_what_the_simulator_wrote() {
    let (place, truth) = &*OUTAGE;
    // No rule names the relays' own bounces; and what a bounce becomes is a bounce's too.
    let mut written: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for ((service, relay, kind), n) in &truth.counts {
        let service = if service == LOCAL_BOUNCES {
            UNATTRIBUTED
        } else {
            service
        };
        *written
            .entry((service.to_owned(), relay.clone(), kind.clone()))
            .or_default() += n;
    }
    let sql = "SELECT service, relay, kind, COUNT(*) AS n FROM events WHERE source = 'exim' \
        GROUP BY service, relay, kind";
    let stored: BTreeMap<(String, String, String), u64> = place
        .sql(sql)
        .iter()
        .map(|row| {
            let word = |key: &str| row[key].as_str().unwrap().to_owned();
            // What strangers hand in has no service, but a name.
            let service = word("service").replace("inbound", UNATTRIBUTED);
            ((service, word("relay"), word("kind")), row["n"].as_u64().unwrap())
        })
        .fold(BTreeMap::new(), |mut sums, (key, count)| {
            *sums.entry(key).or_default() += count;
            sums
        });
    let different: Vec<String> = written
        .keys()
        .chain(stored.keys())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .filter(|key| written.get(*key) != stored.get(*key))
        .map(|key| format!("{key:?}: written {:?}, stored {:?}", written.get(key), stored.get(key)))
        .collect();
    assert!(written.len() > 50, "{}", written.len());
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn the_outage_shows_in_the_rates() {
    let (_, truth) = &*OUTAGE;
    let outage = |row: &&Value| {
        let at = row["ts"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
            .as_second();
        (truth.stopped..truth.restarted - 300).contains(&at)
    };
    let by_relay = ask("rate_by_relay", &[]);
    let of = |relay: &str| {
        by_relay
            .iter()
            .filter(outage)
            .filter(|row| row["relay"] == relay)
            .count()
    };
    assert_eq!(of("mx1001"), 0, "the stopped relay takes nothing");
    assert!(of("mx2001") > 10, "the other one does");
}

#[test]
fn times_in_json_are_rfc3339_and_text_in_csv_is_harmless() {
    let place = Place::new();
    let log = "2018-06-06 18:00:00.250 1fQdLN-0001Ab-Cd <= =cmd|calc@example.org H=evil [192.0.2.1] P=esmtp S=700\n\
        2018-06-06 18:00:01 1fQdLN-0001Ab-Cd => +1@example.com R=x T=remote_smtp H=mx.example.com [192.0.2.2]\n\
        2018-06-06 18:00:01 1fQdLN-0001Ab-Cd Completed\n";
    let log = place.write("mainlog", log);
    place.backfill(&[&log]).ends(0);
    let rows = place.sql("SELECT ts, ts_ms, sender FROM events WHERE kind = 'accepted'");
    assert_eq!(rows[0]["ts"], "2018-06-06T18:00:00.25Z");
    assert_eq!(rows[0]["ts_ms"], 1_528_308_000_250_i64);
    assert_eq!(rows[0]["sender"], "=cmd|calc@example.org", "JSON is data as it is");
    let csv = place
        .run(&[
            "query",
            "--sql",
            "SELECT sender, recipient FROM events ORDER BY log_offset",
            "--format",
            "csv",
        ])
        .ends(0);
    assert!(csv.out.contains("'=cmd|calc@example.org"), "{}", csv.out);
    assert!(csv.out.contains(",'+1@example.com"), "{}", csv.out);
    let cells = csv.out.lines().skip(1).flat_map(|line| line.split(','));
    assert!(
        cells.into_iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])),
        "{}",
        csv.out
    );
}

#[test]
fn a_lone_count_is_answered() {
    let (place, truth) = &*OUTAGE;
    let of_relays: u64 = truth.counts.values().sum();
    let of_apps: u64 = truth.apps.counts.values().map(|n| n.failures + n.submitted).sum();
    assert!(of_relays > 1000 && of_apps > 10);
    assert_eq!(
        place.number("SELECT COUNT(*) AS n FROM events") as u64,
        of_relays + of_apps
    );
    assert_eq!(
        place.number("SELECT COUNT(*) FROM events WHERE kind = 'no such kind'"),
        0
    );
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn what_reads_a_store_says_what_it_holds() {
    let (place, truth) = &*OUTAGE;
    let answer: Value = serde_json::from_str(&place.run(&["status", "--format", "json"]).ends(0).out).unwrap();
    let status = answer["sources"].as_array().unwrap();
    let of = |kind: &str| status.iter().filter(|row| row["source"] == kind).count();
    assert_eq!((of("exim"), of("gerrit"), of("dumps")), (2, 2, 5));
    let sum = |key: &str| status.iter().map(|row| row[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(
        (sum("lines"), sum("unparsed")),
        (truth.lines + truth.apps.all_lines(), 0)
    );
    assert!(status.iter().all(|row| row["state"] != "unreadable"), "{status:?}");
    assert_eq!(sum("logs") as usize, truth.files.len() + truth.apps.files.len());
    // Nothing has come for years: an archive may be asked with a longer time, and anything else is no OK.
    let nagios = place.run(&["status", "--nagios"]).ends(1).out;
    assert!(
        nagios.starts_with("MAILPULSE WARNING - no line since 2018-06-"),
        "{nagios}"
    );
    let archive = place
        .run(&["status", "--nagios", "--stale-after", "99999d"])
        .ends(0)
        .out;
    assert!(archive.starts_with("MAILPULSE OK"), "{archive}");
    for command in [&["services"][..], &["routes"], &["services", "discover"]] {
        let run = place.run(&[command, &ALL_TIME[..]].concat());
        assert!(run.code == 0 || run.code == 1, "{command:?}: {} {}", run.code, run.err);
        assert!(!run.out.is_empty(), "{command:?}");
    }
}
