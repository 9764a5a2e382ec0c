-- What each service lacks in the window: accepted messages beside the median of the same window in the weeks before, and failures to
-- hand mail in. An estimate without the rhythm of the detection; `mailpulse incident` says what is lost and what is late.
WITH
{{whole_hours}},
{{edges}},
{{weeks}},
    windows AS (
        SELECT service,
               sumIf(messages, kind = 'accepted' AND first_hop AND ts_ms >= from_ms) AS accepted,
               sumIf(messages, kind = 'submit_failed' AND ts_ms >= from_ms) AS submit_failed,
               sumIf(recipients, kind = 'delivered' AND destination = 'remote' AND ts_ms >= from_ms) AS delivered,
               [sumIf(messages, kind = 'accepted' AND first_hop AND ts_ms >= from_ms - week_ms AND ts_ms < to_ms - week_ms),
                sumIf(messages, kind = 'accepted' AND first_hop AND ts_ms >= from_ms - 2 * week_ms AND ts_ms < to_ms - 2 * week_ms),
                sumIf(messages, kind = 'accepted' AND first_hop AND ts_ms >= from_ms - 3 * week_ms AND ts_ms < to_ms - 3 * week_ms),
                sumIf(messages, kind = 'accepted' AND first_hop AND ts_ms >= from_ms - 4 * week_ms AND ts_ms < to_ms - 4 * week_ms)] AS before
        FROM {{rates_of_weeks}}
        WHERE kind IN ('accepted', 'submit_failed', 'delivered') AND {{direction}}
        GROUP BY service)
SELECT service, accepted, delivered, submit_failed,
       if(empty(weeks), NULL, arrayReduce('median', arrayMap(week -> before[week], weeks))) AS usual,
       greatest(usual - accepted, 0) AS missing
FROM windows
ORDER BY missing DESC NULLS LAST, submit_failed DESC, service
