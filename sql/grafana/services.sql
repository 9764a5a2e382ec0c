-- Services of the last four weeks: the last mail (more than a day ago, to the hour), and the messages of the window beside the median
-- of the same window in the weeks before, as far as logs go back.
WITH
{{whole_hours}},
{{edges}},
{{weeks}},
    -- The window and the same one of the four weeks before.
    windows AS (
        SELECT service, max(ts_ms) AS last_ms, sumIf(messages, ts_ms >= from_ms) AS now,
               {{messages_before}}
        FROM {{rates_of_weeks}}
        WHERE kind = 'accepted' AND first_hop AND messages > 0 AND {{direction}}
        GROUP BY service),
    -- Who sent anything at all, to the hour.
    known AS (
        SELECT service, max(ts_ms) AS last_ms
        FROM rates_by_hour
        WHERE ts_ms >= from_ms - 4 * week_ms AND ts_ms < to_ms AND kind = 'accepted' AND first_hop AND messages > 0 AND {{direction}}
        GROUP BY service),
    -- Of the last day, to the minute.
    lately AS (
        SELECT service, max(ts_ms) AS last_ms
        FROM rates
        WHERE ts_ms >= to_ms - 86400000 AND ts_ms < to_ms AND kind = 'accepted' AND first_hop AND messages > 0 AND {{direction}}
        GROUP BY service)
SELECT known.service AS service,
       fromUnixTimestamp64Milli(greatest(known.last_ms, windows.last_ms, lately.last_ms), 'UTC') AS last_mail,
       windows.now AS messages,
       if(empty(weeks), NULL, arrayReduce('median', arrayMap(week -> if(empty(windows.before), 0, windows.before[week]), weeks))) AS usual,
       if(usual > 0, 100 * messages / usual, NULL) AS percent_of_usual
FROM known
LEFT JOIN windows ON windows.service = known.service
LEFT JOIN lately ON lately.service = known.service
ORDER BY ifNull(percent_of_usual, 100), usual DESC, service
