//! Alarms that nobody has been told of show themselves: a channel that comes late or takes nothing, a silence.

use crate::util::{Place, Reserved};
use crate::watch::{ONCE, begun, configure};
use crate::webhook::{hook, posted};
use serde_json::Value;

/// Old logs are meant.
const NAGIOS: [&str; 4] = ["status", "--nagios", "--stale-after", "99999d"];

fn status(place: &Place) -> Value {
    serde_json::from_str(&place.run(&["status", "--format", "json"]).ends(0).out).unwrap()
}

#[test]
fn a_channel_that_comes_after_the_alarm_is_told_of_it_once() {
    let place = begun("");
    place.run(&ONCE).ends(1);
    let out = place.path("posted");
    let (_hook, port) = hook(&out);
    configure(
        &place,
        &format!("[[alert]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\n"),
    );
    place.run(&ONCE).ends(1);
    place.run(&ONCE).ends(1);
    let told = posted(&out);
    assert_eq!(told.len(), 1, "{told:#?}");
    let body: Value = serde_json::from_str(told[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&body["status"], &body["alarm"]["series"]["relay"]),
        (&Value::from("firing"), &Value::from("mx1001"))
    );
}

#[test]
fn a_notice_that_is_not_delivered_stands_in_every_status_without_the_channels_secret() {
    let nobody = Reserved::new();
    let port = nobody.port();
    let place = begun(&format!(
        "[[alert]]\nkind = \"webhook\"\nurl = \"http://bot:pw@127.0.0.1:{port}/T0/secret\"\n"
    ));
    place.run(&ONCE).ends(1);
    let shown = format!("webhook http://127.0.0.1:{port}");
    let answer = status(&place);
    let channel = &answer["channels"][0];
    assert_eq!(
        (&channel["channel"], &channel["waiting"]),
        (&shown.as_str().into(), &1.into()),
        "{answer}"
    );
    assert!(channel["why"].as_str().unwrap().contains("refused"), "{channel}");
    assert!(
        channel["failing_since"].is_string() && channel["failing_s"].as_i64().unwrap() < 600,
        "{channel}"
    );
    let nagios = place.run(&NAGIOS).ends(2).out;
    assert!(
        nagios.contains(&format!("alarms not delivered: {shown} (1 wait, 0 refused)"))
            && nagios.contains(" undelivered=1"),
        "{nagios}"
    );
    let table = place.run(&["status"]).ends(0).out;
    assert!(
        table.contains(&format!("not delivered: 1 notices wait for {shown}")),
        "{table}"
    );
    for text in [answer.to_string(), nagios, table] {
        assert!(!text.contains("secret") && !text.contains("bot"), "{text}");
    }
}

#[test]
fn a_silenced_alarm_stands_in_every_status_and_is_no_critical() {
    let place = begun("[[silence]]\nrelay = \"mx1001\"\n");
    place.run(&ONCE).ends(0);
    let answer = status(&place);
    assert_eq!(answer["alarms"], serde_json::json!([]));
    let silenced = &answer["silenced"][0];
    assert_eq!(
        (&silenced["name"], &silenced["state"], &silenced["alarm"]["ended"]),
        (&"mx1001".into(), &"dropped".into(), &Value::Null),
        "{answer}"
    );
    assert!(
        place
            .run(&["status"])
            .ends(0)
            .out
            .contains("silenced: relay mx1001: dropped since")
    );
    let nagios = place.run(&NAGIOS).ends(0).out;
    assert!(
        nagios.starts_with("MAILPULSE OK - silenced: relay mx1001 dropped, "),
        "{nagios}"
    );
    // Without the silence it fires, and JSON has it as `status` and the channels have it.
    configure(&place, "");
    place.run(&ONCE).ends(1);
    let answer = status(&place);
    assert_eq!(
        (&answer["silenced"], &answer["alarms"][0]["name"]),
        (&serde_json::json!([]), &"mx1001".into())
    );
    assert!(
        answer["alarms"][0]["onset"]
            .as_str()
            .unwrap()
            .starts_with("2018-06-06T"),
        "{answer}"
    );
}
