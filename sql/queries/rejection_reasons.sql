-- Why mail was refused or failed to be handed in, by service, client and reason.
-- param since time -24h first moment
-- param until time now first moment that is not counted
-- param limit int 50 how many
-- param direction direction outbound mail to count: outbound, inbound, internal, transit or all
-- column service text
-- column kind text
-- column reason text
-- column smtp_code int
-- column client text
-- column attempts int
-- column messages int
SELECT service, kind, reason, smtp_code, client, COUNT(*) AS attempts, SUM(messages) AS messages
FROM events
WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} AND {direction:Condition} AND kind IN ('rejected', 'submit_failed')
GROUP BY service, kind, reason, smtp_code, client
ORDER BY attempts DESC, service, kind, reason, client, COALESCE(smtp_code, 0)
LIMIT {limit:Int64}
