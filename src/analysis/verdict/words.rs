//! The words of a verdict: for whom and since when, what to do, and what cannot be seen.

use super::facts::VerdictFacts;
use crate::detect::alarm::{Alarm, State};
use crate::detect::fleet::Names;
use crate::model::time::{Minute, rfc3339};
use jiff::tz::TimeZone;

/// Names that a sentence lists.
const LISTED: usize = 4;

/// For whom, and since when.
pub(super) fn headline(facts: &VerdictFacts<'_>, first: &Alarm, affected: &[String], since: Minute) -> String {
    let from = clock(since, facts);
    let (kind, name) = first.scope.named(facts.names);
    let of = match affected {
        [] => None,
        [one] => Some(format!("Mail of {one}")),
        many => Some(format!(
            "Mail of {} of {} services",
            many.len(),
            facts.services.max(many.len())
        )),
    };
    let whose = of.unwrap_or_else(|| match kind {
        "fleet" => "All mail".to_owned(),
        _ => format!("Mail of {kind} {name}"),
    });
    match first.state {
        State::Dropped if first.observed < 1.0 => format!("{whose} stopped at {from}"),
        State::Dropped => format!("{whose} has been far below usual since {from}"),
        State::Stuck => format!("{whose} is accepted and has not been delivered since {from}"),
        State::Refused => format!("{whose} has been refused since {from}"),
        State::Throttled => format!("{name} has deferred far more of our mail than usual since {from}"),
        State::Failing => format!("{whose} has failed far more often than usual since {from}"),
        State::Overdue => format!("{whose} was due at {from} and has not come"),
        State::Blind | State::Unreadable => format!("{whose} cannot be judged since {from}"),
    }
}

/// What to do, by what is wrong.
pub(super) fn next(alarm: &Alarm, relay: Option<&str>) -> String {
    match (relay, alarm.state) {
        (Some(relay), State::Dropped | State::Refused) => {
            format!("Look at the MTA on {relay}: does it run, and does it accept connections?")
        }
        (Some(relay), State::Stuck) => format!("Look at the queue on {relay}, and at what the next hop answers."),
        _ => sentence_of(alarm.state.meaning()),
    }
}

/// The second half of a state's meaning is what to do.
pub(super) fn sentence_of(meaning: &str) -> String {
    let advice = meaning.split_once(". ").map_or(meaning, |(_, advice)| advice);
    format!("{}.", advice.trim_end_matches('.'))
}

pub(super) fn unseen(alarm: &Alarm, facts: &VerdictFacts<'_>) -> String {
    let (_, name) = alarm.scope.named(facts.names);
    let (day, time) = civil(alarm.onset, facts.zone);
    let since = format!("{day} {time}");
    match alarm.state {
        State::Unreadable => format!("Lines of {name} have not parsed since {since}: no verdict on its mail."),
        _ => format!("The log of {name} has not arrived since {since}: no verdict on its mail."),
    }
}

pub(super) fn about(alarm: &Alarm, names: &Names) -> String {
    let (kind, name) = alarm.scope.named(names);
    format!("{kind} {name} {}", alarm.state.as_str())
}

pub(super) fn listed(all: &[String]) -> String {
    match all.len() {
        n if n > LISTED + 1 => format!("{}, and {} more", all[..LISTED].join(", "), n - LISTED),
        _ => all.join(", "),
    }
}

pub(super) fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// `18:55`, with the day where it is not that of the verdict.
pub(super) fn clock(minute: Minute, facts: &VerdictFacts<'_>) -> String {
    let (day, time) = civil(minute, facts.zone);
    let (today, _) = civil(facts.until.unwrap_or(minute), facts.zone);
    match today == day {
        true => time,
        false => format!("{time} on {day}"),
    }
}

/// `2018-06-06` and `18:55`.
pub(super) fn civil(minute: Minute, zone: &TimeZone) -> (String, String) {
    let start = minute.start();
    match start.timestamp() {
        Ok(time) => {
            let time = time.to_zoned(zone.clone());
            (time.strftime("%F").to_string(), time.strftime("%H:%M").to_string())
        }
        Err(_) => (rfc3339(start), String::new()),
    }
}
