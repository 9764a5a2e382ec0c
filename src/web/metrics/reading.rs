//! Whether logs are read, and the store is written.

use super::counters::SETS_MAX;
use super::exposition::{MetricFamilies, MetricKind};
use super::store_health::StoreHealth;
use crate::analysis::sources::SourceStatus;

pub(super) fn of_sources(sources: &[SourceStatus], families: &mut MetricFamilies) {
    let mut each = |name, help, kind, value: &dyn Fn(&SourceStatus) -> Option<f64>| {
        let family = families.add(name, help, kind);
        for one in sources.iter().take(SETS_MAX) {
            if let Some(value) = value(one) {
                family.set([("host", &one.source.host), ("source", &one.source.kind)], value);
            }
        }
    };
    each(
        "mailpulse_source_lines",
        "Lines that were read.",
        MetricKind::Counter,
        &|one| Some(one.source.counts.lines as f64),
    );
    each(
        "mailpulse_source_events",
        "Lines that are events.",
        MetricKind::Counter,
        &|one| Some(one.source.counts.events as f64),
    );
    each(
        "mailpulse_source_ignored",
        "Lines that say nothing of mail.",
        MetricKind::Counter,
        &|one| Some(one.source.counts.ignored as f64),
    );
    each(
        "mailpulse_source_unparsed",
        "Lines that do not parse.",
        MetricKind::Counter,
        &|one| Some(one.source.counts.unparsed as f64),
    );
    each(
        "mailpulse_source_last_line_timestamp_seconds",
        "Time of the newest line.",
        MetricKind::Gauge,
        &|one| one.source.span_ms.map(|(_, last)| last.get() as f64 / 1e3),
    );
    each(
        "mailpulse_source_read_lag_seconds",
        "How old the newest line was when it was read.",
        MetricKind::Gauge,
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

pub(super) fn of_health(health: &StoreHealth, families: &mut MetricFamilies) {
    let read = families.gauge(
        "mailpulse_source_read_timestamp_seconds",
        "The last minute in which a tail had read a source to its end.",
    );
    for ((host, kind), at_ms) in health.read.iter().take(SETS_MAX) {
        read.set([("host", host), ("source", kind)], at_ms.get() as f64 / 1e3);
    }
    if let Some(at_ms) = health.written_ms {
        families
            .gauge(
                "mailpulse_store_written_timestamp_seconds",
                "When lines, or the word that there are none, were last stored.",
            )
            .set([], at_ms.get() as f64 / 1e3);
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
        troubles.set([("topic", topic)], since_ms.get() as f64 / 1e3);
    }
}
