#!/usr/bin/env bash
# What does it cost to follow a busy Exim main log? mailpulse tail beside mtail, on the same log at the same time.
#
#   tests/bench/tail.sh [SECONDS=60] [LINES_PER_SECOND=5000]
#
# Prints a Markdown table: CPU of one core and resident memory while the log grows line by line, and while it rests;
# then how old a line is when `query` first answers with it, and how long a burst of a million lines takes beside
# `backfill` of the same lines.
#
#   MAILPULSE=path   the binary; default target/release/mailpulse
#   BURST_LINES=n    lines of the burst; default 1000000, 0 leaves it out
#   TMPDIR=folder    where logs and stores go: about 1 GB
#
# Needs python3; measures mtail (Debian: mtail) if it is there.
set -euo pipefail
cd "$(dirname "$0")/../.."

export DURATION_S=${1:-60} RATE=${2:-5000} BURST_LINES=${BURST_LINES:-1000000}
export MAILPULSE=${MAILPULSE:-target/release/mailpulse}
if [[ ! -x $MAILPULSE ]]; then
    echo "tail.sh: no $MAILPULSE: run cargo build --release, or set MAILPULSE" >&2
    exit 2
fi
WORK=$(mktemp -d "${TMPDIR:-/tmp}/mailpulse-bench.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
export WORK
python3 tests/bench/tail.py
