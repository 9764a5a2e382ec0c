-- How far each source has been read, and what became of its lines.
-- param since time -3650d first moment
-- param until time now first moment that is not counted
-- column host text
-- column source text
-- column last time newest minute with a line
-- column lines int
-- column events int
-- column ignored int
-- column unparsed int
SELECT host, source, MAX(ts_ms) AS last, SUM(l) AS lines, SUM(e) AS events, SUM(i) AS ignored, SUM(u) AS unparsed
FROM (SELECT ts_ms, host, source, lines AS l, events AS e, ignored AS i, unparsed AS u
      FROM sources
      WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} AND lines > 0) AS minutes
GROUP BY host, source
ORDER BY host, source
