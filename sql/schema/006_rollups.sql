-- Rates by hour and by day: a question about months reads neither minutes nor events. They are summed as rows come in,
-- corrections too. What was there before is filled in by `store migrate`, a day at a time. Nothing tells yet who sent a
-- message from where to where: `origin` and `direction` are empty, and are part of the key all the same.
CREATE TABLE {database}.rates_hour{on_cluster}
(
    -- Start of the hour.
    ts_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    service LowCardinality(String),
    hostgroup LowCardinality(String),
    relay LowCardinality(String),
    kind LowCardinality(String),
    destination LowCardinality(String),
    first_hop Bool,
    origin LowCardinality(String),
    direction LowCardinality(String),
    messages Int64 CODEC(T64, ZSTD(1)),
    recipients Int64 CODEC(T64, ZSTD(1)),
    attempts Int64 CODEC(T64, ZSTD(1)),
    bytes Int64 CODEC(T64, ZSTD(1)),
    events Int64 CODEC(T64, ZSTD(1))
)
ENGINE = {summing}((messages, recipients, attempts, bytes, events))
PARTITION BY toDate(fromUnixTimestamp64Milli(ts_ms, 'UTC'))
ORDER BY (ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction)
TTL toDate(fromUnixTimestamp64Milli(ts_ms, 'UTC')) + INTERVAL {retain_days} DAY
SETTINGS {deduplication};

CREATE TABLE {database}.rates_day{on_cluster}
(
    -- Start of the day.
    ts_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    service LowCardinality(String),
    hostgroup LowCardinality(String),
    relay LowCardinality(String),
    kind LowCardinality(String),
    destination LowCardinality(String),
    first_hop Bool,
    origin LowCardinality(String),
    direction LowCardinality(String),
    messages Int64 CODEC(T64, ZSTD(1)),
    recipients Int64 CODEC(T64, ZSTD(1)),
    attempts Int64 CODEC(T64, ZSTD(1)),
    bytes Int64 CODEC(T64, ZSTD(1)),
    events Int64 CODEC(T64, ZSTD(1))
)
ENGINE = {summing}((messages, recipients, attempts, bytes, events))
PARTITION BY toDate(fromUnixTimestamp64Milli(ts_ms, 'UTC'))
ORDER BY (ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction)
TTL toDate(fromUnixTimestamp64Milli(ts_ms, 'UTC')) + INTERVAL {retain_days} DAY
SETTINGS {deduplication};

-- What events of one host tell of another, by minute: what it handed over, and where it found nobody; and failures that an
-- application logged again. The detection counts them.
CREATE TABLE {database}.witnesses_minute{on_cluster}
(
    ts_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    service LowCardinality(String),
    host LowCardinality(String),
    remote_host LowCardinality(String),
    kind LowCardinality(String),
    events Int64 CODEC(T64, ZSTD(1))
)
ENGINE = {summing}(events)
PARTITION BY toDate(fromUnixTimestamp64Milli(ts_ms, 'UTC'))
ORDER BY (ts_ms, service, host, remote_host, kind)
TTL toDate(fromUnixTimestamp64Milli(ts_ms, 'UTC')) + INTERVAL {retain_days} DAY
SETTINGS {deduplication};

CREATE MATERIALIZED VIEW {database}.rates_hour_of_events{on_cluster} TO {database}.rates_hour AS
SELECT start AS ts_ms, service, hostgroup, relay, kind, destination, first_hop, '' AS origin, '' AS direction,
       sum(m) AS messages, sum(r) AS recipients, sum(a) AS attempts, sum(b) AS bytes, sum(e) AS events
FROM (SELECT ts_ms - ts_ms % 3600000 AS start, service, hostgroup, relay, kind, destination, first_hop,
             sign * messages AS m, sign * recipients AS r,
             sign * (kind IN ('delivered', 'deferred', 'bounced', 'expired')) AS a, sign * ifNull(bytes, 0) AS b,
             toInt64(sign) AS e
      FROM {database}.events_log)
GROUP BY start, service, hostgroup, relay, kind, destination, first_hop;

CREATE MATERIALIZED VIEW {database}.rates_day_of_events{on_cluster} TO {database}.rates_day AS
SELECT start AS ts_ms, service, hostgroup, relay, kind, destination, first_hop, '' AS origin, '' AS direction,
       sum(m) AS messages, sum(r) AS recipients, sum(a) AS attempts, sum(b) AS bytes, sum(e) AS events
FROM (SELECT ts_ms - ts_ms % 86400000 AS start, service, hostgroup, relay, kind, destination, first_hop,
             sign * messages AS m, sign * recipients AS r,
             sign * (kind IN ('delivered', 'deferred', 'bounced', 'expired')) AS a, sign * ifNull(bytes, 0) AS b,
             toInt64(sign) AS e
      FROM {database}.events_log)
GROUP BY start, service, hostgroup, relay, kind, destination, first_hop;

CREATE MATERIALIZED VIEW {database}.witnesses_minute_of_events{on_cluster} TO {database}.witnesses_minute AS
SELECT start AS ts_ms, service, host, remote_host, kind, sum(e) AS events
FROM (SELECT ts_ms - ts_ms % 60000 AS start, service, host, remote_host, kind, toInt64(sign) AS e
      FROM {database}.events_log
      WHERE (kind = 'delivered' AND destination = 'relay')
         OR (kind = 'deferred' AND reason IN ('connection_refused', 'timeout'))
         OR (kind = 'submit_failed' AND messages = 0))
GROUP BY start, service, host, remote_host, kind;

CREATE VIEW {database}.rates_by_hour{on_cluster} AS
SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, m AS messages, r AS recipients, a AS attempts,
       b AS bytes
FROM (SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, sum(messages) AS m, sum(recipients) AS r,
             sum(attempts) AS a, sum(bytes) AS b, sum(events) AS e
      FROM {database}.{read_from}rates_hour
      GROUP BY ts_ms, service, hostgroup, relay, kind, destination, first_hop)
WHERE e != 0;

CREATE VIEW {database}.rates_by_day{on_cluster} AS
SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, m AS messages, r AS recipients, a AS attempts,
       b AS bytes
FROM (SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, sum(messages) AS m, sum(recipients) AS r,
             sum(attempts) AS a, sum(bytes) AS b, sum(events) AS e
      FROM {database}.{read_from}rates_day
      GROUP BY ts_ms, service, hostgroup, relay, kind, destination, first_hop)
WHERE e != 0;

CREATE VIEW {database}.witnesses{on_cluster} AS
SELECT ts_ms, service, host, remote_host, kind, e AS times
FROM (SELECT ts_ms, service, host, remote_host, kind, sum(events) AS e
      FROM {database}.{read_from}witnesses_minute
      GROUP BY ts_ms, service, host, remote_host, kind)
WHERE e != 0;
