//! What the example configuration of an Alertmanager holds back, asked of a real Alertmanager. The alerts have the labels that
//! the tests of the rules expect, so that a renamed label or alert is noticed here.

use crate::logs::root;
use crate::prometheus::texts;
use crate::util::{Place, Reserved};
use crate::watch::{alertmanager_with, held, until};
use crate::webhook::{hook, posted};
use serde_json::{Value, json};
use std::fs;

/// A cause, what it explains, and the label in which both have to agree.
const EXPLAINED: [(&str, &str, Option<&str>); 11] = [
    ("MailpulseNoData", "MailpulseServiceTrouble", None),
    ("MailpulseNoData", "MailpulseReaderStopped", None),
    ("MailpulseNoData", "MailpulseDown", None),
    ("MailpulseDown", "MailpulseChannelFailing", Some("instance")),
    ("MailpulseRelaySilent", "MailpulseServiceTrouble", Some("relay")),
    ("MailpulseRelaySilent", "MailpulseQueueGrowing", Some("relay")),
    ("MailpulseRelayTrouble", "MailpulseServiceVolumeLow", Some("relay")),
    ("MailpulseFleetTrouble", "MailpulseServiceTrouble", None),
    ("MailpulseReaderStopped", "MailpulseReaderLagging", Some("host")),
    ("MailpulseReaderStopped", "MailpulseUnparsedLines", Some("host")),
    ("relay", "service", Some("relay")),
];
/// What has nothing to do with each other: a relay does not explain what a provider does.
const APART: [(&str, &str); 2] = [
    ("MailpulseRelaySilent", "MailpulseProviderTrouble"),
    ("MailpulseServiceTrouble", "MailpulseHostgroupTrouble"),
];

/// The labels with which tests of the rules expect an alert; the kinds of `MailpulseAlarm` are those of `mailpulse watch`.
fn labels(alert: &str) -> Value {
    if !alert.starts_with("Mailpulse") {
        return json!({"alertname": "MailpulseAlarm", "kind": alert, "name": alert, "relay": "mx1001"});
    }
    let texts = texts("dist/prometheus/tests", ".test.yml");
    let head = format!("alertname: {alert}\n");
    let fired = texts.iter().find_map(|text| {
        let mut cases = text.split(&head).skip(1);
        cases.find_map(|case| case.trim_start().strip_prefix("exp_alerts:\n"))
    });
    let fired = fired.unwrap_or_else(|| panic!("{alert} fires in no test"));
    let (_, set) = fired.split_once("exp_labels:\n").unwrap();
    let mut labels = json!({"alertname": alert});
    for line in set.lines().take_while(|line| !line.contains("exp_")) {
        let (name, value) = line.trim().split_once(": ").unwrap();
        labels[name] = value.trim_matches(['\'', '"']).into();
    }
    labels
}

fn send(port: u16, alerts: &[&Value]) {
    let body: Vec<Value> = alerts.iter().map(|labels| json!({"labels": labels})).collect();
    let reply = ureq::post(&format!("http://127.0.0.1:{port}/api/v2/alerts"))
        .header("content-type", "application/json")
        .send(json!(body).to_string());
    assert_eq!(reply.unwrap().status(), 200, "{body:?}");
}

/// Whether an Alertmanager holds an alert back: nothing while it has not looked at it.
fn inhibited(port: u16, labels: &Value) -> Option<bool> {
    let alerts = held(port)?;
    let alert = alerts.iter().find(|alert| alert["labels"] == *labels)?;
    match alert["status"]["state"].as_str()? {
        "suppressed" => Some(true),
        "active" => Some(false),
        _ => None,
    }
}

fn example(hook: u16) -> String {
    fs::read_to_string(root().join("dist/prometheus/alertmanager.example.yml"))
        .unwrap()
        .replace("127.0.0.1:9099", &format!("127.0.0.1:{hook}"))
        .replace("group_wait: 30s", "group_wait: 1s")
        .replace("group_interval: 5m", "group_interval: 1s")
}

/// What of two alerts an Alertmanager of their own lets through.
fn reported(cause: &Value, effect: &Value) -> (Option<bool>, Option<bool>, String) {
    let place = Place::new();
    let (_hook, hook_port) = hook(&place.path("posts"));
    let reserved = Reserved::new();
    let port = reserved.port();
    let _alertmanager = alertmanager_with(&place, &reserved, &example(hook_port));
    // The cause first, as it is in life; both notices would come within a second of each other.
    send(port, &[cause, effect]);
    until("the Alertmanager looks at both", || {
        inhibited(port, cause).is_some() && inhibited(port, effect).is_some()
    });
    until("somebody is paged", || !posted(&place.path("posts")).is_empty());
    let posts: Vec<String> = posted(&place.path("posts")).iter().map(Value::to_string).collect();
    (inhibited(port, cause), inhibited(port, effect), posts.join("\n"))
}

#[test]
#[ignore = "lab: needs prometheus-alertmanager"]
fn an_alertmanager_reports_a_cause_and_not_what_it_explains() {
    for (cause, effect, equal) in EXPLAINED {
        let (cause, mut effect) = (labels(cause), labels(effect));
        if let Some(label) = equal {
            // The tests of the rules do not all use the same names.
            effect[label] = cause[label].clone();
        }
        let (first, second, posts) = reported(&cause, &effect);
        assert_eq!((first, second), (Some(false), Some(true)), "{cause} explains {effect}");
        let told = if effect["alertname"] == "MailpulseAlarm" {
            r#"\"kind\":\"service\""#.to_owned()
        } else {
            format!(
                r#"\"alertname\":{}"#,
                effect["alertname"].to_string().replace('"', "\\\"")
            )
        };
        assert!(!posts.contains(&told), "{told} is told: {posts}");
        let Some(label) = equal else { continue };
        effect[label] = "another".into();
        let (first, second, _) = reported(&cause, &effect);
        assert_eq!(
            (first, second),
            (Some(false), Some(false)),
            "{cause} is not about {effect}"
        );
    }
    for (cause, effect) in APART {
        let (first, second, _) = reported(&labels(cause), &labels(effect));
        assert_eq!((first, second), (Some(false), Some(false)), "{cause}, {effect}");
    }
}
