"""The measuring half of tail.sh, which sets the environment: WORK, MAILPULSE, DURATION_S, RATE, BURST_LINES.

A follower's CPU time is what the kernel's clock of the process says, threads included, as a difference over the time in
question: to the nanosecond, because a tick of /proc/PID/stat is a twentieth of a percent of the rest that is measured.
Memory is VmRSS at its end and VmHWM. Both followers read one log, so that a busy moment of
the machine hits both. The log is written line by line, as a daemon does, paced every 10 ms.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from statistics import median

WORK, MAILPULSE = os.environ["WORK"], os.path.abspath(os.environ["MAILPULSE"])
DURATION_S, RATE, BURST_LINES = (int(os.environ[k]) for k in ("DURATION_S", "RATE", "BURST_LINES"))
HERE = os.path.dirname(os.path.abspath(__file__))
IDLE_S = max(20, DURATION_S // 2)
SETTLE_S = 5
# So long after its last line a follower still works for what it read: it merges small segments. That is no rest.
TIDY_S = 30


def say(text):
    print("tail.py: " + text, file=sys.stderr)


def cpu_s(pid):
    # As clock_getcpuclockid(3) makes it on Linux: the process, and what its threads ran.
    return time.clock_gettime((~pid << 3) | 2)


def memory_mb(pid):
    with open("/proc/%d/status" % pid) as source:
        found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", source.read(), re.M))
    return tuple(int(found[key]) * 1024 / 1e6 for key in ("VmRSS", "VmHWM"))


def generated(lines):
    """A log of the simulator with at least so many lines."""
    path = os.path.join(WORK, "generated")
    subprocess.run([MAILPULSE, "simulate", "--exim-log", path, "--bytes", str(lines * 260), "--seed", "1"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


class Mailpulse:
    """A store, a log, and the tail over it."""

    def __init__(self, name):
        self.folder = os.path.join(WORK, name)
        os.makedirs(self.folder)
        self.log = os.path.join(self.folder, "mainlog")
        open(self.log, "wb").close()
        self.config = os.path.join(self.folder, "mailpulse.toml")
        with open(self.config, "w") as out:
            out.write('[store]\nurl = "file://%s/store"\n[[source]]\nkind = "exim"\npaths = ["%s*"]\nhost = "mx1"\n'
                      % (self.folder, self.log))

    def command(self, *words):
        return [MAILPULSE, "--config", self.config, *words]

    @contextlib.contextmanager
    def follows(self, command="tail"):
        """The process of a command that follows the log; over when it has ended as it should."""
        with open(os.path.join(self.folder, "stderr"), "wb") as err:
            child = subprocess.Popen(self.command(command), stdout=subprocess.DEVNULL, stderr=err)
        try:
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            if child.wait(30):
                with open(err.name) as text:
                    sys.exit("%s ended with %d: %s" % (command, child.returncode, text.read()[-2000:]))

    def lines(self):
        """Lines that the store knows of; None before there is a store."""
        got = subprocess.run(self.command("query", "--sql", "SELECT SUM(lines) AS n FROM sources", "--format", "json"),
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        rows = json.loads(got.stdout) if got.returncode == 0 else []
        return rows[0]["n"] if rows else None


@contextlib.contextmanager
def mtail(log):
    if not shutil.which("mtail"):
        yield None
        return
    child = subprocess.Popen(["mtail", "-logs", log, "-progs", os.path.join(HERE, "exim.mtail"), "-port", "0",
                              "-address", "127.0.0.1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(30)


def append(path, lines, rate):
    """Writes lines one by one, so many a second; returns how long it took."""
    begin, written = time.monotonic(), 0
    out = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        while written < len(lines):
            due = min(len(lines), int((time.monotonic() - begin) * rate) + 1)
            for line in lines[written:due]:
                os.write(out, line)
            written = due
            time.sleep(0.01)
    finally:
        os.close(out)
    return time.monotonic() - begin


def following(source):
    """Busy and idle figures of both followers: {name: (busy, idle, rss, peak)}, CPU in percent of a core."""
    place = Mailpulse("follow")
    lines = [source.readline() for _ in range(RATE * DURATION_S)]
    with place.follows() as ours, mtail(place.log) as theirs:
        children = {"mailpulse tail": ours, **({"mtail": theirs} if theirs else {})}
        time.sleep(SETTLE_S)
        say("%d lines/s for %d s" % (RATE, DURATION_S))
        before = {name: cpu_s(child.pid) for name, child in children.items()}
        busy_s = append(place.log, lines, RATE)
        time.sleep(TIDY_S)     # what it still does with them belongs to them
        after = {name: cpu_s(child.pid) for name, child in children.items()}
        memory = {name: memory_mb(child.pid) for name, child in children.items()}
        say("nothing for %d s" % IDLE_S)
        time.sleep(IDLE_S)
        rested = {name: cpu_s(child.pid) for name, child in children.items()}
    if place.lines() != len(lines):
        sys.exit("tail.py: %d lines were written, the store has %s" % (len(lines), place.lines()))
    return {name: ((after[name] - before[name]) / busy_s * 100, (rested[name] - after[name]) / IDLE_S * 100,
                   *memory[name]) for name in children}


def freshness(source):
    """Seconds from a line's write to the first answer with it, over ten lines."""
    place = Mailpulse("fresh")
    ages = []
    with place.follows():
        time.sleep(SETTLE_S)
        for at in range(10):
            with open(place.log, "ab") as out:
                out.write(source.readline())
            begin = time.monotonic()
            while (place.lines() or 0) <= at:
                if time.monotonic() - begin > 60:
                    sys.exit("tail.py: a line is not in the answers after a minute")
                time.sleep(0.05)
            ages.append(time.monotonic() - begin)
    return ages


def burst(path):
    """(lines, s by tail, s by backfill): lines that stand there when the tail starts; and the same by backfill."""
    place = Mailpulse("burst")
    with open(path, "rb") as source, open(place.log, "wb") as out:
        for _ in range(BURST_LINES):
            out.write(source.readline())
    begin = time.monotonic()
    with place.follows():
        while (place.lines() or 0) < BURST_LINES:
            time.sleep(0.1)
        by_tail = time.monotonic() - begin
    begin = time.monotonic()
    subprocess.run([MAILPULSE, "--store", "file://" + os.path.join(WORK, "backfilled"), "backfill", place.log],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return by_tail, time.monotonic() - begin


def main():
    path = generated(max(RATE * DURATION_S + 100, BURST_LINES))
    with open(path, "rb") as source:
        figures = following(source)
        ages = freshness(source)
    print("\n%d lines/s for %d s, then rest for %d s; %d CPUs.\n" % (RATE, DURATION_S, IDLE_S, os.cpu_count()))
    print("| | CPU busy, % of a core | CPU idle, % | resident MB | peak MB |")
    print("|---|---:|---:|---:|---:|")
    for name, (busy, idle, resident, peak) in figures.items():
        print("| %s | %.2f | %.3f | %.0f | %.0f |" % (name, busy, idle, resident, peak))
    if "mtail" in figures:
        print("\n* busy, of mtail's CPU: %.3f" % (figures["mailpulse tail"][0] / figures["mtail"][0]))
    print("* from a line's write to the first answer of `query` with it: median %.2f s, most %.2f s"
          % (median(ages), max(ages)))
    if BURST_LINES:
        print("* %d lines at once: caught up after %.2f s; backfill of the same: %.2f s" % (BURST_LINES, *burst(path)))


if __name__ == "__main__":
    main()
