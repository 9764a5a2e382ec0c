-- How far each source has been read, and what became of its lines.
SELECT host, source, fromUnixTimestamp64Milli(last_ms, 'UTC') AS last_line, lines, events, ignored, unparsed,
       100 * unparsed / lines AS unparsed_percent
FROM (SELECT host, source, max(ts_ms) AS last_ms, sum(l) AS lines, sum(e) AS events, sum(i) AS ignored, sum(u) AS unparsed
      FROM (SELECT ts_ms, host, source, lines AS l, events AS e, ignored AS i, unparsed AS u
            FROM sources
            WHERE {{window}} AND lines > 0)
      GROUP BY host, source)
ORDER BY host, source
