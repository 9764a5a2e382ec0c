//! An incident as JSON and as a Markdown page: summary, table, timeline, conclusions.

use crate::analysis::alarms::{alarm_json, cause_json, minute, rounded};
use crate::analysis::incident::replies::FrequentReply;
use crate::analysis::incident::{Incident, Judged};
use crate::analysis::planned_work::{self, held, held_json, held_words, marks_json, silences_json};
use crate::detect::alarm::{Alarm, Scope, State};
use crate::detect::impact::{Impact, ServiceImpact};
use crate::model::human;
use crate::model::time::rfc3339;
use crate::model::time::{MINUTE_MS, Minute};
use mailpulse_parsers::harmless::safe_text;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Services whose mail was lost or late, or is missing so far.
pub(crate) fn hurt(judged: &Judged) -> impl Iterator<Item = &ServiceImpact> {
    let bad = |one: &&ServiceImpact| {
        let is_hurt = matches!(
            one.impact,
            Impact::Lost | Impact::Delayed | Impact::Waiting | Impact::Bounced
        );
        one.open || is_hurt
    };
    judged.services.iter().filter(bad)
}

/// As interface says.
pub(crate) fn json(incident: &Incident) -> Value {
    let names = &incident.names;
    let services: Vec<Value> = incident
        .services
        .iter()
        .map(|one| {
            let reply = incident.replies.of(Scope::Service(one.service), State::Failing);
            service_json(one, names.service(one.service), reply)
        })
        .collect();
    let timeline: Vec<Value> = timeline(incident)
        .into_iter()
        .map(|(at, what)| json!({ "at": minute(at), "what": what }))
        .collect();
    let hanging: Vec<Value> = incident
        .hanging()
        .into_iter()
        .map(|(service, host)| json!({ "service": names.service(service), "relay": names.host(host) }))
        .collect();
    let alarm = |alarm: &Alarm| {
        let mut json = alarm_json(alarm, names);
        if let Some(reply) = incident.replies.of(alarm.scope, alarm.state) {
            json["reply"] = reply_json(reply);
        }
        if let Some(held) = held(&incident.planned, alarm, names) {
            json["silenced"] = held_json(&held);
        }
        json
    };
    json!({
        "from": rfc3339(incident.window.since_ms),
        "to": rfc3339(incident.window.until_ms),
        "cause": incident.cause.as_ref().map(|cause| cause_json(cause, names)),
        "first_alarm": incident.first_alarm().map(minute),
        "services": services,
        "timeline": timeline,
        "single_points_of_failure": hanging,
        "alarms": incident.alarms.iter().map(alarm).collect::<Vec<_>>(),
        "volume_complete_from": incident.complete.time(),
        "silences": silences_json(&incident.planned, incident.window),
        "marks": marks_json(&incident.planned, incident.window),
    })
}

fn service_json(one: &ServiceImpact, name: &str, reply: Option<&FrequentReply>) -> Value {
    json!({
        "service": name,
        "impact": one.impact.as_str(),
        "onset": one.onset.map(minute),
        "recovered": one.recovered.map(minute),
        "drained": one.drained.map(minute),
        "expected": rounded(one.expected),
        "expected_low": rounded(one.interval.0),
        "expected_high": rounded(one.interval.1),
        "expected_error": rounded(one.error),
        "observed": one.observed,
        "missing": one.missing,
        "delivered_late": one.delivered_late,
        "submit_failed": one.submit_failed,
        "bounced": one.bounced,
        "reply": reply.map(reply_json),
        "evidence": one.evidence,
    })
}

fn reply_json(reply: &FrequentReply) -> Value {
    let mut json = json!({
        "smtp_code": reply.smtp_code,
        "enhanced_code": reply.enhanced_code,
        "reason": reply.reason,
        "provider_code": reply.provider_code,
        "times": reply.times,
    });
    if !reply.said.is_empty() {
        json["said"] = json!(reply.said);
    }
    json
}

/// What happened, and in which minute.
pub(crate) fn timeline(incident: &Incident) -> Vec<(Minute, String)> {
    let names = &incident.names;
    let mut events = Vec::new();
    match &incident.cause {
        Some(cause) => {
            let relay = names.host(cause.relay);
            events.push((cause.silent_from, format!("first missing mail: {relay} takes no more")));
            if let Some(back) = cause.silent_to {
                events.push((back, format!("recovery: {relay} takes mail again")));
            }
        }
        None => events.extend(without_relay(incident)),
    }
    let first = hurt(incident).filter_map(|one| Some((one.onset?, one.service))).min();
    if let Some((at, service)) = first {
        events.push((
            at,
            format!(
                "first effect that people could see: a mail of {} is missing",
                names.service(service)
            ),
        ));
    }
    let first_alarm = incident.first_alarm();
    for alarm in &incident.alarms {
        let (kind, name) = alarm.scope.named(names);
        let word = if Some(alarm.detected) == first_alarm {
            "first alarm"
        } else {
            "alarm"
        };
        events.push((alarm.detected, {
            let silenced = held(&incident.planned, alarm, names);
            let silenced = silenced.map(|held| format!(" (silenced {})", held_words(&held)));
            let silenced = silenced.unwrap_or_default();
            match incident.replies.of(alarm.scope, alarm.state) {
                Some(reply) => {
                    let said = format!(
                        "{word}: {kind} {name} {}{silenced}: {}",
                        alarm.state.as_str(),
                        reply.words()
                    );
                    match reply.said.as_str() {
                        "" => said,
                        words => format!("{said} \u{201c}{words}\u{201d}"),
                    }
                }
                None => format!("{word}: {kind} {name} {}{silenced}", alarm.state.as_str()),
            }
        }));
    }
    let drained = hurt(incident).filter_map(|one| Some((one.drained?, one.service))).max();
    if let Some((at, service)) = drained {
        events.push((at, format!("backlog drained: {} was the last", names.service(service))));
    }
    events.extend(planned_work::timeline(&incident.planned, incident.window));
    // What happens in one minute stays in the order in which it is told above.
    events.sort_by_key(|(at, _)| *at);
    events
}

/// Beginning and end where no relay stood still: by the alarms about mail, else by the services that were hurt.
fn without_relay(incident: &Incident) -> Vec<(Minute, String)> {
    let names = &incident.names;
    let mut events = Vec::new();
    let about_mail = || incident.alarms.iter().filter(|alarm| alarm.state.is_about_mail());
    let first = about_mail().min_by_key(|alarm| alarm.onset);
    if let Some(alarm) = first {
        let (kind, name) = alarm.scope.named(names);
        let what = format!("first missing mail: {kind} {name} {}", alarm.state.as_str());
        events.push((alarm.onset, what));
        let last = about_mail().max_by_key(|alarm| alarm.ended.unwrap_or(Minute::MAX));
        if let Some((ended, alarm)) = last.and_then(|alarm| Some((alarm.ended?, alarm))) {
            let (kind, name) = alarm.scope.named(names);
            events.push((ended, format!("recovery: {kind} {name} sends again")));
        }
        return events;
    }
    if let Some((at, service)) = hurt(incident).filter_map(|one| Some((one.onset?, one.service))).min() {
        events.push((at, format!("first missing mail: service {}", names.service(service))));
    }
    let back = hurt(incident).map(|one| (one.recovered, one.service));
    // One that has not recovered is the last of all.
    if let Some((Some(at), service)) = back.max_by_key(|(at, _)| at.unwrap_or(Minute::MAX)) {
        events.push((at, format!("recovery: service {} sends again", names.service(service))));
    }
    events
}

/// When the first mail was missing.
fn first_missing(incident: &Incident) -> Option<Minute> {
    match &incident.cause {
        Some(cause) => Some(cause.silent_from),
        None => without_relay(incident).first().map(|(at, _)| *at),
    }
}

/// The page.
pub(crate) fn markdown(incident: &Incident) -> String {
    let mut page = String::new();
    let _ = write!(page, "# {}\n\n## Summary\n\n{}\n\n", title(incident), summary(incident));
    page.push_str("## Services\n\n");
    page.push_str("| service | impact | expected | came | missing | late | failed to hand in |\n");
    page.push_str("|---|---|---:|---:|---:|---:|---:|\n");
    for row in rows(incident) {
        let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    page.push_str("\n## Timeline (UTC)\n\n");
    for (at, what) in timeline(incident) {
        let _ = writeln!(page, "* {} {}", minute(at), escaped(&what));
    }
    page.push_str("\n## Evidence\n\n");
    for one in hurt(incident) {
        let name = escaped(incident.names.service(one.service));
        let said: Vec<String> = one.evidence.iter().map(|said| escaped(said)).collect();
        let _ = writeln!(page, "* {name}: {}", said.join("; "));
    }
    page.push_str("\n## Conclusions\n\n");
    for conclusion in conclusions(incident) {
        let _ = writeln!(page, "* {}", escaped(&conclusion));
    }
    page
}

/// One line that names it.
pub(crate) fn title(incident: &Incident) -> String {
    // A week may have been asked about: the day is the trouble's.
    let since = first_missing(incident).map_or_else(|| rfc3339(incident.window.since_ms), minute);
    let day = since.get(..10).unwrap_or(&since);
    match &incident.cause {
        Some(cause) => format!("{day}: {} took no mail", escaped(incident.names.host(cause.relay))),
        None => match incident.alarms.iter().find(|alarm| alarm.state.is_about_mail()) {
            Some(alarm) => {
                let (kind, name) = alarm.scope.named(&incident.names);
                format!("{day}: {kind} {} {}", escaped(name), alarm.state.as_str())
            }
            None => format!("{day}: mail"),
        },
    }
}

/// What happened, in a few sentences.
pub(crate) fn summary(incident: &Incident) -> String {
    let names = &incident.names;
    let of = |impact: Impact, open: bool| {
        let list: Vec<String> = incident
            .services
            .iter()
            .filter(|one| one.impact == impact && one.open == open)
            .map(|one| escaped(names.service(one.service)))
            .collect();
        (list.len(), list.join(", "))
    };
    let mut said = match &incident.cause {
        Some(cause) => {
            let known = incident.window.until_ms.minute().min(incident.end);
            let to = cause.silent_to.unwrap_or(known);
            let lasted = human::duration((to - cause.silent_from) * MINUTE_MS);
            let relay = escaped(names.host(cause.relay));
            let from = minute(cause.silent_from);
            match cause.silent_to {
                Some(end) => format!("{relay} took no mail from {from} to {} ({lasted}).", minute(end)),
                None => format!(
                    "{relay} has taken no mail since {from} ({lasted} up to {}).",
                    minute(to)
                ),
            }
        }
        None if hurt(incident).next().is_none() => "Nothing is missing.".to_owned(),
        None => "No relay explains what is missing.".to_owned(),
    };
    for (impact, open, verb) in [
        (Impact::Lost, false, "lost mail"),
        (Impact::Delayed, false, "sent mail late"),
        (
            Impact::Waiting,
            false,
            "could not send mail that is still tried or queued",
        ),
        (
            Impact::Unknown,
            true,
            "could not send mail whose outcome is not known yet",
        ),
        (Impact::Bounced, false, "sent mail that came back"),
        (Impact::Rerouted, false, "used another relay"),
        (Impact::Unknown, false, "could not be judged"),
    ] {
        let (n, list) = of(impact, open);
        if n > 0 {
            let _ = write!(said, " {n} service{} {verb}: {list}.", if n == 1 { "" } else { "s" });
        }
    }
    if let (Some(missing), Some(first)) = (first_missing(incident), incident.first_alarm()) {
        let after = (first - missing).max(0);
        let _ = write!(
            said,
            " The first alarm comes {after} minutes after the first missing mail."
        );
    }
    said
}

/// The table's cells.
pub(crate) fn rows(incident: &Incident) -> Vec<[String; 7]> {
    let shown = incident
        .services
        .iter()
        .filter(|one| one.expected >= 0.005 || one.observed + one.submit_failed > 0);
    let count = |number: u64| human::count(i64::try_from(number).unwrap_or(i64::MAX));
    let row = |one: &ServiceImpact| {
        [
            incident.names.service(one.service).to_owned(),
            one.impact.as_str().to_owned(),
            match one.expected {
                ..1_000.0 => format!("{:.1}", one.expected),
                many => human::decimal(many),
            },
            count(one.observed),
            count(one.missing),
            count(one.delivered_late),
            count(one.submit_failed),
        ]
    };
    shown.map(row).collect()
}

/// Who hung on one relay, and who did not.
pub(crate) fn conclusions(incident: &Incident) -> Vec<String> {
    let names = &incident.names;
    let hanging = incident.hanging();
    let mut said = Vec::new();
    for one in hurt(incident) {
        if let Some((_, host)) = hanging.iter().find(|(service, _)| *service == one.service) {
            said.push(format!(
                "{} depended on {} alone",
                names.service(one.service),
                names.host(*host)
            ));
        }
    }
    let spared: Vec<&str> = incident
        .services
        .iter()
        .filter(|one| one.impact == Impact::Rerouted)
        .map(|one| names.service(one.service))
        .collect();
    if !spared.is_empty() {
        said.push(format!("services with a second relay went on: {}", spared.join(", ")));
    }
    if said.is_empty() {
        said.push("no affected service depended on a single relay".to_owned());
    }
    said
}

/// Log text in Markdown: no control characters, and nothing that is markup.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in safe_text(text.as_bytes()).chars() {
        match c {
            '|' | '*' | '`' | '[' | ']' | '\\' | '#' | '!' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_text_is_no_markup() {
        assert_eq!(escaped("a|b<script>\u{1b}[31m"), "a\\|b&lt;script&gt;\\\\u{1b}\\[31m");
    }
}
