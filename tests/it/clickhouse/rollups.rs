//! Roll-ups of a server: made as rows come in, and filled in for what was there before them.

use super::questions::sent;
use super::schema::sql;
use super::{Lab, PASSWORD};
use crate::logs::simulated;
use std::fs;

/// Windows that begin and end at a day, an hour, a minute, and in between.
const WINDOWS: [[&str; 4]; 4] = [
    ["--since", "2018-06-04T00:00Z", "--until", "2018-06-08T00:00Z"],
    ["--since", "2018-06-05T07:00Z", "--until", "2018-06-07T03:00Z"],
    ["--since", "2018-06-04T23:17Z", "--until", "2018-06-06T21:44Z"],
    [
        "--since",
        "2018-06-05T23:17:31.250Z",
        "--until",
        "2018-06-07T01:44:12.001Z",
    ],
];

impl Lab {
    /// Questions that add up have the same answers here and there.
    #[track_caller]
    fn assert_same_sums(&self) {
        for window in &WINDOWS {
            for question in [
                &["rate_by_service", "--param", "bucket=1d"][..],
                &["rate_by_kind", "--param", "bucket=1h"],
                &["rate_by_relay", "--param", "bucket=90m"],
                &["top_services"],
                &["outcome_per_service"],
                &["relays_per_service"],
                &["latency"],
                &["deferral_reasons", "--param", "limit=1000"],
                &["bounce_reasons", "--param", "limit=1000"],
            ] {
                let args = [question, window].concat();
                let (here, there) = (self.here(&args), self.there(&args));
                assert!(!here.is_empty(), "{args:?}");
                assert_eq!(here, there, "{args:?}");
            }
            let args = [&["services", "--format", "json"], &window[..]].concat();
            let there = self.run(&[&args[..], &["--store", &self.server.url()]].concat());
            assert_eq!(self.run(&args).out, there.out, "{args:?}");
        }
    }

    /// How many rows a table has, summed up.
    fn rows_of(&self, table: &str) -> u64 {
        let text = sql(self, &format!("SELECT count() FROM mail.{table} FORMAT TSV"));
        text.trim().parse().unwrap()
    }

    /// As the version before left it.
    fn without_rollups(&self) {
        for what in [
            "VIEW mail.rates_by_hour",
            "VIEW mail.rates_by_day",
            "VIEW mail.witnesses",
            "TABLE mail.rates_hour_of_events",
            "TABLE mail.rates_day_of_events",
            "TABLE mail.witnesses_minute_of_events",
            "TABLE mail.rates_hour",
            "TABLE mail.rates_day",
            "TABLE mail.witnesses_minute",
            "TABLE mail.schema_additions",
        ] {
            sql(self, &format!("DROP {what} SYNC"));
        }
    }

    /// What both tables add up to, by key, is what the rates by minute do.
    #[track_caller]
    fn assert_filled(&self) {
        for (view, length) in [("rates_by_hour", 3_600_000), ("rates_by_day", 86_400_000)] {
            let sums = |table: &str| {
                sql(
                    self,
                    &format!(
                        "SELECT ts_ms - ts_ms % {length} AS start, service, hostgroup, relay, kind, destination, first_hop, \
                         sum(messages), sum(recipients), sum(attempts), sum(bytes) FROM mail.{table} \
                         GROUP BY ALL ORDER BY ALL FORMAT TSV"
                    ),
                )
            };
            let (made, minutes) = (sums(view), sums("rates"));
            assert!(minutes.lines().count() > 3, "{minutes}");
            assert_eq!(made, minutes, "{view}");
        }
        let told = sql(
            self,
            "SELECT ts_ms, service, host, remote_host, kind, times FROM mail.witnesses ORDER BY ALL FORMAT TSV",
        );
        let events = sql(
            self,
            "SELECT ts_ms - ts_ms % 60000 AS minute, service, host, remote_host, kind, count() FROM mail.events WHERE (kind = 'delivered' \
             AND destination = 'relay') OR (kind = 'deferred' AND reason IN ('connection_refused', 'timeout')) \
             OR (kind = 'submit_failed' AND messages = 0) GROUP BY ALL ORDER BY ALL FORMAT TSV",
        );
        assert!(told.lines().count() > 3, "{told}");
        assert_eq!(told, events);
    }
}

#[test]
#[ignore = "lab: needs chdb"]
fn roll_ups_of_a_server_answer_as_rows_here_do_and_corrections_reach_them() {
    let lab = sent();
    lab.assert_filled();
    lab.assert_same_sums();
    let config = fs::read_to_string(lab.place.path("mailpulse.toml")).unwrap();
    let renamed = config.replace("name = \"gerrit\"\nmatch", "name = \"reviews\"\nmatch");
    assert_ne!(config, renamed);
    lab.place.write("mailpulse.toml", renamed);
    lab.run(&["services", "relabel"]).ends(0);
    lab.ship().ends(0);
    assert!(
        lab.there(&["top_services", "--since", "2018-06-01"])
            .iter()
            .any(|row| row["service"] == "reviews")
    );
    lab.assert_filled();
    lab.assert_same_sums();
    // They are read: without them there is no answer.
    sql(&lab, "DROP VIEW mail.rates_by_day SYNC");
    let url = lab.server.url();
    let ask = [&["--store", &url, "query", "top_services"][..], &WINDOWS[0]].concat();
    let run = lab.run(&ask).ends(2);
    assert!(run.err.contains("rates_by_day"), "{}", run.err);
}

#[test]
#[ignore = "lab: needs chdb"]
fn a_server_of_the_version_before_is_filled_by_day_and_a_cut_fill_goes_on() {
    let lab = sent();
    lab.without_rollups();
    // It answers all the same, from minutes.
    lab.assert_same_sums();
    // Nothing is sent until it is filled, and nothing is lost.
    let log = lab.place.write("mainlog", simulated(200_000, 81));
    lab.run(&["backfill", "-q", "--host", "mx9", log.to_str().unwrap()])
        .ends(0);
    let waits = lab.ship().ends(2);
    assert!(
        waits.err.contains("006_rollups is not applied") && waits.err.contains("store migrate"),
        "{}",
        waits.err
    );
    assert!(lab.waiting().payloads > 0);
    // Each time one statement later: what was filled before stays, and is not filled again.
    let mut cuts = 0;
    for statements in 7.. {
        fs::write(lab.server.folder.join("faults/cut"), format!("{statements}")).unwrap();
        if lab.run(&["store", "migrate"]).code == 0 {
            break;
        }
        cuts += 1;
        assert!(cuts < 60);
    }
    let _ = fs::remove_file(lab.server.folder.join("faults/cut"));
    assert!(cuts >= 8, "{cuts}");
    eprintln!("cut {cuts} times");
    lab.assert_filled();
    // Done again it makes nothing.
    let parts = || {
        sql(
            &lab,
            "SELECT sum(rows) FROM system.parts WHERE database = 'mail' AND table LIKE 'rates_%' AND active FORMAT TSV",
        )
    };
    let (before, rows) = (parts(), lab.rows_of("rates_hour"));
    assert!(rows > 0);
    let again = lab.run(&["store", "migrate"]).ends(0);
    assert!(again.out.contains("006_rollups: is there"), "{}", again.out);
    assert_eq!(parts(), before);
    lab.ship().ends(0);
    lab.assert_equal();
    lab.assert_filled();
    // A host of the version before knows nothing of it: no migration is noted that it would call newer than itself.
    let noted = sql(
        &lab,
        "SELECT name FROM mail.schema_migrations WHERE name LIKE '006%' FORMAT TSV",
    );
    assert_eq!(noted, "");
    assert!(!PASSWORD.is_empty());
}

#[test]
#[ignore = "lab: needs chdb"]
fn rows_that_a_host_of_the_version_before_sends_while_days_are_filled_count_once() {
    let lab = sent();
    lab.without_rollups();
    // Views are made first, then a row comes by them, before a day of it is filled.
    let made = lab.run(&["store", "migrate", "--dry-run"]).ends(0).out;
    let statements = made.split("006_rollups: to be applied:").nth(1).unwrap();
    let statements = statements.split("007_reasons").next().unwrap();
    for statement in statements
        .split(";\n")
        .map(str::trim)
        .filter(|text| text.starts_with("CREATE"))
    {
        sql(&lab, statement);
    }
    let row = "INSERT INTO mail.events_log (sign, log, log_offset, ts_ms, host, source, kind, service, relay, first_hop, messages, \
               recipients) SELECT 1, 'x', number, 1528243200000 + number * 60000, 'mx8', 'exim', 'accepted', 'late', 'mx8', true, 1, 1 \
               FROM numbers(500)";
    sql(&lab, row);
    lab.run(&["store", "migrate"]).ends(0);
    lab.assert_filled();
    // And one after: a correction takes rows back.
    sql(&lab, &row.replace("SELECT 1,", "SELECT -1,"));
    lab.assert_filled();
    let late = sql(
        &lab,
        "SELECT count() FROM mail.rates_by_day WHERE service = 'late' FORMAT TSV",
    );
    assert_eq!(late.trim(), "0");
}
