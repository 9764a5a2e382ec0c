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
    bytes Int64,
    -- How often in this minute a tail said that it had read all there was, and how old the newest line was then.
    heartbeats Int64,
    lag_ms SimpleAggregateFunction(max, Int64) DEFAULT -1
)
ENGINE = {summing}((lines, events, ignored, unparsed, bytes, heartbeats))
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(ts_ms, 'UTC'))
ORDER BY (ts_ms, host, source)
TTL toDate(fromUnixTimestamp64Milli(ts_ms, 'UTC')) + INTERVAL {retain_days} DAY
SETTINGS {deduplication};

CREATE VIEW {database}.sources{on_cluster} AS
SELECT ts_ms, host, source, l AS lines, e AS events, i AS ignored, u AS unparsed, b AS bytes, h AS heartbeats,
       if(lag < 0, NULL, lag) AS lag_ms
FROM (SELECT ts_ms, host, source, sum(lines) AS l, sum(events) AS e, sum(ignored) AS i, sum(unparsed) AS u,
             sum(bytes) AS b, sum(heartbeats) AS h, max(toInt64(lag_ms)) AS lag
      FROM {database}.{read_from}sources_minute
      GROUP BY ts_ms, host, source);
