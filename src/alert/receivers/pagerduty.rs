//! PagerDuty, Events API v2: an alarm is one incident, whose deduplication key is the alarm's id; its end resolves it.

use super::super::told::ToldNotice;
use super::super::{Notice, safe};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Characters of a deduplication key.
const DEDUP_MAX: usize = 255;
/// Characters of a summary.
const SUMMARY_MAX: usize = 1_024;

pub(super) fn event(notice: &Notice, told: &ToldNotice, routing_key: &str) -> Value {
    let about = notice.about();
    let links = told.page.iter().map(|url| (url, "Incident"));
    let links = links.chain(told.runbook_url.iter().map(|url| (url, "Runbook")));
    let links: Vec<Value> = links.map(|(url, text)| json!({ "href": url, "text": text })).collect();
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": if told.is_over { "resolve" } else { "trigger" },
        "dedup_key": dedup_key(&notice.id),
        "client": "mailpulse",
        "payload": {
            "summary": safe(&told.summary, SUMMARY_MAX),
            "source": safe(notice.relay.as_ref().unwrap_or(&about.name), SUMMARY_MAX),
            "severity": severity(&about.state),
            "timestamp": told.since,
            "component": safe(&about.name, SUMMARY_MAX),
            "group": safe(&about.kind, SUMMARY_MAX),
            "class": safe(&about.state, SUMMARY_MAX),
            "custom_details": {
                "since": told.since,
                "ended": told.ended,
                "mail": told.usual,
                "affected": told.members,
                "evidence": told.details,
                "next": told.next,
                "runbook": told.runbook,
            },
        },
        "links": links,
    });
    if let Some(page) = &told.page {
        event["client_url"] = json!(page);
    }
    event
}

/// The id; of one that is too long its beginning and a hash.
fn dedup_key(id: &str) -> String {
    let plain = safe(id, DEDUP_MAX + 1);
    if plain.chars().count() <= DEDUP_MAX {
        return plain;
    }
    let hash = hex::encode(Sha256::digest(id));
    let begin: String = plain.chars().take(DEDUP_MAX - hash.len() - 1).collect();
    format!("{begin} {hash}")
}

fn severity(state: &str) -> &'static str {
    match state {
        "dropped" | "stuck" | "refused" => "critical",
        "blind" | "unreadable" => "warning",
        "test" => "info",
        _ => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::told::tests::{hostile, links};

    #[test]
    fn the_end_has_the_key_of_the_beginning_however_long_the_id_is() {
        let mut notice = hostile();
        notice.id = format!("service/{}/2018-06-06T18:55:00Z", "x".repeat(400));
        let event = |notice: &Notice| event(notice, &ToldNotice::of(notice, &links()), "r");
        let begin = event(&notice);
        notice.ends = Some(notice.starts + 60);
        let end = event(&notice);
        assert_eq!(
            (&begin["event_action"], &end["event_action"]),
            (&json!("trigger"), &json!("resolve"))
        );
        assert_eq!(begin["dedup_key"], end["dedup_key"]);
        assert_eq!(begin["dedup_key"].as_str().unwrap().chars().count(), DEDUP_MAX);
        let other = Notice {
            id: notice.id.replace("18:55", "18:56"),
            ..notice
        };
        assert_ne!(event(&other)["dedup_key"], begin["dedup_key"]);
    }
}
