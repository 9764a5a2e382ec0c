"""The runs of central.sh, which says what the variables are."""

import os
import shutil
import statistics
import subprocess
import sys
import zlib

WORK = os.environ["WORK"]
TIMES = f"{WORK}/times"


def wrap(hosts):
    """The log as rsyslog on a central server writes it. A message stays on its host."""
    path = f"{WORK}/of-{hosts}"
    with open(f"{WORK}/mainlog", encoding="utf-8", errors="surrogateescape") as log:
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as central:
            for line in log:
                host = zlib.crc32(line[20:36].encode("utf-8", "surrogateescape")) % hosts
                central.write(f"{line[:10]}T{line[11:19]}+00:00 mx{host}.example.org exim[1]: {line}")
    return path


def run(log):
    """CPU seconds, wall seconds, and MB of one backfill into a new store."""
    store = f"{WORK}/store"
    shutil.rmtree(store, ignore_errors=True)
    command = [os.environ["MAILPULSE"], "--store", store, "backfill", "--quiet", "--kind", "exim", log]
    done = subprocess.run(["time", "-o", TIMES, "-f", "%U %S %e %M", *command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"central.py: {' '.join(command)}: {done.stderr}")
    with open(TIMES, encoding="utf-8") as times:
        user, system, wall, kib = (float(number) for number in times.read().split()[-4:])
    return user + system, wall, kib / 1024


def main():
    logs = {hosts: wrap(hosts) for hosts in (1, int(os.environ["HOSTS"]))}
    runs = {hosts: [] for hosts in logs}
    for _ in range(int(os.environ["RUNS"])):
        for hosts, log in logs.items():
            runs[hosts].append(run(log))
    print("| hosts | CPU s | wall s | peak MB |\n|---:|---:|---:|---:|")
    for hosts, measured in runs.items():
        cpu, wall, megabytes = (statistics.median(column) for column in zip(*measured))
        print(f"| {hosts} | {cpu:.2f} | {wall:.2f} | {megabytes:.0f} |")


main()
