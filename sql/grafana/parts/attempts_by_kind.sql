    names AS (SELECT DISTINCT kind FROM counts)
SELECT fromUnixTimestamp64Milli(calendar.bucket, 'UTC') AS time, names.kind AS kind,
       if(read.is_read = 1 OR counts.tried > 0, counts.tried * 60000 / step, NULL) AS attempts_per_minute
FROM calendar
CROSS JOIN names
LEFT JOIN read ON read.bucket = calendar.bucket
LEFT JOIN counts ON counts.bucket = calendar.bucket AND counts.kind = names.kind
ORDER BY time, kind
