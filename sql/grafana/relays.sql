-- Relays: when each last took and last delivered mail, when its log was last read, and what it did in the window.
WITH
    toUnixTimestamp64Milli($__fromTime_ms) AS from_ms,
    toUnixTimestamp64Milli($__toTime_ms) AS to_ms,
    known AS (
        SELECT relay, maxIf(ts_ms, kind = 'accepted') AS accepted_ms, maxIf(ts_ms, kind = 'delivered') AS delivered_ms,
               sumIf(messages, kind = 'accepted' AND ts_ms >= from_ms) AS accepted,
               sumIf(recipients, kind = 'delivered' AND destination = 'remote' AND ts_ms >= from_ms) AS delivered,
               sumIf(attempts, kind = 'deferred' AND ts_ms >= from_ms) AS deferrals
        FROM rates
        WHERE ts_ms >= from_ms - 604800000 AND ts_ms < to_ms AND relay != '' AND kind IN ('accepted', 'delivered', 'deferred')
        GROUP BY relay),
    logs AS (SELECT host, max(ts_ms) AS read_ms FROM sources WHERE lines > 0 AND ts_ms < to_ms GROUP BY host)
SELECT known.relay AS relay,
       if(known.accepted_ms = 0, NULL, fromUnixTimestamp64Milli(known.accepted_ms, 'UTC')) AS last_accepted,
       if(known.delivered_ms = 0, NULL, fromUnixTimestamp64Milli(known.delivered_ms, 'UTC')) AS last_delivered,
       if(logs.read_ms = 0, NULL, fromUnixTimestamp64Milli(logs.read_ms, 'UTC')) AS last_line,
       known.accepted AS accepted, known.delivered AS delivered, known.deferrals AS deferrals
FROM known
LEFT JOIN logs ON logs.host = known.relay
ORDER BY relay
