#!/usr/bin/env bash
# What does `run` (tail, watch, and serve in one process) take beside `tail` alone, on the same log at the same time?
#
#   tests/bench/run.sh [SERVICES=20] [DAYS=30] [SECONDS=60] [LINES_PER_SECOND=5000]
#
# Both have read the same history first: DAYS days of SERVICES services. Then a log grows, and rests. Prints a
# Markdown table: CPU of one core while it grows and after it, and resident memory.
#
#   MAILPULSE=path   the binary; default target/release/mailpulse
#   MAILS_A_DAY=n    of each service in the history; default 288
#   TMPDIR=folder    where logs and stores go: about 1 GB
set -euo pipefail
cd "$(dirname "$0")/../.."

export SERVICES=${1:-20} DAYS=${2:-30} DURATION_S=${3:-60} RATE=${4:-5000} BURST_LINES=0 MAILS_A_DAY=${MAILS_A_DAY:-288}
export MAILPULSE=${MAILPULSE:-target/release/mailpulse}
if [[ ! -x $MAILPULSE ]]; then
    echo "run.sh: no $MAILPULSE: run cargo build --release, or set MAILPULSE" >&2
    exit 2
fi
WORK=$(mktemp -d "${TMPDIR:-/tmp}/mailpulse-bench.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
export WORK
python3 tests/bench/run.py
