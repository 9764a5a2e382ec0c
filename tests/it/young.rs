//! The first 14 days: what is certain is an alarm, what is not is shown and marked, and every command says until when.

use crate::logs::{passed_on, stamp};
use crate::util::{KEEP, Place};
use crate::watch::ONCE;
use serde_json::Value;
use std::fmt::Write as _;

/// 2018-06-04 00:00 UTC, a Monday.
const BEGIN: i64 = 1_528_070_400;
const DAY: i64 = 86_400;

/// A relay with lists that send twice a minute, and a shop that sends in the minutes that `sends` says.
fn place(days: i64, more: &str, sends: impl Fn(i64) -> bool) -> Place {
    let config = format!(
        r#"{KEEP}
[[service]]
name = "shop"
match = [{{ sender = "shop@example.org" }}]
[[service]]
name = "lists"
match = [{{ sender = "lists@example.org" }}]
[[source]]
kind = "exim"
paths = ["mx1001/mainlog"]
host = "mx1001"
[[alert]]
kind = "stdout"
{more}
"#
    );
    let place = Place::with(&config);
    let mut log = String::new();
    let mut id = 0;
    let mut mail = |at: i64, sender: &str| {
        id += 1;
        let id = format!("1fQX01-{id:06}-A1");
        log.push_str(&passed_on(at, &id, sender));
    };
    for at in (BEGIN..BEGIN + days * DAY).step_by(60) {
        mail(at + 7, "lists");
        mail(at + 37, "lists");
        if sends(at) {
            mail(at + 20, "shop");
        }
    }
    place.write("mx1001/mainlog", log);
    place.run(&["backfill"]).ends(0);
    place
}

fn json(text: &str) -> Vec<Value> {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_service_at_one_mail_a_minute_that_is_silent_for_six_hours_pages_in_its_first_days() {
    let stop = BEGIN + 4 * DAY - 6 * 3_600;
    let place = place(4, "", |at| at < stop);
    let complete = "volume alarms are complete from 2018-06-1";
    let run = place.run(&["detect", "--format", "json"]).ends(1).says(&[complete]);
    let found = json(&run.out);
    assert_eq!(found.len(), 1, "{found:#?}");
    let alarm = &found[0];
    assert_eq!(
        (&alarm["series"]["service"], &alarm["state"], &alarm["provisional"]),
        (&"shop".into(), &"dropped".into(), &false.into()),
        "{alarm:#}"
    );
    let seconds = |key: &str| {
        let at = alarm[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        at.as_second()
    };
    assert!((0..=3_600).contains(&(seconds("detected") - stop)), "{alarm:#}");
    assert!((seconds("onset") - stop).abs() <= 60, "{alarm:#}");
    let watch = place.run(&ONCE).ends(1).says(&[complete]);
    assert!(
        watch.out.contains("service shop: dropped since 2018-06-07T18:0"),
        "{}",
        watch.out
    );
    let id = alarm["notice_id"].as_str().unwrap();
    assert!(watch.out.contains(&format!("\"id\":\"{id}\"")), "{id} in {}", watch.out);
    let alarms = place.run(&["alarms"]).says(&[complete]);
    assert!(alarms.out.contains(id), "{id} in {}", alarms.out);
    let incident = place
        .run(&["incident", "--alarm", id, "--format", "json"])
        .says(&[complete]);
    let incident: Value = serde_json::from_str(&incident.out).unwrap();
    let status: Value = serde_json::from_str(&place.run(&["status", "--format", "json"]).ends(0).out).unwrap();
    assert!(
        status["volume_complete_from"]
            .as_str()
            .unwrap()
            .starts_with("2018-06-1")
    );
    assert_eq!(status["volume_complete_from"], incident["volume_complete_from"]);
    assert_eq!(status["provisional"], Value::Array(Vec::new()));
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn what_is_provisional_is_marked_everywhere_and_sent_only_where_that_is_configured() {
    // Three of four minutes are without mail from the ninth day's morning on.
    let from = BEGIN + 8 * DAY + 8 * 3_600;
    let sends = |at: i64| at < from || (at / 60).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64) as u64 >> 62 == 0;
    let place = place(9, "", sends);
    let run = place.run(&["detect", "--format", "json"]).ends(0);
    let found = json(&run.out);
    let shop: Vec<&Value> = found.iter().filter(|one| one["series"]["service"] == "shop").collect();
    assert_eq!(shop.len(), 1, "{found:#?}");
    assert_eq!(shop[0]["provisional"], true, "{found:#?}");
    run.says(&[
        "0 alarms; 9 days of history replayed, 2 services; besides 1 provisional finding, sent to nobody",
        "volume alarms are complete from 2018-06-",
    ]);
    let table = place.run(&["detect"]).ends(0);
    let marked = "\nprovisional (under 14 days of history; sent to nobody):\nid ";
    assert!(table.out.contains(marked), "{}", table.out);
    let csv = place.run(&["detect", "--format", "csv"]).ends(0);
    let mut lines = csv.out.lines();
    assert!(
        lines.next().unwrap().ends_with(",notice_id,provisional,silenced"),
        "{}",
        csv.out
    );
    assert!(lines.next().unwrap().ends_with(",true,"), "{}", csv.out);
    assert!(place.run(&["alarms"]).ends(0).out.contains(marked));

    let watch = place.run(&ONCE).ends(0);
    assert_eq!(watch.out, "", "nobody is told");
    let status = place.run(&["status"]).ends(0);
    assert!(
        status
            .out
            .starts_with("firing: nothing; provisional: service shop dropped"),
        "{}",
        status.out
    );
    assert!(
        status
            .out
            .contains("provisional, not sent: service shop: dropped (provisional) since 2018-06-12T"),
        "{}",
        status.out
    );
    assert!(
        status.out.contains("volume alarms are complete from 2018-06-"),
        "{}",
        status.out
    );
    let all: Value = serde_json::from_str(&place.run(&["status", "--format", "json"]).ends(0).out).unwrap();
    let provisional = all["provisional"].as_array().unwrap();
    assert_eq!(provisional.len(), 1, "{all:#}");
    assert_eq!(provisional[0]["alarm"]["provisional"], true);
    assert_eq!(all["alarms"], Value::Array(Vec::new()));
    let nagios = place.run(&["status", "--nagios", "--stale-after", "99999d"]).ends(0);
    assert!(
        nagios.out.contains("provisional: service shop dropped"),
        "{}",
        nagios.out
    );

    let config = std::fs::read_to_string(place.path("mailpulse.toml")).unwrap();
    place.write(
        "mailpulse.toml",
        format!("{config}\n[detect]\nsend_provisional = true\n"),
    );
    let watch = place.run(&ONCE).ends(1);
    assert!(
        watch.out.contains("service shop: dropped (provisional) since"),
        "{}",
        watch.out
    );
}

#[test]
fn a_count_series_too_is_silent_after_ten_times_its_longest_gap() {
    let place = Place::new();
    let mut csv = "series,ts,count\n".to_owned();
    for minute in 0..4 * 1440_i64 {
        let count = u8::from(minute % 3 == 0 && minute < 3 * 1440);
        let _ = writeln!(csv, "shop,{},{count}", stamp(BEGIN + minute * 60));
    }
    place.write("counts.csv", csv);
    let run = place
        .run(&["detect", "--csv", "counts.csv", "--format", "json"])
        .ends(1);
    let found = json(&run.out);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (&found[0]["channel"], &found[0]["provisional"]),
        (&"gap".into(), &false.into())
    );
    assert_eq!(found[0]["detected"], "2018-06-07T00:28:00Z", "{found:#?}");
    run.says(&[
        "volume alarms are complete from 2018-06-1",
        "those of 1 of 1 series are provisional",
    ]);
}
