-- Messages per minute, by what became of them.
WITH
{{buckets}},
{{read}},
    counts AS (
        SELECT ts_ms - ts_ms % step AS bucket, kind, sum(messages) AS mails
        FROM {{rates}}
        WHERE {{direction}} AND $__conditionalAll(service IN (${service:singlequote}), $service)
        GROUP BY bucket, kind),
    names AS (SELECT DISTINCT kind FROM counts)
SELECT fromUnixTimestamp64Milli(calendar.bucket, 'UTC') AS time, names.kind AS kind,
       if(read.is_read = 1 OR counts.mails > 0, counts.mails * 60000 / step, NULL) AS messages_per_minute
FROM calendar
CROSS JOIN names
LEFT JOIN read ON read.bucket = calendar.bucket
LEFT JOIN counts ON counts.bucket = calendar.bucket AND counts.kind = names.kind
ORDER BY time, kind
