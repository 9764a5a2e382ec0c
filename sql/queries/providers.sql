-- What each provider does with our mail, by relay: attempts by outcome. `mailpulse providers` also says what is usual.
-- param since time -24h first moment
-- param until time now first moment that is not counted
-- param limit int 50 how many
-- param direction direction outbound mail to count: outbound, inbound, internal, transit or all
-- column provider text
-- column relay text
-- column attempts int
-- column delivered int recipients
-- column deferred int recipients deferred at least once
-- column deferrals int attempts that were deferred
-- column bounced int recipients
-- column expired int recipients
-- sums rates
SELECT provider, relay, SUM(a) AS attempts,
       SUM(CASE WHEN kind = 'delivered' THEN r ELSE 0 END) AS delivered,
       SUM(CASE WHEN kind = 'deferred' THEN r ELSE 0 END) AS deferred,
       SUM(CASE WHEN kind = 'deferred' THEN a ELSE 0 END) AS deferrals,
       SUM(CASE WHEN kind = 'bounced' THEN r ELSE 0 END) AS bounced,
       SUM(CASE WHEN kind = 'expired' THEN r ELSE 0 END) AS expired
FROM (SELECT provider, relay, kind, attempts AS a, recipients AS r
      FROM rates
      WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} AND {direction:Condition} AND provider <> ''
            AND kind IN ('delivered', 'deferred', 'bounced', 'expired')) AS tried
GROUP BY provider, relay
ORDER BY attempts DESC, provider, relay
LIMIT {limit:Int64}
