-- Of the attempts to each provider, the share that was deferred. A bucket without an attempt is a gap.
WITH
{{buckets}},
    counts AS (
        SELECT ts_ms - ts_ms % step AS bucket, provider, sum(attempts) AS tried, sumIf(attempts, kind = 'deferred') AS deferred
        FROM (SELECT ts_ms, provider, kind, attempts FROM {{rates}}
              WHERE attempts > 0 AND provider != '' AND {{direction}} AND $__conditionalAll(provider IN (${provider:singlequote}), $provider))
        GROUP BY bucket, provider),
    names AS (SELECT DISTINCT provider FROM counts)
SELECT fromUnixTimestamp64Milli(calendar.bucket, 'UTC') AS time, names.provider AS provider,
       if(counts.tried > 0, 100 * counts.deferred / counts.tried, NULL) AS deferred_percent
FROM calendar
CROSS JOIN names
LEFT JOIN counts ON counts.bucket = calendar.bucket AND counts.provider = names.provider
ORDER BY time, provider
