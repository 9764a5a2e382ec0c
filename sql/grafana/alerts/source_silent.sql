-- Minutes since each source of the last two weeks was last read. One that is gone keeps its row.
SELECT concat(host, ' ', source) AS log, (toUnixTimestamp64Milli($__toTime_ms) - max(ts_ms)) / 60000 AS minutes_since
FROM sources
WHERE ts_ms >= toUnixTimestamp64Milli($__toTime_ms) - 1209600000 AND ts_ms < toUnixTimestamp64Milli($__toTime_ms)
      AND (lines > 0 OR heartbeats > 0)
GROUP BY log
ORDER BY log
