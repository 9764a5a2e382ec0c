//! Alarms as notices to channels.

use crate::alert::Notice;
use crate::alert::state::SeenAlarm;
use crate::analysis::alarms::{alarm_json, marked, minute, name_of, notice_id};
use crate::detect::alarm::Alarm;
use crate::detect::fleet::Names;
use crate::model::time::{Minute, UtcMs};
use serde_json::json;

/// A notice about an alarm as it stands.
pub(super) fn notice(alarm: &Alarm, names: &Names) -> Notice {
    let (kind, name) = alarm.scope.named(names);
    let state = alarm.state.as_str();
    let marked = marked(alarm);
    let members: Vec<&str> = alarm.members.iter().map(|m| names.service(m.service)).collect();
    let mut summary = format!("{kind} {name}: {marked} since {}", minute(alarm.onset));
    // What fails, how much is usual, and what the other side says.
    if alarm.state.is_of_outcomes()
        && let Some(said) = alarm.evidence.first()
    {
        summary = format!("{summary}: {said}");
    }
    if !members.is_empty() {
        summary = format!("{summary}; affected: {}", members.join(", "));
    }
    if let Some(whole) = alarm.whole {
        summary = format!("{summary}; now part of {}", name_of(whole, names));
    }
    Notice {
        id: notice_id(alarm, names),
        kind: kind.to_owned(),
        name: name.to_owned(),
        state: state.to_owned(),
        relay: alarm.cause.as_ref().map(|cause| names.host(cause.relay).to_owned()),
        summary,
        description: alarm.evidence.join("; "),
        starts: alarm.onset.first_second(),
        ends: alarm.ended.map(Minute::first_second),
        alarm: alarm_json(alarm, names),
        now: None,
    }
}

/// A notice that nothing at all has come in since `newest_ms`.
pub(super) fn silent(newest_ms: UtcMs, now_ms: UtcMs) -> SeenAlarm {
    let since = minute(newest_ms.minute());
    let summary = format!("no event has come into the store since {since}, and no tail reads: no verdict on any mail");
    SeenAlarm {
        notice: Notice {
            id: format!("store/events/{since}"),
            kind: "store".to_owned(),
            name: "events".to_owned(),
            state: "blind".to_owned(),
            relay: None,
            description: summary.clone(),
            alarm: json!({ "series": { "store": "events" }, "state": "blind", "onset": since, "ended": null }),
            now: None,
            summary,
            starts: newest_ms.second(),
            ends: None,
        },
        detected: now_ms.second(),
        silenced: false,
        provisional: false,
        is_part: false,
    }
}
