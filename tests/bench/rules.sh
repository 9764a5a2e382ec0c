#!/usr/bin/env bash
# What do rules cost? The same backfill without any, and with 200 service rules and an inventory of 5 000 hosts.
#
#   tests/bench/rules.sh [SIZE_MB=200] [RUNS=5]
#
# Prints the medians of CPU seconds (user + system) and their ratio; the figure to hold is below 1.10. Both take turns
# within every run, so that a busy moment hits both alike. Beside the rules that match nothing there is one for each of
# a generated log's senders, at the end: every mail has to pass all others.
#
#   MAILPULSE=path   the binary; default target/release/mailpulse
#   TMPDIR=folder    where log and stores go: about twice SIZE_MB
#
# Needs python3.
set -euo pipefail
cd "$(dirname "$0")/../.."

export SIZE_MB=${1:-200} RUNS=${2:-5}
export MAILPULSE=${MAILPULSE:-target/release/mailpulse}
if [[ ! -x $MAILPULSE ]]; then
    echo "rules.sh: no $MAILPULSE: run cargo build --release, or set MAILPULSE" >&2
    exit 2
fi
MAILPULSE=$(realpath "$MAILPULSE")
WORK=$(mktemp -d "${TMPDIR:-/tmp}/mailpulse-rules.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
export WORK
"$MAILPULSE" simulate --exim-log "$WORK/mainlog" --bytes $((SIZE_MB * 1000000)) --seed 1 >&2
python3 - <<'PYTHON'
import os
import resource
import shutil
import statistics
import subprocess
import sys

work, runs = os.environ["WORK"], int(os.environ["RUNS"])
STORE = '[store]\nurl = "store"\n'


def rules():
    """200 rules in the forms that people write, and the inventory's groups."""
    forms = ('{ sender = "app%d@*.example.net" }', '{ client = "app%d-[0-9]*.*.example.net" }',
             '{ sender_domain = "app%d.example.net" }', '{ sender = "bot-%d-*@example.net" }')
    out = ['[[service]]\nname = "app%d"\nmatch = [%s]\n' % (n, forms[n % len(forms)] % n) for n in range(199)]
    return "\n".join([*out, '[[service]]\nname = "rest"\nmatch = [{ sender = "*@*" }]\n',
                      '[[hostgroup]]\ninventory = "hosts.csv"\n'])


def cpu(name):
    folder = os.path.join(work, name)
    shutil.rmtree(os.path.join(folder, "store"), ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([os.environ["MAILPULSE"], "--config", "mailpulse.toml", "backfill", "-q", "--host", "mx1001",
                    os.path.join(work, "mainlog")], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


for name, config in (("none", STORE), ("many", STORE + rules())):
    os.mkdir(os.path.join(work, name))
    with open(os.path.join(work, name, "mailpulse.toml"), "w") as target:
        target.write(config)
with open(os.path.join(work, "many", "hosts.csv"), "w") as target:
    target.writelines("node%d.rack%d.example.net,group%d\n" % (n, n % 40, n % 60) for n in range(5000))

seconds = {"none": [], "many": []}
for _ in range(runs):
    for name, taken in seconds.items():
        taken.append(cpu(name))
none, many = (statistics.median(seconds[name]) for name in ("none", "many"))
print("| rules | CPU s, median of %d |\n|---|---|\n| none | %.2f |\n| 200 services, 5 000 hosts | %.2f |" % (runs, none, many))
print("\nratio %.3f (figure: below 1.10)" % (many / none))
sys.exit(0 if many / none < 1.10 else 1)
PYTHON
