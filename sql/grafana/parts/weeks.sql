    -- The weeks before that logs reach back to.
    toInt64(604800000) AS week_ms,
    (SELECT min(ts_ms) FROM sources WHERE lines > 0) AS first_ms,
    arrayFilter(week -> from_ms - week * week_ms >= first_ms, [1, 2, 3, 4]) AS weeks
