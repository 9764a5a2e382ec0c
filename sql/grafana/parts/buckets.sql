    -- Whole minutes, and whole hours once they are that long: a bucket is the same whatever the zoom.
    toInt64(if($__interval_s >= 3600, intDiv($__interval_s + 3599, 3600) * 3600, intDiv($__interval_s + 59, 60) * 60)) * 1000 AS step,
    toUnixTimestamp64Milli($__fromTime_ms) AS from_ms,
    toUnixTimestamp64Milli($__toTime_ms) AS to_ms,
    from_ms - from_ms % step AS begin_ms,
    calendar AS (SELECT arrayJoin(range(begin_ms, to_ms, step)) AS bucket)
