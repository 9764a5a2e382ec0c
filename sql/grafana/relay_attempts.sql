-- Attempts per minute of the relay, by what became of them.
WITH
{{buckets}},
{{read_of_relay}},
    counts AS (
        SELECT ts_ms - ts_ms % step AS bucket, kind, sum(attempts) AS tried
        FROM {{rates}}
        WHERE relay = ${relay:singlequote} AND attempts > 0 AND {{direction}}
        GROUP BY bucket, kind),
{{attempts_by_kind}}
