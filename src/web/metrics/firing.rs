//! Alarms, and the channels that carry them.

use super::counters::SETS_MAX;
use super::exposition::MetricFamilies;
use super::store_numbers::StoreNumbers;
use crate::detect::alarm::{Alarm, Scope};
use crate::web::overview::Overview;

pub(super) fn of_alarms(overview: &Overview, families: &mut MetricFamilies) {
    let firing = overview.judgement.firing();
    let sure: Vec<&&Alarm> = firing
        .iter()
        .filter(|alarm| !alarm.provisional)
        .take(SETS_MAX)
        .collect();
    let names = &overview.judgement.names;
    families
        .gauge("mailpulse_alarms_firing", "Alarms that fire.")
        .set([], sure.len() as f64);
    let mut each = |name, help, value: &dyn Fn(&Alarm) -> f64| {
        let family = families.gauge(name, help);
        for alarm in &sure {
            let (kind, name) = alarm.scope.named(names);
            family.set(
                [("about", kind), ("name", name), ("state", alarm.state.as_str())],
                value(alarm),
            );
        }
    };
    each(
        "mailpulse_alarm_score",
        "How far an alarm's evidence is beyond its limit, as a power of ten.",
        &|alarm| alarm.score,
    );
    each(
        "mailpulse_alarm_onset_timestamp_seconds",
        "When an alarm began.",
        &|alarm| alarm.onset.first_second().get() as f64,
    );
    each(
        "mailpulse_alarm_affected_services",
        "Services that an alarm names.",
        &|alarm| {
            let own = usize::from(matches!(alarm.scope, Scope::Service(_)));
            alarm.members.len().max(own) as f64
        },
    );
    let missing = families.gauge(
        "mailpulse_missing_messages",
        "Messages that alarms which fire cost so far, by their fate.",
    );
    let found = overview.verdict.missing;
    for (fate, count) in [
        ("lost", found.lost),
        ("late", found.late),
        ("waiting", found.waiting),
        ("bounced", found.bounced),
        ("open", found.open),
    ] {
        missing.set([("fate", fate)], count as f64);
    }
    if let Some(until) = overview.judgement.until {
        families
            .gauge(
                "mailpulse_judged_timestamp_seconds",
                "The end of the last minute that was judged.",
            )
            .set([], until.first_second().get() as f64);
    }
}

/// How `watch` does, and what it sends to.
pub(super) fn of_watch(numbers: &StoreNumbers, families: &mut MetricFamilies) {
    if let Some(judged) = numbers.judged {
        families
            .gauge(
                "mailpulse_watch_judged_timestamp_seconds",
                "Up to when `watch` has judged.",
            )
            .set([], judged.get() as f64);
    }
    let waiting = families.gauge("mailpulse_channel_waiting_notices", "Notices that wait for a channel.");
    for channel in &numbers.channels {
        waiting.set([("channel", &channel.name)], channel.waiting as f64);
    }
    let refused = families.counter("mailpulse_channel_refused_notices", "Notices that a channel refused.");
    for channel in &numbers.channels {
        refused.set([("channel", &channel.name)], channel.refused as f64);
    }
    let failing = families.gauge(
        "mailpulse_channel_failing",
        "1 while a channel does not take what is sent.",
    );
    for channel in &numbers.channels {
        failing.set([("channel", &channel.name)], f64::from(u8::from(channel.is_failing)));
    }
}
