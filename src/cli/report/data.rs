//! The report as JSON.

use crate::analysis::alarms::{alarm_json, rounded};
use crate::analysis::report::{BlindTime, MailReport, ProviderVolume, ReasonCount, ServiceVolume};
use crate::detect::impact::ServiceImpact;
use crate::model::time::rfc3339;
use serde_json::{Value, json};

/// All of it, with numbers as they are.
pub(super) fn json(report: &MailReport) -> Value {
    let names = &report.names;
    let impact = |one: &ServiceImpact| {
        json!({
            "service": names.service(one.service),
            "impact": one.impact.as_str(),
            "expected": rounded(one.expected),
            "observed": one.observed,
            "missing": one.missing,
            "delivered_late": one.delivered_late,
            "submit_failed": one.submit_failed,
        })
    };
    let alarms = report.alarms.iter().map(|one| {
        let mut alarm = alarm_json(&one.alarm, names);
        alarm["hurt"] = one.hurt.iter().map(impact).collect();
        alarm
    });
    json!({
        "from": rfc3339(report.window.since_ms),
        "to": rfc3339(report.window.until_ms),
        "known_at": rfc3339(report.known_ms),
        "messages": report.total.messages,
        "usual_messages": report.total.usual().map(rounded),
        "sentence": report.sentence,
        "services": report.services.iter().map(service).collect::<Vec<_>>(),
        "alarms": alarms.collect::<Vec<_>>(),
        "providers": report.providers.iter().map(provider).collect::<Vec<_>>(),
        "reasons": report.reasons.iter().map(reason).collect::<Vec<_>>(),
        "blind": report.blind.iter().map(blind).collect::<Vec<_>>(),
        "waiting": report.waiting.map(|(messages, oldest_ms)| {
            json!({ "messages": messages, "oldest": oldest_ms.map(rfc3339) })
        }),
        "marks": report.marks.iter().map(|mark| {
            json!({ "at": rfc3339(mark.at_ms), "text": mark.text, "service": mark.service })
        }).collect::<Vec<_>>(),
    })
}

fn service(one: &ServiceVolume) -> Value {
    json!({
        "service": one.service,
        "messages": one.messages,
        "weeks_before": one.before,
        "change_percent": one.change().map(rounded),
        "is_new": one.is_new(),
        "is_gone": one.is_gone(),
    })
}

fn provider(one: &ProviderVolume) -> Value {
    json!({
        "provider": one.provider,
        "attempts": one.attempts.all,
        "deferred": one.attempts.deferred,
        "bounced": one.attempts.bounced,
        "usual_deferred_percent": one.usual.percents().map(|(deferred, _)| deferred),
        "usual_bounced_percent": one.usual.percents().map(|(_, bounced)| bounced),
        "reason": one.reason.as_ref().map(|(reason, _)| reason),
    })
}

fn reason(one: &ReasonCount) -> Value {
    json!({ "reason": one.reason, "failed": one.failed, "deferred": one.deferred })
}

fn blind(one: &BlindTime) -> Value {
    json!({ "host": one.host, "from": rfc3339(one.from_ms), "to": rfc3339(one.to_ms) })
}
