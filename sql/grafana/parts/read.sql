    -- A bucket in which some log was read: without mail, it is a zero. Any other bucket is a gap.
    read AS (
        SELECT ts_ms - ts_ms % step AS bucket, 1 AS is_read
        FROM sources
        WHERE ts_ms >= begin_ms AND ts_ms < to_ms AND (lines > 0 OR heartbeats > 0)
        GROUP BY bucket)
