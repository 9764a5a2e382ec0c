-- Messages per bucket and hostgroup, counted once, where they enter the mail system.
-- param since time -24h first moment
-- param until time now first moment that is not counted
-- param bucket duration 5m length of a bucket
-- param kind kind accepted kind of event
-- param direction direction outbound mail to count: outbound, inbound, internal, transit or all
-- column ts time start of the bucket
-- column hostgroup text
-- column messages int
-- sums rates
SELECT ts_ms - ts_ms % {bucket:Int64} AS ts, hostgroup, SUM(messages) AS messages
FROM rates
WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} AND {direction:Condition} AND kind = {kind:String} AND first_hop
GROUP BY ts_ms - ts_ms % {bucket:Int64}, hostgroup
ORDER BY ts, hostgroup
