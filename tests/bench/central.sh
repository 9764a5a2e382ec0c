#!/usr/bin/env bash
# How much more does the log of a central server cost than the same lines of one host?
#
#   tests/bench/central.sh [HOSTS=200] [SIZE_MB=200] [RUNS=5]
#
# Prints a Markdown table of medians: CPU seconds (user + system), wall seconds, peak memory. Both logs take turns.
#
#   MAILPULSE=path   the binary; default target/release/mailpulse
#   TMPDIR=folder    where the logs and the stores go: about four times SIZE_MB
#
# Needs python3 and GNU time.
set -euo pipefail
cd "$(dirname "$0")/../.."

export HOSTS=${1:-200} SIZE_MB=${2:-200} RUNS=${3:-5}
export MAILPULSE=${MAILPULSE:-target/release/mailpulse}

if [[ ! -x $MAILPULSE ]]; then
    echo "central.sh: no $MAILPULSE: run cargo build --release, or set MAILPULSE" >&2
    exit 2
fi
WORK=$(mktemp -d "${TMPDIR:-/tmp}/mailpulse-bench.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
export WORK

echo "central.sh: writing $SIZE_MB MB of log" >&2
"$MAILPULSE" simulate --exim-log "$WORK/mainlog" --bytes $((SIZE_MB * 1000000)) --seed 1 >&2
python3 tests/bench/central.py
