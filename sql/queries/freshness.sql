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
SELECT host, source, MAX(ts_ms) AS last, SUM(lines) AS lines, SUM(events) AS events, SUM(ignored) AS ignored,
       SUM(unparsed) AS unparsed
FROM sources
WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} AND lines > 0
GROUP BY host, source
ORDER BY host, source
