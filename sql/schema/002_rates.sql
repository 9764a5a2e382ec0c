-- Rates per minute, summed as rows come in. Readers add up: a minute may stand in several rows until parts are merged.
CREATE TABLE {database}.rates_minute{on_cluster}
(
    ts_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    service LowCardinality(String),
    hostgroup LowCardinality(String),
    relay LowCardinality(String),
    kind LowCardinality(String),
    destination LowCardinality(String),
    first_hop Bool,
    messages Int64 CODEC(T64, ZSTD(1)),
    recipients Int64 CODEC(T64, ZSTD(1)),
    attempts Int64 CODEC(T64, ZSTD(1)),
    bytes Int64 CODEC(T64, ZSTD(1)),
    -- Events: a minute with nothing but repetitions has sums of zero, and is there all the same.
    events Int64 CODEC(T64, ZSTD(1))
)
ENGINE = {summing}((messages, recipients, attempts, bytes, events))
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(ts_ms, 'UTC'))
ORDER BY (ts_ms, service, hostgroup, relay, kind, destination, first_hop)
TTL toDate(fromUnixTimestamp64Milli(ts_ms, 'UTC')) + INTERVAL {retain_days} DAY
SETTINGS {deduplication};

CREATE MATERIALIZED VIEW {database}.rates_minute_of_events{on_cluster} TO {database}.rates_minute AS
SELECT minute AS ts_ms, service, hostgroup, relay, kind, destination, first_hop, sum(m) AS messages,
       sum(r) AS recipients, sum(a) AS attempts, sum(b) AS bytes, sum(e) AS events
FROM (SELECT ts_ms - ts_ms % 60000 AS minute, service, hostgroup, relay, kind, destination, first_hop,
             sign * messages AS m, sign * recipients AS r,
             sign * (kind IN ('delivered', 'deferred', 'bounced', 'expired')) AS a, sign * ifNull(bytes, 0) AS b,
             toInt64(sign) AS e
      FROM {database}.events_log)
GROUP BY minute, service, hostgroup, relay, kind, destination, first_hop;

CREATE VIEW {database}.rates{on_cluster} AS
SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, m AS messages, r AS recipients, a AS attempts,
       b AS bytes
FROM (SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, sum(messages) AS m, sum(recipients) AS r,
             sum(attempts) AS a, sum(bytes) AS b, sum(events) AS e
      FROM {database}.{read_from}rates_minute
      GROUP BY ts_ms, service, hostgroup, relay, kind, destination, first_hop)
WHERE e != 0;
