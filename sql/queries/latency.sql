-- How long delivered mail was in the queue and how long its delivery took, per service, in milliseconds.
-- param since time -24h first moment
-- param until time now first moment that is not counted
-- column service text
-- column delivered int recipients
-- column queue_p50_ms int
-- column queue_p95_ms int
-- column queue_p99_ms int
-- column delivery_p50_ms int
-- column delivery_p95_ms int
SELECT service, COUNT(*) AS delivered,
       CAST(QUANTILE_DISC(queue_ms, 0.5) AS BIGINT) AS queue_p50_ms,
       CAST(QUANTILE_DISC(queue_ms, 0.95) AS BIGINT) AS queue_p95_ms,
       CAST(QUANTILE_DISC(queue_ms, 0.99) AS BIGINT) AS queue_p99_ms,
       CAST(QUANTILE_DISC(delivery_ms, 0.5) AS BIGINT) AS delivery_p50_ms,
       CAST(QUANTILE_DISC(delivery_ms, 0.95) AS BIGINT) AS delivery_p95_ms
FROM events
WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} AND kind = 'delivered' AND destination = 'remote'
GROUP BY service
ORDER BY delivered DESC, service
