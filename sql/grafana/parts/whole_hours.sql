    toUnixTimestamp64Milli($__fromTime_ms) AS from_ms,
    toUnixTimestamp64Milli($__toTime_ms) AS to_ms,
    -- Of more than two days, whole hours are read from sums by hour, and the minutes before and after them from those by minute.
    if(to_ms - from_ms <= 172800000, to_ms, least(intDiv(from_ms + 3599999, 3600000) * 3600000, to_ms)) AS whole_from_ms,
    greatest(intDiv(to_ms, 3600000) * 3600000, whole_from_ms) AS whole_to_ms
