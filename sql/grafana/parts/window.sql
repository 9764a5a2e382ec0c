ts_ms >= toUnixTimestamp64Milli($__fromTime_ms) AND ts_ms < toUnixTimestamp64Milli($__toTime_ms)
