-- Attempts per minute to the providers, by what became of them.
WITH
{{buckets}},
{{read}},
    counts AS (
        SELECT ts_ms - ts_ms % step AS bucket, kind, sum(attempts) AS tried
        FROM {{rates}}
        WHERE attempts > 0 AND provider != '' AND {{direction}} AND $__conditionalAll(provider IN (${provider:singlequote}), $provider)
        GROUP BY bucket, kind),
{{attempts_by_kind}}
