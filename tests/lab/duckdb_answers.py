#!/usr/bin/env python3
"""Answers of DuckDB (PyPI: duckdb) over what `mailpulse store export` wrote: the witness of tests/it/sql_against_duckdb.rs.

    duckdb_answers.py EXPORT_FOLDER SOURCES_CSV < QUERIES

Standard input is a JSON array of queries; standard output is one of answers: {"rows": [[…]]} or {"error": "…"}.
`events` and `rates` get the columns that mailpulse makes of stored ones. `ts` is a TIMESTAMP, and is answered as UTC
milliseconds; what is no finite number is null, as in JSON.
"""
import datetime
import decimal
import json
import math
import sys

import duckdb

EVENTS = """
CREATE TABLE events AS
SELECT log || '-' || log_offset AS event_id, make_timestamp(ts_ms * 1000) AS ts, ts_ms, host, source, kind, service,
       hostgroup, relay, first_hop, destination, message_key, client, client_ip,
       CASE WHEN sender_domain = '' THEN sender_local ELSE sender_local || '@' || sender_domain END AS sender, sender_local,
       sender_domain,
       CASE WHEN recipient_domain = '' THEN recipient_local ELSE recipient_local || '@' || recipient_domain END AS recipient,
       recipient_local, recipient_domain, remote_host, remote_ip, bytes, messages, recipients, queue_ms, delivery_ms,
       smtp_code, enhanced_code, reason, provider_code, origin, direction, provider, log_offset
FROM read_parquet('{folder}/*.events.parquet')
"""
RATES = """
CREATE TABLE rates AS
SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider, messages, recipients, attempts,
       bytes
FROM read_parquet('{folder}/*.rates.parquet')
"""
EPOCH = datetime.datetime(1970, 1, 1)


def cell(value):
    if isinstance(value, datetime.datetime):
        return round((value - EPOCH).total_seconds() * 1000)
    if isinstance(value, datetime.timedelta):
        return round(value.total_seconds() * 1000)
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def main():
    folder, sources = sys.argv[1:]
    engine = duckdb.connect()
    engine.execute(EVENTS.format(folder=folder))
    engine.execute(RATES.format(folder=folder))
    engine.execute("CREATE TABLE sources AS SELECT * FROM read_csv('%s')" % sources)
    answers = []
    for query in json.load(sys.stdin):
        try:
            rows = engine.execute(query).fetchall()
            answers.append({"rows": [[cell(value) for value in row] for row in rows]})
        except Exception as error:
            answers.append({"error": str(error)})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
