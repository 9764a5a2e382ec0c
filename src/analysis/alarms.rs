//! Alarms as all faces tell them: their names, and their form in JSON.

use crate::detect::alarm::{Alarm, Cause, Named};
use crate::detect::fleet::Names;
use crate::detect::group::Groups;
use crate::model::human;
use crate::model::time::{Minute, UtcMs, rfc3339};
use serde_json::{Value, json};

/// What a larger history or a later hour may shift an alarm's onset by, minutes.
const SHIFT: i64 = 3 * 60;

/// The name of an alarm's episode, in notices and for `incident --alarm`: `relay/mx1001/2018-06-06T18:55:00Z`. It stays when
/// the alarm turns out to be about more, or to have begun earlier.
pub(crate) fn notice_id(alarm: &Alarm, names: &Names) -> String {
    name_of(alarm.named, names)
}

/// The same of an alarm that another one refers to.
pub(crate) fn name_of((scope, onset): Named, names: &Names) -> String {
    let (kind, name) = scope.named(names);
    format!("{kind}/{name}/{}", minute(onset))
}

/// An alarm by its number, or by an id that a notice bore: the onset may have become better known since, and a larger alarm
/// may have taken it in.
#[must_use]
pub(crate) fn find<'g>(groups: &'g Groups, id: &str, names: &Names) -> Option<&'g Alarm> {
    let mut alarm = match id.parse::<usize>() {
        Ok(number) => groups.alarms.get(number)?,
        Err(_) => {
            let (scope, onset) = id.rsplit_once('/')?;
            let onset = UtcMs::from(onset.parse::<jiff::Timestamp>().ok()?).minute();
            // How far from an alarm's name the id is, or from what it turned out to be about.
            let off = |alarm: &Alarm| {
                let is_it = |(about, _): &Named| {
                    let (kind, name) = about.named(names);
                    scope.split_once('/') == Some((kind, name))
                };
                let known = [alarm.named, (alarm.scope, alarm.onset)];
                let offs = known
                    .iter()
                    .filter(|named| is_it(named))
                    .map(|(_, at)| (*at - onset).abs());
                offs.min().filter(|off| *off <= SHIFT)
            };
            let near = groups.alarms.iter().filter_map(|alarm| Some((off(alarm)?, alarm)));
            let nearest = near.min_by_key(|(off, alarm)| (*off, alarm.part_of.is_some(), alarm.provisional));
            nearest?.1
        }
    };
    while let Some(whole) = alarm.part_of.and_then(|id| groups.alarms.get(id)) {
        alarm = whole;
    }
    Some(alarm)
}

/// Those that are certain first, in the order of time, and then what is provisional.
pub(crate) fn ordered(mut alarms: Vec<&Alarm>) -> Vec<&Alarm> {
    alarms.sort_by_key(|alarm| alarm.provisional);
    alarms
}

/// How many alarms there are, and what there is to say of findings beside them that are provisional.
pub(crate) fn counted(alarms: &[&Alarm]) -> (String, String) {
    let young = alarms.iter().filter(|alarm| alarm.provisional).count();
    let sure = human::counted((alarms.len() - young) as u64, "alarm");
    let beside = match young {
        0 => String::new(),
        _ => format!(
            "; besides {}, sent to nobody",
            human::counted(young as u64, "provisional finding")
        ),
    };
    (sure, beside)
}

/// Minutes as RFC 3339.
pub(crate) fn minute(at: Minute) -> String {
    rfc3339(at.start())
}

/// An alarm as `detect --format json` tells it.
pub(crate) fn alarm_json(alarm: &Alarm, names: &Names) -> Value {
    let (kind, name) = alarm.scope.named(names);
    let members: Vec<Value> = alarm
        .members
        .iter()
        .map(|member| {
            json!({
                "service": names.service(member.service),
                "judged": member.judged.map(|(_, state)| state.as_str()),
                "reason": member.reason,
            })
        })
        .collect();
    let mut json = json!({
        "id": alarm.id,
        "notice_id": notice_id(alarm, names),
        "series": { kind: name },
        "state": alarm.state.as_str(),
        "onset": minute(alarm.onset),
        "detected": minute(alarm.detected),
        "ended": alarm.ended.map(minute),
        "end": alarm.end,
        "expected": rounded(alarm.expected),
        "observed": rounded(alarm.observed),
        "score": rounded(alarm.score),
        "provisional": alarm.provisional,
        "cause": alarm.cause.as_ref().map(|cause| cause_json(cause, names)),
        "members": members,
        "evidence": alarm.evidence,
        "took_in": alarm.took_in.iter().map(|part| name_of(*part, names)).collect::<Vec<_>>(),
        "part_of": alarm.whole.map(|whole| name_of(whole, names)),
    });
    if alarm.everyone {
        json["everyone"] = json!(true);
    }
    json
}

/// A cause as JSON.
pub(crate) fn cause_json(cause: &Cause, names: &Names) -> Value {
    json!({
        "relay": names.host(cause.relay),
        "silent_from": minute(cause.silent_from),
        "silent_to": cause.silent_to.map(minute),
        "evidence": cause.evidence,
    })
}

/// Two decimals: what counts are worth.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// An alarm's state, with its mark for people.
pub(crate) fn marked(alarm: &Alarm) -> String {
    let state = alarm.state.as_str();
    match (alarm.provisional, alarm.everyone) {
        (true, _) => format!("{state} (provisional)"),
        (false, true) => format!("{state} (everyone sends less)"),
        (false, false) => state.to_owned(),
    }
}
