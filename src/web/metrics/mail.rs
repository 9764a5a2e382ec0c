//! The mail: messages as they are stored, what was expected of them, and what waits.

use super::commits::CommitCounters;
use super::counters::{LabelledTotals, SETS_MAX};
use super::exposition::{MetricFamilies, MetricFamily};
use crate::analysis::board::{BoardRow, RowState};
use crate::detect::alarm::State as AlarmState;
use crate::web::overview::Overview;
use crate::web::queue_count::CountedQueues;

/// Each configured service is there from the first scrape on.
pub(super) fn of_messages<'n>(
    counted: &mut LabelledTotals,
    configured: impl Iterator<Item = &'n str>,
    families: &mut MetricFamilies,
) {
    for service in configured {
        let labels = [service, "", "accepted", "outbound"].map(str::to_owned);
        counted.totals.entry(labels).or_default();
    }
    let family = families.counter(
        "mailpulse_messages",
        "Messages of the last 15 minutes, counted as they are stored.",
    );
    totals(family, counted);
}

/// What was stored later than that.
pub(super) fn of_late_messages(counted: &CommitCounters, families: &mut MetricFamilies) {
    let family = families.counter(
        "mailpulse_late_messages",
        "Messages that were over 15 minutes old when they were stored, as those of archives are.",
    );
    totals(family, &counted.late);
}

fn totals(family: &mut MetricFamily, counted: &LabelledTotals) {
    for ([service, relay, kind, direction], total) in &counted.totals {
        let labels = [
            ("service", service.as_str()),
            ("relay", relay),
            ("kind", kind),
            ("direction", direction),
        ];
        family.set(labels, *total as f64);
    }
}

/// Whether label sets were left out.
pub(super) fn of_limit(is_reached: bool, families: &mut MetricFamilies) {
    let full = families.gauge(
        "mailpulse_label_sets_limit_reached",
        "1 if label sets beyond the limit of one metric are counted as \"other\".",
    );
    full.set([], f64::from(u8::from(is_reached)));
}

pub(super) fn of_boards(overview: &Overview, families: &mut MetricFamilies) {
    let mut rows = |name, help, label: &'static str, rows: &[BoardRow], value: &dyn Fn(&BoardRow) -> Option<f64>| {
        let family = families.gauge(name, help);
        for row in rows.iter().take(SETS_MAX) {
            if let Some(value) = value(row) {
                family.set([(label, &row.name)], value);
            }
        }
    };
    let boards = &overview.boards;
    rows(
        "mailpulse_recent_messages",
        "Messages of the last hour.",
        "service",
        &boards.services,
        &|row| Some(row.hour.round()),
    );
    rows(
        "mailpulse_expected_messages_low",
        "The least that was expected of that hour.",
        "service",
        &boards.services,
        &|row| row.usual.map(|(low, _)| low),
    );
    rows(
        "mailpulse_expected_messages_high",
        "The most that was expected of that hour.",
        "service",
        &boards.services,
        &|row| row.usual.map(|(_, high)| high),
    );
    rows(
        "mailpulse_last_message_timestamp_seconds",
        "The minute of the last message.",
        "service",
        &boards.services,
        &|row| row.last_ms.map(|ms| ms.get() as f64 / 1e3),
    );
    rows(
        "mailpulse_relay_recent_messages",
        "Messages of the last hour.",
        "relay",
        &boards.relays,
        &|row| Some(row.hour.round()),
    );
    rows(
        "mailpulse_relay_silent",
        "1 while an alarm says that a relay takes no mail.",
        "relay",
        &boards.relays,
        &|row| Some(f64::from(u8::from(row.state == RowState::Alarm(AlarmState::Dropped)))),
    );
    for (name, help, value) in [
        ("mailpulse_provider_attempts", "Attempts of the last 24 hours.", 0),
        (
            "mailpulse_provider_deferred",
            "Attempts of the last 24 hours that were deferred.",
            1,
        ),
        (
            "mailpulse_provider_bounced",
            "Attempts of the last 24 hours that bounced.",
            2,
        ),
    ] {
        let family = families.gauge(name, help);
        for (provider, sum) in overview.providers.iter().take(SETS_MAX) {
            let values = [sum.attempts.all, sum.attempts.deferred, sum.attempts.bounced];
            family.set([("provider", provider)], values[value] as f64);
        }
    }
}

pub(super) fn of_queues(counted: &CountedQueues, families: &mut MetricFamilies) {
    if let Some(found) = &counted.backlog {
        let waiting = families.gauge(
            "mailpulse_queue_messages",
            "Messages that wait in queues, as far as the logs tell.",
        );
        for (group, one) in found.groups.iter().take(SETS_MAX) {
            waiting.set(
                [("service", &group.service), ("relay", &group.relay)],
                one.messages as f64,
            );
        }
        let total = families.gauge(
            "mailpulse_queue_oldest_age_seconds",
            "Age of the oldest message that waits, by service and relay.",
        );
        let at_ms = counted.at_ms;
        for (group, one) in found.groups.iter().take(SETS_MAX) {
            if let Some(oldest) = one.oldest_ms {
                let age = (at_ms - oldest).max(0) as f64 / 1e3;
                total.set([("service", &group.service), ("relay", &group.relay)], age);
            }
        }
    }
}
