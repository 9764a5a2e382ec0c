"""The measuring half of scale.sh, which sets the environment and starts the server."""
import concurrent.futures
import glob
import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request

WORK, MAILPULSE = os.environ["WORK"], os.path.abspath(os.environ["MAILPULSE"])
HOSTS, MB_PER_HOST, BATCH_ROWS = (int(os.environ[k]) for k in ("HOSTS", "MB_PER_HOST", "BATCH_ROWS"))
SENDERS, TWICE = 8, 10


def run(*words):
    subprocess.run([MAILPULSE, *words], check=True, stdout=subprocess.DEVNULL)


def config(folder, port):
    path = os.path.join(folder, "mailpulse.toml")
    with open(path, "w") as out:
        out.write('[store]\nurl = "store"\nship = "clickhouse://127.0.0.1:%d/mail"\nsegment_rows_max = %d\n'
                  'retain_days = 36500\n' % (port, BATCH_ROWS))
    return path


def ask(port, sql):
    request = urllib.request.Request("http://127.0.0.1:%d/" % port, data=(sql + " FORMAT JSONCompact").encode())
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)["data"]


def insert(port, path):
    settings = {"query": "INSERT INTO mail.events_log FORMAT Parquet", "insert_deduplication_token": path,
                "async_insert": "0", "deduplicate_blocks_in_dependent_materialized_views": "1"}
    with open(path, "rb") as payload:
        request = urllib.request.Request("http://127.0.0.1:%d/?%s" % (port, urllib.parse.urlencode(settings)),
                                         data=payload.read())
    begin = time.monotonic()
    with urllib.request.urlopen(request, timeout=600) as answer:
        answer.read()
    return time.monotonic() - begin


def main():
    while not os.path.exists(os.path.join(WORK, "port")):
        time.sleep(0.05)
    with open(os.path.join(WORK, "port")) as source:
        port = int(source.read())
    run("--config", config(WORK, port), "store", "migrate")
    payloads = []
    for host in range(HOSTS):
        print("scale.py: host %d of %d" % (host + 1, HOSTS), file=sys.stderr)
        folder = os.path.join(WORK, "host%d" % host)
        os.makedirs(folder)
        log = os.path.join(folder, "mainlog")
        run("simulate", "--exim-log", log, "--bytes", str(MB_PER_HOST * 1_000_000), "--seed", str(host + 1))
        run("--config", config(folder, port), "backfill", "--quiet", "--host", "mx%04d" % host, log)
        os.remove(log)
        payloads += sorted(glob.glob(os.path.join(folder, "store/outbox/*.rows.parquet")))
    payload_bytes = sum(os.path.getsize(path) for path in payloads)
    order = payloads + payloads[::TWICE]
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
        times = sorted(pool.map(lambda path: insert(port, path), order))
    took = time.monotonic() - begin
    parts, rows, stored = ask(port, "SELECT count(), sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND "
                                    "database = 'mail' AND table = 'events_log'")[0]
    events = int(ask(port, "SELECT count() FROM mail.events")[0][0])
    attempts = ask(port, "SELECT sum(attempts), (SELECT countIf(kind IN ('delivered', 'deferred', 'bounced', 'expired')) "
                         "FROM mail.events) FROM mail.rates")[0]
    ask(port, "SELECT 1")
    print("\n* %d hosts, %d payloads of %d events, %d of them sent twice, %d senders at once"
          % (HOSTS, len(payloads), int(rows) // len(payloads), len(order) - len(payloads), SENDERS))
    print("* %.0f inserts/s, %.0f events/s; an insert takes %.0f ms in the middle, %.0f ms at the 99th percentile"
          % (len(order) / took, len(order) / took * int(rows) / len(payloads), times[len(times) // 2] * 1000,
             times[len(times) * 99 // 100] * 1000))
    print("* an event: %.1f bytes on the way, %.1f bytes on the server's disk (%s parts as they are now)"
          % (payload_bytes / int(rows), int(stored) / int(rows), parts))
    print("* events on the server: %d of %s rows sent; attempts in the rates %s, in the events %s"
          % (events, rows, *attempts))
    if str(attempts[0]) != str(attempts[1]):
        sys.exit("scale.py: the rates and the events differ")


if __name__ == "__main__":
    main()
