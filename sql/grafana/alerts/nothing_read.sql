-- Minutes since any log was read: one row, also of an empty store.
SELECT if(count() = 0, 1000000, (toUnixTimestamp64Milli($__toTime_ms) - max(ts_ms)) / 60000) AS minutes_since
FROM sources
WHERE ts_ms < toUnixTimestamp64Milli($__toTime_ms) AND (lines > 0 OR heartbeats > 0)
