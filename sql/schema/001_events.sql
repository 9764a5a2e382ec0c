-- Events as they are shipped, and what they mean.
--
-- A row that a later log corrects (its service, its hop) is taken back by a row with sign -1 and said anew with +1; the
-- order is made of what never changes, so that both meet and vanish. Partitions are days: a batch is of one day, and a
-- server drops a repeated batch per partition, by its token, if the window is on.
CREATE TABLE {database}.events_log{on_cluster}
(
    sign Int8 DEFAULT 1,
    log LowCardinality(String),
    log_offset Int64 CODEC(Delta, ZSTD(1)),
    ts_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    host LowCardinality(String),
    source LowCardinality(String),
    kind LowCardinality(String),
    service LowCardinality(String),
    hostgroup LowCardinality(String),
    relay LowCardinality(String),
    first_hop Bool,
    destination LowCardinality(String),
    queue_id String CODEC(ZSTD(1)),
    message_key Nullable(Int64),
    client LowCardinality(String),
    client_ip LowCardinality(String),
    sender_local LowCardinality(String),
    sender_domain LowCardinality(String),
    recipient_local String CODEC(ZSTD(1)),
    recipient_domain LowCardinality(String),
    remote_host LowCardinality(String),
    remote_ip LowCardinality(String),
    bytes Nullable(Int64) CODEC(ZSTD(1)),
    messages Int64 CODEC(T64, ZSTD(1)),
    recipients Int64 CODEC(T64, ZSTD(1)),
    queue_ms Nullable(Int64) CODEC(ZSTD(1)),
    delivery_ms Nullable(Int64) CODEC(ZSTD(1)),
    smtp_code Nullable(Int64) CODEC(ZSTD(1)),
    enhanced_code LowCardinality(Nullable(String)),
    reason LowCardinality(String)
)
ENGINE = {collapsing}(sign)
PARTITION BY toDate(fromUnixTimestamp64Milli(ts_ms, 'UTC'))
ORDER BY (host, source, ts_ms, log, log_offset, kind)
TTL toDate(fromUnixTimestamp64Milli(ts_ms, 'UTC')) + INTERVAL {retain_days} DAY
SETTINGS {deduplication}, allow_nullable_key = 0;

CREATE VIEW {database}.events{on_cluster} AS
SELECT concat(log, '-', toString(log_offset)) AS event_id, ts_ms AS ts, ts_ms, host, source, kind, service, hostgroup,
       relay, first_hop, destination, queue_id, message_key, client, client_ip,
       if(sender_domain = '', sender_local, concat(sender_local, '@', sender_domain)) AS sender, sender_local,
       sender_domain,
       if(recipient_domain = '', recipient_local, concat(recipient_local, '@', recipient_domain)) AS recipient,
       recipient_local, recipient_domain, remote_host, remote_ip, bytes, messages, recipients, queue_ms, delivery_ms,
       smtp_code, enhanced_code, reason, log_offset
FROM {database}.{read_from}events_log FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;
