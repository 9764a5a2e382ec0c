//! Planned work in answers: what holds an alarm back, and what graphs and timelines show of it.

use crate::detect::alarm::Alarm;
use crate::detect::fleet::Names;
use crate::model::time::{Minute, UtcMs, rfc3339};
use crate::planned::{AlarmSubject, AlertSilence, Planned, SilencedSpan, WorkMark};
use crate::query::Window;
use crate::query::rates::{By, RateQuestion};
use crate::query::series::{GraphMark, MarkKind};
use serde_json::{Value, json};

/// What an alarm is about, for silences.
pub(crate) fn subject<'n>(alarm: &Alarm, names: &'n Names) -> AlarmSubject<'n> {
    let (kind, name) = alarm.scope.named(names);
    AlarmSubject {
        kind,
        name,
        cause: alarm.cause.as_ref().map(|cause| names.host(cause.relay)),
    }
}

/// What holds an alarm back, and until when.
pub(crate) fn held<'p>(planned: &'p Planned, alarm: &Alarm, names: &Names) -> Option<SilencedSpan<'p>> {
    planned.held(subject(alarm, names), alarm.detected, alarm.ended)
}

/// As alarms have it in JSON.
pub(crate) fn held_json(span: &SilencedSpan<'_>) -> Value {
    json!({
        "by": span.by.name,
        "reason": span.by.reason,
        "until": span.until.map(|minute| rfc3339(minute.start())),
        "reported": !span.is_never_reported && span.until.is_some(),
    })
}

/// `until 2018-06-06T19:55:00Z: new kernel`.
pub(crate) fn held_words(span: &SilencedSpan<'_>) -> String {
    let until = span.until.map(|minute| rfc3339(minute.start()));
    said(until.as_deref(), &span.by.reason)
}

/// The same of an alarm's JSON.
pub(crate) fn said_in(alarm: &Value) -> Option<String> {
    let held = alarm.get("silenced")?;
    let reason = held["reason"].as_str().unwrap_or_default();
    Some(said(held["until"].as_str(), reason))
}

/// Why an alarm is held back, by its JSON; `None` if nobody said so.
pub(crate) fn reason_in(alarm: &Value) -> Option<&str> {
    alarm.get("silenced")?["reason"]
        .as_str()
        .filter(|reason| !reason.is_empty())
}

fn said(until: Option<&str>, reason: &str) -> String {
    let until = until.map_or("without an end".to_owned(), |until| format!("until {until}"));
    match reason {
        "" => until,
        reason => format!("{until}: {reason}"),
    }
}

/// Silences and marks as a graph of this question shows them.
pub(crate) fn graph_marks(planned: &Planned, question: &RateQuestion, drawn: &[&str]) -> Vec<GraphMark> {
    let window = question.window;
    let mut marks = Vec::new();
    for silence in &planned.silences {
        let Some(series) = silenced_series(silence, question, drawn) else {
            continue;
        };
        let reason = match silence.reason.as_str() {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        let names: Vec<&str> = silence.targets().into_iter().map(|(_, name)| name).collect();
        let spans = silence.spans((window.since_ms, window.until_ms)).into_iter();
        marks.extend(spans.map(|(from_ms, to_ms)| GraphMark {
            from_ms,
            to_ms: Some(to_ms),
            label: format!("{} silenced{reason}", names.join(", ")),
            series: series.clone(),
            kind: MarkKind::Silence,
        }));
    }
    let inside = |mark: &&WorkMark| (window.since_ms..window.until_ms).contains(&mark.at_ms);
    for mark in planned.marks.iter().filter(inside) {
        let Some(series) = marked_series(mark.service.as_deref(), question, drawn) else {
            continue;
        };
        marks.push(GraphMark {
            from_ms: mark.at_ms,
            to_ms: Some(mark.at_ms + 1),
            label: mark.text.clone(),
            series,
            kind: MarkKind::Note,
        });
    }
    marks
}

/// Names of the series that a silence concerns; an inner `None` for all, an outer one for none.
#[expect(clippy::option_option, reason = "a mark has `None` for all")]
fn silenced_series(silence: &AlertSilence, question: &RateQuestion, drawn: &[&str]) -> Option<Option<Vec<String>>> {
    let kind = match question.by {
        By::Service => "service",
        By::Relay => "relay",
        By::Hostgroup => "hostgroup",
        By::Kind => "kind",
    };
    let targets = silence.targets();
    let only_services = targets.iter().all(|(kind, _)| *kind == "service");
    if only_services && question.by != By::Service {
        let service = question.service.as_deref()?;
        return silence.names("service", service).then_some(None);
    }
    // Of what others do, a relay, a hostgroup or a provider has its share.
    if targets.iter().any(|(about, _)| *about != kind && *about != "service") {
        return Some(None);
    }
    let names = drawn.iter().filter(|name| silence.names(kind, name));
    let names: Vec<String> = names.map(|name| (*name).to_owned()).collect();
    (!names.is_empty()).then_some(Some(names))
}

#[expect(clippy::option_option, reason = "a mark has `None` for all")]
fn marked_series(service: Option<&str>, question: &RateQuestion, drawn: &[&str]) -> Option<Option<Vec<String>>> {
    let Some(service) = service else { return Some(None) };
    match (question.by, question.service.as_deref()) {
        (By::Service, _) => drawn.contains(&service).then(|| Some(vec![service.to_owned()])),
        (_, Some(shown)) => (shown == service).then_some(None),
        (_, None) => None,
    }
}

/// What a timeline has of planned work in a window: minutes, and words.
pub(crate) fn timeline(planned: &Planned, window: Window) -> Vec<(Minute, String)> {
    let mut events = Vec::new();
    let window = (window.since_ms, window.until_ms);
    for silence in &planned.silences {
        for (from_ms, to_ms) in silence.spans(window) {
            let reason = match silence.reason.as_str() {
                "" => String::new(),
                reason => format!(": {reason}"),
            };
            if from_ms > window.0 || silence.from.is_some_and(|from| UtcMs::from(from) == from_ms) {
                events.push((from_ms.minute(), format!("silence begins: {}{reason}", silence.about())));
            }
            if to_ms < window.1 || silence.until.is_some_and(|until| UtcMs::from(until) == to_ms) {
                events.push((to_ms.minute(), format!("silence ends: {}", silence.about())));
            }
        }
    }
    let inside = |mark: &&WorkMark| (window.0..window.1).contains(&mark.at_ms);
    events.extend(planned.marks.iter().filter(inside).map(|mark| {
        let about = mark.service.as_ref().map(|service| format!(" ({service})"));
        let about = about.unwrap_or_default();
        (mark.at_ms.minute(), format!("mark: {}{about}", mark.text))
    }));
    events
}

/// The marks of a window as JSON.
pub(crate) fn marks_json(planned: &Planned, window: Window) -> Vec<Value> {
    let inside = |mark: &&WorkMark| (window.since_ms..window.until_ms).contains(&mark.at_ms);
    let marks = planned.marks.iter().filter(inside);
    marks.map(|mark| json!({ "id": format!("m{}", mark.id), "at": rfc3339(mark.at_ms), "text": mark.text, "service": mark.service })).collect()
}

/// The silences that hold in a window as JSON.
pub(crate) fn silences_json(planned: &Planned, window: Window) -> Vec<Value> {
    let all = planned.silences.iter().flat_map(|silence| {
        let spans = silence.spans((window.since_ms, window.until_ms)).into_iter();
        spans.map(move |(from_ms, to_ms)| {
            let mut json = json!({
                "id": silence.name,
                "from": rfc3339(from_ms),
                "until": rfc3339(to_ms),
                "reason": silence.reason,
            });
            for (kind, glob) in silence.targets() {
                json[kind] = json!(glob);
            }
            json
        })
    });
    all.collect()
}
