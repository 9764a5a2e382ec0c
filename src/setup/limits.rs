//! The limits of the configuration, and how much of each is in use.

use crate::analysis::sources::SourceStatus;
use crate::config::Config;
use crate::query::history::Backend;
use anyhow::Result;

/// One limit: its key in the configuration, what it is set to, in which unit, and what it bounds.
type Limit = (&'static str, fn(&Config) -> u64, &'static str, &'static str);

const OPEN_MESSAGES: &str = "store.open_messages_max";
const SERVICES: &str = "store.services_max";
const OUTBOX: &str = "store.outbox_mib_max";
const LOST_FOUND: &str = "store.lost_found_mib_max";

#[rustfmt::skip]
const LIMITS: [Limit; 18] = [
    ("store.segment_rows_max", |c| c.store.segment_rows_max as u64, "rows", "memory: a batch before it is committed"),
    ("store.segment_mib_max", |c| c.store.segment_bytes_max as u64 >> 20, "MiB", "memory: a batch before it is committed"),
    (OPEN_MESSAGES, |c| c.store.open_messages_max as u64, "messages",
        "memory: messages in a host's queue; the quietest of more wait in the store"),
    (SERVICES, |c| c.store.services_max as u64, "services",
        "services of a source that are derived without a rule; more are unattributed"),
    ("store.hosts_max", |c| c.store.hosts_max as u64, "hosts",
        "hosts that the lines of a source may name; lines of more are the reader's"),
    ("store.retain_days", |c| u64::from(c.store.retain_days), "days", "disk: older events are removed"),
    (OUTBOX, |c| c.store.outbox_bytes_max >> 20, "MiB",
        "disk: what waits to be sent; when it is full, nothing more is read"),
    (LOST_FOUND, |c| c.store.lost_found_bytes_max >> 20, "MiB",
        "disk: files that nothing refers to; when it is full, the oldest are removed"),
    ("store.query_mib_max", |c| c.store.query_bytes_max >> 20, "MiB", "memory: a `query --sql`; one that needs more ends"),
    ("store.query_s_max", |c| c.store.query_s_max, "s", "a `query --sql`; one that needs more ends"),
    ("tail.poll_ms", |c| c.tail.poll_ms, "ms", "age of a batch: growing logs are read and committed so often"),
    ("tail.rescan_s", |c| c.tail.rescan_ms / 1_000, "s", "names are looked at so often"),
    ("tail.deleted_wait_s", |c| c.tail.deleted_wait_ms / 1_000, "s", "a deleted file stays open for its last lines"),
    ("tail.link_s", |c| c.tail.link_ms / 1_000, "s", "mail is linked over hosts so often"),
    ("tail.open_files_max", |c| c.tail.open_files_max as u64, "files", "files that are kept open"),
    ("clickhouse.read_timeout_s", |c| c.clickhouse.read_timeout_s, "s", "an answer of a server"),
    ("clickhouse.insert_timeout_s", |c| c.clickhouse.insert_timeout_s, "s", "a batch, from its first byte to the answer"),
    ("clickhouse.ship_every_s", |c| c.clickhouse.ship_every_ms / 1_000, "s", "what waits is sent so often"),
];

/// One limit, and how much of it is in use.
#[derive(Debug)]
pub(crate) struct LimitUse {
    /// Its key in the configuration.
    pub key: &'static str,
    /// What it is set to.
    pub value: u64,
    /// How much of it is in use; nothing where only the process that reads knows.
    pub used: Option<u64>,
    /// The unit of both.
    pub unit: &'static str,
    /// What it bounds.
    pub bounds: &'static str,
}

/// All limits.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn limits_in_use(store: &Backend, config: &Config, rows: &[SourceStatus]) -> Result<Vec<LimitUse>> {
    let locals = rows.iter().filter_map(|row| row.source.local.as_ref());
    let open_messages = locals.map(|local| local.open_messages).max();
    let (outbox_mib, services, lost_found_mib) = match store {
        Backend::Embedded(store) => (
            store.outbox().waiting()?.map(|waiting| waiting.bytes >> 20),
            Some(store.services().derived_max()?),
            Some(store.lost_found().bytes >> 20),
        ),
        Backend::ClickHouse(_) => (None, None, None),
    };
    let used = |key: &str| match key {
        OPEN_MESSAGES => open_messages,
        SERVICES => services,
        OUTBOX => outbox_mib,
        LOST_FOUND => lost_found_mib,
        _ => None,
    };
    let all = LIMITS.iter().map(|(key, value, unit, bounds)| LimitUse {
        key,
        value: value(config),
        used: used(key),
        unit,
        bounds,
    });
    Ok(all.collect())
}
