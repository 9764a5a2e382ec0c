//! `status` tells a source that cannot be read any more from one that has no mail.

use crate::lab::lab;
use crate::util::Place;
use serde_json::Value;
use std::fs;

fn status(place: &Place) -> Value {
    let run = place.run(&["status", "--format", "json"]).ends(0);
    let mut answer: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(answer["sources"].as_array().unwrap().len(), 1);
    let row = answer["sources"][0].take();
    let n = |key: &str| row[key].as_u64().unwrap();
    assert_eq!(n("lines"), n("events") + n("ignored") + n("unparsed"));
    // By minute as well: no line is without one.
    let sums = &place.sql(
        "SELECT SUM(lines) AS lines, SUM(events) AS events, SUM(ignored) AS ignored, SUM(unparsed) AS unparsed FROM sources",
    )[0];
    for key in ["lines", "events", "ignored", "unparsed"] {
        assert_eq!(sums[key], row[key], "{key}");
    }
    row
}

#[test]
#[ignore = "lab: needs root and exim4"]
fn a_real_log_with_a_new_format_behind_it_is_unreadable() {
    let log = fs::read_to_string(lab("all").join("mainlog")).unwrap();
    let place = Place::new();
    let path = place.write("mainlog", &log);
    place.backfill(&[&path]).ends(0);
    let before = status(&place);
    assert_eq!(
        (&before["unparsed"], &before["unparsed_shapes"]),
        (&Value::from(0), &Value::from(Vec::<Value>::new()))
    );
    assert!(["ok", "stale"].contains(&before["state"].as_str().unwrap()));
    // The laboratory has just written it.
    assert!(
        before["age_s"].as_i64().unwrap() < 86_400 && before["last"].is_string(),
        "{before}"
    );
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let nagios = place.run(&["status", "--nagios"]).ends(0);
    assert!(nagios.out.starts_with("MAILPULSE OK"), "{}", nagios.out);
    let stale = place.run(&["status", "--nagios", "--stale-after", "1s"]).ends(1);
    assert!(stale.out.contains("stale: mx1001 (exim)"), "{}", stale.out);

    // The next version of the MTA writes another form; not one line of this run has a time.
    let new: String = (0..2000)
        .map(|n| format!("{{ver=2}} mail id={n} to=user{n}@example.org ok\n"))
        .collect();
    fs::write(&path, log + &new).unwrap();
    place.backfill(&[&path]).ends(0);
    let after = status(&place);
    assert_eq!(after["state"], "unreadable", "{after}");
    assert_eq!(after["unparsed"], 2000);
    assert_eq!(after["events"], before["events"]);
    assert!(after["hour_unparsed_percent"].as_f64().unwrap() > 10.0, "{after}");
    let shapes = after["unparsed_shapes"].as_array().unwrap();
    assert_eq!(
        shapes.iter().map(|shape| shape["count"].as_u64().unwrap()).sum::<u64>(),
        2000
    );
    assert!(shapes[0]["sample"].as_str().unwrap().contains("{ver=2} mail id="));
    assert!(!shapes[0]["why"].as_str().unwrap().is_empty());
    let table = place.run(&["status"]).ends(0).out;
    assert!(table.contains("unreadable: mx1001 (exim)"), "{table}");
    let nagios = place.run(&["status", "--nagios"]).ends(2);
    assert!(
        nagios.out.starts_with("MAILPULSE CRITICAL - unreadable: mx1001 (exim)"),
        "{}",
        nagios.out
    );
}

#[test]
fn all_limits_are_shown_with_what_is_used_of_them() {
    let place = Place::with("[store]\nurl = \"store\"\nopen_messages_max = 1000\n[tail]\nopen_files_max = 77\n");
    let log = place.write("mainlog", crate::logs::simulated(200_000, 5));
    place
        .run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    let asked = place.run(&["status", "--limits", "--format", "json"]).ends(0);
    let limits: Vec<Value> = serde_json::from_str(&asked.out).unwrap();
    let of = |key: &str| {
        let found = limits.iter().find(|limit| limit["limit"] == key);
        found.unwrap_or_else(|| panic!("{key}: {}", asked.out))
    };
    assert_eq!(of("tail.open_files_max")["value"], 77);
    assert_eq!(of("clickhouse.insert_timeout_s")["value"], 120);
    let open = &place.run(&["status", "--format", "json"]).ends(0).out;
    let open: Value = serde_json::from_str(open).unwrap();
    assert_eq!(
        of("store.open_messages_max")["used"],
        open["sources"][0]["open_messages"]
    );
    assert_eq!(open["limits"].as_array(), Some(&limits));
    // What the store holds and takes up, raw.
    let store = &open["store"];
    assert_eq!(store["events"], place.number("SELECT COUNT(*) AS n FROM events"));
    assert!(
        store["bytes"].as_u64().unwrap() > 1_000 && store["segments"].as_u64().unwrap() > 0,
        "{store}"
    );
    assert!(
        store["path"].as_str().unwrap().ends_with("/store") && store["last"].is_string(),
        "{store}"
    );
    assert_eq!(open["alarms"], serde_json::json!([]));
    assert!(of("store.services_max")["used"].as_u64().unwrap() > 0);
    let table = place.run(&["status", "--limits"]).ends(0).out;
    for limit in &limits {
        assert!(table.contains(limit["limit"].as_str().unwrap()), "{table}");
    }
}
