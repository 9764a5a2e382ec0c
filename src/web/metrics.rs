//! `/metrics`: classic text by default, OpenMetrics where it is asked for.
//!
//! A counter counts rows of the last quarter of an hour as they come, from the first scrape on: it never falls, whatever is
//! corrected later. Label sets are bounded; what is beyond the bound counts as `other`, and a metric says so.

use super::answers::{Asker, QuestionKey};
use super::app::App;
use super::counters::{MINUTES, MessageLabels, SETS_MAX};
use super::json::failed;
use super::pages::now::{Overview, overview};
use super::pages::sources::all as all_sources;
use super::queue_count::CountedQueues;
use super::store_health::StoreHealth;
use super::waiting::waiting;
use crate::analysis::board::{BoardRow, RowState};
use crate::analysis::sources::SourceStatus;
use crate::detect::alarm::{Alarm, Scope, State as AlarmState};
use crate::model::time::MINUTE_MS;
use crate::query::Window;
use crate::query::history::Backend;
use crate::setup::alerts::alert_state;
use anyhow::Result;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use mailpulse_parsers::harmless::safe_text;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, PoisonError};

/// Characters of a label's value.
const LABEL_MAX: usize = 200;

/// What only a look at the store tells.
struct StoreNumbers {
    rows: Vec<(i64, MessageLabels, u64)>,
    minute: i64,
    bytes: Option<u64>,
    outbox: Option<(u64, u64)>,
    judged: Option<i64>,
    channels: Vec<ChannelNumbers>,
    health: StoreHealth,
}

/// How a channel of alarms does.
struct ChannelNumbers {
    name: String,
    waiting: usize,
    refused: usize,
    is_failing: bool,
}

fn ask(asker: &Asker<'_>) -> Result<StoreNumbers> {
    let store = asker.store();
    let minute = asker.now_ms.div_euclid(MINUTE_MS);
    let window = Window {
        since_ms: (minute - MINUTES) * MINUTE_MS,
        until_ms: asker.now_ms + 1,
    };
    let table = store.select(
        "SELECT ts_ms, service, relay, kind, direction, SUM(messages) AS total FROM rates WHERE messages > 0 \
         GROUP BY ts_ms, service, relay, kind, direction",
        window,
    )?;
    let row = |row: usize| {
        let labels = [1, 2, 3, 4].map(|column| table.text(column, row).to_owned());
        let total = table.number(5, row).and_then(|total| u64::try_from(total).ok());
        (
            table.number(0, row).unwrap_or(0).div_euclid(MINUTE_MS),
            labels,
            total.unwrap_or(0),
        )
    };
    let (alerts, _) = alert_state(asker.config)?;
    let outbox = match asker.backend {
        Backend::Embedded(store) => store
            .outbox()
            .waiting()?
            .map(|waiting| (waiting.payloads, waiting.bytes)),
        Backend::ClickHouse(_) => None,
    };
    Ok(StoreNumbers {
        rows: (0..table.rows()).map(row).collect(),
        minute,
        bytes: store.bytes()?,
        outbox,
        judged: alerts.judged,
        channels: alerts
            .channels()
            .into_iter()
            .map(|one| ChannelNumbers {
                is_failing: one.is_failing(),
                name: one.name,
                waiting: one.waiting,
                refused: one.refused,
            })
            .collect(),
        health: StoreHealth::ask(asker)?,
    })
}

/// A metric with its samples.
struct MetricFamily {
    /// Without `_total`.
    name: &'static str,
    help: &'static str,
    is_counter: bool,
    samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

/// All metrics of a scrape.
#[derive(Default)]
struct MetricFamilies(Vec<MetricFamily>);

impl MetricFamilies {
    fn add(&mut self, name: &'static str, help: &'static str, is_counter: bool) -> &mut MetricFamily {
        self.0.push(MetricFamily {
            name,
            help,
            is_counter,
            samples: Vec::new(),
        });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    fn gauge(&mut self, name: &'static str, help: &'static str) -> &mut MetricFamily {
        self.add(name, help, false)
    }

    fn counter(&mut self, name: &'static str, help: &'static str) -> &mut MetricFamily {
        self.add(name, help, true)
    }

    /// As text; metrics without samples are left out.
    fn text(&self, is_open: bool) -> String {
        let mut text = String::new();
        for family in self.0.iter().filter(|family| !family.samples.is_empty()) {
            let total = if family.is_counter { "_total" } else { "" };
            let title = if is_open {
                family.name.to_owned()
            } else {
                format!("{}{total}", family.name)
            };
            let kind = if family.is_counter { "counter" } else { "gauge" };
            let _ = writeln!(text, "# HELP {title} {}\n# TYPE {title} {kind}", family.help);
            for (labels, value) in &family.samples {
                let labels: Vec<String> = labels
                    .iter()
                    .map(|(name, value)| format!("{name}=\"{}\"", label(value)))
                    .collect();
                let labels = if labels.is_empty() {
                    String::new()
                } else {
                    format!("{{{}}}", labels.join(","))
                };
                let _ = writeln!(text, "{}{total}{labels} {value}", family.name);
            }
        }
        if is_open {
            text.push_str("# EOF\n");
        }
        text
    }
}

impl MetricFamily {
    fn set<const N: usize>(&mut self, labels: [(&'static str, &str); N], value: f64) -> &mut MetricFamily {
        let labels = labels.map(|(name, value)| (name, value.to_owned()));
        self.samples.push((labels.into(), value));
        self
    }
}

/// A label's value: log text on one line, bounded, with what the format reserves escaped.
fn label(text: &str) -> String {
    let text: String = safe_text(text.as_bytes()).chars().take(LABEL_MAX).collect();
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The metrics.
pub(super) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let key = QuestionKey::until("metrics", app.answers.now_ms());
    let numbers = match app.answers.ask(key, ask).await {
        Ok(numbers) => numbers,
        Err(failure) => return failed(&failure),
    };
    let (overview, sources) = match (overview(&app).await, all_sources(&app).await) {
        (Ok(overview), Ok(sources)) => (overview, sources),
        (Err(failure), _) | (_, Err(failure)) => return failed(&failure),
    };
    let mut families = MetricFamilies::default();
    of_process(&app, &mut families);
    of_sources(&sources.value, &mut families);
    of_messages(&app, &numbers.value, &mut families);
    of_boards(&overview.value, &mut families);
    of_alarms(&overview.value, &mut families);
    of_store(&numbers.value, &mut families);
    of_health(&numbers.value.health, &mut families);
    if let Some(counted) = waiting(&app, None).await {
        of_queues(&counted.value, &mut families);
    }
    let accepts = headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let is_open = accepts.contains("application/openmetrics-text");
    let kind = match is_open {
        true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        false => "text/plain; version=0.0.4; charset=utf-8",
    };
    ([(CONTENT_TYPE, kind)], families.text(is_open)).into_response()
}

fn of_process(app: &App, families: &mut MetricFamilies) {
    let version = env!("CARGO_PKG_VERSION");
    families
        .gauge("mailpulse_build_info", "The version, as a label.")
        .set([("version", version)], 1.0);
    let started = families.gauge(
        "process_start_time_seconds",
        "When the process began, seconds since 1970.",
    );
    started.set([], app.started_ms as f64 / 1e3);
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    // Behind the name in parentheses; Linux counts in hundredths of a second, and in pages of 4 KiB.
    let stat = read("stat");
    let stat: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let number = |at: usize| stat.get(at).and_then(|text| text.parse::<f64>().ok());
    if let (Some(user), Some(system), Some(pages)) = (number(11), number(12), number(21)) {
        let cpu = families.counter("process_cpu_seconds", "CPU time of the process.");
        cpu.set([], (user + system) / 100.0);
        let memory = families.gauge("process_resident_memory_bytes", "Memory of the process.");
        memory.set([], pages * 4_096.0);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        families
            .gauge("process_open_fds", "Open files of the process.")
            .set([], files.count() as f64);
    }
}

fn of_sources(sources: &[SourceStatus], families: &mut MetricFamilies) {
    let mut each = |name, help, is_counter, value: &dyn Fn(&SourceStatus) -> Option<f64>| {
        let family = families.add(name, help, is_counter);
        for one in sources.iter().take(SETS_MAX) {
            if let Some(value) = value(one) {
                family.set([("host", &one.source.host), ("source", &one.source.kind)], value);
            }
        }
    };
    each("mailpulse_source_lines", "Lines that were read.", true, &|one| {
        Some(one.source.counts.lines as f64)
    });
    each("mailpulse_source_events", "Lines that are events.", true, &|one| {
        Some(one.source.counts.events as f64)
    });
    each(
        "mailpulse_source_ignored",
        "Lines that say nothing of mail.",
        true,
        &|one| Some(one.source.counts.ignored as f64),
    );
    each("mailpulse_source_unparsed", "Lines that do not parse.", true, &|one| {
        Some(one.source.counts.unparsed as f64)
    });
    each(
        "mailpulse_source_last_line_timestamp_seconds",
        "Time of the newest line.",
        false,
        &|one| one.source.span_ms.map(|(_, last)| last as f64 / 1e3),
    );
    each(
        "mailpulse_source_read_lag_seconds",
        "How old the newest line was when it was read.",
        false,
        &|one| one.lag_ms.map(|lag| lag as f64 / 1e3),
    );
    let family = families.gauge("mailpulse_source_state", "1 for the state that a source is in.");
    for one in sources.iter().take(SETS_MAX) {
        for state in ["ok", "stale", "damaged", "unreadable"] {
            let labels = [
                ("host", one.source.host.as_str()),
                ("source", &one.source.kind),
                ("state", state),
            ];
            family.set(labels, f64::from(u8::from(one.state.as_str() == state)));
        }
    }
}

fn of_messages(app: &App, numbers: &StoreNumbers, families: &mut MetricFamilies) {
    let mut counted = app.counted.lock().unwrap_or_else(PoisonError::into_inner);
    counted.take(&numbers.rows, numbers.minute);
    let configured: BTreeSet<String> = app.answers.config().services.names().map(str::to_owned).collect();
    let family = families.counter(
        "mailpulse_messages",
        "Messages of the last 15 minutes as their events were stored, since the first scrape.",
    );
    for service in configured {
        let labels = [service, String::new(), "accepted".to_owned(), "outbound".to_owned()];
        counted.totals.entry(labels).or_default();
    }
    for ([service, relay, kind, direction], total) in &counted.totals {
        let labels = [
            ("service", service.as_str()),
            ("relay", relay),
            ("kind", kind),
            ("direction", direction),
        ];
        family.set(labels, *total as f64);
    }
    let full = families.gauge(
        "mailpulse_label_sets_limit_reached",
        "1 if label sets beyond the limit of one metric are counted as \"other\".",
    );
    full.set([], f64::from(u8::from(counted.is_full)));
}

fn of_boards(overview: &Overview, families: &mut MetricFamilies) {
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
        &|row| row.last_ms.map(|ms| ms as f64 / 1e3),
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

fn of_alarms(overview: &Overview, families: &mut MetricFamilies) {
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
        &|alarm| alarm.onset as f64 * 60.0,
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
            .set([], until as f64 * 60.0);
    }
}

fn of_queues(counted: &CountedQueues, families: &mut MetricFamilies) {
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

fn of_store(numbers: &StoreNumbers, families: &mut MetricFamilies) {
    if let Some(bytes) = numbers.bytes {
        families
            .gauge("mailpulse_store_size_bytes", "Size of the segments.")
            .set([], bytes as f64);
    }
    if let Some((payloads, bytes)) = numbers.outbox {
        families
            .gauge(
                "mailpulse_outbox_payloads",
                "Payloads that wait to be sent to ClickHouse.",
            )
            .set([], payloads as f64);
        families
            .gauge("mailpulse_outbox_size_bytes", "Their size.")
            .set([], bytes as f64);
    }
    if let Some(judged) = numbers.judged {
        families
            .gauge(
                "mailpulse_watch_judged_timestamp_seconds",
                "Up to when `watch` has judged.",
            )
            .set([], judged as f64);
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

fn of_health(health: &StoreHealth, families: &mut MetricFamilies) {
    let read = families.gauge(
        "mailpulse_source_read_timestamp_seconds",
        "The last minute in which a tail had read a source to its end.",
    );
    for ((host, kind), at_ms) in health.read.iter().take(SETS_MAX) {
        read.set([("host", host), ("source", kind)], *at_ms as f64 / 1e3);
    }
    if let Some(at_ms) = health.written_ms {
        families
            .gauge(
                "mailpulse_store_written_timestamp_seconds",
                "When lines, or the word that there are none, were last stored.",
            )
            .set([], at_ms as f64 / 1e3);
    }
    let Some(local) = &health.local else { return };
    families
        .gauge("mailpulse_store_held", "1 while a process holds the store to write it.")
        .set([], f64::from(u8::from(local.is_held)));
    if let Some(disk) = local.disk {
        families
            .gauge(
                "mailpulse_store_disk_free_bytes",
                "Free space on the disk of the store.",
            )
            .set([], disk.free as f64);
        families
            .gauge("mailpulse_store_disk_size_bytes", "Size of the disk of the store.")
            .set([], disk.size as f64);
    }
    let troubles = families.gauge(
        "mailpulse_trouble_since_timestamp_seconds",
        "Since when a trouble lasts that `mailpulse status` shows.",
    );
    for (topic, since_ms) in local.troubles.iter().take(SETS_MAX) {
        troubles.set([("topic", topic)], *since_ms as f64 / 1e3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_log_stays_in_its_label() {
        let mut families = MetricFamilies::default();
        families
            .counter("x", "Help.")
            .set([("a", "1\"} evil 2\n# TYPE\\\u{202e}")], 1.0);
        assert_eq!(
            families.text(false),
            "# HELP x_total Help.\n# TYPE x_total counter\nx_total{a=\"1\\\"} evil 2\\\\u{a}# TYPE\\\\\\\\u{202e}\"} 1\n"
        );
        assert!(
            families
                .text(true)
                .starts_with("# HELP x Help.\n# TYPE x counter\nx_total{")
        );
        assert!(families.text(true).ends_with("# EOF\n"));
        assert!(label(&"é".repeat(64 << 10)).chars().count() <= LABEL_MAX);
    }
}
