-- Relays that delivered each service's mail to the outside, with their share in percent: one relay is a single point of failure.
-- param since time -24h first moment
-- param until time now first moment that is not counted
-- param direction direction outbound mail to count: outbound, inbound, internal, transit or all
-- column service text
-- column relay text
-- column messages int
-- column share_percent float
-- sums rates
SELECT through.service AS service, through.relay AS relay, through.mails AS messages,
       100.0 * through.mails / total.mails AS share_percent
FROM (SELECT service, relay, SUM(messages) AS mails FROM rates
      WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} AND {direction:Condition} AND kind = 'delivered' AND destination = 'remote' AND messages > 0
      GROUP BY service, relay) AS through
JOIN (SELECT service, SUM(messages) AS mails FROM rates
      WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} AND {direction:Condition} AND kind = 'delivered' AND destination = 'remote' AND messages > 0
      GROUP BY service) AS total
ON through.service = total.service
ORDER BY service, messages DESC, relay
