-- Messages per minute and relay, as each relay sees them: one that passes two relays counts at both.
WITH
{{buckets}},
    -- A bucket in which a host's log was read: without mail, it is a zero of that relay. Any other bucket is a gap.
    read AS (
        SELECT ts_ms - ts_ms % step AS bucket, host, 1 AS is_read
        FROM sources
        WHERE ts_ms >= begin_ms AND ts_ms < to_ms AND (lines > 0 OR heartbeats > 0)
        GROUP BY bucket, host),
    counts AS (
        SELECT ts_ms - ts_ms % step AS bucket, relay, sum(messages) AS messages
        FROM {{rates}}
        WHERE kind = 'accepted' AND {{direction}}
        GROUP BY bucket, relay),
    -- Those of the week before as well: what stopped before the range is a line at zero, and not gone.
    names AS (
        SELECT DISTINCT relay
        FROM rates_by_day
        WHERE ts_ms >= begin_ms - 691200000 AND ts_ms < to_ms AND kind = 'accepted' AND {{direction}})
SELECT fromUnixTimestamp64Milli(calendar.bucket, 'UTC') AS time, names.relay AS relay,
       if(read.is_read = 1 OR counts.messages > 0, counts.messages * 60000 / step, NULL) AS messages_per_minute
FROM calendar
CROSS JOIN names
LEFT JOIN read ON read.bucket = calendar.bucket AND read.host = names.relay
LEFT JOIN counts ON counts.bucket = calendar.bucket AND counts.relay = names.relay
ORDER BY time, relay
