-- A service's messages per minute beside those of the same weekday in the four weeks before.
WITH
{{buckets}},
    toInt64(604800000) AS week_ms,
    weeks AS (SELECT arrayJoin([0, 1, 2, 3, 4]) AS week),
    read AS (
        SELECT week, ts_ms + week * week_ms - (ts_ms + week * week_ms) % step AS bucket, 1 AS is_read
        FROM sources
        CROSS JOIN weeks
        WHERE ts_ms >= begin_ms - week * week_ms AND ts_ms < to_ms - week * week_ms
              AND {{buckets_and_weeks}}
              AND (lines > 0 OR heartbeats > 0)
        GROUP BY week, bucket),
    counts AS (
        SELECT week, ts_ms + week * week_ms - (ts_ms + week * week_ms) % step AS bucket, sum(messages) AS messages
        FROM (SELECT ts_ms, messages FROM rates
              WHERE {{buckets_and_weeks}}
                    AND kind = 'accepted' AND first_hop AND service IN (${service:singlequote}) AND {{direction}}) AS minutes
        CROSS JOIN weeks
        WHERE ts_ms >= begin_ms - week * week_ms AND ts_ms < to_ms - week * week_ms
        GROUP BY week, bucket)
SELECT fromUnixTimestamp64Milli(calendar.bucket, 'UTC') AS time,
       if(weeks.week = 0, 'now', concat(toString(weeks.week), if(weeks.week = 1, ' week before', ' weeks before'))) AS week,
       if(read.is_read = 1 OR counts.messages > 0, counts.messages * 60000 / step, NULL) AS messages_per_minute
FROM calendar
CROSS JOIN weeks
LEFT JOIN read ON read.bucket = calendar.bucket AND read.week = weeks.week
LEFT JOIN counts ON counts.bucket = calendar.bucket AND counts.week = weeks.week
ORDER BY time, weeks.week
