//! Grafana's panels over a server: each is answered, and gives what the named queries give.

use super::questions::sent;
use super::{Lab, PASSWORD};
use crate::grafana::dashboards::{PanelKind, sql, table};
use crate::grafana::macros::View;
use crate::logs::{passed_on_at, stamp};
use crate::util::assert_same_answers;
use serde_json::Value;
use std::collections::BTreeMap;

const HOUR_MS: i64 = 3_600_000;
const WEEK_S: i64 = 7 * 86_400;
/// 2018-06-06 00:00 UTC, the day of the outage.
const DAY_MS: i64 = 1_528_243_200_000;

/// Rows of a panel, or of a question over them.
#[track_caller]
fn rows(lab: &Lab, view: &View, name: &str, over: &str) -> Vec<Value> {
    let text = over.replace("PANEL", &format!("({})", view.expand(&sql(name).1)));
    let http = format!("http://127.0.0.1:{}/?database=mail", lab.server.port);
    let answer = ureq::post(&http)
        .config()
        .http_status_as_error(false)
        .build()
        .header("X-ClickHouse-User", "mailpulse")
        .header("X-ClickHouse-Key", PASSWORD)
        .send(&text);
    let mut answer = answer.unwrap();
    let status = answer.status();
    let answer = answer.body_mut().read_to_string().unwrap();
    assert_eq!(status, 200, "{name}: {answer}\n{text}");
    answer
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}")))
        .collect()
}

fn view<'v>(hours: (i64, i64), interval_s: i64, selected: &'v [(&'v str, &'v [&'v str])]) -> View<'v> {
    View {
        from_ms: DAY_MS + hours.0 * HOUR_MS,
        to_ms: DAY_MS + hours.1 * HOUR_MS,
        interval_s,
        selected,
    }
}

const ALL: &[(&str, &[&str])] = &[("direction", &["outbound"]), ("relay", &["mx1001"])];
const CHOSEN: &[(&str, &[&str])] = &[
    ("direction", &["all"]),
    ("relay", &["mx1001"]),
    ("service", &["gerrit", "it's \\ nobody"]),
    ("provider", &["google"]),
];

#[test]
#[ignore = "lab: needs chdb"]
fn every_panel_is_answered_and_shows_what_the_named_queries_do() {
    let lab = sent();
    let names: Vec<(String, PanelKind)> = table()
        .dashboard
        .into_iter()
        .flat_map(|dashboard| dashboard.panel)
        .map(|panel| (panel.sql, panel.kind))
        .collect();
    for (name, kind) in &names {
        for (interval_s, selected) in [(60, ALL), (3_600, ALL), (300, CHOSEN)] {
            // Those of one service are about one.
            let selected = match name.as_str() {
                "same_weekday" => CHOSEN,
                _ => selected,
            };
            let found = rows(
                &lab,
                &view((0, 24), interval_s, selected),
                name,
                "SELECT * FROM PANEL FORMAT JSONEachRow",
            );
            let may_be_empty = selected.len() == CHOSEN.len();
            assert!(may_be_empty || !found.is_empty(), "{name}");
            if *kind == PanelKind::Timeseries && !found.is_empty() {
                assert!(found.iter().all(|row| row["time"].is_string()), "{name}: {}", found[0]);
            }
        }
    }
    for interval_s in [300, 3_600] {
        equal_rates(&lab, interval_s);
    }
    // An hour is read from minutes at both ends of a window, and from sums by hour within a long one.
    for minutes in [(720, 1_320), (-4_313, 1_301), (737, 4_481)] {
        equal_tables(&lab, minutes);
    }
}

/// Series are rates per minute, with zeros and gaps; named queries are sums, without zeros.
fn equal_rates(lab: &Lab, interval_s: i64) {
    let view = view((12, 22), interval_s, ALL);
    let bucket = format!("bucket={interval_s}s");
    let window = [
        "--since",
        "2018-06-06T12:00Z",
        "--until",
        "2018-06-06T22:00Z",
        "--param",
        &bucket,
    ];
    let minutes = interval_s / 60;
    for (panel, query, key) in [
        ("messages_by_service", "rate_by_service", "service"),
        ("messages_by_relay", "rate_by_relay", "relay"),
        ("outcomes", "rate_by_kind", "kind"),
    ] {
        let over = format!(
            "SELECT formatDateTime(time, '%Y-%m-%dT%H:%i:%SZ') AS ts, {key}, toInt64(round(messages_per_minute * {minutes})) AS messages \
             FROM PANEL WHERE messages_per_minute > 0 ORDER BY ts, {key} FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0"
        );
        let found = rows(lab, &view, panel, &over);
        let mut expected = lab.here(&[&[query][..], &window].concat());
        expected.retain(|row| row["messages"] != 0);
        for row in &mut expected {
            row.as_object_mut()
                .unwrap()
                .retain(|name, _| ["ts", key, "messages"].contains(&name.as_str()));
        }
        assert!(expected.len() > 5, "{query}");
        assert_same_answers(&found, &expected);
    }
}

/// Of the minutes from the day of the outage on.
fn equal_tables(lab: &Lab, minutes: (i64, i64)) {
    let view = View {
        from_ms: DAY_MS + minutes.0 * 60_000,
        to_ms: DAY_MS + minutes.1 * 60_000,
        ..view((0, 0), 60, ALL)
    };
    let (since, until) = (stamp(view.from_ms / 1_000), stamp(view.to_ms / 1_000));
    let window = ["--since", &since, "--until", &until];
    let number = |row: &Value, key: &str| row[key].as_f64().or_else(|| row[key].as_str()?.parse().ok());
    // Every service's messages of the window.
    let by_name = |rows: &[Value], key: &str, value: &str| -> BTreeMap<String, i64> {
        let pairs = rows.iter().map(|row| {
            (
                row[key].as_str().unwrap().to_owned(),
                number(row, value).unwrap() as i64,
            )
        });
        pairs.filter(|(_, value)| *value > 0).collect()
    };
    let plain = "SELECT * FROM PANEL FORMAT JSONEachRow";
    let top = lab.here(&[&["top_services", "--param", "limit=1000"][..], &window].concat());
    assert_eq!(
        by_name(&rows(lab, &view, "services", plain), "service", "messages"),
        by_name(&top, "service", "messages")
    );
    assert_eq!(
        by_name(&rows(lab, &view, "missing", plain), "service", "accepted"),
        by_name(&top, "service", "messages")
    );
    let total: i64 = by_name(&top, "service", "messages").values().sum();
    assert_eq!(
        number(&rows(lab, &view, "accepted_total", plain)[0], "messages"),
        Some(total as f64)
    );
    let dependents = rows(lab, &view, "relay_dependents", plain);
    let through = lab.here(&[&["relays_per_service"][..], &window].concat());
    let through: Vec<Value> = through.into_iter().filter(|row| row["relay"] == "mx1001").collect();
    assert_eq!(
        by_name(&dependents, "service", "through_it"),
        by_name(&through, "service", "messages")
    );
    let sources = rows(lab, &view, "sources", plain);
    let freshness = lab.here(&[&["freshness"][..], &window].concat());
    assert_eq!(by_name(&sources, "host", "lines"), by_name(&freshness, "host", "lines"));
}

#[test]
#[ignore = "lab: needs chdb"]
fn a_zero_is_a_zero_and_a_gap_is_a_gap() {
    let lab = sent();
    // mx1001 stands still from 18:55 on: its own log is not read further, and the other relay's is.
    let view = view((19, 21), 300, ALL);
    let over = "SELECT relay, countIf(messages_per_minute IS NULL) AS gaps, count() AS buckets, sum(messages_per_minute) AS sum \
                FROM PANEL GROUP BY relay ORDER BY relay FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0";
    let by_relay = rows(&lab, &view, "messages_by_relay", over);
    assert!(by_relay.iter().all(|row| row["buckets"] == 24), "{by_relay:?}");
    let gaps = |relay: &str| {
        by_relay
            .iter()
            .find(|row| row["relay"] == relay)
            .map(|row| row["gaps"].as_i64().unwrap())
    };
    assert_eq!(gaps("mx2001"), Some(0), "{by_relay:?}");
    assert!(gaps("mx1001") >= Some(20), "{by_relay:?}");
    let by_service = "SELECT service, countIf(messages_per_minute IS NULL) AS gaps, countIf(messages_per_minute = 0) AS zeros, count() AS buckets \
                      FROM PANEL GROUP BY service ORDER BY service FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0";
    let services = rows(&lab, &view, "messages_by_service", by_service);
    assert!(!services.is_empty());
    assert!(
        services.iter().all(|row| row["gaps"] == 0),
        "some log is read all the time: {services:?}"
    );
    // Before anything was read, there are gaps alone.
    let early = View {
        from_ms: DAY_MS - 40 * 24 * HOUR_MS,
        to_ms: DAY_MS + HOUR_MS,
        ..view.clone()
    };
    let tried = "SELECT countIf(accepted IS NULL) AS gaps, countIf(accepted = 0) AS zeros FROM PANEL FORMAT JSONEachRow \
                 SETTINGS output_format_json_quote_64bit_integers = 0";
    let early = View {
        interval_s: 7_200,
        ..early
    };
    let found = rows(&lab, &early, "tried_accepted_delivered", tried);
    assert!(found[0]["gaps"].as_i64().unwrap() > 37 * 12, "{found:?}");
}

/// Three services, one mail a minute each, from nine to one o'clock, in two weeks and on the day; on the day, `a` stops at ten, the
/// others at eleven, and the log at twelve.
fn week_of_three() -> String {
    let day_s = DAY_MS / 1_000;
    let mut log = String::new();
    for (week, until) in [(2, [13, 13, 13]), (1, [13, 13, 13]), (0, [10, 11, 11])] {
        let midnight = day_s - week * WEEK_S;
        let log_until = if week == 0 { 12 } else { 13 };
        for minute in 9 * 60..log_until * 60 {
            for (service, hour) in ["a", "b", "c"].iter().zip(until) {
                if minute < hour * 60 {
                    log += &passed_on_at(
                        midnight + minute * 60 + i64::from(service.as_bytes()[0] - b'a'),
                        service,
                    );
                }
            }
            log += &format!("{} Start queue run: pid=7\n", stamp(midnight + minute * 60 + 30));
        }
    }
    log
}

#[test]
#[ignore = "lab: needs chdb"]
fn alert_rules_have_a_row_for_every_service_whether_one_stops_or_all_or_no_log_is_read() {
    let lab = Lab::new();
    lab.configure(
        "[[source]]\nkind = \"exim\"\npaths = [\"mainlog\"]\nhost = \"mx1\"\n[[service]]\nname = \"a\"\nmatch = [{ sender = \"a@example.org\" }]\n\
         [[service]]\nname = \"b\"\nmatch = [{ sender = \"b@example.org\" }]\n[[service]]\nname = \"c\"\nmatch = [{ sender = \"c@example.org\" }]\n",
    );
    lab.place.write("mainlog", week_of_three());
    lab.run(&["backfill"]).ends(0);
    lab.ship().ends(0);
    let rules = table().alert;
    let fires = |name: &str, minutes: i64| -> Vec<String> {
        let at = View {
            from_ms: 0,
            to_ms: DAY_MS + minutes * 60_000,
            interval_s: 60,
            selected: &[],
        };
        let rule = rules.iter().find(|rule| rule.sql == name).unwrap();
        let all = rows(
            &lab,
            &at,
            &format!("alerts/{name}"),
            "SELECT * FROM PANEL FORMAT JSONEachRow",
        );
        let dense = if name == "service_dropped" { 3 } else { 1 };
        assert_eq!(
            all.len(),
            dense,
            "{name} at {minutes}: every known series has a row: {all:?}"
        );
        let is_bad = |row: &&Value| {
            let value = row.as_object().unwrap().values().next_back().unwrap();
            let value = value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap();
            rule.below.is_some_and(|limit| value < limit) || rule.above.is_some_and(|limit| value > limit)
        };
        let label = |row: &Value| row.as_object().unwrap().values().next().unwrap().to_string();
        all.iter().filter(is_bad).map(label).collect()
    };
    for (minutes, dropped, is_read) in [
        (9 * 60 + 55, &[][..], true),
        (10 * 60 + 45, &["\"a\""], true),
        (11 * 60 + 45, &["\"a\"", "\"b\"", "\"c\""], true),
        (12 * 60 + 45, &[], false),
    ] {
        assert_eq!(fires("service_dropped", minutes), dropped, "at {minutes}");
        assert_eq!(fires("source_silent", minutes).is_empty(), is_read, "at {minutes}");
        assert_eq!(fires("nothing_read", minutes).is_empty(), is_read, "at {minutes}");
    }
    // A store that has never read anything is no peace either.
    let early = View {
        from_ms: 0,
        to_ms: DAY_MS - 100 * 24 * HOUR_MS,
        interval_s: 60,
        selected: &[],
    };
    let row = rows(
        &lab,
        &early,
        "alerts/nothing_read",
        "SELECT * FROM PANEL FORMAT JSONEachRow",
    );
    assert_eq!(row[0]["minutes_since"], 1_000_000, "{row:?}");
}
