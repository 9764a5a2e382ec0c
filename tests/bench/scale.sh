#!/usr/bin/env bash
# What one ClickHouse takes from many hosts, and what an event costs there: backs docs/scaling.md.
#
#   tests/bench/scale.sh [HOSTS=50] [MB_PER_HOST=4]
#
# Each host's log goes into a store of its own, whose outbox holds payloads of some thousand events: what a host of some
# hundred mails a minute sends in ten minutes. All payloads are sent to one server by 8 senders at once, every tenth of
# them twice; then it prints inserts and events per second, bytes per event, parts, and that nothing was counted twice.
#
#   MAILPULSE=path       the binary; default target/release/mailpulse
#   MAILPULSE_CHDB=path  the folder of ClickHouse's engine that tests/run makes
#   BATCH_ROWS=n         events of a payload, at least; default 1000 (a payload ends with a MiB of log)
#   TMPDIR=folder        where all of it goes
set -euo pipefail
cd "$(dirname "$0")/../.."

export HOSTS=${1:-50} MB_PER_HOST=${2:-4} BATCH_ROWS=${BATCH_ROWS:-1000}
export MAILPULSE=${MAILPULSE:-target/release/mailpulse}
export MAILPULSE_CHDB=${MAILPULSE_CHDB:-$HOME/.cache/mailpulse-lab/chdb-26.9.0}
if [[ ! -x $MAILPULSE ]]; then
    echo "scale.sh: no $MAILPULSE: run cargo build --release, or set MAILPULSE" >&2
    exit 2
fi
if [[ ! -x $MAILPULSE_CHDB/bin/python3 ]]; then
    echo "scale.sh: no ClickHouse engine in $MAILPULSE_CHDB: tests/run makes it, or set MAILPULSE_CHDB" >&2
    exit 2
fi
WORK=$(mktemp -d "${TMPDIR:-/tmp}/mailpulse-bench.XXXXXX")
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$WORK"' EXIT
export WORK
"$MAILPULSE_CHDB/bin/python3" tests/lab/clickhouse_front.py "$WORK/server" "$WORK/port" &
python3 tests/bench/scale.py
