//! Alarms on their way out: what is to be sent ([`Notice`]), what has been reported and what waits ([`state`]), and the
//! channels, one file each.
//!
//! A notice is delivered at least once: it leaves the queue only after the channel has taken it. Its `id` is the same
//! in every try, so that a receiver can tell a repetition.

mod alertmanager;
mod delivery;
mod exec;
mod heartbeat;
mod http;
mod links;
mod receivers;
pub(crate) mod state;
mod stdout;
mod target;
mod told;
mod webhook;

pub(crate) use alertmanager::Alertmanager;
pub(crate) use delivery::{DeliveryFault, Results, Undelivered};
pub(crate) use exec::Exec;
pub(crate) use heartbeat::DeadMansSwitch;
pub(crate) use http::TrustedAuthorities;
pub(crate) use links::NoticeLinks;
pub(crate) use receivers::{PAGERDUTY_URL, WebhookFormat};
pub(crate) use stdout::Stdout;
pub(crate) use target::AlertTarget;
pub(crate) use webhook::Webhook;

use crate::model::time::UtcS;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// Longest time that a channel may take for one delivery.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);
/// How an alarm ends of which nothing is left, as its `end` says.
pub(crate) const WITHDRAWN: &str = "withdrawn";
/// The kind of a notice that tries a channel out.
const TEST: &str = "test";
/// Longest label, in characters.
const LABEL_MAX: usize = 128;

/// What an alarm is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    /// As in [`Notice`].
    pub kind: String,
    /// As in [`Notice`].
    pub name: String,
    /// As in [`Notice`].
    pub state: String,
}

/// What is reported: an alarm that fires, or that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notice {
    /// The episode: the same from its beginning to its end, in every try, whatever it turns out to be about.
    pub id: String,
    /// `service`, `relay`, `host`, `hostgroup`, `provider` or `store`; this, name, state and relay are as they were reported first, for
    /// whoever knows an alarm by its labels.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// State, as `dropped`.
    pub state: String,
    /// The relay that is the cause.
    pub relay: Option<String>,
    /// One sentence.
    pub summary: String,
    /// Sentences.
    pub description: String,
    /// When it began.
    pub starts: UtcS,
    /// When it was over; `None` while it fires.
    pub ends: Option<UtcS>,
    /// The alarm as `detect --format json` tells it.
    pub alarm: Value,
    /// What it is about now, if that is not what was reported first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<About>,
}

impl Notice {
    /// What it is about now.
    pub(crate) fn about(&self) -> About {
        self.now.clone().unwrap_or_else(|| self.first())
    }

    /// What it was about when it was reported first.
    fn first(&self) -> About {
        About {
            kind: self.kind.clone(),
            name: self.name.clone(),
            state: self.state.clone(),
        }
    }

    /// The same episode as it is seen now: more is known of it, and it keeps its id and its labels.
    fn updated(&self, seen: &Notice) -> Notice {
        let mut alarm = seen.alarm.clone();
        if let Some(id) = alarm.get_mut("notice_id") {
            *id = self.id.clone().into();
        }
        let now = seen.about();
        Notice {
            summary: seen.summary.clone(),
            description: seen.description.clone(),
            starts: seen.starts,
            ends: seen.ends,
            alarm,
            now: (now != self.first()).then_some(now),
            ..self.clone()
        }
    }

    /// The same as it ends when nothing is left of it: what it said was not so.
    fn withdrawn(&self) -> Notice {
        let mut over = self.clone();
        let why = format!("{WITHDRAWN}: judged again, with rows that came late or by other rules, it is no alarm");
        over.summary = format!("{}; {why}", self.summary);
        over.description = match self.description.as_str() {
            "" => why.clone(),
            said => format!("{said}; {why}"),
        };
        if let Some(alarm) = over.alarm.as_object_mut() {
            alarm.insert("end".to_owned(), WITHDRAWN.into());
        }
        over
    }

    /// `firing` or `resolved`.
    pub(crate) fn status(&self) -> &'static str {
        if self.ends.is_some() { "resolved" } else { "firing" }
    }

    /// Whether it is about mail, and not about the store, or a test.
    fn is_of_mail(&self) -> bool {
        self.kind != "store" && self.kind != TEST
    }

    /// A notice that tries a channel out; it begins and ends with one id.
    pub(crate) fn test(host: &str, now: UtcS, is_over: bool) -> Notice {
        Notice {
            id: format!("{TEST}/{host}"),
            kind: TEST.to_owned(),
            name: host.to_owned(),
            state: TEST.to_owned(),
            relay: None,
            summary: match is_over {
                true => format!("the test of the alarms of mailpulse on {host} is over"),
                false => format!("a test of the alarms of mailpulse on {host}: nothing is wrong"),
            },
            description: "sent by `mailpulse alert test`".to_owned(),
            starts: now,
            ends: is_over.then_some(now),
            alarm: serde_json::json!({ "series": { TEST: host }, "state": TEST }),
            now: None,
        }
    }
}

/// A way out.
pub(crate) trait AlertChannel: Send + Sync {
    /// Its name in the state and in messages: kind and target, without secrets.
    fn name(&self) -> String;

    /// Its name in states that earlier versions wrote: they held the whole address.
    fn former_name(&self) -> Option<String> {
        None
    }

    /// Delivers notices, oldest first; what became of each. Returns within [`TIMEOUT`] a notice.
    fn deliver(&self, notices: &[Notice], now: UtcS) -> Results;

    /// Whether it has to be sent again what fires, while it fires.
    fn wants_repetition(&self) -> bool {
        false
    }
}

/// A payload, compact. What would steer a terminal is escaped: receivers log what they get.
fn body(payload: &Value) -> String {
    mailpulse_parsers::harmless::safe_json(&payload.to_string())
}

/// Text from logs, bounded and without control characters.
fn safe(text: &str, max: usize) -> String {
    let text = mailpulse_parsers::harmless::safe_text(text.as_bytes());
    text.chars().take(max).collect()
}

/// The value of a label.
fn label(text: &str) -> String {
    safe(text, LABEL_MAX)
}
