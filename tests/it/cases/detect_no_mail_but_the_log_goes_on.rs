//! 54: a relay has no mail for 25 minutes while its log goes on with lines that are no events. SigNoz/signoz.io PR#4021,
//! prometheus/prometheus#1164.

use super::input;
use crate::util::{KEEP, Place, now_ms};
use serde_json::Value;

const CASE: &str = "54-detect-no-mail-but-the-log-goes-on";
const MINUTE: i64 = 60;

fn seconds(text: &Value) -> i64 {
    text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second()
}

/// Twenty days of mail up to 25 minutes ago, and then lines of another kind up to now, fed as cron would. Returns the
/// time of the first of these.
fn place(last_lines: &str) -> (Place, i64) {
    let place = Place::with(&format!("{KEEP}[[alert]]\nkind = \"stdout\"\n"));
    let made = crate::lab::program("python3")
        .arg(input(CASE, "mk.py"))
        .current_dir(place.path(""))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", made.stderr.escape_ascii());
    let log = std::fs::read_to_string(place.path("mainlog")).unwrap();
    let log = log.replace("no host name found for IP address 192.0.2.77", last_lines);
    let first = log.lines().find(|line| line.ends_with(last_lines)).unwrap();
    let began = format!("{}T{}Z", &first[..10], &first[11..19]);
    let path = place.write("mainlog", &log);
    place.backfill(&[&path]).ends(0);
    (place, began.parse::<jiff::Timestamp>().unwrap().as_second())
}

#[test]
#[ignore = "lab: needs python3"]
fn a_relay_without_mail_is_told_within_ten_minutes_whatever_its_log_goes_on_with() {
    for last_lines in [
        "no host name found for IP address 192.0.2.77",
        "Start queue run: pid=4711",
        "H=(x) [198.51.100.29] F=<a@b.example> rejected RCPT <c@d.example>: relay not permitted",
    ] {
        let (place, began) = place(last_lines);
        let run = place.run(&["detect", "--since", "-3h", "--format", "json"]).ends(1);
        let alarms: Vec<Value> = serde_json::from_str(&run.out).unwrap();
        let alarm = alarms
            .iter()
            .find(|alarm| alarm["series"]["relay"] == "mx1001" && alarm["state"] == "dropped")
            .unwrap_or_else(|| panic!("{last_lines}: {alarms:#?}"));
        let late = seconds(&alarm["detected"]) - began;
        assert!((0..=10 * MINUTE).contains(&late), "{last_lines}: after {late} s");
        assert!(alarm["ended"].is_null(), "{last_lines}: {alarm:#}");

        let watch = place.run(&["watch", "--once"]);
        assert!(
            watch.out.contains("mx1001") && watch.out.contains("dropped"),
            "{last_lines}: {watch:?}"
        );

        // The log was read to its end, which is the present.
        let rows: Vec<Value> =
            serde_json::from_str(&place.run(&["query", "freshness", "--format", "json"]).ends(0).out).unwrap();
        let behind = now_ms() / 1_000 - seconds(&rows[0]["last"]);
        assert!(behind < 5 * MINUTE, "{last_lines}: {rows:#?}");
    }
}
