-- Of the ignored lines those that another program than the log's own wrote. Where all are, nobody reads this log's mail.
ALTER TABLE {database}.sources_minute{on_cluster}
    ADD COLUMN IF NOT EXISTS foreign_lines SimpleAggregateFunction(sum, Int64) DEFAULT 0;

-- The table in front of the shards, where there is one.
ALTER TABLE {database}.{read_from}sources_minute{on_cluster}
    ADD COLUMN IF NOT EXISTS foreign_lines SimpleAggregateFunction(sum, Int64) DEFAULT 0;

CREATE OR REPLACE VIEW {database}.sources{on_cluster} AS
SELECT ts_ms, host, source, l AS lines, e AS events, i AS ignored, u AS unparsed, b AS bytes, h AS heartbeats,
       if(lag < 0, NULL, lag) AS lag_ms, f AS foreign_lines
FROM (SELECT ts_ms, host, source, sum(lines) AS l, sum(events) AS e, sum(ignored) AS i, sum(unparsed) AS u,
             sum(bytes) AS b, sum(heartbeats) AS h, max(toInt64(lag_ms)) AS lag, sum(toInt64(foreign_lines)) AS f
      FROM {database}.{read_from}sources_minute
      GROUP BY ts_ms, host, source);
