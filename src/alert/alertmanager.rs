//! Prometheus Alertmanager, `POST /api/v2/alerts`. Labels are an alert's identity: those of an episode never change.

use super::{Authorities, Channel, Notice, Undelivered, http, label, safe};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What fires ends by itself after so many seconds without word from here.
const HOLDS_S: i64 = 600;

/// An Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    url: String,
    agent: ureq::Agent,
}

impl Alertmanager {
    /// At the URL below which `/api/v2` lies; with authorities of its own, if there are some.
    pub fn new(url: &str, authorities: Option<Authorities>) -> Self {
        Alertmanager {
            url: format!("{}/api/v2/alerts", url.trim_end_matches('/')),
            agent: http::agent(authorities),
        }
    }
}

impl Channel for Alertmanager {
    fn name(&self) -> String {
        format!("alertmanager {}", self.url)
    }

    fn deliver(&self, notices: &[Notice], now: i64) -> (usize, Option<Undelivered>) {
        // Of one alert only the last word counts.
        let mut last: BTreeMap<String, Value> = BTreeMap::new();
        for notice in notices {
            let alert = alert(notice, now);
            last.insert(alert["labels"].to_string(), alert);
        }
        let body = Value::Array(last.into_values().collect()).to_string();
        match http::post(&self.agent, &self.url, &[], body.as_bytes()) {
            Ok(()) => (notices.len(), None),
            Err(why) => (0, Some(why)),
        }
    }

    fn wants_repetition(&self) -> bool {
        true
    }
}

fn alert(notice: &Notice, now: i64) -> Value {
    let mut labels = json!({
        "alertname": "MailpulseAlarm",
        "state": label(&notice.state),
        "kind": label(&notice.kind),
        "name": label(&notice.name),
    });
    if let Some(relay) = &notice.relay {
        labels["relay"] = label(relay).into();
    }
    // An end in the future would fire on.
    let ends = notice
        .ends
        .map_or(now + HOLDS_S, |ends| ends.min(now).max(notice.starts + 1));
    json!({
        "labels": labels,
        "annotations": {
            "summary": safe(&notice.summary, 1_000),
            "description": safe(&notice.description, 4_000),
            "episode": notice.id,
        },
        "startsAt": time(notice.starts),
        "endsAt": time(ends),
    })
}

fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_bounded_and_harmless_and_an_end_is_past() {
        let notice = Notice {
            id: "x".to_owned(),
            kind: "service".to_owned(),
            name: format!("a\n\u{1b}[31m{}", "b".repeat(500)),
            state: "dropped".to_owned(),
            relay: None,
            summary: String::new(),
            description: String::new(),
            starts: 100,
            ends: Some(5_000),
            alarm: Value::Null,
        };
        let alert = alert(&notice, 1_000);
        let name = alert["labels"]["name"].as_str().unwrap();
        assert_eq!(name.chars().count(), 128);
        assert!(!name.contains(char::is_control), "{name:?}");
        assert_eq!(alert["endsAt"], "1970-01-01T00:16:40Z");
        assert!(alert["labels"].get("relay").is_none());
    }
}
