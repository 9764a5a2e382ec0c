-- What became of each service's mail: recipients by outcome; only mail that leaves for another host counts as delivered.
-- param since time -24h first moment
-- param until time now first moment that is not counted
-- param direction direction outbound mail to count: outbound, inbound, internal, transit or all
-- column service text
-- column accepted int messages
-- column delivered int recipients
-- column deferred int recipients deferred at least once
-- column deferrals int attempts that were deferred
-- column bounced int recipients
-- column expired int recipients
-- column rejected int recipients or messages refused at the door
-- column frozen int messages
-- sums rates
SELECT service,
       SUM(CASE WHEN kind = 'accepted' AND first_hop THEN messages ELSE 0 END) AS accepted,
       SUM(CASE WHEN kind = 'delivered' AND destination = 'remote' THEN recipients ELSE 0 END) AS delivered,
       SUM(CASE WHEN kind = 'deferred' THEN recipients ELSE 0 END) AS deferred,
       SUM(CASE WHEN kind = 'deferred' THEN attempts ELSE 0 END) AS deferrals,
       SUM(CASE WHEN kind = 'bounced' THEN recipients ELSE 0 END) AS bounced,
       SUM(CASE WHEN kind = 'expired' THEN recipients ELSE 0 END) AS expired,
       SUM(CASE WHEN kind = 'rejected' THEN messages ELSE 0 END) AS rejected,
       SUM(CASE WHEN kind = 'frozen' THEN messages ELSE 0 END) AS frozen
FROM rates
WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} AND {direction:Condition}
GROUP BY service
ORDER BY accepted DESC, service
