//! Numbers, tables and first lines for people: units where they read, raw values where programs do.

use crate::query::OUTAGE;
use crate::util::{Place, Run, now_ms};
use serde_json::{Value, json};

fn asked(args: &[&str], columns: Option<&str>) -> Run {
    let (place, _) = &*OUTAGE;
    let mut command = place.command();
    command.args(args).env_remove("COLUMNS");
    if let Some(columns) = columns {
        command.env("COLUMNS", columns);
    }
    Run::of(command.output().expect("the program starts"))
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn alarms_have_ids_that_incident_takes() {
    let run = asked(&["alarms", "--format", "json"], None).ends(0);
    let alarms: Vec<Value> = serde_json::from_str(&run.out).unwrap();
    let relay = alarms
        .iter()
        .find(|alarm| alarm["series"]["relay"] == "mx1001")
        .expect(&run.out);
    let id = relay["notice_id"].as_str().unwrap();
    assert_eq!(id, "relay/mx1001/2018-06-06T18:55:00Z");
    let table = asked(&["detect"], None).out;
    assert!(table.contains(id) && table.contains("7 h 5 min"), "{table}");
    // However narrow: an id is whole, and who is affected stands there.
    let narrow = asked(&["alarms"], Some("80")).out;
    assert!(narrow.contains(id) && narrow.contains("affected"), "{narrow}");
    let number = relay["id"].as_u64().unwrap().to_string();
    let of = |id: &str| {
        asked(&["incident", "--alarm", id, "--format", "json"], None)
            .ends(1)
            .out
    };
    let incident: Value = serde_json::from_str(&of(id)).unwrap();
    assert_eq!(incident["from"], "2018-06-06T18:55:00Z");
    assert_eq!(incident["cause"]["relay"], "mx1001");
    assert_eq!(of(id), of(&number));
    // The notice was sent when the onset was known less well.
    assert_eq!(of(id), of("relay/mx1001/2018-06-06T19:01:00Z"));
    for wrong in [
        "relay/mx1001/2018-06-01T18:55:00Z",
        "service/mx1001/2018-06-06T18:55:00Z",
        "999",
        "x",
    ] {
        let run = asked(&["incident", "--alarm", wrong], None).ends(2);
        run.says(&["there is no such alarm; the last are", id, "mailpulse alarms"]);
    }
    // Before it was over.
    let run = asked(&["alarms", "--until", "2018-06-06T20:00Z"], None).ends(1);
    assert!(run.out.contains("lasts"), "{}", run.out);
    asked(&["alarms", "--until", "2018-06-05"], None)
        .ends(0)
        .says(&["0 alarms in 7 d"]);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn tables_are_as_wide_as_the_terminal() {
    for command in [
        &["status"][..],
        &["services"],
        &["routes"],
        &["detect"],
        &["alarms"],
        &["query", "outcome_per_service"],
        &["query", "latency"],
        &["query", "--sql", "SELECT * FROM events LIMIT 9"],
    ] {
        for columns in [80, 120] {
            let run = asked(command, Some(&columns.to_string()));
            assert!(run.code < 2 && run.out.lines().count() > 1, "{command:?}: {}", run.err);
            let table = run.out.lines().take_while(|line| !line.starts_with("store "));
            let widest = table.map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= columns, "{command:?}: {widest}\n{}", run.out);
        }
    }
}

#[test]
fn people_get_units_and_programs_raw_numbers() {
    let rows: Vec<Value> = serde_json::from_str(&asked(&["services", "--format", "json"], None).ends(0).out).unwrap();
    let bytes = rows[0]["bytes"].as_u64().expect("a number");
    assert!(bytes > 1_000_000 && rows[0]["messages"].as_u64().unwrap() > 999);
    let csv = asked(&["services", "--format", "csv"], None).ends(0).out;
    assert!(csv.contains(&format!(",{bytes},")) && !csv.contains("MB"), "{csv}");
    let table = asked(&["services"], None).ends(0).out;
    let row = table.lines().nth(1).unwrap();
    assert!(
        row.contains(" MB") && row.contains(',') && row.contains("/h "),
        "{table}"
    );
    let latency = asked(&["query", "latency"], None).ends(0).out;
    assert!(
        latency.lines().next().unwrap().contains("queue_p95 ") && latency.contains(" min"),
        "{latency}"
    );
    // What a user asks in SQL stays as it is.
    let sql = asked(&["query", "--sql", "SELECT SUM(bytes) AS bytes FROM rates"], None)
        .ends(0)
        .out;
    assert!(sql.lines().nth(1).unwrap().trim().parse::<u64>().is_ok(), "{sql}");
}

#[test]
fn status_begins_with_what_fires_for_whom_and_what_to_type() {
    let (outage, _) = &*OUTAGE;
    let quiet = outage.run(&["status"]).ends(0).out;
    assert!(
        quiet.starts_with("firing: unknown: `mailpulse watch` has not evaluated"),
        "{quiet}"
    );
    assert!(quiet.lines().nth(2).unwrap().ends_with(" alarms"), "{quiet}");

    let place = Place::new();
    let log = place.write("mainlog", crate::logs::simulated(200_000, 5));
    place.backfill(&[&log]).ends(0);
    let starts = now_ms() / 1_000 - 3 * 3_600;
    let notice = |kind: &str, name: &str, starts: i64| {
        json!({
            "id": format!("{kind}/{name}/2018-06-06T18:55:00Z"), "kind": kind, "name": name, "state": "dropped",
            "relay": null, "summary": "s", "description": "d", "starts": starts, "ends": null,
            "alarm": { "members": [{ "service": "gerrit" }, { "service": "hue\u{1b}[31m" }] },
        })
    };
    let firing = [notice("service", "a'b", starts + 60), notice("relay", "mx1001", starts)];
    let state = json!({ "judged": starts + 9_000, "firing": firing, "queues": {} });
    place.write("store/alerts.json", state.to_string());
    let shown = place.run(&["status"]).ends(0).out;
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "firing: relay mx1001 dropped, and 1 more");
    assert!(
        lines[1].contains("(3 h ago); affected: gerrit, hue\\u{1b}[31m"),
        "{shown}"
    );
    let config = place.path("mailpulse.toml");
    let next = format!(
        "--config {} incident --alarm relay/mx1001/2018-06-06T18:55:00Z",
        config.display()
    );
    assert!(lines[2].contains(&next), "{shown}");
    assert!(!shown.contains("segment_rows_max"), "limits are not asked for: {shown}");
    let narrow = Run::of(place.command().arg("status").env("COLUMNS", "60").output().unwrap());
    assert!(
        narrow.out.lines().take(5).all(|line| line.chars().count() <= 60),
        "{}",
        narrow.out
    );
}
