-- How long delivered mail was in the queue, seconds. A bucket without a delivery is a gap.
WITH
{{buckets}},
    delivered AS (
        SELECT ts_ms - ts_ms % step AS bucket, quantiles(0.5, 0.95, 0.99)(queue_ms) AS q
        FROM events
        WHERE ts_ms >= begin_ms AND ts_ms < to_ms AND kind = 'delivered' AND destination = 'remote' AND queue_ms IS NOT NULL
              AND {{direction}} AND $__conditionalAll(service IN (${service:singlequote}), $service)
        GROUP BY bucket)
SELECT fromUnixTimestamp64Milli(calendar.bucket, 'UTC') AS time,
       if(empty(delivered.q), NULL, delivered.q[1] / 1000) AS p50,
       if(empty(delivered.q), NULL, delivered.q[2] / 1000) AS p95,
       if(empty(delivered.q), NULL, delivered.q[3] / 1000) AS p99
FROM calendar
LEFT JOIN delivered ON delivered.bucket = calendar.bucket
ORDER BY time
-- A part of the table's key is looked at before rows are corrected: a fifth of the time.
SETTINGS optimize_move_to_prewhere_if_final = 1
