-- Messages per minute that the relay took, by service.
WITH
{{buckets}},
{{read_of_relay}},
    counts AS (
        SELECT ts_ms - ts_ms % step AS bucket, service, sum(messages) AS messages
        FROM {{rates}}
        WHERE kind = 'accepted' AND relay = ${relay:singlequote} AND {{direction}}
        GROUP BY bucket, service),
    -- Those of the week before as well: what stopped before the range is a line at zero, and not gone.
    names AS (
        SELECT DISTINCT service
        FROM rates_by_day
        WHERE ts_ms >= begin_ms - 691200000 AND ts_ms < to_ms AND kind = 'accepted' AND relay = ${relay:singlequote} AND {{direction}})
SELECT fromUnixTimestamp64Milli(calendar.bucket, 'UTC') AS time, names.service AS service,
       if(read.is_read = 1 OR counts.messages > 0, counts.messages * 60000 / step, NULL) AS messages_per_minute
FROM calendar
CROSS JOIN names
LEFT JOIN read ON read.bucket = calendar.bucket
LEFT JOIN counts ON counts.bucket = calendar.bucket AND counts.service = names.service
ORDER BY time, service
