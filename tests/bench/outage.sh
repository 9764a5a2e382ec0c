#!/usr/bin/env bash
# A day without ClickHouse, faster than it passes: a tail follows a log while its server is away, then the server is back.
# Backs docs/scaling.md.
#
#   tests/bench/outage.sh [HOURS=24] [LINES_PER_S=100] [SPEED=100]
#
# The log is written SPEED times as fast as LINES_PER_S, and the tail looks SPEED times as often, so that the outbox holds
# as many payloads of as many lines as after so many hours. Prints what waited, how long sending it took, and whether the
# server has each row once.
#
#   MAILPULSE=path       the binary; default target/release/mailpulse
#   MAILPULSE_CHDB=path  the folder of ClickHouse's engine that tests/run makes
#   TMPDIR=folder        where all of it goes
set -euo pipefail
cd "$(dirname "$0")/../.."

export HOURS=${1:-24} LINES_PER_S=${2:-100} SPEED=${3:-100}
export MAILPULSE=${MAILPULSE:-target/release/mailpulse}
export MAILPULSE_CHDB=${MAILPULSE_CHDB:-$HOME/.cache/mailpulse-lab/chdb-26.9.0}
if [[ ! -x $MAILPULSE ]]; then
    echo "outage.sh: no $MAILPULSE: run cargo build --release, or set MAILPULSE" >&2
    exit 2
fi
if [[ ! -x $MAILPULSE_CHDB/bin/python3 ]]; then
    echo "outage.sh: no ClickHouse engine in $MAILPULSE_CHDB: tests/run makes it, or set MAILPULSE_CHDB" >&2
    exit 2
fi
WORK=$(mktemp -d "${TMPDIR:-/tmp}/mailpulse-bench.XXXXXX")
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$WORK"' EXIT
export WORK
python3 tests/bench/outage.py
