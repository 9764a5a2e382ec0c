-- Both sides of the mail: what the applications failed to hand in, what the relays took, and what left for outside.
WITH
{{buckets}},
{{read}},
    counts AS (
        SELECT ts_ms - ts_ms % step AS bucket,
               sumIf(messages, kind = 'submitted') AS submitted, sumIf(messages, kind = 'submit_failed') AS submit_failed,
               sumIf(messages, kind = 'accepted' AND first_hop) AS accepted,
               sumIf(recipients, kind = 'delivered' AND destination = 'remote') AS delivered
        FROM {{rates}}
        WHERE {{direction}} AND $__conditionalAll(service IN (${service:singlequote}), $service)
        GROUP BY bucket),
    read.is_read = 1 OR counts.submitted + counts.submit_failed + counts.accepted + counts.delivered > 0 AS is_known
SELECT fromUnixTimestamp64Milli(calendar.bucket, 'UTC') AS time,
       if(is_known, counts.submit_failed * 60000 / step, NULL) AS submit_failed,
       if(is_known, counts.accepted * 60000 / step, NULL) AS accepted,
       if(is_known, counts.delivered * 60000 / step, NULL) AS delivered
FROM calendar
LEFT JOIN read ON read.bucket = calendar.bucket
LEFT JOIN counts ON counts.bucket = calendar.bucket
ORDER BY time
