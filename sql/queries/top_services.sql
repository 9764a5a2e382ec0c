-- Services by the messages they sent, with bytes.
-- param since time -24h first moment
-- param until time now first moment that is not counted
-- param limit int 20 how many
-- param direction direction outbound mail to count: outbound, inbound, internal, transit or all
-- column service text
-- column messages int
-- column bytes int
-- sums rates
SELECT service, SUM(messages) AS messages, SUM(bytes) AS bytes
FROM rates
WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} AND {direction:Condition} AND kind = 'accepted' AND first_hop
GROUP BY service
ORDER BY messages DESC, service
LIMIT {limit:Int64}
