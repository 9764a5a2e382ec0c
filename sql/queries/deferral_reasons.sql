-- Why recipients were deferred, by service, next hop and reason.
-- param since time -24h first moment
-- param until time now first moment that is not counted
-- param limit int 50 how many
-- param direction direction outbound mail to count: outbound, inbound, internal, transit or all
-- column service text
-- column reason text
-- column smtp_code int
-- column remote_host text
-- column attempts int
-- column recipients int
-- sums peers
SELECT service, reason, smtp_code, remote_host, COUNT(*) AS attempts, SUM(recipients) AS recipients
FROM events
WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} AND {direction:Condition} AND kind = 'deferred'
GROUP BY service, reason, smtp_code, remote_host
ORDER BY attempts DESC, service, reason, remote_host, COALESCE(smtp_code, 0)
LIMIT {limit:Int64}
