"""The measuring half of scale_store.sh, which sets the environment and makes the store."""
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

FOLDER, MAILPULSE = os.environ["FOLDER"], os.environ["MAILPULSE"]
DUCKDB = os.environ["MAILPULSE_DUCKDB"]
DAY = ["--since", "2018-06-06T00:00Z", "--until", "2018-06-07T00:00Z"]
ALL = ["--since", "2018-01-01T00:00Z", "--until", "2018-06-07T06:00Z"]
JSON = ["--format", "json"]
WITH_BUCKET = ["rate_by_service", "rate_by_hostgroup", "rate_by_relay", "rate_by_kind", "tried_accepted_delivered"]
OTHERS = ["top_services", "outcome_per_service", "latency", "deferral_reasons", "bounce_reasons", "relays_per_service",
          "freshness"]
SELECTS = [
    "SELECT service, COUNT(*) AS n FROM events GROUP BY service ORDER BY n DESC, service",
    "SELECT relay, COUNT(*) AS n, SUM(recipients) AS r FROM events WHERE kind = 'delivered' GROUP BY relay ORDER BY relay",
    "SELECT recipient_domain, COUNT(*) AS n FROM events GROUP BY recipient_domain ORDER BY n DESC, recipient_domain LIMIT 20",
    "SELECT ts_ms - ts_ms % 3600000 AS h, kind, COUNT(*) AS n FROM events GROUP BY h, kind ORDER BY h, kind",
    "SELECT service, COUNT(DISTINCT recipient_domain) AS d FROM events GROUP BY service ORDER BY service",
]
# Runs in the environment that has DuckDB; two threads, as the machines of the README have.
DUCK = """
import duckdb, glob, json, sys
files = glob.glob(sys.argv[1] + "/segments/*.events.parquet")
db = duckdb.connect()
db.execute("SET threads = 2")
db.execute("CREATE VIEW events AS SELECT * FROM read_parquet(" + repr(files) + ")")
rows = db.execute(sys.argv[2]).fetchall()
print(json.dumps(rows))
"""


def measured(command):
    """Exit code, output, wall and processor seconds, and peak memory in MB of a process and those that it waited for."""
    out = tempfile.TemporaryFile()
    begin = time.monotonic()
    child = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE)
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - begin
    out.seek(0)
    return os.waitstatus_to_exitcode(status), out.read(), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, errors


def line(name, wall, cpu, peak):
    print("%-44s %8.0f MB %8.2f s %8.2f CPU s" % (name[:44], peak, wall, cpu), flush=True)


def ask(name, *words):
    code, out, wall, cpu, peak, errors = measured([MAILPULSE, "--config", FOLDER + "/mailpulse.toml", *words])
    # 1: something was found.
    if code > 1:
        sys.exit("scale_store.py: %s: exit code %d: %s" % (name, code, errors.decode()))
    line(name, wall, cpu, peak)
    return out


def commands(name, window):
    for query in WITH_BUCKET:
        ask("query %s %s" % (query, name), "query", query, *window, "--param", "bucket=1h", *JSON)
    for query in OTHERS:
        ask("query %s %s" % (query, name), "query", query, *window, *JSON)
    ask("services " + name, "services", *window, *JSON)
    ask("services discover " + name, "services", "discover", *window)
    ask("graph --plain " + name, "graph", "--plain", *window, "--out", FOLDER + "/graph.svg")
    ask("trace of a busy sender " + name, "trace", "wiki@wikimedia.org", *window, *JSON)


def judged(name, window):
    """Questions that ask the detection."""
    ask("routes " + name, "routes", *window, *JSON)
    ask("routes --failovers " + name, "routes", "--failovers", *window, *JSON)
    ask("graph " + name, "graph", *window, "--out", FOLDER + "/graph.svg")
    ask("incident " + name, "incident", *window, *JSON)
    ask("detect " + name, "detect", *window, *JSON)


def selects():
    if not DUCKDB:
        print("scale_store.py: no DuckDB beside the SELECTs: set MAILPULSE_DUCKDB", file=sys.stderr)
    for sql in SELECTS:
        ask("sql " + sql[7:], "query", "--sql", sql, *JSON)
        if DUCKDB:
            command = [DUCKDB + "/bin/python3", "-c", DUCK, FOLDER + "/store", sql]
            code, _, wall, cpu, peak, errors = measured(command)
            if code:
                sys.exit("scale_store.py: DuckDB: " + errors.decode())
            line("  DuckDB, the same", wall, cpu, peak)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    shutil.rmtree(FOLDER + "/store/detection", ignore_errors=True)
    for name, window in (("a day", DAY), ("all days", ALL)):
        commands(name, window)
        judged(name + ", replayed", window)
    ask("watch --once", "watch", "--once")
    for name, window in (("a day", DAY), ("all days", ALL)):
        judged(name + ", kept", window)
    ask("watch --once, again", "watch", "--once")
    ask("status", "status", *JSON)
    selects()
