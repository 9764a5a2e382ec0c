-- How long delivered mail was in the queue and how long its delivery took, per service, in milliseconds with two digits.
-- param since time -24h first moment
-- param until time now first moment that is not counted
-- param direction direction outbound mail to count: outbound, inbound, internal, transit or all
-- column service text
-- column delivered int recipients
-- column queue_p50_ms int
-- column queue_p95_ms int
-- column queue_p99_ms int
-- column delivery_p50_ms int
-- column delivery_p95_ms int
-- sums latencies
SELECT service, COUNT(*) AS delivered,
       CAST(QUANTILE_DISC(q, 0.5) AS BIGINT) AS queue_p50_ms,
       CAST(QUANTILE_DISC(q, 0.95) AS BIGINT) AS queue_p95_ms,
       CAST(QUANTILE_DISC(q, 0.99) AS BIGINT) AS queue_p99_ms,
       CAST(QUANTILE_DISC(d, 0.5) AS BIGINT) AS delivery_p50_ms,
       CAST(QUANTILE_DISC(d, 0.95) AS BIGINT) AS delivery_p95_ms
FROM (SELECT service,
             CASE WHEN queue_ms < 100 THEN queue_ms WHEN queue_ms < 1000 THEN queue_ms - queue_ms % 10
                  WHEN queue_ms < 10000 THEN queue_ms - queue_ms % 100 WHEN queue_ms < 100000 THEN queue_ms - queue_ms % 1000
                  WHEN queue_ms < 1000000 THEN queue_ms - queue_ms % 10000 WHEN queue_ms < 10000000 THEN queue_ms - queue_ms % 100000
                  WHEN queue_ms < 100000000 THEN queue_ms - queue_ms % 1000000 WHEN queue_ms < 1000000000 THEN queue_ms - queue_ms % 10000000
                  WHEN queue_ms < 10000000000 THEN queue_ms - queue_ms % 100000000
                  ELSE queue_ms - queue_ms % 1000000000 END AS q,
             CASE WHEN delivery_ms < 100 THEN delivery_ms WHEN delivery_ms < 1000 THEN delivery_ms - delivery_ms % 10
                  WHEN delivery_ms < 10000 THEN delivery_ms - delivery_ms % 100 WHEN delivery_ms < 100000 THEN delivery_ms - delivery_ms % 1000
                  WHEN delivery_ms < 1000000 THEN delivery_ms - delivery_ms % 10000 WHEN delivery_ms < 10000000 THEN delivery_ms - delivery_ms % 100000
                  WHEN delivery_ms < 100000000 THEN delivery_ms - delivery_ms % 1000000 WHEN delivery_ms < 1000000000 THEN delivery_ms - delivery_ms % 10000000
                  WHEN delivery_ms < 10000000000 THEN delivery_ms - delivery_ms % 100000000
                  ELSE delivery_ms - delivery_ms % 1000000000 END AS d
      FROM events
      WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} AND {direction:Condition} AND kind = 'delivered' AND destination = 'remote') AS rounded
GROUP BY service
ORDER BY delivered DESC, service
