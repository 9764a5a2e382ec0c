-- Lines per source and minute, and what became of them: sums of what each commit counted.
CREATE TABLE {database}.sources_minute{on_cluster}
(
    ts_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    host LowCardinality(String),
    source LowCardinality(String),
    lines Int64,
    events Int64,
    ignored Int64,
    unparsed Int64,
    bytes Int64
)
ENGINE = {summing}((lines, events, ignored, unparsed, bytes))
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(ts_ms, 'UTC'))
ORDER BY (ts_ms, host, source)
TTL toDate(fromUnixTimestamp64Milli(ts_ms, 'UTC')) + INTERVAL {retain_days} DAY
SETTINGS {deduplication};

-- Heartbeats stay with the store of the host that reads.
CREATE VIEW {database}.sources{on_cluster} AS
SELECT ts_ms, host, source, l AS lines, e AS events, i AS ignored, u AS unparsed, b AS bytes, 0 AS heartbeats,
       CAST(NULL AS Nullable(Int64)) AS lag_ms
FROM (SELECT ts_ms, host, source, sum(lines) AS l, sum(events) AS e, sum(ignored) AS i, sum(unparsed) AS u,
             sum(bytes) AS b
      FROM {database}.{read_from}sources_minute
      GROUP BY ts_ms, host, source);
