-- Both sides of each service's mail: what the application tried and failed to hand in, what the MTAs took at the first hop, and what left for outside.
-- param since time -24h first moment
-- param until time now first moment that is not counted
-- param bucket duration 1m length of a bucket
-- param direction direction outbound mail to count: outbound, inbound, internal, transit or all
-- column ts time start of the bucket
-- column service text
-- column tried int messages: failed, and handed in as far as either side logs it
-- column submitted int messages that the application says it handed in
-- column submit_failed int messages that it could not hand in; a retry is no new message
-- column accepted int messages at their first hop
-- column delivered int recipients outside
-- sums rates
SELECT ts, service,
       submit_failed + CASE WHEN submitted > accepted THEN submitted ELSE accepted END AS tried,
       submitted, submit_failed, accepted, delivered
FROM (SELECT ts_ms - ts_ms % {bucket:Int64} AS ts, service,
             SUM(CASE WHEN kind = 'submitted' THEN messages ELSE 0 END) AS submitted,
             SUM(CASE WHEN kind = 'submit_failed' THEN messages ELSE 0 END) AS submit_failed,
             SUM(CASE WHEN kind = 'accepted' AND first_hop THEN messages ELSE 0 END) AS accepted,
             SUM(CASE WHEN kind = 'delivered' AND destination = 'remote' THEN recipients ELSE 0 END) AS delivered
      FROM rates
      WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} AND {direction:Condition}
      GROUP BY ts_ms - ts_ms % {bucket:Int64}, service) AS both_sides
ORDER BY ts, service
