-- Relays: when each last took and last delivered mail (more than a day ago, to the hour), when its log was last read, and what it did
-- in the window.
WITH
{{whole_hours}},
    known AS (
        SELECT relay, maxIf(ts_ms, kind = 'accepted') AS accepted_ms, maxIf(ts_ms, kind = 'delivered') AS delivered_ms,
               sumIf(messages, kind = 'accepted' AND ts_ms >= from_ms) AS accepted,
               sumIf(recipients, kind = 'delivered' AND destination = 'remote' AND ts_ms >= from_ms) AS delivered,
               sumIf(attempts, kind = 'deferred' AND ts_ms >= from_ms) AS deferrals
        FROM (SELECT ts_ms, relay, kind, destination, messages, recipients, attempts FROM {{rates_of_window}}
              UNION ALL
              -- Those of the week before as well: one that stopped is not gone.
              SELECT ts_ms, relay, kind, destination, 0, 0, 0 FROM rates_by_hour
              WHERE ts_ms >= from_ms - 604800000 AND ts_ms < from_ms
              UNION ALL
              SELECT ts_ms, relay, kind, destination, 0, 0, 0 FROM rates
              WHERE to_ms - from_ms > 172800000 AND ts_ms >= to_ms - 86400000 AND ts_ms < to_ms)
        WHERE relay != '' AND kind IN ('accepted', 'delivered', 'deferred')
        GROUP BY relay),
    logs AS (SELECT host, max(ts_ms) AS read_ms FROM sources
             WHERE lines > 0 AND ts_ms >= from_ms - 604800000 AND ts_ms < to_ms GROUP BY host)
SELECT known.relay AS relay,
       if(known.accepted_ms = 0, NULL, fromUnixTimestamp64Milli(known.accepted_ms, 'UTC')) AS last_accepted,
       if(known.delivered_ms = 0, NULL, fromUnixTimestamp64Milli(known.delivered_ms, 'UTC')) AS last_delivered,
       if(logs.read_ms = 0, NULL, fromUnixTimestamp64Milli(logs.read_ms, 'UTC')) AS last_line,
       known.accepted AS accepted, known.delivered AS delivered, known.deferrals AS deferrals
FROM known
LEFT JOIN logs ON logs.host = known.relay
ORDER BY relay
