-- Lines per minute of the relay's logs: a log that stops differs from a relay without mail.
WITH
{{buckets}},
{{read_of_relay}},
    counts AS (
        SELECT ts_ms - ts_ms % step AS bucket, sum(lines) AS lines, sum(unparsed) AS unparsed
        FROM sources
        WHERE ts_ms >= begin_ms AND ts_ms < to_ms AND host = ${relay:singlequote}
        GROUP BY bucket)
SELECT fromUnixTimestamp64Milli(calendar.bucket, 'UTC') AS time,
       if(read.is_read = 1, counts.lines * 60000 / step, NULL) AS lines,
       if(read.is_read = 1, counts.unparsed * 60000 / step, NULL) AS unparsed
FROM calendar
LEFT JOIN read ON read.bucket = calendar.bucket
LEFT JOIN counts ON counts.bucket = calendar.bucket
ORDER BY time
