//! Tables and columns that SQL may name.

/// Tables that SQL may name.
pub const TABLES: [&str; 3] = ["events", "rates", "sources"];

/// Columns of `events`, in the order of `SELECT *`.
pub(crate) const EVENT_COLUMNS: [&str; 37] = [
    "event_id",
    "ts",
    "ts_ms",
    "host",
    "source",
    "kind",
    "service",
    "hostgroup",
    "relay",
    "first_hop",
    "destination",
    "queue_id",
    "message_key",
    "client",
    "client_ip",
    "sender",
    "sender_local",
    "sender_domain",
    "recipient",
    "recipient_local",
    "recipient_domain",
    "remote_host",
    "remote_ip",
    "bytes",
    "messages",
    "recipients",
    "queue_ms",
    "delivery_ms",
    "smtp_code",
    "enhanced_code",
    "reason",
    "provider_code",
    "origin",
    "direction",
    "provider",
    "reply",
    "log_offset",
];

/// Columns of `rates`, in the order of `SELECT *`.
pub(crate) const RATE_COLUMNS: [&str; 14] = [
    "ts_ms",
    "service",
    "hostgroup",
    "relay",
    "kind",
    "destination",
    "first_hop",
    "origin",
    "direction",
    "provider",
    "messages",
    "recipients",
    "attempts",
    "bytes",
];

/// Columns of `sources`, in the order of `SELECT *`.
pub(crate) const SOURCE_COLUMNS: [&str; 11] = [
    "ts_ms",
    "host",
    "source",
    "lines",
    "events",
    "ignored",
    "unparsed",
    "bytes",
    "heartbeats",
    "lag_ms",
    "foreign_lines",
];
