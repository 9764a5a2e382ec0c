"""The measuring half of outage.sh, which sets the environment."""
import glob
import json
import os
import subprocess
import sys
import time

WORK, MAILPULSE, CHDB = os.environ["WORK"], os.path.abspath(os.environ["MAILPULSE"]), os.environ["MAILPULSE_CHDB"]
HOURS, LINES_PER_S, SPEED = (float(os.environ[k]) for k in ("HOURS", "LINES_PER_S", "SPEED"))
CONFIG = os.path.join(WORK, "mailpulse.toml")
HERE = os.path.dirname(os.path.abspath(__file__))
POLL_MS = 1500           # the default
LINES = int(HOURS * 3600 * LINES_PER_S)
ALL = "SELECT COUNT(*) AS events, SUM(messages) AS messages, SUM(bytes) AS bytes, MAX(ts_ms) AS last FROM events"
LINES_SQL = "SELECT SUM(lines) AS n FROM sources"


def say(text):
    print("outage.py: " + text, file=sys.stderr)


def run(*words, **more):
    return subprocess.run([MAILPULSE, "--config", CONFIG, *words], check=True, stdout=subprocess.PIPE, **more).stdout


def rows(sql, *store):
    got = subprocess.run([MAILPULSE, "--config", CONFIG, *store, "query", "--sql", sql, "--format", "json"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(got.stdout) if got.returncode == 0 else None


def server(port):
    """Starts the server over its data, on this port or any."""
    path = os.path.join(WORK, "port")
    if os.path.exists(path):
        os.remove(path)
    child = subprocess.Popen([os.path.join(CHDB, "bin/python3"), os.path.join(HERE, "../lab/clickhouse_front.py"),
                              os.path.join(WORK, "server"), path, "--port", str(port)])
    while not os.path.exists(path):
        time.sleep(0.05)
    with open(path) as source:
        return child, int(source.read())


def follow(log, source):
    """Writes the lines as fast as they come, and waits until the tail has committed them."""
    with open(os.path.join(WORK, "words"), "wb") as words:
        child = subprocess.Popen([MAILPULSE, "--config", CONFIG, "tail"], stderr=words, stdout=subprocess.DEVNULL)
    begin, written = time.monotonic(), 0
    with open(log, "ab", buffering=0) as out:
        while written < LINES:
            due = min(LINES, int((time.monotonic() - begin) * LINES_PER_S * SPEED) + 1)
            out.write(b"".join(source.readline() for _ in range(due - written)))
            if due * 10 // LINES > written * 10 // LINES:
                say("%d of %d lines" % (due, LINES))
            written = due
            time.sleep(0.005)
    while (rows(LINES_SQL) or [{"n": 0}])[0]["n"] < LINES:
        time.sleep(0.2)
    child.terminate()
    if child.wait(30):
        sys.exit("outage.py: tail ended with %d" % child.returncode)


def main():
    log = os.path.join(WORK, "mainlog")
    generated = os.path.join(WORK, "generated")
    subprocess.run([MAILPULSE, "simulate", "--exim-log", generated, "--bytes", str(LINES * 270), "--seed", "1"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    child, port = server(0)
    with open(CONFIG, "w") as out:
        out.write('[store]\nurl = "store"\nship = "clickhouse://127.0.0.1:%d/mail"\nretain_days = 36500\n'
                  '[tail]\npoll_ms = %d\n[[source]]\nkind = "exim"\nhost = "mx1"\npaths = ["%s"]\n'
                  % (port, max(50, POLL_MS // SPEED), log))
    run("store", "migrate")
    child.kill()
    child.wait()
    open(log, "wb").close()
    with open(generated, "rb") as source:
        follow(log, source)
    payloads = [os.path.getsize(path) for path in glob.glob(os.path.join(WORK, "store/outbox/*"))]
    child, _ = server(port)
    begin = time.monotonic()
    sent = run("store", "ship", "--once", stderr=subprocess.DEVNULL).decode().strip()
    took = time.monotonic() - begin
    here, there = rows(ALL), rows(ALL, "--store", "clickhouse://127.0.0.1:%d/mail" % port)
    child.kill()
    print("* %.1f hours at %.0f lines a second: %d lines; %d payloads waited, %.1f MB of 10 240 MiB allowed"
          % (HOURS, LINES_PER_S, LINES, len(payloads), sum(payloads) / 1e6))
    print("* sent %.1f s after the server was back (%s)" % (took, sent))
    print("* here and there: %s" % ("the same %d events" % here[0]["events"] if here == there else "%s, %s" % (here, there)))
    if here != there:
        sys.exit("outage.py: the server has other rows")


if __name__ == "__main__":
    main()
