-- Events per bucket and kind: messages, recipients and attempts are three different counts.
-- param since time -24h first moment
-- param until time now first moment that is not counted
-- param bucket duration 5m length of a bucket
-- param direction direction outbound mail to count: outbound, inbound, internal, transit or all
-- column ts time start of the bucket
-- column kind text
-- column messages int
-- column recipients int
-- column attempts int
-- sums rates
SELECT ts_ms - ts_ms % {bucket:Int64} AS ts, kind, SUM(messages) AS messages, SUM(recipients) AS recipients,
       SUM(attempts) AS attempts
FROM rates
WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} AND {direction:Condition}
GROUP BY ts_ms - ts_ms % {bucket:Int64}, kind
ORDER BY ts, kind
