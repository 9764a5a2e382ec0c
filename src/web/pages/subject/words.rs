//! How a subject is now, in sentences, and its alarms as a table.

use super::choice::ALARM_DAYS;
use crate::analysis::alarms::notice_id;
use crate::analysis::board::{BoardRow, MailSince};
use crate::analysis::verdict::next_step;
use crate::detect::alarm::Alarm;
use crate::model::human;
use crate::model::time::{Minute, UtcMs};
use crate::web::links::Links;
use crate::web::overview::{Overview, ProviderSum};
use crate::web::pages::blocks::{TableBlock, TableCell};
use crate::web::pages::marks::StateMark;
use crate::web::zone::PageZone;

pub(super) fn now_words(alarm: &Alarm, overview: &Overview, zone: &PageZone) -> String {
    let since = zone.clock_near(alarm.onset.start(), overview.end_ms);
    let names = &overview.judgement.names;
    let (kind, name) = alarm.scope.named(names);
    let meaning = alarm.state.meaning();
    let what = meaning.split_once(". ").map_or(meaning, |(what, _)| what);
    format!(
        "{kind} {name} {} since {since}: {what}. {}",
        alarm.state.as_str(),
        next_step(alarm, names)
    )
}

pub(super) fn row_words(row: &BoardRow, end_ms: UtcMs, zone: &PageZone) -> String {
    let last = match row.last_ms {
        Some(ms) => format!("Last mail {}", human::ago((end_ms - ms).max(0))),
        None => "No mail in 30 days".to_owned(),
    };
    if let (Some(MailSince { came, expected }), Some((_, onset))) = (row.since, &row.alarm) {
        let since = zone.clock_near(onset.start(), end_ms);
        let missing = match (expected - came as f64).round() {
            some if some >= 1.0 => format!(": about {} missing", human::decimal(some)),
            _ => String::new(),
        };
        return format!(
            "{last}; {} since {since}, where about {} were expected{missing}.",
            human::count(i64::try_from(came).unwrap_or(i64::MAX)),
            human::decimal(expected)
        );
    }
    let usual = row
        .usual
        .map(|(low, high)| format!(", where {:.0} to {:.0} are expected", low.floor(), high.ceil()));
    format!("{last}; {:.0} in the last hour{}.", row.hour, usual.unwrap_or_default())
}

/// What a provider did with our mail since an alarm about it began.
pub(super) fn provider_words(sum: &ProviderSum, end_ms: UtcMs, zone: &PageZone) -> Option<String> {
    let (onset, attempts) = sum.since?;
    let (deferred, bounced) = attempts.percents()?;
    let usual = sum
        .usual
        .percents()
        .map(|(deferred, bounced)| format!(", where {deferred:.1} % and {bounced:.1} % are usual"));
    Some(format!(
        "Since {}, {deferred:.1} % of {} attempts were deferred and {bounced:.1} % bounced{}.",
        zone.clock_near(onset.start(), end_ms),
        human::count(attempts.all),
        usual.unwrap_or_default()
    ))
}

/// Alarms as a table.
pub(crate) fn alarm_table(alarms: &[&Alarm], overview: &Overview, links: &Links) -> TableBlock {
    let names = &overview.judgement.names;
    let row = |alarm: &&Alarm| {
        let (kind, name) = alarm.scope.named(names);
        let id = notice_id(alarm, names);
        let members: Vec<&str> = alarm
            .members
            .iter()
            .map(|member| names.service(member.service))
            .collect();
        let at = |minute: Minute| links.zone().clock(minute.start());
        let state = match alarm.ended {
            None => StateMark::of_alarm(alarm.state, alarm.provisional),
            Some(_) => StateMark::over(alarm.state.as_str()),
        };
        vec![
            TableCell::mark(state),
            TableCell::link(&format!("{kind} {name}"), links.to("incident", &[("alarm", &id)])),
            TableCell::text(at(alarm.onset)),
            TableCell::text(at(alarm.detected)),
            TableCell::text(alarm.ended.map_or_else(|| "fires".to_owned(), at)),
            TableCell::number(human::decimal(alarm.expected)),
            TableCell::number(human::decimal(alarm.observed)),
            TableCell::text(members.join(", ")),
        ]
    };
    TableBlock {
        title: format!("Alarms of the last {ALARM_DAYS} days"),
        lead: String::new(),
        head: vec![
            ("state", false),
            ("about", false),
            ("onset", false),
            ("detected", false),
            ("ended", false),
            ("expected", true),
            ("came", true),
            ("affected", false),
        ],
        rows: alarms.iter().map(row).collect(),
        empty: "None.",
    }
}
