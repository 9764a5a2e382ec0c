-- Of each service that usually sends in this half hour: its messages beside the median of the four weeks before. Every known service
-- has a row in every evaluation, so that an alert of one ends when its mail is back, and not when its rows are gone.
WITH
    -- A minute back: what was written is read by then.
    toUnixTimestamp64Milli($__toTime_ms) - 60000 AS to_ms,
    to_ms - 1800000 AS from_ms,
    (SELECT count() FROM sources WHERE ts_ms >= from_ms AND ts_ms < to_ms AND (lines > 0 OR heartbeats > 0)) AS minutes_read,
{{weeks}},
    windows AS (
        SELECT service, sumIf(messages, ts_ms >= from_ms) AS now,
               {{messages_before}}
        FROM rates
        WHERE {{window_and_weeks}}
              AND kind = 'accepted' AND first_hop AND direction = '' AND origin IN ('ours', '')
        GROUP BY service),
    known AS (
        SELECT DISTINCT service FROM rates_by_day
        WHERE ts_ms >= from_ms - 4 * week_ms - 86400000 AND ts_ms < to_ms AND kind = 'accepted' AND first_hop AND origin IN ('ours', ''))
SELECT service,
       -- Without a log, nothing is known of any mail: another rule says so. Fewer than 20 usual messages say too little.
       if(minutes_read = 0 OR usual < 20, 1, now / usual) AS share_of_usual
FROM (SELECT known.service AS service, windows.now AS now,
             if(empty(windows.before) OR empty(weeks), 0, arrayReduce('median', arrayMap(week -> windows.before[week], weeks))) AS usual
      FROM known
      LEFT JOIN windows ON windows.service = known.service)
ORDER BY service
