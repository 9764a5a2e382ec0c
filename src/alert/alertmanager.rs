//! Prometheus Alertmanager, `POST /api/v2/alerts`. Labels are an alert's identity: those of an episode never change.

use super::receivers::ReceiverRequest;
use super::told::ToldNotice;
use super::{
    AlertChannel, AlertTarget, DeliveryFault, Notice, NoticeLinks, Results, TrustedAuthorities, Undelivered, http,
    label, safe,
};
use crate::model::time::UtcS;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What fires ends by itself after so many seconds without word from here.
const HOLDS_S: i64 = 600;

/// Time for telling alerts one by one, after all of them together were refused.
const ONE_BY_ONE: Duration = Duration::from_secs(30);

/// An Alertmanager.
#[derive(Debug)]
pub(crate) struct Alertmanager {
    target: AlertTarget,
    links: NoticeLinks,
    agent: ureq::Agent,
}

impl Alertmanager {
    /// At the URL below which `/api/v2` lies (a prefix of `--web.route-prefix` or a proxy included); with authorities of its own, if there are some.
    pub(crate) fn new(url: &str, links: NoticeLinks, authorities: Option<TrustedAuthorities>) -> Self {
        // People paste the address of the page, or that of the API itself.
        let url = url.split('#').next().unwrap_or(url).trim_end_matches('/');
        let url = url
            .strip_suffix("/api/v2/alerts")
            .or(url.strip_suffix("/api/v2"))
            .unwrap_or(url);
        Alertmanager {
            target: AlertTarget::new(format!("{}/api/v2/alerts", url.trim_end_matches('/'))),
            links,
            agent: http::agent(authorities),
        }
    }
}

impl AlertChannel for Alertmanager {
    fn name(&self) -> String {
        format!("alertmanager {}", self.target.name())
    }

    fn former_name(&self) -> Option<String> {
        Some(format!("alertmanager {}", self.target.url()))
    }

    fn deliver(&self, notices: &[Notice], now: UtcS) -> Results {
        // Of one alert only the last word counts.
        let mut last: BTreeMap<String, (Value, Vec<usize>)> = BTreeMap::new();
        for (at, notice) in notices.iter().enumerate() {
            let alert = alert(notice, &self.links, now);
            let (word, places) = last.entry(alert["labels"].to_string()).or_default();
            *word = alert;
            places.push(at);
        }
        let mut results: Results = notices.iter().map(|_| None).collect();
        let mut settle = |places: &[usize], result: &Result<(), Undelivered>| {
            places.iter().for_each(|at| results[*at] = Some(result.clone()));
        };
        let all: Vec<usize> = (0..notices.len()).collect();
        match self.post(last.values().map(|(alert, _)| alert), now) {
            Ok(()) => settle(&all, &Ok(())),
            // It takes those that are right, and answers with what is wrong of the others: which is which?
            Err(why) if why.fault != DeliveryFault::Channel && last.len() > 1 => {
                let begin = Instant::now();
                for (alert, places) in last.values() {
                    let result = self.post([alert].into_iter(), now);
                    settle(places, &result);
                    if result.is_err_and(|why| why.fault == DeliveryFault::Channel) || begin.elapsed() > ONE_BY_ONE {
                        break;
                    }
                }
            }
            Err(why) if why.fault != DeliveryFault::Channel => settle(&all, &Err(why)),
            Err(why) => settle(&all[..1], &Err(why)),
        }
        results
    }

    fn wants_repetition(&self) -> bool {
        true
    }
}

impl Alertmanager {
    fn post<'a>(&self, alerts: impl Iterator<Item = &'a Value>, now: UtcS) -> Result<(), Undelivered> {
        let request = ReceiverRequest::json(&Value::Array(alerts.cloned().collect()));
        let taken = http::post(&self.agent, &self.target, &request, now)?;
        match taken.is_page {
            false => Ok(()),
            true => Err(Undelivered::channel(format!(
                "{}: answered with a web page, perhaps a login: set `url` to the address of the Alertmanager itself",
                self.target
            ))),
        }
    }
}

fn alert(notice: &Notice, links: &NoticeLinks, now: UtcS) -> Value {
    let told = ToldNotice::of(notice, links);
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
    let mut annotations = json!({
        "summary": safe(&notice.summary, 1_000),
        "description": safe(&notice.description, 4_000),
        "episode": notice.id,
        "next": told.next,
        "runbook": told.runbook,
    });
    for (name, value) in [
        ("mail", told.usual.clone()),
        ("affected", told.affected()),
        ("runbook_url", told.runbook_url.clone()),
    ] {
        if let Some(value) = value {
            annotations[name] = value.into();
        }
    }
    let mut alert = json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": time(notice.starts),
        "endsAt": time(ends),
    });
    if let Some(page) = told.page {
        alert["generatorURL"] = page.into();
    }
    alert
}

fn time(at: UtcS) -> String {
    at.timestamp().unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stays_and_a_pasted_address_of_the_page_or_the_api_is_taken_for_what_it_is() {
        for url in [
            "http://am/alertmanager",
            "http://am/alertmanager/",
            "http://am/alertmanager/#/alerts",
            "http://am/alertmanager/api/v2/",
            "http://am/alertmanager/api/v2/alerts",
        ] {
            assert_eq!(
                Alertmanager::new(url, NoticeLinks::default(), None).target.url(),
                "http://am/alertmanager/api/v2/alerts",
                "{url}"
            );
        }
        assert_eq!(
            Alertmanager::new("http://am:9093", NoticeLinks::default(), None)
                .target
                .url(),
            "http://am:9093/api/v2/alerts"
        );
    }

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
            starts: UtcS::new(100),
            ends: Some(UtcS::new(5_000)),
            alarm: Value::Null,
            now: None,
        };
        let links = NoticeLinks {
            url_base: Some("https://mail.example.org".to_owned()),
            ..NoticeLinks::default()
        };
        let alert = alert(&notice, &links, UtcS::new(1_000));
        assert_eq!(alert["generatorURL"], "https://mail.example.org/incident?alarm=x");
        let name = alert["labels"]["name"].as_str().unwrap();
        assert_eq!(name.chars().count(), 128);
        assert!(!name.contains(char::is_control), "{name:?}");
        assert_eq!(alert["endsAt"], "1970-01-01T00:16:40Z");
        assert!(alert["labels"].get("relay").is_none());
    }

    #[test]
    fn labels_stay_while_what_an_alarm_is_about_becomes_known() {
        let reported = Notice {
            id: "service/gerrit/x".to_owned(),
            kind: "service".to_owned(),
            name: "gerrit".to_owned(),
            state: "refused".to_owned(),
            relay: None,
            summary: String::new(),
            description: String::new(),
            starts: UtcS::new(100),
            ends: None,
            alarm: Value::Null,
            now: None,
        };
        let seen = Notice {
            kind: "relay".to_owned(),
            name: "mx1001".to_owned(),
            state: "dropped".to_owned(),
            relay: Some("mx1001".to_owned()),
            summary: "relay mx1001: dropped".to_owned(),
            starts: UtcS::new(90),
            ..reported.clone()
        };
        let told = |notice: &Notice, now| alert(notice, &NoticeLinks::default(), now);
        let (first, later) = (
            told(&reported, UtcS::new(1_000)),
            told(&reported.updated(&seen), UtcS::new(2_000)),
        );
        assert!(first.get("generatorURL").is_none(), "no link is invented");
        assert_eq!(first["labels"], later["labels"]);
        assert_eq!(later["annotations"]["summary"], "relay mx1001: dropped");
        assert_eq!(later["annotations"]["episode"], "service/gerrit/x");
    }
}
