"""The measuring half of backfill.sh, which sets the environment: LOG, WORK, MAILPULSE, RUNS, SLOW_MB.

A measurement is one process tree under os.wait4: its CPU time includes children that were waited for
(so `zcat | wc -l` is run by a shell). The peak memory is that of the largest process in it. It comes from
GNU time, because a child of Python starts with Python's own memory as its peak.
"""
import os
import shutil
import subprocess
import sys
import time
from statistics import median

LOG, WORK, MAILPULSE = (os.environ[k] for k in ("LOG", "WORK", "MAILPULSE"))
RUNS, SLOW_BYTES = int(os.environ["RUNS"]), int(os.environ["SLOW_MB"]) * 1_000_000
GZ = os.path.join(WORK, "mainlog.gz")
GNU_TIME = shutil.which("time")
HERE = os.path.dirname(os.path.abspath(__file__))
MTAIL = os.environ.get("MTAIL") or " ".join(os.path.join(HERE, name) for name in ("exim.mtail", "exim_services.mtail"))


def measure(command):
    """(CPU s, wall s, peak MB). A failing command ends the benchmark: its time would mean nothing."""
    peak = os.path.join(WORK, "peak")
    if GNU_TIME:
        command = [GNU_TIME, "-f", "%M", "-o", peak, *command]
    begin = time.monotonic()
    with open(os.path.join(WORK, "stderr"), "wb") as err:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)
        _, status, used = os.wait4(child.pid, 0)
    wall = time.monotonic() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        with open(err.name, "rb") as text:
            sys.stderr.buffer.write(text.read()[-2000:])
        sys.exit("backfill.py: exit %d: %s" % (child.returncode, " ".join(command)))
    peak_mb = float("nan")
    if GNU_TIME:
        with open(peak) as source:
            peak_mb = int(source.read().split()[-1]) * 1024 / 1e6
    return used.ru_utime + used.ru_stime, wall, peak_mb


def first_megabytes(path, size):
    """The log's beginning, whole lines, for the programs that take minutes; the path itself if that is all."""
    if not size or os.path.getsize(path) <= size:
        return path
    head = os.path.join(WORK, "head.log")
    with open(path, "rb") as source, open(head, "wb") as target:
        target.write(source.read(size))
        target.write(source.readline())
    return head


def tree_bytes(path):
    return sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(path) for f in files)


def backfill(path, store):
    shutil.rmtree(store, ignore_errors=True)       # an old store would make the run a no-op
    return [MAILPULSE, "--store", "file://" + store, "backfill", path]


def main():
    head = first_megabytes(LOG, SLOW_BYTES)
    scale = os.path.getsize(LOG) / os.path.getsize(head)
    stores = {path: os.path.join(WORK, "store-" + name) for name, path in (("plain", LOG), ("gz", GZ))}
    jobs = [("mailpulse backfill, plain", lambda: backfill(LOG, stores[LOG]), 1),
            ("mailpulse backfill, gzip", lambda: backfill(GZ, stores[GZ]), 1)]
    if shutil.which("eximstats"):
        jobs.append(("eximstats", lambda: ["eximstats", head], scale))
    if shutil.which("mtail"):
        for program in MTAIL.split():
            command = ["mtail", "-one_shot", "-logs", head, "-progs", program]
            jobs.append(("mtail, " + os.path.basename(program), lambda command=command: command, scale))
    jobs += [("wc -l, plain", lambda: ["wc", "-l", LOG], 1),
             ("zcat \\| wc -l, gzip", lambda: ["sh", "-c", 'zcat "$1" | wc -l', "sh", GZ], 1)]

    results = {name: [] for name, _, _ in jobs}
    for run in range(RUNS):
        for name, command, _ in jobs:
            print("backfill.py: run %d of %d: %s" % (run + 1, RUNS, name.replace("\\", "")), file=sys.stderr)
            results[name].append(measure(command()))
    report({name: [median(column) for column in zip(*rows)] for name, rows in results.items()},
           {name: factor for name, _, factor in jobs}, stores, os.path.getsize(head))


def report(medians, scales, stores, head_bytes):
    log, gz = os.path.getsize(LOG) / 1e6, os.path.getsize(GZ) / 1e6
    base_cpu, base_wall = medians["mailpulse backfill, plain"][:2]
    gz_wall = medians["mailpulse backfill, gzip"][1]
    print("\nLog: %.1f MB, %.1f MB as gzip. Medians of %d runs, %d CPUs.\n" % (log, gz, RUNS, os.cpu_count()))
    print("| | CPU s | wall s | peak MB | CPU s per 100 MB | CPU, times mailpulse plain |")
    print("|---|---:|---:|---:|---:|---:|")
    scaled = False
    for name, (cpu, wall, peak) in medians.items():
        factor = scales[name]
        scaled |= factor != 1
        cpu, wall = cpu * factor, wall * factor
        print("| %s%s | %.2f | %.2f | %.0f | %.2f | %s |" % (name, " ¹" if factor != 1 else "", cpu, wall, peak,
              cpu / log * 100, "%.2f" % (cpu / base_cpu) if base_cpu else "–"))
    if scaled:
        print("\n¹ measured on the first %.1f MB, and scaled to the whole by size." % (head_bytes / 1e6))
    zcat = medians["zcat \\| wc -l, gzip"][1]
    print("\n* wall time on gzip, of `zcat | wc -l`: %.2f times" % (gz_wall / zcat))
    for path, store in stores.items():
        size = tree_bytes(store) / 1e6
        print("* store from %s: %s" % ("gzip" if path == GZ else "plain",
              "%.1f MB, %.0f %% of the gzipped log" % (size, size / gz * 100) if size else "none was written"))


if __name__ == "__main__":
    main()
