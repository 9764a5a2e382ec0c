"""The measuring half of grafana.sh, which sets the environment and makes the store."""
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
import tomllib

FOLDER, MAILPULSE, COPIES = os.environ["FOLDER"], os.environ["MAILPULSE"], int(os.environ["COPIES"])
PANELS = [name for name in os.environ["PANELS"].split(",") if name]
SQL = "sql/grafana"
DAY_MS = 86_400_000
# Days, and the interval in seconds that Grafana chooses for a panel of a thousand points.
WINDOWS = [(1, 60), (7, 600), (90, 7200)]
RUNS = 3


def say(words):
    print("grafana.py: " + words, file=sys.stderr, flush=True)


def sent(server):
    """Sends the store to the engine behind its HTTP interface."""
    port_file = os.path.join(FOLDER, "port")
    if os.path.exists(port_file):
        os.remove(port_file)
    front = subprocess.Popen([sys.executable, "tests/lab/clickhouse_front.py", server, port_file])
    try:
        while not os.path.exists(port_file):
            if front.poll() is not None:
                sys.exit("grafana.py: the engine ended")
            time.sleep(0.05)
        with open(port_file) as file:
            port = int(file.read())
        config = os.path.join(FOLDER, "ship.toml")
        with open(config, "w") as out:
            # Events of 2018 are older than any retention by the server's clock.
            out.write('[store]\nurl = "store"\nship = "clickhouse://127.0.0.1:%d/mail"\nretain_days = 36500\n'
                      "outbox_mib_max = 100000\n" % port)
        for words in (["store", "migrate"], ["store", "ship", "--once", "--anew"]):
            subprocess.run([MAILPULSE, "--config", config, *words], check=True, stdout=sys.stderr)
    finally:
        front.terminate()
        front.wait()


def copied(engine):
    """Copies of all events, a day at a time from the newest on, some minutes later, as rows of other logs. What is there of an
    earlier run, with fewer copies or ended too early, stays: of a day that was cut off, roll-ups may lack rows."""
    days = sorted(map(int, engine.query("SELECT DISTINCT intDiv(ts_ms, 86400000) FROM mail.events_log", "TSV").bytes().split()))
    for at, day in enumerate(reversed(days)):
        within = "ts_ms >= %d AND ts_ms < %d" % (day * DAY_MS, (day + 1) * DAY_MS)
        # Copies reach into the next day by two hours.
        there = engine.query("SELECT max(toInt64(splitByChar('-', log)[2])) FROM mail.events_log WHERE %s AND ts_ms >= %d AND "
                             "position(log, '-') > 0" % (within, day * DAY_MS + 7_200_000), "TSV").bytes().strip()
        first = int(there or 0) + 1
        if first > COPIES:
            continue
        say("copies of day %d of %d" % (at + 1, len(days)))
        engine.query(
            "INSERT INTO mail.events_log SELECT e.* REPLACE (concat(e.log, '-', toString(copy)) AS log, "
            "e.ts_ms + copy * 420000 AS ts_ms) FROM mail.events_log AS e CROSS JOIN "
            "(SELECT arrayJoin(range(%d, %d)) AS copy) AS copies WHERE e.%s AND position(e.log, '-') = 0"
            % (first, COPIES + 1, within.replace(" ts_ms", " e.ts_ms")))


def loaded(session):
    """The engine with everything in it."""
    folder = os.path.join(FOLDER, "server")
    if not os.path.exists(os.path.join(folder, "made")):
        shutil.rmtree(folder, ignore_errors=True)
        sent(folder)
        open(os.path.join(folder, "made"), "w").close()
    engine = session.Session(os.path.join(folder, "engine"))
    copied(engine)
    return engine


def text_of(name):
    """The SQL of a panel with its parts in place."""
    def read(path):
        with open(os.path.join(SQL, path + ".sql")) as file:
            return file.read()
    text = re.sub(r"\A(--.*\n)+", "", read(name))
    while "{{" in text:
        text = re.sub(r"\{\{(\w+)\}\}", lambda part: read("parts/" + part.group(1)).rstrip("\n"), text)
    return text


def conditions(text, chosen):
    """`$__conditionalAll(condition, $variable)`: the condition, or 1=1 where all are selected."""
    macro = "$__conditionalAll("
    while macro in text:
        begin = text.index(macro)
        at, depth = begin + len(macro), 1
        while depth:
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        condition, variable = text[begin + len(macro):at - 1].rsplit(",", 1)
        is_all = variable.strip().lstrip("$") not in chosen
        text = text[:begin] + ("1=1" if is_all else condition) + text[at:]
    return text


def expanded(text, window, selected, all_of):
    """As Grafana and its plugin do: variables, then macros."""
    (from_ms, to_ms), interval_s = window
    text = conditions(text, selected)
    for name, values in {**all_of, **selected}.items():
        text = text.replace("${%s:singlequote}" % name, ",".join("'%s'" % value for value in values))
    for name, value in (("$__fromTime_ms", "fromUnixTimestamp64Milli(%d)" % from_ms),
                        ("$__toTime_ms", "fromUnixTimestamp64Milli(%d)" % to_ms), ("$__interval_s", str(interval_s))):
        text = text.replace(name, value)
    if "$" in text:
        sys.exit("grafana.py: a macro that nobody knows: " + text)
    return text


def timed(engine, sql):
    """Seconds of wall time and of processor time, each the median, and rows read."""
    walls, cpus, rows = [], [], 0
    for _ in range(RUNS):
        wall, cpu = time.monotonic(), time.process_time()
        rows = engine.query(sql, "Native").storage_rows_read()
        walls.append(time.monotonic() - wall)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls), statistics.median(cpus), rows


def names(engine):
    """Files of SQL: those of the dashboards, and those of the alert rules."""
    with open("dist/grafana/dashboards.toml", "rb") as file:
        table = tomllib.load(file)
    found = [panel["sql"] for dashboard in table["dashboard"] for panel in dashboard["panel"]]
    found += ["alerts/" + alert["sql"] for alert in table["alert"]]
    return [name for name in dict.fromkeys(found) if not PANELS or name in PANELS]


def main():
    from chdb import session
    engine = loaded(session)
    engine.query("USE mail")

    def column(sql):
        return engine.query(sql, "TSV").bytes().decode().split()
    end_ms = int(column("SELECT max(ts_ms) FROM rates_by_hour WHERE messages > 0")[0]) + 3_600_000
    all_of = {name: column("SELECT DISTINCT %s FROM rates_by_day WHERE %s != '' ORDER BY 1" % (name, name))
              for name in ("service", "provider")}
    largest = "SELECT relay FROM rates_by_day WHERE relay != '' GROUP BY relay ORDER BY sum(messages) DESC LIMIT 1"
    selected = {"direction": ["outbound"], "relay": column(largest)}
    for what in ("events_log", "rates_minute", "rates_hour", "rates_day", "sources_minute"):
        print("* %s: %s rows, %s parts" % (what, *column(
            "SELECT sum(rows), count() FROM system.parts WHERE active AND database = 'mail' AND table = '%s'" % what)))
    print("\n| panel | 24 h, s | CPU s | rows read | 7 days, s | CPU s | 90 days, s | CPU s | rows read |\n|---|%s" % ("---:|" * 8))
    for name in names(engine):
        text, took = text_of(name), []
        for days, interval_s in WINDOWS:
            window = ((end_ms - days * DAY_MS, end_ms), interval_s)
            took.append("{:.2f} | {:.2f} | {:,}".format(*timed(engine, expanded(text, window, selected, all_of))))
        took[1] = took[1].rsplit(" | ", 1)[0]
        print("| %s | %s |" % (name, " | ".join(took)), flush=True)


if __name__ == "__main__":
    main()
